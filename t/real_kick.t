#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api with ffmpeg and nginx-rtmp: an encoder that is ended
# with a ban comes back, is refused for that time, and is taken then; all that
# is known and done of it is known and done over HTTP.

###############################################################################

use warnings;
use strict;

use Test::More;
use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_media($t)->plan(17);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen        127.0.0.1:8082;
        osp_upstream  live;
        osp_upstream_resume on;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

EOF_CONF

nginx_rtmp($t, 'origin', <<'EOF_CONF') or die "Can't start nginx-rtmp\n";

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:8081;

        application live {
            live on;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $file = media_file($t, 'cam1.flv');
my $url = 'rtmp://127.0.0.1:' . port(8082) . '/live/cam1';

my ($ffmpeg, $player, $other, $id, $start, $tries, @bans);

$ffmpeg = publish($t, 'first', $file, $url, qw/ -re -stream_loop -1 /);
ok(wait_sessions('live', 1), 'published');

$other = rtmp_publish('127.0.0.1:' . port(8082), 'live', 'cam2');

ok(wait_until(sub { session('cam1') && session('cam1')->{rate} > 0 }),
    'it has a rate');

$player = rtmp_play('127.0.0.1:' . port(8082), 'live', 'cam1');
is(scalar($player->read_media(20, 10)), 20, 'it is played');

$id = session('cam1')->{id};
$start = time();

like(request('DELETE', "/api/1/routes/live/sessions/$id?ban=5s"),
    qr!^HTTP/1.1 204 !, 'ended');

isnt($ffmpeg->wait(), 'timeout', 'ffmpeg ends');
ok(time() - $start < 4, 'soon');
is(wait_log($t, 'stream.log', qr/^(cam1 200 kicked)$/m), 'cam1 200 kicked',
    'logged');

@bans = @{api('GET', 'live/bans/')};
is(scalar @bans, 1, 'a ban');
is($bans[0]{stream}, 'live/cam1', 'of its name');

# as encoders do, again and again

$tries = 0;

while (time() - $start < 30) {
    $ffmpeg = publish($t, 'again' . ++$tries, $file, $url,
        qw/ -re -stream_loop -1 /);

    last if wait_until(sub {
        return session('cam1') || !$ffmpeg->is_running();
    }) && session('cam1');

    $ffmpeg->stop();
}

cmp_ok($tries, '>', 1, 'is refused');
cmp_ok(time() - $start, '>', 4.5, 'for the time');
cmp_ok(time() - $start, '<', 15, 'and no longer');
like($t->read_file('stream.log'), qr/^cam1 403 banned$/m, 'logged as such');
is_deeply(api('GET', 'live/bans/'), [], 'no ban is left');

$player->close();
$player = rtmp_play('127.0.0.1:' . port(8082), 'live', 'cam1');
is(scalar($player->read_media(20, 10)), 20, 'it is played again');
ok(!$other->is_closed(0.1), 'another one has gone on');
ok($ffmpeg->is_running(), 'to the end');

$player->close();
$other->close();
$ffmpeg->stop();

###############################################################################

sub session {
    my ($name) = @_;
    my ($s) = grep { $_->{stream} eq "live/$name" && $_->{type} eq 'publish' }
        sessions('live');

    return $s;
}

###############################################################################
