#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Storms: the disk of the state files is full or cannot be written, the files
# are damaged, and nginx is killed and started again.

###############################################################################

use warnings;
use strict;

use JSON::PP;
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

alone($t, mount => ['mount -t tmpfs -o size=64k none /mnt']);

$t->plan(19);

my $d = $t->testdir() . '/state';

mkdir($d) or die "Can't make $d: $!\n";
mount('-t', 'tmpfs', '-o', 'size=64k', 'none', $d) or die "Can't mount $d\n";

chaos_conf($t, route => <<'EOF_CONF', fleet => <<'EOF_CONF');
    state   state/live.json;
    server  127.0.0.1:8090 http=%%PORT_8091%%;
    server  127.0.0.1:8092 http=%%PORT_8093%%;
EOF_CONF
    state   state/fleet.json;
EOF_CONF

chaos_origin($t, $_) for 8090, 8092;
chaos_hls($t, $_, [qw/ cam1 cam2 /]) for 8091, 8093;

$t->run();

###############################################################################

my $chaos = chaos($t);

$chaos->crew($_, publish => ["live/$_"], play => ["live/$_"])
    for qw/ cam1 cam2 cam3 /;
$chaos->viewers('viewers', count => 4,
    uris => [map { "/live/$_/index.m3u8" } qw/ cam1 cam2 /]);
$chaos->beats('beats', rate => 20, servers => 20);

is($chaos->settled(), '', 'all at work');

pin('live', 'live/pinned', '127.0.0.1');
ok(wait_state("$d/live.json", sub { /pinned/ }), 'written');
ok(wait_state("$d/fleet.json", sub { /"s19"/ }), 'registrations written');

# what makes a disk full is not always noticed by who writes little

$chaos->storm(
    [2 => 'full', sub {
        return away(sub { fill() }, sub { unlink("$d/fill") });
    }],
    [2 => 'read-only', sub {
        return away(sub { mount('-o', 'remount,ro', $d) },
            sub { mount('-o', 'remount,rw', $d) });
    }],
    [2 => 'damage', sub {
        return damage($chaos->one_of(qw/ live fleet /));
    }],
    [1 => 'remove', sub {
        my $name = $chaos->one_of(qw/ live fleet /);
        unlink("$d/$name.json");
        return $name;
    }],
    [2 => 'restart', sub {
        $chaos->kill_nginx();
        damage($chaos->one_of(qw/ live fleet /)) if $chaos->random(2);
        $chaos->start();
        return undef;
    }],
    [1 => 'kill worker', sub { $chaos->kill_worker() }],
    [1 => 'reload', sub { $chaos->reload() }],
);

is($chaos->settled(), '', 'all at work again');
is($chaos->counted('live', '3 publishers, 3 players'),
    '3 publishers, 3 players', 'counted again');

ok(wait_until(sub {
    20 == grep { $_->{state} eq 'up' } servers('fleet');
}, 10), 'registrations');

# files are whole again, 10 seconds after a failure, and outlive a restart

pin('live', 'live/after', '127.0.0.1');

ok(wait_until(sub { count_state('live', qr/"live\/after"/) == 1 }, 15),
    'written again');
ok(wait_until(sub {
    count_state('fleet', qr/"id":"s\d+"/) == 20
        && count_state('fleet', qr{"live/of-\d+"}) == 20;
}, 15), 'registrations written again');

$chaos->stop('beats');

$chaos->kill_nginx();
$chaos->start();

is((api('GET', 'live/streams/live/after') || {})->{source}, 'pin',
    'pin after a restart');
is(scalar(servers('fleet')), 20, 'registrations after a restart');
is(scalar(keys %{api('GET', 'fleet/streams/') || {}}), 20,
    'listed streams after a restart');

is($chaos->settled(), '', 'all at work after a restart');

$chaos->stop();

is($chaos->quiet('live', 'hls'), '', 'nothing is left');
is($chaos->check('routes/fleet')->{consistent}, 1, 'table of registrations');
is($chaos->emptied('hls'), '', 'no pages are lost');

is($chaos->{ended}{viewers}{wrong}, 0, 'bytes for viewers');
is($chaos->{ended}{beats}{failed}, 0, 'answers to registrations');

unlike($t->read_file('error.log'), qr/exited on signal (?!9\D)/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

$t->stop();
system('umount', '-l', $d);

###############################################################################

sub count_state {
    my ($name, $re) = @_;
    my $state = read_state("$d/$name.json") or return 0;

    return scalar(() = JSON::PP->new()->encode($state) =~ /$re/g);
}

sub mount {
    my @args = @_;

    return system('mount', @args) == 0;
}

sub fill {
    open(my $fh, '>', "$d/fill") or return "$!";

    1 while syswrite($fh, 'x' x 512);

    return undef;
}

# one thing at a time

sub away {
    my ($go, $back) = @_;

    return 'is away' if $chaos->{away}++;

    $go->();

    # something to be written
    pin('live', 'live/more' . ++$chaos->{pins}, '127.0.0.1');

    return $chaos->later(0.3 + $chaos->random(2000) / 1000, 'back', sub {
        $chaos->{away} = 0;
        $back->();
        return undef;
    });
}

sub damage {
    my ($name) = @_;
    my ($how, $size, $mode);

    $how = $chaos->one_of(qw/ cut empty bytes zeros nest types /);
    $size = -s "$d/$name.json" || 0;
    $mode = $how =~ /bytes|zeros/ ? '+<' : '>>';

    open(my $fh, $mode, "$d/$name.json") or return "$name $how: $!";

    if ($how eq 'cut' || $how eq 'empty') {
        truncate($fh, $how eq 'cut' ? $chaos->random($size + 1) : 0);

    } elsif ($how eq 'nest' || $how eq 'types') {
        truncate($fh, 0);
        syswrite($fh, $how eq 'nest' ? '[' x 5000
            : '{"servers":{"a":[1,null]},"streams":7,"access":"all"}');

    } else {
        for (1 .. 5) {
            sysseek($fh, $chaos->random($size + 1), 0);
            syswrite($fh, join('', map { chr($how eq 'zeros' ? 0
                : $chaos->random(256)) } 1 .. 4));
        }
    }

    return "$name $how";
}

###############################################################################
