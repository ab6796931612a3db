#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: the next server, when one is dead.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream stream_ssl/)->plan(27);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

# the first one is taken as long as it is up, which it always is

rtmp_route refused {
    zone   refused 1m;
    server 127.0.0.1:8090 max_fails=0;
    server 127.0.0.1:8081 backup;
}

rtmp_route silent {
    zone   silent 1m;
    server 127.0.0.1:8091 max_fails=0;
    server 127.0.0.1:8081 backup;
}

rtmp_route garbage {
    zone   garbage 1m;
    server 127.0.0.1:8092 max_fails=0;
    server 127.0.0.1:8081 backup;
}

rtmp_route close {
    zone   close 1m;
    server 127.0.0.1:8093 max_fails=0;
    server 127.0.0.1:8081 backup;
}

rtmp_route tls {
    zone   tls 1m;
    server 127.0.0.1 rtmps=%%PORT_8091%% max_fails=0;
    server 127.0.0.1:8081 backup;
}

rtmp_route strict {
    zone   strict 1m;
    server 127.0.0.1:8094 max_fails=0;
}

rtmp_route fails {
    zone   fails 1m;
    server 127.0.0.1:8095 max_fails=1 fail_timeout=1h;
    server 127.0.0.1:8081 backup;
}

rtmp_route off {
    zone   off 1m;
    server 127.0.0.1:8090 max_fails=0;
    server 127.0.0.1:8081 backup;
}

rtmp_route none {
    zone   none 1m;
    server 127.0.0.1:8090 max_fails=0;
    server 127.0.0.1:8096 max_fails=0;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen      127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status|$upstream_addr|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_connect_timeout 1s;

    server {
        listen       127.0.0.1:8097;
        osp_upstream refused;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream silent;
    }

    server {
        listen       127.0.0.1:8083;
        osp_upstream garbage;
    }

    server {
        listen       127.0.0.1:8084;
        osp_upstream close;
    }

    server {
        listen       127.0.0.1:8085;
        osp_upstream tls;
    }

    server {
        listen       127.0.0.1:8086;
        osp_upstream strict;
    }

    server {
        listen       127.0.0.1:8087;
        osp_upstream fails;
    }

    server {
        listen       127.0.0.1:8088;
        osp_upstream off;
        osp_upstream_next_upstream off;
    }

    server {
        listen       127.0.0.1:8089;
        osp_upstream none;
    }
}

EOC

# nothing listens on 8090, 8095 and 8096

my $good = rtmp_origin($t, port(8081));

rtmp_origin($t, port(8091), handshake => 'silent');
rtmp_origin($t, port(8092), handshake => 'garbage');
rtmp_origin($t, port(8093), handshake => 'close');

my $strict = rtmp_origin($t, port(8094), handshake => 'strict');

$t->run();

###############################################################################

my @media = media_messages(10);

next_server(8097, 'refused');
next_server(8082, 'silent');
next_server(8083, 'garbage');
next_server(8084, 'closed');
next_server(8085, 'not TLS');

# a server that wants to be asked step by step is no dead one

my $c = rtmp_publish(port(8086), 'live', 'strict');

is($c->{code}, 'NetStream.Publish.Start', 'step by step');
is($strict->connections(), 2, 'tried again');

$c->close();

is(join(' ', map { rtmp_publish(port(8086), 'live', 'strict')->{code} }
    1 .. 6), join(' ', ('NetStream.Publish.Start') x 6), 'step by step again');
cmp_ok($strict->connections(), '<=', 9, 'remembered by each worker');

# after a fail the dead one is left alone

is(rtmp_publish(port(8087), 'live', 'one')->{code}, 'NetStream.Publish.Start',
    'fails');
is(rtmp_publish(port(8087), 'live', 'two')->{code}, 'NetStream.Publish.Start',
    'failed');

is(counters('fails', 8095), 'unavail 1 1', 'counters of the failed one');
is(counters('fails', 8081), 'up 0 0', 'counters of the other one');
is(counters('refused', 8090), 'up 1 0', 'counters without a limit');
is(counters('strict', 8094), 'up 0 0', 'counters of the one asked in steps');

# none is left

$c = rtmp_publish(port(8088), 'live', 'off');

is($c->{code}, 'NetConnection.Connect.Rejected', 'next server off');
ok($c->is_closed(2), 'closed');

$c = rtmp_publish(port(8089), 'live', 'none');

is($c->{code}, 'NetConnection.Connect.Rejected', 'all are dead');

$c->close();
$t->stop();

my %log;

for (split(/^/, $t->read_file('stream.log'))) {
    my ($port, $status, $addr, $reason) = /^(.*?)\|(.*)\|(.*)\|(.*)$/;
    push @{$log{$port}}, "$status $addr $reason";
}

my ($first, $second) = map { '127.0.0.1:' . port($_) } 8090, 8081;

is($log{port(8097)}[0], "200 $first, $second ok", 'log next');
is(scalar(grep { /, / } @{$log{port(8087)}}), 1, 'log failed');
like($log{port(8088)}[0], qr/^502 $first connect_failed/, 'log off');
like($log{port(8089)}[0], qr/^502 (\S+), (?!\1)\S+ connect_failed/,
    'log none');

###############################################################################

# state, fails, how often unavailable

sub counters {
    my ($route, $port) = @_;
    my $addr = '127.0.0.1:' . port($port);
    my ($s) = grep { ($_->{rtmp}[0] || '') eq $addr } servers($route);

    return $s ? "$s->{state} $s->{fails} $s->{unavail}" : 'none';
}

sub next_server {
    my ($port, $name) = @_;

    my $c = rtmp_publish(port($port), 'live', "s$port", early => [@media]);

    is($c->{code}, 'NetStream.Publish.Start', $name);
    is($good->wait_media(media_digest(@media)), media_digest(@media),
        "$name: media");
    $c->close();
}

###############################################################################
