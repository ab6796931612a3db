#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: playlists are refreshed before they are too old, new
# segments are fetched before they are asked for.

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

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(20);

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

        location /prefetch/ {
            hls_cache_prefetch  2;
            proxy_pass          http://127.0.0.1:8081;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my (@r, @late, $uri, $n, $start);

# many who poll: none of them waits for the origin, which takes 100 ms, so that
# a fifth of them would; a busy machine may make some late

$uri = '/live/cam1/index.m3u8';

$o->live('cam1', auto => 1, stamp => 1, playlist_delay => 0.1);
hls_get($uri);
hls_get($uri);
$o->forget();

$start = time();
@r = hls_gets(map { { uri => $uri, after => $_ / 200 } } 1 .. 800);

is(scalar(grep { $_->{status} == 200 && $_->{complete} } @r), 800,
    'all are answered');
cmp_ok($o->count($uri), '>=', 5, 'refreshed');
cmp_ok($o->count($uri), '<=', 14, 'about twice a second');
is($o->most($uri), 1, 'one at a time');

@late = sort { $a <=> $b } map { $_->{header} - $_->{connected} } @r;
cmp_ok($late[0.85 * @late], '<', 0.08, 'nobody waits for the origin');

cmp_ok(scalar(grep { $_->{headers}{'x-status'} ne 'HIT' } @r), '<', 5,
    'all from the cache');

# the time at which the origin has made it, and at which it was got

$n = 0;
@late = sort { $a <=> $b } map {
    $n++;
    $_->{body} =~ /^#stamp (\d+\.\d+)/m
        ? $start + $n / 200 + $_->{last} - $1 : 99
} @r;
cmp_ok($late[0.85 * @late], '<', 0.8, 'never old');

# it ends soon after the last viewer

sleep(3.5);
$n = $o->count($uri);
cmp_ok($n, '>', 8, 'refreshed for a while');
sleep(1.5);
is($o->count($uri), $n, 'and no longer');

# one viewer alone, who asks once for each segment, is no reason for more

$uri = '/live/alone/index.m3u8';

$o->live('alone', duration => 0.5, target => 1);
hls_get($uri);
sleep(1.5);
is($o->count($uri), 1, 'not for one who asks once');

# an origin that hangs

$uri = '/live/hang/index.m3u8';

$o->live('hang', auto => 1);
hls_get($uri) for 1 .. 2;
sleep(0.2);
$o->change('hang', playlist_delay => 3);
sleep(1.2);
@r = hls_gets(map { { uri => $uri, after => $_ / 100 } } 1 .. 100);
is(scalar(grep { $_->{status} == 200 } @r), 100, 'the origin hangs');
cmp_ok(hls_max('header', @r), '<', 1.5, 'nobody waits');
like($r[-1]{headers}{'x-status'}, qr/UPDATING|STALE/, 'an old one');

# segments are fetched before anybody asks

$uri = '/prefetch/cam1/index.m3u8';

$o->live('cam1', base => '/prefetch');
hls_get($uri);
ok(hls_wait(sub { $o->count(qr!/prefetch/.*ts$!) == 2 }, 2), 'prefetch');
is(join(' ', sort map { $_->{uri} } $o->requests(qr/ts$/)),
    '/prefetch/cam1/4.ts /prefetch/cam1/5.ts', 'the newest');
is(hls_get('/prefetch/cam1/5.ts')->{headers}{'x-status'}, 'HIT',
    'it is there');

hls_get($uri);
$o->advance('cam1');
ok(hls_wait(sub { $o->count('/prefetch/cam1/6.ts') }, 2), 'prefetch next');
is($o->count(qr!/prefetch/.*ts$!), 3, 'each once');

$o->advance('cam1');
sleep(0.5);
$n = hls_get('/prefetch/cam1/6.ts');
is($n->{headers}{'x-status'}, 'HIT', 'next is there');
ok($n->{body} eq hls_segment('cam1', '', 0, 6), 'and right');

###############################################################################
