#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "path" in rtmp_route { }: what the configuration test says of it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/pcre/);

my @refused = (
    # arguments, message
    ['', 'invalid number of arguments in "path"'],
    ['""', 'empty pattern'],
    ['~ ""', 'empty pattern'],
    ['~', 'empty pattern'],
    ['~*', 'empty pattern'],
    ['live', 'prefix "live" does not begin with "/"'],
    ['~ "^/live/("', 'missing'],
    ['~ "^/live/[a"', 'in "^/live/[a"'],
    ['~ ^/hls/([^/.]+)$ stream=live/$2',
        'no capture "$2" for "live/$2" in "^/hls/([^/.]+)$", which has 1'],
    ['~ ^/(a)(b) stream=live/$3', 'no capture "$3"'],
    ['~ ^/(a)(b) stream=live/$0', 'no capture "$0"'],
    ['~ ^/(a)(b) stream=live/$', 'no capture "$"'],
    ['~ ^/(a)(b) stream=live/${1', 'no capture "${1"'],
    ['~ ^/(a)(b) to=/live/${10}', 'no capture "${10}"'],
    ['~ ^/(?<name>a) to=/live/$nam', 'no capture "$nam"'],
    ['~ ^/(?<name>a) to=/live/$names', 'no capture "$names"'],
    ['~ ^/a to=/live/$1', 'which has 0'],
    ['/live stream=$1', 'a prefix has no captures'],
    ['/live to=/edge/$1', 'a prefix has no captures'],
    ['/live to=edge', '"to=edge" is not a path'],
    ['/live to=http://edge', '"to=http://edge" is not a path'],
    ['/live to=/edge?a=b', '"to=/edge?a=b" is not a path: it has arguments'],
    ['/live "to=/ed' . "\t" . 'ge"', 'control characters'],
    ['/live to=', 'empty parameter "to="'],
    ['/live stream=', 'empty parameter "stream="'],
    ['/live servers=', 'empty parameter "servers="'],
    ['/live servers=a,,b', 'invalid server "" in "servers=a,,b"'],
    ['/live servers=a,', 'invalid server ""'],
    ['/live servers=,', 'invalid server ""'],
    ['/live servers=a,b,a', 'duplicate server "a" in "servers=a,b,a"'],
    ['/live servers=' . 'x' x 129, 'invalid server "x'],
    ['/live servers=' . join(',', 1 .. 17), 'more than 16 servers'],
    ['/live args=maybe', 'invalid parameter "args=maybe"'],
    ['/live args=', 'empty parameter "args="'],
    ['/live args=on args=off', 'duplicate parameter "args=off"'],
    ['/live to=/a to=/b', 'duplicate parameter "to=/b"'],
    ['/live stream=a stream=b', 'duplicate parameter "stream=b"'],
    ['/live servers=a servers=b', 'duplicate parameter "servers=b"'],
    ['/live edge', 'invalid parameter "edge"'],
    ['/live server=a', 'invalid parameter "server=a"'],
    ['~ ^/live ^/edge', 'invalid parameter "^/edge"'],
    ['/live; path /live to=/edge', 'duplicate path "/live"'],
    ['~ ^/live; path ~ ^/live', 'duplicate path "^/live"'],
    ['~ "' . '(a)' x 33 . '"', 'more than 32 groups'],
);

my @warned = (
    ['/live; path /live/cam1 to=/edge',
        'path "/live/cam1" is never used, "/live" before it'],
    ['/; path /live to=/edge', 'path "/live" is never used'],
    ['/; path ~* cam', 'path "cam" is never used'],
    ['/live; path ~ ^/live/([0-9]+)$ to=/edge/$1', 'is never used'],
    ['/live/ to=/edge', 'path "/live/" ends with "/", and what stands'],
    ['/live/ stream=edge', 'path "/live/" ends with "/", and what stands'],
    ['/live servers=nobody', 'server "nobody" of path "/live" is not known'],
    ['/live servers=10.0.0.11,10.0.0.1', 'server "10.0.0.1" of path'],
);

my @accepted = (
    '/',
    '/live',
    '/live to=/edge',
    '/live/ to=/',
    '/live/ stream=x/ to=/edge/ servers=10.0.0.11,10.0.0.12 args=off',
    '~ ^/hls/([^/.]+) stream=live/$1',
    '~^/hls/([^/.]+) stream=live/$1',
    '~* ^/HLS/([^/.]+) stream=live/$1',
    '~*^/HLS/([^/.]+) stream=live/$1',
    '~ ^/(.+)$ to=$1',
    '~ "^/cam([0-9]{2})$" "to=/live/cam${1}_720p"',
    '~ ^/(?<app>[^/]+)/(?P<name>[^/.]+) to=/$app/x-${name}/$1$2',
    '~ ^/(a)(b)(c)(d)(e)(f)(g)(h)(i)(j) to=/${10}/$10',
    '~ "(*UTF8)^/caf\x{c3}\x{a9}/(.)" to=/$1',
    '"/with space/" "to=/other space/"',
    '/live/cam1 to=/edge; path /live to=/x; path ~ ^/l to=/y',
    '~ ^/live/?x; path /live/',
    '/live/; path ~ ^/live/? to=/y',
    '/live; path ~ ^/live|^/edge to=/y',
    '/live; path ~* ^/live to=/y',
    '/live; path ~ /live to=/y',
    '~ ^/live; path ~* ^/live to=/y',
    '/a/live to=/b/live; path /b/live to=/a/live',
);

$t->plan(@refused + 2 * @warned + 2 * @accepted);

###############################################################################

for my $case (@refused) {
    my ($rc, $out) = check($case->[0]);
    like($out, qr/\[emerg\].*\Q$case->[1]\E/, "refused: path $case->[0]");
}

for my $case (@warned) {
    my ($rc, $out) = check($case->[0]);
    like($out, qr/\[warn\].*\Q$case->[1]\E/, "warning: path $case->[0]");
    is($rc, 0, 'only a warning');
}

for my $case (@accepted) {
    my ($rc, $out) = check($case);
    is($rc, 0, "accepted: path $case") or diag($out);
    unlike($out, qr{\[warn\]}, 'without a warning');
}

###############################################################################

sub check {
    my ($path) = @_;

    $t->write_file_expand('nginx.conf', <<EOF);

%%TEST_GLOBALS%%

rtmp_route live {
    server  10.0.0.11;
    server  10.0.0.12;
    path    $path;
}

events {
}

EOF

    my $dir = $t->testdir();
    my $out = `$Test::Nginx::NGINX -t -p $dir/ -c nginx.conf -e stderr 2>&1`;

    return ($? >> 8, $out);
}

###############################################################################
