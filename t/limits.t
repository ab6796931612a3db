#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for max_conns and max_streams of servers with RTMP sessions.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use POSIX ();

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(36);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 3;

events {
    accept_mutex off;
}

rtmp_route one {
    zone   one 1m;
    server 127.0.0.1:8081 max_streams=1;
}

rtmp_route conns {
    zone   conns 1m;
    server 127.0.0.1:8081 max_conns=1;
    server 127.0.0.1:8082 max_conns=1;
    server 127.0.0.1:8083 max_conns=1 backup;
}

rtmp_route race {
    zone   race 1m;
    server 127.0.0.1:8081 max_streams=1;
    server 127.0.0.1:8082 max_streams=1;
    server 127.0.0.1:8083 max_streams=1 backup;
}

rtmp_route busy {
    zone   busy 1m;
    server 127.0.0.1:8084 max_streams=1;
}

rtmp_route late {
    zone   late 1m;
    server 127.0.0.1:8085 max_streams=1;
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

    log_format test '$server_port|$status|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server { listen 127.0.0.1:8091; osp_upstream one; }
    server { listen 127.0.0.1:8092; osp_upstream conns; }
    server { listen 127.0.0.1:8093; osp_upstream race; }
    server { listen 127.0.0.1:8094; osp_upstream busy; }
    server { listen 127.0.0.1:8095; osp_upstream late; }
}

EOF_CONF

rtmp_origin($t, port($_)) for 8081, 8082, 8083;

rtmp_origin($t, port(8084), publish => 'busy', times => 1);
rtmp_origin($t, port(8085), publish => 'denied');

$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $rejected = 'NetConnection.Connect.Rejected';
my ($one, $two, $c, @c);

# a server for one publisher

$one = rtmp_publish(port(8091), 'live', 'a');

is($one->{code}, $start, 'one');
ok(wait_sessions('one', 1), 'is there');

$two = rtmp_publish(port(8091), 'live', 'b');

is($two->{code}, $rejected, 'not two');
is($two->{description}, 'no server has room', 'for lack of room');
ok($two->is_closed(2), 'closed');

is(rtmp_play(port(8091), 'live', 'a')->{code}, 'NetStream.Play.Start',
    'players do not matter');

$one->close();
ok(wait_sessions('one', 0), 'all have gone');

$two = rtmp_publish(port(8091), 'live', 'b');

is($two->{code}, $start, 'the place was free');
is(rtmp_publish(port(8091), 'live', 'a')->{code}, $rejected,
    'a stream that was there once has no place');

my ($s) = servers('one');

is("$s->{streams} $s->{conns}", '1 1', 'counted');

# its limit is changed below what is there, and away

patch('one', $s->{id}, max_streams => 2);
$one = rtmp_publish(port(8091), 'live', 'a');
is($one->{code}, $start, 'raised');
ok(wait_sessions('one', 2), 'two');

patch('one', $s->{id}, max_streams => 1);
is(rtmp_publish(port(8091), 'live', 'c')->{code}, $rejected, 'lowered');
$one->close();
ok(wait_sessions('one', 1), 'one has left');
is(rtmp_publish(port(8091), 'live', 'c')->{code}, $rejected, 'is enough');

patch('one', $s->{id}, max_streams => 0);
$c = rtmp_publish(port(8091), 'live', 'c');
is($c->{code}, $start, 'no limit');

$_->close() for $two, $c;

# the next server of the hash, backups when no other has room

@c = map { rtmp_play(port(8092), 'live', 'cam') } 1 .. 3;

is(join(' ', map { $_->{code} } @c),
    join(' ', ('NetStream.Play.Start') x 3), 'three servers');
is(conns('conns'), '1 1 1', 'one for each');

my @ids = map { $_->{server} } sessions('conns');

is(scalar(@ids), 3, 'sessions');
is(rtmp_play(port(8092), 'live', 'cam')->{code}, $rejected, 'full');

$c[2]->close();
ok(wait_sessions('conns', 2), 'the backup is free');
$c[2] = rtmp_play(port(8092), 'live', 'cam');
is($c[2]->{code}, 'NetStream.Play.Start', 'taken again');

$_->close() for @c;
ok(wait_conns('conns', '0 0 0'), 'none is counted');

# many at once, in all workers

my @codes = race(12, sub {
    return rtmp_publish(port(8093), 'live', "race$_[0]");
});

is(scalar(grep { $_ eq $start } @codes), 3, 'as many as there are places');
is(scalar(grep { $_ eq $rejected } @codes), 9, 'and no more');

ok(wait_conns('race', '0 0 0'), 'none is counted');
is(join(' ', map { $_->{streams} } servers('race')), '0 0 0', 'no streams');

# a publisher that the server refuses has no place, though it stays

$one = rtmp_publish(port(8094), 'live', 'a');

is($one->{code}, 'NetStream.Publish.BadName', 'refused');
is(conns('busy'), '1', 'it is there');

$two = rtmp_publish(port(8094), 'live', 'b');

is($two->{code}, $start, 'its place is another one\'s');
is((servers('busy'))[0]{streams}, 1, 'which is live');

$_->close() for $one, $two;

is(join(' ', map { rtmp_publish(port(8095), 'live', "cam$_")->{code} }
    1 .. 3), join(' ', ('NetStream.Publish.Denied') x 3), 'denied, each');

# one stream after the other on the same connection

patch('one', $s->{id}, max_streams => 1);
ok(wait_sessions('one', 0), 'none');

$one = rtmp_publish(port(8091), 'live', 'first');
$one->send_media(media_messages(3));
$one->send_command('deleteStream', 7, undef, amf_num(1), \{ csid => 3 });
$one->publish('second');

is($one->{code}, $start, 'in its own place');

$one->close();
$t->stop();

my %log;

for (split(/^/, $t->read_file('stream.log'))) {
    my ($port, $end) = /^(.*?)\|(.*)$/;
    $log{$port}{$end}++;
}

is($log{port(8091)}{'503|limit_server'}, 4, 'logged');
is($log{port(8093)}{'503|limit_server'}, 9, 'each');

###############################################################################

# The code of each, in processes of their own that begin together and end when
# all have an answer.

sub race {
    my ($n, $code) = @_;
    my (@codes, @pids);

    pipe(my $ready, my $go) or die;
    pipe(my $in, my $out) or die;

    for my $i (1 .. $n) {
        my $pid = fork();

        if (!$pid) {
            close($go);
            close($in);
            sysread($ready, my $buf, 1);

            my $c = $code->($i);

            syswrite($out, ($c ? $c->{code} : 'none') . "\n");
            close($out);
            $SIG{TERM} = 'DEFAULT';
            sleep(30);
            POSIX::_exit(0);
        }

        push @pids, $pid;
    }

    close($out);
    close($ready);
    close($go);

    for (1 .. $n) {
        my $line = <$in>;

        last unless defined $line;
        chomp($line);
        push @codes, $line;
    }

    kill('KILL', @pids);
    waitpid($_, 0) for @pids;

    return @codes;
}

###############################################################################
