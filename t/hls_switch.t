#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: an encoder pushes to two origins, and the playlist of
# the one that is asked stands still, while the other one goes on.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(38);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
    server  127.0.0.1:2 http=%%PORT_8082%% backup;
}

rtmp_route single {
    zone    single 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;
    hls_cache hls;

    upstream live { rtmp_route live http; keepalive 8; }
    upstream single { rtmp_route single http; keepalive 8; }

    add_header X-Status $hls_cache_status always;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache_variants  _480 _720 _src;
            rtmp_route          live;
            proxy_pass          http://live;
        }

        location /single/ {
            rtmp_route  single;
            proxy_pass  http://single;
        }

        location /api/ {
            hls_cache       off;
            rtmp_route_api  write=on;
        }
    }
}

EOF

my $a = hls_origin($t, port(8081));
my $b = hls_origin($t, port(8082));

$t->run();

###############################################################################

my ($p, $q, $r, $at, $n, $v, @v);

# what stands still on purpose is not looked for

$_->live('still') for $a, $b;
$_->live('single', base => '/single', auto => 1) for $a, $b;
$_->live('pin', auto => 1) for $a, $b;
$_->live('ended', auto => 1) for $a, $b;
$_->live('cam1', auto => 1, start => 100) for $a;
$_->live('cam1', auto => 1, start => 40) for $b;
$_->live('cam2', auto => 1) for $a, $b;
$_->live('cam4', auto => 1, layout => 'variants') for $a, $b;
$_->live('cam3', start => 5) for $a, $b;
$b->restart('cam3', start => 5, initial => 6);

pin('live', 'live/pin', '127.0.0.1');

# two viewers, of which one asks rarely

@v = map { hls_viewer($t, '/live/cam1/index.m3u8', name => $_,
    every => 0.1 * $_) } 1, 4;
push @v, map { hls_viewer($t, "/live/$_/index.m3u8", name => $_,
    every => 0.2) } qw/ cam2 pin still /;
push @v, map { hls_viewer($t, "/live/cam4$_/index.m3u8", name => $_,
    every => 0.2) } qw/ _480 _src /;
push @v, hls_viewer($t, '/single/single/index.m3u8', name => 'single',
    every => 0.2);

sleep(2.5);

is($b->count('/live/cam1/index.m3u8'), 0, 'nobody asks the other one');
$p = playlist('cam1');
like($p->{body}, qr/^10\d\.ts$/m, 'the first one');

# it stands still

$a->change($_, frozen => 1) for qw/ cam1 cam2 cam4 pin /;
$a->change('single', base => '/single', frozen => 1);
$a->change('ended', endlist => 1);
$at = time();

$p = playlist('cam1');
is(playlist('ended')->{endlist}, 1, 'ended');

ok(hls_wait(sub { $q = playlist('cam1'); $q->{body} =~ /g=1/ }, 5),
    'goes on at the other one');
$n = time() - $at;
cmp_ok($n, '>', 0.5, 'not at once');
cmp_ok($n, '<', 4, 'soon');

is($q->{status}, 200, 'status');
cmp_ok($q->{sequence}, '>=', $p->{sequence}, 'MEDIA-SEQUENCE');

my ($new) = grep { $_->{uri} =~ /g=1/ } @{$q->{segments}};

ok($new->{discontinuity}, 'behind a discontinuity');
is($new->{sequence}, $p->{segments}[-1]{sequence} + 1, 'the next number');
($n) = $new->{uri} =~ /^(\d+)/;
ok(hls_get("/live/cam1/$new->{uri}")->{body}
    eq hls_segment('cam1', '', 0, $n), 'bytes of the other one');

ok(hls_wait(sub { playlist('cam2')->{body} =~ /g=1/ }, 5), 'the same names');
is(source('live/cam1'), 'found 127.0.0.1:2', 'the table knows');

# all variants of a stream follow the first one

ok(hls_wait(sub { playlist("cam4$_")->{body} =~ /g=1/ }, 5), "variant $_")
    for qw/ _480 _src /;
is(playlist('cam4_480')->{discontinuity}, playlist('cam4_src')->{discontinuity},
    'DISCONTINUITY-SEQUENCE of both');
is(source('live/cam4'), 'found 127.0.0.1:2', 'the table knows the stream');

# what is listed is not what has that name where the stream is now

playlist('cam3');
pin('live', 'live/cam3', '127.0.0.1:2');
ok(hls_get('/live/cam3/10.ts')->{body} ne hls_segment('cam3', '', 1, 10),
    'not that of the other one');
ok(hls_wait(sub { playlist('cam3')->{body} =~ /g=1/ }), 'pinned elsewhere');
ok(hls_get('/live/cam3/10.ts?g=1')->{body}
    eq hls_segment('cam3', '', 1, 10), 'now it is');

# one that stands still everywhere is asked for a few times

is(playlist('still')->{cache}, 'STALE', 'nowhere else');
$n = $b->count('/live/still/index.m3u8');
cmp_ok($n, '>=', 2, 'was looked for');
cmp_ok($n, '<', 30, 'not all the time');

# and stays there, whatever becomes of the first one

$a->change('cam1', frozen => 0);
$p = playlist('cam1');
sleep(3);
$q = playlist('cam1');
unlike($q->{body}, qr/g=2/, 'stays there');
cmp_ok($q->{segments}[-1]{sequence}, '>=', $p->{segments}[-1]{sequence} + 2,
    'goes on there');

# what is not to be looked for

cmp_ok($b->count('/live/still/index.m3u8') - $n, '<', 2, 'pause');
is($b->count('/live/ended/index.m3u8'), 0, 'an end is an end');
is($b->count('/live/pin/index.m3u8'), 0, 'a pin');
is($b->count(qr!/single/!), 0, 'no other server');

$_->stop() for @v;

for my $v (@v) {
    is($v->faults(), '', "viewer $v->{name}");
}

is($v[0]->report()->{discontinuities}, 1, 'one discontinuity');

###############################################################################

sub playlist {
    my ($name) = @_;
    my ($r, $p);

    $r = hls_get("/live/$name/index.m3u8");
    $p = hls_parse($r->{body}) || {};

    return { %$p, body => $r->{body}, status => $r->{status},
        cache => $r->{headers}{'x-status'} };
}

sub source {
    my ($key) = @_;
    my $stream = api('GET', "live/streams/$key");

    return $stream ? "$stream->{source} $stream->{server}" : 'unknown';
}

###############################################################################
