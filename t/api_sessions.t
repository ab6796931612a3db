#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for sessions as rtmp_route_api shows them.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(32);

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

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api;
        }

        location /hidden/ {
            rtmp_route_api  names=off;
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

EOF_CONF

rtmp_origin($t, port(8081));

$t->run();

###############################################################################

my ($one, $two, $r, $s, @list);

$one = rtmp_publish(port(8082), 'live', 'cam1');
$two = rtmp_publish(port(8082), 'live', 'cam2');

is($one->{code}, 'NetStream.Publish.Start', 'published');
is($two->{code}, 'NetStream.Publish.Start', 'published another');

@list = listed('');
is(scalar @list, 2, 'sessions');

($s) = grep { $_->{stream} eq 'live/cam1' } @list;

is(join(' ', http_content(request('GET', '/api/1/routes/live/sessions/'))
    =~ /"(\w+)":/g), join(' ', map { 'id type stream client server upstream '
    . 'agent state started in out rate idle pid' } @list), 'fields');

like($s->{id}, qr/^\d+-\d+$/, 'id');
is($s->{type}, 'publish', 'type');
ok(wait_until(sub {
    my ($now) = grep { $_->{stream} eq 'live/cam1' } listed('');
    return $now->{idle} >= 0.3;
}), 'idle');
like($s->{client}, qr/^127\.0\.0\.1:\d+$/, 'client');
is($s->{server}, (servers('live'))[0]->{id}, 'server');
is($s->{upstream}, '127.0.0.1:' . port(8081), 'upstream');
is($s->{state}, 'relay', 'state');
like($s->{started}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'started');
ok($s->{in} > 3000, 'in');
ok($s->{out} > 3000, 'out');
ok(kill(0, $s->{pid}), 'pid');

$r = get("/api/1/routes/live/sessions/$s->{id}");
is($r->{stream}, 'live/cam1', 'one session');
is($r->{id}, $s->{id}, 'its id');

$r = get("/api/1/routes/live/sessions/$s->{id}?fields=type");
is_deeply($r, { type => 'publish' }, 'some fields');

like(request('GET', '/api/1/routes/live/sessions/1023-1'),
    qr/ 404 .*"SessionNotFound"/s, 'no such session');
like(request('DELETE', "/api/1/routes/live/sessions/$s->{id}"),
    qr/ 405 .*"MethodDisabled"/s, 'not to be ended without write=on');

is(scalar listed('?type=publish'), 2, 'publishers');
is(scalar listed('?type=play'), 0, 'players');
is(join(' ', map { $_->{stream} } listed('?stream=live/cam2')),
    'live/cam2', 'of a stream');
is(scalar listed('?stream=live/cam3'), 0, 'of another stream');
is(scalar listed('?limit=1'), 1, 'a page');

$r = request('GET', '/hidden/1/routes/live/sessions/');
unlike($r, qr/cam1/, 'names are hidden');
like($r, qr!"stream":"live/#[0-9a-f]{16}"!, 'hashes are shown');

$s = get('/api/1/routes/live/streams/live/cam1');
is($s->{source}, 'publish', 'the stream');
is($s->{publishers}, 1, 'its publishers');

is(get('/api/1/routes/live')->{sessions}, 2, 'sessions of the route');

$one->close();
$two->close();

for (1 .. 100) {
    last unless listed('');
    select undef, undef, undef, 0.05;
}

is(scalar listed(''), 0, 'all have gone');
is((servers('live'))[0]->{selected}, 2, 'selected');

###############################################################################

sub get {
    my ($uri) = @_;

    return eval { decode_json(http_content(request('GET', $uri))) };
}

sub listed {
    my ($args) = @_;

    return @{get("/api/1/routes/live/sessions/$args")};
}

###############################################################################
