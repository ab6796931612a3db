#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: no server registers any more, though all of them are
# well.  Viewers see nothing of it, with health_check and without.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(14);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route checked {
    zone          checked 1m;
    register      open allow=127.0.0.0/8 timeout=2s;
    health_check  interval=500ms;
}

rtmp_route plain {
    zone          plain 1m;
    register      open allow=127.0.0.0/8 timeout=2s;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;
    hls_cache hls;

    upstream checked { rtmp_route checked http; }
    upstream plain   { rtmp_route plain http; }

    server {
        listen 127.0.0.1:8080;

        location /checked/ {
            rtmp_route  checked;
            proxy_pass  http://checked;
        }

        location /plain/ {
            rtmp_route  plain;
            proxy_pass  http://plain;
        }

        location /api/ {
            hls_cache       off;
            rtmp_route_api;
        }
    }
}

EOF

my @o = map { hls_origin($t, port($_)) } 8081, 8082;

# without health_check they have to answer RTMP

rtmp_origin($t, port($_)) for 8083, 8084;

$t->run();

###############################################################################

my (@v, %last);

for my $o (@o) {
    for (qw/ checked plain /) {
        $o->live("cam-$_", base => "/$_", auto => 1);
        $o->live("new-$_", base => "/$_");
    }
}

for my $route (qw/ checked plain /) {
    is(heartbeat($route, $_), 200, "$route: $_ registers") for 8081, 8082;

    push @v, hls_viewer($t, "/$route/cam-$route/index.m3u8", name => $route,
        every => 0.2);
}

# it is long over, and longer than what is served when there is nothing new

for my $route (qw/ checked plain /) {
    ok(hls_wait(sub {
        2 == grep { $_->{state} eq 'stale' } servers($route)
    }, 10), "$route: stale");
}

sleep(5);

for (@v) {
    $last{$_->{name}} = $_->report()->{last};
}

sleep(2.5);

for (@v) {
    cmp_ok($_->report()->{last}, '>', $last{$_->{name}},
        "$_->{name}: goes on");
}

# who comes now is served, too

is(hls_get("/$_/new-$_/index.m3u8")->{status}, 200, "$_: another one")
    for qw/ checked plain /;

$_->stop() for @v;
is($_->faults(), '', "$_->{name}: faults") for @v;
is($_->report()->{discontinuities}, 0, "$_->{name}: at the same server")
    for @v;

###############################################################################

sub heartbeat {
    my ($route, $port) = @_;
    my $body = encode_json({ ip => '127.0.0.1', server => "vid-$port",
        service => 's', pid => '1', rtmp => ['' . port($port + 2)],
        http => ['' . port($port)] });

    my $r = request('POST', "/api/v1/srs/register?route=$route", $body,
        'Content-Type: application/json');

    return $r =~ m!^HTTP/1.1 (\d+)! ? $1 : 'nothing';
}

###############################################################################
