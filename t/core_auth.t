#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache_auth: keys are for those of whom OSP core says so.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip proxy
    rewrite/);

$t->plan(119)->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    osp_core http://127.0.0.1:%%PORT_8082%% interval=60s;
    server   127.0.0.1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Forwarded-For;

    hls_cache_zone hls 8m;

    add_header X-Status $hls_cache_status always;

    upstream live {
        rtmp_route live http;
    }

    hls_cache_auth     osp;
    hls_cache_variants _480 _720 _src;

    merge_slashes off;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache      hls;
            hls_cache_cors *;
            rtmp_route     live;
            proxy_pass     http://live;
        }

        location /bypass/ {
            hls_cache        hls;
            hls_cache_bypass 1;
            rtmp_route       live;
            rewrite          ^/bypass(/.*)$ $1 break;
            proxy_pass       http://live;
        }

        location /uncached/ {
            rtmp_route live;
            rewrite    ^/uncached(/.*)$ $1 break;
            proxy_pass http://live;
        }

        location /passed/ {
            hls_cache             hls;
            hls_cache_pass_header Authorization Cookie;
            rtmp_route            live;
            rewrite               ^/passed(/.*)$ $1 break;
            proxy_pass            http://live;
        }

        location ~ ^/[\d.]+/(live|live-adapt|keys|keys-adapt)/ {
            rewrite ^/[\d.]+(/.*)$ $1 last;
        }

        location /redirected/ {
            error_page 404 = /keys/prot/1.key;
            return 404;
        }

        location /variable/ {
            hls_cache  hls;
            rtmp_route live;
            rewrite    ^/variable(/.*)$ $1 break;
            proxy_pass http://live$uri;
        }

        location /allow/ {
            hls_cache           hls;
            hls_cache_auth_fail allow;
            rtmp_route          live;
            rewrite             ^/allow(/.*)$ $1 break;
            proxy_pass          http://live;
        }

        location /off/ {
            hls_cache      hls;
            hls_cache_auth off;
            rtmp_route     live;
            rewrite        ^/off(/.*)$ $1 break;
            proxy_pass     http://live;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}


EOF

my $core = osp_core($t, port(8082));

$core->user('a_b', 'secret');
$core->user('other', 'secret2');
$core->channel($_, live => 0) for qw/ open open2 /;
$core->channel('prot', protected => 1, owner => 'a_b');
$core->channel('adapt', protected => 1, owner => 'a_b');

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;
    my $path = $r->{path};

    return { body => "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
        . "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"enc\"\n"
        . "#EXTINF:2,\n1.ts\n#EXTINF:2,\n2.ts\n",
        type => 'application/vnd.apple.mpegurl' } if $path =~ /\.m3u8$/;

    return { body => 'segment', type => 'video/mp2t' } if $path =~ /\.ts$/;

    return { body => "the key of $path", headers => [
        'Cache-Control: public, max-age=99',
        'Expires: Thu, 31 Dec 2037 23:55:55 GMT' ] };
});

$t->run();

my ($id) = map { $_->{id} } servers('live');

pin('live', "live/$_", $id) for qw/ open open2 prot adapt /;

my $viewer = 'X-Forwarded-For: 203.0.113.7';
my $token = $core->header('prot', 'a_b');
my ($r, $q);

###############################################################################

# who may

$r = get('/keys/open/1.key');

is($r->{status}, 200, 'open to all');
like($r->{body}, qr/^the key of/, 'key');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
is($r->{headers}{expires}, undef, 'and no time');
is($r->{headers}{'access-control-allow-origin'}, '*', 'header of CORS');

($q) = $core->requests('playbackauth');

is($q->{method}, 'POST', 'posted');
is($q->{headers}{'content-type'}, 'application/x-www-form-urlencoded', 'form');
is_deeply($q->{form}, { name => 'open', addr => '203.0.113.7', username => '',
    hash => '' }, 'asked for as nobody');

