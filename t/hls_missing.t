#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: what a playlist lists and the origin does not have.

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

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(5);

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

    server {
        listen 127.0.0.1:8080;

        hls_cache hls;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my $r;

# what the newest playlist lists is not missing: it is asked for again

$o->live('list', missing => [5]);
hls_get('/live/list/index.m3u8');
$r = hls_get('/live/list/5.ts');
is($r->{status}, 503, 'listed, but missing');
is($r->{headers}{'retry-after'}, 1, 'Retry-After');
is($o->count('/live/list/5.ts'), 3, 'asked for again');

$o->change('list', missing => []);
sleep(0.3);
is(hls_get('/live/list/5.ts')->{status}, 200, 'there it is');

# it comes while it is waited for

$o->set('/live/list/4.ts', { status => 404 }, { size => 1000 });
$r = hls_get('/live/list/4.ts');
is("$r->{status} $r->{length}", '200 1000', 'listed, and late');

###############################################################################
