#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: a client that asks for new keys of TLS 1.3 again and
# again and reads none of the answers, so that what is to be read has to wait
# for something to be written.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use IO::Select;
use IO::Socket::IP;
use Socket qw/ SOL_SOCKET SO_RCVBUF /;
use Test::Nginx;
use Test::Nginx::RTMP;
use Time::HiRes qw/ time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream stream_ssl debug/)
    ->has_daemon('openssl');

plan(skip_all => 'no TLS 1.3') if system('openssl s_client -help 2>&1 '
    . '| grep -q -- -tls1_3') != 0;

$t->plan(6);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    ssl_certificate_key localhost.key;
    ssl_certificate     localhost.crt;
    ssl_protocols       TLSv1.3;

    osp_upstream_handshake_timeout 3s;

    server {
        listen       127.0.0.1:8081 ssl sndbuf=4k;
        osp_upstream live;
    }
}

EOC

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . '-keyout ' . $t->testdir() . '/localhost.key -out ' . $t->testdir()
    . '/localhost.crt >/dev/null 2>&1') == 0
    or die "Can't make a certificate\n";

rtmp_origin($t, port(8090));

$t->run();

###############################################################################

$SIG{PIPE} = 'IGNORE';

my ($got, $lines) = (0, 0);

# what the client says is written without a connection

my $c = Test::Nginx::RTMP->new(IO::Socket::IP->new(Listen => 1));

my $connect = $c->command('connect', 1, amf_obj(app => 'live',
    tcUrl => 'rtmp://localhost/live'), \{ csid => 3 });
my $publish = $c->command('createStream', 2, undef, \{ csid => 3 })
    . $c->command('publish', 3, undef, 'cam1', 'live',
        \{ csid => 8, msid => 1 });

# in the set-up, which ends when the time is up

my ($client, $in, $near, $far) = start();

say_and_wait("\3" . "\0" x 1536, 3073 + 500);
say_and_wait("\0" x 1536 . $connect, 150);

ok(flood($t), 'set-up: blocked');

syswrite($in, $publish);
pump(2, 0);

ok(pump(5, 1), 'set-up: ended');

stop();
is(last_line($t), '400 handshake_timeout', 'set-up: log');

# in the relay, which goes on

($client, $in, $near, $far) = start();

say_and_wait("\3" . "\0" x 1536, 3073 + 500);
say_and_wait("\0" x 1536 . $connect . $publish, 400);

ok(flood($t), 'relay: blocked');
ok(!pump(1, 1), 'relay: goes on');

stop();
is(last_line($t), '200 ok', 'relay: log');

###############################################################################

# The client is "openssl s_client", which takes a line of K for such a request;
# between it and nginx is this test, which reads from nginx only if it wants.

sub start {
    my ($listen, $pid, $read, $write, $near, $far);

    $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1',
        LocalPort => port(8082), Listen => 1, ReuseAddr => 1)
        or die "Can't listen: $@\n";

    pipe($read, $write) or die "Can't make a pipe: $!\n";

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDIN, '<&', $read);
        open(STDOUT, '>', '/dev/null');
        open(STDERR, '>', '/dev/null');
        close($write);
        exec('openssl', 's_client', '-connect', '127.0.0.1:' . port(8082))
            or POSIX::_exit(127);
    }

    $near = $listen->accept() or die "Can't accept: $!\n";

    socket($far, Socket::PF_INET, Socket::SOCK_STREAM, 0);
    setsockopt($far, SOL_SOCKET, SO_RCVBUF, 2048);
    connect($far, Socket::pack_sockaddr_in(port(8081),
        Socket::inet_aton('127.0.0.1'))) or die "Can't connect: $!\n";

    $got = 0;

    return ($pid, $write, $near, $far);
}

sub stop {
    close($in);
    pump(0.5, 1);
    close($far);
    close($near);
    kill('TERM', $client);
    waitpid($client, 0);
}

sub say_and_wait {
    my ($bytes, $want) = @_;
    my $end = time() + 5;

    $want += $got;

    syswrite($in, $bytes);
    pump(0.02, 1) while $got < $want && time() < $end;

    diag("only $got of $want bytes") if $got < $want;
}

# Whether nginx had to wait until it can write; sockets take some at first.

sub flood {
    my ($t) = @_;
    my $log;

    open($log, '<', $t->testdir() . '/error.log') or die "Can't open: $!\n";
    seek($log, 0, 2);

    for (1 .. 1500) {
        syswrite($in, "K\n");
        pump(0.001, 0);
    }

    seek($log, 0, 1);

    return scalar(grep { /SSL_read: want write/ } <$log>);
}

# Passes on for some seconds, both ways or only to nginx; true if it closes.

sub pump {
    my ($seconds, $both) = @_;
    my ($end, $select, $bytes);

    $end = time() + $seconds;
    $select = IO::Select->new($near, $both ? $far : ());

    while ((my $left = $end - time()) > 0) {
        for my $s ($select->can_read($left)) {
            sysread($s, $bytes, 65536) or return 1;

            if ($s == $near) {
                syswrite($far, $bytes);

            } else {
                $got += length($bytes);
                syswrite($near, $bytes);
            }
        }
    }

    return 0;
}

sub last_line {
    my ($t) = @_;
    my @lines;

    $lines++;

    wait_until(sub {
        @lines = split(/\n/, $t->read_file('stream.log'));
        return @lines == $lines;
    });

    return $lines[-1];
}

###############################################################################
