#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the caches in the API: lists, viewers, purging.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(55);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;
    hls_cache_zone other 8m;

    add_header X-Status $hls_cache_status always;

    upstream origin {
        rtmp_route  live http;
    }

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache       hls;
            hls_cache_args  q;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /route/ {
            hls_cache   other;
            rtmp_route  live;
            proxy_pass  http://origin;
        }

        location /api/ {
            rtmp_route_api write=on;
        }

        location /read/api/ {
            rtmp_route_api names=off;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$o->live('cam1');
$o->live('cam%202', layout => 'flat');
$o->live('cam3', base => '/route');

$t->run();

###############################################################################

my ($r, $c, @r);

$c = api('/api/1/caches/');
is(join(' ', sort keys %$c), 'hls other', 'caches');
is($c->{hls}{objects}, 0, 'nothing yet');
cmp_ok($c->{hls}{size}, '>', 14e6, 'size');

hls_get('/live/cam1/index.m3u8');
hls_get('/live/cam1/index.m3u8');
hls_get('/live/cam1/3.ts');
hls_get('/live/cam%202.m3u8');
hls_get('/live/cam%202-4.ts');
hls_get('/route/cam3/index.m3u8');
hls_get("/route/cam3/$_.ts") for 1, 2;

$c = api('/api/1/caches/hls/');
is($c->{objects}, 4, 'objects');
is($c->{streams}, 2, 'streams');
is("$c->{hits} $c->{misses} $c->{filled} $c->{failed}", '1 4 4 0', 'counted');
cmp_ok($c->{used}, '>', 40000, 'used');

$c = api('/api/1/caches/hls/streams/');
is(join(', ', sort keys %$c), 'live/cam 2, live/cam1', 'names');
is($c->{'live/cam1'}{objects}, 2, 'objects of a stream');
cmp_ok($c->{'live/cam1'}{bytes}, '>', 20000, 'bytes');
is("$c->{'live/cam1'}{hits} $c->{'live/cam1'}{misses}", '1 1', 'hits');
is($c->{'live/cam1'}{viewers}, 1, 'one viewer');
cmp_ok($c->{'live/cam1'}{age}, '<', 3, 'age');
is($c->{'live/cam 2'}{objects}, 2, 'segments of a flat layout');

# a route names the stream

$c = api('/api/1/caches/other/streams/');
is(join(', ', sort keys %$c), 'route/cam3', 'by the route');
is($c->{'route/cam3'}{objects}, 3, 'objects of it');

# viewers: address and agent

hls_gets(map { { uri => '/live/cam1/index.m3u8',
    headers => ["User-Agent: viewer $_"] } } 1 .. 300);
hls_gets(map { { uri => '/live/cam1/index.m3u8',
    headers => ["User-Agent: viewer $_"] } } 1 .. 300);

$c = api('/api/1/caches/hls/streams/');
cmp_ok($c->{'live/cam1'}{viewers}, '>', 270, 'three hundred viewers');
cmp_ok($c->{'live/cam1'}{viewers}, '<', 330, 'and no more');

# the route has them, too, of its own streams

put('/api/1/routes/live/streams/route/cam3', '{"server":"127.0.0.1"}');
put('/api/1/routes/live/streams/live/cam1', '{"server":"127.0.0.1"}');
is(api('/api/1/routes/live/streams/live/cam1')->{viewers}, 0,
    'viewers of another cache');

hls_gets(map { { uri => '/route/cam3/index.m3u8',
    headers => ["User-Agent: viewer $_"] } } 1 .. 40);

$r = api('/api/1/caches/other/streams/')->{'route/cam3'}{viewers};
cmp_ok($r, '>', 30, 'viewers of a route');
is(api('/api/1/routes/live/streams/route/cam3')->{viewers}, $r,
    'the route knows them');
$c = api('/api/1/routes/live/streams/');
is($c->{'route/cam3'}{viewers}, $r, 'in its list');
is(api('/api/1/routes/live/streams/?fields=viewers')->{'route/cam3'}{viewers},
    $r, 'in a field alone');

# pages

$c = api('/api/1/caches/hls/streams/?limit=1');
is(scalar(keys %$c), 1, 'a page');
$r = hls_get('/api/1/caches/hls/streams/?limit=1');
my ($next) = ($r->{headers}{link} || '') =~ /[?&]after=([\w-]+)/;
ok($next, 'there is another');
$r = hls_get("/api/1/caches/hls/streams/?limit=1&after=$next");
is(scalar(keys %{decode_json($r->{body})}), 1, 'that page');
ok(!$r->{headers}{link}, 'is the last');

# names that are not shown

$c = api('/read/api/1/caches/hls/streams/');
unlike(join(' ', keys %$c), qr/cam/, 'no names');

# what there is not

is(error('/api/1/caches/none/'), '404 CacheNotFound', 'no such cache');
is(error('/api/1/caches/hls/none'), '404 PathNotFound', 'no such path');
is(error('/api/1/caches/hls/', method => 'POST'), '405 MethodNotAllowed',
    'method');
is(error('/api/1/caches/hls/streams/', method => 'DELETE'),
    '405 MethodNotAllowed', 'method of a list');
is(error('/read/api/1/caches/hls/', method => 'DELETE'), '405 MethodDisabled',
    'read only');

# purging: one object

is(status('/live/cam1/3.ts'), '200 HIT', 'there');
is(purge('/api/1/caches/hls/?uri=/live/cam1/3.ts'), 204, 'purge');
is(status('/live/cam1/3.ts'), '200 MISS', 'gone');
is(status('/live/cam1/index.m3u8'), '200 HIT', 'others are not');

is(error('/api/1/caches/hls/?uri=/none', method => 'DELETE'),
    '404 ObjectNotFound', 'nothing to purge');
is(error('/api/1/caches/hls/?uri=/live/cam1/3', method => 'DELETE'),
    '404 ObjectNotFound', 'no beginning of it');
is(error('/api/1/caches/hls/?uri=none', method => 'DELETE'),
    '400 ArgumentInvalid', 'no URI');
is(error('/api/1/caches/hls/?uri=/a&stream=b', method => 'DELETE'),
    '400 ArgumentInvalid', 'either');

# in all caches, escaped, and with arguments

is(purge('/api/1/caches/?uri=/live/cam%202-4.ts'), 204, 'purge everywhere');
is(status('/live/cam%202-4.ts'), '200 MISS', 'gone');

status("/live/cam1/3.ts?q=$_") for 1, 2;
is(purge('/api/1/caches/hls/?uri=/live/cam1/3.ts%3Fq=1'), 204, 'arguments');
is(status('/live/cam1/3.ts?q=1'), '200 MISS', 'that is gone');
is(status('/live/cam1/3.ts?q=2'), '200 HIT', 'this is not');
is(purge('/api/1/caches/hls/?uri=/live/cam1/3.ts'), 204, 'any arguments');
is(status('/live/cam1/3.ts?q=2'), '200 MISS', 'both are gone');

# a stream

is(purge('/api/1/caches/hls/?stream=live/cam1'), 204, 'purge a stream');
is(status('/live/cam1/index.m3u8'), '200 MISS', 'its playlist');
is(status('/live/cam%202.m3u8') =~ /MISS/ ? 1 : 0, 0, 'not of another');
is(error('/api/1/caches/hls/?stream=none', method => 'DELETE'),
    '404 ObjectNotFound', 'no such stream');

# all of it

is(purge('/api/1/caches/hls/'), 204, 'purge all');
is(api('/api/1/caches/hls/')->{objects}, 0, 'nothing left');
is(api('/api/1/caches/other/')->{objects}, 3, 'in the other');

###############################################################################

sub put {
    my ($uri, $body) = @_;
    my $len = length($body);

    hls_get('', raw => "PUT $uri HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nContent-Length: $len\r\n\r\n$body");
}

sub api {
    my ($uri) = @_;

    return decode_json(hls_get($uri)->{body});
}

sub error {
    my $r = hls_get(@_);
    my $e = eval { decode_json($r->{body})->{error} } || {};

    return "$r->{status} " . ($e->{code} || 'none');
}

sub purge {
    return hls_get($_[0], method => 'DELETE')->{status};
}

sub status {
    my $r = hls_get(@_);

    return "$r->{status} $r->{headers}{'x-status'}";
}

###############################################################################
