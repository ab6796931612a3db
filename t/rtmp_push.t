#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "rtmp_route NAME push" of nginx-rtmp: a stream goes on to the
# server that the table names.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite/);

need_register($t)->plan(39)->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1 rtmp=%%PORT_8082%%;
    server  127.0.0.2 rtmp=%%PORT_8083%%;
    path    /live/mapped to=/other/name;
}

rtmp_route none {
    zone      none 1m;
    register  open allow=127.0.0.0/8;
}

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:%%PORT_8081%%;

        application live {
            live on;
            deny play all;
            rtmp_route live push;
        }

        application asked {
            live on;
            on_publish http://127.0.0.1:%%PORT_8080%%/yes;
            on_play http://127.0.0.1:%%PORT_8080%%/play;
            rtmp_route live push;
        }

        application idle {
            live on;
            idle_streams off;
            rtmp_route live push;
        }

        application none {
            live on;
            rtmp_route none push;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format  uri  $uri;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api write=on;
        }

        location /stat {
            rtmp_stat all;
        }

        location / {
            return 204;
            access_log %%TESTDIR%%/asked.log uri;
        }
    }
}

EOF_CONF

my %port = ('127.0.0.1' => 8082, '127.0.0.2' => 8083);
my %origin;

$origin{$_} = register_origin($t, "origin-$_", <<"EOF_CONF") for keys %port;
rtmp {
    server {
        listen $_:%%PORT_$port{$_}%%;

        application live {
            live on;
        }

        application asked {
            live on;
        }

        application idle {
            live on;
        }

        application none {
            live on;
        }

        application other {
            live on;
        }
    }
}
EOF_CONF

$t->run();

###############################################################################

# where it goes, and what is said of it

my $c = rtmp_publish(port(8081), 'live', 'one?key=SECRET');
is($c->{code}, 'NetStream.Publish.Start', 'publish');

my $s = pushed('live/one');
my $at = $s->{server};
my $to = $s->{upstream};
my ($other) = grep { $_ ne addr($at) } keys %port;

is("$s->{type} $s->{agent} $s->{state}", 'publish nginx-rtmp push relay',
    'session');
like($s->{client}, qr/^127\.0\.0\.1:\d+$/, 'its client');
like($origin{addr($at)}->log(), qr/publish: name='one' args='key=SECRET'/,
    'arguments go along');

# all that is published arrives there

my $p = rtmp_play($to, 'live', 'one');
my @media = media_messages(40);

$c->send_media(@media);

my @got = $p->read_media(scalar @media, 5);
is(media_digest(tail(20, @got)), media_digest(tail(20, @media)), 'media');

ok(wait_until(sub { session('live/one')->{in} > 5000 }), 'bytes are counted');
like(http_get('/stat'), qr/rtmp_route push/, 'shown by rtmp_stat');
$p->close();

# a pin moves it: what comes first is sent again

my $there = (grep { $_->{server} eq $other } servers('live'))[0]{id};
my $q = rtmp_play(port_of($other), 'live', 'one');

pin('live', 'live/one', $there);
ok(wait_until(sub { server_of('live/one') eq $there }), 'moved by a pin');

$c->send_media(media_messages(40, first => 40));
@got = $q->read_media(6, 5);
is("$got[0][0] $got[1][0]", '18 9', 'metadata, then video');
like(unpack('H*', $got[1][2]), qr/^17000000000164/, 'its sequence header');
is(unpack('H*', (grep { $_->[0] == 8 } @got)[0][2]), 'af001210',
    'that of audio');
ok(wait_until(sub { sessions('live') == 1 }), 'one session is left');
$q->close();

# the server is killed: another one

unpin('live', 'live/one');
kill 'KILL', $origin{$other}{pid}, $origin{$other}->workers();
ok($origin{$other}->wait(), 'killed');
ok(wait_until(sub { server_of('live/one') eq $at }, 8), 'another server');
ok($c->write_raw(''), 'publisher is there');

$c->unpublish('one');
ok(wait_until(sub { sessions('live') == 0 }), 'ends with the publisher');

# a publisher who stops, and does not leave

$c = rtmp_publish(port(8081), 'live', 'stop');
is(pushed('live/stop')->{state}, 'relay', 'pushed');
$c->write_raw($c->command('deleteStream', 7, undef,
    Test::Nginx::RTMP::amf_num(1), \{ csid => 3 }));
