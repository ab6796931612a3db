#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: bodies that are too large or have no end.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Digest::MD5 qw/ md5_hex /;
use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(33)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;
    hls_cache hls;
    hls_cache_max_size 1m;

    add_header X-Status $hls_cache_status always;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            proxy_buffering off;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /long/ {
            hls_cache_fill_timeout 700ms;
            proxy_buffering        off;
            proxy_pass             http://127.0.0.1:8081;
        }

        location /send/ {
            send_timeout    500ms;
            proxy_buffering off;
            proxy_pass      http://127.0.0.1:8081;
        }
    }
}

EOF

my $size = 5000000;
my $all = hls_bytes('x', $size);

my $o = hls_origin($t, port(8081));

sub origin {
    my ($uri, %how) = @_;

    $o->set($uri, size => $size, seed => 'x', type => 'video/mp2t', %how);
}

$t->run();

###############################################################################

my ($r, @r);

# the length is known: each has it from the origin

origin('/known.ts');
@r = hls_gets(map { { uri => '/known.ts' } } 1 .. 5);
is(whole(@r), 5, 'known: whole');
is(status(@r), 'BYPASS', 'known: status');

$r = hls_get('/known.ts', headers => ['Range: bytes=4000000-4000009']);
is(status($r), 'BYPASS', 'known: passes at once');

# it is not: the first one goes on, others begin anew, later ones pass

for my $how (['/chunked.ts', chunked => 10000], ['/closed.ts',
    length => 'none'])
{
    my ($uri, %how) = @$how;

    origin($uri, pieces => [700000, 0.1], %how);
    @r = hls_gets(map { { uri => $uri, after => $_ / 20 } } 0 .. 4);
    is(whole(@r), 5, "$uri: whole");
    is($r[0]{headers}{'x-status'}, 'MISS', "$uri: first");
    cmp_ok($o->count($uri), '<=', 5, "$uri: requests");

    $r = hls_get($uri);
    is(whole($r), 1, "$uri: later");
    is(status($r), 'BYPASS', "$uri: later passes");
}

# as fast as he reads, and no faster

origin('/slow.ts', size => 100000000, chunked => 65536);
$r = hls_get('/slow.ts', rate => 3000000, stop => 6000000, body => 0);
is($r->{md5}, md5_hex(substr(hls_bytes('x', $r->{length}), 0,
    $r->{length})), 'slow: its bytes');
ok(hls_wait(sub { !grep { !$_->{end} } $o->requests('/slow.ts') }),
    'slow: ends with him');
cmp_ok(($o->requests('/slow.ts'))[0]{sent}, '<', 30000000,
    'slow: no more is read');

# who does not read at all is put out

origin('/send/a.ts', size => 100000000, chunked => 65536);
$r = hls_get('/send/a.ts', rate => 100, timeout => 1, body => 0);
ok(hls_wait(sub { !grep { !$_->{end} } $o->requests('/send/a.ts') }),
    'who does not read');

# cut off in the private part

origin('/cut.ts', chunked => 10000, cut => 3000000);
@r = hls_gets(map { { uri => '/cut.ts' } } 1 .. 3);
is(scalar(grep { $_->{complete} } @r), 0, 'cut');
is(scalar(grep { ($_->{error} || '') eq 'timeout' } @r), 0, 'cut: no wait');

# who begins anew does not get two of them as one

for my $how (['/changed.ts', seed => 'y'], ['/shorter.ts', size => 300000]) {
    my ($uri, @second) = @$how;
    my @both = map { { type => 'video/mp2t', size => $size, seed => 'x',
        chunked => 10000, pieces => [700000, 0.1], @$_ } } [], [@second];

    $o->set($uri, @both);
    @r = hls_gets(map { { uri => $uri } } 1 .. 5);
    is(whole(@r), 1, "$uri: the first");
    is(scalar(grep { $_->{complete} && $_->{body} ne $all
        && $_->{headers}{'x-status'} ne 'BYPASS' } @r), 0,
        "$uri: the others");
}

# the first one goes away when it is his alone

origin('/away.ts', chunked => 10000, pieces => [500000, 0.1]);
@r = hls_gets({ uri => '/away.ts', stop => 2000000 },
    map { { uri => '/away.ts', after => 0.05 } } 1 .. 3);
is(whole(@r[1 .. 3]), 3, 'away: others');
ok(hls_wait(sub { !grep { !$_->{end} } $o->requests('/away.ts') }),
    'away: nothing is left');

# one without an end

origin('/long/live.ts', size => 100000, chunked => 1000,
    pieces => [1000, 0.04]);
@r = hls_gets({ uri => '/long/live.ts' }, { uri => '/long/live.ts',
    after => 0.1 }, { uri => '/long/live.ts', after => 1.2, stop => 5000 });

is($r[0]{body} eq hls_bytes('x', 100000) && $r[0]{complete}, 1,
    'no end: first');
cmp_ok($r[0]{last}, '>', 3.5, 'no end: as long as it lasts');
is($r[0]{headers}{'x-status'}, 'MISS', 'no end: status');
isnt($r[1]{complete}, 1, 'no end: second');
cmp_ok($r[1]{last}, '<', 3, 'no end: second does not wait');
is($r[2]{headers}{'x-status'}, 'BYPASS', 'no end: third');
is($o->count('/long/live.ts'), 2, 'no end: requests');

# nothing is kept of them

$r = hls_memory($t);
cmp_ok($r->{window}, '<', 3 * 1048576, 'memory');

###############################################################################

sub whole {
    return scalar(grep { $_->{status} == 200 && $_->{complete}
        && $_->{body} eq $all } @_);
}

sub status {
    my %status = map { ($_->{headers}{'x-status'} || '') => 1 } @_;

    return join(' ', sort keys %status);
}

###############################################################################
