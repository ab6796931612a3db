#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "path" in rtmp_route { } with hls_cache: fills, refreshes, searches
# and switches ask for the name of the server, viewers see that of the client.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/)->plan(50);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;

    server  127.0.0.1:1 http=%%PORT_8081%%;
    server  127.0.0.1:2 http=%%PORT_8082%%;
    server  127.0.0.1:3 http=%%PORT_8083%%;

    path  /live/            to=/edge/;
    path  /edge/            stream=live/;
    path  /two/             to=/edge/  servers=127.0.0.1:2,127.0.0.1:3;
    path  /token/           to=/edge/  args=off;
    path  ~ ^/hls/([^/.]+)  stream=live/$1  servers=127.0.0.1:3,127.0.0.1:2;
    path  ~ ^/slow/(a+)+$   to=/edge/$1;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone      hls 32m;
    hls_cache           hls;
    hls_cache_args      token;

    upstream live { rtmp_route live http; keepalive 8; }

    add_header X-Status $hls_cache_status always;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache_variants   _480 _720 _src;
            rtmp_route           live;
            proxy_next_upstream  error timeout http_404;
            proxy_pass           http://live;
        }

        location /api/ {
            hls_cache       off;
            rtmp_route_api  write=on;
        }
    }
}

EOF

my @o = map { hls_origin($t, port(8080 + $_)) } 1 .. 3;

$t->run();

###############################################################################

my ($r, $n, $v);
my ($one, $two, $three) = map { $_->{id} } servers('live');

# what viewers see is under their path, what is asked for under the other

$o[0]->live('cam1', base => '/edge', auto => 1);
pin('live', 'live/cam1', $one);

$r = hls_get('/live/cam1/index.m3u8');
is($r->{status}, 200, 'playlist');
like(hls_uris($r->{body}), qr/^\d+\.ts/, 'relative URIs');

$r = hls_get('/live/cam1/3.ts');
ok($r->{body} eq hls_segment('cam1', '', 0, 3), 'segment');
is(hls_get('/live/cam1/3.ts')->{headers}{'x-status'}, 'HIT', 'from memory');
is($o[0]->count('/edge/cam1/3.ts'), 1, 'asked once');
is($o[0]->count(qr!/live/!), 0, 'never by the name of viewers');

$v = hls_viewer($t, '/live/cam1/index.m3u8', name => 'cam1', every => 0.2);
sleep(2.5);
$n = $o[0]->count('/edge/cam1/index.m3u8');
cmp_ok($n, '>=', 2, 'refreshed');
is($v->faults(), '', 'a viewer is content');
$v->stop();

like(hls_get('/api/1/caches/hls/streams/')->{body}, qr!"live/cam1"!,
    'the stream has its own name');

# the origin's own name leads to the same server

is(hls_get('/edge/cam1/index.m3u8')->{status}, 200, 'own name');
is($_->count(qr!cam1!), 0, 'no other server was asked') for @o[1, 2];

# URIs from the root are passed as they are, and are found by a rule

$o[0]->live('root', base => '/edge', prefix => '/edge/root/');
pin('live', 'live/root', $one);
$r = hls_get('/live/root/index.m3u8');
like(hls_uris($r->{body}), qr!^/edge/root/0\.ts !, 'from the root');
ok(hls_get('/edge/root/3.ts')->{body} eq hls_segment('root', '', 0, 3),
    'which is there');

$o[0]->live('abs', base => '/edge',
    prefix => 'http://127.0.0.1:' . port(8081) . '/edge/abs/');
pin('live', 'live/abs', $one);
$r = hls_get('/live/abs/index.m3u8');
like(hls_uris($r->{body}), qr!^/edge/abs/0\.ts !, 'with the server');
ok(hls_get('/edge/abs/3.ts')->{body} eq hls_segment('abs', '', 0, 3),
    'which is there, too');
is($_->count(qr!root|abs!), 0, 'no other server was asked') for @o[1, 2];

# a master playlist and its variants

