#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names with one address, which is replaced while there are sessions.

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

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(11);
my $dns = port(8980, udp => 1);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    resolver  127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;

    server    solo.example.com rtmp=%%PORT_8081%%;
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

my @addrs = map { "127.0.0.$_" } 21, 22;

rtmp_origin($t, port(8081), host => $_, file => $t->testdir() . "/$_.log")
    for @addrs;

write_names($t, 'solo.example.com' => ['127.0.0.21']);

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $proxy = port(8087);
my $name = 'solo.example.com';

# the only address of a name is replaced by another one

ok(wait_until(sub { state($name) eq 'up' }, 15), 'one address');

pin('live', "live/pin", $name);
patch('live', $name, weight => 7);

my $c = rtmp_publish($proxy, 'live', 'cam');
is($c->{code}, $start, 'published');

write_names($t, $name => ['127.0.0.22']);
ok(wait_until(sub { my $s = server("$name#127.0.0.21");
    return $s && $s->{conns} == 1; }, 6), 'its session is with the old one');

my $s = server($name);
is("$s->{state} $s->{conns} $s->{weight}", 'up 0 7', 'the name is another');
is_deeply($s->{rtmp}, ['127.0.0.22:' . port(8081)], 'with its address');
is(api('GET', 'live/streams/live/pin')->{server}, $name, 'pinned still');

my $player = rtmp_play($proxy, 'live', 'cam');
is((grep { $_->{type} eq 'play' } sessions('live'))[0]{server},
    "$name#127.0.0.21", 'players find what is live');

# it is back: of the two servers there is one again

patch('live', "$name%23127.0.0.21", max_conns => 5);
write_names($t, $name => ['127.0.0.21']);

ok(wait_until(sub { my $s = server($name);
    return $s && $s->{conns} == 2 && !server("$name#127.0.0.21") }, 6),
    'sessions are where they were');

$s = server($name);
is("$s->{state} $s->{weight} $s->{max_conns}", 'up 7 5', 'with all settings');
is((grep { $_->{type} eq 'publish' } sessions('live'))[0]{server}, $name,
    'of the name');
is(api('GET', 'live/check')->{consistent}, JSON::PP::true(), 'consistent');

###############################################################################
