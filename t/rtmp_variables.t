#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: variables.

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

my $t = Test::Nginx->new()->has(qw/stream stream_map/)->plan(20);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route one {
    zone   one 1m;
    key    vhost/app/stream;
    server 127.0.0.1:8090;
}

rtmp_route two {
    zone   two 1m;
    server 127.0.0.1:8091;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    map $rtmp_app $route {
        default one;
        second  two;
        wrong   nothing;
    }

    map $rtmp_command $by_command {
        publish one;
        play    two;
    }

    log_format test '$rtmp_command|$rtmp_app|$rtmp_stream|$rtmp_vhost|'
        '$rtmp_agent|$rtmp_stream_hash|$rtmp_reason|$rtmp_route_server|'
        '$status|$upstream_addr|$upstream_bytes_sent|$upstream_bytes_received|'
        '$upstream_connect_time|$upstream_first_byte_time|'
        '$upstream_session_time|$bytes_sent|$bytes_received|$protocol';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8080;
        osp_upstream $route;
    }

    server {
        listen       127.0.0.1:8081;
        osp_upstream $by_command;
    }
}

EOC

my $one = rtmp_origin($t, port(8090));
my $two = rtmp_origin($t, port(8091));

$t->run();

###############################################################################

my @names = qw/
    command app stream vhost agent hash reason server status addr sent received
    connect first session bytes_sent bytes_received protocol
/;

my @media = media_messages(10);
my $c = rtmp_publish(port(8080), 'live', 'cam1', agent => 'test 1.0',
    host => 'Example.com:1935');

is($c->{code}, 'NetStream.Publish.Start', 'publish');

$c->send_media(@media);
$one->wait_media(media_digest(@media));
$c->close();

my $log = log_line($t, 0);

is("$log->{command} $log->{app} $log->{stream}", 'publish live cam1', 'names');
is($log->{vhost}, 'example.com', 'vhost');
is($log->{agent}, 'test 1.0', 'agent');
like($log->{hash}, qr/^[0-9a-f]{16}$/, 'hash');
is($log->{reason}, 'ok', 'reason');
is($log->{status}, '200', 'status');
is($log->{addr}, '127.0.0.1:' . port(8090), 'upstream_addr');
like($log->{sent}, qr/^\d{4,}$/, 'upstream_bytes_sent');
like($log->{received}, qr/^\d{4,}$/, 'upstream_bytes_received');
like("$log->{connect} $log->{first} $log->{session}",
    qr/^0\.\d{3} 0\.\d{3} \d+\.\d{3}$/, 'upstream times');
is($log->{bytes_received}, 3073 + (split(' ', $c->sent()))[0],
    'bytes_received');
like($log->{server}, qr/127\.0\.0\.1/, 'server');

# the route by what the client asks for

$c = rtmp_publish(port(8080), 'second', 'cam1');
$c->close();

is(log_line($t, 1)->{addr}, '127.0.0.1:' . port(8091), 'route by application');

$c = rtmp_play(port(8081), 'live', 'cam1');
$c->close();

is(log_line($t, 2)->{addr}, '127.0.0.1:' . port(8091), 'route by command');

$c = rtmp_publish(port(8080), 'wrong', 'cam1');

is($c->{code}, 'NetConnection.Connect.Rejected', 'no such route');

$c->close();
log_line($t, 3);

# nothing is known of who never said anything

$c = rtmp_client(port(8080));
$c->close();

$log = log_line($t, 4);

is(join('', @$log{qw/ command app stream /}), '---', 'empty');
is($log->{reason}, 'client_closed', 'nothing said');

# arguments are part of the name, yet not of the key

$c = rtmp_publish(port(8080), 'live?token=a', 'cam1?token=b');
$c->close();

$log = log_line($t, 5);

is("$log->{app} $log->{stream}", 'live cam1', 'without arguments');
is(($one->events(name => 'publish'))[-1]{args}[1], 'cam1?token=b',
    'arguments at the origin');

###############################################################################

sub log_line {
    my ($t, $n) = @_;
    my (@lines, %line);

    wait_until(sub {
        @lines = split(/^/, $t->read_file('stream.log'));
        return @lines > $n && $lines[$n] =~ /\n\z/;
    }, 5) or return {};

    chomp($lines[$n]);
    @line{@names} = split(/\|/, $lines[$n]);

    return \%line;
}

###############################################################################
