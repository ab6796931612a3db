#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: channels that OSP core is asked for.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(46)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    osp_core http://127.0.0.1:%%PORT_8082%% interval=60s
             rtmp=%%PORT_8090%%;
}

rtmp_route keys {
    zone     keys 1m;
    key      stream;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=60s
             rtmp=%%PORT_8090%% publish_app=in zone=64k;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format osp "$status $rtmp_reason $rtmp_command";
    access_log %%TESTDIR%%/access.log osp;

    upstream live {
        rtmp_route live rtmp;
    }

    upstream alone {
        rtmp_route live rtmp key=live/priv9;
    }

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8083;
        rtmp_route   live rtmp key=live/priv8;
        proxy_pass   live;
    }

    server {
        listen       127.0.0.1:8084;
        rtmp_route   live rtmp key=live/nobody8;
        proxy_pass   live;
    }

    server {
        listen       127.0.0.1:8085;
        proxy_pass   alone;
    }

    server {
        listen       127.0.0.1:8086;
        osp_upstream keys;
    }
}

EOF

my ($one, $two) = ('127.0.0.1', '127.0.0.2');
my $core = osp_core($t, port(8082));

$core->server($_) for $one, $two;

$core->channel('listed', live => 1, server => $two);
$core->channel($_, live => 1, private => 1, server => $two)
    for 'other', map { "priv$_" } 1 .. 9;

$core->channel('stale', live => 1, private => 1, server => $two,
    first_server => $one);

my $o1 = rtmp_origin($t, port(8090), play => 'not_found',
    file => $t->testdir() . '/one.log');
my $o2 = rtmp_origin($t, port(8090), host => $two,
    file => $t->testdir() . '/two.log');

$t->run();

my ($c, $time, @c);

###############################################################################

ok(listed(), 'polled');

$c = rtmp_play(port(8081), 'live', 'listed');
is($c->{code}, 'NetStream.Play.Start', 'in the list');
is(server(), $two, 'where the list says');
is($core->count('rtmpCheck'), 0, 'nobody asks');
$c->close();

# not in the list

$c = rtmp_play(port(8081), 'live', 'priv1');
is($c->{code}, 'NetStream.Play.Start', 'private');
is(server(), $two, 'where the core says');
is(($core->requests('rtmpCheck'))[-1]{headers}{'x-channel-id'}, 'priv1',
    'channel');
$c->close();

$c = rtmp_play(port(8081), 'live-adapt', 'priv1?token=1');
is($c->{code}, 'NetStream.Play.Start', 'by another application');
is($core->count('rtmpCheck'), 1, 'asked for once');
$c->close();

$c = rtmp_play(port(8086), 'live', 'priv1');
is($c->{code}, 'NetStream.Play.Start', 'another route');
$c->close();

# unknown

$time = time();
$c = rtmp_play(port(8081), 'live', 'nobody');
is($c->{code}, 'NetStream.Play.StreamNotFound', 'unknown');
cmp_ok(time() - $time, '<', 3, 'at once');
$c->close();

$core->forget();

for (1 .. 5) {
    $c = rtmp_play(port(8081), 'live', 'nobody');
    $c->close();
}

cmp_ok($core->count('rtmpCheck'), '<=', 1, 'not asked for again');

$c = rtmp_play(port(8081), 'stream', 'priv1');
is($c->{code}, 'NetStream.Play.StreamNotFound',
    'the name of a publisher is none of a channel');
$c->close();

# publishers are not asked about

$core->forget();

$c = rtmp_publish(port(8081), 'stream', 'key-priv1');
is($c->{code}, 'NetStream.Publish.Start', 'publish');
$c->close();

$c = rtmp_publish(port(8081), 'live', 'new');
is($c->{code}, 'NetStream.Publish.Start', 'publish to another application');
$c->close();

is($core->count('rtmpCheck'), 0, 'nobody asks');

# many who wait, and some who leave

$core->fault('rtmpCheck', delay => 500, count => 1);

@c = map { rtmp_play(port(8081), 'live', 'priv2', no_wait => 1) } 1 .. 20;
ok($core->wait('rtmpCheck'), 'asked');
shift(@c)->close() for 1 .. 5;
shift(@c)->reset() for 1 .. 5;

is(scalar(grep { started($_) } @c), 10, 'all who wait');
is($core->count('rtmpCheck'), 1, 'one question');
$_->close() for @c;

# another stream on the same connection

$core->forget();
$core->fault('rtmpCheck', delay => 500, count => 1);

$c = rtmp_play(port(8081), 'live', 'listed');

my $n = $o2->events(event => 'command', name => 'play');
$c->send_command('play', 0, undef, 'priv3', \{ csid => 8, msid => 1 });
ok($o2->wait(event => 'command', name => 'play', count => $n + 1),
    'unknown yet');
