#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "rtmp_route NAME push": streams that move to another server, as a
# registration or a health check says.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

need_register($t)->plan(9)->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone          live 1m;
    register      open allow=127.0.0.0/8;
    health_check  interval=1s fails=1 timeout=1s type=rtmp;
}

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:%%PORT_8081%%;

        application live {
            live on;
            rtmp_route live push;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF_CONF

my %origin = map { $_ => register_origin($t, $_, <<"EOF_CONF") }
rtmp {
    server {
        listen 127.0.0.1:%%PORT_@{[$_ eq 'a' ? 8082 : 8083]}%%;

        application live {
            live on;
        }
    }
}
EOF_CONF
    qw/ a b /;

$t->run();

###############################################################################

ok(lists('a'), 'registered');

my $c = rtmp_publish(port(8081), 'live', 'one');
ok(at('a'), 'pushed');

# a registration that lists it

ok(lists('b', '/live/one'), 'another server lists it');
ok(at('b'), 'moved');
ok(wait_until(sub { $origin{a}->log() =~ /deleteStream/ }), 'left the first');
is(scalar(sessions('live')), 1, 'one session');

# a server that hangs

my @workers = $origin{b}->workers();

kill 'STOP', @workers;
ok(at('a', 15), 'moved from a server that hangs');
kill 'CONT', @workers;

ok($c->write_raw(''), 'publisher is there');
ok(wait_until(sub { 1 == sessions('live') }), 'one session again');

###############################################################################

sub lists {
    my ($id, @streams) = @_;

    return request('POST', '/api/v1/srs/register?route=live', encode_json({
        ip => '127.0.0.1', server => $id, service => 's', pid => '1',
        rtmp => ['' . port($id eq 'a' ? 8082 : 8083)], @streams
            ? (streams => [ map { { name => $_, publishers => 1 } } @streams ])
            : () })) =~ /^HTTP\S+ 200 /;
}

sub at {
    my ($id, $timeout) = @_;

    return wait_until(sub {
        grep { $_->{stream} eq 'live/one' && $_->{server} eq $id
            && $_->{state} eq 'relay' } sessions('live');
    }, $timeout);
}

###############################################################################
