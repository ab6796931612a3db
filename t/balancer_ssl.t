#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in http{} with servers that offer https only.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy rewrite sni/)
    ->has_daemon('openssl')->plan(8);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
    # a name to nginx, and one address, which localhost is not everywhere
    server  127.1:2 https=%%PORT_8082%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live {
        rtmp_route  live http;
        keepalive   4;
    }

    upstream live_tls {
        rtmp_route  live https;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        add_header   X-Host  "$rtmp_route_scheme $rtmp_route_host"  always;

        location / {
            rtmp_route             live;
            proxy_pass             $rtmp_route_scheme://live;
            proxy_http_version     1.1;
            proxy_set_header       Connection "";
            proxy_ssl_name         $rtmp_route_host;
            proxy_ssl_server_name  on;
        }

        location /plain/ {
            proxy_pass  http://live;
        }

        location /tls/ {
            rtmp_route  live https;
            proxy_pass  https://live_tls;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location / {
            return  200  "one $scheme $connection_requests\n";
        }
    }

    server {
        listen       127.0.0.1:8082 ssl;
        server_name  localhost;

        ssl_certificate      cert.pem;
        ssl_certificate_key  key.pem;

        location / {
            return  200  "two $scheme $ssl_server_name $connection_requests\n";
        }
    }
}

EOF_CONF

my $dir = $t->testdir();

system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost "
    . "-keyout $dir/key.pem -out $dir/cert.pem >$dir/openssl.log 2>&1") == 0
    or die "Can't create a certificate\n";

$t->run();

###############################################################################

my ($one, $two) = map { $_->{id} } servers('live');

pin('live', 'live/cam1', $one);
pin('live', 'live/cam2', $two);
pin('live', 'tls/cam2', $two);

like(http_get('/live/cam1.m3u8'), qr!X-Host: http 127\.0\.0\.1\x0d.*one http !s,
    'http');
like(http_get('/live/cam2.m3u8'),
    qr!X-Host: https 127\.1\x0d.*two https 127\.1 1!s, 'https');
like(http_get('/live/cam2.m3u8'), qr!two https 127\.1 2!, 'https, reused');

my %seen;

for my $i (1 .. 30) {
    my ($body) = http_get("/live/x$i.m3u8") =~ /(one http|two https) /;
    $seen{$body || 'none'} = 1;
}

is(join(', ', sort keys %seen), 'one http, two https', 'unknown on both');

%seen = ();

for my $i (1 .. 20) {
    my ($body) = http_get("/plain/x$i.m3u8") =~ /(one http|two https) /;
    $seen{$body || 'none'} = 1;
}

is(join(', ', sort keys %seen), 'one http', 'http only');

like(http_get('/tls/cam2.m3u8'), qr!two https !, 'https asked for');
like(http_get('/tls/cam9.m3u8'), qr!two https !, 'https asked for, unknown');
is(conns('live'), '0 0', 'nothing counted');

###############################################################################
