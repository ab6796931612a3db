#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: playing.

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

my $t = Test::Nginx->new()->has(qw/stream/)->plan(20);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route normal {
    zone   normal 1m;
    server 127.0.0.1:8081;
}

rtmp_route srs {
    zone   srs 1m;
    server 127.0.0.1:8083;
}

rtmp_route absent {
    zone   absent 1m;
    server 127.0.0.1:8085;
}

rtmp_route length {
    zone   length 1m;
    server 127.0.0.1:8087;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8080;
        osp_upstream normal;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream srs;
    }

    server {
        listen       127.0.0.1:8084;
        osp_upstream absent;
    }

    server {
        listen       127.0.0.1:8086;
        osp_upstream length;
    }
}

EOC

# the second one has messages of many chunks, more than any buffer holds

my %media = (
    normal => [20, 400],
    srs => [200, 40000],
);

my %origin = (
    normal => rtmp_origin($t, port(8081), media => 20, media_size => 400),
    srs => rtmp_origin($t, port(8083), like => 'srs', media => 200,
        media_size => 40000),
    absent => rtmp_origin($t, port(8085), play => 'not_found'),
    length => rtmp_origin($t, port(8087), before => sub {
        my ($c, $m) = @_;

        return 0 unless $m->{name} eq 'getStreamLength';

        return $c->send_command('_result', $m->{tid}, undef, 12.5,
            \{ csid => 3 });
    }),
);

$t->run();

###############################################################################

for my $like (qw/ normal srs /) {
    my $port = port($like eq 'normal' ? 8080 : 8082);
    my ($n, $size) = @{$media{$like}};
    my $digest = media_digest(media_messages($n, size => $size, play => 1));

    for my $client (qw/ ffmpeg librtmp /) {
        my $c = rtmp_play($port, 'live', 'cam1', client => $client);

        is($c->{code}, 'NetStream.Play.Start', "$client of $like");
        is(media_digest($c->read_media($n + 3)), $digest,
            "$client of $like: media");
    }

    # two at once, one of which reads late

    my @c = map { rtmp_play($port, 'live', 'cam1') } 1 .. 2;

    is(media_digest($c[1]->read_media($n + 3)), $digest, "$like: second");
    is(media_digest($c[0]->read_media($n + 3)), $digest, "$like: first");
}

my $c = rtmp_play(port(8082), 'live', 'cam1');

like($c->seen(), qr/#4 onStatus:\S+Play.Reset onStatus:\S+Play.Start$/,
    'messages of the origin in their order');

$c = rtmp_play(port(8084), 'live', 'cam1');

is($c->{code}, 'NetStream.Play.StreamNotFound', 'no stream');
is($c->{description}, 'No such stream', 'description of the origin');

# what the player sends later reaches the origin as well

$c = rtmp_play(port(8080), 'live', 'cam1');
$c->send_command('pause', 0, undef, amf_bool(1), 0, \{ csid => 8, msid => 1 });

my $p = $origin{normal}->wait(name => 'pause');

is($p && $p->{args}[1], 1, 'pause');

is(join(' ', map { $_->{name} } $origin{normal}->events(c => $p->{c},
    event => 'command')), 'connect createStream getStreamLength play pause',
    'commands');

# the length of a stream is the origin's to tell

unlike($c->seen(), qr/^(?:.*? )?_result.* _result.* _result/,
    'no length unless told');

$c = rtmp_play(port(8086), 'live', 'cam1');

is(join(' ', map { $_->{args}[1] || 'none' } grep { $_->{type} == 20
    && $_->{tid} == 3 } @{$c->{messages}}), '12.5', 'length of the origin');

like(($origin{srs}->events(name => 'play'))[-1]{args}[2], qr/^-2000$/,
    'arguments of play');

###############################################################################
