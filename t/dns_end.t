#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names with several addresses: one that DNS has no longer is a server
# until its last session or connection has ended.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_start http_end /;
use Test::Nginx::DNS;
use Test::Nginx::Route qw/ :DEFAULT server state /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy stream/)->plan(13);
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

    server    pods.example.com rtmp=%%PORT_8081%% http=%%PORT_8082%% weight=2;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live { rtmp_route live http; }

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }

        location / {
            rtmp_route live;
            proxy_pass http://live;
            proxy_buffering off;
        }
    }

    server {
        listen 127.0.0.11:%%PORT_8082%%;
        listen 127.0.0.12:%%PORT_8082%%;
        listen 127.0.0.13:%%PORT_8082%%;
        listen 127.0.0.14:%%PORT_8082%%;

        location / {
            root %%TESTDIR%%;
            limit_rate 4k;
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

mkdir($t->testdir() . '/live');
$t->write_file('live/slow.bin', 'x' x 16000);

my @addrs = map { "127.0.0.$_" } 11 .. 15;

rtmp_origin($t, port(8081), host => $_, file => $t->testdir() . "/$_.log")
    for @addrs;

write_names($t, 'pods.example.com' => [@addrs[0 .. 2]]);

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $proxy = port(8087);

sub id { return "pods.example.com#127.0.0.$_[0]"; }

ok(wait_until(sub { state(id(11)) eq 'up' && state(id(13)) eq 'up' }, 15),
    'three');

pin('live', 'live/cam', id(11));
pin('live', 'live/slow', id(12));
pin('live', 'live/other', id(13));

my @publishers = map { rtmp_publish($proxy, 'live', $_) } qw/ cam other /;
is("$publishers[0]{code} $publishers[1]{code}", "$start $start", 'published');
my $player = rtmp_play($proxy, 'live', 'cam');
is((grep { $_->{type} eq 'play' } sessions('live'))[0]{server}, id(11),
    'played');

# it is there until the last one has left it, which is a request, or a player

my $http = http_start(<<'EOF_HTTP', start => 1);
GET /live/slow.bin HTTP/1.0
Host: localhost

EOF_HTTP
ok(wait_until(sub { server(id(12))->{conns} >= 1 }), 'a request');

write_names($t, 'pods.example.com' => [@addrs[3 .. 4]]);
ok(wait_until(sub { 3 == grep { state(id($_)) eq 'draining' } 11 .. 13 }, 6),
    'three have gone');

$_->close() for @publishers;
wait_until(sub { !grep { $_->{type} eq 'publish' } sessions('live') });

is(server(id(12))->{conns}, 1, 'the request goes on');
like(http_end($http), qr/x{16000}$/, 'to its end');
is(state(id(12)), 'draining', 'its server is there for a while');
ok(wait_until(sub { !server(id(13)) }, 15), 'one that nobody needs is removed');
is(state(id(11)), 'draining', 'a player is there yet');

$player->close();
ok(wait_until(sub { !server(id(11)) && !server(id(12)) }, 25),
    'removed, too');

is(lines('"pods.example.com" of route "live" has 2 addresses, '
    . 'new: 127.0.0.14 127.0.0.15, gone: 127.0.0.11 127.0.0.12 127.0.0.13\n'),
    1, 'a line for a change');
is(lines('"pods.example.com#127.0.0.1[123]" is removed'), 3, 'and for the end');

###############################################################################

sub lines {
    my ($re) = @_;

    return scalar(() = $t->read_file('error.log') =~ /$re/g);
}

###############################################################################
