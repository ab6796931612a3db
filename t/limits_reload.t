#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for limits of servers that a reload changes under open sessions:
# limits, weights, servers that are left out and come back.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(27);

my $one = 'server 127.0.0.1 rtmp=%%PORT_8081%%';
my $two = 'server 127.0.0.2 rtmp=%%PORT_8082%%';

configure("$one max_streams=2;", "$two backup;");

rtmp_origin($t, port(8081));
rtmp_origin($t, port(8082), host => '127.0.0.2');

$t->run();

###############################################################################

my ($start, $rejected) = ('NetStream.Publish.Start',
    'NetConnection.Connect.Rejected');
my (@c, @p);

@c = map { rtmp_publish(port(8083), 'live', "cam$_") } 1 .. 2;
@p = map { rtmp_play(port(8083), 'live', 'cam1') } 1 .. 2;

ok(wait_sessions('live', 4), 'sessions');
is(state('127.0.0.1'), '4 2', 'counted');

# a lower limit, and none for another thing

reload("$one max_streams=1 max_conns=5 weight=3;", "$two backup;");

is(state('127.0.0.1'), '4 2', 'sessions of old workers count');
is(server('127.0.0.1')->{weight}, 3, 'weight');

push @c, rtmp_publish(port(8083), 'live', 'cam3');
is(server_of('cam3'), '127.0.0.2', 'full of streams');

push @p, rtmp_play(port(8083), 'live', 'cam1');
is($p[-1]{code}, 'NetStream.Play.Start', 'the last connection');
is(rtmp_play(port(8083), 'live', 'cam1')->{code}, $rejected,
    'full of connections');
is(state('127.0.0.1'), '5 2', 'counted');

# what is set at run time stays, until the configuration says otherwise

patch('live', '127.0.0.1', max_conns => 6);
reload("$one max_streams=1 max_conns=5 weight=3;", "$two backup;");
is(server('127.0.0.1')->{max_conns}, 6, 'set at run time');
reload("$one max_streams=3 max_conns=7;", "$two backup;");
is(server('127.0.0.1')->{max_conns}, 7, 'configured otherwise');
is(state('127.0.0.1'), '5 2', 'still there');

# down: no newcomers, and what is live goes on

reload("$one max_streams=3 max_conns=6 down;", "$two;");
push @c, rtmp_publish(port(8083), 'live', 'cam4');
is(server_of('cam4'), '127.0.0.2', 'down');
push @p, rtmp_play(port(8083), 'live', 'cam1');
is($p[-1]{code}, 'NetStream.Play.Start', 'its streams are live');
is(state('127.0.0.1'), '6 2', 'counted');

# left out

reload("$two;");

my @gone = grep { !$_->{server} } sessions('live');

is(scalar(@gone), 6, 'they go on');
is(scalar(grep { $_->{upstream} eq '127.0.0.1:' . port(8081) } @gone), 6,
    'and are shown');
is(state('127.0.0.2'), '2 2', 'not as those of another one');
$c[0]->send_media(media_messages(20));
is(scalar($p[0]->read_media(10)), 10, 'media passes');

(pop @p)->close();
ok(wait_until(sub { sessions('live') == 7 }), 'one has left');

# and back

reload("$one max_streams=3 max_conns=6;", "$two backup;");

is(state('127.0.0.1'), '5 2', 'counted again');
is(api('GET', 'live/streams/live/cam1')->{source}, 'publish', 'live again');
push @c, rtmp_publish(port(8083), 'live', 'cam5');
is(server_of('cam5'), '127.0.0.1', 'the last place');
is(state('127.0.0.1'), '6 3', 'counted');

# no limit, more than there were

reload("$one;", "$two backup;");
push @p, map { rtmp_play(port(8083), 'live', 'cam1') } 1 .. 3;
is(state('127.0.0.1'), '9 3', 'no limit');

is(scalar(grep { !defined $_ || $_->is_closed(0.01) } @c, @p), 0,
    'no session was ended');

$_->close() for @c, @p;
ok(wait_sessions('live', 0), 'all have left');
is(state('127.0.0.1') . ', ' . state('127.0.0.2'), '0 0, 0 0', 'none counted');

###############################################################################

sub configure {
    my (@servers) = @_;

    $t->write_file_expand('nginx.conf', <<'EOF_CONF'

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone live 1m;
EOF_CONF
    . join("\n", @servers) . <<'EOF_CONF');

}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8083;
        osp_upstream live;
    }
}

EOF_CONF
}

# Until all workers of before have been told to leave.

sub reload {
    my @before = hls_workers($t);

    configure(@_);
    $t->reload();

    wait_until(sub { !grep { !is_exiting($_) } @before }, 10);
}

sub is_exiting {
    my ($pid) = @_;

    open(my $fh, '<', "/proc/$pid/cmdline") or return 1;

    # none if it has just gone

    return (readline($fh) || 'gone') =~ /shutting down|^gone/;
}

sub server {
    my ($id) = @_;

    return (grep { $_->{id} eq $id } servers('live'))[0];
}

# Connections and streams.

sub state {
    my $s = server(@_) or return 'none';

    return "$s->{conns} $s->{streams}";
}

sub server_of {
    my ($name) = @_;
    my $s;

    wait_until(sub {
        ($s) = grep { $_->{stream} eq "live/$name" && $_->{state} eq 'relay' }
            sessions('live');
    });

    return $s ? $s->{server} : 'none';
}

###############################################################################
