#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Storms: origins of RTMP are killed at random, and publishers go on with
# another one.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Chaos;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = need_rtmp_module(Test::Nginx->new()->has(qw/http proxy stream/));

$t->plan(12);

chaos_conf($t, stream => 'osp_upstream_resume on;', route => <<'EOF_CONF');
    server    127.0.0.1:8090 fail_timeout=1s;
    server    127.0.0.1:8092 fail_timeout=1s;
    server    127.0.0.1:8094 fail_timeout=1s;
EOF_CONF

my @rtmp = map { chaos_origin($t, $_) } 8090, 8092, 8094;

$t->run();

###############################################################################

my $chaos = chaos($t);
my $cells = $chaos->cells('live');

$chaos->crew($_, publish => ["live/$_"], play => ["live/$_"])
    for qw/ cam1 cam2 cam3 cam4 cam5 cam6 /;

is($chaos->settled(), '', 'all at work');

# a publisher may be moved five times in a minute

my @deaths;

$chaos->storm(
    [2 => 'kill', sub {
        my $o = $chaos->one_of(@rtmp);

        return 'enough' if @deaths >= 5 && time() - $deaths[-5] < 65;
        push @deaths, time() unless $o->{away};

        return $chaos->kill_origin($o);
    }],
    [1 => 'reload', sub { $chaos->reload() }],
    [1 => 'stop worker', sub { $chaos->stop_worker() }],
);

is($chaos->settled(20), '', 'all at work again');
is($chaos->counted('live', '6 publishers, 6 players'),
    '6 publishers, 6 players', 'counted again');

my %report = map { $_ => $chaos->report($_)->{sessions} }
    map { "cam$_" } 1 .. 6;

is(join(' ', map { $report{$_}{"publish live/$_"}{lost} } sort keys %report),
    '0 0 0 0 0 0', 'no publisher has noticed');

$chaos->stop();

is($chaos->quiet('live'), '', 'nothing is left');
is($chaos->cells('live'), $cells, 'no cells are lost');

is($chaos->ended('back'), 0, 'frames that come twice');

cmp_ok(@deaths, '>', 0, 'origins were killed');
cmp_ok($chaos->ended('gaps'), '<=', 6 * @deaths,
    'frames are missing where an origin has died');

ok($chaos->same_workers(3), 'as many workers as there should be');
unlike($t->read_file('error.log'), qr/exited on signal/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

###############################################################################
