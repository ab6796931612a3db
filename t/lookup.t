#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in a location: finds the server of a stream before the
# content handler runs.

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

my $t = Test::Nginx->new()->has(qw/http proxy rewrite ssi/)->plan(40);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone     live 1m;
    unknown  refuse;
    server   127.0.0.1:1 http=%%PORT_8081%% api=%%PORT_8083%%;
    # a name to nginx, and one address, which localhost is not everywhere
    server   127.1:2 http=%%PORT_8082%%;
}

rtmp_route pick {
    zone     pick 1m;
    server   127.0.0.1:1 http=%%PORT_8081%%;
    server   127.0.0.1:2 http=%%PORT_8082%%;
}

rtmp_route turn {
    zone     turn 1m;
    unknown  pick;
    round_robin;
    server   127.0.0.1:1 http=%%PORT_8081%%;
    server   127.1:2 http=%%PORT_8082%%;
}

rtmp_route none {
    zone     none 1m;
    server   127.0.0.1:1 http=%%PORT_8081%% down;
}

rtmp_route named {
    zone     named 1m;
    key      stream;
    unknown  refuse;
    server   127.0.0.1:1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format  route  "$uri $status $rtmp_route_server "
                       "$rtmp_route_scheme $rtmp_route_host";

    upstream live {
        rtmp_route  live http;
    }

    upstream live_api {
        rtmp_route  live api;
    }

    upstream pick {
        rtmp_route  pick http;
    }

    upstream turn {
        rtmp_route  turn http;
    }

    upstream named {
        rtmp_route  named http;
    }

    add_header  X-Server  "$rtmp_route_server"  always;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;
        access_log   %%TESTDIR%%/route.log route;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /path/ {
            rtmp_route  live;
            rewrite     ^/path(.*)$ $1 break;
            proxy_pass  http://live;
        }

        location /host/ {
            rtmp_route  live;
            rewrite     ^/host(.*)$ $1 break;
            proxy_pass  $rtmp_route_scheme://live;
            proxy_set_header  Host $rtmp_route_host;
        }

        location /rtc/ {
            rtmp_route  live api;
            proxy_pass  http://live_api;
        }

        location /pick/ {
            rtmp_route  pick;
            proxy_pass  http://pick;
        }

        location /named/ {
            rtmp_route  named;
            proxy_pass  http://named;
        }

        location /noapi/ {
            rtmp_route  named api;
            proxy_pass  http://named;
        }

        location /turn/ {
            rtmp_route        turn;
            proxy_pass        http://turn;
            proxy_set_header  Host $rtmp_route_host;
        }

        location /none/ {
            rtmp_route  none;
            proxy_pass  http://live;
        }

        location /retry/ {
            rtmp_route  none;
            proxy_pass  http://live;
            error_page  503 = @retry;
        }

        location @retry {
            return  200  "retry $rtmp_route_server\n";
        }

        location /if/ {
            rtmp_route  live;
            proxy_pass  http://live;

            if ($arg_route = "pick") {
                rtmp_route  pick;
                proxy_pass  http://pick;
            }

            if ($arg_route = "off") {
                rtmp_route  off;
                proxy_pass  http://127.0.0.1:8081;
            }
        }

        location /fallback/ {
            rtmp_route  live;
            rewrite     ^/fallback(.*)$ $1 break;
            proxy_pass  http://127.0.0.1:8089;
            error_page  502 = @fallback;
        }

        location @fallback {
            proxy_pass  http://live;
        }

        location /missing/ {
            rtmp_route  live;
            rewrite     ^/missing(.*)$ $1 break;
            proxy_pass  http://live;
            error_page  404 = @missing;
        }

        location @missing {
            return  200  "fallback $rtmp_route_server\n";
        }

        location /nested/ {
            rtmp_route  live;

            location /nested/off/ {
                rtmp_route  off;
                return      200  "off\n";
            }

            location /nested/on/ {
                try_files   /absent @missing;
            }
        }

        location = /page.html {
            ssi     on;
        }

        location /none {
            return  200  "no look-up $rtmp_route_server\n";
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

        location / {
            return  200  "two $request_uri $http_host\n";
        }
    }

    server {
        listen       127.0.0.1:8083;
        server_name  localhost;

        location / {
            add_header  Location  /rtc/session/1;
            set     $auth  $http_authorization;
            return  201    "api $request_method $request_uri $auth\n";
        }
    }
}

EOF_CONF

$t->write_file('page.html', 'X<!--#include virtual="/live/cam1.m3u8" -->X'
    . '<!--#include virtual="/live/cam2.m3u8" -->X');
$t->run();

###############################################################################

my ($one, $two) = map { $_->{id} } servers('live');

ok(pin('live', 'live/cam1', $one), 'stream pinned');
ok(pin('live', 'live/cam2', $two), 'other stream pinned');
pin('live', 'app/hls/cam3', $two);
pin('live', 'live/deep', $one);
pin('live', 'live/deep/720', $two);
pin('named', 'cam1', $one);

# known streams go to their server

