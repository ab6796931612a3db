#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Storms: worker processes are killed and stopped at random, and configurations
# reloaded, while there are publishers, players, viewers and registrations.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Chaos;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = need_rtmp_module(Test::Nginx->new()->has(qw/http proxy stream/));

$t->plan(17);

chaos_conf($t);
chaos_origin($t, 8090);
chaos_origin($t, 8092);
chaos_hls($t, $_, [qw/ cam1 cam2 cam3 /]) for 8091, 8093;

$t->run();

###############################################################################

my $chaos = chaos($t);
my $cells = $chaos->cells('live');

$chaos->crew($_, publish => ["live/$_"], play => ["live/$_"])
    for qw/ cam1 cam2 cam3 cam4 /;
$chaos->viewers('viewers', count => 4,
    uris => [map { "/live/$_/index.m3u8" } qw/ cam1 cam2 cam3 /]);
$chaos->api_reader('api', map { "routes/live/$_/" }
    qw/ servers streams sessions /);
$chaos->beats('beats', rate => 20);

is($chaos->settled(), '', 'all at work');
is($chaos->counted('live', '4 publishers, 4 players'),
    '4 publishers, 4 players', 'counted');

$chaos->storm(
    [4 => 'kill worker', sub { $chaos->kill_worker() }],
    [1 => 'kill all workers', sub { $chaos->kill_workers() }],
    [3 => 'stop worker', sub { $chaos->stop_worker() }],
    [1 => 'reload', sub { $chaos->reload() }],
);

is($chaos->settled(), '', 'all at work again');
is($chaos->counted('live', '4 publishers, 4 players'),
    '4 publishers, 4 players', 'counted again');
is(join(' ', map { $_->{state} } servers('fleet')), join(' ', ('up') x 10),
    'registrations');

$chaos->stop();

is($chaos->quiet('live', 'hls'), '', 'nothing is left');
is($chaos->check('routes/fleet')->{consistent}, 1, 'table of registrations');
is($chaos->cells('live'), $cells, 'no cells are lost');
is($chaos->emptied('hls'), '', 'no pages are lost');

# what is cut with its worker is no failure, all else is

is($chaos->{ended}{viewers}{failed}, 0, 'answers to viewers')
    or diag($chaos->{ended}{viewers}{what_failed});
is($chaos->{ended}{viewers}{wrong}, 0, 'bytes for viewers');
is($chaos->{ended}{api}{failed}, 0, 'answers of the API');
is($chaos->{ended}{beats}{failed}, 0, 'answers to registrations');
is($chaos->ended('back'), 0, 'frames that come twice');
is($chaos->ended('gaps'), 0, 'frames that are missing');

ok($chaos->same_workers(3), 'as many workers as there should be');
is($chaos->logged(), '', 'log');

###############################################################################
