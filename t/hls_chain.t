#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache in front of another one: what the first adds to names of
# a broadcast that begins again, the second hands on.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy hls_cache/)->plan(17);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone edge 16m;
    hls_cache_zone mid  16m;

    add_header X-Status $hls_cache_status always;

    server {
        listen       127.0.0.1:8080;
        server_name  edge;

        hls_cache        edge;
        hls_cache_valid  playlist 100ms;

        location / {
            proxy_pass  http://127.0.0.1:8082;
        }

        location /own/ {
            proxy_pass  http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  mid;

        location / {
            hls_cache        mid;
            hls_cache_valid  playlist 100ms;
            proxy_pass       http://127.0.0.1:8081;
        }
    }
}

EOC

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($p, $r, @segments);

$o->live('cam', initial => 1);

for my $broadcast (0 .. 3) {

    $o->restart('cam') if $broadcast;

    for my $n (0 .. 2) {
        $o->advance('cam') if $n;

        @segments = ();

        hls_wait(sub {
            $p = hls_parse(hls_get('/live/cam/index.m3u8')->{body}) || {};
            @segments = @{$p->{segments} || []};
            return @segments
                && $segments[-1]{sequence} == 3 * $broadcast + $n;
        }, 3);

        $r = hls_get("/live/cam/$segments[-1]{uri}");
        is($r->{body} eq hls_segment('cam', '', $broadcast, $n) ? 'right'
            : "$segments[-1]{uri} $r->{status}", 'right',
            "broadcast $broadcast, segment $n");
    }
}

is(join(' ', map { $_->{uri} } $o->requests(qr/g=/)), '',
    'the origin knows nothing of it');

# one that is not listed is not asked for by a name that somebody has made up

$o->set('/own/1.ts', size => 1000);
hls_get('/own/1.ts?g=7&g=8');
hls_get('/own/2.ts?g=7');
is(join(' ', map { $_->{uri} } $o->requests(qr!/own/!)),
    '/own/1.ts /own/2.ts', 'invented');
$o->forget();

# both have begun anew

$o->set('/own/2.ts', size => 1000);
$o->set('/own/c.m3u8', body => list(10, '1.ts?g=4', '2.ts?g=4'));
hls_get('/own/c.m3u8');
hls_get("/own/$_.ts?g=4") for 1, 2;
$o->set('/own/c.m3u8', body => list(0, '1.ts?g=5'));
ok(hls_wait(sub {
    hls_get('/own/c.m3u8')->{body} =~ /^1\.ts\?g=5&g=1$/m
}, 3), 'two of them in a name');
hls_get('/own/1.ts?g=5&g=1');
is(join(' ', map { $_->{uri} } $o->requests(qr!/own/.*ts!)),
    '/own/1.ts?g=4 /own/2.ts?g=4 /own/1.ts?g=5', 'without its own');
is($o->set('/own/1.ts?g=5', size => 1)
    && hls_get('/own/1.ts?g=5&g=1')->{headers}{'x-status'}, 'HIT', 'cached');

###############################################################################

sub list {
    my ($first, @uris) = @_;

    return join("\n", '#EXTM3U', '#EXT-X-TARGETDURATION:1',
        "#EXT-X-MEDIA-SEQUENCE:$first", map { ('#EXTINF:1,', $_) } @uris)
        . "\n";
}

###############################################################################
