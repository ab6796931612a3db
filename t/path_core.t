#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "path" in rtmp_route { }: rules and a control plane, and rules that
# change with a reload.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite stream/)->plan(17);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.2 http=%%PORT_8083%%;

    path    ~ ^/hls/([^/.]+)  stream=live/$1;
    path    /edge/            to=/origin/;
    path    /own/             servers=127.0.0.2;
    path    /both/            stream=live/  servers=127.0.0.2;
}

stream {
    osp_core http://127.0.0.1:%%PORT_8082%% route=live interval=1s
             rtmp=%%PORT_8090%% http=%%PORT_8084%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream origin { rtmp_route live http; }

    server {
        listen 127.0.0.1:8080;

        location / {
            rtmp_route  live;
            proxy_pass  http://origin;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }

    server {
        listen 127.0.0.2:%%PORT_8083%%;

        location / {
            return 200 "own $request_uri\n";
        }
    }

    server {
        listen 127.0.0.1:8084;

        location / {
            return 200 "core $request_uri\n";
        }
    }
}

EOF

my $core = osp_core($t, port(8082));
$core->server('127.0.0.1');
$core->channel('cam1', live => 1, server => '127.0.0.1');
$core->channel('cam2', live => 1, private => 1, server => '127.0.0.1');

$t->run();

###############################################################################

ok(hls_wait(sub { hls_get('/live/cam1.m3u8')->{status} == 200 }, 10),
    'the core is there');
$core->forget();

# what a rule means is what the core is asked for

like(body('/hls/cam1.m3u8'), qr!^core /hls/cam1\.m3u8!, 'listed');
like(body('/hls/cam1-12.ts'), qr!^core /hls/cam1-12\.ts!, 'a segment of it');
like(body('/hls/cam2.m3u8'), qr!^core /hls/!, 'asked for');
is(hls_get('/hls/none.m3u8')->{status}, 404, 'there is none');
is($core->count('rtmpCheck'), 2, 'two questions');
is(hls_get('/hls/none.m3u8')->{status}, 404, 'still none');

like(body('/edge/cam1.m3u8'), qr!^core /origin/cam1\.m3u8!, 'to');

# servers= decides, and nobody is asked

$core->forget();
like(body('/own/cam3.m3u8'), qr!^own /own/!, 'unknown to the core');
like(body('/own/cam4.m3u8'), qr!^own /own/!, 'another');
like(body('/both/cam1.m3u8'), qr!^own /both/!,
    'known to it, but not within the list');
is($core->count('rtmpCheck'), 0, 'it was not asked');

# where would it go: without a question, too

like(request('GET', '/api/1/routes/live/lookup?path=/hls/cam9.m3u8'),
    qr!"status":404!, 'looked up');
is($core->count('rtmpCheck'), 0, 'nobody was asked');

# other rules after a reload

my $conf = $t->read_file('nginx.conf');
$conf =~ s!path    /edge/ .*;!path    /hls2/  stream=live/  to=/new/;!;
$t->write_file('nginx.conf', $conf);
$t->reload();

ok(hls_wait(sub { body('/hls2/cam1.m3u8') =~ m!^core /new/cam1\.m3u8! }, 10),
    'a new rule');
like(body('/edge/cam1.m3u8'), qr!^core /edge/!, 'an old one has gone');
like(body('/hls/cam1.m3u8'), qr!^core /hls/!, 'others stay');

###############################################################################

sub body {
    return hls_get(@_)->{body} // '';
}

###############################################################################
