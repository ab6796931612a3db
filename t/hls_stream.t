#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: viewers get what comes while it comes, whoever has
# asked first and whether he stays.

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

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(57)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;
    hls_cache hls;

    add_header X-Status $hls_cache_status always;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;
        sendfile     on;

        location / {
            proxy_buffering off;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /buffered/ {
            proxy_pass http://127.0.0.1:8081;
        }

        location /memory/ {
            sendfile        off;
            proxy_buffering off;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /push/ {
            tcp_nopush      on;
            proxy_buffering off;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /short/ {
            hls_cache_fill_timeout 500ms;
            proxy_buffering        off;
            proxy_pass             http://127.0.0.1:8081;
        }

        location /rate/ {
            limit_rate      100k;
            proxy_buffering off;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /send/ {
            send_timeout    500ms;
            proxy_buffering off;
            proxy_pass      http://127.0.0.1:8081;
        }
    }
}

EOF

my $size = 200000;
my $all = hls_bytes('x', $size);

my $o = hls_origin($t, port(8081));

sub origin {
    my ($uri, %how) = @_;

    $o->set($uri, size => $size, seed => 'x', type => 'video/mp2t', %how);
}

$t->run();

###############################################################################

my @r;

# half of it, then nothing for a while

for my $case (['/half.ts'], ['/buffered/half.ts'], ['/memory/half.ts'],
    ['/chunked.ts', chunked => 10000])
{
    my ($uri, %how) = @$case;

    origin($uri, pieces => [100000, 1.5], %how);

    @r = hls_gets({ uri => $uri }, map { { uri => $uri, after => $_ / 100 } }
        1 .. 40);

    is(whole(@r), 41, "$uri");
    is($o->count($uri), 1, "$uri: one request");
    cmp_ok(hls_max('body_at', @r), '<', 1.45, "$uri: first bytes");
    cmp_ok($r[0]{last}, '>', 1.4, "$uri: last bytes");
    is(scalar(grep { $_->{headers}{'x-status'} ne 'MISS' } @r), 0,
        "$uri: status");

    is(hls_get($uri)->{headers}{'x-status'}, 'HIT', "$uri: kept");
}

# in small pieces

origin('/small.ts', pieces => [2000, 0.005]);
@r = hls_gets(map { { uri => '/small.ts', after => $_ / 100 } } 0 .. 40);
is(whole(@r), 41, 'small pieces');
is($o->count('/small.ts'), 1, 'small pieces: one request');

# nothing is held back for what is to come

origin('/push/small.ts', pieces => [50000, 1]);
@r = hls_gets({ uri => '/push/small.ts' }, { uri => '/push/small.ts' },
    { uri => '/push/small.ts', stop => 100000 });
is(whole(@r), 2, 'tcp_nopush');
cmp_ok($r[2]{last}, '<', 1.9, 'tcp_nopush: second piece');

# the first one goes away, early or late, and so do others

for my $case ([0, 0], [0, 1], [1, 1], [50000, 0], [50000, 1]) {
    my ($stop, $reset) = @$case;
    my $uri = "/abort-$stop-$reset.ts";

    origin($uri, delay => 0.1, pieces => [50000, 0.1]);

    @r = hls_gets({ uri => $uri, stop => $stop, reset => $reset,
        headers => ['Range: bytes=7-9', 'If-None-Match: *'] },
        (map { { uri => $uri, after => 0.03, stop => $stop } } 1 .. 5),
        map { { uri => $uri, after => 0.05 } } 1 .. 40);

    is(whole(@r[6 .. 45]), 40, "$uri: others");
    is($o->count($uri), 1, "$uri: one request");
}

# nobody stays, and it comes all the same

origin('/nobody.ts', pieces => [100000, 0.3]);
hls_get('/nobody.ts', stop => 0);
ok(hls_wait(sub { hls_get('/nobody.ts')->{headers}{'x-status'} eq 'HIT' }),
    'nobody stays');
is($o->count('/nobody.ts'), 1, 'nobody stays: one request');

# cut off

for my $case (['/cut.ts'], ['/cut-chunked.ts', chunked => 10000],
    ['/reset.ts', reset => 1])
{
    my ($uri, %how) = @$case;

    origin($uri, pieces => [50000, 0.1], cut => 100000, %how);

    @r = hls_gets((map { { uri => $uri, after => $_ / 100 } } 0 .. 9),
        { uri => $uri, after => 0.05, version => '1.0' });

    is(scalar(grep { $_->{status} == 200 && $_->{complete} } @r), 0,
        "$uri: nobody has it whole");
    is(scalar(grep { ($_->{error} || '') eq 'timeout' } @r), 0,
        "$uri: nobody waits");

    origin($uri);
}

# a failure may be remembered for a moment

for my $uri ('/cut.ts', '/cut-chunked.ts', '/reset.ts') {
    hls_wait(sub { hls_get($uri)->{status} == 200 });
    is(whole(hls_get($uri)), 1, "$uri: whole");
}

# it hangs, before its first byte and after it

origin('/short/head.ts', hang => 'head');
@r = hls_gets(map { { uri => '/short/head.ts' } } 1 .. 10);
is(scalar(grep { $_->{status} == 504 } @r), 10, 'hangs');
cmp_ok(hls_max('last', @r), '<', 3, 'hangs: not for long');

origin('/short/body.ts', hang => 1000);
@r = hls_gets(map { { uri => '/short/body.ts' } } 1 .. 10);
is(scalar(grep { $_->{complete} } @r), 0, 'hangs in the middle');
cmp_ok(hls_max('last', @r), '<', 3, 'hangs in the middle: not for long');

# who reads slowly slows down nobody else

origin('/rate/a.ts', pieces => [50000, 0.05]);
@r = hls_gets({ uri => '/rate/a.ts' });
is(whole(@r), 1, 'limit_rate');
cmp_ok($r[0]{last}, '>', 0.9, 'limit_rate: slow');

$o->set('/send/a.ts', size => 6000000, seed => 'x', type => 'video/mp2t',
    pieces => [1000000, 0.02]);
@r = hls_gets({ uri => '/send/a.ts', rate => 1000, timeout => 3 },
    { uri => '/send/a.ts' }, { uri => '/send/a.ts' });
is(scalar(grep { $_->{complete} } @r), 2, 'a slow reader');
cmp_ok(hls_max('last', @r[1, 2]), '<', 3, 'others beside him');

###############################################################################

sub whole {
    return scalar(grep { $_->{status} == 200 && $_->{complete}
        && $_->{body} eq $all } @_);
}

###############################################################################
