#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for polling OSP core: its servers and live channels come to the table,
# and leave it.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(53);
$t->{_ignore_alerts} = qr!exited on signal 9!;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

rtmp_route live {
    zone     live 1m;
    resolver 127.0.0.1:%%PORT_8980_UDP%%;
    server   10.0.0.9 http=8080;
    osp_core http://127.0.0.1:%%PORT_8082%%/ interval=300ms;
}

rtmp_route ports {
    zone     ports 1m;
    resolver 127.0.0.1:%%PORT_8980_UDP%%;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=300ms rtmp=1936
             http=%%PORT_8081%% https=8443;
}

rtmp_route slow {
    zone     slow 1m;
    resolver 127.0.0.1:%%PORT_8980_UDP%%;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=1h;
}

rtmp_route bare {
    zone     bare 1m;
    register open;
}

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream ports {
        rtmp_route ports http;
    }

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }

        location /read/ {
            rtmp_route_api;
        }

        location / {
            rtmp_route ports;
            proxy_pass http://ports;
        }
    }

    server {
        listen 127.0.0.1:8081;
        listen 127.0.0.2:%%PORT_8081%%;
        location / { return 200 "at $server_addr\n"; }
    }
}

EOF_CONF

my $core = osp_core($t, port(8082));

$core->site(siteAddress => '127.0.0.1', siteProtocol => 'http://');
$core->server('127.0.0.1');
$core->server('10.0.0.2');
$core->server('10.0.0.3', active => 0);
$core->server('10.0.0.9');
$core->channel('one', live => 1, server => '127.0.0.1');
$core->channel('two', live => 1, server => '10.0.0.2');
$core->channel('off', server => '10.0.0.2');

$t->run();

# servers

ok(wait_for(sub { (core('live')->{streams} || 0) == 2 }), 'polled at once');

my %s = ids('live');

is(join(' ', sort keys %s), '10.0.0.2 10.0.0.3 10.0.0.9 127.0.0.1', 'servers');
is($s{'10.0.0.2'}{source}, 'core', 'source');
is($s{'10.0.0.2'}{state}, 'up', 'state');
is("@{$s{'10.0.0.3'}}{qw/ state reason /}", 'down disabled',
    'inactive is down');
is_deeply([ @{$s{'10.0.0.2'}}{qw/ rtmp http https /} ],
    [ ['10.0.0.2:1935'], ['10.0.0.2:5999'], [] ], 'ports by default');
is("$s{'10.0.0.9'}{source} @{$s{'10.0.0.9'}{http}}", 'config 10.0.0.9:8080',
    'a configured server stays as it is');

%s = ids('ports');

is_deeply([ @{$s{'10.0.0.2'}}{qw/ rtmp http https /} ],
    [ ['10.0.0.2:1936'], ['10.0.0.2:' . port(8081)], ['10.0.0.2:8443'] ],
    'ports given');

# streams

is_deeply(places('live'), { 'live/one' => '127.0.0.1',
    'live/two' => '10.0.0.2' }, 'streams that are live');
is(api('GET', 'live/streams/live/one')->{source}, 'core', 'source of a stream');

ok(wait_for(sub { (core('ports')->{streams} || 0) == 2 }), 'other route, too');
like(http_get('/live/one/index.m3u8'), qr/^at 127.0.0.1$/m, 'routed');
like(http_get('/live-adapt/one.m3u8'), qr/^at 127.0.0.1$/m,
    'routed, adaptive');

# it moves, another begins, one ends

$core->server('127.0.0.2');
$core->channel('one', live => 1, server => '127.0.0.2');
$core->channel('two', live => 0);
$core->channel('three', live => 1, server => '10.0.0.3');

ok(wait_for(sub { http_get('/live/one/index.m3u8') =~ /^at 127.0.0.2$/m }),
    'moved to a new server');
ok(wait_for(sub { !places('live')->{'live/two'} }), 'ended');
ok(wait_for(sub { (places('live')->{'live/three'} || '') eq '10.0.0.3' }),
    'began');

# servers go, the last ones stay

pin('live', 'live/pinned', '10.0.0.2');
$core->delete_server('10.0.0.2');

ok(wait_for(sub { my %s = ids('live'); !$s{'10.0.0.2'} }), 'a server goes');
ok(exists { ids('live') }->{'10.0.0.9'}, 'a configured one does not');

$core->server('10.0.0.3', active => 1);
ok(wait_for(sub { my %s = ids('live'); $s{'10.0.0.3'}{state} eq 'up' }),
    'active again');

patch('live', '10.0.0.3', drain => JSON::PP::true);
$core->server('10.0.0.3', active => 0);
ok(wait_for(sub { my %s = ids('live'); $s{'10.0.0.3'}{reason} eq 'disabled' }),
    'inactive once more');
$core->server('10.0.0.3', active => 1);
ok(wait_for(sub { my %s = ids('live'); $s{'10.0.0.3'}{state} eq 'draining' }),
    'what was set by the API is kept');

request('DELETE', '/api/1/routes/live/servers/10.0.0.3');
ok(wait_for(sub { exists { ids('live') }->{'10.0.0.3'} }),
    'deleted by the API, but the core still has it');

