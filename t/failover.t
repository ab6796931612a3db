#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream with nginx-rtmp: origins that die and come back.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite stream/);

need_rtmp_module($t)->plan(35);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1 rtmp=%%PORT_8081%% http=%%PORT_8084%% fail_timeout=2s;
    server 127.0.0.2 rtmp=%%PORT_8082%% http=%%PORT_8085%% fail_timeout=2s;
    server 127.0.0.3 rtmp=%%PORT_8083%% http=%%PORT_8086%% fail_timeout=2s;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live { rtmp_route live http; }

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }

        location / {
            rtmp_route live;
            proxy_pass http://live;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_command|$status|$upstream_addr|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_connect_timeout 1s;

    server {
        listen       127.0.0.1:8087;
        osp_upstream live;
    }
}

EOF_CONF

start_origin($_) for 1 .. 3;

$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $proxy = port(8087);
my @names = map { "cam$_" } 1 .. 12;
my (%publisher, %player, %where, $c);

publish_all(@names);

is(codes(values %publisher), $start, 'published');

%where = where();

my ($dead) = grep { on($_) >= 3 } '127.0.0.1', '127.0.0.2', '127.0.0.3';

ok($dead, 'an origin with three streams');

my ($first, $early, @others) = grep { $where{$_} eq $dead } @names;
my @stay = grep { $where{$_} ne $dead } @names;

# a player that has not read all yet gets it, then the close

$player{$first} = rtmp_play($proxy, 'live', $first);
ok(played($first), 'played');

my @media = media_messages(30, first => 20);
my $size = out($first);

$size += length($_->[2]) for @media;
$publisher{$first}->send_media(@media);

ok(wait_until(sub { out($first) >= $size }), 'more is on its way');

stop_origin($dead);

ok($publisher{$first}->is_closed(3), 'publisher is told');
is(scalar($player{$first}->read_media(40)), 40, 'nothing is lost');
ok($player{$first}->is_closed(2), 'then closed');

# sessions there wait for their clients to close
# who plays before the publisher is back finds the new place, as does that

$player{$early} = rtmp_play($proxy, 'live', $early, no_wait => 1);
$publisher{$early} = rtmp_publish($proxy, 'live', $early);

is($publisher{$early}->{code}, $start, 'published again at once');
ok(played($early), 'the player was there before');

# no publish fails, not even the first one that finds out

publish_all($first, @others);

is(codes(@publisher{$first, @others}), $start, 'all others, too');
is(scalar(grep { { where() }->{$_} eq $dead } @names), 0, 'elsewhere');
is(join(' ', map { { where() }->{$_} } @stay), join(' ', @where{@stay}),
    'streams of other origins stay');

$player{$first} = rtmp_play($proxy, 'live', $first);
ok(played($first), 'players follow');
is(fetch($first), { where() }->{$first}, 'so do fetches');
is(fetch($stay[0]), $where{$stay[0]}, 'which is so for all');

is(server($dead)->{state}, 'unavail', 'found out');

# it is back: what is live stays, new streams use it

my %now = where();

start_origin($dead);

my ($n, @new) = (0);

ok(wait_until(sub {
    push @new, rtmp_publish($proxy, 'live', 'new' . $n++);
    return grep { $_->{server} eq $dead } sessions('live');
}, 15), 'it is used again');

is(codes(@new), $start, 'nobody was refused');
is(server($dead)->{state}, 'up', 'up');

%where = where();
is(join(' ', @where{@names}), join(' ', @now{@names}), 'no live stream moved');

$_->close() for @new;

# an encoder that comes back within some time finds its server, too

$publisher{$first}->close();
wait_until(sub { !session($first, 'publish') });
$publisher{$first} = rtmp_publish($proxy, 'live', $first);
is({ where() }->{$first}, $now{$first}, 'remembered');

close_all();

# one that hangs: connections are taken by the system, and nothing comes

publish_all(map { "hang$_" } 1 .. 12);
%where = where();
my ($hangs) = grep { /^hang/ } sort keys %where;
my $stopped = $where{$hangs};

$publisher{$hangs}->close();
wait_until(sub { !session($hangs, 'publish') });
signal_origin($stopped, 'STOP');

my $time = time();

