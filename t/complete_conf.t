#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for a configuration in which everything stands that there is, one part
# beside the other: each of them does its work there.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl proxy access pcre stream stream_ssl/)->plan(24);

my $rtmp = has_register($t);

$t->write_file_expand('nginx.conf', <<'EOF' . ($rtmp ? <<'EOF_RTMP' : ''));

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    zone          live 16m;
    state         %%TESTDIR%%/state/live.json;
    key           app/stream;
    hash          consistent;
    register      timeout=30s token=SECRET from=127.0.0.0/8 allow=127.0.0.0/8;
    inactive      60s;
    health_check  interval=5s fails=2 passes=1 type=rtmp;
    resolver      127.0.0.1:%%PORT_8053%%;
    server        127.0.0.1 rtmp=%%PORT_8090%% http=%%PORT_8091%% weight=2
                  max_conns=500 max_streams=100;
    server        origin-b.example.com rtmps=443 https=5999 backup
                  proxy_protocol=v1;
    path          ~ ^/hls/([^/.]+) stream=live/$1;
    path          /live to=/edge;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    osp_core http://127.0.0.1:%%PORT_8082%% route=live interval=1s
             rtmp=%%PORT_8090%% http=%%PORT_8091%%;

    server {
        listen        127.0.0.1:8081;
        osp_upstream  live;
        osp_upstream_next_upstream     on;
        osp_upstream_next_upstream_tries 3;
        osp_upstream_proxy_protocol    off;
        osp_upstream_limit_conn        $remote_addr 20 publish;
    }

    server {
        listen              127.0.0.1:8083 ssl;
        ssl_certificate     %%TESTDIR%%/localhost.crt;
        ssl_certificate_key %%TESTDIR%%/localhost.key;
        osp_upstream        live;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    sendfile on;
    upstream origin { rtmp_route live http; keepalive 32; }
    hls_cache_zone  hls 256m;

    server {
        include custom.conf;

        location / {
            hls_cache   hls;
            rtmp_route  live;
            proxy_pass  $rtmp_route_scheme://origin;
        }
        location ~ \.flv$ {
            rtmp_route live;
            proxy_pass http://origin;
            proxy_buffering off;
        }
        location /api/ {
            rtmp_route_api write=on;
            allow 127.0.0.0/8;
            deny all;
        }
        location /status {
            rtmp_route_status;
            allow 127.0.0.0/8;
            deny all;
        }
        location /metrics {
            rtmp_route_status format=prometheus;
            allow 127.0.0.0/8;
            deny all;
        }
        location = /ping { rtmp_route_ping; }
    }
}

EOF

rtmp_route fleet {
    zone      fleet 1m;
    register  open allow=127.0.0.0/8;
}

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:8084;
        rtmp_route_register
            http://127.0.0.1:%%PORT_8080%%/api/v1/srs/register/route=fleet
            interval=9s token=SECRET id=here;
        application live { live on; rtmp_route live pull push; }
    }
}

EOF_RTMP

$t->write_file_expand('custom.conf', "listen 127.0.0.1:8080;\n");

my $dir = $t->testdir();

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . "-keyout $dir/localhost.key -out $dir/localhost.crt >/dev/null 2>&1")
    == 0 or die "Can't make a certificate\n";

my $core = osp_core($t, port(8082));

$core->server('127.0.0.1');
$core->channel('cam1', live => 1, server => '127.0.0.1');
$core->channel('priv', live => 1, private => 1, server => '127.0.0.1');

my $o = hls_origin($t, port(8091), control => "$dir/hls.sock", code => sub {
    my ($r) = @_;

    return $r->{path} =~ /\.flv$/ ? { body => "flv $r->{uri}" } : undef;
});

$o->live($_, layout => 'nested', base => '/edge') for qw/ cam1 priv /;
$o->set('/hls/cam1.m3u8', body => "#EXTM3U\n#EXTINF:1,\nother.ts\n");

rtmp_origin($t, port(8090));

$t->run();

###############################################################################

# the core's list, its answers about one channel, and a no

until_true(sub { hls_get('/live/cam1/index.m3u8')->{status} == 200 });
until_true(sub { shown('streams/') =~ /cam1/ });

$core->forget();

like(hls_get('/live/cam1/index.m3u8')->{body}, qr/EXTINF/, 'listed');
like(hls_get('/live/priv/index.m3u8')->{body}, qr/EXTINF/, 'asked for');
is(hls_get('/live/none/index.m3u8')->{status}, 404, 'unknown');
is($core->count('rtmpCheck'), 2, 'questions');
like(hls_get('/live/cam1.flv?x=1')->{body}, qr!^flv /edge/cam1.flv\?x=1!,
    'flv');
like(hls_get('/hls/cam1.m3u8')->{body}, qr/other/, 'another path');
is($core->count('rtmpCheck'), 2, 'of the same stream');

# publishers, over TLS too, of whom nobody sees the name

for my $port (8081, 8083) {
    my $c = rtmp_publish(port($port), 'stream', "secret$port",
        ssl => $port == 8083);
    my $streams = shown('streams/');

    is($c->{code}, 'NetStream.Publish.Start', "publish $port");
    unlike($streams, qr/secret/, "publish $port: no name");
    like($streams, qr!"stream/#[0-9a-f]{16}":\{"server":"127.0.0.1"!,
        "publish $port: a digest");
}

# servers that register, and that are found later

like(http_post('/api/v1/srs/register?token=SECRET',
    '{"ip":"127.0.0.9","server":"vid-1","service":"s","pid":"1",'
    . '"rtmp":["1935"]}'), qr/"code":0/, 'registered');
like(shown('servers/vid-1'), qr/"source":"register"/, 'in the table');
like(shown('servers/origin-b.example.com'), qr/"server"/, 'a name');

# what others look after

like(http_get('/ping'), qr/"pong"/, 'ping');
like(http_get('/status'), qr/^Content-Type: text\/html/m, 'status');
like(http_get('/metrics'), qr/^nginx_rtmp_route_servers\{.*"live"/m,
    'metrics');
ok(until_true(sub { -s "$dir/state/live.json" }), 'state');

SKIP: {
skip 'no nginx-rtmp, or built without its headers', 4 unless $rtmp;

# nginx-rtmp: it registers, pushes what it has, pulls what it has not

ok(until_true(sub { http_get('/api/1/routes/fleet/servers/here')
    =~ /"state":"up"/ }), 'nginx-rtmp has registered');

my $c = rtmp_publish(port(8084), 'live', 'ours');
is($c->{code}, 'NetStream.Publish.Start', 'publish at nginx-rtmp');
ok(until_true(sub { shown('sessions/?type=publish') =~ /nginx-rtmp push/ }),
    'pushed');

my $p = rtmp_play(port(8084), 'live', 'cam1');
ok(until_true(sub { shown('sessions/?type=play') =~ /nginx-rtmp pull/ }),
    'pulled');

}

###############################################################################

sub shown {
    my ($what) = @_;

    return http_get("/api/1/routes/live/$what");
}

sub http_post {
    my ($uri, $body) = @_;

    return http("POST $uri HTTP/1.0\r\nHost: localhost\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body");
}

sub until_true {
    my ($code) = @_;

    for (1 .. 100) {
        return 1 if $code->();
        sleep(0.1);
    }

    return 0;
}

###############################################################################
