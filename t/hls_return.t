#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: viewers who come back to a stream after a while.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(6);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8090 http=%%PORT_8081%%;
    server  127.0.0.1:8091 http=%%PORT_8082%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone  hls 8m;

    upstream origin {
        rtmp_route  live http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache   hls;
            rtmp_route  live;
            proxy_pass  http://origin;
        }
    }
}

EOF_CONF

# both have it, and it is a guess which one is meant

my @origins = map { hls_origin($t, port($_)) } 8081, 8082;
my $uri = '/live/cam1/index.m3u8';

$_->live('cam1', auto => 1, duration => 0.5) for @origins;

$t->run();

###############################################################################

my ($r, $before, $last, @own);

for (1 .. 5) {
    $r = hls_get($uri);
    sleep(0.3);
}

is($r->{status}, 200, 'stream');

$before = last_of($r);
@own = grep { $_->count($uri) } @origins;

is(scalar(@own), 1, 'one server is asked');

# three target durations, and some more

sleep(5);

my @all = hls_gets(map { { uri => $uri } } 1 .. 5);

is(join(' ', map { $_->{status} } @all), '200 200 200 200 200', 'back');

$last = last_of($all[0]);

cmp_ok($last, '>', $before + 6, 'new segments');
is(scalar(grep { $_->count($uri) } @origins), 1, 'the same server is asked');
is(scalar(() = $all[0]->{body} =~ /DISCONTINUITY\n/g), 0, 'no discontinuity');

###############################################################################

sub last_of {
    my ($r) = @_;

    return $r->{body} =~ m!(\d+)\.ts\s*\z! ? $1 : -1;
}

###############################################################################
