#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for polling OSP core with ten thousand live channels, an answer of 5 MB:
# they come to the table, move and go, while others are served.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite/)->plan(9);

# what it writes for debugging would be all that is measured

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
error_log %%TESTDIR%%/quiet.log info;

rtmp_route live {
    zone     live 16m;
    resolver 127.0.0.1:%%PORT_8980_UDP%%;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=500ms;
}

rtmp_route small {
    zone     small 128k;
    resolver 127.0.0.1:%%PORT_8980_UDP%%;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=1s;
}

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    keepalive_requests 1000000;

    server {
        listen 127.0.0.1:8080;
        location / { return 204; }
        location /api/ { rtmp_route_api; }
    }
}

EOF_CONF

# the stand-in of other tests would take seconds for each answer

my %answers = (
    '/apiv1/server/' => '{"results":{"siteAddress":"10.0.0.1",'
        . '"siteProtocol":"http://"}}',
    '/apiv1/server/rtmp' => '{"results":[{"address":"10.0.0.1"},'
        . '{"address":"10.0.0.2"},{"address":"many.example.com"}]}',
);

list($t, 0);

httpd($t, port(8082), sub {
    my ($r) = @_;
    my $body = $answers{$r->{uri}};

    $body = $t->read_file('streams') unless defined $body;

    return "HTTP/1.1 200 OK\x0d\x0aContent-Length: " . length($body)
        . "\x0d\x0a\x0d\x0a" . $body;
});

$t->run();

ok(wait_for(sub { core('live')->{state} eq 'up' }), 'none');
my $idle = latency(2);

list($t, 10000, '10.0.0.1');
ok(wait_for(sub { core('live')->{streams} == 10000 }), 'ten thousand');
is(count('live'), 10000, 'all of them in the table');
is(server('live/channel-7777'), '10.0.0.1', 'one of them');

my $busy = latency(4);
cmp_ok($busy, '<', 1, 'others are served');
diag(sprintf('longest wait %.1f ms while polling, %.1f ms while there is '
    . 'nothing', $busy * 1000, $idle * 1000));

list($t, 10000, '10.0.0.2');
ok(wait_for(sub { server('live/channel-7777') eq '10.0.0.2' }), 'moved');

list($t, 100, '10.0.0.2');
ok(wait_for(sub { count('live') == 100 }), 'most have ended');

# a zone that is too small

list($t, 10000, '10.0.0.1');
ok(wait_for(sub { count('small') > 100 }), 'as many as there is room for');
is(core('small')->{state}, 'up', 'goes on');

###############################################################################

# as many channels, in the form of the core, 500 bytes each

sub list {
    my ($t, $n, $server) = @_;
    my @list;

    @list = map { {
        id => $_, uuid => "uuid-$_", channelID => $_,
        startTimestamp => '2026-01-01 00:00:00',
        channelEndpointID => "channel-$_", owningUser => 1,
        streamPage => "/view/channel-$_/",
        streamURL => "/live/channel-$_/index.m3u8",
        streamName => "Stream of channel $_ " . 'x' x 120,
        thumbnail => "/stream-thumb/channel-$_.png",
        gifLocation => "/stream-thumb/channel-$_.gif", topic => 1,
        rtmpServer => $server, currentViewers => 0, totalViewers => 0,
        active => JSON::PP::true(), upvotes => 0,
    } } 1 .. $n;

    $t->write_file('streams.new', encode_json({ results => \@list }));
    rename($t->testdir() . '/streams.new', $t->testdir() . '/streams')
        or die "Can't rename: $!\n";
}

sub core {
    my ($route) = @_;

    return api('GET', $route)->{core};
}

sub count {
    my ($route) = @_;

    return api('GET', $route)->{streams};
}

sub server {
    my ($key) = @_;

    return (api('GET', "live/streams/$key") || {})->{server} || '';
}

# the longest time that an answer took, of one request after the other

sub latency {
    my ($time) = @_;
    my ($end, $max, $begun, $socket) = (time() + $time, 0);

    $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8080))
        or die "Can't connect: $!\n";

    while (time() < $end) {
        $begun = time();
        $socket->syswrite("GET / HTTP/1.1\x0d\x0aHost: localhost\x0d\x0a"
            . "\x0d\x0a");
        $socket->sysread(my $answer, 4096) or die "No answer\n";
        $max = time() - $begun if time() - $begun > $max;
        sleep 0.0005;
    }

    return $max;
}

sub wait_for {
    my ($test, $time) = @_;
    my $end = time() + ($time || 10);

    while (time() < $end) {
        return 1 if $test->();
        sleep 0.1;
    }

    return 0;
}

###############################################################################
