#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_register: an nginx-rtmp that tells a proxy what it has.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

need_register($t)->plan(37)->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone      live 1m;
    register  timeout=30s token=SECRET allow=127.0.0.0/8;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $uri = 'http://127.0.0.1:' . port(8080) . '/api/v1/srs/register';

my $o = register_origin($t, 'origin', <<"EOF_CONF");
worker_processes 2;

rtmp {
    rtmp_route_register $uri interval=1h token=SECRET id=a weight=3
                        max_streams=50 http=5999;

    server {
        listen 127.0.0.1:%%PORT_8081%%;
        listen 127.0.0.1:%%PORT_8082%%;

        application live {
            live on;
        }

        application other {
            live on;
        }
    }

    server {
        listen %%PORT_8083%%;

        rtmp_route_register $uri interval=2s token=SECRET id=b;
        rtmp_route_register http://127.0.0.1:%%PORT_8089%%/r interval=2s;

        application live {
            live on;
        }
    }
}
EOF_CONF

# at the start

ok(wait_until(sub { servers('live') == 2 }), 'registered at the start');

my ($a, $b) = sort { $a->{id} cmp $b->{id} } servers('live');

is("$a->{id} $b->{id}", 'a b', 'ids');
is("@{$a->{rtmp}}", join(' ', map { '127.0.0.1:' . port($_) } 8081, 8082),
    'own addresses');
is("@{$b->{rtmp}}", '127.0.0.1:' . port(8083), 'address of the connection');
is("@{$a->{http}} $a->{weight} $a->{max_streams}", '127.0.0.1:5999 3 50',
    'parameters');
is("@{$b->{http}} $b->{weight} $b->{max_streams}", ' 1 0', 'defaults');
is($a->{source}, 'register', 'source');

# at each publish and unpublish; an interval is an hour

my $c;

for my $n (1 .. 3) {
    $c = rtmp_publish(port(8081), 'live', "s$n");
    ok(told("live/s$n", 'a list'), "publish $n is told");

    $c->unpublish("s$n");
    ok(told("live/s$n", 'none'), "unpublish $n is told");
}

# on which server

$c = rtmp_publish(port(8083), 'live', 'there');
ok(told('live/there', 'b list'), 'other server');

my $same = rtmp_publish(port(8081), 'live', 'there');
ok(wait_until(sub { conflicts('a') == 1 }), 'the same here is a conflict');
is(stream('live/there'), 'b list', 'the first stays');

$_->close() for $c, $same;
ok(told('live/there', 'none'), 'both have gone');

# a connection that is cut

$c = rtmp_publish(port(8082), 'other', 'cut');
ok(told('other/cut', 'a list'), 'other app');
$c->reset();
ok(told('other/cut', 'none'), 'reset');

# many of them, from both workers

my @many = map { rtmp_publish(port(8081), 'live', "many$_") } 1 .. 50;
ok(wait_until(sub { $a = server('a'); $a->{streams} == 50 }), 'many');

# a player is no publisher

my $play = rtmp_play(port(8081), 'live', 'nobody');
sleep 0.3;
is(stream('live/nobody'), 'none', 'who waits is not listed');
$play->close();

# a worker is killed: what it had is gone, the other one's stays

my @workers = $o->workers();
is(@workers, 2, 'workers');

kill 'KILL', $workers[0];

ok(wait_until(sub {
    my @alive = grep { !$_->is_closed(0.01) } @many;
    @many = @alive;
    return @alive < 50 && server('a')->{streams} == @alive;
}, 15), 'worker killed');

ok(wait_until(sub { my @w = $o->workers(); @w == 2 && $w[0] != $workers[0]
    && $w[1] != $workers[0] }), 'another worker');
$c = rtmp_publish(port(8081), 'live', 'later');
ok(told('live/later', 'a list'), 'publish after that');

# a reload changes nothing, with streams of old workers

my $streams = server('a')->{streams};
@workers = $o->workers();

$o->signal('HUP');
ok(wait_until(sub { my %old = map { $_ => 1 } @workers;
    2 == grep { !$old{$_} } $o->workers() }, 10), 'reloaded');
sleep 2.5;

is(server('a')->{state}, 'up', 'up after the reload');
is(server('a')->{streams}, $streams, 'streams after the reload');

my $d = rtmp_publish(port(8081), 'live', 'new');
ok(told('live/new', 'a list'), 'new worker');
$c->close();
ok(told('live/later', 'none'), 'old worker');

$_->close() for $d, @many;

# graceful stop

ok(wait_until(sub { server('a')->{streams} == 0 }), 'all have gone');
$o->signal('QUIT');
ok(wait_until(sub { server('a')->{state} eq 'down'
    && server('b')->{state} eq 'down' }), 'unregistered');
ok($o->wait(), 'origin has ended');

# another one is a restart, whatever the first has left

$o = register_origin($t, 'origin');
ok(wait_until(sub { server('a')->{state} eq 'up' }), 'started again');

# who does not answer is told of once, and who does as well

my $log;

ok(wait_until(sub {
    $log = $o->log();
    return 2 == (() = $log =~ /registered with "\Q$uri\E" as "[ab]"/g);
}), 'one line for each registration');
is(() = $log =~ /registration with "http:\S+\/r" failed/g, 1,
    'one line for a proxy that is down');
unlike($log, qr/SECRET/, 'no token in the log');

###############################################################################

sub stream {
    my ($key) = @_;
    my $stream = api('GET', "live/streams/$key");

    return ref $stream ? "$stream->{server} $stream->{source}" : 'none';
}

sub server {
    my ($id) = @_;

    return (grep { $_->{id} eq $id } servers('live'))[0] || {};
}

sub conflicts {
    my ($id) = @_;

    return server($id)->{conflicts} || 0;
}

sub told {
    my ($key, $want) = @_;
    my $start = time();

    return 0 unless wait_until(sub { stream($key) eq $want });

    note(sprintf('%.0f ms', (time() - $start) * 1000));

    return 1;
}

###############################################################################
