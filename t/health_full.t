#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for health_check when the worker has no connections left.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(4);

$t->{_ignore_alerts} = qr/worker_connections are not enough/;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
    worker_connections 24;
}

rtmp_route live {
    zone          live 256k;
    server        127.0.0.1:8081;
    health_check  interval=100ms type=rtmp;
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

rtmp_origin($t, port(8081));

$t->run();

###############################################################################

ok(wait_until(sub { checks() > 2 }), 'checked');

# until one is refused

my (@c, $n);

for (1 .. 40) {
    my $c = IO::Socket::INET->new('127.0.0.1:' . port(8080)) or last;
    print $c "GET / HTTP/1.1\n";
    push @c, $c;
    select(undef, undef, undef, 0.02);
    last if wait_until(sub { alerts() }, 0.01);
}

ok(wait_until(sub { alerts() }), 'no connections left');

# checks do not try to get one, again and again

select(undef, undef, undef, 0.5);
$n = alerts();
select(undef, undef, undef, 2);
is(alerts(), $n, 'not more of that');

@c = ();
ok(wait_until(sub {
    my $n = checks();
    return $n && wait_until(sub { checks() > $n }, 2);
}), 'checks go on');

###############################################################################

sub checks {
    return ((servers('live'))[0] || {})->{health_checks}{checks} || 0;
}

sub alerts {
    my @lines = $t->read_file('error.log') =~ /connections are not enough/g;
    return scalar(@lines);
}

###############################################################################
