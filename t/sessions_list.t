#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api: which sessions a list shows, and in pages.

###############################################################################

use warnings;
use strict;

use Test::More;
use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip stream/)->plan(60);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
    server  127.0.0.1:8082;
}

rtmp_route silent {
    zone    silent 1m;
    server  127.0.0.1:8083;
}

rtmp_route secret {
    zone    secret 1m;
    key     app/stream secret;
    server  127.0.0.1:8081;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /hidden/ {
            rtmp_route_api  names=off;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen        127.0.0.1:8085 proxy_protocol;
        set_real_ip_from  127.0.0.1;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8086;
        osp_upstream  silent;
        osp_upstream_connect_timeout 30s;
    }

    server {
        listen        127.0.0.1:8087;
        osp_upstream  secret;
    }
}

EOF_CONF

rtmp_origin($t, port(8081));
rtmp_origin($t, port(8082));
rtmp_origin($t, port(8083), handshake => 'silent');

$t->run();

###############################################################################

my (@c, @s, $r, $ids, $next, %seen);

push @c, publish('live/cam1', '203.0.113.7', agent => 'OBS-Studio/29');
push @c, publish('live/cam10', '203.0.113.8');
push @c, publish('live/sub/cam1', '198.51.100.1');
push @c, publish('other/cam1', '198.51.100.2');
push @c, play('live/cam1', '203.0.113.200');
push @c, play('live/cam1', '10.0.0.1');

is(listed(''), 'live/cam1 live/cam1 live/cam1 live/cam10 live/sub/cam1 '
    . 'other/cam1', 'all');

# type

is(listed('type=publish'), 'live/cam1 live/cam10 live/sub/cam1 other/cam1',
    'publishers');
is(listed('type=play'), 'live/cam1 live/cam1', 'players');
bad("type=$_") for qw/ record PLAY plays 1 /;

# names

is(listed('stream=live/cam1'), 'live/cam1 live/cam1 live/cam1', 'a name');
is(listed('stream=live/cam1&type=play'), 'live/cam1 live/cam1', 'with a type');
is(listed('stream=live%2Fcam1'), 'live/cam1 live/cam1 live/cam1', 'encoded');
is(listed('stream=/live/cam1'), 'live/cam1 live/cam1 live/cam1', 'a path');
is(listed('stream=live/cam2'), '', 'no such stream');
is(listed('stream=live/cam'), '', 'no part of one');
is(listed('stream=live/*'), 'live/cam1 live/cam1 live/cam1 live/cam10 '
    . 'live/sub/cam1', 'an app');
is(listed('stream=/live/*'), 'live/cam1 live/cam1 live/cam1 live/cam10 '
    . 'live/sub/cam1', 'as a path');
is(listed('stream=live/cam1*'), 'live/cam1 live/cam1 live/cam1 live/cam10',
    'a begin');
is(listed('stream=live/sub/%2A'), 'live/sub/cam1', 'encoded');
is(listed('stream=*'), listed(''), 'any');
is(listed('stream=nothing/*'), '', 'of none');
bad("stream=$_") for 'live/../cam1', 'live/a%01b';

# addresses

is(listed('client=203.0.113.7'), 'live/cam1', 'an address');
is(listed('client=203.0.113.0/24'), 'live/cam1 live/cam1 live/cam10',
    'a network');
is(listed('client=203.0.113.0/25'), 'live/cam1 live/cam10', 'a part of it');
is(listed('client=0.0.0.0/0'), listed(''), 'all');
is(listed('client=::/0'), '', 'of another kind');
is(listed('client=198.51.100.1&type=play'), '', 'nobody');
bad("client=$_") for '203.0.113', '203.0.113.7:5000', 'servers', 'unix:',
    '10.0.0.0/33', 'all';

# servers, states, agents

@s = map { $_->{id} } servers('live');
is(count("server=$s[0]") + count("server=$s[1]"), 6, 'by server');
is(join(' ', uniq(map { $_->{server} } get("server=$s[0]"))),
    count("server=$s[0]") ? $s[0] : '', 'the right ones');
