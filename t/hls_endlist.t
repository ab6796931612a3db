#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: streams that stand still, and hls_cache_endlist.

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

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(10);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    add_header X-Status $hls_cache_status always;
    add_header X-Age $hls_cache_age always;

    server {
        listen 127.0.0.1:8080;

        hls_cache hls;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /end/ {
            proxy_pass         http://127.0.0.1:8081;
            hls_cache_endlist  2s;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($r, $start);

# a stream that does not advance is stale, its age goes on

$o->live('frozen', auto => 1);
hls_get('/live/frozen/index.m3u8');
$o->change('frozen', frozen => 1);
$start = time();

while (time() - $start < 4.6) {
    $r = hls_get('/live/frozen/index.m3u8');
    sleep(0.1);
}

is("$r->{status} $r->{headers}{'x-status'}", '200 STALE', 'frozen');
cmp_ok($r->{headers}{'x-age'}, '>=', 3, 'its age');
unlike($r->{body}, qr/ENDLIST/, 'no end');

$o->change('frozen', frozen => 0);
ok(hls_wait(sub { status('/live/frozen/index.m3u8') eq '200 HIT' }, 3),
    'goes on');

# hls_cache_endlist

$o->live('a', base => '/end');
$o->live('b', base => '/end');
hls_get("/end/$_/index.m3u8") for qw/ a b /;
sleep(1);
unlike(hls_get("/end/$_/index.m3u8")->{body}, qr/ENDLIST/, "$_: no end yet")
    for qw/ a b /;
$o->change('b', gone => 404);
sleep(1.4);
hls_get("/end/$_/index.m3u8") for qw/ a b /;
sleep(0.3);
hls_get("/end/$_/index.m3u8") for qw/ a b /;
sleep(0.2);
like(hls_get("/end/$_/index.m3u8")->{body}, qr/\n#EXT-X-ENDLIST\n\z/,
    "$_: an end") for qw/ a b /;

$o->advance('a');
sleep(0.7);
hls_get('/end/a/index.m3u8');
sleep(0.3);
$r = hls_get('/end/a/index.m3u8');
unlike($r->{body}, qr/ENDLIST/, 'it goes on');
like($r->{body}, qr/^6\.ts$/m, 'with the next segment');

###############################################################################

sub status {
    my $r = hls_get(@_);

    return "$r->{status} $r->{headers}{'x-status'}";
}

###############################################################################
