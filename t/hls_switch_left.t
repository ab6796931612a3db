#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: the origin of a stream does not have it for a moment,
# and another one, which is asked then, has a playlist that was left there.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_end /;
use Test::Nginx::HLS;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(14);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
    server  127.0.0.1:2 http=%%PORT_8082%% backup;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;
    hls_cache hls;
    hls_cache_max_stale 60s;

    upstream live { rtmp_route live http; }

    proxy_next_upstream error timeout http_404;

    server {
        listen 127.0.0.1:8080;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /short/ {
            hls_cache_max_stale  1s;
            rtmp_route           live;
            proxy_pass           http://live;
        }

        location /api/ {
            hls_cache       off;
            rtmp_route_api;
        }
    }
}

EOF

my $a = hls_origin($t, port(8081));
my $b = hls_origin($t, port(8082));

$t->run();

###############################################################################

my ($p, $n, $slow, %seen);
my $uri = '/live/cam1/index.m3u8';

# what has an end may be made when it is asked for

$a->set('/live/vod/index.m3u8', body => <<EOF);
#EXTM3U
#EXT-X-TARGETDURATION:2
#EXTINF:2,
1.ts
#EXT-X-ENDLIST
EOF
$a->set('/live/vod/1.ts', size => 1000, delay => 4);

hls_get('/live/vod/index.m3u8');
$slow = http_get('/live/vod/1.ts', start => 1);

# a live stream

$a->live('cam1', auto => 1, start => 100, target => 6);
$b->live('cam1', start => 7);

like(hls_get($uri)->{body}, qr/^10\d\.ts$/m, 'the first one');

$a->set($uri, status => 404);

ok(hls_wait(sub { hls_get($uri); $b->count($uri) > 2 }, 8),
    'the other one is asked');
$p = hls_get($uri);
is($p->{status}, 200, 'status');
unlike($p->{body}, qr/g=1/, 'what was left there is not seen');
is(source(), 'unknown', 'nor does the table say so');

like(http_end($slow), qr/ 200 OK/, 'a slow one that has an end');

# until it goes on there

$b->change('cam1', auto => 1, target => 1);
ok(hls_wait(sub { hls_get($uri)->{body} =~ /g=1/ }, 8), 'goes on there');
is(source(), 'found 127.0.0.1:2', 'the table knows');

# no longer than that

$n = $a->count($uri);
ok(hls_wait(sub { hls_get($uri); $b->count($uri) > 8 }, 8), 'stays there');
cmp_ok($a->count($uri) - $n, '<', 3, 'the first one is asked no more');

# a playlist that a viewer waits for, neither

$uri = '/live/cam3/index.m3u8';

$_->set($uri, type => 'application/vnd.apple.mpegurl', body => <<EOF)
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:@{[ $_ == $a ? 100 : 7 ]}
#EXT-X-PART-INF:PART-TARGET=1
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3
#EXTINF:6,
@{[ $_ == $a ? 'a' : 'b' ]}.ts
EOF
    for $a, $b;

like(hls_get($uri)->{body}, qr/^a.ts$/m, 'with directives');
$a->set($uri, status => 404);

unlike(hls_get("$uri?_HLS_msn=101")->{body}, qr/b.ts/,
    'what was left there is not seen with directives');

# nobody has it: while it is looked for it is not there, either

$uri = '/short/cam2/index.m3u8';

$a->live('cam2', base => '/short', auto => 1, target => 1);
like(hls_get($uri)->{body}, qr/^\d+\.ts$/m, 'another one');
$a->set($uri, status => 404);

hls_wait(sub { hls_get($uri)->{status} == 404 }, 8);
hls_wait(sub { $seen{hls_get($uri)->{status}}++; 0 }, 3);
is(join(' ', keys %seen), '404', 'is not there');

###############################################################################

sub source {
    my $stream = api('GET', 'live/streams/live/cam1');

    return $stream ? "$stream->{source} $stream->{server}" : 'unknown';
}

###############################################################################
