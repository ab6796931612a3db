#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: sessions that are told to end, in whatever state they
# are, and whichever process says it.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Module;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

local $ENV{TEST_NGINX_GLOBALS} = $ENV{TEST_NGINX_GLOBALS}
    || $t->test_globals_modules();

test_module($t, 'ngx_http_route_tell_test_module');

$t->plan(47)->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

rtmp_route other {
    zone    other 1m;
    server  127.0.0.1:8082;
}

rtmp_route silent {
    zone    silent 1m;
    server  127.0.0.1:8083;
}

rtmp_route answers {
    zone    answers 1m;
    server  127.0.0.1:8084;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }

        location /live {
            tell_test  live;
        }

        location /other {
            tell_test  other;
        }

        location /silent {
            tell_test  silent;
        }

        location /answers {
            tell_test  answers;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen        127.0.0.1:8085;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8086;
        osp_upstream  other;
    }

    server {
        listen        127.0.0.1:8087;
        osp_upstream  silent;
        osp_upstream_connect_timeout 30s;
    }

    server {
        listen        127.0.0.1:8088;
        osp_upstream  answers;
    }

    server {
        listen        127.0.0.1:8089;
        osp_upstream  live;
        osp_upstream_resume on;
    }
}

EOF_CONF

my $o = rtmp_origin($t, port(8081));

rtmp_origin($t, port(8082), create => 5, before => \&half);
rtmp_origin($t, port(8083), handshake => 'silent');
rtmp_origin($t, port(8084), publish => 'silent');

$t->run();

###############################################################################

my @media = media_messages(5);
my ($c, $m);

# running sessions

$c = publisher(8085, 'cam1');
is(say_to('live', 'cam1', 'kicked'), 204, 'publisher');
is(told($c), 'error NetStream.Publish.Denied closed by the operator #1',
    'publisher is told');
ended($c, 'cam1', 'kicked');

$c = player(8085, 'cam2');
is(say_to('live', 'cam2', 'kicked'), 204, 'player');
is(told($c), 'error NetStream.Play.Failed closed by the operator #1',
    'player is told');
ended($c, 'cam2', 'kicked');

$c = publisher(8089, 'cam3');
is(say_to('live', 'cam3', 'replaced'), 204, 'publisher with resume');
is(told($c), 'error NetStream.Publish.BadName replaced by another publisher '
    . '#1', 'publisher with resume is told');
ended($c, 'cam3', 'replaced');

# the origin is in the middle of a message, and stays there

$c = player(8086, 'cam4');

wait_until(sub {
    grep { $_->{stream} eq 'live/cam4' && $_->{out} > 5000 } sessions('other')
});

is(say_to('other', 'cam4', 'kicked'), 204, 'player of a half message');
is(told($c), 'error NetStream.Play.Failed closed by the operator #1',
    'player of a half message is told');

($m) = reverse grep { $_->{type} == 9 } @{$c->{messages}};
is(length($m->{payload}), 10000, 'the message is whole');
is(unpack('H*', substr($m->{payload}, 4998, 4)), '78780000',
    'with zeros behind what came');
ended($c, 'cam4', 'kicked');

# sessions in set-up

$c = publisher(8087, 'cam5', no_wait => 1);
ok(wait_state('silent', 'setup'), 'set-up before the handshake');
is(say_to('silent', 'cam5', 'kicked'), 204, 'in set-up');
is(told($c), 'error NetStream.Publish.Denied closed by the operator #1',
    'in set-up, told');
ended($c, 'cam5', 'kicked');

$c = publisher(8088, 'cam6', no_wait => 1);
ok(wait_state('answers', 'setup'), 'set-up behind the handshake');
is(say_to('answers', 'cam6', 'kicked'), 204, 'in set-up with an origin');
is(told($c), 'error NetStream.Publish.Denied closed by the operator #1',
    'in set-up with an origin, told');
ended($c, 'cam6', 'kicked');

# what needs no end

$c = publisher(8085, 'cam7');
is(say_to('live', 'cam7', 'lost'), 204, 'server is lost');
$c->send_media(@media);
is($o->wait_media(media_digest(@media)), media_digest(@media),
    'without resume nothing happens');

# one that is silent

is(say_to('live', 'cam7', 'silent'), 204, 'silent');
like(told($c), qr/^error NetStream.Publish.BadName replaced/, 'silent, told');
ended($c, 'cam7', 'replaced');

# several times, also by one who comes late

$c = publisher(8085, 'cam8');
my $id = id('live', 'cam8');

say_to('live', 'cam8', 'kicked', $id) for 1 .. 3;
like(told($c), qr/^error NetStream.Publish.Denied/, 'kicked three times');
ok(wait_until(sub { !id('live', 'cam8') }), 'it has gone');
is(say_to('live', 'cam8', 'kicked', $id), 404, 'it is not there');
ended($c, 'cam8', 'kicked');

###############################################################################

# An origin that stops in the middle of a message.

sub half {
    my ($c, $m, $origin) = @_;
    my $bytes;

    return 0 unless $m->{name} eq 'play';

    $origin->on_play($m);

    $bytes = $c->message(type => 9, csid => 6, msid => 5,
        payload => 'x' x 10000);

    # two chunks of 4096 make 5000 bytes of payload, with two headers
    $c->write_raw(substr($bytes, 0, 12 + 5000 + 1));

    return 1;
}

sub publisher {
    my ($port, $name, %opt) = @_;

    return rtmp_publish('127.0.0.1:' . port($port), 'live', $name, %opt);
}

sub player {
    my ($port, $name, %opt) = @_;

    return rtmp_play('127.0.0.1:' . port($port), 'live', $name, %opt);
}

sub id {
    my ($route, $name) = @_;
    my ($s) = grep { $_->{stream} eq "live/$name" } sessions($route);

    return $s ? $s->{id} : undef;
}

sub say_to {
    my ($route, $name, $what, $id) = @_;
    my $r;

    $id = id($route, $name) unless defined $id;
    return 'no session' unless defined $id;

    ($r) = http_get("/$route?what=$what&id=$id") =~ m!^HTTP/1.. (\d+)!;

    return $r;
}

# The last message, which is a status.

sub told {
    my ($c) = @_;
    my $last;

    $c->read_until(sub { $last = $_[0]; return 0 });

    return 'nothing' unless $last;
    return "message of type $last->{type}"
        unless ($last->{name} || '') eq 'onStatus';

    return join(' ', @{$last->{args}[-1]}{qw/ level code description /},
        "#$last->{msid}");
}

sub ended {
    my ($c, $name, $reason) = @_;

    ok($c->is_closed(3), "closed: $name");
    is($c->{eof}, 'eof', "not reset: $name");
    $c->close();
    is(wait_log($t, 'stream.log', qr/^($name .*)$/m), "$name 200 $reason",
        "logged: $name");
}

sub wait_state {
    my ($route, $state) = @_;

    return wait_until(sub { grep { $_->{state} eq $state } sessions($route) });
}

###############################################################################
