#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names with several addresses, with nginx-rtmp: all pods of a
# headless service are replaced, one after the other.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Media;
use Test::Nginx::Route qw/ :DEFAULT server /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);
my $dns = port(8980, udp => 1);

need_rtmp_module($t)->plan(34);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    resolver  127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;

    server    pods.example.com rtmp=%%PORT_8081%%;
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

    osp_upstream_connect_timeout 1s;
    osp_upstream_takeover        off;

    server {
        listen       127.0.0.1:8087;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8088;
        osp_upstream live;
        osp_upstream_resume on;
    }
}

EOF_CONF

my @pods = (11, 12, 13);

start_pod($_) for @pods;
names();

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my @names = map { "cam$_" } 1 .. 20;
my (%publisher, %player, $c);

ok(wait_until(sub { up() eq ids(@pods) }, 15), 'three pods');

# 20 publishers and players: who is dropped, and when

$publisher{$_} = rtmp_publish(port(8087), 'live', $_) for @names;
$player{$_} = rtmp_play(port(8087), 'live', $_) for @names;

is(codes(values %publisher), $start, 'published');
is(played(), 20, 'played');

for my $step (0 .. 2) {
    my ($old, $new) = (11 + $step, 14 + $step);
    my %where = where();

    # the new one is there before the old one is told to stop

    start_pod($new);
    @pods = grep { $_ != $old } @pods, $new;
    names();

    ok(wait_until(sub { up() eq ids(@pods) }, 8), "pod $old is replaced");
    is(played(), 20, 'nobody is dropped');
    is((server(id($old)) || { state => '' })->{state}, 'draining', 'it drains');

    my @there = grep { $where{$_} eq id($old) } keys %where;

    # encoders that are told to come again do so, others stay until its end

    my ($moved, @stay) = sort @there;

    if ($moved) {
        again($moved);
        isnt({ where() }->{$moved}, id($old), 'who comes again goes elsewhere');

    } else {
        pass('nobody was there');
    }

    stop_pod($old);

    ok(wait_until(sub {
        return @stay == grep { $publisher{$_}->is_closed(0.02) } @stay;
    }, 10), 'the others with their pod');

    again($_) for @stay;

    is(codes(values %publisher), $start, 'published again');
    is(played(), 20, 'and played');
}

is(scalar(grep { !/#127.0.0.1[456]$/ } values %{{ where() }}), 0,
    'all on new pods');
ok(wait_until(sub { ids(@pods) eq join(' ', sort map { $_->{id} }
    servers('live')) }, 12), 'the old ones are removed');

# publishers with "resume" move when their pod dies

$_->close() for values %publisher, values %player;
%publisher = %player = ();
wait_until(sub { !sessions('live') });

$publisher{$_} = rtmp_publish(port(8088), 'live', $_) for @names;
is(codes(values %publisher), $start, 'published');

my %where = where();

start_pod(17);
@pods = (15, 16, 17);
names();
ok(wait_until(sub { up() eq ids(@pods) }, 8), 'another pod');

my @there = grep { $where{$_} eq id(14) } @names;
ok(scalar(@there), 'publishers');

stop_pod(14);

ok(wait_until(sub {
    my %now = where();

    $publisher{$_}->send_media(media_messages(2)) for @names;
    return @names == grep { $now{$_} && $now{$_} ne id(14) } @names;
}, 15), 'they move when it has ended');

$player{$_} = rtmp_play(port(8088), 'live', $_) for @there;
is(played(@there), scalar(@there), 'and are played');

my %now = where();
is(scalar(grep { $now{$_} ne $where{$_} && $where{$_} ne id(14) } @names), 0,
    'nobody else has moved');
is(scalar(grep { $_->is_closed(0.01) } values %publisher), 0,
    'nobody was dropped');
is(api('GET', 'live/check')->{consistent}, JSON::PP::true(), 'consistent');

###############################################################################

sub start_pod {
    my ($n) = @_;

    nginx_rtmp($t, "pod$n", <<"EOF_CONF") or die "Can't start nginx-rtmp\n";

master_process off;

rtmp {
    access_log off;

    server {
        listen 127.0.0.$n:%%PORT_8081%%;

        application live {
            live on;
        }
    }
}

EOF_CONF
}

sub stop_pod {
    my ($n) = @_;
    my $pid = $t->read_file("pod$n.pid") + 0;

    @{$t->{_daemons}} = grep { $_ != $pid } @{$t->{_daemons}};

    kill('KILL', $pid);
    waitpid($pid, 0);
}

sub names {
    write_names($t, 'pods.example.com' => [map { "127.0.0.$_" } @pods]);
}

sub id {
    return "pods.example.com#127.0.0.$_[0]";
}

sub ids {
    return join(' ', map { id($_) } sort @_);
}

sub up {
    return join(' ', sort map { $_->{id} } grep { $_->{state} eq 'up' }
        servers('live'));
}

sub where {
    return map { $_->{stream} =~ m!^live/(.*)! => $_->{server} }
        grep { $_->{type} eq 'publish' && $_->{state} eq 'relay' }
        sessions('live');
}

sub codes {
    my %codes = map { $_->{code} => 1 } @_;

    return join(' ', sort keys %codes);
}

# An encoder comes again, and its player.

sub again {
    my ($name) = @_;

    $_->close() for $publisher{$name}, $player{$name};
    wait_until(sub { !grep { $_->{stream} eq "live/$name" } sessions('live') });

    $publisher{$name} = rtmp_publish(port(8087), 'live', $name);
    $player{$name} = rtmp_play(port(8087), 'live', $name);
}

# To how many players comes what is published.

sub played {
    my @who = @_ ? @_ : @names;

    $publisher{$_}->send_media(media_messages(20)) for @who;

    return scalar(grep { @{[ $player{$_}->read_media(10) ]} == 10 } @who);
}

###############################################################################
