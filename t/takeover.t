#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_takeover: an encoder comes back while its old session
# hangs.

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

my @refused = (
    # arguments, message
    ['', 'invalid number of arguments in "osp_upstream_takeover"'],
    ['maybe', 'invalid parameter "maybe", it must be "off", "on" or'],
    ['idle', 'invalid parameter "idle"'],
    ['idle=', 'invalid time in "idle="'],
    ['idle=soon', 'invalid time in "idle=soon"'],
    ['idle=0', 'time in "idle=0" must not be zero'],
    ['on idle=3s', 'invalid number of arguments'],
    ['on; osp_upstream_takeover off', 'directive is duplicate'],
);

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(@refused + 40);

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

rtmp_route narrow {
    zone    narrow 1m;
    key     app/stream secret;
    server  127.0.0.1:8082 max_streams=1 max_conns=1;
}

rtmp_route slow {
    zone    slow 1m;
    server  127.0.0.1:8083;
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

    log_format test '$rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_takeover idle=1s;

    server {
        listen        127.0.0.1:8084;
        osp_upstream  live;
    }

    server {
        listen                 127.0.0.1:8085;
        osp_upstream           live;
        osp_upstream_takeover  off;
    }

    server {
        listen                 127.0.0.1:8086;
        osp_upstream           live;
        osp_upstream_takeover  on;
    }

    server {
        listen        127.0.0.1:8087;
        osp_upstream  narrow;
    }

    server {
        listen        127.0.0.1:8088;
        osp_upstream  slow;
    }

    server {
        listen                 127.0.0.1:8089;
        osp_upstream           live;
        osp_upstream_takeover  idle=1h;
    }

    server {
        listen                 127.0.0.1:8090;
        osp_upstream           live;
        osp_upstream_takeover  idle=3s;
    }
}

EOF_CONF

my $o = rtmp_origin($t, port(8081), before => busy(1, 'busy', 0));

rtmp_origin($t, port(8082), before => busy(2, 'busy', 0));
rtmp_origin($t, port(8083), before => busy(3, 'close', 0.7));

$t->run();

###############################################################################

my @media = media_messages(10);
my @other = media_messages(20);
my ($two, $start, @all, %old);

for (1 .. 5) {
    $old{"cam$_"} = publisher(8084, "cam$_");
    is($old{"cam$_"}{code}, 'NetStream.Publish.Start', "published cam$_");
}

$old{narrow} = publisher(8087, 'cam6');
is($old{narrow}{code}, 'NetStream.Publish.Start', 'the only place');
isnt(publisher(8087, 'other')->{code}, 'NetStream.Publish.Start',
    'no place for another one');

$old{slow} = publisher(8088, 'cam7');
is($old{slow}{code}, 'NetStream.Publish.Start', 'published to a slow origin');

my $sender = sender($old{cam2});

silent(1);

# who was silent for some time has to go

$start = time();
$two = publisher(8084, 'cam1');

is($two->{code}, 'NetStream.Publish.Start', 'published again');
cmp_ok(time() - $start, '<', 3, 'at once');
is(told($old{cam1}), 'error NetStream.Publish.BadName replaced by another '
    . 'publisher', 'the old one is told');
ok($old{cam1}->is_closed(3), 'the old one is closed');
is(logged('cam1'), 'cam1 200 replaced', 'the old one is logged');
is(scalar(grep { $_->{stream} eq 'live/cam1' } sessions('live')), 1,
    'one session');

$two->send_media(@other);
ok(wait_until(sub {
    return grep { $_->{digest} eq media_digest(@other) }
        $o->events(event => 'media');
}), 'media of the new one');
ok(!$two->is_closed(0), 'the new one stays');

# of several one is taken, and the others hear of it

@all = map { publisher(8084, 'cam3', no_wait => 1) } 1 .. 4;
$_->status() for @all;

is(scalar(grep { $_->{code} eq 'NetStream.Publish.Start' } @all), 1,
    'one of several');
is(scalar(grep { $_->{code} eq 'NetStream.Publish.BadName' } @all), 3,
    'others are refused');
ok($old{cam3}->is_closed(3), 'old one of several');

# limits, and keys that are secret

$two = publisher(8087, 'cam6');
is($two->{code}, 'NetStream.Publish.Start', 'the only place is taken over');
ok($old{narrow}->is_closed(3), 'old one of the only place');
is(conns('narrow'), '1', 'connections of the server');

# an origin that is slow to see the end, and refuses by a close

$two = publisher(8088, 'cam7');
is($two->{code}, 'NetStream.Publish.Start', 'tried again');
is(wait_log($t, 'error.log', qr/(upstream still has the stream)/),
    'upstream still has the stream', 'it was refused before');
is(wait_log($t, 'error.log', qr/(trying again in 250 ms)/),
    'trying again in 250 ms', 'several times');
is(scalar(sessions('slow')), 1, 'one session with a slow origin');

