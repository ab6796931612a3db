#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_force: all that is asked for over HTTP goes to one host, another
# proxy or an edge, and OSP's core is not asked where it is.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite http_ssl stream/)
    ->has_daemon('openssl');

my @refused = (
    # arguments of osp_force, message
    ['parent.example.com',
        'needs "type=edge" or "type=proxy"'],
    ['parent.example.com port=80', 'needs "type=edge" or "type=proxy"'],
    ['parent.example.com type=', 'invalid parameter "type="'],
    ['parent.example.com type=other', 'invalid parameter "type=other"'],
    ['127.0.0.1 type=proxy port=0', 'invalid parameter "port=0"'],
    ['127.0.0.1 type=proxy port=65536', 'invalid parameter "port=65536"'],
    ['127.0.0.1 type=proxy scheme=ftp', 'invalid parameter "scheme=ftp"'],
    ['127.0.0.1:80 type=proxy', 'port in "127.0.0.1:80", it is told by'],
    ['"a b" type=proxy', 'invalid server name "a b"'],
    ['"http://a" type=proxy', 'invalid port in "http://a"'],
    ['127.0.0.1 type=proxy; osp_force 127.0.0.2 type=proxy',
        '"osp_force" directive is duplicate'],
);

$t->plan(@refused + 36);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    resolver   127.0.0.1;
    osp_core   http://127.0.0.1:%%PORT_8089%% interval=1h;
    osp_force  127.0.0.1 type=proxy port=%%PORT_8081%%;
    server     127.0.0.1 http=%%PORT_8083%%;
}

rtmp_route edge {
    resolver   127.0.0.1;
    osp_core   http://127.0.0.1:%%PORT_8089%% interval=1h;
    osp_force  127.0.0.1 type=edge port=%%PORT_8082%%;
}

rtmp_route tls {
    resolver   127.0.0.1;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    osp_force  127.0.0.1 type=edge port=%%PORT_8084%% scheme=https route=tls;
    osp_core   http://127.0.0.1:%%PORT_8089%% interval=1h route=tls;
}

# ports that are not said

rtmp_route defaults {
    resolver   127.0.0.1;
    osp_core   http://127.0.0.1:%%PORT_8089%% interval=1h;
    osp_force  127.0.0.1 type=%%TYPE%%;
}

rtmp_route defaults_tls {
    resolver   127.0.0.1;
    osp_core   http://127.0.0.1:%%PORT_8089%% interval=1h;
    osp_force  127.0.0.1 type=%%TYPE%% scheme=https;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;

    add_header X-Status $hls_cache_status always;

    upstream live {
        rtmp_route live http;
        keepalive  4;
    }

    upstream edge {
        rtmp_route edge http;
    }

    upstream tls {
        rtmp_route tls http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache  hls;
            rtmp_route live;
            proxy_pass $rtmp_route_scheme://live;
            proxy_http_version 1.1;
            proxy_set_header   Connection "";
        }

        location /direct/ {
            rewrite    ^/direct(/.*)$ $1 break;
            rtmp_route live;
            proxy_pass http://live;
        }

        location /balancer/ {
            rewrite    ^/balancer(/.*)$ $1 break;
            proxy_pass http://live;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }

    server {
        listen       127.0.0.1:8085;
        server_name  localhost;

        location / {
            hls_cache  hls;
            rtmp_route edge;
            proxy_pass http://edge;
        }

        location /live/plain/ {
            rtmp_route edge;
            proxy_pass http://edge;
            add_header X-Uri "$request_uri" always;
        }

        location /live/prefix/ {
            rtmp_route edge;
            proxy_pass http://edge/ignored/;
        }

        location /live/again/ {
            rtmp_route edge;
            proxy_pass http://127.0.0.1:%%PORT_8088%%;
            error_page 502 = @again;
        }

        location @again {
            rtmp_route edge;
            proxy_pass http://edge;
        }
    }

    server {
        listen       127.0.0.1:8086;
        server_name  localhost;

        location / {
            rtmp_route tls;
            proxy_pass $rtmp_route_scheme://tls;
        }
    }

    server {
        listen       127.0.0.1:8084 ssl;
        server_name  localhost;

        ssl_certificate      cert.pem;
        ssl_certificate_key  key.pem;

        location / {
            return  200  "$scheme $request_uri\n";
        }
    }
}

EOF_CONF

my $dir = $t->testdir();

system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost "
    . "-keyout $dir/key.pem -out $dir/cert.pem >$dir/openssl.log 2>&1") == 0
    or die "Can't create a certificate\n";

my %o = map {
    my ($name, $port) = @$_;

    ($name => hls_origin($t, port($port), code => sub {
        my ($r) = @_;
        return { status => 404 } if $r->{uri} =~ /absent/;
        return { body => "$name $r->{uri}", type => 'video/mp2t' };
    }));
} ['proxy', 8081], ['edge', 8082], ['other', 8083];

# this one says where a channel is, if it is asked

my $core = httpd($t, port(8089), sub {
    my ($r) = @_;

    return http_response(200, 'OK', 'X_UpstreamHost: 127.0.0.1')
        if $r->{uri} =~ m!/rtmpCheck!;
    return http_response(200, '{"results":[]}',
        'Content-Type: application/json');
});

$conf =~ s/%%TYPE%%/proxy/g;

$t->write_file_expand('nginx.conf', $conf);
$t->run();

###############################################################################

my $r;

