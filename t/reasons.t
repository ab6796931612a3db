#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for how sessions end: what is told, logged and said in $rtmp_reason if
# a client is refused, or makes no sense, or no server is found for it.

###############################################################################

use warnings;
use strict;

use Test::More;
use IO::Socket::INET;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::OSPCore;
use Test::Nginx::Reasons;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(7 + 21 * ENDED);

my $servers = join("\n", map { reasons_conf(@$_) }
    ['127.0.0.1:8100', 'live', 'osp_upstream_handshake_timeout 1s;'],
    ['127.0.0.1:8101', 'live'],
    ['127.0.0.1:8102', 'live'],
    ['127.0.0.1:8103', 'live'],
    ['127.0.0.1:8104', 'live'],
    ['127.0.0.1:8105', 'live'],
    ['127.0.0.1:8106', 'known'],
    ['127.0.0.1:8107', 'core'],
    ['127.0.0.1:8108', 'down'],
    ['127.0.0.1:8109', 'core'],
    ['127.0.0.1:8110', '$rtmp_app'],
    ['127.0.0.1:8111', 'none'],
    ['127.0.0.1:8112', 'full'],
    ['127.0.0.1:8113', 'live'],
    ['127.0.0.1:8114', 'live'],
    ['127.0.0.1:%%PORT_8115_UDP%% udp', 'live'],
    ['127.0.0.1:8116', 'two'],
    ['127.0.0.1:8117', 'live'],
    ['127.0.0.1:8118', 'live', 'osp_upstream_handshake_timeout 3s;'],
    ['127.0.0.1:8119', 'live'],
);

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

rtmp_route known {
    zone    known 1m;
    unknown refuse;
    server  127.0.0.1:8081;
}

rtmp_route down {
    zone    down 1m;
    server  127.0.0.1:8081 down;
}

rtmp_route core {
    osp_core http://127.0.0.1:%%PORT_8082%% interval=60s
             rtmp=%%PORT_8081%%;
}

rtmp_route none {
    zone    none 1m;
    server  127.0.0.1:8083;
}

rtmp_route full {
    zone    full 1m;
    server  127.0.0.1:8081 max_conns=1;
}

rtmp_route two {
    zone    two 1m;
    server  127.0.0.1 rtmp=%%PORT_8081%%;
    server  127.0.0.2 rtmp=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    @{[ log_format() ]}

    osp_upstream_connect_timeout 2s;

$servers
}

EOC

my $core = osp_core($t, port(8082));

$core->server('127.0.0.1');
$core->channel('cam1', live => 1, private => 1, server => '127.0.0.1');

rtmp_origin($t, port(8081));
rtmp_origin($t, port(8081), host => '127.0.0.2',
    file => $t->testdir() . '/two.log');

$t->run();

my ($c, $d);

###############################################################################

# the client's end

$c = publish(8101);
$c->unpublish('cam1');
ended($t, 8101, 'ok', upstream => 8081);

my $addr = '127.0.0.1:' . port(8081);

like(wait_log($t, 'rtmp.log', qr/^(.* ok .*)$/m), qr/^127\.0\.0\.1\ \[.+\]
    \ publish\ live\/\#[0-9a-f]{16}\ 200\ ok\ \d+\ \d+\ \d+\.\d{3}
    \ "\S+.*?"\ 127\.0\.0\.1\ "$addr"\ \d+\.\d{3}$/x,
    'documented format');

$c = rtmp_client(port(8102));
$c->handshake();
$c->close();
ended($t, 8102, 'client_closed', named => 0, name => 'in the set-up');

$c = publish(8103);
$c->reset();
ended($t, 8103, 'client_closed', upstream => 8081, name => 'with a reset');

# what it says

$c = rtmp_client(port(8104));
$c->write_raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
ok($c->is_closed(3), 'http: closed');
ended($t, 8104, 'protocol_error', named => 0, told => undef,
    client => { code => undef }, name => 'http');

$c = rtmp_client(port(8105));
$c->handshake();
$c->send_command('publish', 1, undef, 'cam1', 'live');
$c->answer('_error', 1);
ended($t, 8105, 'protocol_error', named => 0, told => 'NetConnection.Connect.'
    . 'Rejected', client => $c, name => 'no connect');

$c = publish(8119);
$c->write_raw("\xff" x 100);
ended($t, 8119, 'protocol_error', upstream => 8081, told => '',
    client => told($c), name => 'in a session');

$c = rtmp_client(port(8100));
ended($t, 8100, 'handshake_timeout', named => 0, name => 'nothing sent',
    told => undef, client => { code => undef });

$c = Test::Nginx::RTMP::rtmp_start(port(8118), 'live');
ended($t, 8118, 'handshake_timeout', named => 0, client => told($c),
    name => 'no publish');

$c = Test::Nginx::RTMP::rtmp_start(port(8113), 'live');
$c->send_command('_checkbw', $_ + 2, undef) for 1 .. 200;
ended($t, 8113, 'limit_setup', named => 0, client => told($c),
    name => 'commands');

$c = Test::Nginx::RTMP::rtmp_start(port(8114), 'live');
$c->send_message(type => 9, csid => 6, msid => 1, payload => 'x' x 100000);
ended($t, 8114, 'limit_setup', named => 0, client => told($c),
    name => 'data');

# names

$c = publish(8117, '../cam1');
ended($t, 8117, 'refused_name', client => $c, named => 1, name => 'publish');

$c = rtmp_play(port(8117), 'live', '');
ended($t, 8117, 'refused_name', client => $c, named => 1, count => 2,
    name => 'play');

$c = rtmp_play(port(8106), 'live', 'cam1');
ended($t, 8106, 'refused_unknown', client => $c);

$c = rtmp_play(port(8107), 'live', 'nobody');
ended($t, 8107, 'refused_unknown', client => $c, name => 'in the core');

ok(pin('two', 'live/here', '127.0.0.1'), 'pinned here');
ok(pin('two', 'live/there', '127.0.0.2'), 'pinned there');

$c = publish(8116, 'here');
$c->send_command('deleteStream', 6, undef, 1, \{ csid => 3 });
$c->publish('there', no_wait => 1);
ended($t, 8116, 'refused_stream', client => told($c), upstream => 8081);

# no server

$c = publish(8108);
ended($t, 8108, 'no_server', client => $c);

$core->fault('rtmpCheck', status => 500);
$c = rtmp_play(port(8109), 'live', 'cam1');
ended($t, 8109, 'no_answer', client => $c);

$c = publish(8110);
is($c->{code}, 'NetStream.Publish.Start', 'a route');
$c->close();
isnt(wait_log($t, 'reasons.log', qr/^@{[ port(8110) ]}\|(.*)/m), 'none',
    'its end');
$c = rtmp_publish(port(8110), 'nowhere', 'cam1');
ended($t, 8110, 'no_route', client => $c, count => 2);

$c = publish(8111);
ended($t, 8111, 'connect_failed', client => $c, upstream => 8083);

$c = publish(8112);
is($c->{code}, 'NetStream.Publish.Start', 'room for one');
$d = publish(8112, 'cam2');
ended($t, 8112, 'limit_server', client => $d);
$c->close();

# what can't be

my $udp = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1',
    PeerPort => port(8115, udp => 1)) or die "Can't send: $!\n";

$udp->send('x');
ended($t, 8115, 'internal_error', named => 0, name => 'udp');

###############################################################################

sub publish {
    my ($n, $name) = @_;

    return rtmp_publish(port($n), 'live', $name || 'cam1');
}

###############################################################################
