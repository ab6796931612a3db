#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: sessions over a reload.

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

my $t = Test::Nginx->new()->has(qw/stream/)->plan(11);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
worker_shutdown_timeout 2s;

events {
}

rtmp_route live {
    zone    live 1m;
    unknown wait=4s;
    server  127.0.0.1:8081;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_command $rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
    }
}

EOC

my $o = rtmp_origin($t, port(8081));

$t->run();

###############################################################################

my @media = media_messages(40);
my @early = splice(@media, 0, 20);
my $c = rtmp_publish(port(8080), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'publish');

# who waits for a stream in an old worker hears of it from a new one

my $waiting = rtmp_play(port(8080), 'live', 'cam2', no_wait => 1);

$c->send_media(@early);

$t->reload();

# old workers accept no more

ok(wait_until(sub {
    return 2 == (() = $t->read_file('error.log')
        =~ /gracefully shutting down/g);
}, 5), 'reload');

my $other = rtmp_publish(port(8080), 'live', 'cam2');

is($other->{code}, 'NetStream.Publish.Start', 'publish after reload');

$waiting->status();

is($waiting->{code}, 'NetStream.Play.Start', 'play that waited');

# a session goes on in its worker

$c->send_media(@media);

my $digest = media_digest(@early, @media);

is($o->wait_media($digest), $digest, 'media over reload');

# until the worker has to end

ok($c->is_closed(5), 'publisher closed in the end');
ok($waiting->is_closed(2), 'player closed in the end');
ok(!$other->is_closed(0), 'new session stays');

$other->close();

ok(wait_until(sub {
    return 3 == (() = $t->read_file('stream.log') =~ /\n/g);
}, 3), 'sessions logged');

my $log = $t->read_file('stream.log');

like($log, qr/^publish cam1 200 shutdown$/m, 'log of old session');
like($log, qr/^publish cam2 200 ok$/m, 'log of new session');

###############################################################################
