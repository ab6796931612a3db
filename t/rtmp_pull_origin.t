#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "rtmp_route NAME" of nginx-rtmp: servers, and players, that do what
# they should not.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Pull;
use Test::Nginx::Register;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

need_register($t)->plan(14);

###############################################################################

my $e = register_origin($t, 'edge', <<'EOF_CONF');
worker_processes 1;

rtmp_route live {
    zone     live 1m;
    server   127.0.0.1 rtmp=%%PORT_8081%%;
}

rtmp_route v2 {
    zone     v2 1m;
    server   127.0.0.1 rtmp=%%PORT_8082%% proxy_protocol=v2;
}

rtmp_route srs {
    zone     srs 1m;
    server   127.0.0.1 rtmp=%%PORT_8083%% proxy_protocol=srs;
}

rtmp {
    server {
        listen 127.0.0.1:%%PORT_8085%%;

        application live {
            live on;
            rtmp_route live pull;
        }

        application push {
            live on;
            rtmp_route live push;
        }

        application v2 {
            live on;
            rtmp_route v2 push;
        }

        application srs {
            live on;
            rtmp_route srs push;
        }

        application off {
            live on;
            idle_streams off;
            rtmp_route live pull;
        }

        application other {
            live on;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /stat { rtmp_stat all; }
    }
}
EOF_CONF

my $o = rtmp_origin($t, port(8081), before => \&origin, media => 200,
    media_size => 400);
my $edge = port(8085);

# commands of clients

my $p = rtmp_play($edge, 'live', 'publish');
ok(source($p), 'media of what was asked for');
is(clients(8080, 'stolen'), 'none', 'server can not publish');
$p->close();

$p = rtmp_play($edge, 'live', 'connect');
ok(source($p), 'media where it was asked for');
$p->close();

$p = rtmp_publish($edge, 'push', 'publish');
ok($o->wait(event => 'command', name => 'publish'), 'pushed');
$p->send_media(media_messages(4));
ok($o->wait(event => 'media'), 'media is pushed');
is(clients(8080, 'stolen'), 'none', 'server of a push can not publish');

# a server that closes after some media

$p = rtmp_play($edge, 'live', 'close');
sleep 3;
my $n = () = $o->events(event => 'command', name => 'play');
cmp_ok($n, '<', 12, 'pauses between tries');
$p->close();

# a player that asks for many streams at once gets none of the worker's
# connections but one

$n = $o->connections();
$p = rtmp_play($edge, 'off', 'first');
$p->write_raw(join '', map {
    $p->command('play', 4, undef, amf_str("again$_"), -2000,
        \{ csid => 8, msid => 1 })
} 1 .. 700);
ok($o->wait(event => 'command', name => 'play', count => 2), 'played');
sleep 0.5;
cmp_ok($o->connections() - $n, '<', 100, 'few connections');
ok($e->log() !~ /worker_connections are not enough/, 'enough of them');

# servers that want to know who publishes

my %told = (v2 => [8082, qr/^TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ $edge$/],
    srs => [8083, qr/^127\.0\.0\.1$/]);

for my $type (sort keys %told) {
    $o = rtmp_origin($t, port($told{$type}[0]), like => 'srs');
    $p = rtmp_publish($edge, $type, 'x');

    like(($o->wait(event => 'preamble', type => $type) || {})->{text},
        $told{$type}[1], "$type publisher");
    ok($o->wait(event => 'ready', op => 'publish'), "$type pushed");
}

###############################################################################

sub origin {
    my ($c, $m, $self) = @_;
    my $name;

    return 0 unless $m->{name} =~ /^(?:play|publish)$/;

    $name = $m->{args}[1];

    if ($name eq 'publish') {
        $self->out($c->command('publish', 0, undef, amf_str('stolen'),
            amf_str('live'), \{ csid => 5, msid => 1 }));

    } elsif ($name eq 'connect') {
        $self->out($c->command('connect', 1, amf_obj(app => amf_str('other'))));

    } elsif ($name eq 'close') {
        $self->status('Play.Start');
        $self->out($c->media_bytes(media_messages(6, play => 1)));
        sleep 0.02;
        $c->close();
        POSIX::_exit(0);
    }

    return 0;
}

###############################################################################
