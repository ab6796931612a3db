#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for servers of OSP core that have names, many of them: what a poll
# costs, and that each has what it should have.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant NAMES => 500;

my $t = Test::Nginx->new()->has(qw/http/)->plan(7);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

rtmp_route live {
    zone      live 32m;
    osp_core  http://127.0.0.1:%%PORT_8082%% interval=500ms;
}

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location /api/ { rtmp_route_api; }
    }

    server {
        listen 127.0.0.1:8082;
        root   %%TESTDIR%%;

        location = /apiv1/server/ { rewrite ^ /site break; }
        location = /apiv1/server/rtmp { rewrite ^ /servers break; }
        location = /apiv1/stream/ { rewrite ^ /streams break; }
    }
}

EOF_CONF

write_list('site', { siteAddress => '10.0.0.1', siteProtocol => 'http://' });
write_servers(1 .. NAMES);
write_list('streams', [ map {
    { channelEndpointID => "c$_", rtmpServer => "S$_.example.com" }
} 1 .. NAMES ]);

$t->run();

###############################################################################

ok(wait_for(sub { count() == NAMES }), 'all servers');

my ($polls, $time) = (polls(), cpu());

ok(wait_for(sub { polls() >= $polls + 4 }, 20), 'polls');

my $each = (cpu() - $time) / (polls() - $polls);

diag(sprintf('%.1f ms of CPU for a poll of %d names', $each * 1e3, NAMES))
    if $ENV{TEST_NGINX_VERBOSE};

SKIP: {
    skip 'sanitizers are slow', 1 if $ENV{ASAN_OPTIONS};

    cmp_ok($each, '<', 0.5, 'CPU of a poll');
}

# the first and the last go, one is new

write_servers(2 .. NAMES - 1, 'new');

ok(wait_for(sub { count() == NAMES - 1 }), 'some have gone');

my %ids = map { $_->{id} => 1 } servers('live');

ok($ids{'snew.example.com'}, 'one has come');
ok(!$ids{'s1.example.com'}, 'the first one has gone');
is(scalar(grep { $ids{"s$_.example.com"} } 2 .. NAMES - 1), NAMES - 2,
    'the others are there');

###############################################################################

sub write_list {
    my ($name, $value) = @_;

    $t->write_file("$name.new", encode_json({ results => $value }));
    rename($t->testdir() . "/$name.new", $t->testdir() . "/$name")
        or die "Can't rename: $!\n";
}

# each of them twice

sub write_servers {
    my @names = map { ("s$_.example.com", "S$_.example.com") } @_;

    write_list('servers', [ map { { address => $_ } } @names ]);
}

sub count {
    return (api('GET', 'live') || {})->{servers} || 0;
}

sub polls {
    return scalar(() = $t->read_file('access.log') =~ m!server/rtmp!g);
}

# seconds of the worker

sub cpu {
    my $master = $t->read_file('nginx.pid');
    chomp $master;

    my ($worker) = split(' ', `cat /proc/$master/task/$master/children`);
    my ($ns) = split(' ', `cat /proc/$worker/schedstat`);

    return $ns / 1e9;
}

sub wait_for {
    my ($test, $time) = @_;
    my $end = time() + ($time || 10);

    while (time() < $end) {
        return 1 if $test->();
        sleep 0.1;
    }

    return 0;
}

###############################################################################
