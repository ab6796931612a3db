#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for health_check over the lives of processes: the worker that checks is
# killed, a reload with checks that are running, a restart with a state file;
# and running sessions on a server that is found down.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_rtmp_module($t)->plan(27);

$t->{_ignore_alerts} = qr/worker process \d+ exited on signal 9/;

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
error_log %%TESTDIR%%/notice.log notice;

events {
}

rtmp_route live {
    zone          live 256k;
    state         %%TESTDIR%%/live.json;
    register      open allow=127.0.0.0/8;
    server        127.0.0.1 rtmp=%%PORT_8081%%;
    server        127.0.0.2 rtmp=%%PORT_8082%%;
    server        127.0.0.3 rtmp=%%PORT_8083%%;
    CHECK
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8084;
        osp_upstream live;
    }
}

EOF_CONF

configure('health_check interval=200ms timeout=1s type=rtmp;');

origin(1);
origin(2);

# a check of this one takes all its time

rtmp_origin($t, port(8083), host => '0.0.0.0', handshake => 'silent');

$t->run();

my ($pid, $n, $old, @pids);

###############################################################################
# a killed worker

ok(wait_state('127.0.0.3', 'down'), 'down');
ok(wait_state('127.0.0.1', 'up'), 'up');

$pid = checker();
$n = server('127.0.0.1')->{health_checks}{checks};
$old = server('127.0.0.3')->{health_checks}{unhealthy};

kill('KILL', $pid);

ok(wait_until(sub {
    return server('127.0.0.1')->{health_checks}{checks} > $n + 3;
}), 'checks go on');
is(server('127.0.0.3')->{state}, 'down', 'nothing is forgotten');
is(server('127.0.0.3')->{health_checks}{unhealthy}, $old, 'nor found anew');

# a stopped server, by the new process

my $worker = worker('origin2');

kill('STOP', $worker);
ok(wait_state('127.0.0.2', 'down'), 'another one is down');
isnt(checker(), $pid, 'by another process');

# a reload while checks are running

@pids = workers();
$t->reload();

ok(wait_until(sub { !grep { kill(0, $_) } @pids }, 10), 'old workers leave');

$n = server('127.0.0.1')->{health_checks}{checks};

ok(wait_until(sub {
    return server('127.0.0.1')->{health_checks}{checks} > $n + 3;
}), 'checks go on');
is(server('127.0.0.2')->{state}, 'down', 'down still');
kill('CONT', $worker);
ok(wait_state('127.0.0.2', 'up'), 'up');

# an old worker with a session stops to check, and does not disagree

pin('live', 'live/cam', '127.0.0.1');
my $c = rtmp_publish(port(8084), 'live', 'cam');
is($c->{code}, 'NetStream.Publish.Start', 'published');

configure('health_check interval=200ms timeout=1s type=http;');
$t->reload();

ok(wait_state('127.0.0.1', 'up'), 'nothing by HTTP: connects');
ok(wait_state('127.0.0.3', 'up'), 'this one, too');

$n = changes();
sleep(1);
is(changes(), $n, 'no changes back and forth');
ok(!$c->is_closed(0), 'the session goes on');

# not checked any more, and again

configure('');
$t->reload();

ok(wait_until(sub { server('127.0.0.1')->{state} eq 'up' }), 'up');
$n = wait_still();
sleep(0.5);
is(server('127.0.0.1')->{health_checks}{checks}, $n, 'no checks');

configure('health_check interval=200ms timeout=3s type=rtmp;');
$t->reload();

ok(wait_state('127.0.0.3', 'checking'), 'checking');
ok(wait_state('127.0.0.3', 'down'), 'down');

# running sessions on a server that is found down go on, as they are

kill('STOP', worker('origin1'));
ok(wait_state('127.0.0.1', 'down'), 'down');
ok(!$c->is_closed(0), 'the session goes on');
kill('CONT', worker('origin1'));
ok(wait_state('127.0.0.1', 'up'), 'up');
$c->close();

# a restart finds all anew

request('POST', '/api/v1/srs/register', JSON::PP::encode_json({
    ip => '127.0.0.5', server => 'r', service => 's', pid => '1',
    rtmp => ['' . port(8083)] }), 'Content-Type: application/json');

ok(wait_until(sub { $t->read_file('live.json') =~ /"id":"r"/ }), 'state');

$t->stop();
$t->run();

is(server('r')->{state}, 'checking', 'registered: checking');
ok(wait_state('127.0.0.1', 'up'), 'up');
is(server('127.0.0.1')->{health_checks}{unhealthy}, 0, 'nothing is remembered');

###############################################################################

sub configure {
    my ($check) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/CHECK/$check/r);
}

sub server {
    my ($id) = @_;

    return api('GET', "live/servers/$id") || {};
}

sub wait_state {
    my ($id, $state) = @_;
    my $s;

    return 1 if wait_until(sub {
        $s = server($id);
        return ($s->{state} || '') eq $state;
    }, 10);

    diag("$id: ", explain($s));

    return 0;
}

# Who has marked a server down last.

sub checker {
    my $log = $t->read_file('notice.log');
    my @all = $log =~ /(\d+)#\d+: upstream server.* down/g;

    return $all[-1];
}

sub changes {
    my $log = $t->read_file('notice.log');
    my @all = $log =~ /upstream server.* is (?:up|down)/g;

    return scalar(@all);
}

# Until the process of the last configuration has stopped.

sub wait_still {
    my ($n, $last) = (0, -1);

    wait_until(sub {
        $last = $n;
        $n = server('127.0.0.1')->{health_checks}{checks};
        sleep(0.5);
        return $n == $last;
    });

    return $n;
}

sub workers {
    return children($t->pid_file());
}

# streams of nginx-rtmp are those of one process

sub worker {
    my ($name) = @_;

    return (children($t->read_file("$name.pid")))[0];
}

sub children {
    my ($pid) = @_;

    chomp($pid);

    open(my $fh, '<', "/proc/$pid/task/$pid/children")
        or die "Can't read children of $pid: $!\n";

    return split(' ', scalar(<$fh>));
}

sub origin {
    my ($n) = @_;

    nginx_rtmp($t, "origin$n", <<"EOF_CONF");

rtmp {
    server {
        listen 0.0.0.0:%%PORT_808$n%%;

        application live {
            live on;
        }
    }
}

EOF_CONF
}

###############################################################################
