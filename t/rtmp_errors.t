#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: how refusals are told, and logged.

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

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(39);

my %how = (
    8101 => [publish => 'busy'],
    8102 => [publish => 'denied'],
    8103 => [publish => 'close'],
    8104 => [publish => 'start_close'],
    8105 => [publish => 'error'],
    8106 => [connect => 'error'],
    8107 => [connect => 'close'],
    8108 => [create => 'error'],
    8109 => [create => 'close'],
    8110 => [play => 'not_found'],
    8111 => [play => 'close'],
    8112 => [play => 'error'],
);

my @ports = (sort(keys %how), 8113);

my ($routes, $servers) = ('', '');

for my $n (@ports) {
    my $listen = $n + 100;

    $routes .= "rtmp_route r$n { zone r$n 256k; server 127.0.0.1:$n; }\n";
    $servers .= "server { listen 127.0.0.1:$listen; osp_upstream r$n; }\n";
}

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

$routes

rtmp_route down {
    zone   down 256k;
    server 127.0.0.1:8100 down;
}

rtmp_route known {
    zone    known 256k;
    unknown refuse;
    server  127.0.0.1:8100;
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

    log_format test '\$server_port|\$status \$rtmp_reason|\$upstream_addr';
    access_log %%TESTDIR%%/stream.log test;

    $servers

    server {
        listen       127.0.0.1:8300;
        osp_upstream down;
    }

    server {
        listen       127.0.0.1:8301;
        osp_upstream known;
    }
}

EOC

rtmp_origin($t, port($_), @{$how{$_}}) for keys %how;
rtmp_origin($t, port(8100));

# says no to everybody, and all at once

rtmp_origin($t, port(8113), script => sub {
    my ($c) = @_;

    until ($c->{eof} || $c->{buf} =~ /publish/) {
        $c->fill(length($c->{buf}) + 1);
    }

    $c->write_raw("\x03" . "\0" x 3072
        . $c->command('_result', 1, undef, {})
        . $c->command('_result', 2, undef, 1)
        . $c->command('onStatus', 0, undef, {
            level => 'error', code => 'NetStream.Publish.BadName'
        }, \{ csid => 5, msid => 1 }));
    $c->is_closed();
});

$t->run();

###############################################################################

# what the client is told, and what is logged; after a plain refusal of the
# origin the connection stays, for another try

refused($t, 8101, 'publish', 'NetStream.Publish.BadName', 'busy');
refused($t, 8102, 'publish', 'NetStream.Publish.Denied', 'denied');
refused($t, 8103, 'publish', 'NetStream.Publish.(BadName|Denied)',
    'closed after publish', '403 refused');
refused($t, 8105, 'publish', 'NetStream.Publish.\w+', 'error to publish');
refused($t, 8106, 'publish', 'NetConnection.Connect.Rejected',
    'error to connect', '403 refused');
refused($t, 8107, 'publish', 'Net\S+', 'closed after connect', '\d+ refused');
refused($t, 8108, 'publish', 'Net\S+', 'error to createStream', '403 refused');
refused($t, 8109, 'publish', 'Net\S+', 'closed after createStream',
    '403 refused');
refused($t, 8110, 'play', 'NetStream.Play.StreamNotFound', 'no stream');
refused($t, 8111, 'play', 'NetStream.Play.(Failed|StreamNotFound)',
    'closed after play', '403 refused');
refused($t, 8112, 'play', 'NetStream.Play.\w+', 'error to play');

# no server

refused($t, 8200, 'publish', 'NetConnection.Connect.Rejected', 'down',
    '503 no_server');
refused($t, 8201, 'play', 'NetStream.Play.StreamNotFound', 'unknown',
    '403 refused_unknown');

# a start that is taken back at once

my $c = rtmp_publish(port(8204), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'start');
ok($c->is_closed(2), 'closed after start');

# a refusal is the answer of a server and no fault of it; all in one write, as
# no client does it, since it is faster

$c = rtmp_client(port(8213));
$c->{client} = { agent => 'test' };

my $all = "\x03" . "\0" x 3072 . $c->connect_message('live')
    . $c->command('createStream', 2, undef)
    . $c->command('publish', 3, undef, 'cam1', 'live', \{ msid => 1 });
my $told = 0;
my $end = time() + 30;

for (1 .. 10) {
    last if time() > $end;

    my @c = map { rtmp_client(port(8213)) } 1 .. 20;

    $_->write_raw($all) for @c;

    for my $c (@c) {
        $c->fill(length($c->{buf}) + 1)
            until $c->{eof} || $c->{buf} =~ /BadName/;

        $told++ if $c->{buf} =~ /NetStream\.Publish\.BadName/;
        $c->close();
    }
}

is($told, 200, 'all of many refused');

$c = rtmp_publish(port(8213), 'live', 'last');

is($c->{code}, 'NetStream.Publish.BadName', 'server is still up');

my ($s) = servers('r8113');

is("$s->{state} $s->{fails} $s->{unavail}", 'up 0 0', 'no fails');

$c->close();
$t->stop();

###############################################################################

sub refused {
    my ($t, $n, $op, $code, $name, $log) = @_;
    my ($c, $port);

    $port = port($n + 100);
    $c = $op eq 'play' ? rtmp_play($port, 'live', 'cam1')
        : rtmp_publish($port, 'live', 'cam1');

    like($c->{code}, qr/^(?:$code)$/, "$name: told");

    if (!$log) {
        ok(!$c->is_closed(0.1), "$name: not closed");
        return;
    }

    ok($c->is_closed(2), "$name: closed");

    $c->close();

    like(wait_log($t, 'stream.log', qr/^$port\|(.*?)\|/m), qr/^(?:$log)$/,
        "$name: log");
}

###############################################################################