$o[0]->live('many', base => '/edge', layout => 'variants');
pin('live', 'live/many', $one);
$r = hls_get('/live/many.m3u8');
like(hls_uris($r->{body}), qr!many_480/index\.m3u8!, 'master');
is(hls_get('/live/many_480/index.m3u8')->{status}, 200, 'variant');

# flat: the key of a segment is that of its playlist

$_->live('flat', base => '/hls', layout => 'flat') for @o;
$r = hls_get('/hls/flat.m3u8');
is($r->{status}, 200, 'flat playlist');
is(hls_get('/hls/flat-2.ts')->{status}, 200, 'flat segment');
cmp_ok($o[2]->count(qr!flat!), '>=', 2, 'of the first server of the list');
is($_->count(qr!flat!), 0, 'and no other') for @o[0, 1];

# the order of servers

$_->live('cam2', base => '/edge') for @o;

is(hls_get('/two/cam2/index.m3u8')->{status}, 200, 'the first server');
is(hls_get('/two/cam2/1.ts')->{status}, 200, 'a segment of it');
is($o[1]->count('/edge/cam2/1.ts'), 1, 'asked there');
is($_->count(qr!cam2!), 0, 'no other') for @o[0, 2];

patch('live', $two, down => JSON::PP::true);
is(hls_get('/two/cam2/2.ts')->{status}, 200, 'the next server');
is($o[2]->count('/edge/cam2/2.ts'), 1, 'asked there');
patch('live', $three, down => JSON::PP::true);
is(hls_get('/two/cam2/3.ts')->{status}, 503, 'none is up');
patch('live', $three, down => JSON::PP::false);
patch('live', $two, down => JSON::PP::false);
is(hls_get('/two/cam2/4.ts')->{status}, 200, 'the first is back');
is($o[1]->count('/edge/cam2/4.ts'), 1, 'asked there');
is($o[0]->count(qr!cam2!), 0, 'never one that is not listed');

# a search: only the second has it, and it is remembered

$o[2]->live('cam3', base => '/edge');
$o[0]->live('cam4', base => '/edge');
is(hls_get('/two/cam3/index.m3u8')->{status}, 200, 'found');
is($o[1]->count('/edge/cam3/index.m3u8'), 1, 'the first was asked');
is(hls_get('/two/cam3/1.ts')->{status}, 200, 'a segment');
is($o[1]->count('/edge/cam3/1.ts'), 0, 'it is known where');
is(hls_get('/two/cam4/index.m3u8')->{status}, 404, 'not found');
is($o[0]->count(qr!cam4!), 0, 'not looked for beyond the list');

# a switch: the playlist stands still, and goes on at the next of the list

$o[1]->live('cam5', base => '/edge', auto => 1, start => 40);
$o[2]->live('cam5', base => '/edge', auto => 1, start => 100);
$o[0]->live('cam5', base => '/edge', auto => 1, start => 200);

$v = hls_viewer($t, '/two/cam5/index.m3u8', name => 'cam5', every => 0.2);
sleep(2.2);
is($o[2]->count(qr!cam5!), 0, 'at the first');
$o[1]->change('cam5', frozen => 1);
ok(hls_wait(sub {
    hls_get('/two/cam5/index.m3u8')->{body} =~ /^1\d\d\.ts\?g=1$/m }, 15),
    'goes on at the second');
is($o[0]->count(qr!cam5!), 0, 'and not at any other');
$v->stop();

# arguments

$o[0]->set('/edge/tok/index.m3u8', body => "#EXTM3U\n");
pin('live', 'token/tok', $one);
hls_get('/token/tok/index.m3u8?token=abc');
is($o[0]->count('/edge/tok/index.m3u8'), 1, 'no arguments');
pin('live', 'live/tok', $one);
hls_get('/live/tok/index.m3u8?token=abc');
is($o[0]->count('/edge/tok/index.m3u8?token=abc'), 1, 'those that count');

# what is refused is asked of nobody

is(hls_get('/slow/' . 'a' x 900 . '!.m3u8')->{status}, 404, 'slow regex');
is(hls_get('/live/a%01/index.m3u8')->{status}, 404, 'control character');
is($o[0]->count(qr!slow|%01!), 0, 'not asked for');

###############################################################################
