#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Storms: origins of RTMP and of HLS are killed, stopped, and started again at
# random, now and then a worker process with them.

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

$t->plan(14);

chaos_conf($t);

my @rtmp = map { chaos_origin($t, $_) } 8090, 8092;
my @hls = map { chaos_hls($t, $_, [qw/ cam1 cam2 cam3 /]) } 8091, 8093;

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

is($chaos->settled(), '', 'all at work');

$chaos->storm(
    [3 => 'kill', sub { $chaos->kill_origin($chaos->one_of(@rtmp)) }],
    [3 => 'stop', sub { $chaos->stop_origin($chaos->one_of(@rtmp)) }],
    [2 => 'kill', sub { $chaos->kill_origin($chaos->one_of(@hls)) }],
    [2 => 'stop', sub { $chaos->stop_origin($chaos->one_of(@hls)) }],
    [1 => 'kill worker', sub { $chaos->kill_worker() }],
);

is($chaos->settled(20), '', 'all at work again');
is($chaos->counted('live', '4 publishers, 4 players'),
    '4 publishers, 4 players', 'counted again');

$chaos->stop();

is($chaos->quiet('live', 'hls'), '', 'nothing is left');
is($chaos->cells('live'), $cells, 'no cells are lost');
is($chaos->emptied('hls'), '', 'no pages are lost');

is($chaos->{ended}{viewers}{wrong}, 0, 'bytes for viewers');
is($chaos->{ended}{api}{failed}, 0, 'answers of the API');
cmp_ok($chaos->{ended}{viewers}{good}, '>', 0, 'answers to viewers');
is($chaos->ended('back'), 0, 'frames that come twice');
is($chaos->ended('gaps'), 0, 'frames that are missing');

ok($chaos->same_workers(3), 'as many workers as there should be');
unlike($t->read_file('error.log'), qr/exited on signal (?!9\D)/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

###############################################################################
