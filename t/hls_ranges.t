#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: ranges and HEAD, of what is there and of what is
# just coming.

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

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(56)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;
    hls_cache hls;

    add_header X-Status $hls_cache_status always;

    proxy_buffering off;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;
        sendfile     on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /memory/ {
            sendfile   off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /one/ {
            max_ranges 1;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF

my $size = 200000;
my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    # the body comes in 0.5 seconds

    return { size => $size, seed => 'x', type => 'video/mp2t',
        headers => ['Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT'],
        $r->{path} =~ /slow/ ? (pieces => [40000, 0.5]) : (),
        $r->{path} =~ /chunked/ ? (chunked => 10000) : () };
});

my $all = hls_bytes('x', $size);

$t->run();

###############################################################################

my ($r, @r, $etag);

# of what is there

for my $dir ('/', '/memory/') {

    # the first one asks for all of it

    $r = hls_get("${dir}a.ts", headers => ['Range: bytes=0-9']);
    is(part($r), '206 0-9 10', "${dir}first");
    is($r->{headers}{'x-status'}, 'MISS', "${dir}is a miss");
    is($r->{headers}{'content-range'}, "bytes 0-9/$size", "${dir}range");

    for my $range ([0, 0], [0, 9], [10, 99999], [150000, $size - 1], [1, 1]) {
        my ($from, $to) = @$range;

        $r = hls_get("${dir}a.ts", headers => ["Range: bytes=$from-$to"]);
        is(part($r), "206 $from-$to " . ($to - $from + 1),
            "$dir$from-$to");
    }

    $r = hls_get("${dir}a.ts", headers => ['Range: bytes=-100']);
    is(part($r), '206 199900-199999 100', "${dir}last 100");

    $r = hls_get("${dir}a.ts", headers => ['Range: bytes=199990-']);
    is(part($r), '206 199990-199999 10', "${dir}to the end");

    $r = hls_get("${dir}a.ts", headers => ['Range: bytes=200000-']);
    is("$r->{status} $r->{headers}{'content-range'}", "416 bytes */$size",
        "${dir}not satisfiable");

    $r = hls_get("${dir}a.ts",
        headers => ['Range: bytes=0-9,100-109,-10']);
    is($r->{status}, 206, "${dir}three ranges");
    is(join('', parts($r)), substr($all, 0, 10) . substr($all, 100, 10)
        . substr($all, -10), "${dir}bytes of three ranges");

    is($o->count("${dir}a.ts"), 1, "${dir}one request");
}

is($o->header(($o->requests('/a.ts'))[0], 'Range'), undef,
    'the origin sees no ranges');

# If-Range

$etag = hls_get('/a.ts')->{headers}{etag};

$r = hls_get('/a.ts', headers => ['Range: bytes=5-6', "If-Range: $etag"]);
is(part($r), '206 5-6 2', 'if-range');

$r = hls_get('/a.ts', headers => ['Range: bytes=5-6', 'If-Range: "a"']);
is(part($r), "200 $size", 'if-range of another one');

$r = hls_get('/a.ts', headers => ['Range: bytes=5-6',
    'If-Range: Mon, 28 Sep 1970 06:00:00 GMT']);
is(part($r), '206 5-6 2', 'if-range with a time');

# the location limits them

$r = hls_get('/one/a.ts', headers => ['Range: bytes=5-6,8-9']);
is(part($r), "200 $size", 'max_ranges');

# of what is just coming: each as soon as it is there

@r = hls_gets({ uri => '/slow1.ts' }, map { {
    uri => '/slow1.ts', after => 0.05, headers => ["Range: bytes=$_"] } }
    '0-99', '50000-50099', '190000-190099', '-100', '0-199999', '0-9,20-29',
    '500000-', '100000-');

is(part(shift @r), "200 $size", 'coming: all');
is(part($r[0]), '206 0-99 100', 'coming: beginning');
cmp_ok($r[0]{last}, '<', 1.4, 'coming: beginning at once');
is(part($r[1]), '206 50000-50099 100', 'coming: middle');
cmp_ok($r[1]{last}, '<', 1.8, 'coming: middle soon');
is(part($r[2]), '206 190000-190099 100', 'coming: end');
is(part($r[3]), '206 199900-199999 100', 'coming: last 100');
is(part($r[4]), "206 0-199999 $size", 'coming: all as a range');
is(join('', parts($r[5])), substr($all, 0, 10) . substr($all, 20, 10),
    'coming: two ranges');
is($r[6]{status}, 416, 'coming: not satisfiable');
is(part($r[7]), '206 100000-199999 100000', 'coming: second half');
is($o->count('/slow1.ts'), 1, 'coming: one request');

# without a length

@r = hls_gets({ uri => '/chunked-slow.ts' }, map { {
    uri => '/chunked-slow.ts', after => 0.05, %$_ } }
    { headers => ['Range: bytes=10-19'] }, { version => '1.0' },
    { method => 'HEAD' });

is("$r[0]{status} $r[0]{length} $r[0]{complete}", "200 $size 1",
    'no length: all');
is($r[0]{headers}{'transfer-encoding'}, 'chunked', 'no length: chunked');
is(part($r[1]), '206 10-19 10', 'no length: range');
is("$r[2]{status} $r[2]{length} $r[2]{headers}{'content-length'}",
    "200 $size $size", 'no length: HTTP/1.0');
is("$r[3]{status} $r[3]{length} $r[3]{headers}{'content-length'}",
    "200 0 $size", 'no length: HEAD');
is($o->count('/chunked-slow.ts'), 1, 'no length: one request');

# HEAD

$r = hls_get('/head.ts', method => 'HEAD');
is("$r->{status} $r->{headers}{'content-length'} $r->{headers}{'x-status'}",
    "200 $size MISS", 'HEAD');

$r = hls_get('/head.ts');
is(part($r), "200 $size", 'GET after HEAD');
is(join(' ', map { $_->{method} } $o->requests('/head.ts')), 'GET',
    'the origin sees GET');

$r = hls_get('/head.ts', method => 'HEAD', headers => ['Range: bytes=1-2']);
is("$r->{status} $r->{headers}{'content-length'}", '206 2', 'HEAD and range');

$r = hls_get('/slow2.ts', method => 'HEAD');
cmp_ok($r->{last}, '<', 1.8, 'HEAD does not wait for the end');

###############################################################################

sub part {
    my ($r) = @_;
    my ($from, $to);

    if ($r->{status} == 206) {
        ($from, $to) = ($r->{headers}{'content-range'} || '')
            =~ m!^bytes (\d+)-(\d+)/$size$! or return '206 without a range';
        return '206 not right'
            if $r->{body} ne substr($all, $from, $to - $from + 1);
        return "206 $from-$to " . length($r->{body});
    }

    return "$r->{status} not right" if $r->{body} ne $all;
    return "$r->{status} " . length($r->{body});
}

sub parts {
    my ($r) = @_;
    my ($b) = ($r->{headers}{'content-type'} || '')
        =~ m!^multipart/byteranges; boundary=(\S+)! or return 'no parts';

    return $r->{body} =~ /\r\n\r\n(.*?)(?=\r\n--$b)/gs;
}

###############################################################################
