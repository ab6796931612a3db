#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache in front of nginx's own proxy_cache, which then is a tier
# on disk: what memory has lost is not fetched again, and playlists are as
# fresh as without it.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy cache rewrite/)
    ->plan(18);

my $conf = <<'EOF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone   hls 8m;
    proxy_cache_path %%TESTDIR%%/disk levels=1:2 keys_zone=disk:1m
                     use_temp_path=off;

    upstream u {
        server    127.0.0.1:8081;
        keepalive 32;
    }

    server {
        listen 127.0.0.1:8080;

        proxy_set_header   Connection "";
        proxy_http_version 1.1;

        add_header X-Status $hls_cache_status always;

        # playlists from memory alone, or they would be old twice

        location ~ \.m3u8$ {
            hls_cache  hls;
            proxy_pass http://u;
        }

        location / {
            hls_cache            hls;
            proxy_pass           http://u;
            proxy_cache          disk;
            proxy_cache_valid    200 10m;
            proxy_cache_lock     on;
            proxy_ignore_headers Cache-Control Expires Set-Cookie;
        }
    }
}

EOF

$t->write_file_expand('nginx.conf', $conf);

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    return { size => $1, delay => 0.1, type => 'video/mp2t',
        headers => ['Cache-Control: no-store'] }
        if $r->{path} =~ m!^/vod/(\d+)/!;
    return undef;
});

$o->live('cam1');

$t->run();

###############################################################################

my ($r, @r);

# many who ask at once

@r = hls_gets(map { { uri => '/vod/600000/1.ts' } } 1 .. 50);
is(scalar(grep { $_->{complete} && $_->{length} == 600000 } @r), 50, 'many');
is($o->count('/vod/600000/1.ts'), 1, 'one fetch');

$r = hls_get('/vod/600000/1.ts');
is($r->{headers}{'x-status'}, 'HIT', 'from memory');
is(files($t), 1, 'on disk');

# a range of what is on neither

$r = hls_get('/vod/500000/2.ts', headers => ['Range: bytes=10-19']);
is("$r->{status} $r->{body}", '206 '
    . hls_bytes('/vod/500000/2.ts', 10, 10), 'range');
$r = hls_get('/vod/500000/2.ts');
is("$r->{status} $r->{length}", '200 500000', 'all of it');
is($o->count('/vod/500000/2.ts'), 1, 'one fetch of both');

# more than memory has room for, twice

@r = map { hls_get("/vod/500000/many$_.ts", body => 0) } 1 .. 40;
is(scalar(grep { $_->{complete} } @r), 40, 'more than memory');
@r = map { hls_get("/vod/500000/many$_.ts") } 1 .. 40;
is(scalar(grep { $_->{complete} && $_->{body}
    eq hls_bytes($_->{uri}, 500000) } @r), 40, 'again');
is($o->count(qr!^/vod/500000/many!), 40, 'each fetched once');
cmp_ok(hls_memory($t)->{window}, '<=', 8 * 1048576, 'memory');

# another size is another, empty cache, in front of the same disk

$conf =~ s/hls 8m/hls 16m/;
$t->write_file_expand('nginx.conf', $conf);
$t->reload();

ok(hls_wait(sub { from('/vod/600000/1.ts') =~ /^200 600000 (?!HIT)/ }),
    'empty memory');
ok(hls_wait(sub { from('/vod/600000/1.ts') eq '200 600000 HIT' }),
    'from disk to memory');
is($o->count('/vod/600000/1.ts'), 1, 'not fetched');

# playlists follow the origin

$r = hls_get('/live/cam1/index.m3u8');
is(hls_uris($r->{body}), '0.ts 1.ts 2.ts 3.ts 4.ts 5.ts', 'playlist');

$o->advance('cam1');
ok(hls_wait(sub {
    hls_uris(hls_get('/live/cam1/index.m3u8')->{body}) =~ /6\.ts$/
}, 2), 'moves on');

is(hls_get('/live/cam1/6.ts')->{body}, hls_segment('cam1', '', 0, 6),
    'segment');

# errors are remembered by neither for long

hls_get('/vod.ts');
$o->set('/vod.ts', body => 'there');
ok(hls_wait(sub { hls_get('/vod.ts')->{status} == 200 }, 2), 'errors');

###############################################################################

sub from {
    my $r = hls_get($_[0]);

    return "$r->{status} $r->{length} " . ($r->{headers}{'x-status'} || '');
}

sub files {
    my ($t) = @_;
    my @files = glob($t->testdir() . '/disk/*/*/*');

    return scalar(@files);
}

###############################################################################
