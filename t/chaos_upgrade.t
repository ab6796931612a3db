#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# A binary upgrade, and one that is given up, while there are sessions, viewers
# and registrations.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Chaos;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::State;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = need_rtmp_module(Test::Nginx->new()->has(qw/http proxy stream/));

$t->plan(30);

chaos_conf($t, daemon => 'on', workers => 2, route => <<'EOF_CONF',
    state   live.json;
    server  127.0.0.1:8090 http=%%PORT_8091%%;
    server  127.0.0.1:8092 http=%%PORT_8093%%;
EOF_CONF
    fleet => 'state fleet.json;',
    main => join(' ', map { "env $_;" } grep { /^\w+SAN_OPTIONS$/ } keys %ENV));

chaos_origin($t, $_) for 8090, 8092;
chaos_hls($t, $_, [qw/ cam1 cam2 /]) for 8091, 8093;

$t->run();

###############################################################################

my $chaos = chaos($t);
my ($one, $two, $three) = $t->{_master};
my $n = 0;

crew('one');
$chaos->viewers('viewers', count => 5,
    uris => [map { "/live/$_/index.m3u8" } qw/ cam1 cam2 /]);
$chaos->beats('beats', rate => 50, servers => 20);

is($chaos->settled(), '', 'all at work');
ok(wait_state($t->testdir() . '/fleet.json', sub { /"s19"/ }), 'written');

# both of them accept connections

$two = upgrade($t, $one);

ok($two, 'new master');
ok(logged($t, qr/file ".*" of route "live" is written by a newer process/),
    'new one has the say');

crew('both');
is($chaos->settled(), '', 'both serve');

# the new one alone; sessions of the old one go on

kill('WINCH', $one);

ok(wait_until(sub { workers($two) == 2 && leaving($one) == workers($one) },
    10), 'old workers leave');

$t->{_master} = $two;

crew('two');
is($chaos->settled(), '', 'new one serves');
is(registered(), 20, 'registrations');

kill('QUIT', $one);
$chaos->pass(0.5);
ok(!gone($one), 'old one waits for its sessions');

$chaos->stop(qw/ one both /);
ok(wait_until(sub { gone($one) }, 15), 'old one ends with its sessions');

# what stays is counted in the new one

is($chaos->counted('live', '3 publishers, 3 players'),
    '3 publishers, 3 players', 'counted');
is(registered(), 20, 'registrations of the new one');

# another upgrade, which is given up when the old one has no workers any more

wait_until(sub { !-e $t->testdir() . '/nginx.pid.oldbin' });

$three = upgrade($t, $two);

ok($three, 'another new master');
ok(wait_state($t->testdir() . '/live.json', sub { /"master":$three/ }),
    'newest one has the say');

kill('WINCH', $two);

ok(wait_until(sub { workers($three) == 2 && leaving($two) == workers($two) },
    10), 'workers leave');

crew('three');
is($chaos->settled(), '', 'newest one serves');

like(register('fleet', server => 'late', service => 's', pid => 'p',
    ip => '10.1.0.1', rtmp => ['1935']), qr/"code":0/, 'late registration');
pin('live', 'live/late', '127.0.0.1');
ok(wait_state($t->testdir() . '/live.json', sub { /live\/late/ })
    && wait_state($t->testdir() . '/fleet.json', sub { /"late"/ }),
    'written by the newest one');

kill('HUP', $two);
ok(wait_until(sub { workers($two) - leaving($two) == 2 }, 10),
    'workers are back');

kill('QUIT', $three);

ok(wait_until(sub { leaving($three) == workers($three) }, 10),
    'newest workers leave');

is($chaos->settled(), '', 'all at work while rolling back');

$chaos->stop('three');
ok(wait_until(sub { gone($three) }, 15), 'newest one ends with its sessions');

ok(wait_until(sub { api('GET', 'fleet/servers/late') }, 10),
    'late registration is known');
is((api('GET', 'live/streams/live/late') || {})->{source}, 'pin',
    'late pin is known');

crew('again');
is($chaos->settled(), '', 'all at work again');
is(registered(), 20, 'registrations again');

$chaos->stop();

is($chaos->quiet('live', 'hls'), '', 'nothing is left');

is($chaos->ended('lost') + $chaos->ended('refused') + $chaos->ended('gaps'), 0,
    'no session was dropped or refused');

my ($viewers, $beats) = @{$chaos->{ended}}{qw/ viewers beats /};

is(join(' ', map { $_->{failed} + $_->{cut} } $viewers, $beats), '0 0',
    "$viewers->{requests} requests, $beats->{requests} registrations")
    or diag(join(', ', map { $_->{what_failed} || $_->{what_cut} || 'none' }
        $viewers, $beats));

is($chaos->logged(), '', 'log');

###############################################################################

# three publishers and players

sub crew {
    my ($name) = @_;
    my @streams = map { "live/$name$_" } 1 .. 3;

    $chaos->crew($name, once => 1, publish => \@streams, play => \@streams);
}

sub workers {
    my ($master) = @_;
    my @pids = grep { Test::Nginx::Chaos::is_worker($_) }
        Test::Nginx::HLS::hls_children($master);

    return @pids;
}

sub leaving {
    my ($master) = @_;

    return scalar(grep {
        open(my $fh, '<', "/proc/$_/cmdline");
        $fh && (<$fh> || '') =~ /shutting down/;
    } workers($master));
}

sub gone {
    my ($pid) = @_;

    return Test::Nginx::process_gone($pid);
}

sub registered {
    my $count;

    wait_until(sub {
        $count = grep { $_->{id} =~ /^s\d/ && $_->{state} eq 'up' }
            servers('fleet');
        return $count == 20;
    });

    return $count;
}

###############################################################################
