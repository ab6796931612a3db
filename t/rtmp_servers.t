#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for servers of rtmp{} that have the same port at several addresses:
# what is registered and pulled is that of one of them.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Register;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new();

need_register($t)->plan(6);

my $p = httpd($t, port(8090), sub {
    return http_response(200, '{"code":0,"pid":"1"}');
});

my $url = 'http://127.0.0.1:' . port(8090);

register_origin($t, 'origin', <<"EOF_CONF");
worker_processes 3;

rtmp_route none {
    zone    none 1m;
    server  127.0.0.1 rtmp=%%PORT_8089%%;
}

rtmp {
    server {
        listen 127.0.0.5:%%PORT_8081%%;

        rtmp_route_register $url/a interval=1s id=a;

        application live {
            live on;
            rtmp_route none pull;
        }
    }

    server {
        listen 127.0.0.6:%%PORT_8081%%;

        rtmp_route_register $url/b interval=1s id=b;

        application live {
            live on;
            rtmp_route none pull;
        }
    }
}
EOF_CONF

###############################################################################

my $port = port(8081);
my %c = (5 => rtmp_publish("127.0.0.5:$port", 'live', 'one'),
    6 => rtmp_publish("127.0.0.6:$port", 'live', 'two'));

ok(listed('a', '/live/one'), 'streams of one server');
ok(listed('b', '/live/two'), 'streams of the other one');

is(played(5, 'one'), 6, 'played where it is published');
is(played(6, 'two'), 6, 'on the other one, too');
is(played(6, 'one'), 0, 'not of another server');
is(played(5, 'two'), 0, 'nor of the other');

###############################################################################

sub listed {
    my ($id, $want) = @_;
    my $list;

    return 1 if wait_until(sub {
        my ($r) = reverse grep { $_->{uri} eq "/$id" } $p->requests();

        $list = $r ? join(' ', map { $_->{name} }
            @{decode_json($r->{body})->{streams}}) : '';
        return $list eq $want;
    });

    note("listed: $list");
    return 0;
}

# of several players, so that workers are of all kinds

sub played {
    my ($server, $name) = @_;
    my @players = map { rtmp_play("127.0.0.$server:$port", 'live', $name,
        no_wait => 1) } 1 .. 6;
    my $n = 0;

    for (1 .. 30) {
        $_->send_media(media_messages(3)) for values %c;

        my @waiting = grep { !$_->read_media(1, 0.02) } @players;

        $n += @players - @waiting;
        @players = @waiting;

        last if !@players;
    }

    $_->close() for @players;

    return $n;
}

###############################################################################
