#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# All of it for a while, and nothing grows: "make soak" takes minutes for what
# takes seconds here; TEST_NGINX_SOAK says how many.

###############################################################################

use warnings;
use strict;

use List::Util qw/ max min sum /;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Chaos;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Time::HiRes qw/ time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = need_rtmp_module(Test::Nginx->new()->has(qw/http proxy stream/));

my $seconds = $ENV{TEST_NGINX_SOAK} || 12;

$t->plan(23);

chaos_conf($t, stream => 'osp_upstream_resume on;');

my @rtmp = map { chaos_origin($t, $_) } 8090, 8092;
my @hls = map { chaos_hls($t, $_, [qw/ cam1 cam2 cam3 /]) } 8091, 8093;

$t->run();

###############################################################################

my (@deaths, @samples);

my $chaos = chaos($t, seconds => $seconds, every => $seconds / 60,
    sample => \&sample);

my $cells = $chaos->cells('live');
my @names = map { "cam$_" } 1 .. 6;

$chaos->crew($_, publish => ["live/$_"], play => ["live/$_"]) for @names;
$chaos->crew('short', publish => ['live/short'], play => ['live/short'],
    turn => 3);
$chaos->viewers('viewers', count => 10,
    uris => [map { "/live/cam$_/index.m3u8" } 1 .. 3]);
$chaos->api_reader('api', map { "routes/live/$_/" }
    qw/ servers streams sessions /);
$chaos->beats('beats', rate => 50, servers => 50);

is($chaos->settled(), '', 'all at work');

# with a pause of some seconds after most of them

my @quiet = map { [6 => 'nothing', sub { $chaos->pass(1); return undef }] }
    1 .. ($seconds > 60 ? 4 : 1);

$chaos->storm(@quiet,
    [2 => 'kill', sub {
        my $o = $chaos->one_of(@rtmp);

        return 'enough' if @deaths >= 4 && time() - $deaths[-4] < 65;
        push @deaths, time() unless $o->{away};

        return $chaos->kill_origin($o);
    }],
    [2 => 'kill', sub { $chaos->kill_origin($chaos->one_of(@hls)) }],
    [2 => 'stop', sub { $chaos->stop_origin($chaos->one_of(@hls)) }],
    [2 => 'reload', sub { $chaos->reload() }],
    [1 => 'stop worker', sub { $chaos->stop_worker() }],
);

is($chaos->settled(30), '', 'all at work again');

my %report = map { $_ => $chaos->report($_)->{sessions} } @names;

is(join(' ', map { $report{$_}{"publish live/$_"}{lost} } @names),
    '0 0 0 0 0 0', 'no publisher has noticed');

# a player is cut off by the death of an origin, and for what comes of it

my @holes = map { @{$report{$_}{"play live/$_"}{holes}} } @names;
my @odd = grep { my $hole = $_; !grep {
    $_ < $hole->[1] && $_ > $hole->[0] - 5 } @deaths } @holes;

is(join(', ', map { sprintf('%.1f: %d', $_->[0] - $chaos->{begun}, $_->[2]) }
    @odd), '', 'frames that are missing without a reason');

my ($frames, $missing) = (0, 0);

for my $name (@names) {
    $frames += $report{$name}{"publish live/$name"}{frames};
    $missing += $report{$name}{"play live/$name"}{missing} || 0;
}

note("$frames frames published, $missing missing at players, "
    . scalar(@deaths) . ' origins killed');

$chaos->stop('short');

is($chaos->counted('live', '6 publishers, 6 players'),
    '6 publishers, 6 players', 'counted');

# halves of the time, without the first sixth

my @from = grep { $_->{at} > $seconds / 6 && $_->{at} < $seconds * 7 / 12 }
    @samples;
my @to = grep { $_->{at} >= $seconds * 7 / 12 } @samples;

flat('master', 256, 'memory of the master');
flat('worker', 1024, 'memory of the largest worker');
flat('master_files', 8, 'files of the master', \&least);
flat('files', 16, 'files of a worker', \&least);
flat('cells', 20, 'cells of the table', \&least);
flat('fleet', 5, 'cells of registrations', \&least);
flat('used', 2097152, 'bytes of the cache');

$chaos->stop();

is($chaos->quiet('live', 'hls'), '', 'nothing is left');
is($chaos->check('routes/fleet')->{consistent}, 1, 'table of registrations');
is($chaos->cells('live'), $cells, 'no cells are lost');
is($chaos->emptied('hls'), '', 'no pages are lost');
ok($chaos->same_workers(3), 'as many workers as there should be');

my ($viewers, $api, $beats) = @{$chaos->{ended}}{qw/ viewers api beats /};

is($viewers->{wrong}, 0, 'bytes for viewers');
is($api->{failed} + $api->{cut}, 0, 'answers of the API');
is($beats->{failed} + $beats->{cut}, 0, 'answers to registrations');
is($chaos->ended('back'), 0, 'frames that come twice');

note("$viewers->{requests} requests of viewers, $viewers->{failed} failed, "
    . "$viewers->{cut} cut; $beats->{requests} registrations");

unlike($t->read_file('error.log'), qr/exited on signal/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

###############################################################################

# processes have sockets to each other, so files are those beside them

sub sample {
    my @workers = $chaos->workers();
    my $r = $chaos->check('routes/live');

    # the origin keeps what it was asked for
    $_->{away} or $_->{origin}->forget() for @hls;

    push @samples, {
        at           => time() - $chaos->{begun},
        master       => $chaos->memory($t->{_master}),
        worker       => max(0, map { $chaos->memory($_) } @workers),
        master_files => $chaos->fds($t->{_master}) - 2 * @workers,
        files        => max(0, map { $chaos->fds($_) } @workers) - @workers,
        cells        => $r->{cells},
        fleet        => $chaos->check('routes/fleet')->{cells},
        used         => $chaos->check('caches/hls')->{used},
    } if $r->{consistent};
}

sub least {
    return min(@_);
}

sub flat {
    my ($what, $more, $name, $code) = @_;
    my ($from, $to);

    $code ||= sub { return sum(@_) / @_ };
    ($from, $to) = map { [grep { defined } map { $_->{$what} } @$_] }
        \@from, \@to;

    return fail($name) unless @$from && @$to;

    ($from, $to) = map { int($code->(@$_)) } $from, $to;

    note("$name: $from, then $to");
    cmp_ok($to, '<=', $from + $more, $name);
}

###############################################################################
