#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: headers of answers, conditional requests, errors.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/)->plan(68)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;
    hls_cache hls;

    add_header X-Status $hls_cache_status always;
    add_header X-Age "$hls_cache_age" always;

    log_format status "$uri $status $hls_cache_status";
    access_log %%TESTDIR%%/status.log status;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /page/ {
            proxy_pass http://127.0.0.1:8081;
            error_page 404 503 /page.html;
        }

        location /named/ {
            proxy_pass http://127.0.0.1:8081;
            error_page 404 = @named;
        }

        location /expires/ {
            expires    7d;
            proxy_pass http://127.0.0.1:8081;
        }

        location @named {
            hls_cache off;
            return    200 named;
        }

        location = /page.html {
            hls_cache off;
            root      %%TESTDIR%%;
        }

        location /static/ {
            alias %%TESTDIR%%/static/;
        }

        location /closed/ {
            proxy_pass http://127.0.0.1:8081;
            deny       all;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

mkdir($t->testdir() . '/static');
$t->write_file('static/1.ts', 'static segment');
$t->write_file('page.html', 'page');

my $modified = 'Mon, 28 Sep 1970 06:00:00 GMT';
my $list = "#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\n1.ts\n";

$o->set('/1.ts', size => 1000, headers => ["Last-Modified: $modified",
    'ETag: "origin"', 'Cache-Control: no-store', 'Set-Cookie: a=b',
    'Access-Control-Allow-Origin: https://a.example', 'X-Other: x',
    'Vary: Origin', 'Expires: Thu, 01 Jan 1970 00:00:01 GMT']);
$o->set('/1.m3u8', body => $list, type => 'application/x-mpegURL',
    headers => ["Last-Modified: $modified", 'Cache-Control: no-cache']);
$o->set('/2.m3u8', body => $list, type => 'text/plain');
$o->set('/1.key', body => 'k' x 16);
$o->set('/none.mp4', size => 10, type => 'application/octet-stream');
$o->set('/charset.vtt', size => 10, type => 'text/vtt; charset=utf-8');
$o->set('/empty.ts', body => '', type => 'video/mp2t');
$o->set('/busy.ts', status => 503);
$o->set('/expires/1.ts', size => 10);

$t->run();

###############################################################################

my ($r, $etag);

# a segment

$r = hls_get('/1.ts');
is("$r->{status} $r->{length} $r->{complete}", '200 1000 1', 'segment');
is($r->{headers}{'x-status'}, 'MISS', 'miss');

$r = hls_get('/1.ts');
is("$r->{status} $r->{length} $r->{complete}", '200 1000 1', 'segment again');
is($r->{headers}{'x-status'}, 'HIT', 'hit');
is($r->{headers}{'content-type'}, 'video/mp2t', 'type');
is($r->{headers}{'content-length'}, 1000, 'length');
is($r->{headers}{'last-modified'}, $modified, 'modified');
is($r->{headers}{'accept-ranges'}, 'bytes', 'ranges');
like($r->{headers}{'age'}, qr/^[01]$/, 'age');
like($r->{headers}{'cache-control'}, qr/^max-age=[1-9]\d+$/, 'control');
like($r->{headers}{'etag'}, qr/^"[0-9a-f]+"$/, 'etag is of the content');
is(join(' ', grep { defined $r->{headers}{$_} }
    qw/ set-cookie access-control-allow-origin x-other vary expires pragma /),
    '', 'nothing else of the origin');

$etag = $r->{headers}{etag};

sleep(1.1);

$r = hls_get('/1.ts');
like($r->{headers}{'age'}, qr/^[12]$/, 'age grows');
like($r->{headers}{'x-age'}, qr/^[12]$/, 'age variable');

# conditional requests

is(cond('/1.ts', "If-None-Match: $etag"), '304 0', 'same etag');
is(cond('/1.ts', "If-None-Match: \"a\", $etag"), '304 0', 'one of two');
is(cond('/1.ts', "If-None-Match: W/$etag"), '304 0', 'weak');
is(cond('/1.ts', 'If-None-Match: *'), '304 0', 'any');
is(cond('/1.ts', 'If-None-Match: "origin"'), '200 1000', 'another etag');
is(cond('/1.ts', "If-Modified-Since: $modified"), '304 0', 'not modified');
is(cond('/1.ts', 'If-Modified-Since: Mon, 28 Sep 1970 05:00:00 GMT'),
    '200 1000', 'modified');
is(cond('/1.ts', "If-Match: $etag"), '200 1000', 'if-match');
like(cond('/1.ts', 'If-Match: "origin"'), qr/^412 /, 'precondition failed');
is(cond('/1.ts', "If-Unmodified-Since: $modified"), '200 1000',
    'if-unmodified-since');

$r = hls_get('/1.ts', headers => ["If-None-Match: $etag"]);
is($r->{headers}{etag}, $etag, 'etag of 304');
like($r->{headers}{'cache-control'}, qr/^max-age=\d+$/, 'control of 304');
is($r->{headers}{'content-length'}, undef, 'no length of 304');
is($r->{headers}{'x-status'}, 'HIT', '304 is a hit');

# a condition of the first one is not for the origin

is(cond('/static/1.ts', 'If-None-Match: *'), '304 0', 'first one');
is(cond('/static/1.ts'), '200 14', 'all of it later');
is($o->count(qr/static/), 0, 'a file');

# playlists

$r = hls_get('/1.m3u8');
is($r->{body}, $list, 'playlist');

$r = hls_get('/1.m3u8');
is($r->{headers}{'x-status'}, 'HIT', 'playlist again');
is($r->{headers}{'content-type'}, 'application/x-mpegURL', 'its type');
like($r->{headers}{'cache-control'}, qr/^max-age=[1-4]$/, 'its control');

$etag = $r->{headers}{etag};

is(cond('/1.m3u8', "If-None-Match: $etag"), '304 0', 'its etag');
is(cond('/1.m3u8', "If-Modified-Since: $modified"), '200 ' . length($list),
    'its time does not count');
is(cond('/1.m3u8', "If-Modified-Since: $modified", "If-None-Match: $etag"),
    '304 0', 'its etag and time');
is(cond('/1.m3u8', "If-Modified-Since: $modified", 'If-None-Match: "a"'),
    '200 ' . length($list), 'another etag, its time');

# types that say nothing

is(hls_get('/2.m3u8')->{headers}{'content-type'},
    'application/vnd.apple.mpegurl', 'playlist as text');
is(hls_get('/none.mp4')->{headers}{'content-type'}, 'video/mp4',
    'segment as bytes');
is(hls_get('/static/1.ts')->{headers}{'content-type'}, 'video/mp2t',
    'file without a type');

for (1, 2) {
    is(hls_get('/charset.vtt')->{headers}{'content-type'},
        'text/vtt; charset=utf-8', 'charset');
}

# keys are not stored anywhere else

for (1, 2) {
    $r = hls_get('/1.key');
    is($r->{headers}{'cache-control'}, 'no-store', 'key');
}

is(hls_get('/2.key')->{headers}{'cache-control'}, 'no-store', 'no key');

# nothing at all

for (1, 2) {
    $r = hls_get('/empty.ts');
    is("$r->{status} $r->{headers}{'content-length'} $r->{complete}",
        '200 0 1', 'empty');
}

# errors

$r = hls_get('/none.ts');
is("$r->{status} $r->{headers}{'x-status'}", '404 MISS', 'not found');
is($r->{headers}{'cache-control'}, 'no-cache', 'control of errors');

$r = hls_get('/none.ts');
is("$r->{status} $r->{headers}{'x-status'}", '404 HIT', 'not found again');
is($o->count('/none.ts'), 1, 'asked for once');

$o->set('/none.ts', size => 10);
sleep(1.1);

is(hls_get('/none.ts')->{status}, 200, 'found');

$r = hls_get('/busy.ts');
is("$r->{status} $r->{headers}{'retry-after'}", '503 1', 'retry after');

$r = hls_get('/page/1.ts');
is("$r->{status} $r->{body}", '404 page', 'error_page');
is($r->{headers}{'x-status'}, 'MISS', 'status in error_page');

$r = hls_get('/named/1.ts');
is("$r->{status} $r->{body}", '200 named', 'error_page with a name');
is($r->{headers}{'x-status'}, 'MISS', 'status in a named location');

# what others have to say

$r = hls_get('/expires/1.ts') for 1, 2;
is($r->{headers}{'cache-control'}, 'max-age=604800', 'expires');

# access rules hold

is(hls_get('/closed/1.ts')->{status}, 403, 'denied');
is($o->count(qr/closed/), 0, 'nothing was asked');

# the origin is away

$o->stop();

is(hls_get('/away.ts')->{status}, 502, 'no origin');
is(hls_get('/1.ts')->{headers}{'x-status'}, 'HIT', 'what is there');

$t->stop();

my $log = $t->read_file('status.log');

like($log, qr!^/1\.ts 200 MISS\n/1\.ts 200 HIT\n!, 'log');
like($log, qr!^/page\.html 404 MISS$!m, 'log of an error');
like($log, qr!^/closed/1\.ts 403 -$!m, 'log of what was not looked up');
unlike($log, qr/BYPASS/, 'no fills in the log');

###############################################################################

sub cond {
    my ($uri, @headers) = @_;
    my $r = hls_get($uri, headers => \@headers);

    return "$r->{status} " . length($r->{body});
}

###############################################################################
