#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in upstream{} of http{}.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/)->plan(44);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
    server  127.0.0.1:2 http=%%PORT_8082%%;
    server  127.0.0.1:3 http=%%PORT_8083%%;
}

rtmp_route dead {
    zone    dead 1m;
    server  127.0.0.1:1 http=%%PORT_8081%% max_fails=1 fail_timeout=1s;
    server  127.0.0.1:2 http=%%PORT_8089%% max_fails=1 fail_timeout=1s;
}

rtmp_route alldead {
    zone    alldead 1m;
    server  127.0.0.1:1 http=%%PORT_8088%% max_fails=0;
    server  127.0.0.1:2 http=%%PORT_8089%% max_fails=0;
}

rtmp_route backup {
    zone    backup 1m;
    server  127.0.0.1:1 http=%%PORT_8089%% max_fails=1 fail_timeout=10s;
    server  127.0.0.1:2 http=%%PORT_8082%% backup;
}

rtmp_route none {
    zone    none 1m;
    server  127.0.0.1:1 http=%%PORT_8081%% down;
}

rtmp_route refuse {
    zone     refuse 1m;
    unknown  refuse;
    server   127.0.0.1:1 http=%%PORT_8081%%;
}

rtmp_route origin {
    zone    origin 1m;
    server  127.0.0.1:1 http=%%PORT_8084%%;
}

rtmp_route limited {
    zone    limited 1m;
    server  127.0.0.1:1 http=%%PORT_8084%% max_conns=1;
}

rtmp_route status {
    zone    status 1m;
    server  127.0.0.1:1 http=%%PORT_8084%%;
    server  127.0.0.1:2 http=%%PORT_8085%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live     { rtmp_route  live     http; }
    upstream keyed    { rtmp_route  live     http  key=$arg_app/$arg_name; }
    upstream dead     { rtmp_route  dead     http; }
    upstream alldead  { rtmp_route  alldead  http; }
    upstream backup   { rtmp_route  backup   http; }
    upstream none     { rtmp_route  none     http; }
    upstream refuse   { rtmp_route  refuse   http; }
    upstream origin   { rtmp_route  origin   http; }
    upstream limited  { rtmp_route  limited  http; }
    upstream status   { rtmp_route  status   http; }

    add_header  X-Addr    $upstream_addr       always;
    add_header  X-Status  $upstream_status     always;
    add_header  X-Server  $rtmp_route_server   always;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            proxy_pass  http://live;
        }

        location /keyed/ {
            proxy_pass  http://keyed;
        }

        location /looked/ {
            rtmp_route  live;
            proxy_pass  http://keyed;
        }

        location /dead/ {
            proxy_pass  http://dead;
        }

        location /dead/off/ {
            proxy_next_upstream  off;
            proxy_pass           http://dead;
        }

        location /probe/ {
            rtmp_route  dead;
            proxy_pass  http://dead;
        }

        location /alldead/ {
            proxy_pass  http://alldead;
        }

        location /alldead/one/ {
            proxy_next_upstream_tries  1;
            proxy_pass                 http://alldead;
        }

        location /backup/ {
            proxy_pass  http://backup;
        }

        location /none/ {
            proxy_pass  http://none;
        }

        location /refuse/ {
            proxy_pass  http://refuse;
        }

        location /origin/ {
            proxy_buffering  off;
            proxy_pass       http://origin/;
        }

        location /limited/ {
            proxy_buffering  off;
            proxy_pass       http://limited/;
        }

        location /status/ {
            proxy_next_upstream  error http_404 http_500;
            proxy_pass           http://status/;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location / {
            return  200  "one $request_uri\n";
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location / {
            return  200  "two $request_uri\n";
        }
    }

    server {
        listen       127.0.0.1:8083;
        server_name  localhost;

        location / {
            return  200  "three $request_uri\n";
        }
    }
}

EOF_CONF

port(8088);
port(8089);

# written by an origin when the proxy has left

my $gone = $t->testdir() . '/gone';

my $origin = httpd($t, port(8084), \&origin);
my $other = httpd($t, port(8085), \&origin);

$t->run();

###############################################################################

my ($one, $two, $three) = map { $_->{id} } servers('live');

# keys

pin('live', 'live/cam2', $two);
pin('live', 'live/cam3', $three);

like(http_get('/live/cam2.m3u8?a=%20'), qr!two /live/cam2\.m3u8\?a=%20!,
    'known');
like(http_get('/live/cam3/index.m3u8'), qr!three !, 'known, other');
like(http_get('/keyed/x?app=live&name=cam2'), qr!two !, 'key parameter');
like(http_get('/keyed/x?app=live&name=cam3'), qr!three !,
    'key parameter, other');
like(http_get('/keyed/x'), qr!200 OK!, 'key parameter, no stream');
like(http_get('/keyed/x?app=..&name=..'), qr!200 OK!,
    'key parameter, nonsense');
like(http_get('/looked/cam2?app=live&name=cam3'), qr!three !,
    'key parameter before the look-up');
like(http_get('/'), qr!200 OK!, 'no key');

my %seen;

for my $i (1 .. 40) {
    for my $uri ("/live/x$i.m3u8", "/live/x$i/index.m3u8") {
        my ($body) = http_get($uri) =~ m!(one|two|three) /!;
        $seen{$body || 'none'}{$i}++;
    }
}

is(join(' ', sort keys %seen), 'one three two', 'unknown on all servers');
is(scalar(map { keys %$_ } values %seen), 40, 'unknown sticks to its server');

like(http_get('/live/cam2.m3u8'),
    qr!X-Addr: 127.0.0.1:@{[port(8082)]}\x0d!, 'upstream_addr');
