#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the RTMP client and origin of the test library: against nginx-rtmp
# and ffmpeg.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has_daemon('ffmpeg');

need_rtmp_module($t)->plan(18)->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:8080;

        application live {
            live on;
            wait_key off;
        }
    }
}

EOF

$t->run();

###############################################################################

my @media = media_messages(30);

for my $client (qw/ ffmpeg librtmp fmle gstreamer /) {
    my $c = rtmp_publish(port(8080), 'live', $client, client => $client);

    is($c->{code}, 'NetStream.Publish.Start', "$client publishes");

    my $play = rtmp_play(port(8080), 'live', $client);

    is($play->{code}, 'NetStream.Play.Start', "$client played");

    $c->send_media(@media);

    is(media_digest(frames($play->read_media(33))),
        media_digest(frames(@media)), "$client media");
}

my $c = rtmp_publish(port(8080), 'live', 'ffmpeg');

is($c->{code}, 'NetStream.Publish.Start', 'publisher');

$c = rtmp_publish(port(8080), 'live', 'ffmpeg');

is($c->{code}, 'NetStream.Publish.BadName', 'second publisher');

$c = rtmp_publish(port(8080), 'unknown', 'ffmpeg');

like($c->{error}, qr/^no answer to connect \((eof|reset)\)/, 'unknown app');

# ffmpeg

my $o = rtmp_origin($t, port(8081), media => 0);

ffmpeg(qw/ -f lavfi -i testsrc=duration=1:size=160x90:rate=10 -c:v flv -f flv/,
    'rtmp://127.0.0.1:' . port(8081) . '/live/cam1');

like($o->commands(), qr/^connect releaseStream FCPublish createStream publish/,
    'commands of ffmpeg');
is($o->wait(event => 'media')->{c}, 1, 'media of ffmpeg');
is($o->wait(event => 'close')->{how}, 'eof', 'end of ffmpeg');

###############################################################################

# without what nginx-rtmp makes anew: metadata and sequence headers

sub frames {
    return grep { $_->[0] != 18 && length($_->[2]) > 30 } @_;
}

sub ffmpeg {
    my (@args) = @_;

    system('timeout', '20', 'ffmpeg', '-v', 'error', '-nostdin', @args);
}

###############################################################################
