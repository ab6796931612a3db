#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: publishing as real encoders do it.

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

my $t = Test::Nginx->new()->has(qw/stream/)->plan(45);

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
}

EOC

my %origin = (
    normal => rtmp_origin($t, port(8081)),
    srs => rtmp_origin($t, port(8083), like => 'srs'),
);

$t->run();

###############################################################################

my @early = media_messages(5);
my @media = media_messages(30, first => 5);
my $n = 0;

for my $like (qw/ normal srs /) {
    my $port = port($like eq 'normal' ? 8080 : 8082);
    my $o = $origin{$like};

    for my $client (qw/ ffmpeg librtmp fmle gstreamer /) {
        my $c = rtmp_publish($port, 'live', "cam$client", client => $client,
            early => \@early);

        is($c->{code}, 'NetStream.Publish.Start', "$client to $like");
        is($c->{description}, 'Start publishing', "$client to $like: origin's");

        $c->send_media(@media);

        is($o->wait_media(media_digest(@early, @media)),
            media_digest(@early, @media), "$client to $like: media");

        my $sent = $c->sent();
        my $last = ($o->events(event => 'media'))[-1]{c};
        $c->close();

        is($o->wait(event => 'close', c => $last)->{received}, $sent,
            "$client to $like: bytes");
    }
}

# what the client is told, and when

for my $like (qw/ normal srs /) {
    my $port = port($like eq 'normal' ? 8080 : 8082);
    my $c = rtmp_publish($port, 'live', 'order');
    my $seen = $c->seen();

    like($seen, qr/_result:\S+Connect.Success .*_result .*onStatus/,
        "$like answers");
    unlike($seen, qr/onBWDone/, "$like onBWDone is dropped");
    unlike(" $seen", qr/ #1 .*_result /, "$like no chunk size in set-up");
    like($seen, qr/ #1 .*onStatus/, "$like chunk size of the origin");
    ok((() = $seen =~ /_result/g) <= 4, "$like answers given once");
}

like(rtmp_publish(port(8082), 'live', 'fc', client => 'fmle')->seen(),
    qr/onFCPublish:\S+Start onStatus/, 'onFCPublish comes with the status');

is(rtmp_publish(port(8080), 'live', 'props', connect =>
    [fourCcList => amf_strict('hvc1', 'av01'), capsEx => 3])->{code},
    'NetStream.Publish.Start', 'enhanced properties');
is_deeply(($origin{normal}->events(name => 'connect'))[-1]{args}[0]{fourCcList},
    ['hvc1', 'av01'], 'enhanced properties at the origin');

###############################################################################