is($core->count('rtmpCheck'), 1, 'asked for');

$c->send_command('play', 0, undef, 'listed', \{ csid => 8, msid => 1 });
ok($o2->wait(event => 'command', name => 'play', count => $n + 2),
    'one that is known');

again($c, 'nobody2');
is(told($c), 'NetStream.Play.StreamNotFound', 'unknown to the core');
is($c->{description}, 'stream not found', 'why');
ok($c->is_closed(3), 'and closed');
is(scalar($o2->events(event => 'command', name => 'play')), $n + 2,
    'not passed');
$c->close();

# an answer of an earlier broadcast

$c = rtmp_play(port(8081), 'live', 'stale');
is($c->{code}, 'NetStream.Play.Start', 'not on the first server ever');
is(server(), $two, 'but on another one');
is(api('GET', 'live/streams/live/stale')->{source}, 'found', 'found');
$c->close();

$c = rtmp_play(port(8081), 'live', 'stale');
is($c->{code}, 'NetStream.Play.Start', 'again');
is($o1->connections(), 1, 'the first one is asked once');
$c->close();

# nobody can tell

$core->fault('rtmpCheck', status => 500);
$c = rtmp_play(port(8081), 'live', 'priv4');
is($c->{code}, 'NetConnection.Connect.Rejected', 'nobody can tell');
$c->close();

$core->fault('rtmpCheck', hang => 1);
$c = rtmp_play(port(8081), 'live', 'listed');
$time = time();
again($c, 'priv7');
is(told($c), 'NetConnection.Connect.Rejected', 'hangs for another stream');
cmp_ok(time() - $time, '<', 5, 'for another stream, not for long');
$c->close();

$time = time();
$c = rtmp_play(port(8081), 'live', 'priv5', timeout => 10);
is($c->{code}, 'NetConnection.Connect.Rejected', 'hangs');
cmp_ok(time() - $time, '<', 5, 'not for long');
$c->close();

$c = rtmp_play(port(8081), 'live', 'listed');
is($c->{code}, 'NetStream.Play.Start', 'what is known goes on');
$c->close();

$core->clear();

for (1 .. 50) {
    $c = rtmp_play(port(8081), 'live', 'priv4');
    last if $c->{code} eq 'NetStream.Play.Start';
    $c->close();
    sleep(0.1);
}

is($c->{code}, 'NetStream.Play.Start', 'it is back');
$c->close();

# rtmp_route in a server, and a balancer alone

$core->forget();

$c = rtmp_play(port(8083), 'live', 'priv8');
is($c->{code}, 'NetStream.Play.Start', 'rtmp_route');

$c->close();
$c = rtmp_client(port(8084));
ok(!$c || !$c->handshake(), 'rtmp_route: unknown');

$c = rtmp_client(port(8085));
ok(!$c || !$c->handshake(), 'a balancer does not wait');

for (1 .. 50) {
    $c = rtmp_play(port(8085), 'live', 'priv9');
    last if $c && $c->{code} eq 'NetStream.Play.Start';
    sleep(0.1);
}

is($c->{code}, 'NetStream.Play.Start', 'but it asks');
is(join(' ', map { $_->{headers}{'x-channel-id'} }
    $core->requests('rtmpCheck')), 'priv8 nobody8 priv9', 'once each');
$c->close();

ok(wait_sessions('live', 0), 'no session is left');

unlike(join("\n", grep { /\[error\]/ } split(/\n/,
    $t->read_file('error.log'))), qr/no live upstreams/, 'no other reason');

###############################################################################

sub listed {
    for (1 .. 100) {
        return 1 if api('GET', 'live/streams/live/listed')
            && api('GET', 'keys/streams/listed');
        sleep(0.05);
    }

    return 0;
}

sub server {
    my ($s) = grep { $_->{type} eq 'play' } sessions('live');

    return defined $s ? (split(/:/, $s->{upstream}))[0] : '';
}

# Another stream after the one before.

sub again {
    my ($c, $name) = @_;

    $c->send_command('deleteStream', 6, undef, 1, \{ csid => 3 });
    $c->send_command('createStream', 7, undef, \{ csid => 3 });
    $c->answer('_result', 7, 'no answer to createStream');
    $c->send_command('play', 0, undef, $name, \{ csid => 8, msid => 1 });
}

# the code of the first error

sub told {
    my ($c) = @_;

    while ($c->answer('onStatus|_error', undef, 'no status')) {
        return $c->{code} if $c->{info}{level} eq 'error';
    }

    return '';
}

sub started {
    my ($c) = @_;

    1 while $c->answer('onStatus|_error', undef, 'no status')
        && $c->{code} eq 'NetStream.Play.Reset';

    return $c->{code} eq 'NetStream.Play.Start';
}

###############################################################################
