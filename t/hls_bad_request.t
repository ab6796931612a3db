#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with requests that are wrong or hostile: one object has
# one entry whatever it is called, and what one viewer sends reaches neither
# the origin nor other viewers.

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

my $t = Test::Nginx->new()->has(qw/http proxy/);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
    worker_connections 2048;
}

http {
    %%TEST_GLOBALS_HTTP%%

    # what is logged is not what is tested
    error_log %%TESTDIR%%/error.log info;

    hls_cache_zone hls 16m;
    hls_cache      hls;

    proxy_set_header   Connection "";
    proxy_set_header   Host $host;
    proxy_http_version 1.1;

    add_header X-Status $hls_cache_status always;

    upstream u {
        server    127.0.0.1:8081;
        keepalive 32;
    }

    large_client_header_buffers 8 64k;

    server {
        listen      127.0.0.1:8080;
        server_name one.example.com;

        location / {
            proxy_pass http://u;
        }

        location /quality/ {
            hls_cache_args q;
            proxy_pass     http://u;
        }
    }

    server {
        listen      127.0.0.1:8080;
        server_name two.example.com;

        location / {
            proxy_pass http://u;
        }
    }

    server {
        listen      127.0.0.1:8080;
        server_name *.example.org ~^(?<name>\w+)\.example\.net$;

        location / {
            proxy_pass http://u;
        }
    }
}

EOF

$t->plan(66);

# each answers with the host that it was asked as

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;
    my ($host) = $r->{head} =~ /^Host: (.*?)\r/mi;

    return { body => "$host " . 'x' x 200000, delay => 0.2,
        type => 'video/mp2t' } if $r->{path} =~ /first/;
    return { body => "$host $r->{path}" } if $r->{path} =~ /host/;
    return undef;
});

$o->live('cam1');
$o->live('s', layout => 'srs', base => '/srs', size => 50000);

$t->run();

###############################################################################

my ($r, @r, $memory);

# one object under many names

is(hls_get('/live/cam1/1.ts')->{body}, hls_segment('cam1', '', 0, 1), 'plain');

for my $name ('/live//cam1/1.ts', '//live/cam1//1.ts', '/live/./cam1/1.ts',
    '/live/x/../cam1/1.ts', '/live/%63am1/1.ts', '/live/cam1/1%2ets',
    '/live%2fcam1%2f1.ts', '/live%2Fcam1/1.ts', '/%6c%69%76%65/cam1/1.ts',
    '/live/cam1/1.ts?', '/live/cam1/1.ts?a', '/live/cam1/1.ts?_=123',
    '/live/cam1/1.ts?' . 'x' x 8000, '/live/cam1/1.ts#x',
    '/live/%2e/cam1/1.ts', '/live/x/%2e%2e/cam1/1.ts')
{
    $r = hls_get($name);
    is("$r->{status} $r->{headers}{'x-status'} " . length($r->{body}),
        '200 HIT 20000', substr($name, 0, 40));
}

is($o->count('/live/cam1/1.ts'), 1, 'one request to the origin');
is($o->count(), 1, 'and no other');
is(($o->requests())[0]{uri}, '/live/cam1/1.ts', 'without arguments');

# ten thousand names of one playlist

@r = map { many(500, sub { "/live/cam1/index.m3u8?t=$_[0]&x=" . rand() }) }
    1 .. 20;

is(scalar(grep { $_->{status} == 200 && $_->{complete} } @r), 10000,
    'arguments');
cmp_ok($o->count(qr!^/live/cam1/index!), '<=', 2 + 3 * hls_seconds(\@r),
    'fetched a few times a second');
is(scalar($o->requests(qr!/live/cam1/index.m3u8\?!)), 0, 'no arguments');
cmp_ok(hls_memory($t)->{window}, '<', 1048576, 'memory of ten thousand');

# what is listed makes a difference, and only that

hls_get("/quality/host.ts?x=1&q=$_&y=2") for 1, 2, 1;
hls_get("/quality/host.ts?q=$_") for 1, 2;
is(join(' ', map { $_->{uri} } $o->requests(qr/quality/)),
    '/quality/host.ts?q=1 /quality/host.ts?q=2', 'listed arguments');

# a thousand who make up a context

$o->forget();

@r = map { many(250, sub { "/srs/s.m3u8?hls_ctx=" . rand() }) } 1 .. 4;

is(scalar(grep { $_->{status} == 200 && $_->{complete} } @r), 1000,
    'invented contexts');
is(scalar(grep { hls_uris($_->{body}) !~ /^s-0\.ts/ } @r), 0,
    'each has segments');

# one for a master now and then, and one for what it lists, each TTL
cmp_ok($o->count('/srs/s.m3u8'), '<=', 6 + 4 * hls_seconds(\@r),
    'one fill for each TTL');

