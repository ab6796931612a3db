#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the checks of tables and caches by the API.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HLS;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream proxy/)->plan(41);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    register  open;
    unknown   wait=10s;
    server    127.0.0.1:8081;
    server    127.0.0.1:8083 down;
}

rtmp_route later {
    zone      later 1m;
    register  open allow=127.0.0.0/8;
    unknown   wait=10s;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen        127.0.0.1:8082;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8085;
        osp_upstream  later;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone  hls 8m;

    server {
        listen       127.0.0.1:8080 sndbuf=32k;
        server_name  localhost;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /ro/ {
            rtmp_route_api;
        }

        location / {
            hls_cache        hls;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8084;
        }
    }
}

EOF_CONF

my $o = rtmp_origin($t, port(8081));
my $h = hls_origin($t, port(8084), code => sub {
    my ($r) = @_;

    return { type => 'video/mp2t', seed => $r->{path},
        $r->{path} =~ /slow/ ? (size => 50000, pieces => [20000, 0.4])
        : (size => 2000000) };
});

$t->run();

###############################################################################

my ($c, $p, $r, $before);

# a table

$r = check('routes/live');

ok($r->{consistent}, 'consistent');
ok(!exists $r->{fault}, 'no fault');
is(numbers($r), '2 0 0 0 0', 'nothing runs');
cmp_ok($r->{held}, '<', 1000000, 'lock held');
is($r->{rebuilt}, 0, 'not rebuilt');

$before = $r->{cells};

$c = rtmp_publish(port(8082), 'live', 'cam1');
$p = rtmp_play(port(8082), 'live', 'cam1');

is($p->{code}, 'NetStream.Play.Start', 'played');

$r = check('routes/live');

ok($r->{consistent}, 'consistent with sessions');
is(numbers($r), '2 1 2 0 0', 'what runs');

cmp_ok($r->{cells}, '>', $before, 'cells of what runs');

$c->close();
$p->close();

ok(wait_until(sub { numbers(check('routes/live')) eq '2 1 0 0 0' }),
    'nothing runs again');
is(unpin('live', 'live/cam1'), 1, 'forgotten');
is(numbers(check('routes/live')), '2 0 0 0 0', 'no streams');
is(check('routes/live')->{cells}, $before, 'no cells');

# who waits for a server

$c = rtmp_play(port(8085), 'live', 'cam1', no_wait => 1);

ok(wait_until(sub { check('routes/later')->{waiters} == 1 }), 'one waits');
$c->close();
ok(wait_until(sub { check('routes/later')->{waiters} == 0 }), 'none waits');

# a cache

$r = check('caches/hls');

ok($r->{consistent}, 'cache');
is(join(' ', @$r{qw/ entries objects filling references leaving used /}),
    '0 0 0 0 0 0', 'empty cache');

is(hls_get('/slow.ts', stop => 1000)->{status}, 200, 'viewer leaves a fill');

$r = check('caches/hls');

ok($r->{consistent}, 'cache with a fill');
is($r->{filling}, 1, 'fill');
cmp_ok($r->{references}, '>', 0, 'references of a fill');
ok(wait_until(sub { check('caches/hls')->{filling} == 0 }), 'end of the fill');

my $reader = start('/a.ts');

ok(wait_until(sub { check('caches/hls')->{objects} == 2 }), 'objects');
ok(wait_until(sub { check('caches/hls')->{filling} == 0 }), 'filled');

$r = check('caches/hls');

ok($r->{consistent}, 'cache with objects');
is(join(' ', @$r{qw/ entries objects filling references leaving /}),
    '2 2 0 1 0', 'one of them is read');
cmp_ok($r->{used}, '>=', 2050000, 'used');

request('DELETE', '/api/1/caches/hls/');

$r = check('caches/hls');

ok($r->{consistent}, 'cache with what is removed and read');
is($r->{leaving}, 1, 'body that is still read');

is(length(http_content(Test::Nginx::http_end($reader)) || ''), 2000000,
    'read to the end');

ok(wait_until(sub {
    $r = check('caches/hls');
    return !$r->{leaving} && !$r->{references} && !$r->{used};
}), 'nothing is left');
ok($r->{consistent}, 'cache in the end');

# only with write=on, and only by GET

like(request('GET', '/ro/1/routes/live/check'),
    qr/^HTTP\S+ 405 .*MethodDisabled/s, 'table without write');
like(request('GET', '/ro/1/caches/hls/check'), qr/^HTTP\S+ 405 /,
    'cache without write');
like(request('POST', '/api/1/routes/live/check'),
    qr/^HTTP\S+ 405 .*^Allow: GET, HEAD\r/sm, 'POST');
like(request('DELETE', '/api/1/caches/hls/check'),
    qr/^HTTP\S+ 405 .*^Allow: GET, HEAD\r/sm, 'DELETE of a cache');
like(request('GET', '/api/1/routes/live/check/more'), qr/^HTTP\S+ 404 /,
    'unknown path');
like(request('GET', '/api/1/routes/none/check'),
    qr/^HTTP\S+ 404 .*RouteNotFound/s, 'unknown route');
like(request('GET', '/api/1/caches/none/check'),
    qr/^HTTP\S+ 404 .*CacheNotFound/s, 'unknown cache');
like(request('GET', '/api/1/routes/live/check/'), qr/^HTTP\S+ 200 /,
    'with a slash');
like(request('HEAD', '/api/1/routes/live/check'), qr/^HTTP\S+ 200 /, 'HEAD');

###############################################################################

sub check {
    my ($what) = @_;

    return eval {
        decode_json(http_content(request('GET', "/api/1/$what/check")));
    } || {};
}

sub numbers {
    my ($r) = @_;

    return join(' ', map { defined $_ ? $_ : '?' }
        @$r{qw/ servers streams sessions conns waiters /});
}

sub start {
    my ($uri) = @_;

    return http("GET $uri HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a\x0d\x0a",
        start => 1);
}

###############################################################################
