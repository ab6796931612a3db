#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the rtmp_route block: what the configuration test says of it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

my @refused = (
    # block, message
    ['rtmp_route live { }  rtmp_route live { }',
        'duplicate rtmp_route "live"'],
    ['rtmp_route a/b { }', 'invalid route name "a/b"'],
    ['rtmp_route live { server 127.0.0.1; bogus on; }',
        'unknown directive "bogus"'],
    ['rtmp_route live { listen 80; }', '"listen" directive is not allowed'],
    ['rtmp_route live { zone live 1k; }', 'zone "live" is too small'],
    ['rtmp_route live { zone live 16x; }', 'invalid zone size "16x"'],
    ['rtmp_route live { zone live 1m; zone live 1m; }',
        '"zone" directive is duplicate'],
    ['rtmp_route a { zone z 1m; } rtmp_route b { zone z 1m; }',
        'zone "z" is already used by another route'],
    ['rtmp_route live { key name; }', 'invalid key "name"'],
    ['rtmp_route live { key stream hidden; }', 'invalid parameter "hidden"'],
    ['rtmp_route live { hash $remote_addr; }', 'invalid parameter'],
    ['rtmp_route live { unknown maybe; }', 'invalid parameter "maybe"'],
    ['rtmp_route live { unknown wait=; }', 'invalid parameter "wait="'],
    ['rtmp_route live { inactive soon; }', '"inactive" directive invalid'],
    ['rtmp_route live { server 127.0.0.1 rtmp=0; }',
        'invalid parameter "rtmp=0"'],
    ['rtmp_route live { server 127.0.0.1 rtmp=70000; }',
        'invalid parameter "rtmp=70000"'],
    ['rtmp_route live { server 127.0.0.1 rtmp=1,2,3,4,5; }',
        'invalid parameter "rtmp=1,2,3,4,5"'],
    ['rtmp_route live { server 127.0.0.1:1935 rtmp=1936; }',
        'mutually exclusive'],
    ['rtmp_route live { server 127.0.0.1:x; }', 'invalid port'],
    ['rtmp_route live { server "a b"; }', 'invalid server name "a b"'],
    ['rtmp_route live { server 127.0.0.1 weight=0; }',
        'invalid parameter "weight=0"'],
    ['rtmp_route live { server 127.0.0.1 proxy_protocol=v3; }',
        'invalid parameter "proxy_protocol=v3"'],
    ['rtmp_route live { server 127.0.0.1; server 127.0.0.1; '
        . 'server 127.0.0.1; }', 'duplicate server "127.0.0.1"'],
    ['rtmp_route live { register; }', 'invalid number of arguments'],
    ['rtmp_route live { register timeout=30s; }',
        '"register" needs "token=" or "from="'],
    ['rtmp_route live { register token=; }', 'empty token'],
    ['rtmp_route live { register token=file:absent; }', 'absent" failed'],
    ['rtmp_route live { register token=file:empty; }', 'no token in file'],
    ['rtmp_route live { register open from=nobody; }',
        'invalid parameter "from=nobody"'],
    ['rtmp_route live { register open allow=10.0.0.0/99; }',
        'invalid parameter "allow=10.0.0.0/99"'],
    ['rtmp_route live { register open ports=9-1; }',
        'invalid parameter "ports=9-1"'],
    ['rtmp_route live { register open timeout=0; }',
        'invalid parameter "timeout=0"'],
    ['rtmp_route live { register open; register open; }',
        '"register" directive is duplicate'],
);

my @warned = (
    ['rtmp_route live { }', 'only the API can add servers'],
    ['rtmp_route live { server 127.0.0.1; random; least_conn; }',
        'load balancing method redefined'],
    ['rtmp_route live { register from=10.0.0.1/8; }', 'low address bits'],
    ['rtmp_route live { server origin.invalid; }',
        'host not found in server "origin.invalid"'],
);

my @accepted = (
    'rtmp_route live { zone live 64k; key stream; register token=a token=b '
        . 'from=10.0.0.0/8 from=::1 allow=10.0.0.0/8 ports=1935-1940,8080 '
        . 'streams=off timeout=1m; unknown wait=5s; inactive 1m; random; '
        . 'resolver 127.0.0.1; resolver_timeout 1s; server 10.0.0.11 '
        . 'rtmp=1935,1936 rtmps=443 http=80 https=443 api=1985 srt=10080 '
        . 'rtc=8000 weight=2 max_conns=5 max_streams=6 max_fails=3 '
        . 'fail_timeout=30s proxy_protocol=v1 backup; server [::1]:1935 down; '
        . 'server 10.0.0.11 rtmp=1999; server origin-b.example.com drain; }',
    'rtmp_route live { key vhost/app/stream secret; register open; }',
    'rtmp_route live { register token=file:tokens; }',
    '',
);

$t->plan(@refused + 2 * @warned + @accepted + 1);

$t->write_file('empty', "\n \n");
$t->write_file('tokens', "one\ntwo\n");

###############################################################################

for my $case (@refused) {
    my ($rc, $out) = check($t, $case->[0]);
    like($out, qr/\Q$case->[1]\E/, "$case->[1]");
}

for my $case (@warned) {
    my ($rc, $out) = check($t, $case->[0]);
    like($out, qr/\[warn\].*\Q$case->[1]\E/, "warning: $case->[1]");
    is($rc, 0, "only a warning: $case->[1]");
}

for my $i (0 .. $#accepted) {
    my ($rc, $out) = check($t, $accepted[$i]);
    is($rc, 0, "accepted $i") or diag($out);
}

# named where it is used, but nowhere defined

my ($rc, $out) = check($t, '', 'upstream u { rtmp_route absent http; }');
like($out, qr/rtmp_route "absent" is not defined in \S+:\d+/, 'not defined');

###############################################################################

sub check {
    my ($t, $main, $http) = @_;

    $http //= '';

    $t->write_file_expand('nginx.conf', <<EOF);

%%TEST_GLOBALS%%

$main

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
    $http
}

EOF

    my $dir = $t->testdir();
    my $out = `$Test::Nginx::NGINX -t -p $dir/ -c nginx.conf -e stderr 2>&1`;

    return ($? >> 8, $out);
}

###############################################################################
