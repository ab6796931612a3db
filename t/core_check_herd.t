#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_core: many who ask for unknown channels, and a core that
# does not answer.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/)->plan(25)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 4;

events {
    worker_connections 4096;
}

worker_rlimit_nofile 8192;

rtmp_route live {
    osp_core http://127.0.0.1:%%PORT_8082%% interval=60s
             http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;

    upstream live {
        rtmp_route live http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache  hls;
            rtmp_route live;
            proxy_pass http://live;
        }

        location /plain/ {
            rtmp_route live;
            rewrite    ^/plain(/.*)$ $1 break;
            proxy_pass http://live;
        }
    }
}

EOF

my $core = osp_core($t, port(8082));

$core->server('127.0.0.1');
$core->channel('listed', live => 1, server => '127.0.0.1');
$core->channel("priv$_", live => 1, private => 1, server => '127.0.0.1')
    for 1 .. 9;

my $o = hls_origin($t, port(8081));

$o->live($_, layout => 'nested', base => '/live')
    for 'listed', map { "priv$_" } 1 .. 9;

$t->run();

my ($time, @r);

###############################################################################

ok(until_is(200, '/live/listed/index.m3u8'), 'running');

# one channel that nobody knows

for my $prefix ('', '/plain') {
    my $name = $prefix ? 'priv1' : 'priv2';

    $core->forget();

    @r = hls_gets(map { { uri => "$prefix/live/$name/index.m3u8" } } 1 .. 200);

    is(scalar(grep { $_->{status} == 200 } @r), 200, "$name: all are served");

    # who comes when the answer has just come may ask once more

    cmp_ok($core->count('rtmpCheck'), '<=', 2, "$name: not a question each");
}

$core->forget();
$core->fault('rtmpCheck', delay => 300);

@r = hls_gets(map { { uri => '/plain/live/nobody/index.m3u8' } } 1 .. 200);

is(scalar(grep { $_->{status} == 404 } @r), 200, 'no such channel');
is($core->count('rtmpCheck'), 1, 'one question');

# and a flood of names

$core->clear()->forget();

@r = hls_gets((map { { uri => "/plain/live/flood$_/index.m3u8",
    timeout => 20 } } 1 .. 1000), map { { uri =>
    '/plain/live/listed/index.m3u8', after => 0.02 * $_ } } 1 .. 40);

is(scalar(grep { $_->{status} == 200 } @r[1000 .. 1039]), 40,
    'what is known is served');
cmp_ok(hls_max(last => @r[1000 .. 1039]), '<', 3.4, 'at once');
is(scalar(grep { ($_->{status} || 0) =~ /^(404|503)$/ } @r[0 .. 999]), 1000,
    'the others are told');
cmp_ok($core->count('rtmpCheck'), '<', 400, 'questions are limited');
cmp_ok($core->count('rtmpCheck'), '>', 50, 'but there are some');

ok(until_is(200, '/live/priv3/index.m3u8'), 'a real one is found after that');

# the core hangs

sleep(1);
$core->forget();
$core->fault('rtmpCheck', hang => 1);

$time = time();
@r = hls_gets(map { { uri => "/plain/live/hang$_/index.m3u8", timeout => 20 } }
    1 .. 40);

is(scalar(grep { $_->{status} == 503 } @r), 40, 'hangs');
cmp_ok(time() - $time, '<', 8, 'for a limited time');

$time = time();
@r = map { hls_get("/live/hang$_/index.m3u8", timeout => 20) } 41 .. 80;

is(scalar(grep { $_->{status} == 503 } @r), 40, 'known to hang');
cmp_ok(time() - $time, '<', 2.5, 'nobody waits');
is(get('/live/priv3/index.m3u8'), 200, 'what is known goes on');

$core->clear();
ok(until_is(200, '/live/priv4/index.m3u8'), 'back');
is(get('/live/nobody2/index.m3u8'), 404, 'in all');

is(scalar(() = $t->read_file('error.log') =~ /does not answer questions/g), 1,
    'one line when it began');
is(scalar(() = $t->read_file('error.log') =~ /answers questions .* again/g), 1,
    'one line when it ended');

# a reload while somebody waits

$core->fault('rtmpCheck', delay => 800, count => 1);

my $s = Test::Nginx::http_start("GET /live/priv5/index.m3u8 HTTP/1.0\n\n");

$core->forget();
$core->wait('rtmpCheck');
$t->reload();

like(Test::Nginx::http_end($s), qr/ 200 OK/, 'reload');
is(get('/live/priv5/index.m3u8'), 200, 'known to the new ones');

# who leaves

$core->fault('rtmpCheck', delay => 500, count => 1);
hls_get('/live/priv6/index.m3u8', stop => 0);
hls_get('/plain/live/priv6/index.m3u8', stop => 0, reset => 1);

is(get('/live/priv6/index.m3u8'), 200, 'others left before');

###############################################################################

sub get {
    my ($uri) = @_;

    return hls_get($uri, timeout => 20)->{status};
}

sub until_is {
    my ($status, $uri) = @_;

    for (1 .. 60) {
        return 1 if get($uri) == $status;
        sleep(0.1);
    }

    return 0;
}

###############################################################################
