#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with playlists that name hosts: servers of the route
# become paths, others are left alone and never asked.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(14);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1 http=%%PORT_8081%%;
    server  localhost http=%%PORT_8083%% down;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    upstream origin {
        rtmp_route  live http;
    }

    server {
        listen 127.0.0.1:8080;

        hls_cache           hls;
        hls_cache_prefetch  2;

        location / {
            rtmp_route  live;
            proxy_pass  http://origin;
        }

        location /plain/ {
            proxy_pass  http://127.0.0.1:8081;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));
my $other = hls_origin($t, port(8082));

my ($p1, $p2, $p3) = map { port($_) } 8081, 8082, 8083;

$t->run();

###############################################################################

my ($r, $p);

# its own server, by address

$o->live('cam1', prefix => "http://127.0.0.1:$p1/live/cam1/");
$p = uris('/live/cam1/index.m3u8');
is($p, join(' ', map { "/live/cam1/$_.ts" } 0 .. 5), 'a path');

$r = hls_get('/live/cam1/3.ts');
ok($r->{body} eq hls_segment('cam1', '', 0, 3), 'that is served');

# another server of the route, by name, with arguments

$o->set('/live/a/index.m3u8', body => list("http://localhost:$p3/live/a/1.ts?x",
    "http://LocalHost:$p3/live/a/2.ts"));
is(uris('/live/a/index.m3u8'), '/live/a/1.ts?x /live/a/2.ts', 'another');

# what is not a server of it: another port, another host, a name like one

my @hosts = ("127.0.0.1:$p2", '127.0.0.1', "127.0.0.2:$p1",
    'cdn.example.com', "127.0.0.1.example.com:$p1", "user\@127.0.0.1:$p1");

for my $n (0 .. $#hosts) {
    my $uri = "http://$hosts[$n]/live/b$n/1.ts";

    $o->set("/live/b$n/index.m3u8", body => list($uri));
    is(uris("/live/b$n/index.m3u8"), $uri, "not $hosts[$n]");
}

is($other->count(), 0, 'nobody else is asked');

# in attributes, and in a master playlist

$o->set('/live/c.m3u8', body => join("\n", '#EXTM3U',
    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\","
        . "URI=\"http://127.0.0.1:$p1/live/c/a.m3u8\"",
    '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"',
    "http://127.0.0.1:$p1/live/c/v.m3u8", ''));
$r = hls_get('/live/c.m3u8');
like($r->{body}, qr!URI="/live/c/a\.m3u8"!, 'attribute');
like($r->{body}, qr!^/live/c/v\.m3u8$!m, 'variant');

# without a route there are no servers

$o->live('cam1', base => '/plain',
    prefix => "http://127.0.0.1:$p1/plain/cam1/");
like(uris('/plain/cam1/index.m3u8'), qr!^http://127!, 'no route');
is($o->count(qr!plain.*ts!), 0, 'not fetched ahead');

###############################################################################

sub uris {
    return hls_uris(hls_get(@_)->{body});
}

sub list {
    return join("\n", '#EXTM3U', '#EXT-X-TARGETDURATION:1',
        map { ("#EXTINF:1,", $_) } @_) . "\n";
}

###############################################################################
