#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_queue: clients that wait for a server.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route qw/ :DEFAULT proxy register /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(56);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 1;

events {
}

rtmp_route live {
    zone      live 1m;
    register  open allow=127.0.0.0/8;
}

rtmp_route wait {
    zone      wait 1m;
    register  open allow=127.0.0.0/8;
    unknown   wait=1s;
}

rtmp_route full {
    zone    full 1m;
    server  127.0.0.1:8082 max_conns=1;
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

    log_format test '$server_port|$rtmp_command $rtmp_stream $status '
                    '$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    error_log  %%TESTDIR%%/info.log info;

    osp_upstream_handshake_timeout  1s;
    osp_upstream_queue              20s;

    server {
        listen        127.0.0.1:8090;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8091;
        osp_upstream  live;
        osp_upstream_queue  off;
    }

    server {
        listen        127.0.0.1:8092;
        osp_upstream  live;
        osp_upstream_queue  1s;
    }

    server {
        listen        127.0.0.1:8093;
        osp_upstream  live;
        osp_upstream_queue  20s max=2;
    }

    server {
        listen        127.0.0.1:8094;
        osp_upstream  full;
        osp_upstream_takeover  off;
    }

    server {
        listen        127.0.0.1:8095;
        osp_upstream  full;
        osp_upstream_queue  1s;
    }

    server {
        listen        127.0.0.1:8096;
        osp_upstream  wait;
        osp_upstream_queue  20s PARAMS;
    }
}

EOF_CONF

refused('max=0', qr/invalid parameter "max=0"/);
refused('max=x', qr/invalid parameter "max=x"/);
refused('min=1', qr/invalid parameter "min=1"/);
refused('max=1 max=2', qr/invalid number of arguments/);
refused('; osp_upstream_queue 1s', qr/"osp_upstream_queue" .* is duplicate/);
refused('; osp_upstream_queue 1y1x', qr/invalid value "1y1x"|is duplicate/);

unlink($t->testdir() . '/error.log');

configure('max=100');

my $o = rtmp_origin($t, port(8081));
my $one = rtmp_origin($t, port(8082));

$t->run();

###############################################################################

my ($c, @c, $p, $start);

# without a queue

$c = publish(8091, 'cam0');
is(said($c), 'NetConnection.Connect.Rejected no server available', 'refused');
is(logged(8091), 'publish cam0 503 no_server', 'refused, log');

# until the time is up

$start = time();
$c = publish(8092, 'cam0');
is(said($c), 'NetConnection.Connect.Rejected no server available',
    'refused in the end');
ok(time() - $start >= 0.9, 'not at once');
is(logged(8092), 'publish cam0 503 no_server', 'refused in the end, log');
is(wait_log($t, 'info.log', qr/\[info\].*(no live upstreams, client waits)/),
    'no live upstreams, client waits', 'why it waits');
ok(wait_until(sub { queued() eq '0 0' }), 'nobody waits');

# as many as may wait

@c = map { publish(8093, "cam$_", no_wait => 1) } 0 .. 1;
ok(wait_until(sub { queued() eq '2 2' }), 'two wait');

$c = publish(8093, 'cam3');
is(said($c), 'NetConnection.Connect.Rejected no server available', 'no third');
is(wait_log($t, 'info.log', qr/\[error\].*: \*\d+ (.*, no more may)/),
    '2 clients wait for an upstream server, no more may', 'no third, log');

# one that goes, also one that resets

$c[0]->close();
ok(wait_until(sub { queued() eq '1 1' }), 'one has left');
is(logged(8093, 'cam0'), 'publish cam0 200 client_closed', 'it is logged');

$c[0] = publish(8093, 'cam4', no_wait => 1);
ok(wait_until(sub { queued() eq '2 2' }), 'there is a place again');

$c[0]->reset();
ok(wait_until(sub { queued() eq '1 1' }), 'one was reset');

# longer than osp_upstream_handshake_timeout, and who talks may wait, too

$c = play(8090, 'cam1');
ok(wait_until(sub { queued() eq '2 2' }), 'a player waits');

@c = ($c[1], $c);
$c[0]->send_media(media_messages(5));
sleep(1.3);

is(queued(), '2 2', 'both wait still');
ok(!$c[0]->is_closed(0), 'publisher is there');
ok(!$c[1]->is_closed(0), 'player is there');

$p = proxy();
is("@$p{qw/ sessions queued /} $p->{workers}[0]{queued}", '0 2 2',
    'these are no sessions');
is(api('GET', 'live')->{sessions}, 0, 'nor does the route have any');

# the first server

ok(register('live', 8081, 'one'), 'a server registers');

is($c[0]->status()->{code}, 'NetStream.Publish.Start', 'published');
is($c[1]->play_status(), 'NetStream.Play.Start', 'played');
ok(wait_sessions('live', 2), 'sessions');
is(queued(), '0 0', 'nobody waits any more');

