#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache_auth: what the configuration test says of it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite stream/);

my $core = 'rtmp_route live { osp_core http://127.0.0.1:1; }';
my $plain = 'rtmp_route live { server 127.0.0.1; }';
my $pass = 'proxy_pass http://127.0.0.1:1;';
my $all = "hls_cache hls; hls_cache_auth osp; rtmp_route live; $pass";

my @refused = (
    # main, server, message
    [$core, 'hls_cache_auth on;', 'invalid value "on"'],
    [$core, 'hls_cache_auth;', 'invalid number of arguments'],
    [$core, 'hls_cache_auth osp; hls_cache_auth osp;', 'is duplicate'],
    [$core, 'hls_cache_auth_fail osp;', 'invalid value "osp"'],
    [$core, "location /a/ { hls_cache hls; hls_cache_auth osp; $pass }",
        '"hls_cache_auth osp" needs "rtmp_route" in location "/a/"'],
    [$core, "location /b/ { hls_cache_auth osp; $pass }",
        '"hls_cache_auth osp" needs "rtmp_route" in location "/b/"'],
    [$core, "hls_cache hls; hls_cache_auth osp; location /c/ { $pass }",
        '"hls_cache_auth osp" needs "rtmp_route" in location "/c/"'],
    [$core, "location /d/ { $all location /d/e/ { rtmp_route off; $pass } }",
        '"hls_cache_auth osp" needs "rtmp_route" in location "/d/e/"'],
    [$plain, "location /f/ { $all }", '"hls_cache_auth osp" in location "/f/" '
        . 'needs a route with "osp_core", which rtmp_route "live" has not'],
    [$plain, "hls_cache_auth osp; location /g/ { rtmp_route live; $pass }",
        '"hls_cache_auth osp" in location "/g/" needs a route with "osp_core"'],
    ['rtmp_route live { osp_core http://127.0.0.1:1 zone=1k; }', '',
        'invalid parameter "zone=1k"'],
    ['rtmp_route live { osp_core http://127.0.0.1:1 zone=x; }', '',
        'invalid parameter "zone=x"'],
);

my @accepted = (
    [$core, "location / { $all }"],
    [$core, "hls_cache_auth osp; location / { hls_cache hls; rtmp_route live; "
        . "$pass } location /status { return 200; } location /static { }"],
    [$core, "location / { hls_cache_auth osp; rtmp_route live; $pass }"],
    [$plain, "location / { hls_cache hls; rtmp_route live; $pass }"],
    ['rtmp_route live { osp_core http://127.0.0.1:1 zone=64k; }', ''],
);

$t->plan(@refused + @accepted + 2);

###############################################################################

for my $case (@refused) {
    my ($rc, $out) = check($t, @$case[0, 1]);
    like($out, qr/\Q$case->[2]\E/, $case->[2]);
}

for my $i (0 .. $#accepted) {
    my ($rc, $out) = check($t, @{$accepted[$i]});
    is($rc, 0, "accepted $i") or diag($out);
}

my ($rc, $out) = check($t, 'rtmp_route live { }', "location / { $all }",
    'osp_core http://127.0.0.1:1 route=live;');
is($rc, 0, 'osp_core of stream{}') or diag($out);

($rc, $out) = check($t,
    'rtmp_route live { server 127.0.0.1; } rtmp_route core { }',
    "location / { $all }", 'osp_core http://127.0.0.1:1 route=core;');
like($out, qr/needs a route with "osp_core"/, 'osp_core of another route');

###############################################################################

sub check {
    my ($t, $main, $server, $stream) = @_;

    $stream = '' unless defined $stream;

    $t->write_file_expand('nginx.conf', <<"EOF");

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;

    server {
        listen 127.0.0.1:8080;
        $server
    }
}

stream {
    $stream
}

$main

EOF

    my $dir = $t->testdir();
    my $out = `$Test::Nginx::NGINX -t -p $dir/ -c nginx.conf -e stderr 2>&1`;

    return ($? >> 8, $out);
}

###############################################################################
