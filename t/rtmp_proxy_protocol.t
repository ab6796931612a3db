#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: the address of the client, told to the origin.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream stream_realip/)->plan(16);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;
}

rtmp_route v2 {
    zone   v2 1m;
    server 127.0.0.1:8090 proxy_protocol=v2;
}

rtmp_route off {
    zone   off 1m;
    server 127.0.0.1:8090 proxy_protocol=off;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
        osp_upstream_proxy_protocol v1;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream live;
        osp_upstream_proxy_protocol v2;
    }

    server {
        listen       127.0.0.1:8083;
        osp_upstream live;
        osp_upstream_proxy_protocol srs;
    }

    # a server's own word counts more

    server {
        listen       127.0.0.1:8084;
        osp_upstream v2;
        osp_upstream_proxy_protocol v1;
    }

    server {
        listen       127.0.0.1:8085;
        osp_upstream off;
        osp_upstream_proxy_protocol v1;
    }

    # from a balancer in front

    server {
        listen       127.0.0.1:8086 proxy_protocol;
        osp_upstream live;
        osp_upstream_proxy_protocol v1;
        set_real_ip_from 127.0.0.1;
    }

    server {
        listen       127.0.0.1:8087 proxy_protocol;
        osp_upstream live;
        osp_upstream_proxy_protocol srs;
        set_real_ip_from 127.0.0.1;
    }
}

EOC

my $o = rtmp_origin($t, port(8090));

$t->run();

###############################################################################

my ($ports, $got);

is(preamble(8080), 'none', 'off by default');

$got = preamble(8081);
is($got, "v1 PROXY TCP4 127.0.0.1 127.0.0.1 $ports", 'v1');

$got = preamble(8082);
is($got, "v2 TCP4 127.0.0.1 127.0.0.1 $ports", 'v2');

is(preamble(8083), 'srs 127.0.0.1', 'srs');

$got = preamble(8084);
is($got, "v2 TCP4 127.0.0.1 127.0.0.1 $ports", 'v2 of the server');

is(preamble(8085), 'none', 'off of the server');

my $v1 = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\n";

like(preamble(8086, $v1), qr/^v1 PROXY TCP4 192\.0\.2\.1 \S+ 1234 \d+$/,
    'passed on');
is(preamble(8087, $v1), 'srs 192.0.2.1', 'passed on as srs');

###############################################################################

sub preamble {
    my ($port, $before) = @_;
    my ($c, $p, $n);

    $n = $o->connections();
    $c = rtmp_publish(port($port), 'live', 'cam1', preamble => $before);

    is($c->{code}, 'NetStream.Publish.Start', "publish $port");

    $ports = $c->{socket}->sockport() . ' ' . $c->{socket}->peerport();
    ($p) = $o->events(event => 'preamble', c => $n + 1);

    return $p ? "$p->{type} $p->{text}" : 'none';
}

###############################################################################
