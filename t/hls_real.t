#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with real encoders and players: ffmpeg publishes to
# nginx-rtmp, which writes HLS; Chromium with hls.js, ffmpeg and a viewer that
# checks each playlist watch it through the cache, while the origin hangs, the
# broadcast is begun anew, nginx is reloaded and loses a worker.
#
# With TEST_NGINX_LONG=1 ("make soak") it takes two minutes.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Browser;
use Test::Nginx::HLS;
use Test::Nginx::Media;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $long = $ENV{TEST_NGINX_LONG};
my $t = Test::Nginx->new()->has(qw/http proxy rewrite/);

need_browser(need_media($t))->plan(24);

# a worker is killed
$t->{_ignore_alerts} = qr/exited on signal 9/;

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090 http=%%PORT_8091%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format test '$msec $status $hls_cache_status $uri';
    access_log %%TESTDIR%%/hls.log test;

    sendfile on;

    upstream origin {
        rtmp_route live http;
        keepalive  32;
    }

    hls_cache_zone hls 64m;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache      hls;
            hls_cache_cors *;
            rtmp_route     live;
            proxy_pass     $rtmp_route_scheme://origin;
        }
    }
}

EOF

mkdir($t->testdir() . '/live');

nginx_rtmp($t, 'origin', <<'EOF') or die "Can't start nginx-rtmp\n";

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:8090;

        application live {
            live                on;
            hls                 on;
            hls_path            %%TESTDIR%%/live;
            hls_nested          on;
            hls_fragment        1s;
            hls_playlist_length 8s;

            # a broadcast begins at 0
            hls_continuous      off;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%
    access_log %%TESTDIR%%/origin-access.log;

    server {
        listen 127.0.0.1:8091;
    }
}

EOF

$t->run();

###############################################################################

# some of what is watched goes on, and is not to be looked at in each phase

my $uri = '/live/cam1/index.m3u8';
my $url = 'http://127.0.0.1:' . port(8080) . $uri;
my $rtmp = 'rtmp://127.0.0.1:' . port(8090) . '/live/cam1';
my @files = map { media_file($t, "$_.flv", hue => 90 * $_) } 0, 1;
my ($before, $began, $r, $player, $probe, @workers);

my $publisher = begin($t, 0);

# a player that comes before there is anything is not what this is about

ok(hls_wait(sub { hls_uris(http_content($uri)) =~ / .* / }, 15), 'playlist');

my $v = hls_viewer($t, $uri, every => 0.25);
my $b = browser($t, $url, config => { liveSyncDurationCount => 3 });
$player = program($t, 'player', qw/ ffmpeg -v warning -nostdin -y -re -i /,
    $url, qw/ -map 0:v -f null - /);

ok($began = $b->wait(sub { defined $_[0]{started} && $_[0]{played} > 0.5 }),
    'plays');
is($began->{resolution}, '320x180', 'resolution');

phase('steady', $long ? 20 : 2);

# the origin hangs for less than a player has in hand

my $pid = origin_worker($t);
kill('STOP', $pid);
sleep(1.2);
kill('CONT', $pid);
phase('origin hung', $long ? 10 : 1);

$t->reload();
phase('reload', $long ? 20 : 1.5);

# another broadcast with the names of the first

$publisher->stop();
$publisher = begin($t, 1);
phase('restart', $long ? 30 : 5);

$r = $b->report();
cmp_ok($r->{played} - $began->{played}, '>=', $long
    ? ($r->{at} - $began->{at}) * 55 / 60
    : $r->{at} - $began->{at} - 1.5, 'played nearly all the time');

# a request may have been in the hands of a worker that dies, and is repeated

@workers = hls_workers($t);
$before = $b->report();
kill('KILL', $workers[0]);

ok(hls_wait(sub { @{[hls_workers($t)]} == 2 }), 'another worker');
ok($b->wait(sub { $_[0]{played} > $before->{played} + ($long ? 10 : 2) }),
    'plays without a worker');
unlike($b->errors($before), qr/fatal 1/, 'killed worker: no fatal error');
cmp_ok($b->stalled($began), '<', 1, 'no stall at all');

# the viewer's request may have been, too

my $faults = join("\n", grep { !/status 0, (?:closed|reset|connect)$/ }
    split(/\n/, $v->faults()));

is($faults, '', 'playlists');
cmp_ok($v->report()->{discontinuities}, '>=', 1, 'discontinuity');
cmp_ok($v->report()->{slow}, '<', 2.5, 'slowest answer');

ok($player->is_running(), 'ffmpeg plays');
$player->stop();
is(join('', grep { /HTTP error|Failed to|skipping \d+ seg|Invalid data/ }
    split(/^/, $t->read_file('player.log'))), '', 'ffmpeg finds no faults');

$probe = program($t, 'probe', qw/ ffprobe -v error -show_streams /, $url);
is($probe->wait(), 0, 'ffprobe');
like($t->read_file('probe.out'), qr/codec_name=h264.*codec_name=aac/s,
    'ffprobe finds video and audio');

# each of them from the origin once; what the origin has is what came

is(join(' ', origin_repeats($t)), '', 'each segment fetched once');

$b->stop();
$publisher->stop();

###############################################################################

sub begin {
    my ($t, $n) = @_;

    return publish($t, "publisher$n", $files[$n], $rtmp,
        qw/ -re -stream_loop -1 /);
}

# So many seconds without a fault that somebody at the screen could see.

sub phase {
    my ($name, $seconds) = @_;
    my $report = $before || $began;

    sleep($seconds);

    $before = $b->report();

    is($b->errors($report), '', "$name: no errors");
    cmp_ok($b->stalled($report), '<', 1, "$name: no stall");
}

sub http_content {
    my ($uri) = @_;

    return hls_get($uri)->{body};
}

# The process that serves, of the master that the pid file names.

sub origin_worker {
    my ($t) = @_;

    return (hls_children($t->read_file('origin.pid') + 0))[0];
}

# Segments that were asked for more than once; of two broadcasts, the numbers
# are the same.

sub origin_repeats {
    my ($t) = @_;
    my %count;

    $count{$_}++ for $t->read_file('origin-access.log')
        =~ m!"GET (/live/cam1/\d+\.ts)!g;

    return grep { $count{$_} > 2 } sort keys %count;
}

###############################################################################
