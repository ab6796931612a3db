#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_resume: streams of other codecs, and their tracks, are
# told to another origin, of another kind, in the same way.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Digest::SHA qw/ sha1_hex /;

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(20);

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

    osp_upstream_resume on;

    server {
        listen       127.0.0.1:8090;
        osp_upstream live;
    }
}
EOF_CONF

$t->run();

###############################################################################

my $meta = [18, 0, amf_encode('@setDataFrame', 'onMetaData',
    amf_ecma(width => 640))];

# each: what comes before the loss, and after it, and what the second one gets
# in front of all that is marked by >

check('hevc', [
    $meta,
    [9, 0, "\x90hvc1" . 'header' x 10],
    [9, 0, "\x94hvc1\x02\x00\x09colorInfo" . amf_encode(amf_obj(a => 1))],
    [8, 0, "\xaf\x00\x12\x10"],
    [9, 0, "\x93hvc1key"],
    [8, 10, "\xaf\x01sound"],
], [
    [8, 20, "\xaf\x01sound"],
    [9, 20, "\xa3hvc1inter"],
    '>',
    [9, 40, "\x91hvc1\x00\x00\x28key, composed later"],
    # leading pictures
    '-', [9, 50, "\xa1hvc1\x00\x00\x05leading"], '+',
    [8, 51, "\xaf\x01sound"],
    [9, 60, "\xa1hvc1\x00\x00\x20inter"],
], [0 .. 3]);

check('av1', [
    $meta,
    [9, 0, "\x90av01" . 'header'],
    [8, 0, "\x90Opus" . 'OpusHead'],
    [8, 0, "\x94Opus\x01\x02" . 'multichannel'],
    [9, 0, "\x91av01key"],
    [9, 10, "\x90av01" . 'another header'],
], [
    [8, 20, "\x91Opus" . 'sound'],
    [9, 20, "\xa1av01inter"],
    '>',
    [9, 40, "\x91av01key"],
    [8, 41, "\x91Opus" . 'sound'],
    [9, 60, "\xa1av01inter"],
], [0, 5, 2, 3]);

check('tracks', [
    [9, 0, "\x90hvc1" . 'header 0'],
    [9, 0, "\x96\x00hvc1\x01" . 'header 1'],
    [9, 0, "\x93hvc1key 0"],
    [9, 0, "\x96\x03hvc1\x01" . 'key 1'],
], [
    [9, 20, "\xa3hvc1inter 0"],
    [9, 20, "\xa6\x03hvc1\x01" . 'inter 1'],
    '>',
    [9, 40, "\x93hvc1key 0"],
    '-', [9, 40, "\xa6\x03hvc1\x01" . 'inter 1'], '+',
    [9, 60, "\xa3hvc1inter 0"],
    [9, 80, "\x96\x03hvc1\x01" . 'key 1'],
    [9, 90, "\xa6\x03hvc1\x01" . 'inter 1'],
], [0, 1]);

check('sound', [
    $meta,
    [8, 0, "\xaf\x00\x12\x10"],
    [8, 0, "\xaf\x01one"],
], [
    '>',
    [8, 40, "\xaf\x01two"],
    [8, 60, "\xaf\x01three"],
], [0, 1]);

###############################################################################

sub check {
    my ($name, $before, $after, $headers) = @_;
    my ($one, $two, $c, @send, @want, @got, $begun, $time);

    unlink($t->testdir() . '/origin-' . port($_) . '.log') for 8081, 8082;

    $one = rtmp_origin($t, port(8081), messages => 1);
    $two = rtmp_origin($t, port(8082), messages => 1, like => 'srs');

    $c = rtmp_publish(port(8090), 'live', $name);
    is($c->{code}, 'NetStream.Publish.Start', "$name, publish");

    $c->send_media(@$before);
    ok(wait_until(sub { media($one) == @$before }), "$name, first origin");

    $one->stop();
    ok($two->wait(event => 'ready'), "$name, second origin is told");

    for my $m (@$after) {
        if (ref($m)) {
            push @send, $m;

            $time = $m->[1] if $begun && !defined $time;
            push @want, $m if $begun;

        } else {
            $begun = $m ne '-';
        }
    }

    unshift @want, map { [$_->[0], $time, $_->[2]] } @$before[@$headers];

    $c->send_media(@send);

    ok(wait_until(sub {
        grep { $_->{ts} == $send[-1][1]
            && $_->{sha} eq sha1_hex($send[-1][2]) } media($two);
    }), "$name, second origin");

    is(join("\n", map { join(' ', @$_{qw/ type ts sha /}) } media($two)),
        join("\n", map { join(' ', @$_[0, 1], sha1_hex($_->[2])) } @want),
        "$name, what it gets");

    $c->close();
    $two->stop();
    wait_conns('live', '0 0');
}

sub media {
    my ($o) = @_;

    return grep { $_->{type} =~ /^(?:8|9|18)$/ } $o->events(event => 'message');
}

###############################################################################
