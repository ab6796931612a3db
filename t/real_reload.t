#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream with ffmpeg and nginx-rtmp: a reload and the death of
# a worker in the middle of a broadcast.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_media($t)->plan(51);

$t->{_ignore_alerts} = qr/exited on signal 9/;

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_processes WORKERS;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
    }
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

EOF_CONF

workers($t, 2);

nginx_rtmp($t, 'origin', <<'EOF_CONF') or die "Can't start nginx-rtmp\n";

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:8090;

        application live {
            live     on;
            wait_key off;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $origin = 'rtmp://127.0.0.1:' . port(8090) . '/live';
my $proxy = 'rtmp://127.0.0.1:' . port(8081) . '/live';

my $file = media_file($t, 'cam1.flv', seconds => 3);
my $want = file_packets($t, $file);

like($want, qr/^audio 1\d\d \w+, video 76 \w+$/, 'source');

for my $n (2, 4) {
    if ($n != 2) {
        workers($t, $n);
        $t->reload();
    }

    ok(wait_until(sub { worker_pids($t) == $n }), "$n workers");

    test_reload($t, $n);
    test_kill($t, $n);
}

# Half of a broadcast before the reload, half of it behind.

sub test_reload {
    my ($t, $n) = @_;
    my (@before, @sessions, %player, %publisher);

    for my $name ("old$n", "new$n") {
        $player{$name} = play($t, "play-$name", "$proxy/$name");
        wait_log($t, 'origin.log', qr/(play: name='$name')/);

        $publisher{$name} = publish($t, $name, '-', "$proxy/$name");
        $publisher{$name}->feed($file, 0, 0.5);

        ok($player{$name}->has_packets(), "$n: $name is played");
        next if $name eq "new$n";

        @before = worker_pids($t);
        $t->reload();
        ok(wait_until(sub { new_workers($t, @before) == $n }),
            "$n: new workers");

        # old ones accept connections for a moment yet

        wait_until(sub { !grep { !is_exiting($_) } @before });
    }

    ok(wait_sessions('live', 4), "$n: sessions of old and new workers");

    @sessions = grep { is_one_of($_->{pid}, @before) } sessions('live');

    is(join(' ', map { $_->{stream} } @sessions), "live/old$n live/old$n",
        "$n: sessions of old workers");
    is(conns('live'), '4', "$n: conns");
    is(streams("old$n", "new$n"), "old$n 1 1 new$n 1 1", "$n: streams");

    $_->feed($file, 0.5, 1) for values %publisher;

    for my $name ("old$n", "new$n") {
        is($publisher{$name}->wait(), 0, "$n: publisher of $name");
        is($player{$name}->wait_packets($want), $want, "$n: packets of $name");
        $player{$name}->stop('KILL');
    }

    ok(wait_until(sub { worker_pids($t) == $n }), "$n: old workers ended");
    is(counters(), '0 conns, 0 publishers, 0 players, 0 sessions',
        "$n: nothing counted");
}

# Two publishers on two workers, one of which is killed.

sub test_kill {
    my ($t, $n) = @_;
    my ($victim, $dead, $alive, %pid, %player, %publisher);

    ($dead, $alive) = ("dead$n", "alive$n");

    for my $name ($dead, $alive) {
        $player{$name} = play($t, "play-$name", "$origin/$name");
        wait_log($t, 'origin.log', qr/(play: name='$name')/);

        # a stopped worker accepts nothing

        kill('STOP', $victim) if $victim;

        $publisher{$name} = publish($t, $name, '-', "$proxy/$name");
        $publisher{$name}->feed($file, 0, 0.5);
        $player{$name}->has_packets();

        %pid = map { ($_->{stream} => $_->{pid}) } sessions('live');
        $victim = $pid{"live/$dead"};
    }

    kill('CONT', $victim) if $victim;

    ok($victim && $victim != ($pid{"live/$alive"} || $victim),
        "$n: publishers on two workers") or return;
    is(streams($dead, $alive), "$dead 1 0 $alive 1 0", "$n: streams");

    kill('KILL', $victim);

    ok(wait_sessions('live', 1), "$n: session of the other");
    is(conns('live'), '1', "$n: conns of the other");
    is(streams($dead, $alive), "$dead 0 0 $alive 1 0",
        "$n: streams of the other");

    $_->feed($file, 0.5, 1) for values %publisher;

    like($publisher{$dead}->wait(), qr/^[1-9]/, "$n: publisher of the dead");
    is($publisher{$alive}->wait(), 0, "$n: other publisher");
    is($player{$alive}->wait_packets($want), $want, "$n: packets of the other");

    # a worker in place of the dead one; the name is free again

    ok(wait_until(sub { worker_pids($t) == $n }), "$n: another worker");

    is(publish($t, "again-$n", $file, "$proxy/$dead")->wait(), 0,
        "$n: published again");
    is(counters(), '0 conns, 0 publishers, 0 players, 0 sessions',
        "$n: nothing counted");

    $_->stop('KILL') for values %player;
}

###############################################################################

sub workers {
    my ($t, $n) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/WORKERS/$n/r);
}

sub worker_pids {
    my ($t) = @_;
    my ($master) = $t->read_file('nginx.pid') =~ /(\d+)/;

    return split(' ', `cat /proc/$master/task/$master/children`);
}

sub new_workers {
    my ($t, @before) = @_;

    return grep { !is_one_of($_, @before) } worker_pids($t);
}

sub is_exiting {
    my ($pid) = @_;

    open(my $fh, '<', "/proc/$pid/cmdline") or return 1;

    # none if it has just gone

    return (readline($fh) || 'gone') =~ /shutting down|^gone/;
}

sub is_one_of {
    my ($value, @list) = @_;

    return scalar(grep { $_ == $value } @list);
}

# publishers and players

sub streams {
    my (@names) = @_;
    my $streams = api('GET', 'live/streams/') || {};

    return join(' ', map {
        my $s = $streams->{"live/$_"} || {};
        ($_, $s->{publishers} || 0, $s->{players} || 0);
    } @names);
}

# All together, once they are zero.

sub counters {
    my ($text, %sum);

    wait_until(sub {
        my $streams = api('GET', 'live/streams/');

        $sum{$_} = 0 for qw/ publishers players /;

        for my $s (values %$streams) {
            $sum{$_} += $s->{$_} for qw/ publishers players /;
        }

        $text = conns('live') . " conns, $sum{publishers} publishers, "
            . "$sum{players} players, " . scalar(sessions('live'))
            . ' sessions';

        return $text !~ /[1-9]/;
    });

    return $text;
}

###############################################################################
