#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in upstream{} and servers of stream{}.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;

use IO::Select;
use IO::Socket::IP;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http stream stream_return stream_map/)->plan(26);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 srt=%%PORT_8091%%;
    server  127.0.0.1:2 srt=%%PORT_8092%%;
}

rtmp_route dead {
    zone    dead 1m;
    server  127.0.0.1:%%PORT_8088%% max_fails=1 fail_timeout=10s;
    server  127.0.0.1:%%PORT_8092%% backup;
}

rtmp_route alldead {
    zone    alldead 1m;
    server  127.0.0.1:%%PORT_8088%% max_fails=0;
    server  127.0.0.1:%%PORT_8089%% max_fails=0;
}

rtmp_route none {
    zone    none 1m;
    server  127.0.0.1:%%PORT_8091%% down;
}

rtmp_route refuse {
    zone     refuse 1m;
    unknown  refuse;
    server   127.0.0.1:%%PORT_8091%%;
}

rtmp_route wait {
    zone     wait 1m;
    unknown  wait=1500ms;
    server   127.0.0.1:%%PORT_8091%%;
    server   127.0.0.1:%%PORT_8092%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format  state  "$server_port $status $upstream_addr";
    access_log  %%TESTDIR%%/stream.log state;

    map $server_port $key {
        %%PORT_8081%%  live/cam1;
        %%PORT_8082%%  live/cam2;
        default        "";
    }

    upstream live     { rtmp_route  live     srt  key=$key; }
    upstream dead     { rtmp_route  dead     rtmp; }
    upstream alldead  { rtmp_route  alldead  rtmp; }
    upstream none     { rtmp_route  none     rtmp; }
    upstream refuse   { rtmp_route  refuse   rtmp; }
    upstream wait     { rtmp_route  wait     rtmp; }

    server {
        listen      127.0.0.1:8081;
        listen      127.0.0.1:8082;
        listen      127.0.0.1:8083;
        proxy_pass  live;
    }

    server {
        listen      127.0.0.1:8084;
        proxy_pass  dead;
    }

    server {
        listen      127.0.0.1:8085;
        proxy_pass  alldead;
    }

    server {
        listen      127.0.0.1:8086;
        proxy_pass  none;
    }

    server {
        listen      127.0.0.1:8093;
        rtmp_route  refuse key=live/cam1;
        proxy_pass  refuse;
    }

    server {
        listen      127.0.0.1:8094;
        rtmp_route  wait key=live/cam1;
        proxy_pass  wait;
    }

    server {
        listen      127.0.0.1:8095;
        rtmp_route  none rtmp key=live/cam1;
        proxy_pass  none;
    }

    server {
        listen      127.0.0.1:8096;
        rtmp_route  wait key=live/cam2;
        proxy_pass  wait;
    }
}

EOF_CONF

port(8088);
port(8089);

$t->run_daemon(\&origin, port(8091), 'one');
$t->run_daemon(\&origin, port(8092), 'two');
$t->run();

$t->waitforsocket('127.0.0.1:' . port(8091));
$t->waitforsocket('127.0.0.1:' . port(8092));

###############################################################################

my ($one, $two) = map { $_->{id} } servers('live');

pin('live', 'live/cam1', $two);
pin('live', 'live/cam2', $one);

is(talk(8081, 'hello'), 'two hello', 'known');
is(talk(8082, 'hello'), 'one hello', 'known, other server');
like(talk(8083, 'hello'), qr/^(one|two) hello$/, 'no key');

# counting

my $s = start(8081);
$s->print("x\n");
$s->getline();

is(conns('live'), '0 1', 'counted');
close($s);
ok(wait_conns('live', '0 0'), 'not counted any more');

# failures

is(talk(8084, 'a'), 'two a', 'next server');
is(talk(8084, 'b'), 'two b', 'next server again');

my ($dead) = servers('dead');

is($dead->{fails}, 1, 'fail counted once');
is($dead->{state}, 'unavail', 'server unavailable');

is(talk(8085, 'a'), '', 'all dead');
is(conns('alldead'), '0 0', 'tries not counted any more');
is(talk(8086, 'a'), '', 'no servers');

# look-up

is(talk(8093, 'a'), '', 'unknown refused');
is(talk(8095, 'a'), '', 'look-up, no servers');

my ($r1) = map { $_->{id} } servers('refuse');
pin('refuse', 'live/cam1', $r1);

is(talk(8093, 'a'), 'one a', 'look-up, known');

my $time = time();
is(talk(8094, 'a'), '', 'timed out');
$time = time() - $time;
ok($time > 1.2 && $time < 5, 'after the time') or diag($time);

my ($w1, $w2) = map { $_->{id} } servers('wait');

$s = start(8094);
$s->print("early\n");

ok(!IO::Select->new($s)->can_read(0.3), 'waits');

pin('wait', 'live/cam1', $w2);

ok(IO::Select->new($s)->can_read(0.7), 'stream appears');
is(scalar($s->getline()), "two early\n", 'nothing is lost');
is(conns('wait'), '0 1', 'look-up, counted');
close($s);

for (1 .. 5) {
    $s = start(8096);
    $s->print("gone\n");
    sleep(0.1);
    close($s);
}

sleep(0.2);
pin('wait', 'live/cam2', $w1);

is(talk(8096, 'a'), 'one a', 'clients that left do no harm');
ok(wait_conns('wait', '0 0'), 'nothing counted');

$t->stop();

my $log = $t->read_file('stream.log');
my ($p1, $p2) = (port(8085), port(8093));

like($log, qr/^$p1 502 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+$/m, 'all tried');
like($log, qr/^$p2 404 -$/m, 'unknown logged');
is(scalar(() = $log =~ /^@{[port(8096)]} 200 -$/mg), 5,
    'clients are noticed when they leave');

###############################################################################

sub start {
    my ($port) = @_;

    return IO::Socket::IP->new(PeerAddr => '127.0.0.1:' . port($port))
        || die "Can't connect to nginx: $!\n";
}

sub talk {
    my ($port, $text) = @_;
    my ($s, $line);

    $s = start($port);

    eval {
        local $SIG{ALRM} = sub { die "timeout\n" };
        alarm(8);
        $s->print("$text\n");
        $line = $s->getline();
        alarm(0);
    };

    alarm(0);

    $line = '' unless defined $line;
    chomp $line;

    return $line;
}

sub origin {
    my ($port, $name) = @_;
    my ($listen, $select, @ready);

    $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1',
        LocalPort => $port, Listen => 5, ReuseAddr => 1)
        or die "Can't listen on $port: $!\n";

    $select = IO::Select->new($listen);

    while (@ready = $select->can_read()) {
        for my $fh (@ready) {
            if ($fh == $listen) {
                $select->add($listen->accept());
                next;
            }

            my $n = sysread($fh, my $buf, 4096);

            if (!$n) {
                $select->remove($fh);
                close($fh);
                next;
            }

            syswrite($fh, "$name $buf");
        }
    }
}

###############################################################################
