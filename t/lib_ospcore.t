#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the core of OSP of the test library.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ sha256_hex /;
use IO::Socket::IP;
use JSON::PP;
use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::OSPCore;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

my $ssl = $t->has_feature('socket_ssl') && Test::Nginx::find_binary('openssl');

$t->plan(86);

my $core = osp_core($t, port(8081));
my $node = '/node/127.0.0.1:1935';

$core->server('127.0.0.1');
$core->server('10.0.0.2', active => 0);

$core->channel('plain', live => 1, server => '127.0.0.1');
$core->channel('moved', live => 1, server => '127.0.0.1',
    first_server => '10.0.0.2', type => 'adaptive');
$core->channel('closed', live => 0, server => '10.0.0.2');
$core->channel('new');
$core->channel('private', live => 1, server => '127.0.0.1', private => 1);
$core->channel('secret', live => 1, server => '127.0.0.1', protected => 1,
    owner => 'some_one', invited => ['guest']);

$core->user('some_one', 'stored');
$core->user('guest', 'other');
$core->user('stranger', 'third');

###############################################################################

# where a channel is

like(check('plain'), qr/ 200 .*^X_UpstreamHost: 127\.0\.0\.1\x0d\n.*\sOK$/ms,
    'server of a channel');
like(check('moved'), qr/^X_UpstreamHost: 10\.0\.0\.2\x0d$/m, 'first server');
like(check('closed'), qr/ 200 .*^X_UpstreamHost: 10\.0\.0\.2\x0d$/ms,
    'channel that is off');
like(check('private'), qr/^X_UpstreamHost: 127/m, 'private channel');
like(check('private', 'POST'), qr/^X_UpstreamHost: 127/m, 'POST');

for my $none (undef, 'new', 'unknown') {
    my $name = defined $none ? $none : 'no header';

    like(check($none), qr/ 404 (?!.*X_Up).*<html>/s, "none: $name");
}

$core->delete_server('10.0.0.2');

like(check('moved'), qr/ 500 (?!.*X_Up)/s, 'deleted server');

$core->channel('moved', first_server => undef);

like(check('moved'), qr/ 404 /, 'first stream without a server');

# settings