is(get('/keys/open/1.key', 'X-Token-Session: Guest_NA')->{status}, 200,
    'guest');
is(get('/keys/open/2.key', 'X-Token-Session: nonsense')->{status}, 200,
    'no token at all');
is($core->count('playbackauth'), 2, 'nobody is nobody');

$r = get('/keys/prot/1.key');

is($r->{status}, 403, 'protected');
is($r->{headers}{'cache-control'}, 'no-store', 'refusal is not to be kept');
is($r->{headers}{'access-control-allow-origin'}, '*', 'it can be read');
is($o->count(qr/prot/), 0, 'nothing was fetched');

$core->forget();

$r = get('/keys/prot/1.key', $token);

is($r->{status}, 200, 'a name with an underscore');

($q) = $core->requests('playbackauth');

is($q->{form}{username}, 'a_b', 'name');
like($q->{form}{hash}, qr/^[0-9a-f]{64}$/, 'hash');
is($q->{form}{name}, 'prot', 'channel');

is(get('/keys/prot/2.key', $token)->{status}, 200, 'another key');
is($core->count('playbackauth'), 1, 'asked once');
is(get('/keys/prot/1.key', $token)->{headers}{'x-status'}, 'HIT', 'cached');
is(get('/keys/prot/1.key')->{status}, 403, 'cached for no others');
is(get('/keys/prot/1.key', $token, 'X-Forwarded-For: 203.0.113.8')->{status},
    200, 'another address');
is($core->count('playbackauth'), 2, 'is asked for anew');
is(get('/keys/prot/1.key', $core->header('prot', 'other'))->{status}, 403,
    'no invitation');
is(get('/keys/prot/1.key', 'X-Token-Session: a_b_' . 'f' x 64)->{status}, 403,
    'wrong hash');

# variants

my $variant = $core->header('adapt', 'a_b');

$core->forget();

is(get('/keys-adapt/adapt_480/1.key', $variant)->{status}, 200, 'variant');
is(get('/keys-adapt/adapt_src/1.key', $variant)->{status}, 200,
    'another variant');
is($core->count('playbackauth'), 1, 'one channel');
is(($core->requests('playbackauth'))[0]{form}{name}, 'adapt',
    'without the ending');
is(get('/keys-adapt/adapt_480/1.key')->{status}, 403, 'not for all');

# hostile tokens

$core->forget();

is(get('/keys/prot/1.key', 'X-Token-Session: ' . 'a' x 500 . '_b')->{status},
    403, 'long');
is(get('/keys/prot/1.key', 'X-Token-Session: ' . 'a' x 600 . '_b')->{status},
    403, 'too long');
is(get('/keys/prot/1.key', "X-Token-Session: a\tb_c")->{status}, 403,
    'control character');
is($core->count('playbackauth'), 1, 'only the first was asked for');

get('/keys/prot/1.key', 'X-Token-Session: a&name=open&addr=127.0.0.1_x=%00');

($q) = ($core->requests('playbackauth'))[-1];

is($q->{form}{name}, 'prot', 'nothing is put in');
is($q->{form}{username}, 'a&name=open&addr=127.0.0.1', 'all is a name');
is($q->{form}{hash}, 'x=%00', 'all is a hash');
is($q->{form}{addr}, '203.0.113.7', 'the address is ours');

# spellings, when the key is in the cache

$core->forget();

