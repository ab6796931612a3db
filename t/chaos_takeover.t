#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Storms: encoders hang at random and come back as another session, while
# worker processes are killed and configurations reloaded.

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

$t->plan(10);

chaos_conf($t, stream => 'osp_upstream_takeover idle=1s;');
chaos_origin($t, $_) for 8090, 8092;

$t->run();

###############################################################################

my $chaos = chaos($t);
my $cells = $chaos->cells('live');
my @streams = map { "cam$_" } 1 .. 5;
my %encoder;
my $n = 0;

$chaos->crew("play-$_", play => ["live/$_"]) for @streams;
encoder($_) for @streams;

is($chaos->settled(), '', 'all at work');

my $hung = 0;

$chaos->storm(
    [5 => 'hang', sub {
        my $stream = $chaos->one_of(@streams);
        my $old = $encoder{$stream};

        $chaos->hang($old);
        encoder($stream);
        $hung++;

        # its end is told to the proxy at last

        return $chaos->later(0.5 + $chaos->random(4000) / 1000, "end $old",
            sub { $chaos->vanish($old) });
    }],
    [1 => 'kill worker', sub { $chaos->kill_worker() }],
    [1 => 'reload', sub { $chaos->reload() }],
);

is($chaos->settled(20), '', 'all at work again');
is($chaos->counted('live', '5 publishers, 5 players'),
    '5 publishers, 5 players', 'counted');

cmp_ok($hung, '>', 0, 'encoders were hanging');

$chaos->stop();

is($chaos->quiet('live'), '', 'nothing is left');
is($chaos->cells('live'), $cells, 'no cells are lost');
is($chaos->ended('back') + $chaos->ended('gaps'), 0,
    'frames that are missing, or come twice');

ok($chaos->same_workers(3), 'as many workers as there should be');
unlike($t->read_file('error.log'), qr/exited on signal (?!9\D)/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

###############################################################################

sub encoder {
    my ($stream) = @_;

    $encoder{$stream} = 'encoder' . ++$n . "-$stream";
    $chaos->crew($encoder{$stream}, publish => ["live/$stream"]);
}

###############################################################################
