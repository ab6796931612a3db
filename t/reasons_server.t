#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for how sessions end: what is told, logged and said in $rtmp_reason if
# a server refuses a client, makes no sense, is silent, or goes.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Reasons;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream/)->plan(13 + 23 * ENDED);

# what the server does, who comes, and what then is the reason

my $denied = 'NetStream.Publish.Denied';
my $missing = 'NetStream.Play.StreamNotFound';

my %cases = (
    8101 => ['busy', 'publish', 'refused', { publish => 'busy' },
        told => 'NetStream.Publish.BadName', logged => 1],
    8102 => ['error', 'publish', 'refused', { publish => 'error' },
        told => 'NetStream.Publish.BadName', logged => 1],
    8103 => ['closes', 'publish', 'refused', { publish => 'close' },
        logged => ', which has closed connection'],
    8104 => ['closes', 'play', 'refused', { play => 'close' },
        logged => ', which has closed connection'],
    8105 => ['no stream', 'play', 'refused', { play => 'not_found' },
        told => $missing, logged => 1],
    8106 => ['no connect', 'publish', 'refused', { connect => 'error' },
        told => 'NetConnection.Connect.Rejected', logged => 1],
    8107 => ['no createStream', 'publish', 'refused', { create => 'error' },
        told => 'NetConnection.Call.Failed', logged => 1],
    8108 => ['redirect', 'publish', 'refused',
        { connect => 'redirect=rtmp://192.0.2.1/live' },
        told => 'NetConnection.Connect.Rejected', logged => ', which '
        . "redirects to a server that can't be taken"],
    8109 => ['odd code', 'play', 'refused', { before => answer('play', sub {
            $_[0]->send_command('onStatus', 0, undef, { level => 'error',
                code => 'Net key=secret', description => 'secret' },
                \{ msid => 1 });
        }) }, told => 'Net key=secret', logged => ''],

    8110 => ['publish', 'publish', 'origin_timeout', { publish => 'silent' }],
    8111 => ['play', 'play', 'origin_timeout', { play => 'silent' }],

    8112 => ['chunk size', 'publish', 'origin_protocol_error',
        { before => answer('createStream', sub {
            $_[0]->send_message(type => 1, csid => 2, payload => "\0\0\0\0");
        }) }],

    8113 => ['no handshake', 'publish', 'connect_failed',
        { handshake => 'close' }],
    8114 => ['no rtmp', 'publish', 'connect_failed',
        { handshake => 'garbage' }],
    8115 => ['hangs', 'publish', 'connect_failed', { handshake => 'silent' }],
    8116 => ['no answer to connect', 'play', 'connect_failed',
        { connect => 'silent' }],
);

# and of sessions that ran

my @ports = (sort(keys %cases), 8120 .. 8126);

my ($routes, $servers) = ('', '');

for my $n (@ports) {
    my @more;

    push @more, 'osp_upstream_connect_timeout 1s;',
        'osp_upstream_handshake_timeout 1s;'
        if $cases{$n} && $cases{$n}[2] =~ /timeout|connect_failed/;

    push @more, 'osp_upstream_timeout 1s;' if $n == 8122;
    push @more, 'osp_upstream_resume on;', 'osp_upstream_resume_timeout 1s;'
        if $n == 8123;
    push @more, 'osp_upstream_no_input 10s;', 'osp_upstream_resume_timeout 1s;'
        if $n == 8124;
    push @more, 'osp_upstream_resume on;' if $n == 8125;

    $routes .= "rtmp_route r$n { zone r$n 256k; server 127.0.0.1:$n; }\n";
    $servers .= reasons_conf('127.0.0.1:' . ($n + 100), "r$n", @more);
}

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

$routes

stream {
    %%TEST_GLOBALS_STREAM%%

    @{[ log_format() ]}

$servers
}

EOC

rtmp_origin($t, port($_), %{$cases{$_}[3]}) for keys %cases;

my %origins = map { $_ => rtmp_origin($t, port($_)) } 8120, 8122 .. 8124;

$origins{8121} = rtmp_origin($t, port(8121), before => answer('publish', sub {
    my ($c, $o, $m) = @_;

    $o->on_publish($m);
    $c->fill(length($c->{buf}) + 1);
    $c->reset();
    POSIX::_exit(0);
}));

