#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache in front of servers that redirect to themselves, as
# the stock proxy of OSP does: viewers do not see it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::HTTPD;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/)->plan(40)
    ->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    server 127.0.0.1 http=%%PORT_8081%%;
}

rtmp_route many {
    round_robin;
    unknown pick;
    server 127.0.0.1:1 http=%%PORT_8082%%;
    server 127.0.0.1:2 http=%%PORT_8083%%;
    server 127.0.0.1:3 http=%%PORT_8084%%;
}

rtmp_route stock {
    server 127.0.0.1 http=%%PORT_8085%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;

    add_header X-Status $hls_cache_status always;

    upstream live {
        rtmp_route live http;
        keepalive  4;
    }

    upstream many {
        rtmp_route many http;
    }

    upstream stock {
        rtmp_route stock http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        hls_cache    hls;

        location / {
            rtmp_route live;
            proxy_pass http://live;
            proxy_http_version 1.1;
            proxy_set_header   Connection "";
        }

        location /host/ {
            rtmp_route live;
            proxy_pass $rtmp_route_scheme://live;
            proxy_set_header Host parent.example.com:8000;
        }

        location /many/ {
            rtmp_route many;
            proxy_pass http://many;
        }

        location /prefix/ {
            rtmp_route live;
            proxy_pass http://live/other/;
        }

        location /noroute/ {
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
    }

    # the child of a stock proxy

    server {
        listen       127.0.0.1:8086;
        server_name  localhost;

        location / {
            hls_cache          hls;
            hls_cache_variants _480;

            rtmp_route stock;
            proxy_pass http://stock;
            proxy_set_header Host $host;
        }
    }

    # the stock proxy

    server {
        listen       127.0.0.1:8085;
        server_name  localhost;
        access_log   %%TESTDIR%%/stock.log;

        location ~ ^/(live|live-adapt)/.*\.(m3u8|ts)$ {
            return 302 /10.0.0.1$uri;
        }

        location /10.0.0.1/ {
            rewrite    ^/10\.0\.0\.1(/.*)$ $1 break;
            proxy_pass http://127.0.0.1:%%PORT_8087%%;
        }
    }
}

EOF_CONF

my ($port, $other) = (port(8081), port(8088));

# "/.../STATUS/WHERE" is redirected there, "/.../to/..." is not

my $o = httpd($t, $port, sub {
    my ($r) = @_;
    my $uri = $r->{uri};

    return http_response(302, '', "Location: $uri") if $uri =~ /loop/;

    return http_response(302, '', 'Location: /three/' . ($1 + 1) . '.ts')
        if $uri =~ m!/three/(\d)! && $1 < 3;

    return http_response(302, '', 'Location: /four/' . ($1 + 1) . '.ts')
        if $uri =~ m!/four/(\d)! && $1 < 4;

    my %where = (
        path     => '/to/path.ts?a=%20b&c',
        escaped  => '/to/%61%20b%3f.ts',
        relative => 'to/relative.ts',
        dots     => '/x/../to/dots.ts#here',
        addr     => "http://127.0.0.1:$port/to/addr.ts",
        name     => 'http://PARENT.example.com:8000/to/name.ts',
        port     => "http://parent.example.com:$port/to/port.ts",
        stranger => "http://127.0.0.1:$other/to/other.ts",
        strange  => "//127.0.0.1:$other/to/other.ts",
        https    => "https://127.0.0.1:$port/to/https.ts",
        scheme   => 'ftp://127.0.0.1/to/x.ts',
        key      => '/to/1.%6bey',
        likekey  => '/to/1.KEY/;x',
        none     => '',
    );

    my ($status, $where) = $uri =~ m!/(\d{3})/(\w+)\.!
        or return http_response(200, "$uri $r->{headers}{host}",
            'Content-Type: video/mp2t');

    my @headers = $where{$where} ne '' ? "Location: $where{$where}" : ();
    my $body = $uri =~ /large/ ? 'x' x 100000 : 'moved';

    if ($uri =~ /chunked/) {
        my @parts = http_chunked(\@headers, 'moved', ' there');
        $parts[0] =~ s/ 200 OK/ 302 Found/;
        return @parts;
    }

    return http_response($status, $body, @headers);
});

# each knows only what it has said itself

my @many = map {
    my $n = $_;

    httpd($t, port($n), sub {
        my ($r) = @_;

        return http_response(200, 'found') if $r->{uri} =~ m!^/$n/!;
        return http_response(404, 'not here') if $r->{uri} =~ m!^/\d+/!;
        return http_response(302, '', "Location: /$n$r->{uri}");
    });
} 8082 .. 8084;

my $elsewhere = httpd($t, $other, sub { http_response(200, 'elsewhere') });
my $origin = hls_origin($t, port(8087));

$origin->live('cam1', layout => 'nested', base => '/live');

$t->run();

###############################################################################

my ($r, %r);

# where it may lead

is(get('/live/302/path.ts'), '/to/path.ts?a=%20b&c live', 'path');
is(get('/live/302/path.ts', 'HIT'), '/to/path.ts?a=%20b&c live', 'cached');
is(get('/live/301/escaped.ts'), '/to/a%20b%3F.ts live', 'escaped');
is(get('/live/307/relative.ts'), '/live/307/to/relative.ts live', 'relative');
is(get('/live/308/dots.ts'), '/to/dots.ts live', 'dots');
is(get('/live/303/addr.ts'), '/to/addr.ts live', 'address');
is(get('/host/302/name.ts'), '/to/name.ts parent.example.com:8000', 'name');
is(get('/host/302/port.ts'), '/to/port.ts parent.example.com:8000',
    'name and port');
is(get('/live/302/chunked/302/path.ts'), '/to/path.ts?a=%20b&c live',
    'no length');
is(get('/prefix/302/path.ts'), '/to/path.ts?a=%20b&c live',
    'no prefix of the location');
is(get('/noroute/302/path.ts'), '/to/path.ts?a=%20b&c 127.0.0.1:' . $port,
    'without a route');
is(get('/three/0.ts'), '/three/3.ts live', 'three');
is(get('/live/302/key.key'), '/to/1.key live', 'a key');

# and where not

for my $uri ('/live/302/stranger.ts', '/live/302/strange.ts',
    '/live/302/https.ts', '/live/302/scheme.ts', '/live/302/none.ts',
    '/live/302/name.ts', '/live/302/key.ts', '/live/302/likekey.ts',
    '/four/0.ts',
    '/live/large/302/path.ts')
{
    is(hls_get($uri)->{status}, 502, "not followed: $uri");
}

is(hls_get('/live/loop.ts')->{status}, 502, 'loop');
is(scalar($o->requests(qr/loop/)), 4, 'three times');

is(hls_get('/noroute/302/stranger.ts')->{status}, 302, 'without a route');
is(scalar($elsewhere->requests()), 0, 'nobody else is asked');

my $log = $t->read_file('error.log');

like($log, qr/\[error\].*redirect to another server "127\.0\.0\.1:$other"/,
    'logged: another server');
like($log, qr/\[error\].*redirect to a key/, 'logged: a key');
like($log, qr/\[error\].*too many redirects/, 'logged: too many');

# the server that has said so, whatever the balancing

%r = ();
$r{hls_get("/many/$_.ts")->{body}}++ for 1 .. 30;

is(join(' ', %r), 'found 30', 'the same server');
is(scalar(grep { $_->requests() } @many), 3, 'of several');

# many viewers, one fetch

my @r = hls_gets(map { { uri => '/live/302/path.ts?x' } } 1 .. 20);
is(scalar(grep { $_->{status} == 200 } @r), 20, 'viewers');

# a stock proxy: nobody gets beyond it

$r = hls_get('/live/cam1/index.m3u8', port => port(8086));
is($r->{status}, 200, 'stock proxy');
like($r->{body}, qr/^\d+\.ts$/m, 'playlist');

my ($segment) = $r->{body} =~ /^(\d+\.ts)$/m;

is(hls_get("/live/cam1/$segment", port => port(8086))->{body},
    $origin->answer("/live/cam1/$segment")->{body}, 'segment');

is(hls_get('/live/cam9/index.m3u8', port => port(8086))->{status}, 404,
    'not there');

my @stock;

hls_wait(sub { (@stock = $t->read_file('stock.log') =~ /"GET (\S+)/g) >= 6 });

is(scalar(grep { m!^/live/! } @stock), 3, 'asked');
is(scalar(grep { m!^/10\.0\.0\.1/live/! } @stock), 3, 'and followed');

# what was good is served while it leads elsewhere

$origin->set('/live/cam1/index.m3u8', status => 302, body => '',
    headers => ["Location: http://127.0.0.1:$other/to/other.m3u8"]);

ok(hls_wait(sub {
    $r = hls_get('/live/cam1/index.m3u8', port => port(8086));
    ($r->{headers}{'x-status'} || '') eq 'STALE';
}), 'stale');

###############################################################################

sub get {
    my ($uri, $status) = @_;
    my $r = hls_get($uri);

    return "$r->{headers}{'x-status'} $r->{status}"
        if $r->{status} != 200
        || $r->{headers}{'x-status'} ne ($status || 'MISS');

    return $r->{body};
}

###############################################################################
