#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: how long objects are good.

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

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(46);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    add_header X-Status $hls_cache_status always;

    server {
        listen 127.0.0.1:8080;

        hls_cache hls;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /valid/ {
            proxy_pass       http://127.0.0.1:8081;
            hls_cache_valid  playlist 300ms;
            hls_cache_valid  segment 400ms;
            hls_cache_valid  404 3s;
        }

        location /month/ {
            proxy_pass       http://127.0.0.1:8081;
            hls_cache_valid  playlist segment 30d;
        }

        location /honor/ {
            proxy_pass               http://127.0.0.1:8081;
            hls_cache_honor_headers  on;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($r, $start);

# a playlist: half of its target duration, 2 s

$o->live('cam1', duration => 4, target => 4);
is(status('/live/cam1/index.m3u8'), '200 MISS', 'playlist');
is(status('/live/cam1/index.m3u8'), '200 HIT', 'again');
is($o->count('/live/cam1/index.m3u8'), 1, 'one request');

$o->live('cam2', duration => 4, target => 4);
hls_get('/live/cam2/index.m3u8');
sleep(2.1);

$o->advance('cam2');
$r = hls_get('/live/cam2/index.m3u8');
is($r->{headers}{'x-status'}, 'EXPIRED', 'after half of the target');
like($r->{body}, qr/^6\.ts$/m, 'is what there is now');

# at least 200 ms

$o->live('short', duration => 0.1, target => 0.2);
$start = time();
hls_get('/live/short/index.m3u8') for 1 .. 20;
cmp_ok($o->count('/live/short/index.m3u8'), '<=',
    1 + int((time() - $start) / 0.2), 'at least so long');

# the next change comes before: 500 ms of a target duration of 10 s

$o->live('change', duration => 0.5, target => 10);
hls_get('/live/change/index.m3u8');
sleep(0.6);
is(status('/live/change/index.m3u8'), '200 EXPIRED', 'the next change');

# a master playlist

$o->live('var', layout => 'variants');
hls_get('/live/var.m3u8');
sleep(2);
is(status('/live/var.m3u8'), '200 HIT', 'master playlist');
is($o->count('/live/var.m3u8'), 1, 'master playlist: one request');

# the end

$o->live('end', duration => 0.2, target => 1, endlist => 1);
hls_get('/live/end/index.m3u8');
sleep(1.5);
is(status('/live/end/index.m3u8'), '200 HIT', 'ENDLIST');
is($o->count('/live/end/index.m3u8'), 1, 'ENDLIST: one request');

# segments

is(status('/live/cam1/5.ts'), '200 MISS', 'segment');
is(status('/live/cam1/5.ts'), '200 HIT', 'segment again');
ok(hls_get('/live/cam1/5.ts')->{body} eq hls_segment('cam1', '', 0, 5),
    'segment: bytes');
is($o->count('/live/cam1/5.ts'), 1, 'segment: one request');

# errors, a second at most

is(status('/live/cam1/none.ts'), '404 MISS', 'not there');
is(status('/live/cam1/none.ts'), '404 HIT', 'remembered');
is($o->count('/live/cam1/none.ts'), 1, 'one request');
$o->set('/live/cam1/none.ts', size => 1000);
sleep(1.1);
is(status('/live/cam1/none.ts'), '200 MISS', 'not for long');

# hls_cache_valid

$o->live('v', base => '/valid', duration => 4);
is(status('/valid/v/index.m3u8'), '200 MISS', 'valid: playlist');
is(status('/valid/v/5.ts'), '200 MISS', 'valid: segment');
is(status('/valid/none.ts'), '404 MISS', 'valid: error');
sleep(0.5);
is(status('/valid/v/index.m3u8'), '200 EXPIRED', 'valid: playlist later');
is(status('/valid/v/5.ts'), '200 MISS', 'valid: segment later');
sleep(0.7);
is(status('/valid/none.ts'), '404 HIT', 'valid: error later');

# times are counted in 32 bits

$o->live('m', base => '/month', duration => 4);
hls_get($_) for '/month/m/index.m3u8', '/month/m/5.ts';
is(status('/month/m/index.m3u8'), '200 HIT', 'valid: playlist for a month');
is(status('/month/m/5.ts'), '200 HIT', 'valid: segment for a month');

# what the origin says does not count

$o->set('/private/a.ts', size => 1000, headers => ['Cache-Control: no-store',
    'Expires: Thu, 01 Jan 1970 00:00:01 GMT', 'Pragma: no-cache',
    'Set-Cookie: a=b', 'Vary: Origin', 'Access-Control-Allow-Origin: x']);
$r = hls_get('/private/a.ts');
is(status('/private/a.ts'), '200 HIT', 'no-store is stored');
ok(!defined $r->{headers}{'set-cookie'}, 'no cookie');
unlike($r->{headers}{vary} || '', qr/Origin/, 'no Vary');
isnt($r->{headers}{'access-control-allow-origin'} || '', 'x', 'no CORS');

# unless it is private

my $n = 0;

for my $header ('Cache-Control: private', 'Vary: *', 'Content-Encoding: x') {
    my $uri = '/private/' . $n++ . '.ts';

    $o->set($uri, size => 1000, headers => [$header]);
    is(status($uri), '200 BYPASS', "$header");
    is(status($uri), '200 BYPASS', "$header, again");
    is($o->count($uri), 3, "$header: remembered");
}

# or is to be honoured

$o->set('/honor/a.ts', size => 1000, headers => ['Cache-Control: no-cache']);
$o->set('/honor/b.ts', size => 1000, headers => ['Cache-Control: max-age=1']);
hls_get('/honor/a.ts');
is(status('/honor/a.ts'), '200 BYPASS', 'honoured: no-cache');
is(status('/honor/b.ts'), '200 MISS', 'honoured: max-age');
sleep(1.1);
is(status('/honor/b.ts'), '200 MISS', 'honoured: max-age is over');

# types

$o->set('/type/a.m3u8', body => "#EXTM3U\n#EXT-X-TARGETDURATION:1\n",
    type => 'text/plain');
$o->set('/type/a.ts', size => 10, type => 'application/octet-stream');
$o->set('/type/b.ts', size => 10, type => 'video/x');

is(type('/type/a.m3u8'), 'application/vnd.apple.mpegurl', 'a playlist');
is(type('/type/a.ts'), 'video/mp2t', 'a segment');
is(type('/type/b.ts'), 'video/x', 'what the origin says');

###############################################################################

sub status {
    my $r = hls_get(@_);

    return "$r->{status} $r->{headers}{'x-status'}";
}

sub type {
    return hls_get(@_)->{headers}{'content-type'};
}

###############################################################################
