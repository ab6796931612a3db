#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Storms: OSP core fails in all ways, and worker processes are killed.  What
# was known of servers and channels before has to be so all the time.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Chaos;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = need_rtmp_module(Test::Nginx->new()->has(qw/http proxy stream/));

$t->plan(16);

chaos_conf($t, route => <<'EOF_CONF');
    resolver  127.0.0.1:8083;
    osp_core  http://127.0.0.1:8082 interval=300ms rtmp=%%PORT_8090%%
              http=%%PORT_8091%%;
EOF_CONF

my $core = osp_core($t, port(8082));
my %host = (cam1 => '127.0.0.2', cam2 => '127.0.0.3', cam3 => '127.0.0.2');
my @rtmp = map { chaos_origin($t, 8090, host => $_) } '127.0.0.2', '127.0.0.3';

for my $host ('127.0.0.2', '127.0.0.3') {
    $core->server($host);
    chaos_hls($t, 8091, [sort keys %host], host => $host);
}

$core->channel($_, live => 1, server => $host{$_}) for sort keys %host;
$core->channel('priv', live => 1, private => 1, server => '127.0.0.3');

$t->run();

###############################################################################

my @faults = (
    [status => 500], [status => 503], [html => 1], [close => 1], [reset => 1],
    [hang => 1], [hang => 'body'], [cut => 1], [cut_json => 1], [big => 1],
    [delay => 2000], [drip => 0.5], [body => 'x'], [raw => "\0" x 100],
);

my $chaos = chaos($t);

ok(wait_until(sub { (api('GET', 'live') || {})->{streams} }), 'polled');

# channels are fed at their origins

$chaos->crew("feed-$_", publish => ["live/$_"], addr => "$host{$_}:"
    . port(8090)) for sort keys %host;

$chaos->crew("play-$_", play => ["live/$_"]) for sort keys %host;
$chaos->crew("publish-$_", publish => ["stream/key-$_"])
    for sort keys %host;

$chaos->viewers('viewers', count => 4,
    uris => [map { "/live/$_/index.m3u8" } sort keys %host]);

is($chaos->settled(), '', 'all at work');

$chaos->storm(
    [6 => 'fault', sub {
        my ($what, $value) = @{$chaos->one_of(@faults)};

        $core->fault('all', $what => $value);

        return "$what $value";
    }],
    [2 => 'down', sub { away(sub { $core->down() }, sub { $core->up() }) }],
    [1 => 'well', sub { $core->clear(); return undef }],
    [1 => 'stop', sub {
        away(sub { $core->signal('STOP') }, sub { $core->signal('CONT') });
    }],
    [1 => 'kill worker', sub { $chaos->kill_worker() }],
);

my %core = %{(api('GET', 'live') || {})->{core} || {}};

is($core{streams}, 3, 'channels are known all the time');

$core->clear();

is($chaos->settled(), '', 'all at work again');
is($chaos->counted('live', '3 publishers, 3 players'),
    '3 publishers, 3 players', 'counted again');

ok(wait_until(sub {
    (api('GET', 'live') || {})->{core}{state} eq 'up';
}, 15), 'core is up again');

# what changes is heard of

$core->channel('cam4', live => 1, server => '127.0.0.3');

ok(wait_until(sub { api('GET', 'live/streams/live/cam4') }, 10), 'new channel');

$chaos->stop();

is($chaos->quiet('live', 'hls'), '', 'nothing is left');
is($chaos->emptied('hls'), '', 'no pages are lost');

is($chaos->{ended}{viewers}{failed}, 0, 'answers to viewers')
    or diag($chaos->{ended}{viewers}{what_failed});
is($chaos->{ended}{viewers}{wrong}, 0, 'bytes for viewers');
is($chaos->ended('refused'), 0, 'sessions that were refused');
is($chaos->ended('gaps'), 0, 'frames that are missing');

ok($chaos->same_workers(3), 'as many workers as there should be');
unlike($t->read_file('error.log'), qr/exited on signal (?!9\D)/,
    'no process died by itself');
is($chaos->logged(), '', 'log');

###############################################################################

sub away {
    my ($go, $back) = @_;

    return 'is away' if $chaos->{away}++;

    $go->();

    return $chaos->later(0.3 + $chaos->random(1000) / 1000, 'back', sub {
        delete $chaos->{away};
        $back->();
        return undef;
    });
}

###############################################################################
