#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the state file of a route over a binary upgrade, and back.

###############################################################################

use warnings;
use strict;

use Test::More;

use POSIX qw/ strftime /;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::State;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(33);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon on;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    state     live.json;
    register  open timeout=3s allow=10.0.0.0/8;
    server    127.0.0.1:8081;
    server    127.0.0.1:8083 down;
    inactive  10m;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        keepalive_timeout  0;

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen        127.0.0.1:8082;
        osp_upstream  live;
    }
}

EOC

my $o = rtmp_origin($t, port(8081));

$t->run();

###############################################################################

my $d = $t->testdir();
my $file = "$d/live.json";
my $old = $t->{_master};

my %beat = (server => 'a', ip => '10.0.0.1', service => 's', pid => 'p',
    rtmp => ['1935'], streams => ['live/listed']);

my $c = rtmp_publish(port(8082), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'published');

like(register('live', %beat), qr/"code":0/, 'registered');
api('POST', 'live/servers/', { server => '10.2.0.1', id => 'api-a',
    http => ['80'] });
pin('live', 'live/pinned', 'api-a');

ok(wait_state($file, sub { /pinned/ && /live\/cam1.*"live":true/ }),
    'written');

# a new master, beside the old one

my $new = upgrade($t, $old);

ok($new, 'new master');
ok(logged($t, qr/file ".*" of route "live" is written by a newer process/),
    'new one has the say');

# each of the next requests may come to either of them

like(seen('a', 20), qr/^\w+$/, 'registration is known to both');
is(asked('live/pinned', 20), 'api-a', 'pin is known to both');
is(asked('live/cam1', 20), '127.0.0.1', 'publisher is known to both');
is(asked('live/listed', 20), 'a', 'listed stream is known to both');

# a heartbeat comes to one of them, and counts for both

like(register('live', %beat, server => 'b', ip => '10.0.0.2',
    streams => ['live/more']), qr/"code":0/, 'registered during the upgrade');

ok(wait_until(sub { (seen('b', 20) || '') eq 'up' }, 8), 'both know it');
ok(wait_until(sub { (asked('live/more', 20) || '') eq 'b' }, 8),
    'both know its stream');

# heartbeats that come to the old one only count for the new one

my @beats = (\%beat, { %beat, server => 'b', ip => '10.0.0.2' });

kill('STOP', children($new));
beat(1, @beats);

my $since = now();

beat(3, @beats);
kill('CONT', children($new));
kill('STOP', children($old));

ok(wait_until(sub {
    return 2 == grep { $_->{last_seen} gt $since && $_->{id} =~ /^[ab]$/ }
        servers('live');
}), 'heartbeats of the old one count for the new one');

kill('CONT', children($old));

# no more new connections for the old one, whose session goes on

kill('WINCH', $old);
ok(logged($t, qr/\[notice\] .*: gracefully shutting down/),
    'old workers leave');

patch('live', 'a', drain => JSON::PP::true);
pin('live', 'live/later', 'api-a');
unpin('live', 'live/pinned');
api('DELETE', 'live/servers/api-a');
api('POST', 'live/servers/', { server => '10.2.0.2', id => 'api-b',
    http => ['80'] });
pin('live', 'live/later', 'api-b');
api('POST', 'live/access/', { action => 'allow', cidr => '10.0.0.0/8' });
like(register('live', %beat, server => 'c', ip => '10.0.0.3'), qr/"code":0/,
    'registered with the new one');

# ... the other way round, for 4 seconds of 3

beat(4, @beats, { %beat, server => 'c', ip => '10.0.0.3' });

$c->send_media(media_messages(5));

ok(!$c->is_closed(0.5), 'session of the old one goes on');

# back again

ok(wait_state($file, sub { /"c"/ && /api-b/ && /live\/later/ }), 'written');

kill('HUP', $old);
ok(wait_until(sub { children($old) > 2 }, 5), 'old workers are back');

kill('QUIT', $new);
ok(wait_until(sub { Test::Nginx::process_gone($new) }, 5), 'rolled back');
ok(logged($t, qr/state file ".*" of route "live" is written by this process/),
    'old one has the say again');

my %s;

ok(wait_until(sub {
    %s = map { $_->{id} => $_ } servers('live');
    return $s{'api-b'} && !$s{'api-a'};
}, 5), 'servers of the API, added and deleted');

is($s{c}{state}, 'up', 'registered with the new one');
is($s{a}{drained} || $s{a}{state} eq 'draining', 1, 'set by the new one');
is((api('GET', 'live/streams/live/later') || {})->{server}, 'api-b', 'pin');
is((api('GET', 'live/streams/live/pinned') || {})->{source} || '', '',
    'no pin');
is(scalar(@{api('GET', 'live/access/') || []}), 1, 'access list');

$c->close();

ok(wait_state($file, sub { /"master":$old/ && /api-b/ && /live\/later/ }),
    'written by the old one');

# once more, until the old one has no workers: they come back on their own

$new = upgrade($t, $old);

ok(wait_state($file, sub { /"master":$new/ }), 'written by the new one');

kill('WINCH', $old);
ok(wait_until(sub { children($old) == 0 }, 5), 'old one has no workers');

pin('live', 'live/latest', 'api-b');
unpin('live', 'live/later');

kill('TERM', $new);

ok(wait_until(sub { Test::Nginx::process_gone($new) }, 5), 'rolled back');
ok(wait_state($file, sub { /"master":$old/ }), 'written by the old one');

is((api('GET', 'live/streams/live/latest') || {})->{server}, 'api-b', 'pin');
is(api('GET', 'live/streams/live/later'), undef, 'no pin');

###############################################################################

# what is said so many times, if it is always the same

sub same {
    my ($n, $code) = @_;
    my %all = map { ($code->() || 'undef') => 1 } 1 .. $n;

    return join(' or ', sort keys %all);
}

sub seen {
    my ($id, $n) = @_;

    return same($n, sub {
        return (api('GET', "live/servers/$id") || {})->{state};
    });
}

sub asked {
    my ($key, $n) = @_;

    return same($n, sub {
        return (api('GET', "live/streams/$key") || {})->{server};
    });
}

sub beat {
    my ($seconds, @all) = @_;

    for (1 .. 2 * $seconds) {
        register('live', %$_) for @all;
        sleep(0.5);
    }
}

# as in the API

sub now {
    my $now = time();

    return strftime('%Y-%m-%dT%H:%M:%S', gmtime($now))
        . sprintf('.%03dZ', 1000 * ($now - int($now)));
}

sub children {
    my ($pid) = @_;

    open(my $fh, '<', "/proc/$pid/task/$pid/children") or return ();
    local $/;

    # a new master is a child of the old one
    return grep { !$new || $_ != $new } split(' ', <$fh> || '');
}

###############################################################################
