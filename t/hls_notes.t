#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: what a playlist lists belongs to its stream, lives as
# long as its window, and is what the playlist says.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(28);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;

    add_header X-Status $hls_cache_status always;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache           hls;
            hls_cache_variants  _480 _720 _src;
            proxy_pass          http://127.0.0.1:8081;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($r, $c, $p, @r);

# two streams in one directory

$o->live($_, layout => 'flat', duration => 5, window => 8) for qw/ a b /;

for my $name (qw/ a b /) {
    hls_get("/live/$name.m3u8");
    hls_get("/live/$name-$_.ts") for 5 .. 7;
}

$c = streams();
is($c->{'live/a'}{objects}, 4, 'flat layout');
is($c->{'live/b'}{objects}, 4, 'and the other');

# they live for the window and three target durations: 40 and 15 s

$r = hls_get('/live/a-5.ts');
like($r->{headers}{'cache-control'}, qr/^max-age=5[45]$/, 'life');

# variants of one stream; a segment that nobody lists is nobody's

$o->live('v', layout => 'variants');
hls_get($_) for '/live/v.m3u8', '/live/v_480/index.m3u8',
    '/live/v_720/index.m3u8', '/live/v_480/3.ts', '/live/v_720/4.ts';
is(streams()->{'live/v'}{objects}, 5, 'variants');

$o->set('/live/loose.ts', size => 1000);
hls_get('/live/loose.ts');
$r = hls_get('/live/loose.ts');
like($r->{headers}{'cache-control'}, qr/^max-age=(?:59|60)$/, 'nobody lists');

# Ant Media's names

$o->live('ant', layout => 'ant', variants => [480, 720]);
hls_get($_) for '/live/streams/ant_adaptive.m3u8',
    '/live/streams/ant_480p.m3u8', '/live/streams/ant_480p0003.ts';
is(scalar(grep { $_->{objects} == 2 } @{streams()}{grep { /ant_480p/ }
    keys %{streams()}}), 1, 'a playlist and its segment');

# purging a stream takes its segments along

is(hls_get('/api/1/caches/hls/?stream=live/a', method => 'DELETE')->{status},
    204, 'purge');
is(status("/live/a-$_.ts"), '200 MISS', "a-$_ is gone") for 5, 6;
is(status("/live/b-$_.ts"), '200 HIT', "b-$_ is not") for 5, 6;

# what another live playlist lists is not to be had, nor what lies above

$o->set('/live/evil/index.m3u8', body => list('../b-5.ts', '/live/b-6.ts',
    '../../other.ts', 'own.ts'));
$o->set('/live/evil.m3u8', body => list('b-5.ts', 'b-6.ts'));
hls_get($_) for '/live/evil/index.m3u8', '/live/evil.m3u8';
$c = streams();
is($c->{'live/b'}{objects}, 4, 'they are still of their stream');
hls_get('/api/1/caches/hls/?stream=live/evil', method => 'DELETE');
is(status("/live/b-$_.ts"), '200 HIT', "b-$_ is there") for 5, 6;

# ... until nobody lists it any more, or nobody ever has

is(hls_get('/api/1/caches/hls/?stream=live/b', method => 'DELETE')->{status},
    204, 'purge');
$o->set('/live/evil.m3u8', body => list('b-5.ts', 'b-6.ts', 'b-7.ts'));
sleep(0.6);
hls_get('/live/evil.m3u8');
hls_get('/live/b-7.ts');
is(streams()->{'live/evil'}{objects}, 2, 'nobody else did');

# other endings than usual are segments if they are listed

$o->set('/odd/index.m3u8', body => list('1.bin', '2'));
$o->set('/odd/1.bin', size => 5000, type => 'video/mp2t');
$o->set('/odd/2', size => 5000, type => 'video/mp2t');
is(status('/odd/1.bin'), '200 BYPASS', 'not listed');
hls_get('/odd/index.m3u8');
is(status($_), '200 MISS', "$_: listed") for '/odd/1.bin', '/odd/2';
is(status($_), '200 HIT', "$_: cached") for '/odd/1.bin', '/odd/2';

# keys are keys, whatever their names are

$o->set('/key/index.m3u8', body => join("\n", '#EXTM3U',
    '#EXT-X-TARGETDURATION:1',
    '#EXT-X-KEY:METHOD=AES-128,URI="/keys/one.bin"',
    '#EXTINF:1,', '1.ts', '#EXT-X-KEY:METHOD=AES-128,URI="two.dat"',
    '#EXTINF:1,', '2.ts', ''));
$o->set($_, body => 'k' x 16) for '/keys/one.bin', '/key/two.dat',
    '/key/three.key';
hls_get('/key/index.m3u8');

for my $uri ('/keys/one.bin', '/key/two.dat', '/key/three.key') {
    hls_get($uri);
    $r = hls_get($uri);
    is("$r->{headers}{'x-status'} $r->{headers}{'cache-control'}",
        'HIT no-store', "$uri: a key");
}

# large EVENT playlists: only what is new is noted

$o->live('event', window => 0, initial => 20000, size => 100);
$r = hls_get('/live/event/index.m3u8');
is(scalar(@{hls_parse($r->{body})->{segments}}), 20000, '20,000 segments');
$c = decode_json(hls_get('/api/1/caches/hls/')->{body});
cmp_ok($c->{cells}{used}, '<', 1500, 'few of them are noted');
$r = hls_get('/live/event/19999.ts');
is($r->{status}, 200, 'the newest');
is(streams()->{'live/event'}{objects}, 2, 'belongs to it');

###############################################################################

sub status {
    my $r = hls_get(@_);

    return "$r->{status} $r->{headers}{'x-status'}";
}

sub streams {
    return decode_json(hls_get('/api/1/caches/hls/streams/')->{body});
}

sub list {
    return join("\n", '#EXTM3U', '#EXT-X-TARGETDURATION:1',
        map { ("#EXTINF:1,", $_) } @_) . "\n";
}

###############################################################################
