#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_no_input with ffmpeg and nginx-rtmp: two servers have
# the same streams, one is killed or stopped, and players notice nothing.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->has_daemon('ffprobe');

need_media($t)->plan(22);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081 max_fails=0;
    server 127.0.0.1:8082 max_fails=0 backup;
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

    server {
        listen                127.0.0.1:8090;
        osp_upstream          live;
        osp_upstream_no_input 1s;
    }
}
EOF_CONF

my $file = media_file($t, 'cam1.flv', seconds => 8);
my (%publisher, $player, $sound, @got);

start(1);
start(2);

$t->run();

# the second one has begun later, its times are others

feed(1);
select undef, undef, undef, 0.7;
feed(2);

$player = player('killed');
$sound = player('sound', '-vn');
ok(passed('killed', 100000), 'killed, player has begun');
ok(passed('sound', 5000), 'killed, player of sound has begun');
is(place(), port(8081), 'killed, where it is');

kill_origin(1, 'KILL');
ok(goes_on('killed', 100000), 'killed, player goes on');
ok(goes_on('sound', 5000), 'killed, player of sound goes on');
is(place(), port(8082), 'killed, where it is then');
ends('killed', $player);
$sound->stop('INT');
is(order('sound'), 'ok', 'sound, times');

# a server that hangs, and then goes on

$publisher{1}->stop();
start(1);
feed(1);

$player = player('stopped');
ok(passed('stopped', 100000), 'stopped, player has begun');
$sound = place();

kill_origin($sound == port(8081) ? 1 : 2, 'STOP');
ok(goes_on('stopped', 100000), 'stopped, player goes on');
isnt(place(), $sound, 'stopped, where it is');
kill_origin($sound == port(8081) ? 1 : 2, 'CONT');
ends('stopped', $player);

# the stream ends at one of them: its encoder has gone

feed(1);
feed(2);

$player = player('ended');
ok(passed('ended', 100000), 'ended, player has begun');
$sound = place();
$publisher{$sound == port(8081) ? 1 : 2}->stop('INT');
ok(goes_on('ended', 100000), 'ended, player goes on');
isnt(place(), $sound, 'ended, where it is');
ends('ended', $player);

$_->stop() for values %publisher;

###############################################################################

sub start {
    my ($n) = @_;

    unlink($t->testdir() . "/origin$n.pid");

    nginx_rtmp($t, "origin$n", <<"EOF_CONF") or die "Can't start nginx-rtmp\n";
master_process off;

rtmp {
    server {
        listen 127.0.0.1:808$n;

        application live {
            live on;
        }
    }
}
EOF_CONF
}

sub kill_origin {
    my ($n, $signal) = @_;

    kill($signal, $t->read_file("origin$n.pid"));
}

# An encoder that lasts.

sub feed {
    my ($n) = @_;

    $publisher{$n}->stop() if $publisher{$n};

    $publisher{$n} = publish($t, "publisher$n", $file,
        'rtmp://127.0.0.1:' . port("808$n") . '/live/cam1',
        qw/ -readrate 1 -stream_loop -1 /);
}

# A player that writes what it gets.

sub player {
    my ($name, @options) = @_;

    return Test::Nginx::Media::program($t, $name, qw/ ffmpeg -v warning
        -nostdin -analyzeduration 1000000 -i /,
        'rtmp://127.0.0.1:' . port(8090) . '/live/cam1', @options,
        qw/ -c copy -flush_packets 1 -y -f flv /, file($name));
}

sub file {
    my ($name) = @_;

    return $t->testdir() . "/$name.flv";
}

sub size {
    my ($name) = @_;

    return -s file($name) || 0;
}

sub passed {
    my ($name, $size) = @_;

    return wait_until(sub { size($name) > $size }, 10);
}

sub goes_on {
    my ($name, $more) = @_;
    my ($size) = (size($name));

    return passed($name, $size + $more);
}

# What it has got: pictures and sound with times that grow, all of which can be
# decoded.

sub ends {
    my ($name, $player) = @_;

    ok($player->is_running(), "$name, player is there");
    $player->stop('INT');

    is(order($name), 'ok', "$name, times");
    is(join(' ', grep { !/^\d+$/ } split(/\n/, probe($name,
        'stream=nb_read_frames -count_frames'))), '', "$name, pictures");
}

sub probe {
    my ($name, $what) = @_;
    my $file = file($name);

    return `ffprobe -v error -of csv=p=0 -show_entries $what $file 2>&1`;
}

# Times of packets in the order in which they came, no gap of which is longer
# than the time without a server.

sub order {
    my ($name) = @_;
    my (%last, $n);

    for my $line (split(/\n/, probe($name, 'packet=stream_index,dts_time'))) {
        my ($stream, $dts) = split(/,/, $line);

        return "$stream: $dts after $last{$stream}"
            if defined $last{$stream} && ($dts <= $last{$stream}
                || $dts > $last{$stream} + 6);

        $last{$stream} = $dts;
        $n++;
    }

    return $n && $n > 20 ? 'ok' : 'few';
}

sub place {
    my ($s) = sessions('live');

    return $s && $s->{upstream} =~ /:(\d+)$/ ? $1 : 'nowhere';
}

###############################################################################
