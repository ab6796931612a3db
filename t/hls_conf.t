#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the directives of the HLS cache: what the configuration test says
# of them.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/);

# nginx has no slice by default

my $slice = $t->has_module('http_slice');

my @refused = (
    # http, location, message
    ['hls_cache_zone hls;', '', 'invalid number of arguments'],
    ['hls_cache_zone hls 1x;', '', 'invalid zone size "1x"'],
    ['hls_cache_zone hls 64k;', '', 'zone "hls" is too small'],
    ['hls_cache_zone "" 8m;', '', 'invalid zone name ""'],
    ['hls_cache_zone off 8m;', '', 'invalid zone name "off"'],
    ['hls_cache_zone hls 8m; hls_cache_zone hls 8m;', '',
        'duplicate zone "hls"'],
    ['hls_cache_zone one 8m; limit_req_zone $uri zone=one:1m rate=1r/s;', '',
        'already'],
    ['', 'hls_cache_zone hls 8m;', 'directive is not allowed here'],
    ['', 'hls_cache hls;', '"hls_cache" zone "hls" is unknown'],
    ['hls_cache_zone one 8m;', 'hls_cache hls;',
        '"hls_cache" zone "hls" is unknown'],
    ['hls_cache hls;', 'hls_cache off;', '"hls_cache" zone "hls" is unknown'],
    ['hls_cache_zone hls 8m;', 'hls_cache hls; hls_cache off;',
        '"hls_cache" directive is duplicate'],
    ['hls_cache_zone hls 8m;', 'hls_cache hls 8m;',
        'invalid number of arguments'],

    ['', 'hls_cache_valid;', 'invalid number of arguments'],
    ['', 'hls_cache_valid 200 playlist;', 'invalid time value "playlist"'],
    ['', 'hls_cache_valid 99 1s;', 'invalid status "99"'],
    ['', 'hls_cache_valid 600 1s;', 'invalid status "600"'],
    ['', 'hls_cache_valid lists 1s;', 'invalid status "lists"'],
    ['', 'hls_cache_valid playlist soon;', 'invalid time value "soon"'],
    ['', 'hls_cache_use_stale never;', 'invalid value "never"'],
    ['', 'hls_cache_key $nothing;', 'unknown "nothing" variable'],
    ['', 'hls_cache_key a; hls_cache_key b;', 'is duplicate'],
    ['', 'hls_cache_args a=1;', 'invalid name "a=1"'],
    ['', 'hls_cache_args a off;', 'invalid name "off"'],
    ['', 'hls_cache_args a _HLS_skip;', '"_HLS_skip" is of Low-Latency HLS'],
    ['', 'hls_cache_args a; hls_cache_args b;', 'is duplicate'],
    ['', 'hls_cache_session_args "";', 'invalid name ""'],
    ['', 'hls_cache_variants;', 'invalid number of arguments'],
    ['', 'hls_cache_prefetch much;', 'invalid value'],
    ['', 'hls_cache_prefetch 17;', 'invalid value'],
    ['', 'hls_cache_continuity yes;', 'it must be "on" or "off"'],
    ['', 'hls_cache_endlist never;', 'invalid value'],
    ['', 'hls_cache_endlist 0;', 'invalid value'],
    ['', 'hls_cache_cors example.com;', 'invalid origin "example.com"'],
    ['', 'hls_cache_cors https://example.com/;', 'invalid origin'],
    ['', 'hls_cache_cors * https://example.com/x;', 'invalid origin'],
    ['', 'hls_cache_max_size big;', 'invalid value'],
    ['', 'hls_cache_fill_timeout soon;', 'invalid value'],
    ['', 'hls_cache_fill_timeout 0;', 'value must be'],
    ['', 'hls_cache_max_stale long;', 'invalid value'],
    ['', 'hls_cache_max_stale 0;', 'value must be'],
    ['', 'hls_cache_pass_header Range;', 'header "range" cannot be passed'],
    ['', 'hls_cache_pass_header X-A If-None-Match;',
        'header "if-none-match" cannot be passed'],
    ['', 'hls_cache_honor_headers yes;', 'it must be "on" or "off"'],

    # one that looks for a server and has none to ask

    ['hls_cache_zone hls 8m;', 'hls_cache hls; rtmp_route live;',
        'have no "proxy_pass" beside them in location "/"'],
    $slice ? ['hls_cache_zone hls 8m;', 'hls_cache hls; slice 1m;',
        '"hls_cache" cannot be used together with "slice"'] : (),
    $slice ? ['hls_cache_zone hls 8m; slice 1m; hls_cache hls;', '',
        'cannot be used together with "slice"'] : (),
);

