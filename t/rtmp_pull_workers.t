#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "rtmp_route NAME pull" of nginx-rtmp with several workers: one that
# pulls is killed, a reload with players, rtmp_auto_push, HLS, registered
# origins, on_play.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Media;
use Test::Nginx::Pull;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

need_register(need_media($t))->plan(23);

###############################################################################

my $dir = $t->testdir();
my $url = 'http://127.0.0.1:' . port(8080) . '/api/v1/srs/register';

my $asked = httpd($t, port(8091), sub {
    my ($r) = @_;
    return http_response($r->{body} =~ /name=bad/ ? 404 : 200, '');
});

my $e = register_origin($t, 'edge', <<'EOF_CONF');
worker_processes 3;

rtmp_route live {
    zone     live 1m;
    register timeout=30s from=127.0.0.1 allow=127.0.0.0/8;
    unknown  wait=5s;
}

rtmp_auto_push on;
rtmp_socket_dir %%TESTDIR%%;

rtmp {
    server {
        listen 127.0.0.1:%%PORT_8085%%;

        application live {
            live on;
            rtmp_route live pull inactive=1s;
        }

        application hls {
            live on;
            rtmp_route live pull;

            hls on;
            hls_path %%TESTDIR%%/hls;
            hls_fragment 1s;
        }

        application asked {
            live on;
            rtmp_route live pull;
            on_play http://127.0.0.1:%%PORT_8091%%/;
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

ok(wait_until(sub { defined api('GET', 'live/servers/') }), 'edge runs');

# origins that say what they have

for my $o ([ 'a', 8081, 8083 ], [ 'b', 8082, 8084 ]) {
    register_origin($t, $o->[0], <<"EOF_CONF");
rtmp {
    rtmp_route_register $url interval=1s id=$o->[0];

    server {
        listen 127.0.0.1:%%PORT_$o->[1]%%;

        application live {
            live on;
        }

        application hls {
            live on;
        }

        application asked {
            live on;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_$o->[2]%%;
        location = /stat { rtmp_stat all; }
    }
}
EOF_CONF
}

ok(wait_until(sub { servers('live') == 2 }), 'registered');

my $edge = port(8085);
my ($a, $b) = map { '127.0.0.1:' . port($_) } 8081, 8082;

my $fa = feeder($t, $a, 'live', 'cam', 400);
my @players = map { rtmp_play($edge, 'live', 'cam') } 1 .. 9;

is((join ' ', map { source($_, 8) } @players), join(' ', (400) x 9),
    'all have media');
is(clients(8083, 'cam'), '1 1', 'one pull');

# it moves with its publisher, as origins say

stop_feeder($fa);
my $fb = feeder($t, $b, 'live', 'cam', 800);

is(all(800), 9, 'pull follows');
ok(wait_until(sub { clients(8083, 'cam') eq 'none' }), 'left there');
is(clients(8084, 'cam'), '1 1', 'one pull there');

# HLS of what is pulled, as long as somebody plays it

my $ffmpeg = publish($t, 'ffmpeg', media_file($t, 'cam.flv'),
    "rtmp://$a/hls/film", qw/ -re -stream_loop -1 /);
my @films = map { rtmp_play($edge, 'hls', 'film') } 1 .. 4;
my $film = play($t, 'film', "rtmp://127.0.0.1:$edge/hls/film",
    qw/ -analyzeduration 3000000 -t 2 /);

is($film->wait(15), 0, 'ffmpeg plays');
ok(wait_until(sub {
    -e "$dir/hls/film.m3u8" && $t->read_file('hls/film.m3u8') =~ /EXTINF/;
}, 10), 'playlist');

$_->close() for @films;
$ffmpeg->stop();

# the worker that pulls is killed, others go on

my ($s) = grep { $_->{stream} eq 'live/cam' } sessions('live');

kill('KILL', $s->{pid});

my @left = grep { !$_->is_closed(0.3) } @players;
cmp_ok(scalar(@left), '>', 0, 'players of other workers');

$_->{messages} = [] for @left;
@players = @left;
is(all(800), scalar(@left), 'go on');
ok(wait_until(sub { clients(8084, 'cam') eq '1 1' }), 'one pull again');

my $new = rtmp_play($edge, 'live', 'cam');
is(source($new), 800, 'new player');
push @players, $new;

# a reload: players stay where they are

my @old = $e->workers();

$e->signal('HUP');

ok(wait_until(sub {
    return 3 == (() = $e->log() =~ /gracefully/g);
}, 10), 'reload');

my $late = rtmp_play($edge, 'live', 'cam');

is(source($late, 8), 800, 'player of a new worker');
is(all(800), scalar(@players), 'players of old workers');

$_->close() for @players;

ok(wait_until(sub {
    my %now = map { $_ => 1 } $e->workers();
    return 0 == grep { $now{$_} } @old;
}, 15), 'old workers leave');

is(source($late), 800, 'still plays');
$late->close();

# rtmp_auto_push: a publisher here is in all workers, and in none twice

my $mine = feeder($t, "127.0.0.1:$edge", 'live', 'mine', 700);
@players = map { rtmp_play($edge, 'live', 'mine') } 1 .. 6;

is(all(700), 6, 'publisher here');

# a player whom on_play refuses starts no pull

pin('live', 'asked/bad', 'a');

my $bad = rtmp_play($edge, 'asked', 'bad', no_wait => 1);
ok($bad->is_closed(5), 'refused');
unlike(http_get('/stat', PeerAddr => '127.0.0.1:' . port(8083))
    . http_get('/stat', PeerAddr => '127.0.0.1:' . port(8084)),
    qr/<name>bad/, 'no pull');

my $fine = feeder($t, $a, 'asked', 'fine', 500);
my $p = rtmp_play($edge, 'asked', 'fine');

is(source($p, 8), 500, 'accepted');

unlike($e->log() =~ s/.*exited on signal 9.*//r, qr/\[(?:crit|alert|emerg)\]/,
    'log');

###############################################################################

# how many players get frames of that size

sub all {
    my ($size) = @_;
    my %have;

    wait_until(sub {
        for my $i (0 .. $#players) {
            $have{$i} ||= source($players[$i], 0.5) == $size;
        }

        return @players == grep { $_ } values %have;
    }, 10);

    return scalar(grep { $_ } values %have);
}

###############################################################################