undef $c;
@c = ();
ok(wait_sessions('live', 0), 'they have ended');

# a server that drains

drain('live', 'one', 'true');

$c = publish(8090, 'cam5', no_wait => 1);
ok(wait_until(sub { queued() eq '1 1' }), 'no server but one that drains');

drain('live', 'one', 'false');
is($c->status()->{code}, 'NetStream.Publish.Start', 'it drains no more');

# another stream on the connection

patch('live', 'one', down => JSON::PP::true());

$c->write_raw($c->command('FCUnpublish', 6, undef, 'x', \{ csid => 3 })
    . $c->command('deleteStream', 7, undef, 1, \{ csid => 3, fmt => 1 })
    . $c->command('createStream', 9, undef, \{ csid => 3 })
    . $c->command('publish', 10, undef, 'cam2', 'live',
        \{ csid => 8, msid => 1 }));

ok($o->wait(event => 'command', name => 'deleteStream'), 'one stream ended');
sleep(1.2);
ok(!$c->is_closed(0), 'another one waits');
is(grep({ $_->{name} eq 'publish' && $_->{args}[1] eq 'cam2' }
    $o->events(event => 'command')), 0, 'it is not published');

patch('live', 'one', down => JSON::PP::false());

ok(wait_until(sub {
    grep { $_->{name} eq 'publish' && $_->{args}[1] eq 'cam2' }
        $o->events(event => 'command')
}), 'it is published');

$c->close();

# no room: in the order in which they came

$c = publish(8094, 'cam1');
is($c->{code}, 'NetStream.Publish.Start', 'one has the place');

is(said(publish(8095, 'cam0')), 'NetConnection.Connect.Rejected '
    . 'no server has room', 'refused for lack of room in the end');
is(logged(8095), 'publish cam0 503 limit_server',
    'refused for lack of room, log');

@c = ();

for my $i (2 .. 4) {
    push @c, publish(8094, "cam$i", no_wait => 1);
    wait_until(sub { queued('full') eq ($i - 1) . ' ' . ($i - 1) });
}

is(queued('full'), '3 3', 'three wait for room');

# so that all of them ask each second

sleep(2.3);

$c->close();
is($c[0]->status()->{code}, 'NetStream.Publish.Start', 'the first one');
is((sessions('full'))[0]{stream}, 'live/cam2', 'it has the place');
is(queued('full'), '2 2', 'two wait still');

patch('full', (servers('full'))[0]{id}, max_conns => 2);
is($c[1]->status()->{code}, 'NetStream.Publish.Start', 'the second one');
ok(wait_until(sub { queued('full') eq '1 1' }), 'one waits still');

patch('full', (servers('full'))[0]{id}, max_conns => 0);
is($c[2]->status()->{code}, 'NetStream.Publish.Start', 'the last one');
ok(wait_sessions('full', 3), 'sessions of them');

# a name that nobody knows: the longer one of both

$c[0] = play(8096, 'cam1');
sleep(1.5);
ok(wait_until(sub { queued('wait') eq '1 1' }), 'player of an unknown stream');

$c[1] = publish(8096, 'cam1', no_wait => 1);
ok(wait_until(sub { queued('wait') eq '2 2' }), 'and its publisher');

register('wait', 8081, 'one');
is($c[1]->status()->{code}, 'NetStream.Publish.Start', 'published to the new');
is($c[0]->play_status(), 'NetStream.Play.Start', 'and played');

# with a server it is not long that a player waits

$start = time();
$c = play(8096, 'cam2');
is($c->play_status(), 'NetStream.Play.StreamNotFound', 'unknown to the end');
ok(time() - $start < 10, 'which is not that of the queue');

is(queued('wait'), '0 0', 'nobody waits in the end');

###############################################################################

sub configure {
    my ($params) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/PARAMS/$params/r);
}

sub refused {
    my ($params, $re) = @_;

    configure($params);
    like($t->dump_config(), $re, "refused: $params");
}

sub publish {
    my ($port, $name, %opt) = @_;

    return rtmp_publish(port($port), 'live', $name, timeout => 8, %opt);
}

sub play {
    my ($port, $name) = @_;

    return rtmp_play(port($port), 'live', $name, timeout => 8, no_wait => 1);
}

sub said {
    my ($c) = @_;

    return "$c->{code} $c->{description}";
}

sub drain {
    my ($route, $id, $value) = @_;

    return request('PATCH', "/api/1/routes/$route/servers/$id",
        "{\"drain\":$value}");
}

# of the whole proxy, and of a route

sub queued {
    my ($route) = @_;

    return proxy()->{queued} . ' ' . api('GET', $route || 'live')->{queued};
}

# what was logged last for a port

sub logged {
    my ($port, $name) = @_;

    $port = port($port);
    $name = '\S*' unless defined $name;

    return wait_log($t, 'stream.log',
        qr/^$port\|(\S+ $name [^\n]*)\n(?!.*^$port)/ms);
}

###############################################################################
