#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names with several addresses in a zone that has no room for the new
# ones until the old ones are removed.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(5);
my $dns = port(8980, udp => 1);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 1;

events {
}

rtmp_route live {
    zone      live 128k;
    resolver  127.0.0.1:$dns ipv6=off;

    server    pods.example.com;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

EOF_CONF

# the answer that there is no room for is good for an hour

names(1, 1);
$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

ok(wait_until(sub { 5 == up(1) }, 15), 'all are there');

names(2, 3600);

ok(wait_until(sub { up(2) }, 10), 'changed');
cmp_ok(up(2), '<', 5, 'not all at once, the zone has no room for them');
ok(wait_until(sub { 5 == up(2) }, 30), 'as soon as there is');

is(() = $t->read_file('error.log') =~ /zone is full/g, 1, 'logged once');

###############################################################################

sub names {
    my ($net, $ttl) = @_;

    write_names($t, 'pods.example.com' =>
        { ttl => $ttl, addrs => [map { "10.0.$net.$_" } 1 .. 5] });
}

sub up {
    my ($net) = @_;

    return scalar(grep { $_->{id} =~ /#10\.0\.$net\./ && $_->{state} eq 'up' }
        servers('live'));
}

###############################################################################
