#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_takeover with ffmpeg and nginx-rtmp, which refuses a
# second publisher as long as the connection of the first one is there.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_media($t)->plan(14);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081 max_streams=1;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen        127.0.0.1:8082;
        osp_upstream  live;
        osp_upstream_takeover idle=2s;
    }
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

EOF_CONF

nginx_rtmp($t, 'origin', <<'EOF_CONF') or die "Can't start nginx-rtmp\n";

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:8081;

        application live {
            live on;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $file = media_file($t, 'cam1.flv');
my $url = 'rtmp://127.0.0.1:' . port(8082) . '/live/cam1';

my ($one, $two, $three, $player, $late, $start, $n);

$one = publish($t, 'one', $file, $url, qw/ -re -stream_loop -1 /);

ok(wait_sessions('live', 1), 'published');

# its network is there: nobody else gets in

sleep(2.5);

$late = rtmp_publish('127.0.0.1:' . port(8082), 'live', 'cam1');

is($late->{code}, 'NetStream.Publish.BadName', 'a second one is refused');
is($late->{description}, 'Already publishing', 'by the origin');
$late->close();

ok(wait_sessions('live', 1), 'the second one has gone');
ok($one->is_running(), 'the first one goes on');

# it goes, but its connection stays

kill('STOP', -$one->{pid});
sleep(2.5);

$start = time();
$two = rtmp_publish('127.0.0.1:' . port(8082), 'live', 'cam1');

is($two->{code}, 'NetStream.Publish.Start', 'takes over');
cmp_ok(time() - $start, '<', 2, 'at once');
diag(sprintf('%.3f s', time() - $start)) if $ENV{TEST_NGINX_VERBOSE};

is(wait_log($t, 'stream.log', qr/^(cam1 200 replaced)$/m),
    'cam1 200 replaced', 'logged');

# ffmpeg takes over from that

sleep(2.5);

$three = publish($t, 'three', $file, $url, qw/ -re -stream_loop -1 /);

ok(wait_until(sub {
    return 2 == (() = $t->read_file('stream.log') =~ /^cam1 200 replaced$/mg);
}), 'ffmpeg takes over');
ok(wait_sessions('live', 1), 'one session');

$player = rtmp_play('127.0.0.1:' . port(8082), 'live', 'cam1');
is(scalar($player->read_media(20, 10)), 20, 'it is played');

# the first one wakes up, and hears that it is over

kill('CONT', -$one->{pid});

isnt($one->wait(), 'timeout', 'the first one ends');
ok($three->is_running(), 'the last one goes on');

$player->close();

($n) = map { $_->{in} } sessions('live');
ok(wait_until(sub { (map { $_->{in} } sessions('live'))[0] > $n }),
    'and is heard');

$three->stop();

###############################################################################
