#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: what clients are told when a process that is about to
# leave can't wait any longer (worker_shutdown_timeout).

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream stream_ssl/)->has_daemon('openssl')
    ->plan(58);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
worker_shutdown_timeout 1s;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

rtmp_route other {
    zone    other 1m;
    server  127.0.0.1:8082;
}

rtmp_route silent {
    zone    silent 1m;
    server  127.0.0.1:8083;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    ssl_certificate_key localhost.key;
    ssl_certificate     localhost.crt;

    server {
        listen        127.0.0.1:8084;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8085 ssl;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8086;
        osp_upstream  other;
    }

    server {
        listen        127.0.0.1:8087;
        osp_upstream  silent;
        osp_upstream_connect_timeout 30s;
    }

    server {
        listen        127.0.0.1:8088;
        osp_upstream  live;
        osp_upstream_resume on;
    }
}

EOF_CONF

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . '-keyout ' . $t->testdir() . '/localhost.key -out ' . $t->testdir()
    . '/localhost.crt >/dev/null 2>&1') == 0
    or die "Can't make a certificate\n";

my @frames = media_messages(6, play => 1, size => 6000);

rtmp_origin($t, port(8081), before => \&stream, media => 0);
rtmp_origin($t, port(8082), before => \&stream, media => 0,
    create => 7);
rtmp_origin($t, port(8083), handshake => 'silent');

$t->run();

###############################################################################

my @media = media_messages(5);
my ($c, $m, $start, %c, %told, @senders);

my $error = 'error NetConnection.Connect.AppShutdown server is shutting down';
my $reconnect = 'status NetConnection.Connect.ReconnectRequest '
    . 'server is shutting down';

$c{publish} = publisher(8084, 'publish');
$c{quiet} = publisher(8084, 'quiet');
$c{ssl} = publisher(8085, 'ssl', ssl => 1);
$c{resume} = publisher(8088, 'resume');
$c{mapped} = publisher(8086, 'mapped');
$c{reconnect} = publisher(8084, 'reconnect', connect => [capsEx => 3]);
$c{play} = player(8084, 'play');
$c{play_mapped} = player(8086, 'play_mapped');
$c{play_reconnect} = player(8084, 'play_reconnect', connect => [capsEx => 1]);
$c{play_idle} = player(8084, 'idle');

for my $name (sort keys %c) {
    is($c{$name}{code}, $name =~ /play/ ? 'NetStream.Play.Start'
        : 'NetStream.Publish.Start', "set up: $name");
}

# one in set-up, one that reads nothing, and one that has said nothing

$c{setup} = publisher(8087, 'setup', no_wait => 1);
$c{blocked} = player(8084, 'blocked');
$c{new} = rtmp_client(port(8084));

# those who publish do so all the time

for my $name (qw/ publish ssl resume mapped reconnect /) {
    push @senders, sender($c{$name});
}

$t->reload();

$start = time();

for my $name (grep { !/blocked|new/ } sort keys %c) {
    $told{$name} = told($c{$name});
}

for my $name (qw/ publish quiet ssl resume mapped play play_mapped play_idle
    setup /)
{
    is($told{$name}, $error, "told: $name");
}

is($told{reconnect}, $reconnect, 'told: reconnect');
is($told{play_reconnect}, $reconnect, 'told: play_reconnect');

is($c{reconnect}{answer}{msid}, 0, 'request is for the connection');
is($c{publish}{answer}{msid}, 1, 'status is for the stream');
is($c{mapped}{answer}{msid}, 1, 'status is for the stream of the client');
is($c{play_mapped}{answer}{msid}, 1, 'status is for the stream of the player');

# all that came before was whole

for my $name (qw/ play play_mapped play_reconnect /) {
    is(broken($c{$name}), '', "media: $name");
    cmp_ok(scalar(media($c{$name})), '>', 20, "so many of them: $name");
}

for my $name (sort keys %c) {
    next if $name eq 'blocked';

    ok($c{$name}->is_closed(5), "closed: $name");
    is($c{$name}{eof}, 'eof', "not reset: $name") unless $name eq 'ssl';
}

# processes leave soon

ok(wait_until(sub {
    return 2 == (() = $t->read_file('error.log') =~ /exited with code 0/g);
}, 10), 'old processes leave');

cmp_ok(time() - $start, '<', 8, 'in time');

kill('KILL', @senders);
waitpid($_, 0) for @senders;

is(join(', ', grep { !/^\S+ 200 shutdown$/ }
    split(/\n/, $t->read_file('stream.log'))), '', 'log');
is(scalar(() = $t->read_file('stream.log') =~ /\n/g), scalar(keys %c),
    'log of each');

###############################################################################

sub publisher {
    my ($port, $name, %opt) = @_;

    return rtmp_publish('127.0.0.1:' . port($port), 'live', $name, %opt,
        timeout => 8);
}

sub player {
    my ($port, $name, %opt) = @_;

    return rtmp_play('127.0.0.1:' . port($port), 'live', $name, %opt,
        timeout => 8);
}

# The origin of a player: frames with a pause after each of them, and within
# them where nginx knows where they end.

sub stream {
    my ($c, $m, $origin) = @_;
    my ($bytes, $half, $n);

    return 0 if $m->{name} ne 'play' || $m->{args}[1] eq 'idle';

    $origin->on_play($m);

    for ($n = 0; $n < 2000; $n++) {
        $bytes = $c->media_bytes($frames[3 + $n % 6]);
        $half = $origin->{create} ? length($bytes) / 2 : 0;

        last unless $c->write_raw(substr($bytes, 0, $half), 30);
        sleep(0.02) if $half;
        last unless $c->write_raw(substr($bytes, $half), 30);
        sleep(0.02);
    }

    return 1;
}

# Media of a client again and again, by a process of its own.

sub sender {
    my ($c) = @_;
    my $pid = fork();

    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{TERM} = 'DEFAULT';

        while (getppid() != 1 && $c->send_media(@media)) {
            sleep(0.01);
        }

        POSIX::_exit(0);
    }

    return $pid;
}

# The last message, which is a status.

sub told {
    my ($c) = @_;
    my ($m, $end);

    $c->read_until(sub { $m = $_[0]; return 0 });

    return 'nothing' unless $m;
    return "message of type $m->{type}" unless ($m->{name} || '') eq 'onStatus';

    $c->{answer} = $m;

    return join(' ', @{$m->{args}[-1]}{qw/ level code description /});
}

# Frames that a player got, and those among them that are none.

sub media {
    my ($c) = @_;

    return grep { $_->{type} == 8 || $_->{type} == 9 } @{$c->{messages}};
}

sub broken {
    my ($c) = @_;
    my %good = map { media_digest([ $_->[0], 0, $_->[2] ]) => 1 } @frames;

    return join(' ', map { "$_->{type}:" . length($_->{payload}) }
        grep { !$good{media_digest([ $_->{type}, 0, $_->{payload} ])} }
        media($c));
}

###############################################################################
