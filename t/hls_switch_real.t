#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with real programs: a broadcast is published to two
# origins, past this proxy.  It ends at the first one, whose playlist then
# stands still, and later the other one hangs; viewers go on, Chromium with
# hls.js, ffmpeg and one that checks each playlist.

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

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/);

need_browser(need_media($t))->plan(17);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8091 http=%%PORT_8092%%;
    server 127.0.0.1:8093 http=%%PORT_8094%% backup;
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

real_origin($t, 1, 8091, 8092);
# a segment takes most of the time until the next one is there

real_origin($t, 2, 8093, 8094, http => 'location ~ \.ts$ {'
    . ' limit_rate 100k; limit_rate_after 1k; }');

$t->run();

###############################################################################

my $uri = '/live/cam1/index.m3u8';
my $file = media_file($t, 'cam1.flv');
my ($at, $took, $new, $report, @e);

$e[1] = real_encoder($t, 'encoder1', $file, rtmp(8091));
sleep(1.3);
$e[2] = real_encoder($t, 'encoder2', $file, rtmp(8093));

my $w = watch($t, $uri) or die "Nothing plays\n";

# the first broadcast ends, and its playlist is still there

$e[1]->stop('KILL');
$at = time();

ok($new = joint($uri, 1, 10), 'the other origin');
$took = time() - $at;
note(sprintf('after %.2f s', $took));
cmp_ok($took, '<', 6, 'soon');
ok($new->{discontinuity}, 'behind a discontinuity');

$w->check('stood still', 4);

# it is there again, and the other one hangs

$e[1] = real_encoder($t, 'encoder3', $file, rtmp(8091));
ok(hls_wait(sub { -s $t->testdir() . '/hls1/live/cam1/2.ts' }, 10), 'again');
is(playlist($uri)->{segments}[-1]{uri} =~ /g=2/ ? 1 : 0, 0, 'stays');

origin_signal($t, 2, 'STOP');
$at = time();

ok($new = joint($uri, 2, 10), 'the first origin');
$took = time() - $at;
note(sprintf('after %.2f s', $took));

$w->check('hung', 4, stall => 6);

origin_signal($t, 2, 'CONT');

# a segment that was on its way is lost, and waiting for it takes a while

$report = $w->finish(cut => 1,
    faults => qr/\.ts\S*: status (?:200|404|50[234]),|missed/);
cmp_ok($report->{slow}, '<', 6, 'slowest answer');

$_->stop('KILL') for grep { defined } @e;

###############################################################################

sub rtmp {
    my ($port) = @_;

    return 'rtmp://127.0.0.1:' . port($port) . '/live/cam1';
}

###############################################################################
