#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the tree in conf/ with another proxy, or an edge, in place of RTMP
# nodes.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::OSPCore;
use Test::Nginx::Tree;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_realip proxy access rewrite stream pcre/)->plan(25);

my $core = osp_core($t, port(8082));

$core->server('127.0.0.3');
$core->channel('vip', live => 1, server => '127.0.0.3', protected => 1,
    owner => 'some_one');
$core->user('some_one', 'stored');

my $list = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:7\n"
    . "#EXT-X-TARGETDURATION:1\n"
    . "#EXT-X-KEY:METHOD=AES-128,URI=\"/keys/vip/7.key\",IV=0x07\n"
    . "#EXTINF:1.000,\n7.ts\n#EXTINF:1.000,\n8.ts\n#EXTINF:1.000,\n9.ts\n";

my $open = $list =~ s/^#EXT-X-KEY.*\n//mr;

my $node = httpd($t, port(8083), sub {
    my ($r) = @_;

    return http_response(200, $list) if $r->{uri} eq '/live/vip/index.m3u8';
    return http_response(200, 'segment') if $r->{uri} =~ m!^/live/vip/\d\.ts$!;
    return http_response(200, 'k' x 16) if $r->{uri} eq '/keys/vip/7.key';
    return http_response(404);
}, host => '127.0.0.3');

# an edge of OSP: no keys, and nothing without a Referer

my $edge = httpd($t, port(8084), sub {
    my ($r) = @_;

    return http_response(403) unless $r->{headers}{referer};
    return http_response(200, $open) if $r->{uri} eq '/edge/vip/index.m3u8';
    return http_response(200, 'edge') if $r->{uri} =~ m!^/edge/vip/\d\.ts$!;
    return http_response(404);
});

my $realip = "set_real_ip_from 127.0.0.1;\nreal_ip_header X-Forwarded-For;\n";
my $url = 'osp_core http://127.0.0.1:8082 interval=300ms';

tree($t, '', route => "$url http=%%PORT_8083%%;",
    listen => "listen 127.0.0.1:8080;\n$realip",
    tier => '127.0.0.1:8086');

tree($t, 'child', api => 8087, listen => "listen 127.0.0.1:8088;\n$realip",
    route => "$url;\nosp_force 127.0.0.1 type=proxy port=%%PORT_8086%%;");

tree($t, 'edge', api => 8089, listen => "listen 127.0.0.1:8090;\n$realip",
    route => "$url;\nosp_force 127.0.0.1 type=edge port=%%PORT_8084%%;");

$t->run();

run_tree($t, $_) or die "Can't start $_\n" for qw/ child edge /;

###############################################################################

my $token = $core->header('vip', 'some_one');

# nobody knows the core's answer at once

Test::Nginx::wait_for(sub { get(8080, '/live/vip/index.m3u8') =~ / 200 / }, 5);

for my $port (8080, 8088) {
    my $name = $port == 8080 ? 'parent' : 'child';

    like(get($port, '/ping'), qr/"pong"/, "$name: ping");
    like(get($port, '/live/vip/index.m3u8'), qr!URI="/keys/vip/7\.key"!,
        "$name: playlist");
    like(get($port, '/live/vip/7.ts'), qr/ 200 .*segment\z/s,
        "$name: segment");
    like(get($port, '/keys/vip/7.key', $token), qr/ 200 .*k{16}\z/s,
        "$name: key");
    like(get($port, '/keys/vip/7.key'), qr/ 403 (?!.*kkkk)/s,
        "$name: key, no token");
    like(get($port, '/127.0.0.3/keys/vip/7.key'), qr/ 403 (?!.*kkkk)/s,
        "$name: key, no token, old address");
    like(get($port, '/live/none/index.m3u8'), qr/ 404 /, "$name: unknown");
}

# each object once, for all of them

is(scalar($node->requests(qr!/7\.ts$!)), 1, 'segment, one request');
is(scalar($node->requests(qr!\.key$!)), 1, 'key, one request');

# the port for proxies

like(get(8086, '/live/vip/7.ts', undef, '127.0.0.9'), qr/ 403 /, 'not a proxy');

# the edge

Test::Nginx::wait_for(sub { get(8090, '/live/vip/index.m3u8') =~ / 200 / }, 5);

like(get(8090, '/live/vip/index.m3u8'), qr/ 200 .*^7\.ts$/ms, 'edge: playlist');
like(get(8090, '/live/vip/7.ts'), qr/ 200 .*edge\z/s, 'edge: segment');
like(get(8090, '/127.0.0.1/edge/vip/8.ts'), qr/ 200 .*edge\z/s,
    'edge: old address');
like(get(8090, '/edge/vip/9.ts'), qr/ 200 .*edge\z/s, 'edge: its name');
like(get(8090, '/live/vip/1/2.ts'), qr/ 404 /, 'edge: unknown');

# others are as they were

is(scalar($node->requests(qr!/[89]\.ts$!)), 0, 'node: not asked by the edge');
is(scalar($edge->requests(qr!^GET /live!)), 0, 'edge: by its own names only');

$core->down();
like(get(8088, '/live/vip/7.ts'), qr/ 200 /, 'no core');

###############################################################################

sub get {
    my ($port, $uri, $header, $from) = @_;

    return http(join("\x0d\x0a", "GET $uri HTTP/1.1", 'Host: localhost',
        'Connection: close', 'X-Forwarded-For: 198.51.100.7',
        defined $header ? $header : (), '', ''),
        PeerAddr => '127.0.0.1:' . port($port),
        LocalHost => $from || '127.0.0.1') || '';
}

###############################################################################
