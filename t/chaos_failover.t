#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Storms: origins of RTMP are killed and hang at random, health checks notice
# it, and publishers and players go on in their sessions.

###############################################################################

use warnings;
use strict;

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

$t->plan(15);

chaos_conf($t, stream => <<'EOF_CONF', route => <<'EOF_CONF');
    osp_upstream_resume    on;
    osp_upstream_no_input  2s;
EOF_CONF
    health_check  interval=500ms timeout=1s fails=2 type=rtmp;
    server        127.0.0.1:8090 fail_timeout=1s;
    server        127.0.0.1:8092 fail_timeout=1s;
    server        127.0.0.1:8094 fail_timeout=1s;
EOF_CONF

my @rtmp = map { chaos_origin($t, $_) } 8090, 8092, 8094;

$t->run();

###############################################################################

my $chaos = chaos($t, seconds => $ENV{TEST_NGINX_STORM} || 10);
my $cells = $chaos->cells('live');
my @names = map { "cam$_" } 1 .. 6;
my @deaths;

$chaos->crew($_, publish => ["live/$_"], play => ["live/$_"]) for @names;

is($chaos->settled(), '', 'all at work');

# one at a time, and not more often than a session may be moved

$chaos->storm(
    [3 => 'kill', sub { away('kill_origin') }],
    [3 => 'stop', sub { away('stop_origin') }],
    [1 => 'reload', sub { $chaos->reload() }],
    [1 => 'stop worker', sub { $chaos->stop_worker() }],
);

is($chaos->settled(30), '', 'all at work again');
is($chaos->counted('live', '6 publishers, 6 players'),
    '6 publishers, 6 players', 'counted again');

ok(wait_until(sub {
    3 == grep { $_->{state} eq 'up' } servers('live');
}, 15), 'servers are up again');

my %report = map { $_ => $chaos->report($_)->{sessions} } @names;

is(join(' ', map { $report{$_}{"publish live/$_"}{lost} } @names),
    '0 0 0 0 0 0', 'no publisher has noticed');
is(join(' ', map { $report{$_}{"play live/$_"}{lost} } @names),
    '0 0 0 0 0 0', 'no player was disconnected');

# frames are missing for one reason only

my @holes = map { @{$report{$_}{"play live/$_"}{holes}} } @names;
my @odd = grep { my $hole = $_; !grep {
    $_ < $hole->[1] && $_ > $hole->[0] - 10 } @deaths } @holes;

is(join(', ', map { sprintf('%.1f: %d', $_->[0] - $chaos->{begun}, $_->[2]) }
    @odd), '', 'frames that are missing without a reason');

note(scalar(@deaths) . ' origins were away, ' . @holes . ' holes, longest '
    . join(' ', map { sprintf('%.1f', $_->[1] - $_->[0]) }
        (sort { $b->[1] - $b->[0] <=> $a->[1] - $a->[0] } @holes)[0 .. 2])
    . ' seconds') if @holes > 2;

cmp_ok(@deaths, '>', 0, 'origins were away');

$chaos->stop();

is($chaos->quiet('live'), '', 'nothing is left');
is($chaos->cells('live'), $cells, 'no cells are lost');
is($chaos->ended('back'), 0, 'frames that come twice');
is($chaos->check('routes/live')->{rebuilt}, 0, 'nothing was rebuilt');

ok($chaos->same_workers(3), 'as many workers as there should be');
unlike($t->read_file('error.log'), qr/exited on signal/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

###############################################################################

sub away {
    my ($how) = @_;
    my $o = $chaos->one_of(@rtmp);

    return "$o->{name}: enough" if grep { $_->{away} } @rtmp;
    return "$o->{name}: enough" if @deaths >= 4 && time() - $deaths[-4] < 70;

    push @deaths, time();

    return $chaos->$how($o);
}

###############################################################################
