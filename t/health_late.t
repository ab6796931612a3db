#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for registrations that time out all at once while the servers are well,
# without health_check.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_rtmp_module($t)->plan(18);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
error_log %%TESTDIR%%/notice.log notice;

events {
}

rtmp_route bare {
    zone      bare 256k;
    register  open allow=127.0.0.0/8 timeout=3s;
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
        listen       127.0.0.1:8085;
        osp_upstream bare;
    }
}

EOF_CONF

$t->run();

my ($pub, $s);

###############################################################################
# nobody answers

heartbeat('bare', $_) for 1, 2;
heartbeat('bare', 3, rtmp => ["" . port(8089)]);

ok(wait_state('bare', $_, 'down'), "$_: down") for 1 .. 3;
isnt(code('bare', 8085), 'NetStream.Publish.Start', 'nobody is there');

# servers do

origin();

ok(wait_state('bare', $_, 'stale'), "$_: stale") for 1, 2;
is(server('bare', 3)->{state}, 'down', '3: down');
is(code('bare', 8085), 'NetStream.Publish.Start', 'a publisher is taken');

heartbeat('bare', $_) for 1, 2;

is(server('bare', $_)->{state}, 'up', "$_: up") for 1, 2;

$s = server('bare', 1)->{health_checks}{checks};
sleep(0.7);
is(server('bare', 1)->{health_checks}{checks}, $s, 'not checked any more');

# who is late is checked before its time is over, and so there is no gap

ok(wait_until(sub {
    return server('bare', 1)->{health_checks}{checks} > $s;
}), 'checked when late');

$pub = rtmp_publish(port(8085), 'live', 'cam');
is($pub->{code}, 'NetStream.Publish.Start', 'published');

is(join(' ', grep { $_ ne 'NetStream.Publish.Start' }
    map { sleep(0.2); code('bare', 8085) } 1 .. 15), '', 'all are taken');

ok(wait_state('bare', $_, 'stale'), "$_: stale again") for 1, 2;
ok(!$pub->is_closed(0.1), 'the publisher goes on');

unlike($t->read_file('notice.log'), qr/\[(?:crit|alert|emerg)\]/, 'log');

###############################################################################

sub origin {
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
}

sub heartbeat {
    my ($route, $id, %more) = @_;
    my $body = JSON::PP::encode_json({ ip => "127.0.0.$id", server => "$id",
        service => 's', pid => '1', rtmp => ["" . port(8081)],
        %more });

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
