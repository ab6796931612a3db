#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: servers that hang, so that the system takes their
# connections and nothing comes.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(11);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081 fail_timeout=1h;
    server 127.0.0.1:8082 backup;
}

rtmp_route both {
    zone   both 1m;
    server 127.0.0.1:8083 max_fails=0;
    server 127.0.0.1:8084 max_fails=0 backup;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$rtmp_command|$status|$upstream_addr';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_connect_timeout 1s;

    server { listen 127.0.0.1:8085; osp_upstream live; }
    server { listen 127.0.0.1:8086; osp_upstream both; }
}

EOF_CONF

my @origins = map { rtmp_origin($t, port($_)) } 8081 .. 8084;

$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my ($c, $p, %log);

# a server that this nginx has never reached yet

$_->signal('STOP') for @origins[0, 2, 3];

$c = rtmp_publish(port(8085), 'live', 'cam', timeout => 20);
is($c->{code}, $start, 'published on the next one');

is(join(' ', map { "$_->{state} $_->{fails}" } servers('live')),
    'unavail 1 up 0', 'one fail');

$p = rtmp_play(port(8085), 'live', 'cam');
is($p->{code}, 'NetStream.Play.Start', 'played');
is((sessions('live'))[0]{server}, (sessions('live'))[1]{server}, 'there');

$_->close() for $c, $p;
ok(wait_sessions('live', 0), 'none');

# all of them

$c = rtmp_publish(port(8086), 'live', 'cam', timeout => 20);
is($c->{code}, 'NetConnection.Connect.Rejected', 'all hang');

$c->close();
wait_log($t, 'stream.log', qr/\|502\|/);

# one goes on

$origins[3]->signal('CONT');
$c = rtmp_publish(port(8086), 'live', 'cam', timeout => 20);
is($c->{code}, $start, 'one goes on');
ok(wait_sessions('both', 1), 'is there');

$origins[$_]->signal('CONT') for 0, 2;
$c->close();
$t->stop();

for (split(/^/, $t->read_file('stream.log'))) {
    my ($port, $rest) = /^(.*?)\|(.*)$/;
    push @{$log{$port}}, $rest;
}

my @addr = map { '127.0.0.1:' . port($_) } 8081 .. 8084;

is((grep { /publish/ } @{$log{port(8085)}})[0],
    "publish|200|$addr[0], $addr[1]", 'asked once');
is($log{port(8086)}[0], "publish|502|$addr[2], $addr[3]", 'each once');
is($log{port(8086)}[1], "publish|200|$addr[2], $addr[3]", 'once more');

###############################################################################