my @accepted = (
    # http, location
    ['hls_cache_zone hls 1m;', 'hls_cache hls;'],
    ['hls_cache hls; hls_cache_zone hls 8m;', ''],
    ['hls_cache_zone hls 8m; hls_cache hls;',
        'hls_cache off; rtmp_route live;'],
    ['hls_cache_zone hls 8m;', 'hls_cache hls; rtmp_route live; '
        . 'proxy_pass http://u;'],
    ['hls_cache_zone hls 8m;', 'hls_cache hls; rtmp_route live; '
        . 'try_files $uri @u; } location @u { proxy_pass http://u;'],
    ['hls_cache_zone hls 8m;', 'hls_cache hls; root /tmp;'],
    ['hls_cache_zone a 8m; hls_cache_zone b 8m; hls_cache a;',
        'hls_cache b;'],
    ['hls_cache_zone hls 8m;', 'hls_cache hls; hls_cache_valid 1s; '
        . 'hls_cache_valid playlist 500ms; hls_cache_valid segment key 1m; '
        . 'hls_cache_valid 404 410 1s; hls_cache_valid any 100ms; '
        . 'hls_cache_use_stale error timeout invalid_header updating http_500 '
        . 'http_502 http_503 http_504 http_403 http_404 http_429; '
        . 'hls_cache_key $host$uri; hls_cache_args a b c; '
        . 'hls_cache_session_args session ctx; '
        . 'hls_cache_variants _480 _720 _src; hls_cache_prefetch 3; '
        . 'hls_cache_continuity off; hls_cache_endlist 1m; '
        . 'hls_cache_cors https://a.example http://b.example:8080 null; '
        . 'hls_cache_max_size 20m; hls_cache_fill_timeout 1500ms; '
        . 'hls_cache_max_stale 1m; '
        . 'hls_cache_bypass $arg_nocache $http_pragma; '
        . 'hls_cache_pass_header Authorization Cookie; '
        . 'hls_cache_pass_header X-Token-Session; '
        . 'hls_cache_honor_headers on;'],
    ['hls_cache_zone hls 8m;', 'hls_cache hls; hls_cache_use_stale off; '
        . 'hls_cache_args off; hls_cache_session_args off; '
        . 'hls_cache_variants off; hls_cache_prefetch on; '
        . 'hls_cache_endlist off; hls_cache_cors *;'],
);

$t->plan(@refused + @accepted + 2);

###############################################################################

for my $case (@refused) {
    my ($rc, $out) = check($t, $case->[0], $case->[1]);
    like($out, qr/\[emerg\].*\Q$case->[2]\E/, "$case->[0] $case->[1]");
}

for my $case (@accepted) {
    my ($rc, $out) = check($t, $case->[0], $case->[1]);
    is($rc, 0, "$case->[0] $case->[1]") or diag($out);
}

# where it is used is said

my ($rc, $out) = check($t, '', "\n\nhls_cache absent;");
like($out, qr/zone "absent" is unknown in \S+nginx\.conf:\d+/, 'where');

# a test takes no more memory than is said, and leaves nothing

($rc, $out) = check($t, 'hls_cache_zone hls 1g;', 'hls_cache hls;');
is($rc, 0, 'a large zone') or diag($out);

###############################################################################

sub check {
    my ($t, $http, $location) = @_;

    $t->write_file_expand('nginx.conf', <<EOF);

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    server 127.0.0.1;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream u {
        rtmp_route live http;
    }

    $http

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            $location
        }
    }
}

EOF

    my $file = $t->testdir() . '/nginx.conf';
    my $dir = $t->testdir() . '/';

    my $out = `$Test::Nginx::NGINX -p $dir -c $file -t -e $dir/test.log 2>&1`;

    return ($?, $out);
}

###############################################################################