like(http_get('/live/cam1.m3u8'), qr!200 OK.*one /live/cam1\.m3u8!s, 'known');
like(http_get('/live/cam2.m3u8'), qr!200 OK.*two /live/cam2\.m3u8!s,
    'known, other server');
like(http_get('/live/cam2/index.m3u8?a=b&c=%20'),
    qr!two /live/cam2/index\.m3u8\?a=b&c=%20!, 'directory, arguments kept');
like(http_get('/app/hls/cam3/seg-1.ts'), qr!two /app/hls/cam3/seg-1\.ts!,
    'longer path');
like(http_get('/live/%63am2.m3u8'), qr!two /live/%63am2\.m3u8!,
    'encoded, path passed as it is');
like(http_get('/live//x/../cam2.m3u8'), qr!two /live//x/!, 'normalised');
like(http_get('/live/deep/720.m3u8'), qr!two !, 'name before directory');
like(http_get('/live/deep/480.m3u8'), qr!one !, 'then the directory');
like(http_get('/path/live/cam2.m3u8'), qr!two /live/cam2\.m3u8!, 'rewritten');
like(http_get('/named/cam1.m3u8'), qr!one /named/cam1\.m3u8!, 'key of stream');

# variables

like(http_get('/live/cam2.m3u8'), qr!^X-Server: \Q$two\E\x0d$!m,
    'server variable');
like(http_get('/host/live/cam2.m3u8'), qr!two /live/cam2\.m3u8 127\.1!,
    'host and scheme variables');
like(http_get('/none'), qr!no look-up \n!, 'no variables without look-up');

# refusals

like(http_get('/live/unknown.m3u8'), qr/ 404 /, 'unknown refused');
like(http_get('/'), qr/ 404 /, 'names no stream');
like(http_get('/none/cam1.m3u8'), qr/ 503 .*^Retry-After: 1\x0d$/ms,
    'no servers');
like(http_get('/retry/cam1.m3u8'), qr/200 OK.*retry \n/s,
    'no servers, error page');

# unknown picked by hash

my (%n, %seen);

for my $i (1 .. 30) {
    my ($body) = http_get("/pick/cam$i.m3u8") =~ /(one|two) \/pick/;
    $n{$body || 'none'}++;
    $seen{"$i $body"}++;
    ($body) = http_get("/pick/cam$i/index.m3u8") =~ /(one|two) \/pick/;
    $seen{"$i $body"}++;
}

is(join(' ', sort keys %n), 'one two', 'unknown on both servers');
is(keys %seen, 30, 'unknown sticks to its server');
is_deeply(api('GET', 'pick/streams/'), {}, 'nothing remembered');

# round robin: the balancer takes what the look-up has seen

my $turns = join(' ', map { http_get("/turn/cam$_") =~ /\n(\S+) \S+ (\S+)$/ }
    1 .. 4);

like($turns, qr/^(?=.*one)(?=.*two)((one 127\.0\.0\.1|two 127\.1) ?){4}$/,
    'round robin');
is(join(' ', map { $_->{selected} } servers('turn')), '2 2',
    'selected once each');

# other protocols

my $r = request('POST', '/rtc/v1/whip/?app=live&stream=cam1', 'v=0',
    'Authorization: Bearer abc');

like($r, qr!201 Created.*api POST /rtc/v1/whip/\?app=live&stream=cam1 Bearer!s,
    'whip');
like($r, qr!^Location: /rtc/session/1\x0d$!m, 'whip location');
like(request('DELETE', '/rtc/v1/whip/?app=live&stream=cam1'),
    qr!api DELETE!, 'whip delete');
like(http_get('/noapi/cam1'), qr/ 503 /, 'no server with the protocol');

# where it may stand

pin('live', 'if/cam1', $two);

like(http_get('/if/cam1.m3u8'), qr!two /if!, 'if, not taken');
like(http_get('/if/cam9.m3u8'), qr! 404 !, 'if, not taken, unknown');
like(http_get('/if/cam9.m3u8?route=pick'), qr!(one|two) /if!, 'if, taken');
like(http_get('/if/cam9.m3u8?route=off'), qr!one /if!, 'if, off');

like(http_get('/fallback/live/cam2.m3u8'), qr!two /live/cam2!,
    'choice survives a named location');
like(http_get('/missing/live/cam9.m3u8'), qr!200 OK.*fallback \n!s,
    'error page of unknown');

like(http_get('/nested/off/x'), qr!off!, 'nested off');
like(http_get('/nested/on/x'), qr! 404 !, 'nested, inherited');

like(http_get('/page.html'),
    qr!Xone /live/cam1\.m3u8.*\nXtwo /live/cam2\.m3u8!,
    'subrequests have their own');

is(conns('live'), '0 0', 'nothing counted');

$t->stop();

like($t->read_file('route.log'),
    qr!^/live/cam2\.m3u8 200 \Q$two\E http 127\.1$!m, 'logged');
like($t->read_file('route.log'), qr!^/live/unknown\.m3u8 404 - - -$!m,
    'logged, not found');

###############################################################################
