#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for servers of OSP core whose names have several addresses, which come
# and go, and for names in registrations.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route qw/ :DEFAULT server state /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(22);
my $dns = port(8980, udp => 1);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone     live 1m;
    resolver 127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;
    register open allow=127.0.0.0/8;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=300ms rtmp=%%PORT_8081%%;
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

    server {
        listen       127.0.0.1:8087;
        osp_upstream live;
    }
}

EOF_CONF

my $name = 'pods.example.com';
my $core = osp_core($t, port(8082));

rtmp_origin($t, port(8081), host => "127.0.0.$_",
    file => $t->testdir() . "/$_.log") for 11 .. 14;

names(11, 12);
$core->server($_) for $name, '127.0.0.20';

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

ok(wait_until(sub { state(id(11)) eq 'up' && state(id(12)) eq 'up' }, 15),
    'two');

$core->channel('one', live => 1, server => $name);
ok(wait_until(sub { place('one') }), 'a channel');

my ($old) = place('one') =~ /(\d+)$/;
my $other = 23 - $old;

my $c = rtmp_play(port(8087), 'live', 'one');
is($c->{code}, 'NetStream.Play.Start', 'played');
is((sessions('live'))[0]{server}, id($old), 'there');

# its address goes, polls go on

names($other, 13);
ok(wait_until(sub { state(id(13)) eq 'up'
    && state(id($old)) eq 'draining' }, 6), 'another address');
is(server(id($old))->{reason}, 'dns', 'one has gone');
polls(5);
is(state(id($old)), 'draining', 'whatever the core lists');
is(place('one'), id($old), 'where the channel is');

$core->channel('two', live => 1, server => $name);
ok(wait_until(sub { place('two') }), 'another channel');
isnt(place('two'), id($old), 'is elsewhere');

# the last one leaves

$c->close();
ok(wait_until(sub { !server(id($old)) }, 12), 'removed');
ok(wait_until(sub { place('one') && place('one') ne id($old) }),
    'the channel is elsewhere then');

# none is left, one is back

$c = rtmp_play(port(8087), 'live', 'one');
names();
ok(wait_until(sub { server($name) && server($name)->{reason} eq 'unresolved' },
    6), 'no address');
polls(3);
is(scalar(grep { $_->{reason} eq 'dns' && $_->{conns} } servers('live')), 1,
    'a player goes on');

names(14);
ok(wait_until(sub { server($name) && server($name)->{state} eq 'up' }, 12),
    'another one');
is(server($name)->{rtmp}[0], '127.0.0.14:' . port(8081), 'its address');
is(scalar(grep { $_->{reason} eq 'dns' && $_->{conns} } servers('live')), 1,
    'still playing');

# the core names it no longer

$core->delete_server($name);
ok(wait_until(sub { '127.0.0.20' eq join(' ', map { $_->{id} }
    servers('live')) }), 'all have gone');
is(scalar(sessions('live')), 1, 'but who plays');
is(api('GET', 'live/check')->{consistent}, JSON::PP::true(), 'consistent');

# registrations are of addresses

like(request('POST', '/api/v1/srs/register', '{"server":"reg","ip":"' . $name
    . '","service":"s","pid":"1","rtmp":["1935"]}'), qr/ 400 .*"FieldInvalid"/s,
    'a name is no address');
like(request('POST', '/api/v1/srs/register', '{"server":"reg","ip":"127.0.0.1",'
    . '"service":"s","pid":"1","rtmp":["' . $name . ':1935"]}'),
    qr/ 400 .*"FieldInvalid"/s, 'nor part of an endpoint');

###############################################################################

sub names {
    write_names($t, $name => [map { "127.0.0.$_" } @_]);
}

sub id {
    return "$name#127.0.0.$_[0]";
}

sub place {
    my $stream = api('GET', "live/streams/live/$_[0]");

    return ref($stream) ? $stream->{server} : '';
}

sub polls {
    my ($n) = @_;

    $core->wait('stream', $core->count('stream') + $n + 1, 10);
}

###############################################################################
