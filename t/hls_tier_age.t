#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache behind the HLS cache of another proxy: how old
# playlists are at the end.  What was seen is told by TEST_NGINX_VERBOSE.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(4)
    ->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route origin {
    server 127.0.0.1 http=%%PORT_8081%%;
}

rtmp_route parent {
    server 127.0.0.1 http=%%PORT_8082%%;
}

rtmp_route child {
    server 127.0.0.1 http=%%PORT_8083%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone one   8m;
    hls_cache_zone two   8m;
    hls_cache_zone three 8m;
    hls_cache_zone deaf  8m;

    upstream origin {
        rtmp_route origin http;
    }

    upstream parent {
        rtmp_route parent http;
    }

    upstream child {
        rtmp_route child http;
    }

    server {
        listen       127.0.0.1:8082;
        server_name  parent;

        location / {
            hls_cache  one;
            rtmp_route origin;
            proxy_pass http://origin;
        }

        location /slow/ {
            hls_cache       one;
            hls_cache_valid playlist 3s;
            rtmp_route      origin;
            proxy_pass      http://origin;
        }
    }

    server {
        listen       127.0.0.1:8083;
        server_name  child;

        location / {
            hls_cache  two;
            rtmp_route parent;
            proxy_pass http://parent;
        }

        location /slow/ {
            hls_cache       two;
            hls_cache_valid playlist 3s;
            rtmp_route      parent;
            proxy_pass      http://parent;
        }
    }

    server {
        listen       127.0.0.1:8084;
        server_name  grandchild;

        location / {
            hls_cache  three;
            rtmp_route child;
            proxy_pass http://child;
        }
    }

    # what is not asked is not told

    server {
        listen       127.0.0.1:8085;
        server_name  deaf;

        location / {
            hls_cache  deaf;
            rtmp_route parent;
            proxy_pass http://parent;
            proxy_set_header X-HLS-Age "";
        }

        location /slow/ {
            hls_cache       deaf;
            hls_cache_valid playlist 3s;
            rtmp_route      parent;
            proxy_pass      http://parent;
            proxy_set_header X-HLS-Age "";
        }
    }
}

EOF_CONF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

# a new segment each second, for 12 seconds

$o->live($_, auto => 1, duration => 1) for qw/ cam1 cam2 cam3 /;
$o->live('slow', auto => 1, duration => 1, base => '/slow');

my %ports = (origin => 8081, parent => 8082, child => 8083,
    grandchild => 8084, deaf => 8085);
my %clients = map { $_ => hls_client() } keys %ports;

my (%since, %late);
my $start = time();

while (time() < $start + 12) {

    look('origin', $_) for '/live/cam1', '/live/cam2', '/live/cam3',
        '/slow/slow';

    # nobody else asks those in between

    look('parent', '/live/cam1');
    look('child', '/live/cam2');
    look('grandchild', '/live/cam3');

    # these ask when the answer of the first one is half as old as it gets

    look('parent', '/slow/slow');

    if (time() > $start + 1.5) {
        look('child', '/slow/slow');
        look('deaf', '/slow/slow');
    }

    sleep(0.02);
}

for my $name (sort keys %late) {
    my @late = sort { $a <=> $b } @{$late{$name}};

    $late{$name} = $late[int(@late * 0.99)];

    diag(sprintf('%-22s p50 %.3f p99 %.3f max %.3f, of %d', $name,
        $late[@late / 2], $late{$name}, $late[-1], scalar(@late)))
        if $ENV{TEST_NGINX_VERBOSE};
}

cmp_ok($late{'/live/cam1 parent'}, '<', 1, 'proxy');
cmp_ok($late{'/live/cam2 child'}, '<', 1, 'proxy of a proxy');
cmp_ok($late{'/live/cam3 grandchild'}, '<', 1, 'and of that');

# what is good for 3 seconds there is not so here once more

cmp_ok($late{'/slow/slow child'} - $late{'/slow/slow parent'}, '<', 1,
    'times are not added up');

###############################################################################

# for how long there has been a newer one

sub look {
    my ($name, $base) = @_;
    my ($r, $now, $last);

    $r = hls_get("$base/index.m3u8", port => port($ports{$name}),
        keep => $clients{$name});
    $now = time();

    ($last) = $r->{body} =~ /(\d+)\.ts\s*\z/ or return;

    $since{$base}{$last} ||= $now if $name eq 'origin';

    push @{$late{"$base $name"}},
        $since{$base}{$last + 1} ? $now - $since{$base}{$last + 1} : 0;
}

###############################################################################
