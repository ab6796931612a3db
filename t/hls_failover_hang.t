#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with real programs, when the origin of a stream hangs: its
# health check fails, the encoder is moved to another one, and viewers go on,
# Chromium with hls.js, ffmpeg and one that checks each playlist.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Browser;
use Test::Nginx::HLS;
use Test::Nginx::HLS::Real;
use Test::Nginx::Media;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite stream/);

need_browser(need_media($t))->plan(13);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone         live 1m;
    health_check interval=1s timeout=500ms fails=2 type=rtmp;

    server 127.0.0.1:8091 http=%%PORT_8092%%;
    server 127.0.0.1:8093 http=%%PORT_8094%% backup;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen              127.0.0.1:8090;
        osp_upstream        live;
        osp_upstream_resume on;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format test '$msec $status $hls_cache_status $uri';
    access_log %%TESTDIR%%/hls.log test;

    upstream origin {
        rtmp_route live http;
        keepalive  32;
    }

    hls_cache_zone hls 64m;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache           hls;
            hls_cache_cors      *;
            hls_cache_max_stale 20s;
            rtmp_route          live;
            proxy_pass          $rtmp_route_scheme://origin;
        }
    }
}

EOF

real_origin($t, 1, 8091, 8092);
real_origin($t, 2, 8093, 8094);

$t->run();

###############################################################################

my $file = media_file($t, 'cam1.flv');
my ($at, $took, $last, $new, $report);

my $encoder = real_encoder($t, 'encoder', $file,
    'rtmp://127.0.0.1:' . port(8090) . '/live/cam1');

my $w = watch($t, '/live/cam1/index.m3u8') or die "Nothing plays\n";

# the origin that has it hangs

$last = playlist('/live/cam1/index.m3u8')->{segments}[-1]{sequence};

origin_signal($t, 1, 'STOP');
$at = time();

ok($new = joint('/live/cam1/index.m3u8', 1, 15), 'the new origin');
$took = time() - $at;
note(sprintf('the first new segment came after %.2f s', $took));
cmp_ok($took, '<', 10, 'soon');

cmp_ok($new->{sequence}, '>', $last, 'numbers go on');
ok($new->{discontinuity}, 'behind a discontinuity');

$w->check('origin hung', 5, stall => 6);

ok($encoder->is_running(), 'encoder runs');
is($t->read_file('encoder.log'), '', 'and has seen nothing');

# a segment that nobody had asked for yet may be lost

$report = $w->finish(faults => qr/\.ts\S*: status (?:200|404|50[234]),|missed/,
    cut => 1);
cmp_ok($report->{slow}, '<', 6, 'slowest answer');

$encoder->stop('KILL');
origin_signal($t, 1, 'CONT');

###############################################################################