$publisher{$hangs} = rtmp_publish($proxy, 'live', $hangs, timeout => 20);
$time = time() - $time;

is($publisher{$hangs}->{code}, $start, 'published elsewhere');
isnt({ where() }->{$hangs}, $stopped, 'not where nobody answers');
cmp_ok($time, '>', 0.9, 'after the time for connecting');
is(server($stopped)->{state}, 'unavail', 'that one is left alone');

signal_origin($stopped, 'CONT');
close_all();

# two at once, then all

ok(wait_until(sub { !grep { $_->{state} ne 'up' } servers('live') }, 10),
    'all are up');

publish_all(map { "two$_" } 1 .. 6);
is(codes(values %publisher), $start, 'published');

stop_origin('127.0.0.1');
stop_origin('127.0.0.2');
wait_until(sub { !grep { $_->{server} ne '127.0.0.3' } sessions('live') });

my @again = grep { !session($_, 'publish') } keys %publisher;

publish_all(@again);
is(codes(values %publisher), $start, 'published again');
is(on('127.0.0.3'), 6, 'all at the last one');

stop_origin('127.0.0.3');
ok(wait_until(sub { !sessions('live') }), 'all have ended');

for my $try (1 .. 3) {
    $c = rtmp_publish($proxy, 'live', 'two1');
    is($c->{code}, 'NetConnection.Connect.Rejected', "none is left, try $try");
}

start_origin('127.0.0.2');

ok(wait_until(sub {
    return rtmp_publish($proxy, 'live', 'two1')->{code} eq $start;
}, 10), 'the first one that is back');

close_all();
wait_until(sub { !sessions('live') });

is(conns('live'), '0 0 0', 'nothing is counted');

###############################################################################

# An nginx-rtmp of one process, which says by HTTP who it is.

sub start_origin {
    my ($addr) = @_;
    my $n = (split(/\./, $addr))[-1];

    unlink($t->testdir() . "/origin$n.pid");

    nginx_rtmp($t, "origin$n", <<"EOF_CONF") or die "Can't start nginx-rtmp\n";

master_process off;

rtmp {
    access_log off;

    server {
        listen 127.0.0.$n:%%PORT_808$n%%;

        application live {
            live on;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.$n:%%PORT_808@{[$n + 3]}%%;

        location / {
            return 200 "127.0.0.$n";
        }
    }
}

EOF_CONF
}

sub signal_origin {
    my ($addr, $signal) = @_;
    my $n = (split(/\./, $addr))[-1];

    kill($signal, $t->read_file("origin$n.pid") + 0);
}

sub stop_origin {
    my ($addr) = @_;
    my $n = (split(/\./, $addr))[-1];
    my $pid = $t->read_file("origin$n.pid") + 0;

    @{$t->{_daemons}} = grep { $_ != $pid } @{$t->{_daemons}};

    kill('KILL', $pid);
    waitpid($pid, 0);
}

sub publish_all {
    $publisher{$_} = rtmp_publish($proxy, 'live', $_) for @_;
}

sub close_all {
    $_->close() for values %publisher, values %player;
    %publisher = %player = ();
    wait_until(sub { !sessions('live') });
}

# The answers, each once.

sub codes {
    my %codes = map { $_->{code} => 1 } @_;

    return join(' ', sort keys %codes);
}

sub session {
    my ($name, $type) = @_;

    return grep { $_->{stream} eq "live/$name" && $_->{type} eq $type }
        sessions('live');
}

# Bytes to a player so far.

sub out {
    return (session($_[0], 'play'))[0]{out};
}

# Servers of what is published.

sub where {
    return map { $_->{stream} =~ m!^live/(.*)! => $_->{server} }
        grep { $_->{type} eq 'publish' && $_->{state} eq 'relay' }
        sessions('live');
}

sub on {
    my ($addr) = @_;
    my %where = where();

    return scalar(grep { $_ eq $addr } values %where);
}

sub server {
    my ($id) = @_;

    return (grep { $_->{id} eq $id } servers('live'))[0];
}

sub fetch {
    return http_content(http_get("/live/$_[0].m3u8"));
}

# Whether what is published comes to the player, both being set up.

sub played {
    my ($name) = @_;

    $publisher{$name}->send_media(media_messages(20));

    return scalar($player{$name}->read_media(10)) == 10;
}

###############################################################################
