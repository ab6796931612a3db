#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for limits of servers with requests, fills of the HLS cache and
# connections of stream{}, and for servers that drain.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use IO::Socket::IP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(32);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081 http=%%PORT_8082%% max_conns=1;
}

rtmp_route srt {
    zone   srt 1m;
    server 127.0.0.1 srt=%%PORT_8083%% max_conns=1;
}

rtmp_route drain {
    zone   drain 1m;
    server 127.0.0.1 rtmp=%%PORT_8081%% http=%%PORT_8082%%;
    server 127.0.0.2 rtmp=%%PORT_8084%% http=%%PORT_8085%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live  { rtmp_route live  http; }
    upstream drain { rtmp_route drain http; }

    hls_cache_zone hls 32m;

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }

        location /looked/ {
            rtmp_route      live;
            proxy_buffering off;
            proxy_pass      http://live;
        }

        location /drain/ {
            rtmp_route      drain;
            proxy_buffering off;
            proxy_pass      http://drain;
        }

        location /hls/ {
            hls_cache  hls;
            rtmp_route live;
            proxy_pass http://live;
        }

        location / {
            proxy_buffering off;
            proxy_pass      http://live;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    upstream srt { rtmp_route srt srt; }

    server {
        listen     127.0.0.1:8091;
        proxy_pass srt;
    }

    server {
        listen       127.0.0.1:8092;
        osp_upstream drain;
    }

    server {
        listen       127.0.0.1:8093;
        osp_upstream live;
    }
}

EOF_CONF

rtmp_origin($t, port(8081));
rtmp_origin($t, port(8084), host => '127.0.0.2');

for my $where (['127.0.0.1', 8082], ['127.0.0.2', 8085]) {
    my ($host, $port) = @$where;

    httpd($t, port($port), sub {
        my ($r) = @_;

        return http_response(200, "done at $host")
            if $r->{uri} !~ /long|\.ts$/;
        return ("HTTP/1.1 200 OK\x0d\x0aContent-Length: 10\x0d\x0a"
            . "\x0d\x0abegin", [2], 'ended')
            if $r->{uri} =~ /\.ts$/;
        return ("HTTP/1.1 200 OK\x0d\x0aConnection: close\x0d\x0a\x0d\x0a"
            . 'begin', [-1]);
    }, host => $host);
}

httpd($t, port(8083), sub { return http_response(200, 'srt') });

$t->run();

###############################################################################

# requests are counted with sessions, while they last

my $s = start('/long');

is(conns('live'), '1', 'a request');
like(http_get('/cam.m3u8'), qr! 502 !, 'full: balancer');
like(http_get('/looked/cam.m3u8'), qr! 503 .*Retry-After: 1!s,
    'full: look-up');
is(rtmp_play(port(8093), 'live', 'cam')->{description}, 'no server has room',
    'full: session');

close($s);
ok(wait_conns('live', '0'), 'client has gone');

my $c = rtmp_publish(port(8093), 'looked', 'cam');

is($c->{code}, 'NetStream.Publish.Start', 'a session');
ok(wait_sessions('live', 1), 'is there');
like(http_get('/cam.m3u8'), qr! 502 !, 'full of sessions');
like(http_get('/looked/cam.m3u8'), qr! 502 !,
    'so for the stream that is known');
$c->close();
ok(wait_conns('live', '0'), 'session has ended');
like(http_get('/looked/cam.m3u8'), qr! 200 !, 'room');
is(conns('live'), '0', 'not counted after the end');

# a fill is one request, however many wait for it

my @s = map { begin('/hls/cam/1.ts') } 1 .. 3;

ok(wait_conns('live', '1'), 'one fill');
like(http_get('/cam.m3u8'), qr! 502 !, 'full of it');
close($_) for @s;
patch('live', '127.0.0.1', max_conns => 2);
like(http_get('/cam.m3u8'), qr! 200 !, 'raised');
ok(wait_conns('live', '0'), 'the fill has ended');

# connections of stream{}

$s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => port(8091));

ok(wait_conns('srt', '1'), 'a connection');

my $x = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => port(8091));

$x->blocking(1);
is(sysread($x, my $buf, 1), 0, 'refused');
is(conns('srt'), '1', 'one');
close($s);
ok(wait_conns('srt', '0'), 'none');

# a server that drains: what is there goes on, its own players and viewers
# find it, others go elsewhere

patch('drain', '127.0.0.2', down => JSON::PP::true);
$c = rtmp_publish(port(8092), 'drain', 'cam');
ok(wait_sessions('drain', 1), 'published');
patch('drain', '127.0.0.2', down => JSON::PP::false);
patch('drain', '127.0.0.1', drain => JSON::PP::true);

is(state('127.0.0.1'), 'draining 0', 'draining');
like(http_get('/drain/cam.m3u8'), qr!done at 127\.0\.0\.1!, 'a viewer');

my $p = rtmp_play(port(8092), 'drain', 'cam');
ok(wait_sessions('drain', 2), 'a player');
is(join(' ', map { $_->{server} } sessions('drain')), '127.0.0.1 127.0.0.1',
    'both there');

my @new = map { rtmp_publish(port(8092), 'drain', "new$_") } 1 .. 6;
is(scalar(grep { $_->{server} eq '127.0.0.2' } sessions('drain')), 6,
    'new ones are not');
$_->close() for @new;

$c->close();
ok(wait_sessions('drain', 1), 'the publisher has gone');
is(state('127.0.0.1'), 'draining 0', 'the player has not');

$s = start('/drain/cam/long');
$p->close();
ok(wait_sessions('drain', 0), 'now it has');
is(state('127.0.0.1'), 'draining 0', 'a viewer is left');
close($s);
ok(wait_until(sub { state('127.0.0.1') eq 'draining 1' }), 'drained');

patch('drain', '127.0.0.1', drain => JSON::PP::false);
is(state('127.0.0.1'), 'up 0', 'in use again');

###############################################################################

sub begin {
    return http("GET $_[0] HTTP/1.0\x0d\x0a\x0d\x0a", start => 1);
}

# Until the server has begun to answer.

sub start {
    my $s = begin(@_);

    $s->sysread(my $buf, 4096);

    return $s;
}

sub state {
    my ($id) = @_;
    my ($s) = grep { $_->{id} eq $id } servers('drain');

    return "$s->{state} " . ($s->{drained} ? 1 : 0);
}

###############################################################################
