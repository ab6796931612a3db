#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: IPv6 on both sides.

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

my $t = Test::Nginx->new()->has(qw/stream stream_map/);

plan(skip_all => 'no IPv6') unless IO::Socket::IP->new(LocalHost => '::1',
    Listen => 1);

$t->plan(9)->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    key    vhost/app/stream;
    server [::1]:%%PORT_8090%%;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$remote_addr|$upstream_addr|$rtmp_reason|$rtmp_vhost';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       [::1]:%%PORT_8080%%;
        osp_upstream live;
    }

    server {
        listen       [::1]:%%PORT_8081%%;
        osp_upstream live;
        osp_upstream_proxy_protocol v1;
    }

    server {
        listen       [::1]:%%PORT_8082%%;
        osp_upstream live;
        osp_upstream_proxy_protocol v2;
    }

    server {
        listen       [::1]:%%PORT_8083%%;
        osp_upstream live;
        osp_upstream_proxy_protocol srs;
    }
}

EOC

my $o = rtmp_origin($t, port(8090), host => '::1');

$t->run();

###############################################################################

my @media = media_messages(10);
my $c = rtmp_publish('[::1]:' . port(8080), 'live', 'cam1', early => \@media);

is($c->{code}, 'NetStream.Publish.Start', 'publish');
is($o->wait_media(media_digest(@media)), media_digest(@media), 'media');

$c->close();
wait_until(sub { $t->read_file('stream.log') =~ /\n/ });

is((split(/\n/, $t->read_file('stream.log')))[0], '::1|[::1]:' . port(8090)
    . '|ok|__defaultVhost__', 'log');

for my $port (8081, 8082, 8083) {
    $c = rtmp_publish('[::1]:' . port($port), 'live', 'cam1');

    is($c->{code}, 'NetStream.Publish.Start', "publish $port");

    # what SRS takes has no room for an address of IPv6

    my ($p) = $o->events(event => 'preamble', c => $o->connections());
    my $ports = $c->{socket}->sockport() . ' ' . port($port);

    is($p ? "$p->{type} $p->{text}" : 'none', $port == 8081
        ? "v1 PROXY TCP6 ::1 ::1 $ports"
        : $port == 8082 ? "v2 TCP6 ::1 ::1 $ports" : 'none', "port $port");
}

###############################################################################
