#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with real programs: a broadcast begins again at the same
# origin, with numbers and names of before, soon or after a pause in which the
# playlist was no longer served.

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

my $long = $ENV{TEST_NGINX_LONG};
my $t = Test::Nginx->new()->has(qw/http proxy rewrite stream/);

need_browser(need_media($t))->plan($long ? 14 : 15);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8091 http=%%PORT_8092%%;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8090;
        osp_upstream live;
    }
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

    add_header X-Status $hls_cache_status always;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache      hls;
            hls_cache_cors *;
            hls_cache_max_stale 1m;
            rtmp_route     live;
            proxy_pass     $rtmp_route_scheme://origin;
        }
    }
}

EOF

real_origin($t, 1, 8091, 8092);

$t->run();

###############################################################################

my $uri = '/live/cam1/index.m3u8';
my $rtmp = 'rtmp://127.0.0.1:' . port(8090) . '/live/cam1';
my @files = map { media_file($t, "$_.flv", hue => 90 * $_) } 0, 1;
my ($new, $report);

my $encoder = real_encoder($t, 'encoder1', $files[0], $rtmp);

my $w = watch($t, $uri) or die "Nothing plays\n";

$encoder->stop();
sleep($long ? 2 : 1);

$encoder = real_encoder($t, 'encoder2', $files[1], $rtmp);

ok($new = joint($uri, 1, 10), 'begins again');
ok($new->{discontinuity}, 'behind a discontinuity');

$w->check('quick', 2);

# longer than viewers have something in hand

$encoder->stop();
sleep($long ? 20 : 3.5);

is(playlist($uri)->{cache}, 'STALE', 'stands still') unless $long;

$encoder = real_encoder($t, 'encoder3', $files[0], $rtmp);

ok($new = joint($uri, 2, 10), 'begins again');

$w->check('slow', 2, stall => $long ? 40 : 12);

$report = $w->finish();
is($report->{discontinuities} > 1 ? 1 : 0, 1, 'discontinuities');

$encoder->stop();

###############################################################################
