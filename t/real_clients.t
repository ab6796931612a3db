#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream with other clients than ffmpeg: GStreamer, librtmp,
# mpv, and VLC, each if it is installed.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ sha1_hex /;
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

need_media($t)->plan(19);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_command|$rtmp_stream|$rtmp_reason|$rtmp_agent';
    access_log %%TESTDIR%%/stream.log test;

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

my $url = 'rtmp://127.0.0.1:' . port(8081) . '/live';
my $file = media_file($t, 'cam1.flv');
my @frames = file_frames($t, $file);

file_packets($t, $file);

my $hashes = hashes($t, 'packets');

is(scalar(@frames), 100, 'source');

# players write to their output, or to FILE

my %players = (
    rtmpdump => [ qw/ rtmpdump -q --live -r URL -o - / ],
    rtmp2src => [ qw/ gst-launch-1.0 -q rtmp2src location=URL ! fdsink / ],
    rtmpsrc  => [ qw/ gst-launch-1.0 -q rtmpsrc /, 'location=URL live=1',
                  qw/ ! fdsink / ],
    mpv      => [ qw/ mpv --no-config --no-terminal --cache=no --vo=null
                  --ao=null --untimed --stream-record=FILE URL / ],
    cvlc     => [ qw/ cvlc -I dummy -q --network-caching=300 URL --sout /,
                  '#std{access=file,mux=ts,dst=-}' ],
);

my %publishers = (
    rtmp2sink => 'rtmp2sink location=URL',
    rtmpsink  => 'rtmpsink location=URL',
);

my (%program, %watch);

for my $name (grep { is_installed($_) } sort keys %players) {
    $program{$name} = program($t, $name, { nobody => $name eq 'cvlc' },
        expand("cam1", $t->testdir() . "/$name.mkv", @{$players{$name}}));
}

for my $name (grep { is_installed($_) } sort keys %publishers) {
    $watch{$name} = play($t, "watch-$name", "$url/$name");
}

ok(wait_sessions('live', keys(%program) + keys(%watch)), 'players');

my $publisher = publish($t, 'publisher', $file, "$url/cam1", '-re');

for my $name (keys %watch) {
    $program{$name} = program($t, $name, expand($name, $file,
        qw/ gst-launch-1.0 -q filesrc location=FILE ! flvdemux name=d d.video
        ! queue ! h264parse ! flvmux streamable=true name=m ! identity
        sync=true ! /, split(/ /, $publishers{$name}), qw/ d.audio ! queue
        ! aacparse ! m. /));
}

is($publisher->wait(), 0, 'publisher');

for my $name (sort keys %players) {
    SKIP: {
        skip "no $name", 2 unless $program{$name};

        # the last of them may be cut

        my ($n, $got) = played($t, $name);

        cmp_ok($n, '>=', 50, "$name: pictures");
        cmp_ok($n, '>=', $got - 1, "$name: pictures of the source");

        $program{$name}->stop('KILL');
    }
}

for my $name (sort keys %publishers) {
    SKIP: {
        skip "no $name", 2 unless $program{$name};

        is($program{$name}->wait(), 0, "$name: publisher");

        wait_until(sub { hashes($t, "watch-$name") eq $hashes });
        is(hashes($t, "watch-$name"), $hashes, "$name: packets");

        $watch{$name}->stop('KILL');
    }
}

ok(wait_sessions('live', 0), 'all have ended');

# a client that leaves with something unread resets its connection

unlike($t->read_file('stream.log'), qr/^(?!.*\|(ok|client_closed)\|)/m,
    'no other reason');

###############################################################################

sub is_installed {
    my ($name) = @_;

    return has_program($name) unless $name =~ /^rtmp.*(?:src|sink)$/;
    return 0 unless has_program('gst-inspect-1.0');

    for my $element ($name, qw/ flvdemux flvmux h264parse aacparse /) {
        return 0 if system("gst-inspect-1.0 --exists $element 2>/dev/null");
    }

    return 1;
}

sub expand {
    my ($stream, $file, @args) = @_;

    s!URL!$url/$stream!, s!FILE!$file! for @args;

    return @args;
}

# How many pictures are those of the source, and how many there are.

sub played {
    my ($t, $name) = @_;
    my ($output, $n, @got);

    $output = $t->testdir() . "/$name." . ($name eq 'mpv' ? 'mkv' : 'out');

    wait_until(sub {
        @got = file_frames($t, $output) if -s $output;
        return @got >= 70;
    }, 3);

    $n = abs(frames_within(\@got, \@frames));

    return ($n, scalar(@got));
}

sub hashes {
    my ($t, $name) = @_;
    my $dir = $t->testdir();

    return join(', ', map {
        my $kind = $_;
        my @lines = -e "$dir/$name.$kind"
            ? grep { /^\d/ } split(/\n/, $t->read_file("$name.$kind")) : ();

        "$kind " . scalar(@lines) . ' '
            . sha1_hex(join('', map { /(\w{32})$/ } @lines));
    } qw/ audio video /);
}

###############################################################################
