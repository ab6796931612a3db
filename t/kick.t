#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api: sessions that the operator ends, and what is
# refused for some time then.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip stream/)->plan(75);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

rtmp_route lost {
    zone    lost 1m;
    server  127.0.0.1:8082;
}

rtmp_route silent {
    zone    silent 1m;
    server  127.0.0.1:8083;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /read/ {
            rtmp_route_api;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$rtmp_stream $status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen        127.0.0.1:8085;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8086 proxy_protocol;
        set_real_ip_from  127.0.0.1;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8087;
        osp_upstream  silent;
        osp_upstream_connect_timeout 30s;
    }

    server {
        listen        127.0.0.1:8089;
        osp_upstream  live;
        osp_upstream_resume on;
    }

    server {
        listen        127.0.0.1:8090;
        osp_upstream  lost;
        osp_upstream_resume on;
        osp_upstream_resume_timeout 30s;
    }
}

EOF_CONF

rtmp_origin($t, port(8081));
my $lost = rtmp_origin($t, port(8082));
rtmp_origin($t, port(8083), handshake => 'silent');

$t->run();

###############################################################################

my ($c, $d, $id, $n, @many, %pids);

# who is not there

for my $bad ('1-1', '0-4294967295', '4294967295-1', '99999999999999999999-1',
    '1', '-', '1-', '-1', '1-1-1', '01-1', 'abc', '1-1x', '0-0')
{
    is(error(del($bad)), '404 SessionNotFound', "session $bad");
}

# times that make no sense

$c = publish('cam1');
$id = id('cam1');

for my $bad ('', '0', '0s', '-1', '5x', 'abc', '31d', '2592001', '1ms',
    '99999999999999999999', '1h%00', '1.5h')
{
    is(error(del("$id?ban=$bad")), '400 ArgumentInvalid', "ban=$bad");
}

is(error(del("$id?bans=5m")), '400 ArgumentInvalid', 'another argument');
is(error(request('DELETE', "/read/1/routes/live/sessions/$id?ban=5m")),
    '405 MethodDisabled', 'without write=on');
is(error(request('PUT', "/api/1/routes/live/sessions/$id")),
    '405 MethodNotAllowed', 'another method');
is(id('cam1'), $id, 'the session goes on');
is_deeply(api('GET', 'live/bans/'), [], 'nobody was banned');

# a publisher, who may come back

like(del($id), qr!^HTTP/1.1 204 !, 'ended');
is(told($c), 'NetStream.Publish.Denied closed by the operator', 'told');
ended($c, 'cam1', '200 kicked');
is(error(del($id)), '404 SessionNotFound', 'once');

$c = publish('cam1');
is($c->{code}, 'NetStream.Publish.Start', 'is back');
isnt(id('cam1'), $id, 'with another id');

# a publisher with a ban

like(del(id('cam1') . '?ban=3s'), qr!^HTTP/1.1 204 !, 'ended with a ban');
is(told($c), 'NetStream.Publish.Denied closed by the operator', 'told');
ended($c, 'cam1', '200 kicked');

$c = publish('cam1');
like(answer($c), qr/^NetStream.Publish.Denied banned for [1-3] s$/, 'banned');
$n = time();
ended($c, 'cam1', '403 banned');

$c = publish('cam1', 8086, '203.0.113.9');
like(answer($c), qr/^NetStream.Publish.Denied banned/, 'from anywhere');

$c = play('cam1');
is($c->{code}, 'NetStream.Play.Start', 'not to play');
$c->close();

$c = publish('cam2');
is($c->{code}, 'NetStream.Publish.Start', 'not another name');
$c->close();

ok(wait_until(sub {
    $c = publish('cam1');
    return $c->{code} eq 'NetStream.Publish.Start';
}), 'not for ever');
ok(time() - $n < 6, 'not for long');
$c->close();

# players: others go on

$c = play('cam3', 8086, '203.0.113.7');
$d = play('cam3', 8086, '203.0.113.8');

($id) = map { $_->{id} } grep { $_->{client} =~ /^203\.0\.113\.7:/ }
    sessions('live');
like(del("$id?ban=1h"), qr!^HTTP/1.1 204 !, 'a player');
is(told($c), 'NetStream.Play.Failed closed by the operator', 'is told');
ended($c, 'cam3', '200 kicked');

$c = play('cam3', 8086, '203.0.113.7');
like(answer($c), qr/^NetStream.Play.Failed banned for \d+ s$/, 'banned');
ended($c, 'cam3', '403 banned');

ok(scalar(grep { $_->{client} =~ /^203\.0\.113\.8:/ } sessions('live')),
    'the other one is there');
$d->close();

$c = play('cam3', 8086, '203.0.113.9');
is($c->{code}, 'NetStream.Play.Start', 'others may come');
$c->close();