$core->fault('rtmp', empty => 1);
polls(2);
ok(exists { ids('live') }->{'127.0.0.2'}, 'no servers at all: they stay');
is(core('live')->{state}, 'up', '... but it is up');
$core->clear();

$core->fault('stream', empty => 1);
ok(wait_for(sub { !%{places('live')} }), 'no streams at all: believed');
$core->clear();
ok(wait_for(sub { places('live')->{'live/one'} }), 'streams again');

# HTTPS when the site has it

$core->site(siteProtocol => 'https://');
ok(wait_for(sub {
    my %s = ids('live');
    return "@{$s{'127.0.0.2'}{https}}" eq '127.0.0.2:5999';
}), 'https by the site');
is_deeply({ ids('live') }->{'127.0.0.2'}{http}, [], '... and no http');
$core->site(siteProtocol => 'http://');
ok(wait_for(sub {
    my %s = ids('live');
    return "@{$s{'127.0.0.2'}{http}}" eq '127.0.0.2:5999';
}), 'http again');

# the address of the site

$core->site(siteAddress => 'https://10.0.0.77:8443/path');
ok(wait_for(sub { my %s = ids('live'); $s{'10.0.0.77'} && !$s{'127.0.0.1'} }),
    'this host means the site');

$core->server('10.0.0.77:1935');
$core->server('LOCALHOST');
$core->server(' [::1] ');
polls(2);
%s = ids('live');
is(join(' ', sort keys %s), '10.0.0.3 10.0.0.77 10.0.0.9 127.0.0.2',
    'the same server several times');

# the API

my $one = core('live');
is($one->{url}, 'http://127.0.0.1:' . port(8082), 'url in the API');
is($one->{state}, 'up', 'state in the API');
is($one->{servers}, 4, 'servers in the API');
is($one->{streams}, 2, 'streams in the API');
ok(defined $one->{age} && $one->{age} < 5, 'age in the API');
is(core('bare'), undef, 'no core in the API');

like(request('POST', '/api/1/routes/live/refresh'), qr!^HTTP/1.1 204!,
    'refresh');
is(core('slow')->{servers}, 4, 'polled once');
ok(!exists { ids('slow') }->{'10.0.0.77'}, '... and no more');
request('POST', '/api/1/routes/slow/refresh') for 1 .. 20;
ok(wait_for(sub { exists { ids('slow') }->{'10.0.0.77'} }), 'refreshed');
my $now = $core->count('server');
$_ = request('POST', '/api/1/routes/slow/refresh') for 1 .. 20;
sleep 1;
cmp_ok($core->count('server') - $now, '<', 20, 'but not each time');
like(request('POST', '/api/1/routes/bare/refresh'),
    qr!^HTTP/1.1 409.*NoControlPlane!s, 'refresh without a core');
like(request('POST', '/api/1/routes/none/refresh'), qr!^HTTP/1.1 404!,
    'refresh of no route');
like(request('GET', '/api/1/routes/live/refresh'),
    qr!^HTTP/1.1 405.*Allow: POST!s, 'refresh by GET');
like(request('POST', '/read/1/routes/live/refresh'), qr!^HTTP/1.1 405!,
    'refresh without write');

# reload, and workers that die

$t->reload();
$core->channel('four', live => 1, server => '127.0.0.2');
ok(wait_for(sub { places('live')->{'live/four'} }), 'goes on after a reload');
is(scalar(grep { $_->{id} eq '127.0.0.2' } servers('live')), 1,
    'nothing doubled');

kill 'KILL', $_ for workers($t);
$core->channel('five', live => 1, server => '127.0.0.2');
ok(wait_for(sub { (places('live') || {})->{'live/five'} }),
    'goes on with other workers');

# a route that has it no longer

my $conf = $t->read_file('nginx.conf');
$conf =~ s/osp_core http:\S+ interval=300ms;//;
$t->write_file('nginx.conf', $conf);
$t->reload();

ok(wait_for(sub { join(' ', map { $_->{id} } servers('live')) eq '10.0.0.9' }),
    'without osp_core its servers go');
is_deeply(places('live'), {}, '... and its streams');

my $log = $t->read_file('error.log');
is(() = $log =~ /has no servers any more/g, 2, 'no servers: once for each');
unlike($log, qr/\[(error|alert|crit)\].*osp core/, 'no errors');

###############################################################################

sub core {
    my ($route) = @_;

    return api('GET', $route)->{core};
}

sub ids {
    my ($route) = @_;

    return map { $_->{id} => $_ } servers($route);
}

sub places {
    my ($route) = @_;
    my $streams = api('GET', "$route/streams/") or return undef;

    return {} unless ref($streams);
    return { map { $_ => $streams->{$_}{server} } keys %$streams };
}

sub polls {
    my ($n) = @_;

    # of two routes
    $core->wait('stream', $core->count('stream') + 2 * $n + 1, 10);
}

sub workers {
    my ($t) = @_;
    my $master = $t->read_file('nginx.pid');

    chomp($master);
    return split(' ', `pgrep -P $master`);
}

sub wait_for {
    my ($test, $time) = @_;
    my $end = time() + ($time || 10);

    while (time() < $end) {
        return 1 if $test->();
        sleep 0.1;
    }

    return 0;
}

###############################################################################
