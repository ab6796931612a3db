#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_resume with ffmpeg and nginx-rtmp: the origin is
# killed, and the encoder goes on as if nothing had happened.

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

need_media($t)->plan(14);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
    server 127.0.0.1:8082 backup;
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

    log_format test '$rtmp_command|$upstream_addr|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen              127.0.0.1:8090;
        osp_upstream        live;
        osp_upstream_resume on;
    }
}
EOF_CONF

my $file = media_file($t, 'cam1.flv', seconds => 8);
my @frames = file_frames($t, $file);
my $sound = $t->testdir() . '/cam2.flv';
my ($player, $publisher, @got);

system('ffmpeg', qw/ -v error -nostdin -i /, $file, qw/ -vn -c copy /, $sound)
    == 0 or die "Can't make $sound\n";

start(1);
start(2);

$t->run();

# pictures: all from a key frame on, as they were

$publisher = publish($t, 'publisher1', $file, url('cam1'), '-readrate', 2);

ok(recorded(1, 'cam1', 60000), 'first origin');
is(place('cam1'), port(8081), 'where it is');

kill_origin(1);

ok(recorded(2, 'cam1', 60000), 'second origin');
is(place('cam1'), port(8082), 'where it is then');

# who comes now is sent there

$player = play($t, 'player', url('cam1'),
    qw/ -analyzeduration 3000000 /);
ok($player->has_packets(), 'player');

is($publisher->wait(20), 0, 'encoder ends as usual');
is($t->read_file('publisher1.log'), '', 'encoder has seen no error');
is($t->read_file('player.log'), '', 'player has seen no error');

@got = file_frames($t, file(2, 'cam1'));
cmp_ok(frames_within(\@got, \@frames), '>', 50, 'pictures');
is($got[-1], $frames[-1], 'pictures, to the end');
$player->stop();

# sound only

start(1);

$publisher = publish($t, 'publisher2', $sound, url('cam2'), '-readrate', 2);

ok(recorded(1, 'cam2', 5000), 'sound, first origin');
kill_origin(1);

is($publisher->wait(20), 0, 'sound, encoder ends as usual');
is($t->read_file('publisher2.log'), '', 'sound, encoder has seen no error');

@got = sounds(file(2, 'cam2'));
cmp_ok(frames_within(\@got, [ sounds($sound) ]), '>', 50, 'sound');

###############################################################################

sub start {
    my ($n) = @_;

    mkdir($t->testdir() . "/record$n");
    chmod(0777, $t->testdir() . "/record$n");

    nginx_rtmp($t, "origin$n", <<"EOF_CONF") or die "Can't start nginx-rtmp\n";
master_process off;

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:808$n;

        application live {
            live        on;
            record      all;
            record_path %%TESTDIR%%/record$n;
        }
    }
}
EOF_CONF
}

sub kill_origin {
    my ($n) = @_;

    kill('KILL', $t->read_file("origin$n.pid"));
}

sub url {
    my ($stream) = @_;

    return 'rtmp://127.0.0.1:' . port(8090) . "/live/$stream";
}

sub file {
    my ($n, $stream) = @_;

    return $t->testdir() . "/record$n/$stream.flv";
}

sub recorded {
    my ($n, $stream, $size) = @_;

    return wait_until(sub { (-s file($n, $stream) || 0) > $size }, 10);
}

# Hashes of packets of sound.

sub sounds {
    my ($file) = @_;

    return map { /^0,(?:[^,]*,){4}\s*(\w{32})/ ? $1 : () } split(/\n/,
        `ffmpeg -v quiet -nostdin -i $file -map 0:a -c copy -f framemd5 -`);
}

sub place {
    my ($stream) = @_;
    my ($s) = grep { $_->{stream} eq "live/$stream" } sessions('live');

    return $s && $s->{upstream} =~ /:(\d+)$/ ? $1 : 'nowhere';
}

###############################################################################