# where all are trusted it needs no silence; where nobody is, and for a player,
# there is none that is long enough

$two = publisher(8086, 'cam4');
is($two->{code}, 'NetStream.Publish.Start', 'takeover on');

$two->send_media(@media);
$two = publisher(8086, 'cam4');
is($two->{code}, 'NetStream.Publish.Start', 'takeover on, at once');
is(logged('cam4'), 'cam4 200 replaced', 'logged');

is(publisher(8085, 'cam5')->{code}, 'NetStream.Publish.BadName',
    'takeover off');
is(publisher(8089, 'cam5')->{code}, 'NetStream.Publish.BadName',
    'not long enough');
is(rtmp_play('127.0.0.1:' . port(8086), 'live', 'cam5')->{code},
    'NetStream.Play.Start', 'player');
ok(!$old{cam5}->is_closed(0), 'silent one stays');

# who is not silent stays, and the origin answers as ever

silent(2);

$start = time();
$two = publisher(8090, 'cam2');

is($two->{code}, 'NetStream.Publish.BadName', 'one that sends is not replaced');
is($two->{description}, 'Already publishing', 'the origin says so');
cmp_ok(time() - $start, '<', 3, 'it says so at once');
is(stop_sender($sender), 0, 'media goes on');
$two->close();

# that one is silent from here on, and its client goes while others wait

silent(1);

@all = map { publisher(8084, 'cam2', no_wait => 1) } 1 .. 2;
$_->close() for $old{cam2}, @all;

ok(wait_until(sub {
    return !grep { $_->{stream} eq 'live/cam2' } sessions('live');
}, 5), 'nobody is left');

# a name that is free again

is(publisher(8084, 'cam2')->{code}, 'NetStream.Publish.Start', 'free again');

is(scalar(() = $t->read_file('error.log') =~ /does not end/g), 0,
    'all have ended');

# what is refused

for my $case (@refused) {
    like(check($case->[0]), qr/\[emerg\] .*\Q$case->[1]\E/,
        "osp_upstream_takeover $case->[0]");
}

###############################################################################

# A name has one publisher, and is free again some time after its connection
# has ended.

sub busy {
    my ($server, $how, $delay) = @_;
    my $dir = $t->testdir();

    return sub {
        my ($c, $m, $origin) = @_;

        return 0 unless $m->{name} eq 'publish';

        open(my $fh, '>', "$dir/lock-$server-$m->{args}[1]")
            or die "Can't open a lock: $!\n";

        if (flock($fh, LOCK_EX|LOCK_NB)) {
            $origin->{lock} = $fh;
            keep($fh, $delay) if $delay;
            return 0;
        }

        if ($how eq 'close') {
            CORE::shutdown($c->{socket}, 2);

        } else {
            $origin->status('Publish.BadName', 'Already publishing');
        }

        return 1;
    };
}

# Holds a lock for some time longer than this process lives.

sub keep {
    my ($fh, $delay) = @_;
    my ($pid, $parent);

    $parent = $$;
    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    return if $pid;

    $SIG{$_} = 'DEFAULT' for qw/ TERM INT /;

    sleep(0.02) while getppid() == $parent;
    sleep($delay);

    POSIX::_exit(0);
}

sub publisher {
    my ($port, $name, %opt) = @_;

    return rtmp_publish('127.0.0.1:' . port($port), 'live', $name, %opt,
        timeout => 8);
}

# Somewhat longer than what osp_upstream_takeover says.

sub silent {
    my ($seconds) = @_;

    sleep($seconds + 0.2);
}

# What came after the first status.

sub told {
    my ($c) = @_;
    my $m = $c->read_command('onStatus');

    return 'nothing' unless $m;
    return join(' ', @{$m->{args}[-1]}{qw/ level code description /});
}

sub logged {
    my ($name, $reason) = @_;
    my $line;

    $reason = '\S+' unless defined $reason;

    wait_until(sub {
        ($line) = $t->read_file('stream.log') =~ /^($name \d+ $reason)$/m;
        return defined $line;
    }, 3);

    return $line;
}

# Media of a client again and again, by a process of its own.

sub sender {
    my ($c) = @_;
    my $pid = fork();

    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{TERM} = 'DEFAULT';

        while (getppid() != 1 && $c->send_media(@media)) {
            sleep(0.1);
        }

        POSIX::_exit(1);
    }

    return $pid;
}

sub check {
    my ($args) = @_;
    my $dir = $t->testdir();

    $t->write_file_expand('refused.conf', <<EOF);

%%TEST_GLOBALS%%

events {
}

stream {
    osp_upstream_takeover  $args;
}

EOF

    return `$Test::Nginx::NGINX -t -p $dir/ -c refused.conf -e stderr 2>&1`;
}

# What it has ended with: 0 unless it could not send any more.

sub stop_sender {
    my ($pid) = @_;

    kill('TERM', $pid);
    waitpid($pid, 0);

    return $? >> 8;
}

###############################################################################
