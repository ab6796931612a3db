#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "path" in rtmp_route { } and hls_cache_auth: a key is one by
# whatever name it is asked for.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip proxy rewrite/)->plan(42);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    osp_core  http://127.0.0.1:%%PORT_8082%% interval=60s;
    server    127.0.0.1 http=%%PORT_8081%%;

    path  ~ ^/k/([^/]+)/(\d+)$       stream=live/$1  to=/keys/$1/$2.key;
    path  ~ ^/K/([^/]+)/(\d+)$       stream=live/$1  to=/keys/$1/$2.KEY;
    path  ~ ^/twice/([^/]+)/(\d+)$   stream=live/$1  to=/keys/$1/$2%2ekey;
    path  ~ ^/listed/([^/]+)/(\w+)$  stream=live/$1  to=/live/$1/$2;
    path  /pub/                      stream=live/    to=/edge/;
    path  /third/                    stream=live/    to=/edge/;
    path  /edge/                     stream=live/;
}

http {
    %%TEST_GLOBALS_HTTP%%

    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Forwarded-For;

    hls_cache_zone    hls 8m;
    hls_cache_auth    osp;
    hls_cache_args    sig;

    upstream live { rtmp_route live http; }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache   hls;
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /uncached/ {
            rtmp_route  live;
            rewrite     ^/uncached(/.*)$ $1 break;
            proxy_pass  http://live;
        }

        location /bypass/ {
            hls_cache         hls;
            hls_cache_bypass  1;
            rtmp_route        live;
            rewrite           ^/bypass(/.*)$ $1 break;
            proxy_pass        http://live;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

EOF

my $core = osp_core($t, port(8082));

$core->user('owner', 'secret');
$core->channel('open', live => 0);
$core->channel('prot', protected => 1, owner => 'owner');

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;
    my $path = $r->{path};
    my $key = $path =~ /signed/ ? 'sig?sig=1' : 'enc';

    return { body => "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
        . "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"$key\"\n"
        . "#EXTINF:2,\n1.ts\n", type => 'application/vnd.apple.mpegurl' }
        if $path =~ /\.m3u8$/;

    return { body => "this is $path" };
});

$t->run();

my ($id) = map { $_->{id} } servers('live');

pin('live', "live/$_", $id) for qw/ open prot /;

my $viewer = 'X-Forwarded-For: 203.0.113.7';
my $token = $core->header('prot', 'owner');
my $r;

###############################################################################

for my $way ('', '/uncached', '/bypass') {

    is(get("$way/k/prot/1")->{status}, 403, "\"$way\": what a rule makes one");
    is(get("$way/K/prot/1")->{status}, 403, 'in capitals');
    is(get("$way/twice/prot/1")->{status}, 403, 'encoded');
    is($o->count(qr/prot/), 0, 'nothing was fetched');

    $r = get("$way/k/prot/1", $token);
    is($r->{status}, 200, 'who may have it');
    is($r->{body}, 'this is /keys/prot/1.key', 'it is the key');
    is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
    is(get("$way/k/prot/1")->{status}, 403, 'and for no other');
    $o->forget();
}

is(get('/k/open/1')->{status}, 200, 'open to all');

# one that is known by the server's name

is(get('/live/prot/index.m3u8')->{status}, 200, 'playlist');
is(get('/listed/prot/enc')->{status}, 403, 'by another name');

# one that is known by another name than the server's

is(get('/pub/prot/index.m3u8')->{status}, 200, 'playlist of a rule');
is(get('/pub/prot/enc')->{status}, 403, 'as it is listed');
is(get('/edge/prot/enc')->{status}, 403, "by the server's name");
is(get('/third/prot/enc')->{status}, 403, 'by a third one');
is(get('/edge/prot/enc', $token)->{body}, 'this is /edge/prot/enc',
    "by the server's name, who may have it");
is(get('/pub/prot/enc', $token)->{body}, 'this is /edge/prot/enc',
    'as it is listed, who may have it');
is(get('/edge/prot/enc')->{status}, 403, 'and for no other');

# arguments are no other name

is(get('/pub/prot/signed.m3u8')->{status}, 200, 'playlist with arguments');
is(get("/pub/prot/sig$_")->{status}, 403, "as it is listed, \"$_\"")
    for '?sig=1', '?sig=2', '';
is(get("/edge/prot/sig$_")->{status}, 403, "by the server's name, \"$_\"")
    for '?sig=1', '?sig=2', '';
is(get('/pub/prot/sig?sig=1', $token)->{status}, 200, 'who may have it');

###############################################################################

sub get {
    my ($uri, @headers) = @_;

    return hls_get($uri, headers => [$viewer, @headers]);
}

###############################################################################
