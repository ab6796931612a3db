#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache_continuity: a broadcast that begins again goes on for
# viewers.

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

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(42);

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
            hls_cache_valid  playlist 100ms;
            proxy_pass       http://127.0.0.1:8081;
        }

        location /over/ {
            hls_cache_valid  playlist 100ms;
            hls_cache_valid  segment 300ms;
            proxy_pass       http://127.0.0.1:8081;
        }

        location /api/ {
            hls_cache       off;
            rtmp_route_api  write=on;
        }

        location /off/ {
            hls_cache_valid       playlist 100ms;
            hls_cache_continuity  off;
            proxy_pass            http://127.0.0.1:8081;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($p, $q, $r, @uris);

# nothing is edited as long as nothing is wrong

$o->live('cam1', start => 100);
is(playlist('cam1')->{body}, $o->answer('/live/cam1/index.m3u8')->{body},
    'as the origin made it');

hls_get("/live/cam1/$_.ts") for 103 .. 105;
$o->advance('cam1');
ok(hls_wait(sub {
    $p = playlist('cam1');
    return $p->{body} eq $o->answer('/live/cam1/index.m3u8')->{body};
}), 'the next one too');
is("$p->{sequence} $p->{discontinuity}", '101 0', 'numbers');
hls_get('/live/cam1/106.ts');

# a restart: numbers go on, what is held is listed on, names are others

$o->restart('cam1');
$p = playlist('cam1');

cmp_ok($p->{sequence}, '>=', 101, 'never goes back');
is(join(' ', map { $_->{uri} } grep { $_->{uri} =~ /^10/ } @{$p->{segments}}),
    '103.ts 104.ts 105.ts 106.ts', 'held segments are listed');
is($p->{segments}[-1]{uri}, '0.ts?g=1', 'the new one');
is($p->{segments}[-1]{sequence}, 107, 'has the next number');
is(join(' ', map { $_->{uri} } grep { $_->{discontinuity} }
    @{$p->{segments}}), '0.ts?g=1', 'behind a discontinuity');

# the new one is asked for by its name, the old ones are there

$r = hls_get('/live/cam1/0.ts?g=1');
is("$r->{status} $r->{headers}{'x-status'}", '200 MISS', 'new segment');
ok($r->{body} eq hls_segment('cam1', '', 1, 0), 'bytes of the new broadcast');
is(($o->requests(qr!/0\.ts!))[0]{uri}, '/live/cam1/0.ts',
    'the origin knows no generation');

$r = hls_get('/live/cam1/105.ts');
is("$r->{status} $r->{headers}{'x-status'}", '200 HIT', 'old segment');
ok($r->{body} eq hls_segment('cam1', '', 0, 105), 'bytes of the old one');

# a name of the old broadcast that nobody has asked for is not asked for now

$o->advance('cam1', 105);
playlist('cam1');
is(hls_get('/live/cam1/102.ts')->{status}, 404, 'of the old broadcast');
is($o->count('/live/cam1/102.ts'), 0, 'was not asked for');
$r = hls_get('/live/cam1/102.ts?g=1');
ok($r->{body} eq hls_segment('cam1', '', 1, 102), 'of the new one it was');
ok(hls_get('/live/cam1/105.ts')->{body}
    eq hls_segment('cam1', '', 0, 105), 'old and new of the same name');
ok(hls_get('/live/cam1/105.ts?g=1')->{body}
    eq hls_segment('cam1', '', 1, 105), 'new and old of the same name');

# once more, with a number that goes on: a name at another number

$p = playlist('cam1');
$o->restart('cam1', start => 3);
$q = playlist('cam1');
cmp_ok($q->{sequence}, '>=', $p->{sequence}, 'once more');
is($q->{segments}[-1]{uri}, '3.ts?g=2', 'another generation');
is($q->{segments}[-1]{sequence}, $p->{segments}[-1]{sequence} + 1,
    'the number after');
ok(hls_get('/live/cam1/3.ts?g=2')->{body} eq hls_segment('cam1', '', 2, 3),
    'of the third broadcast');
is(hls_get('/live/cam1/9.ts?g=1')->{status}, 404,
    'of the second, that nobody had');

# old ones leave the list, the discontinuity is counted

$o->advance('cam1', 10);
$p = playlist('cam1');
is($p->{discontinuity}, 2, 'both have left the list');
is(scalar(grep { $_->{uri} !~ /g=2/ } @{$p->{segments}}), 0, 'the new only');
is($p->{segments}[0]{sequence}, $q->{segments}[-1]{sequence} + 5,
    'and the numbers go on');

# what is known no longer is not the present one of that name

ok(hls_get('/live/cam1/8.ts?g=2')->{body} eq hls_segment('cam1', '', 2, 8),
    'of the third, by its name');
forgotten('/live/cam1/8.ts?g=1');
forgotten('/live/cam1/8.ts?g=2');
forgotten('/live/cam1/8.ts');
$r = hls_get('/live/cam1/8.ts?g=1');
is("$r->{status} $r->{headers}{'x-status'}", '404 HIT', 'forgotten, older');
ok(hls_get('/live/cam1/8.ts?g=2')->{body} eq hls_segment('cam1', '', 2, 8),
    'forgotten, present');
ok(hls_get('/live/cam1/8.ts?g=3')->{body} eq hls_segment('cam1', '', 2, 8),
    'of another proxy');

# an argument of that name may be the origin's

$o->set('/arg/index.m3u8', body => "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
    . "#EXTINF:1,\n1.ts?g=5\n");
$o->set('/arg/1.ts', size => 1000);
hls_get('/arg/index.m3u8');
is(hls_get('/arg/1.ts?g=5')->{status}, 200, 'argument of the origin');
is(hls_get('/arg/2.ts?g=5')->{status}, 404, 'that is not listed');
is($o->count('/arg/2.ts'), 1, 'was asked for');

# what was cached and is over is not there, whatever else is wrong

$o->live('cam4', base => '/over', start => 100);
playlist('cam4', '/over');
hls_get("/over/cam4/$_.ts") for 100 .. 105;
$o->restart('cam4');
playlist('cam4', '/over');
my (%over, $end);
for ($end = time() + 1.2; time() < $end; sleep(0.05)) {
    $over{hls_get("/over/cam4/$_.ts")->{status}}++ for 100 .. 105;
}
delete $over{200};
is(join(' ', keys %over), '404', 'of the old broadcast, over');

# a tag alone drops nothing

$o->live('cam2', discontinuity => 1);
playlist('cam2');
$o->advance('cam2');
unlike(playlist('cam2')->{body}, qr/g=/, 'DISCONTINUITY is no restart');

# another origin, after a time without one

$o->live('cam3', start => 50, target => 1);
$p = playlist('cam3');
$o->change('cam3', gone => 404);
sleep(3.5);
isnt(hls_get('/live/cam3/index.m3u8')->{status}, 200, 'away for long');
$o->change('cam3', gone => 0);
$o->restart('cam3', initial => 3);
ok(hls_wait(sub { ($p = playlist('cam3'))->{status} == 200 }, 3), 'back');
is($p->{segments}[-1]{uri}, '2.ts?g=1', 'known as another');
cmp_ok($p->{sequence}, '>=', 50, 'numbers go on');

# hls_cache_continuity off

$o->live('cam1', base => '/off', start => 100);
playlist('cam1', '/off');
$o->restart('cam1');
$p = playlist('cam1', '/off');
is($p->{sequence}, 0, 'off');
is($p->{body}, $o->answer('/off/cam1/index.m3u8')->{body}, 'as it is');
is(join(' ', map { $_->{uri} } @{$p->{segments}}), '0.ts', 'no generation');

###############################################################################

sub forgotten {
    my ($uri) = @_;

    http("DELETE /api/1/caches/?uri=" . ($uri =~ s/\?/%3F/r)
        . " HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a\x0d\x0a");
}

# the newest

sub playlist {
    my ($name, $base) = @_;
    my ($r, $p);

    $base = '/live' unless defined $base;

    sleep(0.15);
    $r = hls_get("$base/$name/index.m3u8");
    $p = hls_parse($r->{body}) || {};

    return { %$p, body => $r->{body}, status => $r->{status} };
}

###############################################################################
