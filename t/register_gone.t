#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for streams whose server has listed them and is gone: others are asked
# before anybody is told that there is no such stream.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(16);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    register  timeout=3s open allow=127.0.0.0/8;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live { rtmp_route live http; }

    proxy_next_upstream  error timeout http_404;

    add_header  X-Server  $rtmp_route_server  always;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

EOF_CONF

# an origin has what its file names

my $dir = $t->testdir();

for my $id (qw/ a b c /) {
    httpd($t, port(8081 + ord($id) - ord('a')), sub {
        my ($r) = @_;
        my $has = -e "$dir/on-$id" ? slurp("$dir/on-$id") : '';
        my ($name) = $r->{uri} =~ m!^/live/(\w+)!;

        return http_response(404) unless $has =~ /\b$name\b/;
        return http_response(200, "of $id");
    });
}

$t->run();

###############################################################################

# listed is where it is, whatever the hash says

has(a => 'one two three four');
register('a', map { "live/$_" } qw/ one two three four /);
register('b');
register('c');

is(get($_), '200 a', "$_ listed") for qw/ one two three four /;

# the origin is killed, and encoders go to another one, where nobody lists them

has(a => '');
has(b => 'one two');
has(c => 'three four');

for (1 .. 100) {
    register('b');
    register('c');
    last if state_of('a') eq 'down';
    sleep 0.1;
}

is(state_of('a'), 'down', 'expired');

is(get($_), '200 b', "$_ found") for qw/ one two /;
is(get($_), '200 c', "$_ found") for qw/ three four /;
is(get('five'), '404 ' . last_of('five'), 'what is nowhere');

# the same when it says itself that it leaves

has(b => 'one');
register('b', 'live/one');
is(get('one'), '200 b', 'listed');

has(c => 'one three four');
has(b => '');
leave('b');
is(get('one'), '200 c', 'found elsewhere');

# listed again, at the first one

has(a => 'one');
register('a', 'live/one');
is(get('one'), '200 a', 'a listing says more than what was found');

register('a');
is(get('one'), '200 a', 'nothing told');

has(a => '');
register_list('a');
is(get('one'), '200 c', 'not listed any more');
is(scalar(grep { $_->{state} eq 'up' } servers('live')), 2, 'servers');

###############################################################################

sub has {
    my ($id, $names) = @_;

    $t->write_file("on-$id", $names);
}

sub post {
    my ($id, %more) = @_;

    return request('POST', '/api/v1/srs/register', encode_json({
        ip => '127.0.0.1', server => $id, service => 'x', pid => '1',
        rtmp => [1900 + ord($id) . ''],
        http => ['' . port(8081 + ord($id) - ord('a'))], %more
    }));
}

sub register {
    my ($id, @streams) = @_;

    return post($id, @streams ? (streams => \@streams) : ());
}

sub register_list {
    my ($id, @streams) = @_;

    return post($id, streams => \@streams);
}

sub leave {
    return post(@_, unregister => JSON::PP::true);
}

sub get {
    my ($name) = @_;
    my $r = http_get("/live/$name.m3u8");
    my ($status) = $r =~ m!^HTTP/\S+ (\d+)!;
    my ($server) = $r =~ /^X-Server: (\S*)/m;

    return join(' ', $status, defined $server ? $server : '-');
}

# a 404 is of the server that was asked last

sub last_of {
    my ($name) = @_;

    return (split / /, get($name))[1];
}

sub state_of {
    my ($id) = @_;

    return (map { $_->{state} } grep { $_->{id} eq $id } servers('live'))[0];
}

###############################################################################
