#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_queue with ffmpeg and nginx-rtmp: an encoder and a
# player that are there before any origin has registered, and do not connect
# again.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_media($t)->has_daemon('curl')->plan(10);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    register  open allow=127.0.0.0/8;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_command $rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_queue  30s;

    server {
        listen        127.0.0.1:8082;
        osp_upstream  live;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

EOF_CONF

nginx_rtmp($t, 'origin', <<'EOF_CONF') or die "Can't start nginx-rtmp\n";

rtmp {
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

# the player first, so that it misses nothing

my $player = play($t, 'player', $url);
ok(wait_until(sub { api('GET', 'live')->{queued} == 1 }), 'player waits');

my $publisher = publish($t, 'publisher', $file, $url, qw/ -readrate 1 /);
ok(wait_until(sub { api('GET', 'live')->{queued} == 2 }), 'publisher waits');

ok($publisher->is_running() && $player->is_running(), 'both are there');

is(system('curl', '-sf', '-o', $t->testdir() . '/register.json', '-d',
    '{"ip":"127.0.0.1","server":"origin","service":"s","pid":"1","rtmp":["'
    . port(8081) . '"]}',
    'http://127.0.0.1:' . port(8080) . '/api/v1/srs/register'), 0,
    'the origin registers');

ok(wait_sessions('live', 2), 'both are served');
is(api('GET', 'live')->{queued}, 0, 'nobody waits');

is($publisher->wait(), 0, 'published to the end');
is($player->wait_packets($file), file_packets($t, $file), 'all was played');

$player->stop();

ok(wait_until(sub {
    return 2 == (() = $t->read_file('stream.log') =~ /\n/g);
}), 'two connections in all');

like($t->read_file('stream.log'), qr/^publish cam1 200 ok$/m, 'log');

###############################################################################
