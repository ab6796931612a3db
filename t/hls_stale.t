#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: what is served while the origin is wrong, and what is
# said of it afterwards.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(29);

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

    add_header X-Status $hls_cache_status always;

    upstream origin {
        rtmp_route  live http;
    }

    server {
        listen 127.0.0.1:8080;

        hls_cache hls;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /route/ {
            rtmp_route  live;
            proxy_pass  http://origin;
        }

        location /long/ {
            proxy_pass           http://127.0.0.1:8081;
            hls_cache_max_stale  5s;
        }

        location /off/ {
            proxy_pass           http://127.0.0.1:8081;
            hls_cache_use_stale  off;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($r, @r, $start);

# a playlist that is away for a moment, by any error, is served on

my @codes = (404, 403, 410, 500, 502, 503);

$o->live("s$_") for @codes;
hls_get("/live/s$_/index.m3u8") for @codes;
$o->change("s$_", gone => $_) for @codes;
sleep(0.7);
hls_get("/live/s$_/index.m3u8") for @codes;
is(status("/live/s$_/index.m3u8"), '200 STALE', "$_ is stale") for @codes;

$o->change("s$_", gone => 0) for @codes;

for my $code (@codes) {
    ok(hls_wait(sub { status("/live/s$code/index.m3u8") ne '200 STALE' }, 2),
        "$code is over");
}

# for three target durations, then not

$o->live('away');
$o->live('gone', base => '/route');
$o->live('pub', base => '/route');
$o->live('long', base => '/long');

is(put('route/pub'), 201, 'known to the table');

@r = map { "/$_/index.m3u8" } qw! live/away route/gone route/pub !;

hls_get($_) for @r, '/long/long/index.m3u8', '/long/long/2.ts';
$o->change($_, gone => 404) for qw/ away gone pub long /;

$start = time();
sleep(1);
is(status($_), '200 STALE', "$_ is stale") for @r;
sleep(1.4);
is(status($_), '200 STALE', "$_ is stale yet") for @r[1, 2];

sleep($start + 3.5 - time());
hls_get($_) for @r;

like(status($r[0]), qr/^404 /, 'gone');
like(status($r[1]), qr/^404 /, 'gone, and the table does not know it');

$r = hls_get($r[2]);
is($r->{status}, 503, 'gone, but the table knows it');
is($r->{headers}{'retry-after'}, 1, 'Retry-After');

# for longer, if it is said so

is(status('/long/long/index.m3u8'), '200 STALE', 'stale for longer');
is(status('/long/long/2.ts'), '200 HIT', 'what it lists');

# it comes back

$o->change('pub', gone => 0);
$o->advance('pub');
ok(hls_wait(sub { status($r[2]) =~ /^200 (?!STALE)/ }, 2), 'back');

# no origin at all

$o->live('down');
hls_get('/live/down/index.m3u8');
$o->stop();
sleep(0.8);
hls_get('/live/down/index.m3u8');
$start = time();
is(status('/live/down/index.m3u8'), '200 STALE', 'no origin');
cmp_ok(time() - $start, '<', 2, 'at once');
sleep(3);
hls_get('/live/down/index.m3u8');
is(hls_get('/live/down/index.m3u8')->{status}, 503, 'no origin for long');
$o->start($t);

# hls_cache_use_stale off

$o->live('a', base => '/off');
hls_get('/off/a/index.m3u8');
$o->change('a', gone => 404);
sleep(0.7);
hls_get('/off/a/index.m3u8');
is(hls_get('/off/a/index.m3u8')->{status}, 404, 'not stale');

###############################################################################

sub status {
    my $r = hls_get(@_);

    return "$r->{status} $r->{headers}{'x-status'}";
}

sub put {
    my ($key) = @_;
    my $body = '{"server":"127.0.0.1"}';

    return hls_get('', raw => "PUT /api/1/routes/live/streams/$key HTTP/1.1\r\n"
        . "Host: localhost\r\nConnection: close\r\n"
        . "Content-Length: " . length($body) . "\r\n\r\n$body")->{status};
}

###############################################################################
