#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for registrations that time out all at once while the servers are well,
# with health_check.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_rtmp_module($t)->plan(26);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
error_log %%TESTDIR%%/notice.log notice;

events {
}

rtmp_route live {
    zone          live 256k;
    register      open allow=127.0.0.0/8 timeout=2s;
    health_check  interval=300ms type=rtmp;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live { rtmp_route live http; }

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }

        location = /ping {
            rtmp_route_ping route=live min_up=2;
        }

        location / {
            rtmp_route live;
            proxy_pass http://live;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8084;
        osp_upstream live;
    }
}

EOF_CONF

nginx_rtmp($t, 'origin', <<'EOF_CONF');

rtmp {
    server {
        listen 0.0.0.0:%%PORT_8081%%;

        application live {
            live on;
        }
    }
}

EOF_CONF

httpd($t, port(8082), sub { return http_response(200, "from $_[0]{uri}\n") },
    host => '0.0.0.0');

$t->run();

my ($pub, $log, $n);

###############################################################################

for my $id (1 .. 3) {
    heartbeat('live', $id, $id == 3 ? (rtmp => ["" . port(8089)]) : ());
}

heartbeat('live', 1, streams => ['live/listed']);

$pub = rtmp_publish(port(8084), 'live', 'cam');
is($pub->{code}, 'NetStream.Publish.Start', 'published');

ok(wait_state('live', 1, 'up'), 'checked');

# one after the other is given up, but those that pass stay

ok(wait_state('live', $_, 'stale'), "$_: stale") for 1, 2;
ok(wait_state('live', 3, 'down'), '3: down');
is(server('live', 1)->{reason}, 'expired', 'reason');
is(server('live', 1)->{expires}, 0, 'no time left');
ok(!exists server('live', 1)->{downstart}, 'in use');
ok(exists server('live', 3)->{downstart}, 'not in use');

sleep(1);

is(server('live', $_)->{state}, 'stale', "$_: still") for 1, 2;
like(http_get('/ping'), qr/pong/, 'ping');

$log = $t->read_file('notice.log');
$n = () = $log =~ /\[warn\].*no upstream server has registered.*"live"/g;

is($n, 1, 'logged once');

ok(!$pub->is_closed(0.1), 'the publisher goes on');
is(code('live', 8084), 'NetStream.Publish.Start', 'a new one is taken');
like(http_get('/live/listed.m3u8'), qr/ 200 /, 'a viewer of a listed stream');
is(api('GET', 'live/streams/live/listed')->{server}, 1, 'where it is');

# who registers is up, the other one stays for a while

heartbeat('live', 2);

is(server('live', 2)->{state}, 'up', 'up');
is(server('live', 1)->{state}, 'stale', 'the other is stale');

ok(wait_until(sub {
    heartbeat('live', 2);
    sleep(0.3);
    return (server('live', 1) || {})->{state} ne 'stale';
}, 8), 'for its time');

is((server('live', 1) || {})->{state}, 'down', 'then it is down');
like($t->read_file('notice.log'), qr/\[notice\].*is in use any more.*"live"/,
    'logged');

# the check fails: it is over

heartbeat('live', 2);
ok(wait_state('live', 2, 'stale'), 'stale again');

$pub->close();
Test::Nginx::stop_process($t->read_file('origin.pid'), ['TERM', 5]);

ok(wait_state('live', 2, 'down'), 'down');
isnt(code('live', 8084), 'NetStream.Publish.Start', 'nobody is left');

unlike($t->read_file('notice.log'), qr/\[(?:crit|alert|emerg)\]/, 'log');

###############################################################################

sub heartbeat {
    my ($route, $id, %more) = @_;
    my $body = JSON::PP::encode_json({ ip => "127.0.0.$id", server => "$id",
        service => 's', pid => '1', rtmp => ["" . port(8081)],
        http => ["" . port(8082)], %more });

    my $r = request('POST', "/api/v1/srs/register?route=$route", $body,
        'Content-Type: application/json');

    die "Can't register: $r\n" unless $r =~ /"code":0/;
}

sub server {
    my ($route, $id) = @_;

    return api('GET', "$route/servers/$id");
}

sub wait_state {
    my ($route, $id, $state) = @_;
    my $s;

    return 1 if wait_until(sub {
        $s = server($route, $id) || { state => 'down' };
        return $s->{state} eq $state;
    }, 10);

    diag("$id: ", explain($s));

    return 0;
}

sub code {
    my ($name, $port) = @_;
    my $c = rtmp_publish(port($port), 'live', $name . int(rand(1e6)));
    my $code = $c->{code} || '';

    $c->close();

    return $code;
}

###############################################################################
