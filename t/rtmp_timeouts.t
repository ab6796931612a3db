#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: times.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use Time::HiRes qw/ sleep time /;

my $t = Test::Nginx->new()->has(qw/stream/)->plan(12);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;
}

rtmp_route silent {
    zone   silent 1m;
    server 127.0.0.1:8091 max_fails=0;
}

rtmp_route late {
    zone   late 1m;
    server 127.0.0.1:8092 max_fails=0;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$remote_port|$rtmp_reason|$status|$session_time';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
        osp_upstream_handshake_timeout 1s;
    }

    server {
        listen       127.0.0.1:8081;
        osp_upstream silent;
        osp_upstream_connect_timeout 500ms;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream live;
        osp_upstream_timeout 1s;
    }

    server {
        listen       127.0.0.1:8083;
        osp_upstream late;
        osp_upstream_connect_timeout 500ms;
    }
}

EOC

my $o = rtmp_origin($t, port(8090));

rtmp_origin($t, port(8091), handshake => 'silent');
rtmp_origin($t, port(8092), publish => 'silent');

$t->run();

###############################################################################

my $c;

# one deadline from accept to publish, whatever is sent meanwhile

ended($t, 8080, 0.9, 2.5, 'handshake_timeout', 'nothing sent', sub { });

ended($t, 8080, 0.9, 2.5, 'handshake_timeout', 'slowly sent', sub {
    $_[0]->write_slowly("\x03" . "\0" x 1536, 0.1, 3);
});

ended($t, 8080, 0.9, 2.5, 'handshake_timeout', 'no publish', sub {
    $_[0]->{client} = { agent => 'test' };
    $_[0]->handshake();
    $_[0]->write_raw($_[0]->connect_message('live'));
});

# the origin

$c = timed(0.4, 2.5, 'silent origin', sub {
    return rtmp_publish(port(8081), 'live', 'cam1');
});

is($c->{code}, 'NetConnection.Connect.Rejected', 'silent origin told');

# a set-up that is over has no deadline, as long as bytes go either way

$c = rtmp_publish(port(8080), 'live', 'cam1');

sleep(1.5);

ok(!$c->is_closed(0), 'a pause is no fault');

$c->close();

$c = rtmp_publish(port(8082), 'live', 'cam1');

my @media = media_messages(40);

for my $i (0 .. 7) {
    $c->send_media(splice(@media, 0, 4));
    sleep(0.2);
}

ok(!$c->is_closed(0), 'bytes in one direction');

timed(0.3, 2.5, 'no bytes at all', sub { $c->is_closed(3) });

is(($o->events(event => 'close'))[-1]{how}, 'eof', 'origin closed as well');

###############################################################################

sub timed {
    my ($min, $max, $name, $code) = @_;
    my $start = time();
    my $rc = $code->();
    my $time = time() - $start;

    ok($time >= $min && $time <= $max, "$name: time")
        or diag("time: $time");

    return $rc;
}

sub ended {
    my ($t, $port, $min, $max, $reason, $name, $code) = @_;
    my ($c, $local);

    timed($min, $max, $name, sub {
        $c = rtmp_client(port($port));
        $local = $c->{socket}->sockport();
        $code->($c);
        $c->is_closed(5);
    });

    $c->close();

    is(wait_log($t, 'stream.log', qr/^$local\|(.*?)\|/m), $reason,
        "$name: reason");
}

###############################################################################
