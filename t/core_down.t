#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_core: what its list has named stays while it is down, longer
# than an idle stream is remembered.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(9)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    osp_core http://127.0.0.1:%%PORT_8082%% interval=200ms
             http=%%PORT_8081%%;
    inactive 1s;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live {
        rtmp_route live http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            rtmp_route live;
            proxy_pass http://live;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF

my $core = osp_core($t, port(8082));

$core->server('127.0.0.1');
$core->channel("listed$_", live => 1, server => '127.0.0.1') for 1 .. 40;
$core->channel('priv', live => 1, private => 1, server => '127.0.0.1');

my $o = hls_origin($t, port(8081), code => sub { return { body => 'a' } });

$t->run();

###############################################################################

ok(until_streams(sub { @_ == 40 }), 'polled');
is(get('/live/priv.m3u8'), 200, 'asked for');

$core->down();
sleep(3.5);

ok(until_streams(sub { !grep { $_ eq 'live/priv' } @_ }), 'idle one forgotten');
ok(until_streams(sub { @_ == 40 }), 'the list stays');
is(scalar(grep { get("/live/listed$_.m3u8") == 200 } 1 .. 40), 40,
    'all goes on');
is(get('/live/priv.m3u8'), 503, 'the other one is unsure');

# once it is back, it is right again

$core->channel("listed$_", live => 0) for 1 .. 10;
$core->up();

ok(until_streams(sub { @_ == 30 }), 'what has ended goes');
is(get('/live/listed20.m3u8'), 200, 'listed yet');
ok(until_get(200, '/live/priv.m3u8'), 'asked for again');

###############################################################################

sub get {
    my ($uri) = @_;

    return hls_get($uri, timeout => 10)->{status};
}

sub until_get {
    my ($status, $uri) = @_;

    for (1 .. 50) {
        return 1 if get($uri) == $status;
        sleep(0.1);
    }

    return 0;
}

sub until_streams {
    my ($code) = @_;

    for (1 .. 100) {
        my $list = api('GET', 'live/streams/');
        return 1 if $list && $code->(keys %$list);
        sleep(0.1);
    }

    return 0;
}

###############################################################################
