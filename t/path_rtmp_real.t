#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for path with ffmpeg and nginx-rtmp: what is published and played under
# a name that a rule maps is what went in.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream pcre/);

need_media($t)->plan(19);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;

    path   ~ ^/app/stream$   to=/app/stream_720p;
    path   ~ ^/event/(\w+)/(\w+)$  to=/$1/sub/$2;
    path   /live             to=/edge;
    path   /auth             to=/edge args=off;
    path   /token            to=/edge;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_command|$rtmp_app|$rtmp_stream|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
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
    log_format names '$command|$app|$name|$args|$tcurl';
    access_log %%TESTDIR%%/origin-access.log names;

    server {
        listen 127.0.0.1:8090;

        application edge {
            live     on;
            wait_key off;
        }

        application app {
            live     on;
            wait_key off;
        }

        application live/sub {
            live     on;
            wait_key off;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $file = media_file($t, 'cam1.flv');
my $want = file_packets($t, $file);

my $proxy = 'rtmp://127.0.0.1:' . port(8081);
my $origin = 'rtmp://127.0.0.1:' . port(8090);

# where it is published and played here, and where it is at the origin

my @cases = (
    [ 'live', 'live/cam1', 'edge/cam1' ],
    [ 'app', 'app/stream', 'app/stream_720p' ],
    [ 'split', 'event/live/cam2', 'live/sub/cam2' ],
    [ 'token', 'token/cam3?key=secret', 'edge/cam3' ],
    [ 'auth', 'auth/cam4?key=secret', 'edge/cam4' ],
);

my (%through, %direct, %publisher);

for my $case (@cases) {
    my ($name, $here, $there) = @$case;

    $through{$name} = play($t, "through-$name", "$proxy/$here");
    $direct{$name} = play($t, "direct-$name", "$origin/$there");
}

for my $case (@cases) {
    my ($app, $stream) = $case->[2] =~ m!^(.+)/([^/]+)$!;

    wait_until(sub {
        2 == (() = $t->read_file('origin.log') =~ /play: name='$stream'/g);
    }, 20);
}

for my $case (@cases) {
    $publisher{$case->[0]} = publish($t, "publish-$case->[0]", $file,
        "$proxy/$case->[1]", '-readrate', 3);
}

for my $case (@cases) {
    my ($name) = @$case;

    is($publisher{$name}->wait(), 0, "$name: publisher");
    is($through{$name}->wait_packets($want), $want, "$name: through");
    is($direct{$name}->wait_packets($want), $want, "$name: at the origin");

    $_->stop('KILL') for $through{$name}, $direct{$name};
}

ok(wait_until(sub { !sessions('live') }, 10), 'all have ended');

my $log = $t->read_file('stream.log');

like($log, qr/^publish\|live\|cam1\|ok$/m, 'what the client has said');

$log = $t->read_file('origin-access.log');

like($log, qr!^PUBLISH\|edge\|cam3\|key=secret\|$proxy/edge$!m, 'argument');
like($log, qr!^PUBLISH\|edge\|cam4\|\|$proxy/edge$!m, 'no argument');

###############################################################################
