#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache in front of the ways in which servers lay out HLS: a
# viewer of each finds no fault in it while the broadcast goes on, begins anew
# with the same names, and the origin stutters; each segment is fetched once,
# and has the bytes of its broadcast.

###############################################################################

use warnings;
use strict;

use Digest::MD5 qw/ md5_hex /;
use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;

    upstream u {
        server    127.0.0.1:8081;
        keepalive 32;
    }

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache          hls;
            proxy_pass         http://u;
            proxy_set_header   Connection "";
            proxy_http_version 1.1;
        }
    }
}

EOF

# the playlist that a viewer begins with

my %layouts = (
    nested   => '/nested/cam/index.m3u8',
    flat     => '/flat/cam.m3u8',
    variants => '/variants/cam.m3u8',
    srs      => '/srs/cam.m3u8',
    ome      => '/ome/cam/llhls.m3u8',
    ant      => '/ant/streams/cam_adaptive.m3u8',
    fmp4     => '/fmp4/cam/index.m3u8',
);

my @names = sort keys %layouts;

$t->plan(8 * @names);

my $o = hls_origin($t, port(8081));

# names of streams are told by their paths

for my $name (@names) {
    $o->live("$name/cam", name => 'cam', layout => $name, base => "/$name",
        duration => 0.4, window => 8, keep => 4, size => 5000, auto => 1,
        variants => ['480', 'src']);
}

$t->run();

###############################################################################

my %viewers = map {
    my $name = $_;
    map { ("$name $_" => hls_viewer($t, $layouts{$name},
        name => "$name-$_", every => 0.2)) } 1, 2
} @names;

# there is no playlist for moments, as nginx-rtmp has it

sleep(2);
change(playlist_gone => 404);
sleep(0.3);
change(playlist_gone => 0);
sleep(1);

# nothing that is listed yet goes away

change(frozen => 1);
sleep(0.8);
$o->restart("$_/cam") for @names;
change(frozen => 0);
sleep(3);

for my $name (@names) {
    my ($one, $two) = @viewers{"$name 1", "$name 2"};
    my ($r, @found);

    is($one->faults(), '', "$name: one viewer");
    is($two->faults(), '', "$name: another");

    $r = $one->report();
    cmp_ok($r->{segments}, '>=', 10, "$name: segments");
    is($r->{discontinuities}, 1, "$name: one discontinuity");
    cmp_ok($r->{gap}, '<', 2.5, "$name: no gap");

    # two broadcasts, each without a hole

    @found = map { found($name, $r->{listed}{$_}) }
        sort { $a <=> $b } keys %{$r->{listed}};

    is(holes(@found), '', "$name: segments in order");
    is(join(' ', different($r, $two->report())), '',
        "$name: the same for both");
    is(join(' ', repeats($name)), '', "$name: each fetched once");
}

###############################################################################

sub change {
    $o->change("$_/cam", @_) for @names;
}

# Broadcast and number of a segment, by what is in it.

my %digests;

sub found {
    my ($name, $segment) = @_;

    if (!%digests) {
        for my $variant ('', '480') {
            for my $broadcast (0, 1) {
                $digests{md5_hex(hls_segment('cam', $variant, $broadcast, $_,
                    5000))} = [$broadcast, $_] for 0 .. 60;
            }
        }
    }

    return $digests{$segment->[1] || ''} || [-1, $segment->[0]];
}

sub holes {
    my (@found) = @_;
    my ($last, @holes);

    for (@found) {
        my ($broadcast, $n) = @$_;

        push @holes, "$broadcast/$n" if $broadcast < 0 || defined $last
            && ($broadcast == $last->[0] ? $n != $last->[1] + 1
                : $broadcast < $last->[0] || $n > 8);
        $last = $_;
    }

    return join(' ', @holes);
}

# Where two viewers have got different things under one number.

sub different {
    my ($one, $two) = map { $_->{listed} } @_;

    return grep { $two->{$_} && "@{$one->{$_}}" ne "@{$two->{$_}}" }
        sort keys %$one;
}

# Of two broadcasts there may be two requests for one name.

sub repeats {
    my ($name) = @_;
    my %count;

    $count{$_->{path}}++ for $o->requests(qr!^/\Q$name\E/.*\.(?:ts|m4s)!);

    return map { "$_ $count{$_}" } grep { $count{$_} > 2 } sort keys %count;
}

###############################################################################
