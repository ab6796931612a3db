#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_ping.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;
use Test::Nginx::RTMP qw/ wait_until /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http pcre/)->plan(36);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  10.0.0.11;
    server  10.0.0.12;
    server  10.0.0.13 down;
}

rtmp_route none {
    zone    none 64k;
    server  10.0.0.14 down;
}

rtmp_route reg {
    zone      reg 64k;
    register  open timeout=2s allow=10.0.0.0/8;
}

rtmp_route strict {
    zone          strict 64k;
    health_check  interval=1s type=tcp mandatory;
    server        127.0.0.1:8081;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location = /ping {
            rtmp_route_ping PARAMS;
        }

        location = /route {
            rtmp_route_ping route=live;
        }

        location = /two {
            rtmp_route_ping min_up=2 route=live;
        }

        location = /none {
            rtmp_route_ping route=none;
        }

        location = /reg {
            rtmp_route_ping route=reg;
        }

        location /ping/ {
            rtmp_route_ping route=strict;
        }

        location ~ ^/any/(.*) {
            rtmp_route_ping;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF_CONF

# refused

refused($t, 'foo', qr/invalid parameter "foo"/);
refused($t, 'route=', qr/invalid parameter "route="/);
refused($t, 'route=live route=live', qr/invalid parameter "route=live"/);
refused($t, 'route=nobody', qr/nobody/);
refused($t, 'min_up=1 route=', qr/invalid parameter "route="/);
refused($t, 'route=live min_up=-1', qr/invalid parameter "min_up=-1"/);
refused($t, 'route=live min_up=', qr/invalid parameter "min_up="/);
refused($t, 'route=live min_up=99999999999999999999',
    qr/invalid parameter "min_up=9+"/);
refused($t, 'min_up=1', qr/"min_up" needs "route"/);
refused($t, 'route=live min_up=0', qr/invalid parameter "min_up=0"/);
refused($t, 'route=live min_up=x', qr/invalid parameter "min_up=x"/);
refused($t, 'route=live min_up=1 min_up=2', qr/invalid number of arguments/);
refused($t, '; rtmp_route_ping', qr/"rtmp_route_ping" directive is duplicate/);

unlink($t->testdir() . '/error.log');

configure($t, '');

$t->run();

###############################################################################

my $pong = http_get('/ping');

like($pong, qr/ 200 /, 'ping');
like($pong, qr!^Content-Type: application/json\x0d!m, 'type');
like($pong, qr/^Cache-Control: no-store\x0d/m, 'not stored');
is_deeply(decode_json(http_content($pong)),
    { results => { message => 'pong' } }, 'body');

my $head = http_head('/ping');

like($head, qr/ 200 .*^Content-Length: [1-9]/ms, 'HEAD');
like($head, qr/\x0d\x0a\x0d\x0a\z/, 'HEAD, no body');

like(http("POST /ping HTTP/1.0\x0d\x0aContent-Length: 0\x0d\x0a\x0d\x0a"),
    qr/ 405 /, 'method');

like(http_get('/route'), qr/ 200 .*"pong"/s, 'servers');
like(http_get('/two'), qr/ 200 .*"pong"/s, 'two servers');

my $few = http_get('/none');

like($few, qr/ 503 .*^Cache-Control: no-store\x0d/ms, 'no servers');
unlike($few, qr/pong/, 'no pong');

my ($first, $second) = map { $_->{id} } servers('live');

patch('live', $first, drain => JSON::PP::true());

like(http_get('/route'), qr/ 200 /, 'one is draining');
like(http_get('/two'), qr/ 503 /, 'one is too few');

patch('live', $second, down => JSON::PP::true());

like(http_get('/route'), qr/ 503 /, 'none is left');
like(http_get('/ping'), qr/ 200 /, 'no route, no matter');

patch('live', $first, drain => JSON::PP::false());

like(http_get('/route'), qr/ 200 /, 'up again');

# a registration, and its end

like(http_get('/reg'), qr/ 503 .*"too few servers"/s, 'nobody has registered');

request('POST', '/api/v1/srs/register?route=reg', '{"ip":"10.0.0.1",'
    . '"server":"a","service":"a","pid":"1","rtmp":["1935"]}');

like(http_get('/reg'), qr/ 200 .*"pong"/s, 'one has');
ok(wait_until(sub { http_get('/reg') =~ / 503 / }, 10), 'its time is up');

# a server that does not pass its health check

like(http_get('/ping/'), qr/ 503 /, 'not healthy');
like(http_get('/ping/at/1/all'), qr/ 503 /, 'the rest of the path');
like(http_get('/any/thing?a=b'), qr/ 200 .*"pong"/s, 'another location');
unlike(http_head('/reg'), qr/too few/, 'HEAD, no message');

###############################################################################

sub configure {
    my ($t, $params) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/PARAMS/$params/r);
}

sub refused {
    my ($t, $params, $re) = @_;

    configure($t, $params);
    like($t->dump_config(), $re, "refused: $params");
}

###############################################################################