# channels that nobody knows, and those that somebody says are elsewhere

for my $uri ('/live/cam1/index.m3u8?a=b', '/live-adapt/cam1.m3u8',
    '/keys/cam1/1.key', '/live/cam1/1.ts', '/live/cam1.flv?x=1',
    '/other/path.ts')
{
    my ($path) = $uri =~ /^([^?]*)/;
    my $asked = $uri =~ /flv/ ? $uri : $path;

    is(hls_get($uri)->{body}, "proxy $asked", $uri);
}

ok(pin('live', 'live/cam2', '127.0.0.1'), 'a pin');

is(hls_get('/live/cam2/1.ts')->{body}, 'proxy /live/cam2/1.ts', 'pinned');
is(hls_get('/direct/live/cam2/1.ts?x')->{body}, 'proxy /live/cam2/1.ts?x',
    'without a cache');
is(hls_get('/balancer/live/cam3/1.ts')->{body}, 'proxy /live/cam3/1.ts',
    'without a look-up');
is(hls_get('/live/absent/1.ts')->{status}, 404, 'not there');

$r = hls_get('/live/cam1/77.ts', method => 'HEAD');
is($r->{status}, 200, 'HEAD');

is($o{other}->count(), 0, 'no other server');

# as the API shows it

is(join(' ', map { "$_->{id} $_->{source} @{$_->{http}}" }
    grep { $_->{id} =~ /:/ } servers('live')),
    join(' ', '127.0.0.1:' . port(8081), 'config',
        '127.0.0.1:' . port(8081)), 'the server');

is(ports('defaults'), ':80', 'proxy, default port');
is(ports('defaults_tls'), ':443', 'proxy, default port of https');

# its end is no reason to go elsewhere

$o{proxy}->stop();
is(hls_get('/live/cam2/2.ts')->{status}, 502, 'no answer');
is(hls_get('/live/cam2/3.ts')->{status}, 502, 'no answer again');
is($o{other}->count(), 0, 'no other server');
$o{proxy}->start($t);
is(hls_get('/live/cam2/4.ts')->{body}, 'proxy /live/cam2/4.ts', 'back');

# an edge has other names for the same

is(edge('/live/cam1/index.m3u8'), 'edge /edge/cam1/index.m3u8', 'live');
is(edge('/live-adapt/cam1_720/1.ts'), 'edge /edge-adapt/cam1_720/1.ts',
    'adaptive');
is(edge('/live/cam1/index.m3u8', 'HIT'), 'edge /edge/cam1/index.m3u8', 'hit');
is(edge('/edge/cam2/1.ts'), 'edge /edge/cam2/1.ts', 'called so already');
is(edge('/lives/cam2/1.ts'), 'edge /lives/cam2/1.ts', 'other names stay');
is(edge('/live/a%23b/1.ts'), 'edge /edge/a%23b/1.ts', 'escaped');
is(edge('/live//x/../cam%34/1.ts'), 'edge /edge/cam4/1.ts', 'normalized');

$r = hls_get('/live/plain/1%32.ts?a=%20b', port => port(8085));
is($r->{body}, 'edge /edge/plain/12.ts?a=%20b', 'without a cache');
is($r->{headers}{'x-uri'}, '/live/plain/1%32.ts?a=%20b',
    'the name of the viewer');
is(edge('/live/prefix/1.ts'), 'edge /edge/prefix/1.ts',
    'a path of proxy_pass counts as little as with rewrite');
is(edge('/live/again/1.ts'), 'edge /edge/again/1.ts', 'once');

$r = hls_get('/live/cam1/77.ts', port => port(8085), method => 'HEAD');
is($r->{status}, 200, 'HEAD');
is(($o{edge}->requests('/edge/cam1/77.ts'))[0]{method}, 'GET', 'asked by GET');

is(hls_get('/live/cam1/1.ts', port => port(8086))->{body},
    "https /edge/cam1/1.ts\n", 'https');

is(scalar($core->requests(qr/rtmpCheck/)), 0, 'nobody was asked');

# an edge behind https is no more at port 80 than a proxy is at 5999

$conf =~ s/type=proxy;/type=edge;/g;
$conf =~ s/type=proxy scheme/type=edge scheme/g;

$t->write_file_expand('nginx.conf', $conf);
$t->reload();

ok(hls_wait(sub { ports('defaults') eq ':80'
    && ports('defaults_tls') eq ':443' }), 'edge, default ports');

# what is refused

for my $case (@refused) {
    like(check($t, $case->[0]), qr/\Q$case->[1]\E/, "$case->[0]");
}

###############################################################################

sub edge {
    my ($uri, $status) = @_;
    my $r = hls_get($uri, port => port(8085));

    return "not a $status: $r->{headers}{'x-status'}"
        if $status && $r->{headers}{'x-status'} ne $status;

    return $r->{body};
}

sub ports {
    my ($route) = @_;

    return join(' ', map { map { /(:\d+)$/ } @{$_->{http}}, @{$_->{https}} }
        servers($route));
}

sub check {
    my ($t, $args) = @_;

    $t->write_file_expand('refused.conf', <<EOF);

%%TEST_GLOBALS%%

rtmp_route live {
    resolver   127.0.0.1;
    osp_core   http://127.0.0.1:8089;
    osp_force  $args;
}

events {
}

EOF

    return `$Test::Nginx::NGINX -t -p $dir/ -c refused.conf -e stderr 2>&1`;
}

###############################################################################
