#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with Low-Latency HLS: blocking reloads, parts, and
# directives that nobody has announced.

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

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(32);

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

        location / {
            hls_cache   hls;
            proxy_pass  http://127.0.0.1:8081;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($r, @r, $p, $s, $uri, $pid, $start);

# nothing is announced: directives are arguments like others

$o->live('plain', duration => 4);
hls_get('/live/plain/index.m3u8');
is(status("/live/plain/index.m3u8?$_"), '200 HIT', "not announced: $_")
    for '_HLS_msn=6', '_HLS_msn=6&_HLS_part=0', '_HLS_skip=YES';
is(scalar($o->requests(qr/HLS/)), 0, 'not asked for');

# a blocking reload: twenty wait for one answer of the origin

$o->live('ll', layout => 'ome', duration => 2, target => 2);
$p = hls_parse(hls_get('/live/ll/llhls.m3u8')->{body});
$uri = "/live/ll/$p->{variants}[0]{uri}";
$p = hls_parse(hls_get($uri)->{body});
is($p->{segments}[-1]{sequence}, 5, 'the newest');

$pid = fork();

if ($pid == 0) {
    $o->wait(qr/_HLS_msn=6/);
    sleep(0.5);
    $o->advance('ll', 0.25);
    POSIX::_exit(0);
}

$start = time();
@r = hls_gets(map { { uri => "$uri&_HLS_msn=6&_HLS_part=0"
    . ($_ % 2 ? '&_HLS_skip=YES' : '') } } 1 .. 20);
waitpid($pid, 0);

is(scalar(grep { $_->{status} == 200 } @r), 20, 'blocked');
is(scalar(grep { $_->{body} =~ /#EXT-X-PART:.*part_0_6_0/ } @r), 20,
    'until it is there');
cmp_ok(hls_max('last', @r), '<', 3, 'at once then');
cmp_ok($r[0]{last}, '>', 0.4, 'not before');
is(scalar($o->requests(qr/_HLS_msn=6&_HLS_part=0/)), 1, 'by one request');

$s = ($o->requests(qr/_HLS_msn/))[0]{uri};
like($s, qr/[?&]session=\w+/, 'with a session');

# what is there already, or will not be for long, is not asked for

$o->forget();
is(hls_get("$uri&_HLS_msn=$_")->{status}, 200, "there already: $_") for 0, 5;
is(hls_get("$uri&_HLS_msn=$_")->{status}, 200, "far ahead: $_")
    for 100, 999999999999, '99999999999999999999';
is(hls_get("$uri&_HLS_msn=$_")->{status}, 200, "no number: $_") for '-1', 'x';
is(scalar($o->requests(qr/HLS/)), 0, 'none of these');

# a delta is whole

$r = hls_get("$uri&_HLS_skip=YES");
is($r->{status}, 200, 'skip');
unlike($r->{body}, qr/EXT-X-SKIP/, 'is not used');

# nor is one that comes unasked: the last one is served on, or none

$o->set('/delta/c.m3u8', { body => $r->{body} }, { body => "#EXTM3U\n"
    . "#EXT-X-TARGETDURATION:1\n#EXT-X-VERSION:9\n"
    . "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n"
    . "#EXTINF:1,\n2.ts\n" });
hls_get('/delta/c.m3u8');
ok(hls_wait(sub {
    ($s = status('/delta/c.m3u8')) eq '200 STALE'
}, 5), 'a delta unasked') or diag $s;
is(scalar(grep { $_->{body} =~ /SKIP:/ } map { hls_get('/delta/c.m3u8') }
    1 .. 3), 0, 'is not for viewers');
$o->set('/delta/d.m3u8', body => "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
    . "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n"
    . "#EXTINF:1,\n2.ts\n");
is(hls_get('/delta/d.m3u8')->{status}, 502, 'nothing but a delta');

# a thousand who make up numbers

$o->forget();
@r = hls_gets(map { { uri => "$uri&_HLS_msn=" . (1000 + $_) } } 1 .. 300);
is(scalar(grep { $_->{status} == 200 } @r), 300, 'invented numbers');
cmp_ok($o->count(qr/chunklist/), '<=', 6, 'are no fills');

# a part that is announced is waited for, by many at once

$p = hls_get($uri)->{body};
my ($hint) = $p =~ /PRELOAD-HINT.*URI="([^"]+)"/;
ok($hint, 'a hint');

$pid = fork();

if ($pid == 0) {
    sleep(0.4);
    $o->advance('ll', 0.25);
    POSIX::_exit(0);
}

@r = hls_gets(map { { uri => "/live/ll/$hint" } } 1 .. 10);
waitpid($pid, 0);

is(scalar(grep { $_->{status} == 200 && $_->{complete} } @r), 10,
    'a part that comes');
is($o->count("/live/ll/" . ($hint =~ s/\?.*//r)), 1, 'by one request');

# after a restart numbers are those of viewers

$o->advance('ll', 4);
sleep(2.1);
hls_get($uri) for 1 .. 2;
$o->restart('ll', initial => 2);

ok(hls_wait(sub { hls_get($uri)->{body} =~ /seg_0_1_.*g=1/ }, 6), 'restart');
$p = hls_parse(hls_get($uri)->{body});
$o->forget();

$pid = fork();

if ($pid == 0) {
    sleep(0.3);
    $o->advance('ll', 1);
    POSIX::_exit(0);
}

my $msn = $p->{segments}[-1]{sequence} + 1;
$r = hls_get("$uri&_HLS_msn=$msn");
waitpid($pid, 0);
is(hls_parse($r->{body})->{segments}[-1]{sequence}, $msn, 'the number asked');
like(($o->requests(qr/HLS_msn/))[0]{uri}, qr/_HLS_msn=2\b/,
    'is another at the origin');

###############################################################################

sub status {
    my $r = hls_get(@_);

    return "$r->{status} $r->{headers}{'x-status'}";
}

###############################################################################