$origins{8125} = rtmp_origin($t, port(8125), before => answer('publish', sub {
    my ($c, $o, $m) = @_;

    $o->on_publish($m);
    $c->fill(length($c->{buf}) + 1);
    $c->shutdown();
    POSIX::_exit(0);
}));

rtmp_origin($t, port(8126), before => answer('deleteStream', sub {
    $_[0]->reset();
    POSIX::_exit(0);
}));

$t->run();

###############################################################################

# those that take a second do so at once

my %clients;

for my $n (sort keys %cases) {
    $clients{$n} = start($n) if $cases{$n}[2] =~ /timeout|connect_failed/;
}

my $idle = rtmp_publish(port(8222), 'live', 'cam1');
is($idle->{code}, 'NetStream.Publish.Start', 'silent one');

for my $n (sort keys %cases) {
    my ($name, $op, $reason, $how, %want) = @{$cases{$n}};

    my $c = $clients{$n} || start($n);

    $c->answer('onStatus|_error');

    ended($t, $n + 100, $reason, name => $name, client => $c, upstream => $n,
        exists $want{told} ? (told => $want{told}) : ());

    next unless exists $want{logged};

    my $port = port($n + 100);
    my ($line) = $t->read_file('error.log')
        =~ /\[info\].*: \*\d+ (client refused.*server: \S+:$port, .*)$/m;

    $line = 'none' unless defined $line;

    like($line, qr/^client refused by upstream@{[
        $want{logged} eq '1' ? ": $want{told}" : quotemeta($want{logged})
        ]} while .*, upstream: "\S+:@{[ port($n) ]}"/, "$name: why");
}

# one that closes because the client has ended its stream

my $c = rtmp_publish(port(8226), 'live', 'cam1');
$c->send_command('deleteStream', 6, undef, 1, \{ csid => 3 });
ended($t, 8226, 'ok', name => 'said', client => told($c), upstream => 8126);

# a server that closes, with or without a reset, or goes

$c = rtmp_play(port(8220), 'live', 'cam1');
is($c->{code}, 'NetStream.Play.Start', 'player');
$origins{8120}->stop();
ended($t, 8220, 'origin_closed', name => 'play', client => told($c),
    upstream => 8120);

$c = rtmp_publish(port(8221), 'live', 'cam1');
$c->send_media(media_messages(3));
ended($t, 8221, 'origin_closed', name => 'reset', status => 502,
    client => told($c), upstream => 8121);

ended($t, 8222, 'timeout', client => told($idle), upstream => 8122);

$c = rtmp_publish(port(8223), 'live', 'cam1');
$c->send_media(media_messages(3));
$origins{8123}->stop();
ended($t, 8223, 'move_failed', name => 'publisher', client => told($c),
    upstream => 8123);

$c = rtmp_play(port(8224), 'live', 'cam1');
is($c->{code}, 'NetStream.Play.Start', 'player to be moved');
ok($c->read_until(sub { $_[0]{type} == 9 && $_[0]{ts} > 100 }), 'media');

$origins{8124}->stop();
ended($t, 8224, 'move_failed', name => 'player', client => told($c),
    upstream => 8124);

$c = rtmp_publish(port(8225), 'live', 'cam1');
for (1 .. 400) {
    $c->send_media(media_messages(3)) or last;
    last if $c->fill(length($c->{buf}) + 1, 0.05)
        && $c->{buf} =~ /Denied/;
}
ended($t, 8225, 'move_failed', name => 'too often', client => told($c),
    upstream => 8125);

###############################################################################

sub start {
    my ($n) = @_;
    my $c;

    $c = Test::Nginx::RTMP::rtmp_start(port($n + 100), 'live');

    $c->{code} = $c->{description} = '';

    return $cases{$n}[1] eq 'play' ? $c->play('cam1', no_wait => 1)
        : $c->publish('cam1', no_wait => 1);
}

sub answer {
    my ($name, $code) = @_;

    return sub {
        my ($c, $m, $o) = @_;

        return 0 unless $m->{name} eq $name;

        $code->($c, $o, $m);
        return 1;
    };
}

###############################################################################
