#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "rtmp_route NAME pull" of nginx-rtmp: one pull for all workers and
# players, which follows the stream and ends with its last player.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::Pull;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

need_register($t)->plan(34);

###############################################################################

# two origins that know nothing of this

pull_origin($t, 'a', '127.0.0.1:%%PORT_8081%%', '127.0.0.1:%%PORT_8083%%');
pull_origin($t, 'b', '127.0.0.2:%%PORT_8082%%', '127.0.0.1:%%PORT_8084%%');

my $e = register_origin($t, 'edge', <<'EOF_CONF');
worker_processes 4;

rtmp_route live {
    zone     live 1m;
    server   127.0.0.1 rtmp=%%PORT_8081%%;
    server   127.0.0.2 rtmp=%%PORT_8082%%;
    inactive 2s;
}

rtmp_route strict {
    zone     strict 1m;
    server   127.0.0.1 rtmp=%%PORT_8081%%;
    unknown  refuse;
}

rtmp_route itself {
    zone     itself 1m;
    server   127.0.0.1 rtmp=%%PORT_8085%%;
}

rtmp {
    server {
        listen 127.0.0.1:%%PORT_8085%%;

        application live {
            live on;
            rtmp_route live pull;
        }

        application off {
            live on;
            idle_streams off;
            rtmp_route live pull inactive=0;
        }

        application strict {
            live on;
            rtmp_route strict pull;
        }

        application strictoff {
            live on;
            idle_streams off;
            rtmp_route strict pull;
        }

        application itself {
            live on;
            rtmp_route itself pull;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location /api/ { rtmp_route_api write=on; }
        location = /stat { rtmp_stat all; }
    }
}
EOF_CONF

my $edge = port(8085);
my ($a, $b) = ('127.0.0.1:' . port(8081), '127.0.0.2:' . port(8082));

# one pull for all

pin('live', 'live/cam', '127.0.0.1');

my $fa = feeder($t, $a, 'live', 'cam', 400);
my @players = map { rtmp_play($edge, 'live', 'cam?key=SECRET') } 1 .. 20;

is((join ' ', map { source($_) } @players), join(' ', (400) x 20),
    'all have media');
is(clients(8083, 'cam'), '1 1', 'one pull');

my ($s) = sessions('live');

is("$s->{type} $s->{stream} $s->{client} $s->{server} $s->{agent}",
    'play live/cam unix: 127.0.0.1 nginx-rtmp pull', 'session');
ok(wait_until(sub {
    my ($s) = sessions('live');
    return $s->{state} eq 'relay' && $s->{in} > 5000;
}), 'bytes are counted');

like(http_get('/stat'), qr!<name>cam</name>.*<active/>!s, 'stat');

# a new player of a stream that is there

my $new = rtmp_play($edge, 'live', 'cam');
is(source($new), 400, 'another player');
is(clients(8083, 'cam'), '1 1', 'still one pull');

# it moves, and nobody notices more than other pictures

my $fb = feeder($t, $b, 'live', 'cam', 800);
$new->{messages} = [];

pin('live', 'live/cam', '127.0.0.2');

ok(wait_until(sub { source($new) == 800 }, 8), 'pull follows a pin');
ok(wait_until(sub { clients(8083, 'cam') eq '1 0' }), 'left there');

$_->{messages} = [], ok(wait_until(sub { source($_) == 800 }),
    'follows in another worker') for $players[0];

is((grep { $_->{type} == 4 && $_->{payload} =~ /^\x00[\x00\x01]/ }
    @{$new->{messages}}), 0, 'no end and no begin');

my @times = map { $_->{ts} } grep { $_->{type} == 9 } @{$new->{messages}};
is((grep { $times[$_] < $times[$_ - 1] } 1 .. $#times), 0, 'time goes on');

# the last player goes

$_->close() for @players, $new;

ok(wait_until(sub { clients(8084, 'cam') eq '1 0' }, 12), 'pull ends');
is(scalar(sessions('live')), 0, 'no session left');

# the origin goes, another one has the stream

unpin('live', 'live/cam');
stop_feeder($_) for $fa, $fb;

$fa = feeder($t, $a, 'live', 'two', 400);

my $p = rtmp_play($edge, 'live', 'two');
ok(wait_until(sub { (source($p) || 0) == 400 }, 12), 'found');

stop_feeder($fa);
$fb = feeder($t, $b, 'live', 'two', 800);
kill('KILL', $t->read_file('a.pid'));
kill_workers($t, 'a');

ok(wait_until(sub { (source($p) || 0) == 800 }, 15), 'origin was killed');
$p->close();

# a stream that comes later

$p = rtmp_play($edge, 'live', 'later');
is($p->{code}, 'NetStream.Play.Start', 'waits');

my $later = feeder($t, $b, 'live', 'later', 800);
is(source($p, 15), 800, 'stream comes later');

# without idle streams: a play is held

my $o = rtmp_play($edge, 'off', 'two', no_wait => 1);
my $off = feeder($t, $b, 'off', 'two', 600);

is($o->play_status(), 'NetStream.Play.Start', 'held, and played');
is(source($o), 600, 'media without idle streams');

stop_feeder($off);
ok($o->is_closed(5), 'closed without a publisher');

# what is not there

$p = rtmp_play($edge, 'strict', 'none', no_wait => 1);
ok(wait_until(sub {
    $p->play_status() eq 'NetStream.Play.StreamNotFound';
}), 'not found');
ok($p->is_closed(5), 'closed');

$p = rtmp_play($edge, 'strictoff', 'none');
is($p->{code}, 'NetStream.Play.StreamNotFound', 'not found, held');
ok($p->is_closed(5), 'closed, held');

# names at random leave nothing behind

@players = map { rtmp_play($edge, 'live', "random$_") } 1 .. 40;
ok(sessions('live') > 20, 'many pulls');
$_->close() for @players;
ok(wait_until(sub { sessions('live') == 0 }, 10), 'all gone');

# a publisher here, in whatever worker, while players of all workers wait

@players = map { rtmp_play($edge, 'live', 'mine') } 1 .. 12;
my $mine = feeder($t, "127.0.0.1:$edge", 'live', 'mine', 700);

is((join ' ', map { source($_, 10) } @players), join(' ', (700) x 12),
    'publisher here');
is(source(rtmp_play($edge, 'live', 'mine')), 700, 'plays at once');
is(clients(8084, 'mine'), 'none', 'no pull');

# against a pull that has media he is late

$later = rtmp_play($edge, 'live', 'later');
source($later);

ok(wait_until(sub {
    rtmp_publish($edge, 'live', 'later')->{code} eq 'NetStream.Publish.BadName';
}), 'publisher is late');

# an nginx that is its own origin

$p = rtmp_play($edge, 'itself', 'x');
select undef, undef, undef, 1.5;
my $n = () = $e->log() =~ /has been here before/g;
ok($n > 0 && $n < 20, 'loop is cut');

unlike($e->log(), qr/\[(?:crit|alert|emerg)\]/, 'log');
unlike($e->log(), qr/\[(?:notice|warn|error)\].*SECRET/, 'no secrets');

###############################################################################
