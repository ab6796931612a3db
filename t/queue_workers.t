#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_queue: several workers, a reload, a drain, workers
# that leave or are killed.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route qw/ :DEFAULT proxy register /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(45);

$t->{_ignore_alerts} = qr/exited on signal 9/;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 3;
worker_shutdown_timeout 4s;

events {
    accept_mutex  on;
}

rtmp_route cold {
    zone      cold 1m;
    register  open allow=127.0.0.0/8;
    round_robin;
}

rtmp_route late {
    zone      late 1m;
    register  open allow=127.0.0.0/8;
    unknown   wait=1s;
}

rtmp_route none {
    zone      none 1m;
    register  open allow=127.0.0.0/8;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_command $rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_queue  30s;

    server {
        listen        127.0.0.1:8090;
        osp_upstream  cold;
    }

    server {
        listen        127.0.0.1:8091;
        osp_upstream  late;
    }

    server {
        listen        127.0.0.1:8092;
        osp_upstream  none;
    }
}

EOF_CONF

my $one = rtmp_origin($t, port(8081));
my $two = rtmp_origin($t, port(8082));

$t->run();

###############################################################################

my (%publisher, %player, %where, @c, @pids, $c, $p, $old);

# a cold start: publishers and players of the same streams, in all workers

for my $i (1 .. 6) {
    $player{$i} = play(8090, "cam$i") if $i % 2;
    $publisher{$i} = publish(8090, "cam$i");
    $player{$i} = play(8090, "cam$i") unless $i % 2;
}

ok(wait_until(sub { queued('cold') == 12 }), 'all wait');
is(proxy()->{queued}, 12, 'all wait, in the proxy');
is(proxy()->{sessions}, 0, 'no sessions yet');

register('cold', 8081, 'one');
register('cold', 8082, 'two');

for my $i (1 .. 6) {
    is($publisher{$i}->status()->{code}, 'NetStream.Publish.Start',
        "cam$i published");
    is($player{$i}->play_status(), 'NetStream.Play.Start', "cam$i played");
}

ok(wait_sessions('cold', 12), 'sessions');

for my $s (sessions('cold')) {
    $where{$s->{stream}}{$s->{server}}++;
}

is_deeply([ map { keys %$_ > 1 ? 'two' : 'one' } values %where ],
    [ ('one') x 6 ], 'each stream is on one server');
is(queued('cold'), 0, 'nobody waits');
is(proxy()->{queued}, 0, 'nobody waits, in the proxy');

%publisher = %player = ();

# drain of the proxy: publishers are told at once, players wait on

$c[0] = publish(8091, 'cam1');
$c[1] = play(8091, 'cam1');
ok(wait_until(sub { queued('late') == 2 }), 'two wait');

drain('true');

is(said($c[0]), 'NetConnection.Connect.Rejected proxy is draining',
    'publisher is told');
ok(wait_until(sub { queued('late') == 1 }), 'player waits on');
ok(wait_until(sub { proxy()->{sessions} == 0 }), 'no sessions are left');
is(proxy()->{drained}, JSON::PP::false(), 'but one that waits');
is(wait_log($t, 'stream.log', qr/^(publish cam1 503 .*)/m),
    'publish cam1 503 draining', 'logged');

$c[1]->close();
ok(wait_until(sub { proxy()->{drained} }), 'drained without it');

drain('false');

# a ban of what waits, in whatever worker

@c = map { publish(8092, 'cam1') } 1 .. 3;
push @c, publish(8092, 'cam2');
ok(wait_until(sub { queued('none') == 4 }), 'four wait');

ok(api('POST', 'none/bans/', { stream => 'live/cam1', time => '1h' }),
    'one name is banned');

like(said($c[$_]), qr/^NetStream\.Publish\.Denied banned for \d+ s$/,
    'it is told') for 0 .. 2;
ok(wait_until(sub { queued('none') == 1 }), 'the other one waits on');
$c[3]->close();
ok(wait_until(sub { queued('none') == 0 }), 'nobody waits for now');

# a reload: who waits is served by a worker of the old configuration

$c[0] = publish(8091, 'cam2');
ok(wait_until(sub { queued('late') == 1 }), 'one waits');

$t->reload();

ok(wait_until(sub {
    return 3 == grep { $_->{generation} == 2 } @{proxy()->{workers}};
}), 'reload');
is(queued('late'), 1, 'one waits in an old worker');

register('late', 8081, 'one');
is($c[0]->status()->{code}, 'NetStream.Publish.Start', 'it is published');
$c[0]->close();

# ... until that has to exit

$c[0] = publish(8092, 'cam3');
ok(wait_until(sub { queued('none') == 1 }), 'one waits, again');

$t->reload();

is(said($c[0]), 'NetConnection.Connect.AppShutdown server is shutting down',
    'it is told');
is(wait_log($t, 'stream.log', qr/^(publish cam3 .* shutdown)/m),
    'publish cam3 200 shutdown', 'logged, too');
ok(wait_until(sub { queued('none') == 0 }), 'it waits no more');

# workers that are killed

@c = map { publish(8092, "cam$_") } 5 .. 7;
ok(wait_until(sub { queued('none') == 3 }), 'three wait');

kill('KILL', map { $_->{pid} } @{proxy()->{workers}});

ok(wait_until(sub { ($p = proxy()) && 3 == @{$p->{workers}} }),
    'other workers');
ok(wait_until(sub { (queued('none') || 0) == 0 }), 'nobody waits in the route');
is(proxy()->{queued}, 0, 'nobody waits in the proxy');

###############################################################################

sub publish {
    my ($port, $name) = @_;

    return rtmp_publish(port($port), 'live', $name, timeout => 8,
        no_wait => 1);
}

sub play {
    my ($port, $name) = @_;

    return rtmp_play(port($port), 'live', $name, timeout => 8, no_wait => 1);
}

sub said {
    my ($c) = @_;

    $c->status();
    return "$c->{code} $c->{description}";
}

sub drain {
    my ($value) = @_;

    return request('PATCH', '/api/1/proxy', "{\"drain\":$value}");
}

sub queued {
    my ($route) = @_;
    my $r = api('GET', $route);

    return $r ? $r->{queued} : undef;
}

###############################################################################
