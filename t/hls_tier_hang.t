#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: an origin hangs behind proxies, which do not.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(4);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route proxies {
    zone    proxies 1m;
    server  127.0.0.1:1 http=%%PORT_8082%%;
    server  127.0.0.1:2 http=%%PORT_8083%%;
}

rtmp_route origins {
    zone    origins 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone child  16m;
    hls_cache_zone first  16m;
    hls_cache_zone second 16m;

    upstream proxies { rtmp_route proxies http; }
    upstream origins { rtmp_route origins http; }

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache   child;
            rtmp_route  proxies;
            proxy_pass  http://proxies;
        }

        location /api/ {
            rtmp_route_api;
        }
    }

    server {
        listen 127.0.0.1:8082;

        location / {
            hls_cache   first;
            rtmp_route  origins;
            proxy_pass  http://origins;
        }
    }

    server {
        listen 127.0.0.1:8083;

        location / {
            hls_cache   second;
            rtmp_route  origins;
            proxy_pass  http://origins;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my $p;

$o->live('cam1', auto => 1, target => 2);
$p = hls_parse(hls_get('/live/cam1/index.m3u8')->{body});

ok($p && @{$p->{segments}}, 'a playlist');

$o->set("/live/cam1/$p->{segments}[-1]{uri}", hang => 'head');

cmp_ok(hls_get("/live/cam1/$p->{segments}[-1]{uri}")->{status}, '>=', 500,
    'a segment that hangs');

is($_->{state}, 'up', "proxy $_->{id}") for servers('proxies');

###############################################################################