ok(wait_until(sub { sessions('live') == 0 }), 'ends with the stream');
ok($c->write_raw(''), 'publisher is there');
$c->close();

# refused: told once, tried again

$origin{$other} = register_origin($t, "origin-$other");
my $busy = rtmp_publish(port_of(addr($at)), 'live', 'busy');
pin('live', 'live/busy', $at);

$c = rtmp_publish(port(8081), 'live', 'busy');
sleep 1.5;
is(session('live/busy'), undef, 'refused');
ok($c->write_raw(''), 'publisher stays');
$busy->close();
is(pushed('live/busy')->{server}, $at, 'tried again, not elsewhere');
is(() = errors() =~ /refuses a stream that is pushed to it/g, 1, 'told once');
$c->close();

# rules of the route

$c = rtmp_publish(port(8081), 'live', 'mapped');
$to = pushed('live/mapped')->{upstream};
$p = rtmp_play($to, 'other', 'name');
$c->send_media(media_messages(10));
is(scalar($p->read_media(5, 5)), 5, 'another name at the server');
$_->close() for $p, $c;

# accepted later, by who is asked

$c = rtmp_publish(port(8081), 'asked', 'later');
is($c->{code}, 'NetStream.Publish.Start', 'accepted');
$c->send_media(media_messages(10));
is(pushed('asked/later')->{state}, 'relay', 'pushed then');
is($t->read_file('asked.log'), "/yes\n", 'on_play is not asked');
$c->close();

# idle_streams off closes players; a publisher that comes again

$c = rtmp_publish(port(8081), 'idle', 'again');
is(pushed('idle/again')->{state}, 'relay', 'idle streams off');
$c->close();
ok(wait_until(sub { sessions('live') == 0 }), 'session has gone');

$c = rtmp_publish(port(8081), 'idle', 'again');
is(pushed('idle/again')->{state}, 'relay', 'published again');

# the operator ends it

my $id = session('idle/again')->{id};
api('DELETE', "live/sessions/$id");
ok(wait_until(sub { $c->is_closed() }), 'kicked: publisher is closed');

for my $ban ({ stream => 'idle/again' }, { client => '127.0.0.0/8' }) {
    api('POST', 'live/bans/', { type => 'publish', time => 60, %$ban });

    $c = rtmp_publish(port(8081), 'idle', 'again');
    is($c->status()->{code}, 'NetStream.Publish.Denied', "@{[%$ban]} banned");
    ok(wait_until(sub { $c->is_closed() }), 'banned: publisher is closed');

    api('DELETE', 'live/bans/');
}

# no server, until one registers

$c = rtmp_publish(port(8081), 'none', 'early');
ok(wait_until(sub { lines() =~ /there is no server in route "none"/ }),
    'no server is told');
sleep 1;
is(() = errors() =~ /there is no server in route "none"/g, 1, 'once');
Test::Nginx::Route::register('none', 8082, 'late');
ok(wait_until(sub { session('none/early', 'none') }, 8), 'a server has come');
$c->close();

unlike(join('', grep { !/ publish: / } split(/^/m, lines())), qr/SECRET|busy/,
    'no names in the log');

###############################################################################

sub session {
    my ($key, $route) = @_;

    return (grep { $_->{stream} eq $key } sessions($route || 'live'))[0];
}

sub server_of {
    my $s = session(@_);

    return $s ? $s->{server} : '';
}

sub pushed {
    my ($key) = @_;

    return wait_until(sub {
        my $s = session($key);

        return $s && $s->{state} eq 'relay' ? $s : undef;
    }, 8) || {};
}

sub addr {
    my ($id) = @_;

    return (grep { $_->{id} eq $id } servers('live'))[0]{server};
}

sub port_of {
    my ($addr) = @_;

    return "$addr:" . port($port{$addr});
}

# the last messages of a list

sub tail {
    my ($n, @list) = @_;

    return @list[@list - $n .. $#list];
}

sub errors {
    return join('', grep { / \[error\] / } split(/^/m, lines()));
}

# of the log, without those for debugging

sub lines {
    return join('', grep { !/ \[debug\] / } split(/^/m,
        $t->read_file('error.log')));
}

###############################################################################
