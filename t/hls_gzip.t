#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: playlists are compressed once.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy gzip/)->plan(40)
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

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /gzip/ {
            gzip            on;
            gzip_types      *;
            gzip_min_length 0;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /vary/ {
            gzip       on;
            gzip_types *;
            gzip_vary  on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /old/ {
            gzip_http_version 1.0;
            proxy_pass        http://127.0.0.1:8081;
        }
    }
}

EOF

my $list = "#EXTM3U\n#EXT-X-TARGETDURATION:8\n"
    . join('', map { "#EXTINF:8,\n$_.ts\n" } 1 .. 100);

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    return { body => "#EXTM3U\n", type => 'application/x-mpegURL' }
        if $r->{path} =~ /small/;
    return { body => $list, type => 'application/x-mpegURL' }
        if $r->{path} =~ /m3u8/;
    return { body => 'x' x 100000, type => 'video/mp2t' };
});

$t->run();

###############################################################################

my ($r, $plain, $gzip);

for my $dir ('/', '/gzip/', '/vary/') {
    $r = gzip("${dir}a.m3u8");
    is($r->{headers}{'content-encoding'}, 'gzip', "${dir}gzip");
    cmp_ok($r->{length}, '<', length($list) / 2, "${dir}is small");
    is($r->{headers}{'content-length'}, $r->{length}, "${dir}length");
    is(hls_gunzip($r->{body}), $list, "${dir}content");
    is($r->{headers}{vary}, 'Accept-Encoding', "${dir}vary");

    $gzip = $r->{headers}{etag};

    $r = hls_get("${dir}a.m3u8");
    is($r->{headers}{'content-encoding'}, undef, "${dir}plain");
    is($r->{body}, $list, "${dir}plain content");
    is($r->{headers}{vary}, 'Accept-Encoding', "${dir}plain vary");

    $plain = $r->{headers}{etag};

    isnt($gzip, $plain, "${dir}etags");
    is($o->count("${dir}a.m3u8"), 1, "${dir}one request");
}

# conditions

is(gzip('/a.m3u8', "If-None-Match: $gzip")->{status}, 304, 'etag of gzip');
is(gzip('/a.m3u8', "If-None-Match: $plain")->{status}, 200,
    'etag of plain for gzip');
is(hls_get('/a.m3u8', headers => ["If-None-Match: $plain"])->{status}, 304,
    'etag of plain');

# who wants none

is(hls_get('/a.m3u8', headers => ['Accept-Encoding: gzip;q=0'])->{headers}
    {'content-encoding'}, undef, 'q=0');
is(hls_get('/a.m3u8', headers => ['Accept-Encoding: br'])->{headers}
    {'content-encoding'}, undef, 'br');
is(hls_get('/a.m3u8', headers => ['Accept-Encoding: gzip'],
    version => '1.0')->{headers}{'content-encoding'}, undef, 'HTTP/1.0');
is(hls_get('/old/a.m3u8', headers => ['Accept-Encoding: gzip'],
    version => '1.0')->{headers}{'content-encoding'}, 'gzip',
    'gzip_http_version');

# what is not worth it

is(gzip('/small.m3u8')->{headers}{'content-encoding'}, undef, 'small');
is(gzip('/a.ts')->{headers}{'content-encoding'}, undef, 'segment');

# ranges of the form that was asked for

$r = gzip('/a.m3u8', 'Range: bytes=0-1');
is("$r->{status} " . unpack('H*', $r->{body}), '206 1f8b', 'range of gzip');

###############################################################################

sub gzip {
    my ($uri, @headers) = @_;

    return hls_get($uri, headers =>
        ['Accept-Encoding: deflate, gzip, br', @headers]);
}

###############################################################################
