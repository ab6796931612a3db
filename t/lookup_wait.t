#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in a location: waits for a stream.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_end /;
use Test::Nginx::Route;

use IO::Select;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite ssi/)->plan(15);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes  2;

events {
}

rtmp_route live {
    zone     live 1m;
    unknown  wait=5s;
    server   127.0.0.1:1 http=%%PORT_8081%%;
    server   127.0.0.1:2 http=%%PORT_8082%%;
}

rtmp_route short {
    zone     short 1m;
    unknown  wait=300ms;
    server   127.0.0.1:1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live {
        rtmp_route  live http;
    }

    upstream short {
        rtmp_route  short http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /live/ {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /short/ {
            rtmp_route  short;
            proxy_pass  http://short;
        }

        location = /page.html {
            ssi  on;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location / {
            return  200  "one $request_uri\n";
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location / {
            return  200  "two $request_uri\n";
        }
    }
}

EOF_CONF

$t->write_file('page.html', '<<!--#include virtual="/live/ssi.m3u8" -->>');
$t->run();

###############################################################################

my ($one, $two) = map { $_->{id} } servers('live');

# a stream appears, in whatever worker

my @s = map { start('/live/cam1.m3u8') } 1 .. 6;

ok(!IO::Select->new(@s)->can_read(0.3), 'all wait');

my $time = time();
pin('live', 'live/cam1', $two);

my @r = map { http_end($_) } @s;

is(scalar(grep { /200 OK.*two /s } @r), 6, 'all answered');
cmp_ok(time() - $time, '<', 2, 'at once');

$time = time();
like(http_get('/live/cam1.m3u8'), qr/two /, 'known by now');
cmp_ok(time() - $time, '<', 2, 'no wait');

# another stream does not do

my $s = start('/live/cam2.m3u8');

sleep(0.2);
pin('live', 'live/other', $one);

ok(!IO::Select->new($s)->can_read(0.5), 'other stream');

pin('live', 'live/cam2', $one);
like(http_end($s), qr/200 OK.*one /s, 'stream');

# a body that was sent early

$s = http("POST /live/post.m3u8 HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a"
    . "Content-Length: 4\x0d\x0a\x0d\x0abody", start => 1);

sleep(0.3);
pin('live', 'live/post', $one);
like(http_end($s), qr/200 OK.*one /s, 'request with a body');

# nothing appears

$time = time();
like(http_get('/short/cam1.m3u8'), qr/ 404 /, 'timed out');

$time = time() - $time;
ok($time > 0.2 && $time < 2, 'after the time') or diag($time);

# a subrequest waits

$s = start('/page.html');

sleep(0.3);
pin('live', 'live/ssi', $two);
like(http_end($s), qr/<two /, 'subrequest');

# clients that leave

@s = map { start('/live/gone.m3u8') } 1 .. 10;
push @s, map { start('/page.html') } 1 .. 4;

sleep(0.3);
close($_) for @s;

ok(wait_log($t, qr!/live/gone\S* \S+" 499 !, 10),
    'clients are noticed when they leave');

pin('live', 'live/gone', $one);
unpin('live', 'live/ssi');

like(http_get('/live/gone.m3u8'), qr/one /, 'works after clients have left');
is(conns('live'), '0 0', 'nothing counted');

# a reload does not end waiting

$s = start('/live/reload.m3u8');

sleep(0.3);
$t->reload();
sleep(1);
pin('live', 'live/reload', $two);

like(http_end($s), qr/200 OK.*two /s, 'old worker woken');

###############################################################################

sub start {
    my ($uri) = @_;

    return http("GET $uri HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a\x0d\x0a",
        start => 1);
}

sub wait_log {
    my ($t, $re, $n) = @_;

    for (1 .. 60) {
        return 1 if (() = $t->read_file('access.log') =~ /$re/g) >= $n;
        sleep(0.05);
    }

    return 0;
}

###############################################################################
