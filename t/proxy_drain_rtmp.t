#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the drain of the proxy: what becomes of sessions, and of those who
# come while it drains.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route qw/ :DEFAULT proxy /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream proxy rewrite/)->plan(47);

$t->{_ignore_alerts} = qr/exited on signal 9/;

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live ZONE;
    server  127.0.0.1:8081 max_fails=0 http=%%PORT_8085%%;
    server  127.0.0.1:8082 max_fails=0 http=%%PORT_8085%% backup;
}

rtmp_route other {
    zone    other 1m;
    server  127.0.0.1:8082;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream origin {
        rtmp_route live http;
    }

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /live/ {
            rtmp_route  live;
            proxy_pass  http://origin;
        }
    }

    server {
        listen  127.0.0.1:8085;
        return  200 "from origin";
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_command $rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    error_log  %%TESTDIR%%/info.log info;

    osp_upstream_takeover  idle=1s;
    osp_upstream_resume    on;

    server {
        listen        127.0.0.1:8090;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8091;
        osp_upstream  other;
    }
}

EOF_CONF

configure('1m');

my $one = rtmp_origin($t, port(8081));
my $two = rtmp_origin($t, port(8082));

$t->run();

###############################################################################

my (@media, $publisher, $again, $player, $c, $p, $r);

# what there is

$publisher = publish('cam1');
is($publisher->{code}, 'NetStream.Publish.Start', 'published');

$player = play('cam1');
is($player->{code}, 'NetStream.Play.Start', 'played');

is(counts(), '2 1 1 0', 'sessions');

$again = publish('cam5');
is($again->{code}, 'NetStream.Publish.Start', 'published twice');

$p = drain('true');

is($p->{drain}, JSON::PP::true(), 'drain');
is($p->{drained}, JSON::PP::false(), 'not drained yet');
is("@$p{qw/ sessions publishers players /}", '3 2 1', 'sessions stay');

# no new publishers, in whatever worker and route

for (1 .. 4) {
    $c = publish('cam2', no_wait => 1);
    is(told($c), 'error NetConnection.Connect.Rejected proxy is draining',
        'refused');
}

ok($c->is_closed(3), 'and closed');

$c = rtmp_publish(port(8091), 'live', 'cam1', no_wait => 1);
is(told($c), 'error NetConnection.Connect.Rejected proxy is draining',
    'refused in another route');

is(wait_log($t, 'stream.log', qr/^(publish cam2 .*)/m),
    'publish cam2 503 draining', 'log');
is(wait_log($t, 'info.log', qr/\[info\].*(client refused, the proxy drains)/),
    'client refused, the proxy drains', 'log of errors');

# one stream behind the other is a new one, too

$again->send_command('deleteStream', 5, undef, 1, \{ csid => 3 });
$again->send_command('createStream', 6, undef, \{ csid => 3 });
$again->send_command('publish', 7, undef, 'cam6', 'live',
    \{ csid => 8, msid => 1 });

is(told($again), 'error NetConnection.Connect.Rejected proxy is draining',
    'another stream of a publisher');
ok($again->is_closed(3), 'which ends');
ok(wait_until(sub { counts() eq '2 1 1 0' }), 'the others stay');

# players come and go

$c = play('cam1');
is($c->{code}, 'NetStream.Play.Start', 'another player');
is(counts(), '3 1 2 0', 'counted');

# another stream on the connection of a player, or beside that of a publisher

$c->send_command('createStream', 6, undef, \{ csid => 3 });
$c->send_command('publish', 7, undef, 'cam1', 'live',
    \{ csid => 8, msid => 2 });
ok($c->is_closed(5), 'player that would publish');
is(wait_log($t, 'stream.log', qr/^(publish cam1 5.*)/m),
    'publish cam1 503 draining', 'log of it');
ok(wait_until(sub { counts() eq '2 1 1 0' }), 'two are left');

# an encoder that comes back: the old session stays

sleep(1.2);

$c = publish('cam1', no_wait => 1);
is(told($c), 'error NetConnection.Connect.Rejected proxy is draining',
    'no takeover');

@media = media_messages(20);
$publisher->send_media(@media);
is($one->wait_media(media_digest(@media)), media_digest(@media),
    'the old one goes on');
is(counts(), '2 1 1 0', 'both are there');

# viewers of HLS

$r = http_get('/live/cam1.m3u8');
like($r, qr/^HTTP\S+ 200 .*from origin/s, 'HLS');

# a publisher whose server dies

$player->close();
ok(wait_until(sub { counts() eq '1 1 0 0' }), 'player has left');

$one->signal('KILL');
$one->stop();

ok($two->wait(event => 'ready'), 'moved to another server');

@media = media_messages(40);
$publisher->send_media(@media);
ok($two->wait(event => 'command', name => 'publish'), 'published there');
is(counts(), '1 1 0 0', 'the same session');

# over a reload, with a zone of another size

configure('2m');
$t->reload();

ok(wait_until(sub {
    return 2 == grep { $_->{generation} == 2 } @{proxy()->{workers}};
}), 'reload');

ok(wait_until(sub { 3 == workers() }), 'a worker waits for its session');

is(sessions('live'), 0, 'none in the new zone');
is(counts(), '1 1 0 0', 'the session of an old worker');

$p = proxy();
is($p->{drained}, JSON::PP::false(), 'not drained before it has ended');
is(join(' ', map { $_->{publishers} } grep { $_->{generation} == 1 }
    @{$p->{workers}}), '1', 'the old worker has it');

$c = publish('cam3', no_wait => 1);
is(told($c), 'error NetConnection.Connect.Rejected proxy is draining',
    'refused after reload');

ok(!$publisher->is_closed(0), 'it is there');
$publisher->unpublish('cam1');

ok(wait_until(sub { proxy()->{drained} }), 'drained');
ok(wait_until(sub { 2 == workers() }), 'the worker has left');

# the end of it

drain('false');

$publisher = publish('cam4');
is($publisher->{code}, 'NetStream.Publish.Start', 'published again');
is(proxy()->{drained}, JSON::PP::false(), 'it does not drain');

# a worker that is killed with its session

drain('true');

$player = rtmp_play(port(8091), 'live', 'cam4');
is($player->{code}, 'NetStream.Play.Start', 'player of another route');

ok(wait_until(sub { counts() eq '2 1 1 0' }), 'sessions of two routes');

$player->close();
ok(wait_until(sub { counts() eq '1 1 0 0' }), 'one is left');

kill('KILL', (map { $_->{pid} } sessions('live')));

ok(wait_until(sub { ($p = proxy()) && $p->{drained} }),
    'drained, as the worker is gone');

###############################################################################

sub configure {
    my ($size) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/ZONE/$size/r);
}

sub publish {
    my ($name, %opt) = @_;

    return rtmp_publish(port(8090), 'live', $name, %opt);
}

sub play {
    my ($name, %opt) = @_;

    return rtmp_play(port(8090), 'live', $name, %opt);
}

# The next status.

sub told {
    my ($c) = @_;
    my $m = $c->read_command('onStatus');

    return 'nothing' unless $m;
    return join(' ', @{$m->{args}[-1]}{qw/ level code description /});
}

sub drain {
    my ($value) = @_;

    return decode_json(http_content(request('PATCH', '/api/1/proxy',
        "{\"drain\":$value}")));
}

sub counts {
    my $p = proxy();

    return join(' ', @$p{qw/ sessions publishers players queued /});
}

sub workers {
    return scalar(() = `ps -o args= --ppid $t->{_master}` =~ /worker process/g);
}

###############################################################################
