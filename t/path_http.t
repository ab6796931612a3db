#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "path" in rtmp_route { }: rules for names of HTTP requests.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;

use Time::HiRes qw/ time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/)->plan(92);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

pcre_jit on;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
    server  127.0.0.1:2 http=%%PORT_8082%%;
    server  127.0.0.1:3 http=%%PORT_8083%%;

    path  ~ ^/hls/([^/.]+)                 stream=live/$1;
    path  /dash/                           stream=live/;
    path  /pub/                            to=/edge/;
    path  /live/                           to=/origin/live/  args=off;
    path  /bare/                           args=off;
    path  /both/    stream=live/           to=/edge/;
    path  /two/     servers=127.0.0.1:2,127.0.0.1:3;
    path  /keyed/   servers=127.0.0.1:3;
    path  ~ ^/keyed-slow/(a+)+$            servers=127.0.0.1:3;
    path  ~ ^/esc/(.+)$                    to=/out/$1;
    path  ~ ^/name/(?<app>[^/]+)/(?<n>.+)  to=/$n/$app;
    path  ~ ^/slow/(a+)+$                  to=/x/$1;
    path  ~ ^/utf/(.)\.m3u8$               to=/u/$1.m3u8;
    path  /a/                              to=/b/;
    path  /b/                              to=/a/;
}

