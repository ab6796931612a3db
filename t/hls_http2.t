#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: HTTP/2 and TLS, what is there and what is coming.

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

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl http_v2 proxy/)->has_daemon('openssl')
    ->has_daemon('curl')->plan(43)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;
    hls_cache hls;

    add_header X-Status $hls_cache_status always;

    ssl_certificate     localhost.crt;
    ssl_certificate_key localhost.key;

    server {
        listen       127.0.0.1:8080;
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8444 ssl http2;
        listen       127.0.0.1:8082 http2;
        server_name  localhost;
        sendfile     on;

        location / {
            proxy_buffering   off;
            proxy_buffers     8 32k;
            proxy_buffer_size 32k;
            proxy_pass        http://127.0.0.1:8081;
        }
    }
}

EOF

my $d = $t->testdir();

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
    . "-keyout $d/localhost.key -out $d/localhost.crt 2>/dev/null") == 0
    or die "Can't create a certificate\n";

my $size = 3000000;
my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    return { body => "#EXTM3U\n#EXT-X-TARGETDURATION:8\n"
        . join('', map { "#EXTINF:8,\n$_.ts\n" } 1 .. 50),
        type => 'application/x-mpegURL' } if $r->{path} =~ /m3u8/;
    return undef if $r->{path} =~ /none/;
    return { size => $size, seed => 'x', type => 'video/mp2t',
        $r->{path} =~ /slow/ ? (pieces => [1000000, 0.15]) : (),
        $r->{path} =~ /chunked/ ? (chunked => 10000) : (),
        $r->{path} =~ /cut/ ? (cut => 1000000) : () };
});

my $all = hls_bytes('x', $size);

$t->run();

###############################################################################

my %how = (
    tls  => ['https://127.0.0.1:' . port(8443), '--http1.1'],
    h2   => ['https://127.0.0.1:' . port(8444), '--http2'],
    h2c  => ['http://127.0.0.1:' . port(8082), '--http2-prior-knowledge'],
);

my ($r, @r, $etag);

for my $name (sort keys %how) {

    # while it comes, ten at once, and when it is there; curl does not make
    # several requests at once over HTTP/2 without TLS

    my $n = $name eq 'h2c' ? 1 : 10;

    @r = curl($t, $name, ("/slow-$name.ts") x $n);
    is(scalar(grep { $_->{body} eq $all } @r), $n, "$name: coming");
    is($o->count("/slow-$name.ts"), 1, "$name: one request");

    @r = curl($t, $name, "/chunked-slow-$name.ts");
    is(scalar(grep { $_->{body} eq $all } @r), 1, "$name: no length");

    ($r) = curl($t, $name, "/slow-$name.ts");
    is("$r->{status} " . ($r->{body} eq $all), '200 1', "$name: there");
    is($r->{headers}{'x-status'}, 'HIT', "$name: hit");
    is($r->{headers}{'content-length'}, $size, "$name: length");

    $etag = $r->{headers}{etag};

    ($r) = curl($t, $name, '-r', '1000000-1999999', "/slow-$name.ts");
    is($r->{status}, 206, "$name: range");
    ok($r->{body} eq substr($all, 1000000, 1000000), "$name: its bytes");

    ($r) = curl($t, $name, '-H', "If-None-Match: $etag", "/slow-$name.ts");
    is("$r->{status} " . length($r->{body}), '304 0', "$name: not modified");

    ($r) = curl($t, $name, '-I', "/slow-$name.ts");
    is("$r->{status} $r->{headers}{'content-length'}", "200 $size",
        "$name: HEAD");

    ($r) = curl($t, $name, "/none-$name.ts");
    is($r->{status}, 404, "$name: not found");

    ($r) = curl($t, $name, '--compressed', "/$name.m3u8");
    is($r->{headers}{'content-encoding'}, 'gzip', "$name: gzip");
    like($r->{body}, qr/\n50\.ts\n\z/, "$name: playlist");

    # what is cut does not look as if it were whole

    ($r) = curl($t, $name, "/cut-$name.ts");
    isnt($r->{rc}, 0, "$name: cut");
}

# one of them has asked first, and another one goes on

@r = hls_gets({ uri => '/slow.ts' }, { uri => '/slow.ts', after => 0.05 });
($r) = curl($t, 'h2', '/slow.ts');

is($r->{body} eq $all && $r->{headers}{'x-status'}, 'HIT', 'of each other');

###############################################################################

# Several requests use one connection.

sub curl {
    my ($t, $name, @args) = @_;
    my ($url, $version) = @{$how{$name}};
    my (@options, @out, @r, $n, $rc);

    $n = 0;

    for my $arg (@args) {
        if ($arg !~ m!^/!) {
            push @options, $arg;
            next;
        }

        unlink("$d/out$n", "$d/head$n");
        push @out, '--next' if $n;
        push @out, '-s', '--no-progress-meter', '-k', $version, @options,
            '-m', 10, '-D', "$d/head$n", '-o', "$d/out$n", "$url$arg";
        $n++;
    }

    unshift @out, '-Z' if $n > 1;

    $rc = system('curl', @out) >> 8;

    for my $i (0 .. $n - 1) {
        my ($head, $body) = map { -e "$d/$_" ? $t->read_file($_) : '' }
            ("head$i", "out$i");
        my ($status) = $head =~ m!^HTTP/\S+ (\d+)!;

        $body = '' if grep { $_ eq '-I' } @options;

        my %headers = $head =~ /^([\w-]+): (.*?)\r$/mg;

        push @r, { rc => $rc, status => $status, body => $body, headers =>
            { map { lc($_) => $headers{$_} } keys %headers } };
    }

    return @r;
}

###############################################################################
