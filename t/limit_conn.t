#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_limit_conn.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream pcre/)->plan(51);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 3;

events {
    accept_mutex off;
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
}

rtmp_route other {
    zone   other 1m;
    server 127.0.0.1:8081;
}

rtmp_route denied {
    zone   denied 1m;
    server 127.0.0.1:8082;
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

    log_format test '$server_port|$status|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    map $rtmp_stream $limited {
        ~^limited  one;
    }

    # publishers that send nothing stay

    osp_upstream_takeover idle=1m;

    osp_upstream_limit_conn           $rtmp_app 1;
    osp_upstream_limit_conn_log_level notice;

    server {
        listen                  127.0.0.1:8091;
        osp_upstream            live;
        osp_upstream_limit_conn $remote_addr 2 publish;
    }

    server {
        listen                  127.0.0.1:8092;
        osp_upstream            live;
        osp_upstream_limit_conn $remote_addr 3 publish;
    }

    server {
        listen                  127.0.0.1:8093;
        osp_upstream            other;
        osp_upstream_limit_conn $remote_addr 2 publish;
    }

    server {
        listen                  127.0.0.1:8094;
        osp_upstream            live;
        osp_upstream_limit_conn $rtmp_app/$rtmp_stream 2 play;
        osp_upstream_limit_conn $rtmp_app/$rtmp_stream 3;
    }

    server {
        listen                  127.0.0.1:8095 proxy_protocol;
        osp_upstream            live;
        osp_upstream_limit_conn $proxy_protocol_addr 1;
        osp_upstream_limit_conn_log_level error;
    }

    server {
        listen                  127.0.0.1:8096;
        osp_upstream            live;
        osp_upstream_limit_conn $limited 1;
    }

    server {
        listen                  127.0.0.1:8097;
        osp_upstream            live;
        osp_upstream_limit_conn $server_port 1;
        osp_upstream_limit_conn_dry_run on;
    }

    server {
        listen                  127.0.0.1:8098;
        osp_upstream            live;
    }

    server {
        listen                  127.0.0.1:8099;
        osp_upstream            denied;
        osp_upstream_limit_conn $server_port$rtmp_command 1;
    }
}

EOF_CONF

my $origin = rtmp_origin($t, port(8081));
rtmp_origin($t, port(8082), publish => 'denied', times => 1);

$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $playing = 'NetStream.Play.Start';
my $rejected = 'NetConnection.Connect.Rejected';
my ($c, @c);

# publishers of an address

@c = map { publish(8091, "cam$_") } 1 .. 2;
is(codes(@c), "$start $start", 'two');

$c = publish(8091, 'secret-name');
is($c->{code}, $rejected, 'no third');
is($c->{description}, 'too many connections, the limit is 2 publishers',
    'is told which limit it is');
ok($c->is_closed(2), 'closed');
is(wait_log($t, 'stream.log', qr/^(@{[port(8091)]}\|503.*)/m),
    port(8091) . '|503|limit', 'logged');
like(wait_log($t, 'error.log', qr/(.*limiting connections.*)/),
    qr/\[notice\] .*limiting connections by "\$remote_addr 2 publish" while/,
    'in the error log');
unlike($t->read_file('error.log'), qr/limiting.*secret-name/,
    'without the name');

is(play(8091, 'cam1')->{code}, $playing, 'players do not count');

# another limit of the same counter, and the same limit of another route

push @c, publish(8092, 'cam3');
is($c[2]{code}, $start, 'a higher limit');
is(publish(8092, 'cam4')->{code}, $rejected, 'all are counted');
is(publish(8091, 'cam4')->{code}, $rejected, 'still too many');
is(publish(8093, 'cam1')->{code}, $start, 'another route');

# places are given back at once

for (1 .. 10) {
    $c[1]->unpublish('cam2');
    $c[2]->close();

    @c[1, 2] = map { again(8092, "cam$_") } 2, 3;
    is(codes(@c), "$start $start $start", 'again');
}

# a publisher that is there has nothing to fear from one that is refused