like(get('/apiv1/server'),
    qr!^HTTP/1.1 308 .*^Location: http://localhost/\S+/\x0d!ms, 'redirect');
is(data('/apiv1/server/')->{siteAddress}, 'localhost', 'site address');
is(data('/apiv1/server/')->{siteProtocol}, 'http://', 'site protocol');

$core->site(siteAddress => 'osp.example.com', siteProtocol => 'https://');

is(data('/apiv1/server/')->{siteAddress}, 'osp.example.com', 'site changed');

$core->set_up(0);
like(get('/apiv1/server/'), qr/ 500 /, 'not set up');
$core->set_up(1);

is(data('/apiv1/server/ping')->{message}, 'Pong', 'ping');

# servers and streams

my $id = $core->server('10.0.0.3', active => 0);

is_deeply([ map { $_->{address} } @{data('/apiv1/server/rtmp')} ],
    [ '127.0.0.1', '10.0.0.3' ], 'servers');
is(data('/apiv1/server/rtmp')->[1]{id}, $id, 'id');
ok(!data('/apiv1/server/rtmp')->[1]{active}, 'not active');
ok(data('/apiv1/server/rtmp')->[0]{active}, 'active');

is(streams(), 'moved plain secret', 'streams');

my %streams = map { $_->{channelEndpointID} => $_ } @{data('/apiv1/stream/')};

is($streams{moved}{streamURL}, '/live-adapt/moved.m3u8', 'adaptive');
is($streams{plain}{streamURL}, '/live/plain/index.m3u8', 'standard');
is($streams{plain}{rtmpServer}, '127.0.0.1', 'server');

is(data("/apiv1/stream/@{[$core->state()->{channels}{private}{row}]}")
    ->[0]{channelEndpointID}, 'private', 'a private stream');
is(scalar(@{data('/apiv1/stream/9999')}), 0, 'unknown stream');

$core->channel('plain', server => undef);
like(get('/apiv1/stream/'), qr/ 500 /, 'stream without a server');

$core->channel('plain', server => '127.0.0.1', live => 0);
is(streams(), 'moved secret', 'stream closed');

like(get('/apiv1/stream'), qr/ 308 /, 'streams redirect');
like(get('/apiv1/none'), qr/ 404 .*<html>/s, 'not found');
like(http("POST /apiv1/server/ HTTP/1.0\x0d\x0a\x0d\x0a", peer()), qr/ 405 /,
    'method');

# viewers

is(auth('plain'), '200 {"results":true}', 'viewer');
is(auth('plain_480'), '400 {"results":false}', 'name is compared');
is(auth('secret'), '400 {"results":false}', 'no token');
is(auth('secret', addr => '127.0.0.1'), '200 "OK"', 'loopback');
is(auth('unknown', addr => 'localhost'), '200 "OK"', 'localhost');

is(auth('secret', user('some_one')), '200 {"results":true}', 'owner');
is(auth('secret', user('guest')), '200 {"results":true}', 'invited');
is(auth('secret', user('stranger')), '400 {"results":false}', 'stranger');
is(auth('secret', user('some_one'), hash => sha256_hex('some_oneplainstored')),
    '400 {"results":false}', 'hash of another channel');

$core->channel('secret', invited => []);
is(auth('secret', user('guest')), '400 {"results":false}', 'not any more');

is($core->header('secret', 'some_one'), 'X-Token-Session: some_one_'
    . sha256_hex('some_onesecretstored'), 'header');

# RTMP nodes

is(node('stage1', 'key-plain')->{channelLoc}, 'plain', 'stage 1');
is(node('stage1', 'key-moved')->{type}, 'adaptive', 'stage 1, adaptive');
is(node('stage1', 'unknown')->{channelLoc}, undef, 'unknown key');
is(node('stage2', 'plain')->{success}, 1, 'stage 2');
is(streams(), 'moved plain secret', 'stream active');
is(node('streamclose', 'key-plain')->{success}, 1, 'stream close');
is(streams(), 'moved secret', 'stream not active');
is(node('stage2', 'unknown')->{success}, 0, 'stage 2, unknown');

like(post("$node/auth-key", 'name=key-moved'), qr!^HTTP/1.1\ 302\ .*
    ^Location:\ rtmp://127\.0\.0\.1:1935/stream-data-adapt/moved\x0d!msx,
    'broadcast is sent on');
like(post("$node/auth-user", 'name=plain'), qr/ 200 /, 'accepted');
is(streams(), 'moved plain secret', 'accepted, active');
like(post("$node/deauth-user", 'name=key-plain'), qr/ 200 /, 'over');
like(post("$node/auth-key", 'name=none'), qr/ 500 /, 'refused');

$core->server('127.0.0.1', active => 0);
like(node('stage1', 'key-plain')->{message}, qr/^Unauthorized RTMP Server/,
    'node that is not active');

# what was asked

$core->forget();
is($core->count(), 0, 'nothing was asked');

auth('a&b c', user('some_one'));
check('plain');

is($core->count(), 2, 'requests');
is($core->count('playbackauth'), 1, 'requests of an endpoint');
is($core->wait('playbackauth')->{form}{name}, 'a&b c', 'form');
is($core->wait('rtmpCheck')->{headers}{'x-channel-id'}, 'plain', 'header');

# faults

my $server = get('/apiv1/server/rtmp');

is(fault(status => 503), 'HTTP/1.1 503 ERROR', 'status');
is(fault(close => 1), '', 'close');
is(fault(cut_json => 1), 'HTTP/1.1 200 OK', 'cut JSON');
is(fault(headers => ['X-Foo: bar']), 'HTTP/1.1 200 OK', 'header');
is(fault(raw => "foo\n"), 'foo', 'raw');

like(faulty(html => 1), qr! 200 .*text/html.*<html>!s, 'HTML');
like(faulty(empty => 1), qr/"results":\[\]/, 'empty');
like(faulty(null => 1), qr/"address":null/, 'null');
like(faulty(types => 1), qr/"active":\[1\],"address":42,"id":"/, 'types');
like(faulty(results => 'no'), qr/"results":"no"/, 'results');
is(http_content(faulty(chunked => 1)), http_content($server), 'chunked');

my $cut = faulty(cut => 1);
my ($length) = $cut =~ /^Content-Length: (\d+)/m;

cmp_ok(length(http_content($cut)), '<', $length, 'cut');

my $start = time();
faulty(delay => 300);
cmp_ok(time() - $start, '>=', 0.3, 'delay');

$start = time();
is(http_content(faulty(drip => 0.01)), http_content($server), 'drip');
cmp_ok(time() - $start, '>', 0.3, 'drip takes time');

is(length(http_content(faulty(big => 1000000))), 1000000
    + length(http_content($server)), 'big');

my $s = IO::Socket::IP->new(PeerAddr => '127.0.0.1:' . port(8081));

$core->fault('rtmp', status => 500, count => 1);
is(keep($s), 500, 'for one request');
is(keep($s), 200, 'for one request only');

my ($first, $second) = ($core->requests('rtmp'))[-2, -1];
is("$first->{n} $second->{n} " . ($second->{c} - $first->{c}), '1 2 0',
    'on one connection');

$core->fault('rtmp', hang => 1);
print $s "GET /apiv1/server/rtmp HTTP/1.1\x0d\x0a\x0d\x0a";
like(get('/apiv1/server/ping'), qr/ 200 /, 'other requests meanwhile');
ok(!IO::Select->new($s)->can_read(0.1), 'hang');

$core->fault('all', status => 502);
like(get('/apiv1/server/ping'), qr/ 502 /, 'all endpoints');
$core->clear();

$core->down();
is(IO::Socket::IP->new(PeerAddr => '127.0.0.1:' . port(8081)), undef, 'down');

$core->up();
is(streams(), 'moved secret', 'up again');

SKIP: {
    skip 'no SSL', 1 unless $ssl;

    my $tls = osp_core($t, port(8082), ssl => 1);
    my $ca = $t->testdir() . '/osp-core-' . port(8082) . '.crt';

    like(http("GET /apiv1/server/ping HTTP/1.0\x0d\x0a\x0d\x0a", SSL => 1,
        PeerAddr => 'localhost:' . port(8082), SSL_verify_mode => 1,
        SSL_ca_file => $ca), qr/"Pong"/, 'SSL');
}

###############################################################################

sub peer {
    return PeerAddr => '127.0.0.1:' . port(8081);
}

sub check {
    my ($loc, $method) = @_;
    my $header = defined $loc ? "X-Channel-ID: $loc\x0d\x0a" : '';

    return http(($method || 'GET')
        . " /rtmpCheck HTTP/1.0\x0d\x0a$header\x0d\x0a", peer());
}

sub get {
    my ($uri) = @_;

    return http_get($uri, peer());
}

sub post {
    my ($uri, $form) = @_;

    return http("POST $uri HTTP/1.0\x0d\x0a"
        . "Content-Type: application/x-www-form-urlencoded\x0d\x0a"
        . 'Content-Length: ' . length($form) . "\x0d\x0a\x0d\x0a$form", peer());
}

sub data {
    my ($uri) = @_;

    return decode_json(http_content(get($uri)))->{results};
}

sub streams {
    return join(' ', sort map { $_->{channelEndpointID} }
        @{data('/apiv1/stream/')});
}

sub auth {
    my ($loc, %form) = @_;
    my ($text, $answer);

    %form = (addr => '192.0.2.1', %form, name => $loc);

    $text = join('&', map { my $value = $form{$_};
        $value =~ s/(\W)/sprintf('%%%02x', ord($1))/ge; "$_=$value" }
        sort keys %form);

    $answer = post('/apiv1/rtmp/playbackauth', $text);

    return ($answer =~ m!^HTTP/1.1 (\d+)!)[0] . ' '
        . http_content($answer) =~ s/\s//gr;
}

sub user {
    my ($name) = @_;

    return username => $name, hash => $core->token('secret', $name);
}

sub node {
    my ($what, $name) = @_;

    return decode_json(http_content(post("/apiv1/rtmp/$what",
        "name=$name&addr=192.0.2.1")))->{results} || {};
}

sub faulty {
    my (%fault) = @_;

    $core->fault('rtmp', %fault);
    my $answer = get('/apiv1/server/rtmp');
    $core->fault('rtmp');

    return defined $answer ? $answer : '';
}

sub fault {
    return (split(/\x0d?\x0a/, faulty(@_)))[0] // '';
}

sub keep {
    my ($socket) = @_;
    my ($head, $status, $buf) = ('');

    print $socket "GET /apiv1/server/rtmp HTTP/1.1\x0d\x0a\x0d\x0a";

    while ($head !~ /\x0d\x0a\x0d\x0a/) {
        sysread($socket, $head, 1, length($head)) or return 'closed';
    }

    ($status) = $head =~ m!^HTTP/1.1 (\d+)!;
    $socket->read($buf, ($head =~ /^Content-Length: (\d+)/m)[0]);

    return $status;
}

###############################################################################
