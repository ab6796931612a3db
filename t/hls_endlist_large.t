#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: large playlists that get an end once they have failed.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(4);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    add_header X-Status $hls_cache_status always;

    server {
        listen 127.0.0.1:8080;

        hls_cache               hls;
        hls_cache_endlist       1s;
        hls_cache_fill_timeout  4s;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOC

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

# compressed in steps, while the answer that has failed comes to its end

my $list = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"
    . "#EXT-X-MEDIA-SEQUENCE:0\n"
    . join('', map { "#EXTINF:1.000,\nsegment-of-a-long-name-$_.ts\n" }
        1 .. 6000);

my %error = (empty => '', page => 'x' x 1000);

for my $name (sort keys %error) {
    $o->set("/$name.m3u8", status => 200, body => $list);
    is(hls_get("/$name.m3u8")->{status}, 200, "$name: a large playlist");
    $o->set("/$name.m3u8", status => 404, body => $error{$name});
}

sleep(1.2);

for my $name (sort keys %error) {
    ok(hls_wait(sub {
        my $r = hls_get("/$name.m3u8");
        return $r->{status} == 200
            && $r->{body} =~ /#EXT-X-ENDLIST\n\z/;
    }, 3), "$name: an end");
}

###############################################################################
