#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_limit_conn: publishers that come back, worker processes
# that are killed, reloads, several streams on a connection.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(45);

$t->{_ignore_alerts} = qr/worker process \d+ exited on signal 9/;

configure('$server_port 2');

rtmp_origin($t, port(8081));

$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $playing = 'NetStream.Play.Start';
my $rejected = 'NetConnection.Connect.Rejected';
my $busy = 'too many connections, the limit is 1 publisher';
my ($c, @c, @old);

# an encoder whose session hangs comes back: it is not in its own way

@old = publish(8091, 'cam');
is($old[0]{code}, $start, 'published');

$c = publish(8091, 'cam');
is("$c->{code} $c->{description}", "$rejected $busy",
    'its session is not silent');

sleep(2.3);

$c = publish(8091, 'other');
is("$c->{code} $c->{description}", "$rejected $busy", 'not for another name');
ok(!$old[0]->is_closed(0.2), 'which ends nothing');

@c = map { publish(8091, 'cam', no_wait => 1) } 1 .. 4;
$_->status() for @c;

is(scalar(grep { $_->{code} eq $start } @c), 1, 'one of several');
is(scalar(grep { $_->{description} eq $busy } @c), 3, 'others are refused');
ok($old[0]->is_closed(3), 'the old one had to go');
$_->close() for @c;

# where the old one does not go, whatever it does

@old = publish(8092, 'cam');
sleep(2.2);
$c = publish(8092, 'cam');
is("$c->{code} $c->{description}", "$rejected $busy", 'takeover off');
ok(!$old[0]->is_closed(0.2), 'it is there');
$_->close() for @old;

# where it goes at once

@old = publish(8093, 'cam');
is($old[0]{code}, $start, 'first');

for (1 .. 5) {
    push @old, publish(8093, 'cam');
    is($old[-1]{code}, $start, 'takeover on');
}

is(publish(8093, 'other')->{code}, $rejected, 'another name');
$_->close() for @old;

# worker processes that are killed

for my $round (1 .. 2) {
    @old = map { publish(8094, "$round-$_") } 1 .. 4;
    is(codes(@old), join(' ', ($start) x 4), 'published');
    is(publish(8094, 'more')->{code}, $rejected, 'full');

    kill_workers(map { $_->{pid} } sessions('live'));

    @c = map { publish(8094, "n$round-$_") } 1 .. 4;
    is(codes(@c), join(' ', ($start) x 4), 'as many again');
    is(publish(8094, 'more')->{code}, $rejected, 'no more');

    $_->close() for @old, @c;
    wait_sessions('live', 0);
}

# a connection that names several streams

@c = play(8091, 'one');
is($c[0]{code}, $playing, 'players are not limited');

$c[0]->publish('two', timeout => 5);
is($c[0]{code}, $start, 'publishes, too');
$c = publish(8091, 'three');
is($c->{description}, $busy, 'which counts');

push @c, play(8091, 'one');
$c[1]->publish('four');
isnt($c[1]{code}, $start, 'in both ways');
like(wait_log($t, 'stream.log', qr/^(four\|.*)/m), qr/\|503\|limit$/,
    'for that reason');

$c[0]->publish('five');
is($c[0]{code}, $start, 'one place for all of a connection');
$_->close() for @c;

@c = again(8091, 'six');
$c[0]->send_command('FCUnpublish', 6, undef, 'six', \{ csid => 3 });
$c[0]->send_command('deleteStream', 7, undef, 1, \{ csid => 3 });
$c[0]->publish('seven');
is($c[0]{code}, $start, 'one after the other');
$c = publish(8091, 'eight');
is($c->{description}, $busy, 'counts once');
$_->close() for @c;

is(again(8091, 'nine')->{code}, $start, 'all were given back');

# of how many it is that counts is limited, too

@c = play(8096, 'one');
is($c[0]{code}, $playing, 'played');

$c[0]->send_command('play', 4, undef, "one$_", -2000, \{ csid => 8,
    msid => 1 + $_ }) for 1 .. 400;

ok($c[0]->is_closed(5), 'very many streams');

@c = publish(8091, 'cam');
is($c[0]{code}, $start, 'there is room for others');
$c = publish(8091, 'other');
is($c->{description}, $busy, 'which are counted');
$_->close() for @c;
wait_sessions('live', 0);

# reloads

@old = map { publish(8095, "cam$_") } 1 .. 2;
is(codes(@old), "$start $start", 'published');
is(publish(8095, 'cam3')->{code}, $rejected, 'full');

reload('$server_port 3');

push @old, publish(8095, 'cam3');
is($old[2]{code}, $start, 'a higher limit');
is(publish(8095, 'cam4')->{code}, $rejected,
    'sessions of old workers count');

reload('$server_port 2');

(shift @old)->close();
is(publish(8095, 'cam4')->{code}, $rejected, 'a lower limit');
(shift @old)->close();
push @old, again(8095, 'cam4');
is($old[1]{code}, $start, 'after the end of sessions of old workers');
is(publish(8095, 'cam5')->{code}, $rejected, 'of one each');

$_->close() for @old;
wait_sessions('live', 0);

unlike($t->read_file('error.log'), qr/was made by another|were rebuilt/,
    'the zone is taken over');

###############################################################################

sub publish {
    my ($port, $name, %opt) = @_;

    return rtmp_publish(port($port), 'live', $name, %opt);
}

sub play {
    my ($port, $name) = @_;

    return rtmp_play(port($port), 'live', $name);
}

# Once more if another worker has not heard yet of the end of a connection.

sub again {
    my ($port, $name) = @_;
    my $c;

    wait_until(sub {
        $c = publish($port, $name);
        return $c->{code} ne $rejected;
    });

    return $c;
}

sub codes {
    return join(' ', map { $_->{code} } @_);
}

sub configure {
    my ($limit) = @_;

    $t->write_file_expand('nginx.conf', <<'EOF_CONF' . <<EOF_LIMIT);

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
    accept_mutex off;
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
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

    log_format test '$rtmp_stream|$status|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_takeover   idle=2s;
    osp_upstream_limit_conn $server_port 1 publish;

    osp_upstream_limit_conn_zone_size 32k;

    server {
        listen       127.0.0.1:8091;
        osp_upstream live;
    }

    server {
        listen                127.0.0.1:8092;
        osp_upstream          live;
        osp_upstream_takeover off;
    }

    server {
        listen                127.0.0.1:8093;
        osp_upstream          live;
        osp_upstream_takeover on;
    }

    server {
        listen                  127.0.0.1:8094;
        osp_upstream            live;
        osp_upstream_limit_conn $server_port 4 publish;
    }

    server {
        listen                  127.0.0.1:8096;
        osp_upstream            live;
        osp_upstream_limit_conn $rtmp_stream 9 play;
    }
EOF_CONF

    server {
        listen                  127.0.0.1:8095;
        osp_upstream            live;
        osp_upstream_limit_conn $limit;
    }
}

EOF_LIMIT
}

# Until all workers of before have been told to leave.

sub reload {
    my @before = hls_workers($t);

    configure(@_);
    $t->reload();

    wait_until(sub { !grep { !is_exiting($_) } @before }, 10);
}

sub is_exiting {
    my ($pid) = @_;

    open(my $fh, '<', "/proc/$pid/cmdline") or return 1;

    # none if it has just gone

    return (readline($fh) || 'gone') =~ /shutting down|^gone/;
}

sub kill_workers {
    my %pids = map { $_ => 1 } @_;

    kill('KILL', keys %pids);

    wait_until(sub { !grep { kill(0, $_) } keys %pids });
}

###############################################################################
