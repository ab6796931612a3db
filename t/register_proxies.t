#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_register with proxies that have several addresses, and
# when they are told what has changed.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::HTTPD;
use Test::Nginx::Register;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new();

plan(skip_all => 'no IPv6') unless Test::Nginx::has_ipv6();

need_register($t)->plan(6);

my $dns = port(8980, udp => 1);

write_names($t, 'proxy.example.com' => ['127.0.0.2', '::1']);

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');

my ($v4, $v6) = map { proxy($_) } '127.0.0.2', '::1';

###############################################################################

# a name has addresses of both families, and an origin listens at one of them

my $url = 'http://proxy.example.com:' . port(8090);
my $more = "interval=1s resolver=127.0.0.1:$dns";

my $o = register_origin($t, 'origin', <<"EOF_CONF");
rtmp {
    rtmp_route_register http://127.0.0.2:%%PORT_8090%%/ interval=1s id=often;

    server {
        listen %%PORT_8081%%;

        application live {
            live on;
        }
    }

    server {
        listen 0.0.0.0:%%PORT_8082%%;

        rtmp_route_register $url/ $more id=v4;
    }

    server {
        listen [::]:%%PORT_8083%% ipv6only=on;

        rtmp_route_register $url/ $more id=v6;
    }

    server {
        listen [::]:%%PORT_8084%% ipv6only=on;

        rtmp_route_register http://127.0.0.2:%%PORT_8090%%/ id=none;
    }
}
EOF_CONF

ok(wait_until(sub { ids($v4) =~ /v4/ && ids($v6) =~ /v6/ }), 'registered');

# one of them does not answer for some time

$v4->stop();
ok(wait_until(sub { $o->log() =~ /registration .* failed: .*refused/ }, 10),
    'no answer');
sleep 1;

$v4 = proxy('127.0.0.2');
my $n = $v4->requests();

ok(wait_until(sub {
    my @all = $v4->requests();
    return grep { $_->{body} =~ /"v4"/ } @all[$n .. $#all];
}, 10), 'there again');

is(ids($v4) . ' ' . ids($v6), 'often v4 v6', 'where they can be reached');
is(() = $o->log() =~ /failed: no address of a "listen"/g, 1,
    'who can be reached nowhere');

# what has changed is told at once, also shortly before the interval is over

my ($c, $delay, $least);

for my $n (1 .. 10) {
    my $told = often()->{time};

    sleep 0.01 while time() < $told + 0.65;

    $c = rtmp_publish(port(8081), 'live', "s$n");

    my $now = time();

    next unless wait_until(sub { told("/live/s$n") });
    next if $now > $told + 0.75;

    $delay = told("/live/s$n")->{time} - $now;
    note(sprintf('%.0f ms', $delay * 1000));

    $least = $delay if !defined $least || $delay < $least;
    last if $least < 0.1;
}

ok(defined $least && $least < 0.1, 'told at once');

###############################################################################

sub proxy {
    my ($host) = @_;

    return httpd($t, port(8090), sub {
        return http_response(200, '{"code":0,"pid":"1"}');
    }, host => $host, file => $t->testdir() . "/httpd-$host.log");
}

sub ids {
    my ($p) = @_;
    my %ids = map { decode_json($_->{body})->{server} => 1 } $p->requests();

    return join(' ', sort keys %ids);
}

# the next registration, and the first one with a stream

sub often {
    my $n = $v4->requests();
    my $r;

    wait_until(sub {
        my @all = $v4->requests();
        ($r) = grep { $_->{body} =~ /"often"/ } @all[$n .. $#all];
        return $r;
    });

    return $r;
}

sub told {
    my ($name) = @_;

    return (grep { $_->{body} =~ /"often".*"\Q$name\E"/ } $v4->requests())[0];
}

###############################################################################
