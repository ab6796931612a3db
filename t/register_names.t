#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_register with a proxy that has a name, which is looked
# up again and again, and with addresses that a proxy could not reach.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

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

need_register($t)->plan(12);

my $dns = port(8980, udp => 1);

write_names($t, 'proxy.example.com' => ['127.0.0.2']);

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');

my %proxies = map { $_ => httpd($t, port(8090), sub {
    return http_response(200, '{"code":0,"pid":"1"}');
}, host => "127.0.0.$_", file => $t->testdir() . "/httpd$_.log") } 2 .. 3;

###############################################################################

my $url = 'http://proxy.example.com:' . port(8090);

my $o = register_origin($t, 'origin', <<"EOF_CONF");
rtmp {
    rtmp_route_register $url/ interval=1s id=a resolver=127.0.0.1:$dns;
    rtmp_route_register http://127.0.0.2:%%PORT_8090%%/b id=b ip=10.0.0.9;

    server {
        listen 127.0.0.5:%%PORT_8081%%;
        listen %%PORT_8082%%;

        application live {
            live on;
        }
    }

    server {
        listen [::1]:%%PORT_8083%% ipv6only=on;

        rtmp_route_register http://127.0.0.2:%%PORT_8090%%/c id=c;
        rtmp_route_register http://127.0.0.2:%%PORT_8090%%/d id=d ip=10.0.0.9;

        application live {
            live on;
        }
    }
}
EOF_CONF

ok(asked(2, '/'), 'found by its name');
is((grep { $_->{uri} eq '/' } $proxies{2}->requests())[0]{headers}{host},
    'proxy.example.com:' . port(8090), 'host');
is(rtmp(2, '/'), "127.0.0.1 127.0.0.5:@{[port(8081)]} @{[port(8082)]}",
    'local addresses for a local proxy');

write_names($t, 'proxy.example.com' => ['127.0.0.3']);

ok(asked(3, '/'), 'followed to another address');

write_names($t, 'proxy.example.com' => { rcode => 2 });

my $n = $proxies{3}->requests();

ok(wait_until(sub { $proxies{3}->requests() > $n + 2 }, 15),
    'the last address does when there is no answer');

write_names($t, 'proxy.example.com' => ['127.0.0.2']);
$n = $proxies{2}->requests();

ok(wait_until(sub { $proxies{2}->requests() > $n }, 15), 'back again');

# who is behind NAT tells an address, and what is local is of no use then

ok(asked(2, '/b'), 'with an address');
is(rtmp(2, '/b'), '10.0.0.9 ' . port(8082), 'no local address');

ok(asked(2, '/c'), 'IPv6');
is(rtmp(2, '/c'), '::1 [::1]:' . port(8083), 'address of the listen');

like($o->log(), qr!/d" failed: no address of a "listen"!,
    'nothing to be told');
is(() = $o->log() =~ m!http://proxy\S+" failed!g, 0, 'no failures');

###############################################################################

sub asked {
    my ($n, $uri) = @_;

    return wait_until(sub {
        return grep { $_->{uri} eq $uri } $proxies{$n}->requests();
    }, 15);
}

sub rtmp {
    my ($n, $uri) = @_;
    my ($r) = grep { $_->{uri} eq $uri } $proxies{$n}->requests();
    my $body = decode_json($r->{body});

    return "$body->{ip} @{$body->{rtmp}}";
}

###############################################################################
