#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names with several addresses: reload, restart, processes that are
# killed.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Route qw/ :DEFAULT server state /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(27);

$t->{_ignore_alerts} = qr/worker process \d+ exited on signal 9/;

my $dns = port(8980, udp => 1);

my @addrs = map { "127.0.0.$_" } 11 .. 14;

rtmp_origin($t, port(8081), host => $_, file => $t->testdir() . "/$_.log")
    for @addrs;

names(@addrs[0 .. 1]);
conf('weight=2');

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $name = 'pods.example.com';
my ($first, $player);

sub id { return "$name#127.0.0.$_[0]"; }

ok(wait_until(sub { server(id(11)) && server(id(12)) }, 15), 'two');

pin('live', "live/pin$_", id($_)) for 11, 12;
pin('live', 'live/cam', id(11));
patch('live', "$name%23127.0.0.12", weight => 9);

$first = rtmp_publish(port(8087), 'live', 'cam');
is($first->{code}, $start, 'published');

# with its address gone, over a reload with other parameters

names(@addrs[1 .. 2]);
ok(wait_until(sub { server(id(13)) && state(id(11)) eq 'draining' }, 6),
    'changed');

conf('weight=3 max_conns=5 backup');
$t->reload();
ok(wait_until(sub { (server(id(13)) || {})->{max_conns} == 5 }, 8),
    'other parameters');

is(server(id(12))->{weight}, 3, 'the configuration says something else now');
ok(server(id(13))->{backup}, 'all of them');
is(state(id(11)), 'draining', 'the one that has gone is still there');
is(server(id(11))->{conns}, 1, 'with its session');
is(pinned('pin12'), id(12), 'pins stay');

$player = rtmp_play(port(8087), 'live', 'cam');
is($player->{code}, 'NetStream.Play.Start', 'played');
is((grep { $_->{type} eq 'play' } sessions('live'))[0]{server}, id(11),
    'there');

# one address is left, which has a session: another id, and back again

names($addrs[1]);
pin('live', 'live/cam2', id(12));
my $second = rtmp_publish(port(8087), 'live', 'cam2');
is($second->{code}, $start, 'published');

ok(wait_until(sub { server($name) && !server(id(12)) }, 6), 'the name alone');
is(server($name)->{conns}, 1, 'with its session');
is(pinned('pin12'), $name, 'and pins');

names(@addrs[1 .. 2]);
ok(wait_until(sub { server(id(12)) && !server($name) }, 6), 'one of two');
is(server(id(12))->{conns}, 1, 'with its session');
is(pinned('cam2'), id(12), 'and pins');

# the process that asks is killed

my ($worker) = map { /(\d+)/ } grep { asks($_) } workers();

SKIP: {
    skip 'no /proc', 1 unless $worker;

    kill('KILL', $worker);
    names(@addrs[1 .. 3]);
    ok(wait_until(sub { server(id(14)) && server(id(14))->{state} eq 'up' },
        15), 'another one goes on');
}

is(api('GET', 'live/check')->{consistent}, JSON::PP::true(), 'consistent');

# all of it again, from the file

patch('live', "$name%23127.0.0.12", weight => 8, drain => JSON::PP::true());
ok(wait_until(sub { saved() =~ /"weight":8/ }, 10), 'saved');
unlike(saved(), qr/"id":"pods.example.com#127.0.0.11"/, 'what is gone is not');

$_->close() for $first, $second, $player;
$t->stop();
$t->stop_daemons();

names(@addrs[2 .. 3]);
$t->run();

ok(server(id(12)) && server(id(13)), 'there without a name server');
is(server(id(12))->{weight}, 8, 'with what was set');
is(state(id(12)), 'draining', 'drained still');
is(pinned('pin12'), id(12), 'and pinned');

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
ok(wait_until(sub { (server(id(12)) || {})->{reason} eq 'dns' }, 15),
    'an address that has gone meanwhile');

###############################################################################

sub conf {
    my ($params) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    state     %%TESTDIR%%/state.json;
    resolver  127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;

    server    pods.example.com rtmp=%%PORT_8081%% $params;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8087;
        osp_upstream live;
    }
}

EOF_CONF
}

sub names {
    write_names($t, 'pods.example.com' => [@_]);
}

sub pinned {
    my $stream = api('GET', "live/streams/live/$_[0]");

    return ref($stream) ? $stream->{server} : '';
}

sub saved {
    my $file = $t->testdir() . '/state.json';

    return -e $file ? $t->read_file('state.json') : '';
}

# workers, and whether one has a socket to the name server

sub workers {
    my $pid = $t->read_file('nginx.pid') + 0;

    return split(' ', `cat /proc/$pid/task/$pid/children 2>/dev/null` || '');
}

sub asks {
    my ($pid) = @_;
    my $port = sprintf(':%04X', $dns);

    my %inodes = map { (split)[9] => 1 }
        grep { (split)[2] =~ /$port$/ } split(/\n/, udp());

    return grep { $inodes{(readlink($_) || '') =~ /socket:\[(\d+)\]/ ? $1 : 0} }
        glob("/proc/$pid/fd/*");
}

sub udp {
    open(my $fh, '<', '/proc/net/udp') or return '';
    local $/;
    return <$fh>;
}

###############################################################################