is(listed('server=nobody'), '', 'no such server');
bad('server=' . 'x' x 200);

is(listed('state=relay'), listed(''), 'in relay');
is(listed('state=closing'), '', 'none that closes');
bad("state=$_") for qw/ up RELAY 2 /;

push @c, rtmp_publish('127.0.0.1:' . port(8086), 'live', 'wait',
    no_wait => 1);
ok(wait_until(sub {
    my $list = request('GET', '/api/1/routes/silent/sessions/?state=setup');
    return $list =~ m!"live/wait"!;
}), 'in set-up');

is(listed('agent=obs'), 'live/cam1', 'an agent');
is(listed('agent=Lavf&type=play'), listed('agent=lavf&type=play'),
    'whatever the case');
is(listed('agent=nothing'), '', 'of none');

# a secret route, hidden names

push @c, rtmp_publish('127.0.0.1:' . port(8087), 'live', 'hidden');

is(scalar(() = request('GET',
    '/api/1/routes/secret/sessions/?stream=live/hidden') =~ /"id"/g), 1,
    'by its secret name');
is(scalar(() = request('GET',
    '/api/1/routes/secret/sessions/?stream=live/*') =~ /"id"/g), 1,
    'by its app');
is(scalar(() = request('GET',
    '/api/1/routes/secret/sessions/?stream=live/hid*') =~ /"id"/g), 0,
    'not by a part of what is secret');

like(request('GET', '/hidden/1/routes/live/sessions/?stream=live/c*'),
    qr/ 400 .*"ArgumentInvalid"/s, 'nor of what is hidden');
like(request('GET', '/hidden/1/routes/live/sessions/?stream=live/*'),
    qr/ 200 /, 'but by the app');

# pages of those that are wanted, with others between them

for my $filter ('type=publish', 'stream=live/*', 'client=203.0.113.0/24', '') {

    for my $limit (1, 2, 100) {
        $ids = '';
        $next = "$filter&limit=$limit";

        while (defined $next) {
            $r = request('GET', "/api/1/routes/live/sessions/?$next");
            $r =~ / 200 / or last;
            @s = @{decode_json(http_content($r))};
            $ids .= scalar(@s) . ':';
            $seen{"$filter $limit"}{$_->{id}}++ for @s;
            ($next) = $r =~ /^Link: <\?([^>]+)>; rel="next"/m;
        }

        next if $limit == 1;

        is(join(' ', sort keys %{$seen{"$filter $limit"}}),
            join(' ', sort map { $_->{id} } get($filter)),
            "pages of $limit: $filter");
    }
}

is(scalar(grep { $_ != 1 } map { values %$_ } values %seen), 0, 'each once');

###############################################################################

sub publish {
    my ($name, $ip, %opt) = @_;
    my ($app, $stream) = split m!/!, $name, 2;

    return rtmp_publish('127.0.0.1:' . port(8085), $app, $stream, %opt,
        preamble => "PROXY TCP4 $ip 127.0.0.1 5000 1935\r\n");
}

sub play {
    my ($name, $ip) = @_;
    my ($app, $stream) = split m!/!, $name, 2;

    return rtmp_play('127.0.0.1:' . port(8085), $app, $stream,
        preamble => "PROXY TCP4 $ip 127.0.0.1 5000 1935\r\n");
}

sub get {
    my ($args) = @_;

    return @{decode_json(http_content(request('GET',
        "/api/1/routes/live/sessions/?$args")))};
}

sub count {
    return scalar(my @list = get(@_));
}

sub listed {
    return join ' ', sort map { $_->{stream} } get(@_);
}

sub bad {
    my ($args) = @_;

    like(request('GET', "/api/1/routes/live/sessions/?$args"),
        qr!^HTTP/1.1 400 .*"ArgumentInvalid"!s, "wrong: $args");
}

sub uniq {
    my %h;

    return grep { !$h{$_}++ } @_;
}

###############################################################################