$c = play('cam4', 8086, '203.0.113.7');
is($c->{code}, 'NetStream.Play.Start', 'and it may play others');
$c->close();

# in set-up

$c = publish('cam5', 8087, undef, no_wait => 1);
ok(wait_until(sub { grep { $_->{state} eq 'setup' } sessions('silent') }),
    'in set-up');
($id) = map { $_->{id} } sessions('silent');
like(request('DELETE', "/api/1/routes/silent/sessions/$id?ban=1m"),
    qr!^HTTP/1.1 204 !, 'ended in set-up');
is(told($c), 'NetStream.Publish.Denied closed by the operator',
    'told in set-up');
ended($c, 'cam5', '200 kicked');
$c = publish('cam5', 8087);
like(answer($c), qr/^NetStream.Publish.Denied banned/, 'banned in set-up');

# with resume it is not moved

$c = publish('cam6', 8089);
is($c->{code}, 'NetStream.Publish.Start', 'with resume');
like(del(id('cam6')), qr!^HTTP/1.1 204 !, 'ended with resume');
is(told($c), 'NetStream.Publish.Denied closed by the operator',
    'told with resume');
ended($c, 'cam6', '200 kicked');

# while it is moved, as its server is gone

$c = publish('cam7', 8090);
is($c->{code}, 'NetStream.Publish.Start', 'with a server that goes');
($id) = map { $_->{id} } sessions('lost');
$lost->stop();
ok(wait_until(sub { grep { $_->{state} ne 'relay' } sessions('lost') }),
    'moved');
like(request('DELETE', "/api/1/routes/lost/sessions/$id?ban=1m"),
    qr!^HTTP/1.1 204 !, 'ended while it is moved');
is(told($c), 'NetStream.Publish.Denied closed by the operator',
    'told while it is moved');
ended($c, 'cam7', '200 kicked');
$c = publish('cam7', 8090);
like(answer($c), qr/^NetStream.Publish.Denied banned/, 'and banned');

# all workers, one that leaves included; each within a second

@many = map { publish("many$_") } 1 .. 12;
$pids{$_->{pid}}++ for sessions('live');

$t->reload();
ok(wait_until(sub {
    my $after = play('other');
    my ($s) = grep { $_->{stream} eq 'live/other' } sessions('live');
    $after->close();
    return $s && !$pids{$s->{pid}};
}), 'new workers');

@many = map { { c => $many[$_ - 1], name => "many$_" } } 1 .. 12;
is(scalar(grep { id($_->{name}) } @many), 12, 'sessions of old workers');

$n = time();
like(del(id($_->{name})), qr!^HTTP/1.1 204 !, "$_->{name}") for @many[0 .. 1];
del(id($_->{name})) for @many[2 .. 11];

is(scalar(grep { told($_->{c}) =~ /closed by the operator/ } @many), 12,
    'all are told');
ok(time() - $n < 5, 'soon');

###############################################################################

sub addr {
    my ($port) = @_;

    return '127.0.0.1:' . port($port || 8085);
}

sub from {
    my ($ip) = @_;

    return $ip ? (preamble => "PROXY TCP4 $ip 127.0.0.1 5000 1935\r\n") : ();
}

sub publish {
    my ($name, $port, $ip, %opt) = @_;

    return rtmp_publish(addr($port), 'live', $name, from($ip), %opt);
}

sub play {
    my ($name, $port, $ip) = @_;

    return rtmp_play(addr($port), 'live', $name, from($ip));
}

sub id {
    my ($name) = @_;
    my ($s) = grep { $_->{stream} eq "live/$name" } sessions('live');

    return $s ? $s->{id} : undef;
}

sub del {
    my ($id) = @_;

    return request('DELETE', "/api/1/routes/live/sessions/$id");
}

sub error {
    my ($reply) = @_;

    return join ' ', $reply =~ m!^HTTP/1\.1 (\d+).*"code":"(\w+)"!s;
}

# The answer to publish or play.

sub answer {
    my ($c) = @_;

    return "$c->{code} $c->{description}";
}

# The last message, which is a status.

sub told {
    my ($c) = @_;
    my $last;

    $c->read_until(sub { $last = $_[0]; return 0 });

    return 'nothing' unless $last && ($last->{name} || '') eq 'onStatus';
    return join(' ', @{$last->{args}[-1]}{qw/ code description /});
}

my %seen;

sub ended {
    my ($c, $name, $end) = @_;
    my $n = ++$seen{"$name $end"};

    $c->is_closed(3);
    $c->close();

    ok(wait_until(sub {
        my @lines = grep { $_ eq "$name $end" }
            split /\n/, $t->read_file('stream.log');
        return @lines >= $n;
    }), "logged: $name $end");
}

###############################################################################
