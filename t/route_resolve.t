#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names of servers: looked up at run time, again when their TTL has
# ended, and over a reload.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(27);

my $dns = port(8980, udp => 1);

$t->write_file_expand('nginx.conf', <<"EOF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

rtmp_route live {
    zone      live 1m;
    resolver  127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;

    server    one.example.com http=%%PORT_8081%% weight=3;
    server    many.example.com:1936;
    server    never.example.com;
    server    127.0.0.9;
}

rtmp_route moved {
    zone      moved 1m;
    resolver  127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;

    server    move.example.com;
    server    127.0.0.9;
}

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream origin {
        rtmp_route live http;
    }

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }

        location / {
            proxy_pass http://origin;
        }
    }

    server {
        listen 127.0.0.1:8081;
        location / { return 200 one; }
    }
}

EOF

write_names($t, 'one.example.com' => ['127.0.0.1'],
    'move.example.com' => ['127.0.0.5']);

# nginx is there before its resolver

$t->run();

my %servers = ids('live');

is(join(' ', sort keys %servers),
    '127.0.0.9 many.example.com never.example.com one.example.com',
    'all are shown at once');
is($servers{'127.0.0.9'}{state}, 'up', 'address is up');
is("@{$servers{'never.example.com'}}{qw/ state reason /}", 'down unresolved',
    'unresolved is down');
is_deeply($servers{'never.example.com'}{rtmp}, [], 'unresolved has no address');

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');

ok(wait_for(sub { up('one.example.com') }, 12), 'resolved later');

%servers = ids('live');
is_deeply($servers{'one.example.com'}{http}, ['127.0.0.1:' . port(8081)],
    'address and port');
is($servers{'one.example.com'}{weight}, 3, 'parameters');
like(http_get('/live/x.m3u8'), qr/^one$/m, 'proxied to it');

ok(wait_for(sub { up('move.example.com', 'moved') }, 8), 'one address');

pin('moved', "live/cam$_", 'move.example.com') for 1 .. 3;
patch('moved', 'move.example.com', weight => 7);

# several addresses are several servers, followed as the TTL ends

write_names($t, 'one.example.com' => ['127.0.0.1'],
    'many.example.com' => ['127.0.0.2', '127.0.0.3'],
    'move.example.com' => ['127.0.0.6', '127.0.0.5']);

ok(wait_for(sub { up('many.example.com#127.0.0.3') }, 8), 'several addresses');

%servers = ids('live');
is_deeply($servers{'many.example.com#127.0.0.2'}{rtmp}, ['127.0.0.2:1936'],
    'address of several');
ok(!$servers{'many.example.com'}, 'placeholder has gone');

# an address that is no longer alone keeps what is on its server

ok(wait_for(sub { up('move.example.com#127.0.0.6', 'moved') }, 8),
    'another address');

%servers = ids('moved');
ok(!$servers{'move.example.com'}, 'the name alone has gone');
is($servers{'move.example.com#127.0.0.5'}{weight}, 7, 'parameters are kept');
is($servers{'move.example.com#127.0.0.6'}{weight}, 1, 'of its own');
is(places('moved'), 'move.example.com#127.0.0.5', 'streams are kept');

write_names($t, 'one.example.com' => ['127.0.0.1'],
    'many.example.com' => ['127.0.0.3', '127.0.0.4'],
    'move.example.com' => ['127.0.0.5']);

ok(wait_for(sub { up('many.example.com#127.0.0.4') }, 8), 'address added');
ok(wait_for(sub { !{ ids('live') }->{'many.example.com#127.0.0.2'} }, 12),
    'address removed');

ok(wait_for(sub { up('move.example.com', 'moved') }, 8), 'alone again');
is(places('moved'), 'move.example.com', 'streams are kept again');

# a name that is not answered keeps what it had, over a reload too

write_names($t, 'one.example.com' => ['127.0.0.1'],
    'many.example.com' => { rcode => 2 },
    'move.example.com' => ['127.0.0.7']);

ok(wait_for(sub {
    my %servers = ids('moved');
    return $servers{'move.example.com'}{rtmp}[0] eq '127.0.0.7:1935';
}, 8), 'its address changes');
is(places('moved'), 'move.example.com', 'streams are kept still');

sleep 1;
ok(up('many.example.com#127.0.0.4'), 'kept when resolver fails');

$t->reload();
sleep 1;

%servers = ids('live');
is($servers{'many.example.com#127.0.0.4'}{state}, 'up', 'kept over reload');
is(scalar(keys %servers), 5, 'nothing doubled by reload');

like($t->read_file('error.log'),
    qr/\[error\].*server "never.example.com" of route "live" could not be /,
    'failure logged');

###############################################################################

sub ids {
    my ($route) = @_;

    return map { $_->{id} => $_ } servers($route);
}

sub up {
    my ($id, $route) = @_;
    my %servers = ids($route || 'live');

    return $servers{$id} && $servers{$id}{state} eq 'up';
}

# where streams are

sub places {
    my ($route) = @_;
    my %seen = map { $_->{server} => 1 }
        values %{api('GET', "$route/streams/") || {}};

    return join(' ', sort keys %seen);
}

sub wait_for {
    my ($test, $time) = @_;
    my $end = time() + $time;

    while (time() < $end) {
        return 1 if $test->();
        sleep 0.1;
    }

    return 0;
}

###############################################################################
