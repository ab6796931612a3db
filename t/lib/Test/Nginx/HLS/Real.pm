package Test::Nginx::HLS::Real;

# Copyright (C) The nginx-osp authors

# Origins of HLS that may die, and all kinds of viewers: for the tests in which
# a broadcast goes on elsewhere.
#
#     real_origin($t, 1, 8091, 8092);
#     $t->run();
#     my $encoder = real_encoder($t, $file, $rtmp_url);
#     my $w = watch($t, '/live/cam1/index.m3u8') or die;
#     origin_signal($t, 1, 'KILL');
#     ...
#     $w->check('origin died', 8, stall => 2);
#     my $report = $w->finish();
#
# An origin is nginx-rtmp with the application live, and serves what is in
# the folder hls1 of the test.  Options: fragment (1s), playlist (6s), http
# (more for its server).
#
# watch() starts Chromium with hls.js, ffmpeg, and a viewer that checks each
# playlist, and comes back when they play.  check() waits until the browser
# has played so many seconds more, then makes tests of what all of them have
# seen since the last one.

use strict;
use warnings;

use Exporter qw/ import /;
use Test::More;
use Test::Nginx qw/ port /;
use Test::Nginx::Browser;
use Test::Nginx::HLS;
use Test::Nginx::Media;
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/
    real_origin real_encoder origin_signal watch playlist joint
/;


sub real_origin {
    my ($t, $n, $rtmp, $http, %opt) = @_;
    my ($dir, $more);

    $dir = $t->testdir() . "/hls$n";
    mkdir($dir);
    mkdir("$dir/live");

    $opt{fragment} ||= '1s';
    $opt{playlist} ||= '6s';
    $more = $opt{http} || '';

    nginx_rtmp($t, "origin$n", <<"EOF") or die "Can't start nginx-rtmp\n";

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$rtmp;

        application live {
            live                on;
            hls                 on;
            hls_path            $dir/live;
            hls_nested          on;
            hls_fragment        $opt{fragment};
            hls_playlist_length $opt{playlist};

            # a broadcast begins at 0
            hls_continuous      off;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%
    access_log %%TESTDIR%%/origin$n-access.log;

    server {
        listen 127.0.0.1:$http;
        root   $dir;
        $more
    }
}

EOF
}

# All processes of it.  The master is last: it would start others.

sub origin_signal {
    my ($t, $n, $signal) = @_;
    my $pid = $t->read_file("origin$n.pid") + 0;
    my @pids = hls_children($pid);

    kill('STOP', $pid) if $signal eq 'KILL';
    kill($signal, @pids, $pid);
}

# It begins again, so many seconds after it has ended, if it is asked to.

sub real_encoder {
    my ($t, $name, $file, $url, $again) = @_;
    my $loop = 'while :; do "$@"; ' . ($again ? "sleep $again" : 'break')
        . '; done';

    return program($t, $name, 'sh', '-c', $loop, 'sh', qw/ ffmpeg -v error
        -nostdin -re -stream_loop -1 -i /, $file, qw/ -c copy -flvflags
        no_duration_filesize -f flv /, $url);
}

sub playlist {
    my ($uri) = @_;
    my $r = hls_get($uri);

    return { %{hls_parse($r->{body}) || { segments => [], sequence => -1 }},
        status => $r->{status}, cache => $r->{headers}{'x-status'} };
}

# The first new segment of that generation, once there is one.

sub joint {
    my ($uri, $generation, $timeout) = @_;
    my $new;

    hls_wait(sub {
        ($new) = grep { $_->{uri} =~ /\bg=$generation\b/ }
            @{playlist($uri)->{segments}};
    }, $timeout);

    return $new;
}


###############################################################################
# viewers
###############################################################################

sub watch {
    my ($t, $uri, %opt) = @_;
    my ($self, $url);

    # a player that comes before there is anything is not what this is about

    hls_wait(sub { @{playlist($uri)->{segments}} > 2 }, 20) or return undef;

    $url = 'http://127.0.0.1:' . port(8080) . $uri;

    $self = bless {
        t       => $t,
        viewer  => hls_viewer($t, $uri, every => 0.25),
        browser => browser($t, $url),
        player  => program($t, 'player', qw/ ffmpeg -v warning -nostdin -y
            -re -i /, $url, qw/ -map 0:v -f null - /),
    };

    $self->{before} = $self->{browser}->wait(sub {
        defined $_[0]{started} && $_[0]{played} > 1
    }) or return undef;

    return $self;
}

# Options: stall, the longest that is allowed.

sub check {
    my ($self, $name, $seconds, %opt) = @_;
    my ($b, $before, $r);

    $b = $self->{browser};
    $before = $self->{before};

    $r = $b->wait(sub { $_[0]{played} > $before->{played} + $seconds },
        $seconds + 15);

    ok($r, "$name: plays on");
    unlike($b->errors(), qr/fatal 1/, "$name: no fatal error");
    cmp_ok($b->stalled($before), '<', $opt{stall} || 1, "$name: stall");

    $self->{before} = $b->report();

    ok($self->{player}->is_running(), "$name: ffmpeg plays");
}

# The end of it.  Options: faults, those of playlists and segments that are
# none; cut, a segment was, which ffmpeg cannot but notice.

sub finish {
    my ($self, %opt) = @_;
    my ($faults, $log);

    $faults = join("\n", grep { !$opt{faults} || !/$opt{faults}/ }
        split(/\n/, $self->{viewer}->faults()));

    is($faults, '', 'playlists');

    $self->{player}->stop();
    $log = join('', grep { /HTTP error|Failed to|skipping \d+ seg|Invalid/ }
        split(/^/, $self->{t}->read_file('player.log')));

    $log = join('', $log =~ /^.*reload.*\n/mg) if $opt{cut};

    is($log, '', 'ffmpeg finds no faults');

    $self->{browser}->stop();

    return $self->{viewer}->report();
}


1;
