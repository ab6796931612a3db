#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for max_fails: what counts as a failed attempt and what does not, for
# RTMP, requests that are passed, and fills of the cache.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(44);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
error_log %%TESTDIR%%/notice.log notice;

events {
}

rtmp_route live {
    zone    live 256k;
    server  127.0.0.1 rtmp=%%PORT_8081%% http=%%PORT_8082%% max_fails=0;
    server  127.0.0.2 rtmp=%%PORT_8089%% http=%%PORT_8089%% fail_timeout=60s;
    server  127.0.0.3 rtmp=%%PORT_8083%% http=%%PORT_8084%% fail_timeout=60s;
    server  127.0.0.4 rtmp=%%PORT_8085%% http=%%PORT_8086%% fail_timeout=2s;
    server  127.0.0.5 rtmp=%%PORT_8087%% backup;
}

rtmp_route plain {
    zone    plain 256k;
    server  127.0.0.1 rtmp=%%PORT_8081%% http=%%PORT_8082%% max_fails=0;
    server  127.0.0.2 rtmp=%%PORT_8089%% http=%%PORT_8089%% fail_timeout=60s;
    server  127.0.0.3 rtmp=%%PORT_8083%% http=%%PORT_8084%% fail_timeout=60s;
    server  127.0.0.4 rtmp=%%PORT_8085%% http=%%PORT_8086%% fail_timeout=2s;
    server  127.0.0.5 rtmp=%%PORT_8087%% backup;
}

rtmp_route fill {
    zone    fill 256k;
    server  127.0.0.1 rtmp=%%PORT_8081%% http=%%PORT_8082%% max_fails=0;
    server  127.0.0.2 rtmp=%%PORT_8089%% http=%%PORT_8089%% fail_timeout=60s;
    server  127.0.0.3 rtmp=%%PORT_8083%% http=%%PORT_8084%% fail_timeout=60s;
    server  127.0.0.4 rtmp=%%PORT_8085%% http=%%PORT_8086%% fail_timeout=2s;
    server  127.0.0.5 rtmp=%%PORT_8087%% backup;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    upstream plain { rtmp_route plain http; }
    upstream fill { rtmp_route fill http; }

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }

        proxy_read_timeout 1s;

        location /fill/ {
            hls_cache  hls;
            rtmp_route fill;
            proxy_pass http://fill;
        }

        location /plain/ {
            rtmp_route plain;
            proxy_pass http://plain;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    osp_upstream_connect_timeout   1s;
    osp_upstream_handshake_timeout 4s;

    server {
        listen       127.0.0.1:8088;
        osp_upstream live;
    }
}

EOF_CONF

my %any = (host => '0.0.0.0');

rtmp_origin($t, port(8081), %any);
rtmp_origin($t, port(8083), %any, handshake => 'silent');
rtmp_origin($t, port(8085), %any, connect => 'silent', times => 2);

# refuses in all ways

rtmp_origin($t, port(8087), %any, publish => 'denied', play => 'not_found');

my $web = sub {
    my ($r) = @_;

    return $r->{uri} =~ /(\d{3})/ ? http_response($1)
        : http_response(200, 'fine');
};

httpd($t, port(8082), $web, %any);

httpd($t, port(8084), sub { sleep(30) }, %any);
httpd($t, port(8086), $web, %any);

$t->run();

my $start = 'NetStream.Publish.Start';

###############################################################################
# connections that are refused

pin('live', 'live/a', '127.0.0.2');

is(publish('a'), $start, 'refused: next server');
is(fails(2), '1 1 unavail', 'refused: counts');
is(publish('a'), $start, 'refused: not tried again');
is(fails(2), '1 1 unavail', 'refused: counts once');
is(server(2)->{reason}, 'max_fails', 'reason');
ok(server(2)->{downstart}, 'out of use');

my $log = $t->read_file('notice.log');
my $n = () = $log =~ /\[warn\].*"127\.0\.0\.2" is unavailable/g;

is($n, 1, 'logged once');

is(server(2)->{selected}, 1, 'it was tried once');

# handshakes that hang

pin('live', 'live/c', '127.0.0.3');

is(publish('c'), $start, 'hangs: next server');
is(fails(3), '1 1 unavail', 'hangs: counts');

# connect without an answer, and a server that comes back

pin('live', 'live/d', '127.0.0.4');

is(publish('d'), $start, 'no answer to connect: next server');
is(fails(4), '1 1 unavail', 'no answer to connect: counts');

ok(wait_until(sub { server(4)->{state} eq 'up' }), 'tried after its time');
is(publish('d'), $start, 'answers');
is(fails(4), '1 1 up', 'no more fails');
ok(!exists server(4)->{downstart}, 'in use');
cmp_ok(server(4)->{downtime}, '>=', 1000, 'downtime');
like($t->read_file('notice.log'),
    qr/\[notice\].*"127\.0\.0\.4" is available again/, 'logged');

# answers are no fails

pin('live', 'live/e', '127.0.0.5');

for (1 .. 3) {
    isnt(publish('e'), $start, 'publish is refused');
    isnt(play('e'), 'NetStream.Play.Start', 'play is refused');
}

is(fails(5), '0 0 up', 'refused streams do not count');

# requests

pin('plain', 'plain/f', '127.0.0.2');
like(http_get('/plain/f.m3u8'), qr/fine/, 'passed, refused: next server');
is(fails(2, 'plain'), '1 1 unavail', 'passed, refused: counts');

pin('plain', 'plain/g', '127.0.0.3');
like(http_get('/plain/g.m3u8'), qr/fine/, 'passed, hangs: next server');
is(fails(3, 'plain'), '1 1 unavail', 'passed, hangs: counts');

pin('plain', "plain/h$_", '127.0.0.4') for 404, 403, 500, 502, 503, 504;

for my $status (404, 403, 500, 502, 503, 504) {
    like(http_get("/plain/h$status.m3u8"), qr/^HTTP\S+ $status /,
        "passed, $status");
}

is(fails(4, 'plain'), '0 0 up', 'passed, statuses do not count');

# fills

pin('fill', 'fill/i', '127.0.0.2');
like(http_get('/fill/i.m3u8'), qr/fine/, 'fill, refused: next server');
is(fails(2, 'fill'), '1 1 unavail', 'fill, refused: counts');

pin('fill', 'fill/j', '127.0.0.3');
like(http_get('/fill/j.m3u8'), qr/fine/, 'fill, hangs: next server');
is(fails(3, 'fill'), '1 1 unavail', 'fill, hangs: counts');

pin('fill', "fill/k$_", '127.0.0.4') for 404, 500, 503;

for my $status (404, 500, 503) {
    unlike(http_get("/fill/k$status.m3u8"), qr/fine/, "fill, $status");
}

is(fails(4, 'fill'), '0 0 up', 'fill, statuses do not count');

###############################################################################

sub server {
    my ($n, $route) = @_;

    return api('GET', ($route || 'live') . "/servers/127.0.0.$n");
}

sub fails {
    my ($n, $route) = @_;

    return join(' ', @{server($n, $route)}{qw/ fails unavail state /});
}

sub publish {
    my ($name) = @_;
    my $c = rtmp_publish(port(8088), 'live', $name);
    my $code = $c->{code} || '';

    $c->close();

    return $code;
}

sub play {
    my ($name) = @_;
    my $c = rtmp_play(port(8088), 'live', $name);
    my $code = $c->{code} || '';

    $c->close();

    return $code;
}

###############################################################################
