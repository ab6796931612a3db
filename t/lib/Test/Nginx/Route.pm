package Test::Nginx::Route;

# Copyright (C) The nginx-osp authors

# Asks the API of a route, which is expected at /api/ of port 8080.
#
#     pin('live', 'live/cam1', '127.0.0.1');
#     is(conns('live'), '0 0', 'nothing counted');

use strict;
use warnings;

use Exporter qw/ import /;
use JSON::PP;
use Test::More qw//;
use Test::Nginx qw/ http http_content port /;
use Test::Nginx::RTMP qw/ wait_until /;
use Time::HiRes qw/ sleep /;


our @EXPORT = qw/
    request api pin unpin patch servers conns wait_conns sessions wait_sessions
/;
our @EXPORT_OK = qw/ is_live proxy register server state /;


sub request {
    my ($method, $uri, $body, @headers) = @_;

    return http(raw($method, $uri, $body, @headers)) || '';
}

sub raw {
    my ($method, $uri, $body, @headers) = @_;

    $body = '' unless defined $body;

    return join("\x0d\x0a", "$method $uri HTTP/1.1", 'Host: localhost',
        'Connection: close', 'Content-Length: ' . length($body), @headers, '',
        $body);
}

# what the API answers, undef if that is no success

sub api {
    my ($method, $uri, $value) = @_;
    my ($reply, @body);

    @body = (encode_json($value), 'Content-Type: application/json')
        if defined $value;

    $reply = request($method, "/api/1/routes/$uri", @body);

    return undef unless $reply =~ m!^HTTP/1\.1 2\d\d!;
    return eval { decode_json(http_content($reply)) } || 1;
}

# what it says of the proxy, undef if nobody answers

sub proxy {
    return eval {
        decode_json(http_content(request('GET', '/api/1/proxy')));
    };
}

# a server with that id on a port of this machine

sub register {
    my ($route, $port, $id) = @_;

    return request('POST', "/api/v1/srs/register?route=$route", encode_json({
        ip => '127.0.0.1', server => $id, service => 's', pid => '1',
        rtmp => ['' . port($port)] })) =~ /^HTTP\S+ 200 /;
}

sub pin {
    my ($route, $key, $id) = @_;

    return api('PUT', "$route/streams/$key", { server => $id });
}

sub unpin {
    my ($route, $key) = @_;

    return api('DELETE', "$route/streams/$key");
}

sub patch {
    my ($route, $id, %params) = @_;

    return api('PATCH', "$route/servers/$id", \%params);
}

sub servers {
    my ($route) = @_;
    my $list = api('GET', "$route/servers/");

    return ref($list) eq 'ARRAY' ? @$list : ();
}

# one of them, and in what state it is

sub server {
    my ($id, $route) = @_;

    return (grep { $_->{id} eq $id } servers($route || 'live'))[0];
}

sub state {
    my $s = server(@_);

    return $s ? $s->{state} : '';
}

sub conns {
    my ($route) = @_;

    return join(' ', map { $_->{conns} } servers($route));
}

sub wait_conns {
    my ($route, $want) = @_;

    for (1 .. 400) {
        return 1 if conns($route) eq $want;
        sleep(0.05);
    }

    return 0;
}

sub sessions {
    my ($route) = @_;
    my $list = api('GET', "$route/sessions/");

    return ref($list) eq 'ARRAY' ? @$list : ();
}

# Until so many sessions have been set up, and no others are there.

sub wait_sessions {
    my ($route, $want) = @_;
    my (@all, @set_up);

    for (1 .. 400) {
        @all = sessions($route);
        @set_up = grep { $_->{state} eq 'relay' } @all;

        return 1 if @all == $want && @set_up == $want;
        sleep(0.05);
    }

    return 0;
}

# What is live, with numbers of publishers and players, once that is as wanted.

sub is_live {
    my ($route, $want, $name) = @_;
    my ($streams, $live);

    wait_until(sub {
        $streams = api('GET', "$route/streams/") || {};

        $live = join(' ', map {
            "$_ $streams->{$_}{publishers} $streams->{$_}{players}"
        } grep {
            $streams->{$_}{publishers} || $streams->{$_}{players}
        } sort keys %$streams);

        return $live eq $want;
    });

    Test::More::is($live, $want, $name);
}


1;
