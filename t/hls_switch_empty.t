#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: a stream stands still, another server has an empty
# playlist of it, and the one after that has the stream.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(5);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
    server  127.0.0.1:2 http=%%PORT_8082%% backup;
    server  127.0.0.1:3 http=%%PORT_8083%% backup;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;
    hls_cache hls;

    upstream live { rtmp_route live http; }

    server {
        listen 127.0.0.1:8080;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }
    }
}

EOF

my ($a, $b, $c) = map { hls_origin($t, port($_)) } 8081 .. 8083;

$t->run();

###############################################################################

my $uri = '/live/cam1/index.m3u8';

$a->live('cam1', start => 100);
$_->set($uri, body => "#EXTM3U\n#EXT-X-TARGETDURATION:1\n") for $b, $c;

like(hls_get($uri)->{body}, qr/^10\d\.ts$/m, 'stands still');

ok(hls_wait(sub { hls_get($uri); $b->count($uri) > 0 && $c->count($uri) > 0 },
    8), 'both are asked');
unlike(hls_get($uri)->{body}, qr/g=1/, 'nothing is there');

$c->set($uri);
$c->live('cam1', auto => 1, start => 40);

ok(hls_wait(sub { hls_get($uri)->{body} =~ /g=1/ }, 10), 'goes on there');
like(hls_get($uri)->{body}, qr/^4\d\.ts\?g=1$/m, 'segments');

###############################################################################