@r = map { many(250, sub { "/srs/s-2.ts?hls_ctx=" . rand() }) } 1 .. 4;

is(scalar(grep { $_->{length} == 50000 && $_->{complete} } @r), 1000,
    'their segments');
is($o->count('/srs/s-2.ts'), 1, 'one of each segment');
is(scalar(grep { $_->{uri} =~ /hls_ctx=0\./ } $o->requests()), 0,
    'contexts of viewers stay here');

# the first of many is hostile, and goes away

for my $n (1 .. 3) {
    my @hostile = (
        'Range: bytes=100000-', 'If-None-Match: *', 'If-Range: "x"',
        'If-Modified-Since: Thu, 01 Jan 2037 00:00:00 GMT',
        'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
        'If-Match: "nothing"', 'Cookie: session=secret', 'Accept-Encoding: x',
        'Authorization: Basic c2VjcmV0', 'X-Forwarded-For: 10.6.6.6',
        'X-Forwarded-Proto: gopher', 'X-Forwarded-Host: evil.example',
        'X-Real-IP: 10.6.6.6', 'Forwarded: for=10.6.6.6', 'TE: trailers',
        'Referer: http://secret.example/', 'Origin: http://evil.example',
        'User-Agent: secret', 'X-Token-Session: secret', 'X-Original-URL: /x',
        'Via: 1.1 evil', 'Connection: close, x-a', 'X-A: secret',
    );

    my $how = $n == 1 ? { stop => 0, reset => 1 } : $n == 2 ? { stop => 1 }
        : { timeout => 0.1 };

    @r = hls_gets({ uri => "/first-$n.ts?evil=1", headers => [@hostile],
        name => 'evil.example', %$how },
        map { { uri => "/first-$n.ts", after => 0.05, name =>
            'one.example.com' } } 1 .. 200);
    shift @r;

    is(scalar(grep { $_->{status} == 200 && $_->{complete} } @r), 200,
        "first $n: all are served");
    is(scalar(grep { $_->{body} ne 'one.example.com ' . 'x' x 200000 } @r), 0,
        "first $n: what is right");
    is($o->count(qr!^/first-$n\.ts!), 1, "first $n: one fetch");

    ($r) = $o->requests(qr!^/first-$n\.ts!);
    is($r->{uri}, "/first-$n.ts", "first $n: what was fetched");
    unlike($r->{head}, qr/secret|evil|10\.6\.6\.6|gopher|^(?:Range|If-|TE|Via)
        |^(?:Cookie|Accept-Encoding|Authorization)/mix,
        "first $n: how it was");
}

# hosts that are not one another

for my $host (qw/ two.example.com a.example.org b.example.org c.example.net /)
{
    $r = hls_get('/host.ts', name => $host);
    is($r->{body}, "$host /host.ts", "host $host");
}

$r = hls_get('/host.ts', name => 'one.example.com');
is($r->{body}, 'one.example.com /host.ts', 'host of the first server');

for my $host ('A.example.ORG', 'a.example.org:8080', 'a.example.org.') {
    $r = hls_get('/host.ts', name => $host);
    is($r->{body}, 'a.example.org /host.ts', "host $host");
}

is($o->count('/host.ts'), 5, 'a fetch for each');

# methods and paths that are not for the cache

for my $method (qw/ POST PUT DELETE PATCH PROPFIND TRACE /) {
    $r = hls_get('/live/cam1/1.ts', method => $method, headers =>
        ['Content-Length: 0']);
    unlike($r->{headers}{'x-status'} || '', qr/HIT|MISS/, $method);
}

$r = hls_get('/live/cam1/1.ts', headers => ['Range: bytes='
    . join(',', map { "$_-$_" } 1 .. 2000)]);
ok($r->{length} <= 200000, 'two thousand ranges');

# names that nobody has heard of

@r = map { many(250, sub { '/' . rand() . '/index.m3u8' }) } 1 .. 8;
is(scalar(grep { $_->{status} == 404 } @r), 2000, 'unknown names');

$r = hls_get('/live/cam1/1.ts');
is("$r->{status} $r->{length}", '200 20000', 'as before');

$memory = hls_memory($t);
cmp_ok($memory->{window}, '<=', 16 * 1048576, 'memory of the cache');
cmp_ok($memory->{own}, '<', 48 * 1048576, 'memory of a worker');

###############################################################################

sub many {
    my ($n, $uri) = @_;

    return hls_gets(map { { uri => $uri->($_), name => 'one.example.com' } }
        1 .. $n);
}

# How long many() may have taken.

sub hls_seconds {
    my ($answers) = @_;
    my $sum = 0;

    # each call waits for its slowest
    $sum += $_->{last} || 0 for @$answers;

    return 1 + $sum / 100;
}

###############################################################################
