#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_resume: TLS on both sides, and processes that end
# while a publisher is moved.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Digest::SHA qw/ sha1_hex /;

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream stream_ssl/)
    ->has_daemon('openssl')->plan(30);

$t->{_ignore_alerts} = qr/worker process \d+ exited on signal 9/;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_shutdown_timeout 4s;

events {
}

rtmp_route tls {
    zone   tls 1m;
    server 127.0.0.1 rtmps=%%PORT_8083%% max_fails=0;
    server 127.0.0.1:8082 max_fails=0 backup;
}

rtmp_route back {
    zone   back 1m;
    server 127.0.0.1:8082 max_fails=0;
    server localhost rtmps=%%PORT_8083%% max_fails=0 backup;
}

rtmp_route one {
    zone   one 1m;
    server 127.0.0.1:8081 max_fails=0;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    ssl_certificate_key localhost.key;
    ssl_certificate     localhost.crt;

    osp_upstream_resume on;

    server {
        listen       127.0.0.1:8090 ssl;
        osp_upstream tls;
    }

    server {
        listen       127.0.0.1:8091 ssl;
        osp_upstream back;
    }

    server {
        listen       127.0.0.1:8092;
        osp_upstream one;

        osp_upstream_resume_timeout 30s;
    }

    server {
        listen     127.0.0.1:8083 ssl;
        proxy_pass 127.0.0.1:8081;
        access_log off;
    }
}
EOF_CONF

my $d = $t->testdir();

$t->write_file('openssl.conf', <<EOF_CONF);
[ req ]
default_bits = 2048
distinguished_name = req_distinguished_name
[ req_distinguished_name ]
EOF_CONF

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . "-config $d/openssl.conf -out $d/localhost.crt -keyout $d/localhost.key "
    . ">>$d/openssl.out 2>&1") == 0
    or die "Can't make a certificate\n";

my ($one, $two, $c, @m, $pid, $n);

@m = media_messages(60);

$t->run();

# from TLS to plain, and the other way round

($one, $two) = (origin(8081), origin(8082));
publish(8090, 'cam1', ssl => 1);

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'tls, first');
$one->stop();
ok(ready($two), 'tls, to plain');
$c->send_media(@m[14 .. 40]);
ok(got($two, $m[40]), 'tls, goes on');
finish('tls', '0 0');

($one, $two) = (origin(8081), origin(8082));
publish(8091, 'cam2', ssl => 1);

$c->send_media(@m[0 .. 13]);
ok(got($two, $m[13]), 'plain, first');
$two->stop();
ok(ready($one), 'plain, to tls');
$c->send_media(@m[14 .. 40]);
ok(got($one, $m[40]), 'plain, goes on');
finish('back', '0 0');

# a reload while there is no server: the old process goes on

$one = origin(8081);
publish(8092, 'cam3');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'reload, first');
$n = lost();
$one->stop();
ok(wait_until(sub { lost() > $n }), 'reload, lost');

($pid) = map { $_->{pid} } sessions('one');
reload($pid);
is(join(' ', map { $_->{pid} } sessions('one')), $pid, 'reload, session');

$one = origin(8081);
ok(ready($one, 10), 'reload, moved');
$c->send_media(@m[14 .. 40]);
ok(got($one, $m[40]), 'reload, goes on');

# the old process may have to end before the session does

is($c->answer('onStatus') && $c->{code}, 'NetConnection.Connect.AppShutdown',
    'shutdown, told');
is($c->is_closed(5), 1, 'shutdown, closed');
finish('one', '0');

# so it may while there is no server

$one = origin(8081);
publish(8092, 'cam4');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'shutdown without server, first');
$n = lost();
$one->stop();
ok(wait_until(sub { lost() > $n }), 'shutdown without server, lost');

($pid) = map { $_->{pid} } sessions('one');
reload($pid);
is($c->answer('onStatus') && $c->{code}, 'NetConnection.Connect.AppShutdown',
    'shutdown without server, told');
is($c->is_closed(5), 1, 'shutdown without server, closed');
ok(wait_until(sub { !kill(0, $pid) }), 'shutdown without server, process');
finish('one', '0');

# a process that is killed while it moves a session

$one = origin(8081);
publish(8092, 'cam5');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'killed, first');
$n = lost();
$one->stop();
ok(wait_until(sub { lost() > $n }), 'killed, lost');

($pid) = map { $_->{pid} } sessions('one');
kill('KILL', $pid);
is($c->is_closed(5), 1, 'killed, closed');
$c->close();

$one = origin(8081);
publish(8092, 'cam5');
ok(ready($one), 'killed, published again');
is(scalar(sessions('one')), 1, 'killed, no session is left');
finish('one', '0');

like($t->read_file('stream.log'), qr/^@{[port(8092)]}\|200\|shutdown$/m, 'log');

###############################################################################

sub publish {
    my ($port, $stream, %opt) = @_;

    $c = rtmp_publish(port($port), 'live', $stream, %opt);
    is($c->{code}, 'NetStream.Publish.Start', "publish $stream");
}

sub finish {
    my ($route, $want) = @_;

    $c->close();

    for my $o (grep { defined } $one, $two) {
        $o->stop();
    }

    ($one, $two) = ();

    wait_conns($route, $want);
}

sub origin {
    my ($port) = @_;

    unlink($t->testdir() . '/origin-' . port($port) . '.log');

    return rtmp_origin($t, port($port), messages => 1);
}

sub ready {
    my ($o, $timeout) = @_;

    return $o->wait(event => 'ready', timeout => $timeout || 5);
}

sub got {
    my ($o, $m) = @_;

    return $o->wait(event => 'message', type => $m->[0], ts => $m->[1],
        sha => sha1_hex($m->[2]));
}

sub lost {
    return scalar(() = $t->read_file('error.log') =~ /server "\S+" was lost/g);
}

# Until that process takes no new sessions.

sub reload {
    my ($pid) = @_;

    $t->reload();

    wait_until(sub {
        return $t->read_file('error.log') =~ / $pid#\d+: gracefully shutting/;
    });
}

###############################################################################
