#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: RTMPS in front and behind.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream stream_ssl/)->has_daemon('openssl')
    ->plan(12);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route plain {
    zone   plain 1m;
    server 127.0.0.1:8090;
}

rtmp_route rtmps {
    zone   rtmps 1m;
    server 127.0.0.1 rtmps=%%PORT_8091%%;
}

rtmp_route both {
    zone   both 1m;
    server 127.0.0.1 rtmp=%%PORT_8090%% rtmps=%%PORT_8091%%;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status|$rtmp_reason|$upstream_addr';
    access_log %%TESTDIR%%/stream.log test;

    ssl_certificate_key localhost.key;
    ssl_certificate     localhost.crt;

    # TLS for the origin

    server {
        listen      127.0.0.1:8091 ssl;
        proxy_pass  127.0.0.1:8090;
        access_log  %%TESTDIR%%/tls.log test;
    }

    server {
        listen       127.0.0.1:8080;
        osp_upstream plain;
    }

    server {
        listen       127.0.0.1:8081 ssl;
        osp_upstream plain;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream rtmps;
    }

    server {
        listen       127.0.0.1:8083 ssl;
        osp_upstream rtmps;
    }

    server {
        listen       127.0.0.1:8084;
        osp_upstream both;
        osp_upstream_ssl on;
    }

    server {
        listen       127.0.0.1:8085;
        osp_upstream rtmps;
        osp_upstream_ssl_verify on;
        osp_upstream_ssl_name localhost;
        osp_upstream_ssl_trusted_certificate localhost.crt;
    }

    server {
        listen       127.0.0.1:8086;
        osp_upstream rtmps;
        osp_upstream_ssl_verify on;
        osp_upstream_ssl_name other.example.com;
        osp_upstream_ssl_trusted_certificate localhost.crt;
    }
}

EOC

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . '-keyout ' . $t->testdir() . '/localhost.key -out ' . $t->testdir()
    . '/localhost.crt >/dev/null 2>&1') == 0
    or die "Can't make a certificate\n";

my $o = rtmp_origin($t, port(8090), media => 100, media_size => 10000);

$t->run();

###############################################################################

my @media = media_messages(50, size => 5000);
my $played = media_digest(media_messages(100, size => 10000, play => 1));

publish(8081, 1, 'in front');
publish(8082, 0, 'behind');
publish(8083, 1, 'both');
publish(8084, 0, 'chosen by osp_upstream_ssl');

is(rtmp_publish(port(8085), 'live', 'cam1')->{code}, 'NetStream.Publish.Start',
    'verified');

my $c = rtmp_publish(port(8086), 'live', 'cam1');

is("$c->{code}", 'NetConnection.Connect.Rejected', 'wrong name');

$c = rtmp_play(port(8083), 'live', 'cam1', ssl => 1);

is(media_digest($c->read_media(103)), $played, 'play');

# a client without TLS where it is wanted

$c = rtmp_client(port(8081));
$c->write_raw("\x03" . "\0" x 1536);

ok($c->is_closed(2), 'no TLS');

###############################################################################

sub publish {
    my ($port, $ssl, $name) = @_;

    my $c = rtmp_publish(port($port), 'live', 'cam1', ssl => $ssl,
        early => [@media[0 .. 9]]);

    is($c->{code}, 'NetStream.Publish.Start', "$name: publish");
    $c->send_media(@media[10 .. $#media]);
    is($o->wait_media(media_digest(@media)), media_digest(@media),
        "$name: media");
    $c->close();
}

###############################################################################
