#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for path: who registers is not among the addresses of another server,
# whatever its id.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(4);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone      live 1m;
    register  open allow=127.0.0.0/8;
    server    127.0.0.1:8081;

    path      /x servers=127.0.0.1;
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

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8085;
        osp_upstream live;
    }
}

EOF_CONF

my ($own, $other) = (port(8081), port(8082));

rtmp_origin($t, $own, file => $t->testdir() . '/own.log');
rtmp_origin($t, $other, file => $t->testdir() . '/other.log');

$t->run();

###############################################################################

my $id = (servers('live'))[0]{id};

register($id . '#127.0.0.3', $other);
is(scalar(servers('live')), 2, 'registered');

my @c = map { rtmp_publish(port(8085), 'y', "cam$_") } 1 .. 20;
is(placed(), 2, 'a server as others');
$_->close() for @c;
wait_sessions('live', 0);

@c = map { rtmp_publish(port(8085), 'x', "cam$_") } 1 .. 20;
is(placed(), 1, 'but none of the list');
is(scalar(grep { $_->{code} eq 'NetStream.Publish.Start' } @c), 20,
    'published');

###############################################################################

sub register {
    my ($id, $port) = @_;

    return request('POST', '/api/v1/srs/register', encode_json({
        ip => '127.0.0.1', server => $id, service => 's', pid => '1',
        rtmp => ["$port"] }), 'Content-Type: application/json');
}

# Servers that have sessions.

sub placed {
    my %servers = map { $_->{server} => 1 } sessions('live');

    return scalar(keys %servers);
}

###############################################################################
