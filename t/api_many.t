#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api: long lists while sessions come and go, for several
# readers at once, slow ones and those that leave included.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Select;
use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Module;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

# beside the modules of this tree

local $ENV{TEST_NGINX_GLOBALS} = $ENV{TEST_NGINX_GLOBALS}
    || $t->test_globals_modules();

test_module($t, 'ngx_http_route_crowd_test_module');

$t->plan(18)->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 16m;
    inactive  1s;
    server    10.0.0.1;
    server    10.0.0.2;
}

http {
    %%TEST_GLOBALS_HTTP%%

    access_log  off;

    server {
        listen       127.0.0.1:8080 sndbuf=32k;
        server_name  localhost;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /crowd {
            crowd_test  live 20000 400 200;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $base = '/api/1/routes/live';
my ($crowd, @readers, @left, $r);

for (1 .. 600) {
    $crowd = crowd();
    last if $crowd->{ready} && $crowd->{kept} == 18000;
    sleep(0.05);
}

is($crowd->{kept}, 18000, 'sessions');
is($crowd->{failed}, 0, 'no failures');

crowd('?reset');

# those who go away in the middle

@left = map { reader("$base/sessions/", slow => 1) } 1 .. 20;
read_some($_) for @left;

# several whole lists at once, two of them slowly

@readers = map { reader("$base/sessions/", slow => $_ > 3) } 1 .. 5;
push @readers, reader("$base/streams/");

close $_->{socket} for @left;

read_all(@readers);

for my $n (0 .. 4) {
    is(verdict($readers[$n]{body}), '18000 once, 0 often',
        "list of sessions, reader $n");
}

is(verdict($readers[5]{body}), '18000 once, 0 often',
    'list of streams');

# in pages

is(verdict(pages("$base/sessions/?limit=1000")),
    '18000 once, 0 often', 'pages of sessions');
is(verdict(pages("$base/sessions/?limit=777&fields=stream&type=publish")),
    '18000 once, 0 often', 'pages of sessions with a filter');
is(verdict(pages("$base/streams/?limit=1000&fields=")), '18000 once, 0 often',
    'pages of streams');
is(() = pages("$base/servers/?limit=100&fields=id") =~ /"id":/g, 202,
    'pages of servers');

# one of many, and none

$r = api('GET', 'live/sessions/?stream=kept/camera-0-0004711');

is(scalar @$r, 1, 'one of them');
is(api('GET', "live/sessions/$r->[0]{id}")->{stream},
    'kept/camera-0-0004711', 'by its id');
is_deeply(api('GET', 'live/sessions/?type=play'), [], 'none of that type');

# so far nobody has stopped; on a busy machine this is not more than a hint

$crowd = crowd();

cmp_ok($crowd->{cpu}, '<', 100000, 'longest turn of a process, microseconds');
cmp_ok($crowd->{opened}, '>', 20000, 'they come and go');

note("turn $crowd->{wall} us, $crowd->{cpu} us of cpu, lock $crowd->{lock} us");

# a worker that leaves sends what it has begun with

@readers = reader("$base/sessions/", slow => 1);
read_some($readers[0]);

kill 'HUP', $t->read_file('nginx.pid');
sleep(0.5);

read_all(@readers);

like($readers[0]{body}, qr/\}\]$/, 'list over a reload');

###############################################################################

sub crowd {
    my ($args) = @_;

    return decode_json(http_content(http_get('/crowd' . ($args || ''))));
}

sub reader {
    my ($uri, %extra) = @_;

    return { %extra, text => '', uri => $uri, socket => http(
        "GET $uri HTTP/1.1\x0d\x0aHost: localhost\x0d\x0a"
        . "Connection: close\x0d\x0a\x0d\x0a", start => 1) };
}

sub read_some {
    my ($reader) = @_;

    return sysread($reader->{socket}, $reader->{text}, 32768,
        length($reader->{text}));
}

# slow ones wait after each piece

sub read_all {
    my (@open) = @_;
    my $end = time() + 60;

    while (@open && time() < $end) {
        my $now = time();
        my @now = grep { ($_->{wait} || 0) <= $now } @open;
        my %by = map { $_->{socket} => $_ } @now;

        for my $socket (IO::Select->new(map { $_->{socket} } @now)
            ->can_read(0.01))
        {
            my $reader = $by{$socket};

            if (!read_some($reader)) {
                $reader->{done} = 1;
                $reader->{body} = http_content($reader->{text});
            }

            $reader->{wait} = $now + 0.01 if $reader->{slow};
        }

        @open = grep { !$_->{done} } @open;
    }
}

# joined

sub pages {
    my ($uri) = @_;
    my ($path) = $uri =~ /^([^?]+)/;
    my $all = '';

    for (1 .. 1000) {
        my $reply = request('GET', $uri);

        $all .= http_content($reply);

        return $all unless $reply =~ /^Link: <([^>]+)>; rel="next"/m;
        $uri = "$path$1";
    }

    return 'no end';
}

# how many of those who stay were there once, and more than once

sub verdict {
    my ($text) = @_;
    my %count;

    $count{$1}++ while $text =~ m!"(kept/[^"]+)"!g;

    return grep({ $_ == 1 } values %count) . ' once, '
        . grep({ $_ > 1 } values %count) . ' often';
}

###############################################################################
