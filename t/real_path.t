#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "path" in rtmp_route { } with real origins: the order of servers,
# and viewers who know another name than nginx-rtmp has.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::HLS::Real;
use Test::Nginx::Media;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/);

need_media($t)->plan(12);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8091 http=%%PORT_8092%%;
    server 127.0.0.1:8093 http=%%PORT_8094%%;
    path   ~ ^/watch/([^/]+)/(.+)$  stream=live/$1  to=/live/$1/$2
           servers=127.0.0.1:%%PORT_8093%%,127.0.0.1;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream origin {
        rtmp_route live http;
        keepalive  32;
    }

    hls_cache_zone hls 64m;

    add_header X-Server $rtmp_route_server always;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache   hls;
            rtmp_route  live;
            proxy_pass  $rtmp_route_scheme://origin;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

EOF

real_origin($t, 1, 8091, 8092);
real_origin($t, 2, 8093, 8094);

$t->run();

###############################################################################

my ($second, $first) = map { $_->{id} } servers('live');

my $uri = '/watch/cam1/index.m3u8';
my $file = media_file($t, 'cam1.flv');
my ($r, $v, @e);

$e[1] = real_encoder($t, 'encoder1', $file, rtmp(8091));
$e[2] = real_encoder($t, 'encoder2', $file, rtmp(8093));

ok(hls_wait(sub { @{playlist($uri)->{segments}} >= 2 }, 15), 'a playlist');

my $log1 = "origin1-access.log";
my $log2 = "origin2-access.log";

like($t->read_file($log2), qr!GET /live/cam1/index\.m3u8 !,
    'asked of the first of the list, by its name');
unlike($t->read_file($log1), qr!GET /live!, 'not of the other');

$r = playlist($uri);
like($r->{segments}[0]{uri}, qr!^\d+\.ts!, 'URIs are relative');

$v = hls_viewer($t, $uri, name => 'cam1', every => 0.3);
sleep(2);
is($v->faults(), '', 'a viewer is content');
like($t->read_file($log2), qr!GET /live/cam1/\d+\.ts !, 'with segments');

# new requests go to the next one, and come back

patch('live', $first, down => JSON::PP::true);
ok(hls_wait(sub { hls_get($uri);
    $t->read_file($log1) =~ m!GET /live/cam1/index\.m3u8 ! }, 10),
    'the second when the first is down');
patch('live', $first, down => JSON::PP::false);
my $n = lines($log2);
ok(hls_wait(sub { hls_get($uri); lines($log2) > $n + 1 }, 10),
    'the first again');

# the first dies

origin_signal($t, 2, 'KILL');
$n = lines($log1);
ok(hls_wait(sub { hls_get($uri)->{status} == 200 && lines($log1) > $n + 2 },
    15), 'the second when the first has died');
is(playlist($uri)->{status}, 200, 'which has a playlist');
ok($v->report()->{segments}, 'the viewer has had segments');
$v->stop();

is(hls_get('/watch/none/index.m3u8')->{status}, 404, 'unknown to both');

$_ && $_->stop('KILL') for @e;

###############################################################################

sub rtmp {
    return 'rtmp://127.0.0.1:' . port($_[0]) . '/live/cam1';
}

sub lines {
    my ($log) = @_;

    return scalar(() = $t->read_file($log) =~ /\n/g);
}

###############################################################################
