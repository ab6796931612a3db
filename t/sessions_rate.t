#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api: how fast sessions are.

###############################################################################

use warnings;
use strict;

use Test::More;
use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(8);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen        127.0.0.1:8085;
        osp_upstream  live;
    }
}

EOF_CONF

rtmp_origin($t, port(8081));

$t->run();

###############################################################################

my ($c, $player, $last);

$c = rtmp_publish('127.0.0.1:' . port(8085), 'live', 'cam1');
is($c->{code}, 'NetStream.Publish.Start', 'published');

$player = rtmp_play('127.0.0.1:' . port(8085), 'live', 'cam2');

# at the start it is that of a shorter time

near(flow(100000, 2.5), 'at the start');

# then of 5 seconds, which are full of the second speed

near(flow(400000, 5.8), 'faster');
is(rate('live/cam2'), 0, 'not of a player who gets nothing');

# who asks seldom or often is told the same

$last = rate('live/cam1');
ok($last > 0, 'still something');
cmp_ok(abs(rate('live/cam1') - $last), '<=', $last / 4, 'asked twice');

ok(wait_rate(0, 8), 'nothing in the end');
cmp_ok(time() - $c->{flowed}, '<', 7.5, 'soon after it has stopped');

$c->close();
$player->close();

###############################################################################

# Sends so many bytes a second, for some seconds; bits a second of the last 5.

sub flow {
    my ($speed, $seconds) = @_;
    my ($start, $sent, $mark, @sent, $due) = (time(), 0);

    $mark = 0;

    while (time() - $start < $seconds) {
        $due = (time() - $start) * $speed - $sent;

        if ($due >= 2000) {
            $c->send_message(type => 9, csid => 6, msid => 1,
                time => int((time() - $start) * 1000), payload => 'x' x $due);
            $sent += $due;
            push @sent, [ time(), $sent ];
        }

        sleep(0.02);
    }

    $c->{flowed} = time();

    @sent = grep { $_->[0] >= $c->{flowed} - 5 } @sent;

    return 8 * ($sent[-1][1] - $sent[0][1])
        / ($sent[-1][0] - $sent[0][0]);
}

# A loaded machine may have asked late.

sub near {
    my ($expected, $what) = @_;
    my $rate = rate('live/cam1');

    ok($rate > $expected * 0.6 && $rate < $expected * 1.4, $what)
        or diag("$rate, not $expected");
}

sub rate {
    my ($name) = @_;
    my ($s) = grep { $_->{stream} eq $name } sessions('live');

    return $s->{rate};
}

sub wait_rate {
    my ($rate, $seconds) = @_;
    my $start = time();

    while (time() - $start < $seconds) {
        return 1 if rate('live/cam1') == $rate;
        sleep(0.1);
    }

    return 0;
}

###############################################################################
