#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in http{} with ffmpeg and nginx-rtmp: HLS comes from the
# origin that has the stream, also after it has moved.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite stream/);

need_media($t)->plan(58);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090 http=%%PORT_8091%%;
    server 127.0.0.1:8092 http=%%PORT_8093%%;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format test '$status $upstream_addr $uri';
    access_log %%TESTDIR%%/hls.log test;

    upstream origin {
        rtmp_route live http;
        keepalive  8;
    }

    server {
        listen 127.0.0.1:8080;

        location / {
            rtmp_route live;
            proxy_pass http://origin;
        }

        location /api/ {
            rtmp_route_api write=on;
            access_log     off;
        }
    }
}

EOF_CONF

my $conf = <<'EOF_CONF';

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:RTMP;

        hls                 on;
        hls_fragment        400ms;
        hls_playlist_length 30s;

        application live {
            live       on;
            hls_path   %%TESTDIR%%/NAME/live;
            hls_nested on;
        }

        application flat {
            live     on;
            hls_path %%TESTDIR%%/NAME/flat;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:HTTP;
        root   %%TESTDIR%%/NAME;
    }
}

EOF_CONF

my $one = origin($t, 'one', 8090, 8091);
my $two = origin($t, 'two', 8092, 8093);

$t->run();

###############################################################################

my $proxy = 'rtmp://127.0.0.1:' . port(8081);
my ($id1, $id2) = map { $_->{id} } servers('live');

# each broadcast has pictures of its own

my @files = map { media_file($t, "$_.flv", hue => $_ * 40) } 0 .. 4;
my @frames = map { [ file_frames($t, $_) ] } @files;

is(scalar(grep { @$_ == 100 } @frames), 5, 'sources');

pin('live', 'live/cam1', $id1);
pin('live', 'live/cam2', $id2);
pin('live', 'flat/cam3', $id2);

broadcast($t, 'live/cam1', 0, 8091);
broadcast($t, 'live/cam2', 1, 8093);
broadcast($t, 'flat/cam3', 2, 8093);

# a pin that is changed between two broadcasts

pin('live', 'live/cam1', $id2);
pin('live', 'flat/cam3', $id1);

broadcast($t, 'live/cam1', 3, 8093, 'pinned: ');
broadcast($t, 'flat/cam3', 4, 8091, 'pinned: ');

# an origin that goes away

unpin('live', 'live/cam1');
patch('live', $id2, drain => JSON::PP::true());

broadcast($t, 'live/cam1', 1, 8091, 'drained: ');

patch('live', $id2, drain => JSON::PP::false());
pin('live', 'live/cam2', $id2);

my $publisher = publish($t, 'dies', '-', "$proxy/live/cam2");

$publisher->feed($files[2], 0, 0.5);
wait_sessions('live', 1);
stop_origin($two);
$publisher->feed($files[2], 0.5, 1);

like($publisher->wait(), qr/^[1-9]/, 'publisher of a dead origin');

broadcast($t, 'live/cam2', 3, 8091, 'died: ');

###############################################################################

# Publishes, and looks at HLS as long as the publisher is there and afterwards.

sub broadcast {
    my ($t, $key, $file, $port, $what) = @_;
    my ($name, $uri, $publisher, $before);

    $name = ($what || '') . $key;
    $name =~ tr!/: !-!d;
    $uri = $key =~ /^flat/ ? "/$key.m3u8" : "/$key/index.m3u8";
    $what = ($what || '') . $key;

    # nginx-rtmp goes on with the playlist of an earlier broadcast

    $before = segments($uri, $port);

    $publisher = publish($t, $name, '-', "$proxy/$key");
    $publisher->feed($files[$file], 0, 0.9);

    ok(wait_until(sub { segments($uri, 8080) >= $before + 6 }),
        "$what: playlist");

    decode($t, $what, $uri, $file, $port);

    $publisher->feed($files[$file], 0.9, 1);
    is($publisher->wait(), 0, "$what: publisher");
    wait_sessions('live', 0);

    decode($t, "$what, ended", $uri, $file, $port);
}

sub segments {
    my ($uri, $port) = @_;
    my $text = http_get($uri, PeerAddr => '127.0.0.1:' . port($port)) || '';

    return scalar(() = $text =~ /\.ts$/mg);
}

# The last five segments of the playlist.

sub decode {
    my ($t, $what, $uri, $file, $port) = @_;
    my ($url, $player, $n, $log);

    $url = 'http://127.0.0.1:' . port(8080) . $uri;
    $t->write_file('hls.log', '');

    $player = program($t, 'decode', qw/ ffmpeg -v error -nostdin -xerror
        -live_start_index -5 -i /, $url, qw/ -t 2 -map 0:v -f framemd5 -
        -t 2 -map 0:a -f null - /);

    is($player->wait() . $t->read_file('decode.log'), '0', "$what: decoded");

    my @got = map { /^\d.*\s(\w{32})$/ ? $1 : () }
        split(/\n/, $t->read_file('decode.out'));

    cmp_ok(frames_within(\@got, $frames[$file]), '>', 40, "$what: pictures");

    wait_until(sub { $t->read_file('hls.log') =~ /\.ts/ });
    $log = $t->read_file('hls.log');
    $n = port($port);

    is(join("\n", grep { !/^20[06] 127\.0\.0\.1:$n / } split(/\n/, $log)), '',
        "$what: all from its origin");
}

sub origin {
    my ($t, $name, $rtmp, $http) = @_;
    my $text = $conf;

    $text =~ s/NAME/$name/g;
    $text =~ s/127\.0\.0\.1:RTMP/127.0.0.1:$rtmp/;
    $text =~ s/127\.0\.0\.1:HTTP/127.0.0.1:$http/;

    mkdir($t->testdir() . "/$name");

    nginx_rtmp($t, $name, $text) or die "Can't start nginx-rtmp\n";

    return $t->read_file("$name.pid") + 0;
}

sub stop_origin {
    my ($pid) = @_;

    kill('TERM', $pid);

    return wait_until(sub { !kill(0, $pid) || waitpid($pid, 1) > 0 });
}

###############################################################################