is(publish(8092, 'cam1')->{code}, $rejected, 'a name that is published');
ok(!$c[0]->is_closed(0.1), 'is still published');

$_->close() for @c;

# streams, two limits at once

@c = map { play(8094, 'a') } 1 .. 2;
is(codes(@c), "$playing $playing", 'two players of a stream');

$c = play(8094, 'a');
is($c->{code}, $rejected, 'no third player');
is($c->{description}, 'too many connections, the limit is 2 players',
    'is told that');

is(play(8094, 'b')->{code}, $playing, 'another stream');

push @c, publish(8094, 'a');
is($c[2]{code}, $start, 'a third connection');

$c = publish(8094, 'a');
is($c->{code}, $rejected, 'no fourth');
is($c->{description}, 'too many connections, the limit is 3', 'nor another');

(shift @c)->close();
is(again(8094, 'a', 'play')->{code}, $playing, 'a place was given back');

$_->close() for @c;

# addresses

@c = map { client("10.0.0.$_") } 1 .. 3;
is(codes(@c), "$playing $playing $playing", 'addresses');
is(client('10.0.0.2')->{code}, $rejected, 'one of them again');
like($t->read_file('error.log'),
    qr/\[error\] .*limiting connections by "\$proxy_protocol_addr 1" while/,
    'level of the log');

$_->close() for @c;

# an empty value is not counted

is(codes(map { publish(8096, "free$_") } 1 .. 3), "$start $start $start",
    'empty');
@c = publish(8096, 'limited');
is($c[0]{code}, $start, 'not empty');
is(publish(8096, 'limited2')->{code}, $rejected, 'counted');

# nobody is refused

is(codes(map { publish(8097, "dry$_") } 1 .. 3), "$start $start $start",
    'dry run');
is(scalar(() = $t->read_file('error.log')
    =~ /\[notice\] .*limiting connections, dry run, by "\$server_port 1"/g),
    2, 'each is logged');

# what is said above holds where nothing else is

@c = publish(8098, 'inherited', app => 'one');
is($c[0]{code}, $start, 'inherited');
is(publish(8098, 'inherited2', app => 'one')->{code}, $rejected, 'limited');
is(publish(8098, 'inherited2', app => 'two')->{code}, $start, 'another app');

# whoever was refused by the server has no place, though its connection stays

$c = publish(8099, 'denied');
isnt($c->{code}, $start, 'refused by the server');
@c = publish(8099, 'denied');
is($c[0]{code}, $start, 'its place is free');
is(publish(8099, 'denied2')->{code}, $rejected, 'taken');
is(play(8099, 'denied')->{code}, $playing, 'a player is another one');

# a place is free when the client has gone, whatever its server does

is(again(8096, 'limited3')->{code}, $start, 'before');
push @c, again(8096, 'limited4');
is($c[-1]{code}, $start, 'a server that hangs');
$origin->signal('STOP');
$c[-1]->close();
ok(wait_until(sub {
    return grep { $_->{stream} eq 'live/limited4' && $_->{state} eq 'closing' }
        sessions('live');
}), 'its session is there');
$c = rtmp_publish(port(8096), 'live', 'limited5', no_wait => 1);
$origin->signal('CONT');
is($c->status()->{code}, $start, 'its place is free');

$_->close() for @c;

###############################################################################

sub publish {
    my ($port, $name, %opt) = @_;

    return rtmp_publish(port($port), $opt{app} || 'live', $name);
}

sub play {
    my ($port, $name) = @_;

    return rtmp_play(port($port), 'live', $name);
}

# Once more if another worker has not heard yet of the end of a connection.

sub again {
    my ($port, $name, $what) = @_;
    my $c;

    wait_until(sub {
        $c = $what ? play($port, $name) : publish($port, $name);
        return $c->{code} ne $rejected;
    });

    return $c;
}

sub client {
    my ($addr) = @_;

    return rtmp_play(port(8095), 'live', 'cam',
        preamble => "PROXY TCP4 $addr 10.1.1.1 1234 1935\x0d\x0a");
}

sub codes {
    return join(' ', map { $_->{code} } @_);
}

###############################################################################
