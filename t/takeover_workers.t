#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_takeover: the old session is in a process that stands
# still, was killed, or is about to leave.

###############################################################################

use warnings;
use strict;

use Fcntl qw/ :flock /;
use POSIX qw//;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(24);

$t->{_ignore_alerts} = qr/exited on signal 9/;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081 max_conns=1;
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

    log_format test '$pid $rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_takeover idle=1s;

    server {
        listen        127.0.0.1:8082;
        osp_upstream  live;
    }
}

EOF_CONF

my $o = rtmp_origin($t, port(8081), before => busy($t->testdir()));

$t->run();

###############################################################################

my @media = media_messages(10);
my ($one, $two, $pid, $old);

# a process that stands still, so that its clients seem to be silent

$one = publisher('cam1');
is($one->{code}, 'NetStream.Publish.Start', 'published');

$pid = owner('live/cam1');
ok($pid, 'its process');

kill('STOP', $pid);
$one->send_media(@media);
silent();

$two = publisher('cam1', no_wait => 1);
is(wait_log($t, 'error.log', qr/(client takes over)/), 'client takes over',
    'it seems to be silent');

kill('CONT', $pid);
$two->status();

is($two->{code}, 'NetConnection.Connect.Rejected', 'the place is taken');
ok(!$one->is_closed(0), 'it stays');
$one->send_media(@media);
is($o->wait_media(media_digest(@media, @media)), media_digest(@media, @media),
    'media goes on');
$two->close();

# ... and one that is silent indeed

kill('STOP', $pid);
silent();

$two = publisher('cam1', no_wait => 1);
is(wait_until(sub { grep { $_->{state} eq 'relay' } sessions('live') }), 1,
    'waits for it');

kill('CONT', $pid);
$two->status();

is($two->{code}, 'NetStream.Publish.Start', 'takes over in the end');
is(told($one), 'error NetStream.Publish.BadName replaced by another publisher',
    'the old one is told');
ok($one->is_closed(3), 'the old one is closed');

# a newcomer that does not wait so long

$pid = owner('live/cam1');
silent();
kill('STOP', $pid);

$one = publisher('cam1', no_wait => 1);
sleep(0.5);
$one->close();
sleep(0.1);
kill('CONT', $pid);

ok($two->is_closed(5), 'the old one is closed for one that has left');
ok(wait_sessions('live', 0), 'nobody is left');

# a process that was killed

$one = publisher('cam2');
is($one->{code}, 'NetStream.Publish.Start', 'published again');

$pid = owner('live/cam2');
kill('KILL', $pid);
ok($one->is_closed(5), 'its client');

$two = publisher('cam2');
is($two->{code}, 'NetStream.Publish.Start', 'after a process was killed');
ok(wait_sessions('live', 1), 'sessions after a process was killed');

ok(wait_until(sub { 2 == workers() }), 'another process');

# an old process after a reload

$pid = owner('live/cam2');
$old = join(' ', workers());
$t->reload();

ok(wait_until(sub {
    return 2 == grep { " $old " !~ / $_ / } workers();
}, 5), 'reload');

silent();

$one = publisher('cam2');
is($one->{code}, 'NetStream.Publish.Start', 'after reload');
isnt(owner('live/cam2'), $pid, 'in a new process');
is(told($two), 'error NetStream.Publish.BadName replaced by another publisher',
    'the old process tells');
ok($two->is_closed(3), 'the old process closes');
is(wait_log($t, 'stream.log', qr/^($pid cam2.*)/m), "$pid cam2 200 replaced",
    'the old process logs');
ok(wait_until(sub { !grep { $_ == $pid } workers() }, 5),
    'the old process leaves');

###############################################################################

# A name has one publisher, and is free again when its connection has ended.

sub busy {
    my ($dir) = @_;

    return sub {
        my ($c, $m, $origin) = @_;

        return 0 unless $m->{name} eq 'publish';

        open($origin->{lock}, '>', "$dir/lock-$m->{args}[1]")
            or die "Can't open a lock: $!\n";

        return 0 if flock($origin->{lock}, LOCK_EX|LOCK_NB);

        return $origin->status('Publish.BadName', 'Already publishing');
    };
}

sub publisher {
    my ($name, %opt) = @_;

    return rtmp_publish('127.0.0.1:' . port(8082), 'live', $name, %opt,
        timeout => 8);
}

# Somewhat longer than what osp_upstream_takeover says.

sub silent {
    sleep(1.2);
}

# What came after the first status.

sub told {
    my ($c) = @_;
    my $m = $c->read_command('onStatus');

    return 'nothing' unless $m;
    return join(' ', @{$m->{args}[-1]}{qw/ level code description /});
}

sub owner {
    my ($stream) = @_;
    my ($s) = grep { $_->{stream} eq $stream } sessions('live');

    return $s ? $s->{pid} : 0;
}

sub workers {
    my @list;

    for (split(/\n/, `ps -o pid=,args= --ppid $t->{_master}`)) {
        push @list, $1 if /^\s*(\d+) .*worker process/;
    }

    return @list;
}

###############################################################################