rtmp_route refuse {
    zone     refuse 1m;
    unknown  refuse;
    server   127.0.0.1:1 http=%%PORT_8081%%;
    server   127.0.0.1:2 http=%%PORT_8082%%;
    server   127.0.0.1:3 http=%%PORT_8089%%  max_fails=0;

    path     /vod/   servers=127.0.0.1:2,127.0.0.1;
    path     /dead/  servers=127.0.0.1:3,127.0.0.1;
    path     /gone/  servers=127.0.0.1:9;
    path     /hard/  servers=127.0.0.1:3;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live    { rtmp_route  live  http; }
    upstream keyed   { rtmp_route  live  http  key=live/$arg_name; }
    upstream refuse  { rtmp_route  refuse  http; }

    log_format  asked  '$request_uri $uri';

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        add_header   X-Server  $rtmp_route_server  always;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /balancer/ {
            rewrite     ^/balancer(/.*)$ $1 break;
            proxy_pass  http://live;
        }

        location /keyed {
            proxy_pass  http://keyed;
        }

        location /keyed/looked/ {
            rtmp_route  live;
            proxy_pass  http://keyed;
        }

        location ~ ^/(vod|dead|gone|hard|other)/ {
            rtmp_route  refuse;
            proxy_pass  http://refuse;
        }

        location /b/again/ {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /a/first/ {
            rtmp_route  live;
            error_page  418 = /a/first/cup;
            proxy_intercept_errors  on;
            proxy_pass  http://live;
        }

        location /bare/tea {
            rtmp_route  live;
            error_page  418 = @again;
            proxy_intercept_errors  on;
            proxy_pass  http://live;
        }

        location @again {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /quiet/ {
            rtmp_route_api  names=off;
        }
    }

    server {
        listen       127.0.0.1:8084;
        server_name  localhost;

        merge_slashes  off;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location / {
            return  200  "one $request_uri\n";
        }

        location /b/first/tea {
            return  418;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location / {
            return  200  "two $request_uri\n";
        }

        location /bare/tea {
            return  418;
        }
    }

    server {
        listen       127.0.0.1:8083;
        server_name  localhost;

        location / {
            return  200  "three $request_uri\n";
        }
    }
}

EOF_CONF

port(8089);

$t->run();

###############################################################################

my ($one, $two, $three) = map { $_->{id} } servers('live');

# stream=

pin('live', 'live/cam2', $two);
pin('live', 'live/cam3', $three);
pin('live', 'live/cam3_720', $one);

like(http_get('/hls/cam2.m3u8?a=b'), qr!^two /hls/cam2\.m3u8\?a=b$!m,
    'stream of a regex');
like(http_get('/hls/cam3.m3u8'), qr!^three /hls/!m, 'another stream');
like(http_get('/hls/cam2/index.m3u8'), qr!^two !m, 'directory');
like(http_get('/hls/cam3/12.ts'), qr!^three !m, 'segment in a directory');
like(http_get('/hls/cam2-12.ts'), qr!^two !m, 'segment of a flat layout');
like(http_get('/hls/cam3-12.ts'), qr!^three !m, 'segment of another');
like(http_get('/hls/cam3_720.m3u8'), qr!^one !m, 'a name of its own');
like(http_get('/dash/cam2.mpd'), qr!^two /dash/cam2\.mpd$!m,
    'stream of a prefix');
like(http_get('/dash/cam3/index.m3u8'), qr!^three !m, 'prefix, directory');
like(http_get('/balancer/hls/cam2.m3u8'), qr!^two !m,
    'balancer without a look-up');
like(http_get('/balancer/hls/cam3.m3u8'), qr!^three !m,
    'balancer, another stream');
like(http_get('/hls/cam3.m3u8?app=live&stream=cam2'), qr!^three !m,
    'arguments do not decide');

# to=

like(http_get('/pub/cam1.m3u8'), qr!^\w+ /edge/cam1\.m3u8$!m, 'to');
like(http_get('/pub/cam1.m3u8?a=%20&b'), qr!^\w+ /edge/cam1\.m3u8\?a=%20&b$!m,
    'arguments go on');
like(http_get('/live/cam2.m3u8?token=1'), qr!^two /origin/live/cam2\.m3u8$!m,
    'arguments dropped, key of the public name');
like(http_get('/bare/cam1.m3u8?token=1'), qr!^\w+ /bare/cam1\.m3u8$!m,
    'arguments dropped alone');
like(http_get('/bare/cam1.m3u8'), qr!^\w+ /bare/cam1\.m3u8$!m,
    'no arguments');
like(http_get('/both/cam3.m3u8'), qr!^three /edge/cam3\.m3u8$!m, 'both');
like(http_get('/name/live/cam1.ts'), qr!^\w+ /cam1\.ts/live$!m,
    'named captures');
like(http_get('/a/x.m3u8'), qr!^\w+ /b/x\.m3u8$!m, 'one pass');
like(http_get('/b/x.m3u8'), qr!^\w+ /a/x\.m3u8$!m, 'and the other way');
like(http_get('/a/first/x.m3u8'), qr!^\w+ /b/first/x\.m3u8$!m, 'once');
pin('live', "a/first/$_", $one) for qw/ tea cup /;
like(http_get('/a/first/tea?q'), qr!^one /b/first/cup!m, 'a redirect');

pin('live', 'bare/tea', $one);
like(http_get('/bare/tea?app=live&stream=cam2'), qr!X-Server: \Q$two\E\x0d!,
    'a redirect has the arguments again');

# what is passed is escaped as it was

like(http_get('/esc/a%20b%25c.m3u8'), qr!^\w+ /out/a%20b%25c\.m3u8$!m,
    'escaped');
like(http_get('/esc/caf%c3%a9.m3u8'), qr!^\w+ /out/caf%C3%A9\.m3u8$!m,
    'UTF-8');
like(http_get('/esc/%2525.m3u8'), qr!^\w+ /out/%2525\.m3u8$!m, 'twice');
like(http_get('/esc/a%23b.m3u8'), qr!^\w+ /out/a%23b\.m3u8$!m, 'a "#"');
like(http_get('/esc/$1.m3u8'), qr!^\w+ /out/\$1\.m3u8$!m, 'a "$"');
like(http_get('/esc/a%3fb.m3u8'), qr! 404 !, 'a "?"');
like(http_get('/esc/a%01b.m3u8'), qr! 404 !, 'a control character');
like(http_get('/esc/a%0d%0aX-Bad:%201'), qr! 404 !, 'a header');
like(http_get('/esc/%2e%2e/%2e%2e/etc/passwd'), qr! 400 |^\w+ /etc/passwd$!m,
    'parent directories are nginx\'s');
like(http_get('/esc/' . 'a' x 1020), qr!^\w+ /out/a+$!m, 'long');
like(http_get('/esc/' . 'a' x 1021), qr! 404 !, 'too long');
like(http_get('/utf/%c3%a9.m3u8'), qr!^\w+ /utf/!m, 'bytes, not letters');

# regexes that take too long

my $start = time();

like(http_get('/slow/' . 'a' x 900 . '!'), qr! 404 !, 'slow regex');
http_get('/slow/' . 'a' x 900 . '!') for 1 .. 9;

cmp_ok(time() - $start, '<', 5, 'nobody waits for it');
like(http_get('/slow/aaa'), qr!^\w+ /x/aaa$!m, 'it does for others');

my $log = $t->read_file('error.log');
is(scalar(() = $log =~ /takes too long/g), 1, 'one line in the log');
like($log, qr!\[warn\].*regex "\^/slow/\(a\+\)\+\$" of rtmp_route "live"!,
    'which names it');
unlike($log, qr!regex .*aaaa.*takes!, 'and not the name');

# servers=

for my $i (1 .. 10) {
    my $r = http_get("/two/x$i.m3u8");
    fail("the first server: $r") unless $r =~ /^two /m;
}

pass('the first server');
like(http_get('/two/x.m3u8'), qr!X-Server: \Q$two\E\x0d!, 'variable');
patch('live', $two, down => JSON::PP::true);
like(http_get('/two/x.m3u8'), qr!^three !m, 'the next');
patch('live', $three, drain => JSON::PP::true);
like(http_get('/two/x.m3u8'), qr! 503 !, 'and none else');
like(http_get('/two/x.m3u8'), qr!Retry-After: 1\x0d!, 'retry after');
like(http_get('/balancer/two/x.m3u8'), qr! 502 !, 'nor by the balancer');
patch('live', $three, drain => JSON::PP::false);
like(http_get('/two/x.m3u8'), qr!^three !m, 'it takes new ones again');
patch('live', $two, down => JSON::PP::false);
like(http_get('/two/x.m3u8'), qr!^two !m, 'the first has come back');
like(http_get('/balancer/two/x.m3u8'), qr!^two !m, 'balancer');
like(http_get('/balancer/two/' . 'x' x 1100), qr!^two !m, 'that has no name');

pin('live', 'two/pin', $three);
like(http_get('/two/pin.m3u8'), qr!^three !m, 'a pin within the list');
pin('live', 'two/pin', $one);
like(http_get('/two/pin.m3u8'), qr!^two !m, 'not one elsewhere');

pin('live', 'live/k', $one);
like(http_get('/keyed/x.m3u8?name=k'), qr!^three !m, 'key of the balancer');

# slashes are single for rules as they are for keys

my %slashes = (PeerAddr => '127.0.0.1:' . port(8084));

like(http_get('//two///x.m3u8', %slashes), qr!^two //two///x\.m3u8$!m,
    'servers, slashes');
like(http_get('//hls//cam3.m3u8', %slashes), qr!^three //hls//!m,
    'stream, slashes');
like(http_get('//both//cam3.m3u8', %slashes), qr!^three /edge/cam3\.m3u8$!m,
    'to, slashes');

# what a rule refuses has no server, whoever asks

my $slow = 'a' x 900 . '!';

like(http_get("/balancer/slow/$slow"), qr! 502 !, 'refused by the balancer');
like(http_get('/balancer/esc/a%01b'), qr! 502 !, 'no name, refused');
like(http_get("/keyed-slow/$slow?name=k"), qr! 502 !, 'refused with a key');
like(http_get('/keyed/looked/x.m3u8?name=k'), qr!^three !m, 'after a look-up');

like(http_get('/vod/x.m3u8'), qr!^two !m, 'unknown and not refused');
like(http_get('/other/x.m3u8'), qr! 404 !, 'refused without a list');
like(http_get('/dead/x.m3u8'), qr!^one !m, 'a failed connection');
like(http_get('/dead/x.m3u8'), qr!^one !m, 'and again');
like(http_get('/gone/x.m3u8'), qr! 503 !, 'a server that is not there');
like(http_get('/hard/x.m3u8'), qr! 502 !, 'no other is tried');

api('POST', 'refuse/servers/', { id => '127.0.0.1:9', server => '127.0.0.1',
    http => ['' . port(8083)] });
like(http_get('/gone/x.m3u8'), qr!^three !m, 'it has come');

# where would this go?

my $before = join(' ', map { $_->{selected} } servers('live'));

is(lookup('live', '/hls/cam2.m3u8?x=1'), "~ ^/hls/([^/.]+) | live/cam2 | "
    . "/hls/cam2.m3u8 | 1 |  | $two | pin | 200", 'lookup, stream');
is(lookup('live', '/hls/cam3-12.ts'), "~ ^/hls/([^/.]+) | live/cam3 | "
    . "/hls/cam3-12.ts | 1 |  | $three | pin | 200", 'lookup, segment');
is(lookup('live', '/two/x.m3u8'), "/two/ | two/x | /two/x.m3u8 | 1 | "
    . "$two,$three | $two |  | 200", 'lookup, servers');
is(lookup('live', '/live/cam2.m3u8'), "/live/ | live/cam2 | "
    . "/origin/live/cam2.m3u8 | 0 |  | $two | pin | 200", 'lookup, to');
is(lookup('live', '/live/cam2', 'play'), "/live/ | live/cam2 | "
    . "/origin/live/cam2 | 0 |  | $two | pin | 200", 'lookup, play');
is(lookup('live', '/both/cam2', 'publish'), "/both/ | live/cam2 | "
    . "/edge/cam2 | 1 |  | $two | pin | 200", 'lookup, publish');
like(lookup('live', '/none/x'), qr!^ \| none/x \| /none/x \| 1 \|  \| 127!,
    'lookup, no rule');
is(lookup('live', '/esc/a%01b'), '~ ^/esc/(.+)$ |  |  |  |  |  |  | 404',
    'lookup, refused');
is(lookup('live', '/..'), ' |  |  |  |  |  |  | 404', 'lookup, no name');
is(lookup('refuse', '/other/x'), ' | other/x | /other/x | 1 |  |  |  | 404',
    'lookup, unknown');
is(lookup('refuse', '/vod/x'), "/vod/ | vod/x | /vod/x | 1 | "
    . "127.0.0.1:2,127.0.0.1 | 127.0.0.1:2 |  | 200", 'lookup, list');
patch('refuse', '127.0.0.1:3', down => JSON::PP::true);
is(lookup('refuse', '/hard/x'), '/hard/ | hard/x | /hard/x | 1 | '
    . '127.0.0.1:3 |  |  | 503', 'lookup, none is up');
is(join(' ', map { $_->{selected} } servers('live')), $before,
    'nothing has changed');
is(api('GET', 'live')->{paths}, 15, 'number of rules');
like(request('GET', "/api/1/routes/live/lookup$_"), qr! 400 .*ArgumentInv!s,
    "wrong arguments $_")
    for '', '?path=', '?path=x', '?path=/x&type=y', '?path=/x&y=z';
unlike(request('GET', '/quiet/1/routes/live/lookup?path=/hls/cam2'),
    qr!"stream"!, 'names are hidden');
unlike(request('GET', "/quiet/1/routes/live/lookup?path=/both/cam2$_"),
    qr!"to"|/edge/!, 'so are those of the server')
    for '', '&type=publish';

like($t->read_file('error.log'),
    qr!\[warn\].*server "127.0.0.1:9" of path "/gone/" is not known yet!,
    'who is not there yet is named');

###############################################################################

sub lookup {
    my ($route, $path, $type) = @_;
    my $r = api('GET', "$route/lookup?path=$path"
        . ($type ? "&type=$type" : '')) || {};

    return join(' | ', map { $_ // '' } @$r{qw/ rule stream to /},
        exists $r->{args} ? $r->{args} ? 1 : 0 : '',
        join(',', @{$r->{servers} || []}), @$r{qw/ server source status /});
}

###############################################################################
