#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the drain of a server: when it is over, whatever becomes of the
# processes that have its sessions.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route qw/ :DEFAULT proxy /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(29);

$t->{_ignore_alerts} = qr/exited on signal 9/;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
    server  127.0.0.2:%%PORT_8082%% backup;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location = /ping {
            rtmp_route_ping  route=live min_up=2;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen        127.0.0.1:8090;
        osp_upstream  live;
        osp_upstream_takeover  off;
    }
}

EOF_CONF

my $one = rtmp_origin($t, port(8081));
my $two = rtmp_origin($t, port(8082), host => '127.0.0.2');
my $slow = rtmp_origin($t, port(8083), host => '127.0.0.3',
    publish => 'silent');

$t->run();

###############################################################################

my ($c, $p, $o, $pid, @media);

like(http_get('/ping'), qr/ 200 /, 'two servers are up');

$c = publish('cam1');
is($c->{code}, 'NetStream.Publish.Start', 'published');

drain('true');
is(drained(), 'draining 0', 'a publisher is there');
like(http_get('/ping'), qr/ 503 /, 'one server is up');

$p = rtmp_play(port(8090), 'live', 'cam1');
is($p->{code}, 'NetStream.Play.Start', 'played');
is(where('live/cam1'), '127.0.0.1 127.0.0.1', 'where it is published');

$o = publish('cam2');
is(where('live/cam2'), '127.0.0.2', 'another stream is elsewhere');

@media = media_messages(10);
$c->send_media(@media);
is($one->wait_media(media_digest(@media)), media_digest(@media),
    'media goes on');

# another publisher of the stream, which the server may refuse

$c->close();
ok(wait_until(sub { where('live/cam1') eq '127.0.0.1' }), 'a player is left');
is(drained(), 'draining 0', 'so it is not over');

# over a reload

$t->reload();

ok(wait_until(sub {
    my $w = proxy()->{workers};
    return 2 == grep { $_->{generation} == 2 } @$w;
}), 'reload');

is(drained(), 'draining 0', 'the player of an old worker');

$p->close();
ok(wait_until(sub { drained() eq 'draining 1' }), 'drained');
is(where('live/cam2'), '127.0.0.2', 'the other one goes on');

# an end of it, and begin again

drain('false');
is(drained(), 'up 0', 'in use again');
like(http_get('/ping'), qr/ 200 /, 'and counted');

$c = publish('cam3');
is(where('live/cam3'), '127.0.0.1', 'a new stream is there');

drain('true');
is(drained(), 'draining 0', 'draining again');

# the worker of its last session is killed

($pid) = map { $_->{pid} } grep { $_->{stream} eq 'live/cam3' }
    sessions('live');

kill('KILL', $pid);
ok(wait_until(sub { drained() eq 'draining 1' }), 'drained by a death');

# a publisher that the server has not accepted yet

patch('live', '127.0.0.2', down => JSON::PP::true());
drain('false');

request('POST', '/api/1/routes/live/servers/', encode_json({
    server => '127.0.0.3', rtmp => [ '127.0.0.3:' . port(8083) ] }));
patch('live', '127.0.0.1', down => JSON::PP::true());

$c = publish('cam4', no_wait => 1);
ok($slow->wait(event => 'command', name => 'publish'), 'not accepted yet');

drain('true', '127.0.0.3');
is(drained('127.0.0.3'), 'draining 0', 'that counts, too');

$c->close();
ok(wait_until(sub { drained('127.0.0.3') eq 'draining 1' }), 'and ends');

# what is drained at once

drain('false', '127.0.0.3');
is(drained('127.0.0.3'), 'up 0', 'no drain');
drain('true', '127.0.0.3');
is(drained('127.0.0.3'), 'draining 1', 'drained, as there was nothing');

# it is kept over a reload, and gone with the server

$t->reload();

ok(wait_until(sub {
    my $w = proxy()->{workers};
    return 2 == grep { $_->{generation} == 3 } @$w;
}), 'another reload');

is(drained('127.0.0.3'), 'draining 1', 'drained over a reload');

like(request('DELETE', '/api/1/routes/live/servers/127.0.0.3'),
    qr/^HTTP\S+ 200 /, 'removed');
is(drained('127.0.0.3'), 'none', 'it is gone');

is(api('GET', 'live/check')->{consistent}, JSON::PP::true(), 'consistent');

###############################################################################

sub publish {
    my ($name, %opt) = @_;

    return rtmp_publish(port(8090), 'live', $name, %opt);
}

sub drain {
    my ($value, $id) = @_;

    return request('PATCH', '/api/1/routes/live/servers/'
        . ($id || '127.0.0.1'), "{\"drain\":$value}");
}

sub drained {
    my ($id) = @_;
    my ($s) = grep { $_->{id} eq ($id || '127.0.0.1') } servers('live');

    return $s ? "$s->{state} " . ($s->{drained} ? 1 : 0) : 'none';
}

# servers of the sessions of a stream

sub where {
    my ($name) = @_;

    return join(' ', map { $_->{server} } grep { $_->{stream} eq $name }
        sessions('live'));
}

###############################################################################
