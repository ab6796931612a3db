#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_register while the binary is upgraded.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Register;
use Test::Nginx::RTMP;
use Test::Nginx::State;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new();

# options of sanitizers are for the new binary, too

my $env = join(' ', map { "env $_;" } grep { /^\w+SAN_OPTIONS$/ } keys %ENV);

need_register($t)->plan(9)->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon on;
worker_processes 2;
$env

events {
}

rtmp {
    access_log off;

    rtmp_route_register http://127.0.0.1:%%PORT_8090%%/ interval=1s id=a;

    server {
        listen 127.0.0.1:%%PORT_8081%%;

        application live {
            live on;
        }
    }
}

EOF_CONF

my $p = httpd($t, port(8090), sub {
    return http_response(200, '{"code":0,"pid":"1"}');
});

$t->run();

###############################################################################

my $old = $t->{_master};

ok(wait_until(sub { last_body()->{pid} }), 'registered');
is(last_body()->{pid}, $old, 'old binary');

my $new = upgrade($t, $old);

ok(wait_until(sub { last_body()->{pid} ne $old }, 10), 'new binary');

# by now both have had their time

sleep 1.5;

my $n = $p->requests();

sleep 2.5;

is(join(' ', sort keys %{{ map { $_ => 1 } pids($n) }}), $new,
    'the old one is silent');

# the new one is given up

kill('QUIT', $new);

ok(wait_until(sub { grep { $_->{unregister} } bodies() }, 10), 'it leaves');
ok(wait_until(sub { last_body()->{pid} eq $old }, 10), 'the old one again');

# and another one stays

$new = upgrade($t, $old);
ok(wait_until(sub { last_body()->{pid} ne $old }, 10), 'another new binary');

kill('QUIT', $old);
ok(wait_until(sub { Test::Nginx::process_gone($old) }), 'the old one is gone');
is(scalar(grep { $_->{unregister} && $_->{pid} eq $old } bodies()), 0,
    'without unregistering');

###############################################################################

sub bodies {
    return map { decode_json($_->{body}) } $p->requests();
}

sub last_body {
    my @all = bodies();

    return @all ? $all[-1] : {};
}

sub pids {
    my ($from) = @_;
    my @all = bodies();

    return map { $_->{pid} } @all[$from .. $#all];
}

###############################################################################
