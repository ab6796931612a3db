#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for sessions that end with their process while a large message is on
# its way to the client: nothing is put into it, nor made up to end it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(6);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_shutdown_timeout 1s;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
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
        listen              127.0.0.1:8090;
        osp_upstream        live;
        osp_upstream_resume on;
    }
}
EOF_CONF

my $c;

$t->run();

# ids of the server are others than those of the client

rtmp_origin($t, port(8081), before => \&large);

$c = rtmp_play(port(8090), 'ids', 'player');
is($c->{code}, 'NetStream.Play.Start', 'player');
ended('player');
cmp_ok($c->{in_bytes}, '<', 200000, 'player, nothing is made up');

$c = rtmp_publish(port(8090), 'live', 'publisher');
is($c->{code}, 'NetStream.Publish.Start', 'publisher');
ended('publisher');
is(scalar(() = $c->{buf} =~ /AppShutdown/g), 0, 'publisher, nothing is put in');

###############################################################################

sub ended {
    my ($name) = @_;

    $c->fill(70000);
    $t->reload();
    ok($c->is_closed(5), "$name, closed");
    $c->close();
    wait_conns('live', '0');
}

sub large {
    my ($c, $m, $o) = @_;
    my ($play, @chunks);

    $o->{create} = 3 if $m->{name} eq 'connect'
        && $m->{args}[0]{app} eq 'ids';

    return 0 unless $m->{name} =~ /^(play|publish)$/;

    $play = $1 eq 'play';
    $o->status($play ? 'Play.Start' : 'Publish.Start');

    $c->write_raw($c->message(type => 1, csid => 2,
        payload => pack('N', $play ? 1 : 4096)));

    @chunks = $c->chunks(type => 18, csid => 6, msid => $o->{created} || 1,
        length => 0xffffff, payload => 'x' x 80000);
    $c->write_raw(join('', @chunks));

    return 1;
}

###############################################################################
