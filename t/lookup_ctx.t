#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in a location: what redirects and subrequests keep.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite ssi mirror/)->plan(9);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone     live 1m;
    unknown  refuse;
    server   127.0.0.1:1 http=%%PORT_8081%%;
    server   127.0.0.1:2 http=%%PORT_8082%%;
}

rtmp_route other {
    zone     other 1m;
    server   127.0.0.1:1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format  route  "$uri $rtmp_route_server";

    upstream live {
        rtmp_route  live http;
    }

    upstream other {
        rtmp_route  other http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;
        access_log   %%TESTDIR%%/route.log route;

        location /live/ {
            rtmp_route        live;
            proxy_pass        http://live;
            proxy_set_header  Host $rtmp_route_server;
        }

        location /named/ {
            rtmp_route  live;
            proxy_pass  http://127.0.0.1:8089;
            error_page  502 = @named;
        }

        location @named {
            rewrite     ^ /somewhere/else break;
            proxy_pass  http://live;
        }

        location /redirect/ {
            rtmp_route  live;
            proxy_pass  http://127.0.0.1:8089;
            error_page  502 = /plain/else;
        }

        location /again/ {
            rtmp_route  live;
            proxy_pass  http://127.0.0.1:8089;
            error_page  502 = /live/cam1.m3u8;
        }

        location /plain/ {
            proxy_pass  http://live/;
        }

        location /parent/ {
            rtmp_route  live;
            alias       %%TESTDIR%%/;
            ssi         on;
        }

        location /child/ {
            proxy_pass  http://live/;
        }

        location /child/other/ {
            proxy_pass  http://other/;
        }

        location /mirrored/ {
            rtmp_route  live;
            mirror      /mirror;
            proxy_pass  http://live;
        }

        location = /mirror {
            internal;
            proxy_pass  http://live/mirror;
        }

        location /ssi/ {
            alias       %%TESTDIR%%/;
            ssi         on;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location / {
            return  200  "one $request_uri $http_host\n";
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;
        access_log   %%TESTDIR%%/two.log;

        location / {
            return  200  "two $request_uri $http_host\n";
        }
    }
}

EOF_CONF

$t->write_file('both.html', '<!--#include virtual="/live/cam1.m3u8" -->'
    . '<!--#include virtual="/live/cam2.m3u8" -->');
$t->write_file('plain.html', '<!--#include virtual="/live/cam1.m3u8" -->'
    . '<!--#include virtual="/plain/live/cam2.m3u8" -->');
$t->write_file('page.html', '<!--#include virtual="/child/a" -->'
    . '<!--#include virtual="/live/cam1.m3u8" -->'
    . '<!--#include virtual="/child/other/a" -->'
    . '<!--#include virtual="/child/b" -->');

port(8089);
$t->run();

###############################################################################

my ($one, $two) = map { $_->{id} } servers('live');

pin('live', 'live/cam1', $one);
pin('live', 'live/cam2', $two);
pin('live', 'named/cam2', $two);
pin('live', 'redirect/cam2', $two);
pin('live', 'again/cam2', $two);
pin('live', 'mirrored/cam2', $two);
pin('live', 'parent/page', $two);
pin('live', 'plain/live/cam2', $two);

like(http_get('/named/cam2.m3u8'), qr!two /somewhere/else!, 'named location');
like(http_get('/redirect/cam2.m3u8'), qr!two /else!, 'internal redirect');
like(http_get('/again/cam2.m3u8'), qr!one !,
    'internal redirect, another look-up');

like(http_get('/ssi/both.html'),
    qr!one /live/cam1.m3u8 \Q$one\E\ntwo /live/cam2.m3u8 \Q$two\E\n!,
    'subrequests have their own');
like(http_get('/ssi/plain.html'), qr!one .*\ntwo /live/cam2!,
    'subrequests do not see each other');
like(http_get('/parent/page.html'), qr!two /a.*\none /live.*\none /a.*\ntwo /b!,
    'parent');
like(http_get('/mirrored/cam2.m3u8'), qr!two /mirrored!, 'mirrored');

$t->stop();

like($t->read_file('two.log'), qr!GET /mirror !, 'mirror');
like($t->read_file('route.log'), qr!^/somewhere/else \Q$two\E$!m,
    'logged after a redirect');

###############################################################################
