#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Reloads, one after the other, while there are sessions, viewers, and many
# registrations.  TEST_NGINX_RELOADS and TEST_NGINX_SESSIONS say how many.

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

my $reloads = $ENV{TEST_NGINX_RELOADS} || 10;
my $n = ($ENV{TEST_NGINX_SESSIONS} || 40) / 2;

$t->plan(22);

chaos_conf($t);
chaos_origin($t, $_) for 8090, 8092;
chaos_hls($t, $_, [qw/ cam1 cam2 cam3 cam4 /]) for 8091, 8093;

$t->run();

###############################################################################

my $chaos = chaos($t);
my $cells = $chaos->cells('live');
my $master = $t->{_master};
my (%memory, @names);

# files when nothing runs

reload($chaos->workers());
$chaos->same_workers(3);

my @files = files();

# a crew for each ten streams, which lives in the first workers

for (my $i = 0; $i < $n; $i += 10) {
    my @streams = map { "live/s$_" } $i .. ($i + 9 < $n ? $i + 9 : $n - 1);

    push @names, "first$i";
    $chaos->crew($names[-1], once => 1, rate => 1, publish => \@streams,
        play => \@streams);
}

$chaos->viewers('viewers', count => $n / 2,
    uris => [map { "/live/cam$_/index.m3u8" } 1 .. 4]);
$chaos->beats('beats', rate => 100, servers => 200);

is($chaos->settled(30), '', 'all at work');
is($chaos->counted('live', "$n publishers, $n players", 20),
    "$n publishers, $n players", 'counted');

my @old = $chaos->workers();

for my $i (1 .. $reloads) {
    my @before = $chaos->workers();

    reload(@before) or last;

    # some that live in later ones

    if ($i == 3 || $i % 25 == 0) {
        push @names, "crew$i";
        $chaos->crew($names[-1], once => 1, publish => ["live/r$i"],
            play => ["live/r$i"]);
        $chaos->settled(20);
    }

    $memory{$i} = $chaos->memory($master);

    note("reload $i: master $memory{$i} KB, " . $chaos->fds($master)
        . ' files, ' . $chaos->workers() . ' workers') if $i % 10 == 0;
}

is($chaos->settled(20), '', 'all at work after reloads');

my %all = %{$chaos->{load}};
my $want = $n + grep { /crew/ } @names;

is($chaos->counted('live', "$want publishers, $want players"),
    "$want publishers, $want players", 'counted after reloads');

is(scalar(grep { my $pid = $_; grep { $pid == $_ } @old } $chaos->workers()),
    3, 'first workers are there as long as their sessions');

# a page here and there is what the allocator makes of it

cmp_ok($memory{$reloads}, '<', $memory{3} + 256 + 2 * $reloads,
    'memory of the master');

is(join(' ', map { $_->{state} } grep { $_->{state} ne 'up' }
    servers('fleet')), '', 'registrations');

$chaos->stop(@names);

ok($chaos->same_workers(3, 20), 'old workers leave with their sessions');

is($chaos->settled(), '', 'others are at work');

$chaos->stop();

is($chaos->quiet('live', 'hls'), '', 'nothing is left');

reload($chaos->workers());

ok($chaos->same_workers(3), 'new workers alone');
wait_until(sub { join(' ', files()) eq "@files" });
is(join(' ', files()), "@files", 'files of master and worker');
is($chaos->check('routes/fleet')->{consistent}, 1, 'table of registrations');
is($chaos->cells('live'), $cells, 'no cells are lost');
is($chaos->emptied('hls'), '', 'no pages are lost');

is($chaos->ended('lost'), 0, 'sessions that were dropped');
is($chaos->ended('refused'), 0, 'sessions that were refused');
is($chaos->ended('gaps') + $chaos->ended('back'), 0,
    'frames that are missing, or come twice');

my ($viewers, $beats) = @{$chaos->{ended}}{qw/ viewers beats /};

is($viewers->{failed} + $viewers->{cut} + $viewers->{wrong}, 0,
    "$viewers->{requests} requests of viewers")
    or diag($viewers->{what_failed} || $viewers->{what_cut}
        || $viewers->{what});
is($beats->{failed} + $beats->{cut}, 0, "$beats->{requests} registrations")
    or diag($beats->{what_failed} || $beats->{what_cut});

unlike($t->read_file('error.log'), qr/exited on signal/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

###############################################################################

sub files {
    return map { $chaos->fds($_) } $master, ($chaos->workers())[0];
}

# until new workers are there, and accept alone

sub reload {
    my (@before) = @_;

    $t->reload();

    return wait_until(sub {
        my %new = map { $_ => 1 } $chaos->workers();
        delete @new{@before};

        return keys %new == 3;
    }, 15);
}

###############################################################################
