#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in upstream{} of http{} with keepalive.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy upstream_keepalive/)->plan(15);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
    server  127.0.0.1:2 http=%%PORT_8082%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live {
        rtmp_route  live http;
        keepalive   4;
    }

    add_header  X-Addr    $upstream_addr    always;
    add_header  X-Status  $upstream_status  always;

    proxy_http_version  1.1;
    proxy_set_header    Connection "";

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

EOF_CONF

my $one = httpd($t, port(8081), \&origin);
my $two = httpd($t, port(8082), \&origin);

$t->run();

###############################################################################

my ($id1, $id2) = map { $_->{id} } servers('live');

pin('live', 'live/cam1', $id1);
pin('live', 'live/cam2', $id2);

like(http_get('/live/cam1.m3u8'), qr!200 OK.*c\d+ n1$!s, 'first');
like(http_get('/live/cam1.m3u8'), qr!200 OK.*c\d+ n2$!s, 'reused');
like(http_get('/live/cam2.m3u8'), qr!200 OK.*c\d+ n1$!s, 'other server');
like(http_get('/live/cam2.m3u8'), qr!200 OK.*c\d+ n2$!s,
    'other server, reused');
like(http_get('/live/cam1.m3u8'), qr!200 OK.*c\d+ n3$!s, 'first again');

is(conns('live'), '0 0', 'cached connections are not counted');

# connections that the server closes

like(http_get('/live/cam1/reset.ts'), qr!200 OK.*n4$!s, 'reused and reset');

my $r = http_get('/live/cam1.m3u8');

like($r, qr!200 OK.*n1$!s, 'a new one');
unlike($r, qr!X-Addr: [^\x0d]*@{[port(8082)]}!, 'of the same server');

# the connection is closed instead of an answer

$r = http_get('/live/cam1/drop.ts');

like($r, qr!200 OK.*X-Addr: (\S+:@{[port(8081)]}), \1\x0d.*n1$!s,
    'closed instead of an answer, same server');
like($r, qr!X-Status: 502, 200\x0d!, 'tried twice');

my ($s1) = grep { $_->{id} eq $id1 } servers('live');

is($s1->{fails}, 0, 'no fail');
is(conns('live'), '0 0', 'nothing counted');

# a new connection is closed as well

http_get('/live/cam2.m3u8');
$r = http_get('/live/cam2/gone.ts');

like($r, qr! 502 .*X-Addr: (\S+:@{[port(8082)]}), \1, (\S+), \2\x0d!s,
    'closed again, next server');
is(join(' ', map { $_->{fails} } servers('live')), '1 1', 'fails');

###############################################################################

sub origin {
    my ($r) = @_;

    return () if $r->{uri} =~ /gone/;

    # closes reused connections only

    return () if $r->{uri} =~ /drop/ && $r->{n} > 1;

    return http_response(200, "c$r->{c} n$r->{n}",
        $r->{uri} =~ /reset/ ? 'Connection: close' : ());
}

###############################################################################