like(http_get('/live/cam2.m3u8'), qr!X-Server: \Q$two\E\x0d!,
    'server variable');

# failures

pin('dead', 'dead/cam', '127.0.0.1:2');

my ($d1, $d2) = map { $_->{id} } servers('dead');

pin('dead', 'dead/off/cam', $d2);
like(http_get('/dead/off/cam.m3u8'), qr! 502 !, 'no next server');
is(server('dead', $d2)->{fails}, 1, 'fail counted');
is(server('dead', $d2)->{state}, 'unavail', 'server unavailable');

like(http_get('/dead/off/cam.m3u8'), qr!one !, 'unavailable not tried');

ok(wait_state('dead', $d2, 'up'), 'up after fail_timeout');

my ($n, $both) = (0, 0);

for my $i (1 .. 20) {
    my $r = http_get("/dead/cam$i.m3u8");
    $n++ if $r =~ /200 OK.*one /s;
    $both++ if $r =~ /X-Addr: \S+:@{[port(8089)]}, \S+:@{[port(8081)]}\x0d/;
}

is($n, 20, 'next server');
is($both, 1, 'dead server tried once');
is(server('dead', $d2)->{fails}, 2, 'fails counted');

ok(wait_state('dead', $d2, 'up'), 'up again');

$both = 0;

for my $i (1 .. 20) {
    my $r = http_get("/probe/cam$i.m3u8");
    $both++ if $r =~ /X-Addr: \S+:@{[port(8089)]}, \S+:@{[port(8081)]}\x0d/;
}

is($both, 1, 'dead server tried again once, with look-up');

is(conns('dead'), '0 0', 'tries not counted any more');

my $r = http_get('/alldead/cam.m3u8');

like($r, qr! 502 .*^X-Addr: 127.0.0.1:\d+, 127.0.0.1:\d+\x0d$!ms, 'all dead');
like($r, qr!X-Status: 502, 502\x0d!, 'all dead, each tried once');
like(http_get('/alldead/one/cam.m3u8'), qr!X-Addr: 127.0.0.1:\d+\x0d!,
    'number of tries');

like(http_get('/backup/cam.m3u8'),
    qr!X-Addr: \S+:@{[port(8089)]}, \S+:@{[port(8082)]}\x0d.*two !s, 'backup');
like(http_get('/backup/cam.m3u8'),
    qr!X-Addr: \S+:@{[port(8082)]}\x0d.*two !s, 'backup only');

$r = http_get('/none/cam.m3u8');
like($r, qr! 502 .*X-Addr: none\x0d!s, 'no servers');
like(http_get('/refuse/cam.m3u8'), qr! 502 !, 'unknown refused');

# what is passed

http("GET /origin/echo?a=1&b=%2F HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a"
    . "Authorization: Bearer abc\x0d\x0aX-Foo: bar\x0d\x0a\x0d\x0a");

my ($got) = $origin->requests(qr!GET /echo!);

is($got->{uri}, '/echo?a=1&b=%2F', 'arguments');
is($got->{headers}{authorization}, 'Bearer abc', 'authorization');
is($got->{headers}{'x-foo'}, 'bar', 'other headers');

# statuses of origins

$_ = pin('status', 'status/cam', '127.0.0.1') || '';

my ($s1, $s2) = map { $_->{id} } servers('status');

pin('status', 'status/404', $s1);
pin('status', 'status/500', $s1);

like(http_get('/status/404'), qr! 404 .*X-Status: 404, 404\x0d.*own 404!s,
    'next on 404, last answer passed');
is(server('status', $s1)->{fails}, 0, '404 is no fail');
like(http_get('/status/500'), qr! 500 .*X-Status: 500, 500\x0d.*own 500!s,
    'next on 500, last answer passed');
is(server('status', $s1)->{fails}, 1, '500 is a fail here');

# counting

my $s = http("GET /origin/flv HTTP/1.0\x0d\x0a\x0d\x0a", start => 1);
$s->sysread(my $buf, 4096);

is(conns('origin'), '1', 'counted');

close($s);

ok(wait_conns('origin', '0'), 'client left, not counted any more');
ok($origin->{gone} = wait_gone(), 'abort reached the origin');
is(server('origin', '127.0.0.1')->{fails}, 0, 'abort is no fail');

$s = http("GET /limited/flv HTTP/1.0\x0d\x0a\x0d\x0a", start => 1);
$s->sysread($buf, 4096);

like(http_get('/limited/echo'), qr! 502 !, 'max_conns');

close($s);

ok(wait_conns('limited', '0'), 'limited, not counted any more');
like(http_get('/limited/echo'), qr!200 OK!, 'free again');

###############################################################################

sub server {
    my ($route, $id) = @_;

    return (grep { $_->{id} eq $id } servers($route))[0] || {};
}

sub wait_state {
    my ($route, $id, $state) = @_;

    for (1 .. 60) {
        return 1 if server($route, $id)->{state} eq $state;
        sleep(0.05);
    }

    return 0;
}

sub wait_gone {
    for (1 .. 60) {
        return 1 if -e $gone;
        sleep(0.05);
    }

    return 0;
}

sub origin {
    my ($r) = @_;

    return http_response($1, "own $1") if $r->{uri} =~ m!^/(\d+)!;
    return http_response(200, 'echo') if $r->{uri} =~ m!^/echo!;

    # endless, tells when the proxy has left

    $r->{socket}->print("HTTP/1.1 200 OK\x0d\x0aConnection: close\x0d\x0a"
        . "Content-Type: video/x-flv\x0d\x0a\x0d\x0aFLV");

    for (1 .. 200) {
        last unless defined $r->{socket}->syswrite('x' x 1000);
        sleep(0.02);
    }

    open(my $fh, '>', $gone);

    return ();
}

###############################################################################
