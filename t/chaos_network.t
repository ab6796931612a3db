#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Storms: packets from and to origins are dropped at random, in a network
# namespace of the test's own.

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

alone($t, net => ['ip link set lo up',
    'iptables -w 5 -A INPUT -d 127.0.0.2 -j DROP'])->plan(15);

my @hosts = ('127.0.0.2', '127.0.0.3');

chaos_conf($t, route => join('', map { <<"EOF_CONF" } @hosts));
    server    $_:%%PORT_8090%% http=%%PORT_8091%% fail_timeout=1s;
EOF_CONF

for my $host (@hosts) {
    chaos_origin($t, 8090, host => $host);
    chaos_hls($t, 8091, [qw/ cam1 cam2 cam3 /], host => $host);
}

$t->run();

###############################################################################

my $chaos = chaos($t);
my $cells = $chaos->cells('live');
my %cut;

$chaos->crew($_, publish => ["live/$_"], play => ["live/$_"], patience => 5)
    for qw/ cam1 cam2 cam3 cam4 /;
$chaos->viewers('viewers', count => 4,
    uris => [map { "/live/$_/index.m3u8" } qw/ cam1 cam2 cam3 /]);
$chaos->api_reader('api', map { "routes/live/$_/" }
    qw/ servers streams sessions /);

is($chaos->settled(), '', 'all at work');

# that it is cut at all

cut('127.0.0.2');
cut('127.0.0.3');

ok(wait_until(sub { $chaos->settled(1) =~ /no media/ }, 10), 'all is cut');

mend($_) for @hosts;

is($chaos->settled(20), '', 'all is mended');

$chaos->storm(
    [3 => 'cut', sub {
        my $host = $chaos->one_of(@hosts);

        return "$host is cut" if $cut{$host};
        cut($host);

        $chaos->later(0.1 + $chaos->random(3000) / 1000, "mend $host",
            sub { mend($host) });

        return $host;
    }],
    [1 => 'kill worker', sub { $chaos->kill_worker() }],
);

is($chaos->settled(30), '', 'all at work again');
is($chaos->counted('live', '4 publishers, 4 players', 20),
    '4 publishers, 4 players', 'counted again');

$chaos->stop();

is($chaos->quiet('live', 'hls'), '', 'nothing is left');
is($chaos->cells('live'), $cells, 'no cells are lost');
is($chaos->emptied('hls'), '', 'no pages are lost');

is($chaos->{ended}{viewers}{wrong}, 0, 'bytes for viewers');
is($chaos->{ended}{api}{failed}, 0, 'answers of the API');
is($chaos->ended('back'), 0, 'frames that come twice');
is($chaos->ended('gaps'), 0, 'frames that are missing');

ok($chaos->same_workers(3), 'as many workers as there should be');
unlike($t->read_file('error.log'), qr/exited on signal (?!9\D)/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

###############################################################################

sub cut {
    my ($host) = @_;

    $cut{$host} = 1;
    iptables('-A', $host);

    return undef;
}

sub mend {
    my ($host) = @_;

    delete $cut{$host};
    iptables('-D', $host);

    return undef;
}

sub iptables {
    my ($op, $host) = @_;

    for my $way ('-s', '-d') {
        system(qw/ iptables -w 5 /, $op, 'INPUT', $way, $host,
            qw/ -j DROP /) == 0 or die "Can't run iptables\n";
    }
}

###############################################################################
