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
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy hls_cache/)->plan(42);

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
    add_header X-Age $hls_cache_age always;

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

        location /end/ {
            proxy_pass         http://127.0.0.1:8081;
            hls_cache_endlist  2s;
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

is(put('route/pub'), 201, 'known to the table');

@r = map { "/$_/index.m3u8" } qw! live/away route/gone route/pub !;

hls_get($_) for @r;
$o->change($_, gone => 404) for qw/ away gone pub /;

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
cmp_ok(time() - $start, '<', 0.3, 'at once');
sleep(3);
hls_get('/live/down/index.m3u8');
is(hls_get('/live/down/index.m3u8')->{status}, 503, 'no origin for long');
$o->start($t);

# a stream that does not advance is stale, its age goes on

$o->live('frozen', auto => 1);
hls_get('/live/frozen/index.m3u8');
$o->change('frozen', frozen => 1);
$start = time();

while (time() - $start < 4.6) {
    $r = hls_get('/live/frozen/index.m3u8');
    sleep(0.1);
}

is("$r->{status} $r->{headers}{'x-status'}", '200 STALE', 'frozen');
cmp_ok($r->{headers}{'x-age'}, '>=', 3, 'its age');
unlike($r->{body}, qr/ENDLIST/, 'no end');

$o->change('frozen', frozen => 0);
ok(hls_wait(sub { status('/live/frozen/index.m3u8') eq '200 HIT' }, 3),
    'goes on');

# hls_cache_endlist

$o->live('a', base => '/end');
$o->live('b', base => '/end');
hls_get("/end/$_/index.m3u8") for qw/ a b /;
sleep(1);
unlike(hls_get("/end/$_/index.m3u8")->{body}, qr/ENDLIST/, "$_: no end yet")
    for qw/ a b /;
$o->change('b', gone => 404);
sleep(1.4);
hls_get("/end/$_/index.m3u8") for qw/ a b /;
sleep(0.3);
hls_get("/end/$_/index.m3u8") for qw/ a b /;
sleep(0.2);
like(hls_get("/end/$_/index.m3u8")->{body}, qr/\n#EXT-X-ENDLIST\n\z/,
    "$_: an end") for qw/ a b /;

$o->advance('a');
sleep(0.7);
hls_get('/end/a/index.m3u8');
sleep(0.3);
$r = hls_get('/end/a/index.m3u8');
unlike($r->{body}, qr/ENDLIST/, 'it goes on');
like($r->{body}, qr/^6\.ts$/m, 'with the next segment');

# hls_cache_use_stale off

$o->live('a', base => '/off');
hls_get('/off/a/index.m3u8');
$o->change('a', gone => 404);
sleep(0.7);
hls_get('/off/a/index.m3u8');
is(hls_get('/off/a/index.m3u8')->{status}, 404, 'not stale');

# what the newest playlist lists is not missing: it is asked for again

$o->live('list', missing => [5]);
hls_get('/live/list/index.m3u8');
$r = hls_get('/live/list/5.ts');
is($r->{status}, 503, 'listed, but missing');
is($r->{headers}{'retry-after'}, 1, 'Retry-After');
is($o->count('/live/list/5.ts'), 3, 'asked for again');

$o->change('list', missing => []);
sleep(0.3);
is(hls_get('/live/list/5.ts')->{status}, 200, 'there it is');

# it comes while it is waited for

$o->set('/live/list/4.ts', { status => 404 }, { size => 1000 });
$r = hls_get('/live/list/4.ts');
is("$r->{status} $r->{length}", '200 1000', 'listed, and late');

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