for my $uri (
    '/keys/prot/1.KEY', '/keys/prot/1.Key', '/keys/prot/1.%6bey',
    '/keys/prot/1%2ekey', '/keys/prot/%31.key', '/k%65ys/prot/1.key',
    '//keys/prot/1.key', '/keys//prot/1.key', '/keys/prot//1.key',
    '/./keys/prot/./1.key', '/live/../keys/prot/1.key',
    '/keys/open/../prot/1.key', '/keys/open/%2e%2e/prot/1.key',
    '/keys/open%2f..%2fprot/1.key', '/keys/prot/1.key/', '/keys/prot/1.key//',
    '/keys/prot/1.key.', '/keys/prot/1.key%20', '/keys/prot/1.key%09',
    '/keys/prot/1.key%0a', '/keys/prot/1.key%0d%0a', '/keys/prot/1%0a.key',
    '/keys/prot/1.key;x', '/keys/prot/1.key;x=.ts', '/keys/prot/1.key/x.ts',
    '/keys/prot/1.key%3b', '/keys/prot/1.key%3f', '/keys/prot/1.key%23a',
    '/keys/prot/1.key:$DATA', '/keys/prot/1.key::$DATA', '/keys/prot/1.key%5c',
    '/keys/prot/1.key?x=1', '/keys/prot/1.key?app=live&stream=open',
    '/keys/prot/1.key?app=keys&stream=open', '/keys/prot/1.key?g=1',
    '/keys/prot/1.key?vhost=open', '/127.0.0.1/keys/prot/1.key',
    '/bypass/keys/prot/1.key', '/bypass/keys/prot/1.KEY',
    '/uncached/keys/prot/1.key', '/redirected/keys/prot/1.key',
    '/live/prot/1.key', '/edge/prot/1.key', '/keys-adapt/prot_480/1.key',
    '/keys/prot_480/1.key', '/keys/prot/sub/1.key', '/keys/1.key',
    '/keys/prot/1%252ekey', '/keys/prot/1.%256bey', '/keys/prot/1%25252ekey',
    '/variable/keys/prot/1%252ekey',
    '/variable/keys/open%252f..%252fprot/1.key',
    '/stream/prot/1.key', '/other/prot/1.key', '/1.key', '/keys/prot/.key')
{
    is(get($uri)->{status}, 403, $uri);
}

is(scalar(grep { $_->{form}{name} =~ /^open2?$/ }
    $core->requests('playbackauth')), 0, 'no other channel was asked about');

# other ways

for my $method (qw/ HEAD POST PUT DELETE PATCH /) {
    is(hls_get('/keys/prot/1.key', method => $method, headers => [$viewer])
        ->{status}, 403, $method);
}

is(get('/keys/prot/1.key', 'Range: bytes=0-3')->{status}, 403, 'range');
is(get('/passed/keys/prot/1.key', 'Cookie: a=1')->{status}, 403, 'cookie');
is(get('/passed/keys/prot/1.key', 'Authorization: Basic eA==')->{status}, 403,
    'authorization');
is(get('/keys/prot/1.key', 'If-None-Match: *')->{status}, 403, 'conditional');

$r = get('/bypass/keys/prot/1.key', $token);

is($r->{status}, 200, 'passes with a token');
is($r->{headers}{'cache-control'}, 'no-store', 'what passes is not kept');
is($r->{headers}{expires}, undef, 'whatever the server says');

# a key that only its playlist knows

is(get('/live/prot/enc')->{status}, 200, 'unknown');

like(get('/live/prot/index.m3u8')->{body}, qr/enc/, 'playlist');

is(get('/live/prot/enc')->{status}, 403, 'named as a key');
is(get('/live/prot/enc?g=7')->{status}, 403, 'with a generation');
is(get('/live/prot/enc?a=7')->{status}, 403, 'with an argument');
is(hls_get('/live/prot/enc', method => 'POST', headers => [$viewer])->{status},
    403, 'posted');
is(get('/live/prot/enc', $token)->{status}, 200, 'with a token');
is(get('/live/prot/1.ts')->{status}, 200, 'segments are for all');

# off

is(get('/off/keys/prot/1.key')->{status}, 200, 'off');

unlike(join("\n", grep { !/\[debug\]/ && /\[\w+\] \d/ }
    split(/\n/, $t->read_file("error.log"))), qr/a_b_|[0-9a-f]{64}/,
    'no token in the log');

###############################################################################

sub get {
    my ($uri, @headers) = @_;

    push @headers, $viewer unless grep { /^X-Forwarded/ } @headers;

    return hls_get($uri, headers => \@headers);
}

###############################################################################
