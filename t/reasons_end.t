#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for how sessions end: what is told, logged and said in $rtmp_reason if
# they are ended or refused by the operator, by others, or by a reload.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Reasons;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(19 + 18 * ENDED);

my $servers = join("\n", map { reasons_conf(@$_) }
    ['127.0.0.1:8101', 'live'],
    ['127.0.0.1:8102', 'live'],
    ['127.0.0.1:8103', 'live', 'osp_upstream_resume on;'],
    ['127.0.0.1:8104', 'live'],
    ['127.0.0.1:8105', 'live', 'osp_upstream_takeover on;'],
    ['127.0.0.1:8106', 'live', 'osp_upstream_limit_conn $remote_addr 1;'],
    ['127.0.0.1:8107', 'live'],
    ['127.0.0.1:8108', 'live'],
    ['127.0.0.1:8109', 'live'],
    ['127.0.0.1:8110', 'live'],
    ['127.0.0.1:8111', 'down', 'osp_upstream_queue 1s;'],
    ['127.0.0.1:8112', 'down', 'osp_upstream_queue 1m;'],
    ['127.0.0.1:8113', 'down', 'osp_upstream_queue 1m;'],
    ['127.0.0.1:8114', 'live'],
    ['127.0.0.1:8115', 'live'],
    ['127.0.0.1:8116', 'live'],
    ['127.0.0.1:8117', 'live'],
    ['127.0.0.1:8118', 'live'],
);

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
worker_shutdown_timeout 500ms;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

rtmp_route down {
    zone    down 256k;
    server  127.0.0.1:8081 down;
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

    @{[ log_format() ]}

$servers
}

EOC

rtmp_origin($t, port(8081), before => sub {
    my ($c, $m, $o) = @_;

    return $m->{name} eq 'publish' && $m->{args}[1] eq 'busy'
        && $o->status('Publish.BadName', 'Already publishing');
});

$t->run();

my ($c, $d);

###############################################################################

# by the operator

$c = publish(8101, 'cam1');
is(kick('cam1'), 204, 'publisher');
ended($t, 8101, 'kicked', client => told($c), upstream => 8081);

$c = play(8102, 'cam2');
is(kick('cam2'), 204, 'player');
ended($t, 8102, 'kicked', client => told($c), upstream => 8081,
    name => 'player');

$c = publish(8103, 'cam3');
is(kick('cam3', '?ban=1m'), 204, 'publisher with a ban');
ended($t, 8103, 'kicked', client => told($c), upstream => 8081,
    name => 'with a ban');

$c = rtmp_publish(port(8104), 'live', 'cam3');
ended($t, 8104, 'banned', client => $c);

$c = play(8107, 'cam4');
is(kick('cam4', '?ban=1m'), 204, 'player with a ban');
$c->close();
$c = rtmp_play(port(8115), 'live', 'cam4');
ended($t, 8115, 'banned', client => $c, name => 'player');

# by others

$c = publish(8105, 'cam5');
$d = publish(8105, 'cam5');
ended($t, 8105, 'replaced', client => told($c), upstream => 8081);
$d->close();

$c = publish(8106, 'cam6');
$d = rtmp_play(port(8106), 'live', 'cam7');
ended($t, 8106, 'limit', client => $d);
$c->close();

# by all that goes

is(drain('true'), 200, 'drain');
$c = rtmp_publish(port(8108), 'live', 'cam8');
ended($t, 8108, 'draining', client => $c);
is(drain('false'), 200, 'no drain');

# while it waits

$c = rtmp_publish(port(8111), 'live', 'cam11');
ended($t, 8111, 'no_server', client => $c, name => 'in time');

$c = waits(8112, 'cam12');
is(code(request('POST', '/api/1/routes/down/bans/', '{"stream":"live/cam12",'
    . '"time":"1m"}', 'Content-Type: application/json')), 201, 'banned');
ended($t, 8112, 'banned', client => told($c), name => 'who waits');

# another stream

$c = publish(8114, 'cam14');
is(code(request('POST', '/api/1/routes/live/bans/', '{"stream":"live/cam15",'
    . '"time":"1m"}', 'Content-Type: application/json')), 201, 'another one');
$c->send_command('deleteStream', 6, undef, 1, \{ csid => 3 });
$c->publish('cam15', no_wait => 1);
ended($t, 8114, 'banned', client => told($c), upstream => 8081,
    name => 'another stream');

# who is refused by a server that does not close the connection: it is the
# operator who ends that, and what comes next on it has an end of its own

$c = rtmp_publish(port(8116), 'live', 'busy');
is(kick('busy'), 204, 'refused');
ended($t, 8116, 'refused', client => told($c), upstream => 8081,
    told => 'NetStream.Publish.Denied', name => 'the operator');
is($c->{description}, 'closed by the operator', 'told why');

$c = rtmp_publish(port(8117), 'live', 'busy');
$c->send_command('createStream', 6, undef, \{ csid => 3 });
$c->send_command('publish', 7, undef, 'cam17', 'live',
    \{ csid => 8, msid => 2 });
is($c->status()->{code}, 'NetStream.Publish.Start', 'the next name');
is(kick('cam17'), 204, 'kicked');
ended($t, 8117, 'kicked', client => told($c), upstream => 8081,
    name => 'the next name');

$c = rtmp_publish(port(8118), 'live', 'busy');
$c->send_command('publish', 6, undef, 'cam15', 'live',
    \{ csid => 8, msid => 1 });
ended($t, 8118, 'banned', client => told($c), upstream => 8081,
    name => 'the next name');

# by a reload

$c = publish(8109, 'cam9');
$d = rtmp_publish(port(8110), 'live', 'cam10', connect => [capsEx => 1]);
is($d->{code}, 'NetStream.Publish.Start', 'cam10');

my $e = waits(8113, 'cam13');

$t->reload();

ended($t, 8113, 'shutdown', client => told($e), name => 'who waits');

ended($t, 8109, 'shutdown', client => told($c), upstream => 8081);
ended($t, 8110, 'shutdown', client => told($d), upstream => 8081,
    name => 'with a request to reconnect');

###############################################################################

sub publish {
    my ($n, $name) = @_;
    my $c = rtmp_publish(port($n), 'live', $name);

    is($c->{code}, 'NetStream.Publish.Start', "$name on " . port($n));

    return $c;
}

sub waits {
    my ($n, $name) = @_;
    my $port = port($n);
    my $c = rtmp_publish($port, 'live', $name, no_wait => 1);

    $c->{code} = '';

    is(wait_log($t, 'error.log', qr/(client waits) .*server: \S+:$port/),
        'client waits', "$name waits");

    return $c;
}

sub play {
    my ($n, $name) = @_;
    my $c = rtmp_play(port($n), 'live', $name);

    is($c->{code}, 'NetStream.Play.Start', $name);

    return $c;
}

sub kick {
    my ($name, $args) = @_;
    my ($s) = grep { $_->{stream} eq "live/$name" } sessions('live');

    return 'none' unless $s;

    return code(request('DELETE', "/api/1/routes/live/sessions/$s->{id}"
        . ($args || '')));
}

sub drain {
    return code(request('PATCH', '/api/1/proxy', "{\"drain\":$_[0]}",
        'Content-Type: application/json'));
}

sub code {
    return $_[0] =~ m!^HTTP/1\.1 (\d+)! ? $1 : 'none';
}

###############################################################################
