#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for registrations that end: a server that leaves, a stream that is no
# longer listed, a listing whose server has gone, and conflicts.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(36);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    unknown   refuse;
    register  timeout=2s token=SECRET token=OTHER allow=127.0.0.0/8;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

# a server that leaves

like(leave('a'), qr/200 OK.*\{"code":0,"pid":"\d+"\}$/s, 'one that is unknown');
is(servers('live'), 0, 'is not there');

register('a', streams => ['live/one', 'live/two']);
is(state_of('a'), 'up 2', 'registered');

like(leave('a', pid => '2'), qr/200 OK/, 'another run leaves');
is(state_of('a'), 'up 2', 'this one does not');
like(leave('a', service => 'y'), qr/200 OK/, 'another service leaves');
is(state_of('a'), 'up 2', 'it does not, too');

like(leave('a', unregister => JSON::PP::false), qr/200 OK/, 'false');
is(state_of('a'), 'up 2', 'is a registration');
like(leave('a', unregister => 1), qr/400 Bad.*true or false/s, 'a number');

like(leave('a'), qr/200 OK.*\{"code":0,"pid":"\d+"\}$/s, 'left');
is(state_of('a'), 'down 0', 'down');
is(server('a')->{reason}, 'expired', 'reason');
is(stream('live/one'), 'none', 'streams are gone');

like(leave('a'), qr/200 OK/, 'left twice');
is(state_of('a'), 'down 0', 'still down');

register('a', pid => '2', streams => ['live/one']);
is(state_of('a'), 'up 1', 'back');

api('PATCH', 'live/servers/a', { drain => JSON::PP::true });
leave('a', pid => '2');
register('a', pid => '3', streams => ['live/one']);
is(state_of('a'), 'draining 1', 'drain outlives it');
api('PATCH', 'live/servers/a', { drain => JSON::PP::false });

my $log = $t->read_file('error.log');

is(() = $log =~ /server "a" left route "live"/g, 2, 'logged');

# what is listed no longer is gone, what is not told of stays

register('a', pid => '3', streams => ['live/one', 'live/two']);
is(state_of('a'), 'up 2', 'two');
register('a', pid => '3', streams => ['live/two']);
is(stream('live/one') . ' ' . stream('live/two'), 'none a list', 'one is gone');
register('a', pid => '3');
is(stream('live/two'), 'a list', 'nothing told');
register('a', pid => '3', streams => []);
is(stream('live/two'), 'none', 'none');

# two that list the same: the first stays

register('a', pid => '3', streams => ['live/both']);
register('b', streams => ['live/both', 'live/own']);

is(stream('live/both'), 'a list', 'first stays');
is(stream('live/own'), 'b list', 'own one');
is(server('b')->{conflicts}, 1, 'conflict of the server');
is("@{api('GET', 'live/streams/live/both')->{conflicts}}", 'b',
    'conflict of the stream');
like($t->read_file('error.log'), qr/"b" lists streams that were not taken: 1/,
    'logged');

# the first goes: the second one's next registration takes it

leave('a', pid => '3');
is(stream('live/both'), 'none', 'the first has left');
register('b', streams => ['live/both', 'live/own']);
is(stream('live/both'), 'b list', 'the second has it');
is(server('b')->{conflicts}, 0, 'no conflict');

# a listing counts as long as its server registers

register('a', pid => '3');
ok(wait_for(sub { register('a', pid => '3'); state_of('b') =~ /down/ }),
    'expired');
is(server('b')->{reason}, 'expired', 'reason of that');
register('a', pid => '3', streams => ['live/both']);
is(stream('live/both'), 'a list', 'another may list it');
is(server('a')->{conflicts}, 0, 'without a conflict');

register('b', streams => ['live/both']);
is(stream('live/both'), 'a list', 'who comes back comes second');

###############################################################################

sub register {
    my ($id, %more) = @_;

    return request('POST', '/api/v1/srs/register', encode_json({
        ip => '127.0.0.' . (ord($id) - 94), server => $id, service => 'x',
        pid => '1', rtmp => ['1935'], %more
    }), 'Authorization: Bearer SECRET');
}

sub leave {
    my ($id, %more) = @_;

    return register($id, unregister => JSON::PP::true, %more);
}

sub server {
    my ($id) = @_;

    return (grep { $_->{id} eq $id } servers('live'))[0] || {};
}

sub state_of {
    my $server = server(@_);

    return "$server->{state} $server->{streams}";
}

sub stream {
    my ($key) = @_;
    my $stream = api('GET', "live/streams/$key");

    return ref $stream ? "$stream->{server} $stream->{source}" : 'none';
}

sub wait_for {
    my ($test) = @_;

    for (1 .. 100) {
        return 1 if $test->();
        sleep 0.1;
    }

    return 0;
}

###############################################################################
