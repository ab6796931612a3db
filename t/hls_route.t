#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache in front of a route: the fill looks up the server.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use POSIX qw//;
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(20)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    server 127.0.0.1 http=%%PORT_8081%%;
    server 127.0.0.2 http=%%PORT_8082%%;
}

rtmp_route closed {
    unknown refuse;
    server  127.0.0.1 http=%%PORT_8081%%;
}

rtmp_route waits {
    unknown wait=2s;
    server  127.0.0.1 http=%%PORT_8081%%;
}

rtmp_route down {
    server 127.0.0.1 http=%%PORT_8081%% down;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;
    hls_cache hls;

    add_header X-Status $hls_cache_status always;

    upstream live {
        rtmp_route live http;
    }

    upstream closed {
        rtmp_route closed http;
    }

    upstream waits {
        rtmp_route waits http;
    }

    upstream down {
        rtmp_route down http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache_variants _480 _src;
            rtmp_route         live;
            proxy_pass         http://live;
        }

        location /over/ {
            hls_cache_valid segment 300ms;
            rtmp_route      live;
            proxy_pass      http://live;
        }

        location /closed/ {
            rtmp_route closed;
            proxy_pass http://closed;
        }

        location /waits/ {
            rtmp_route waits;
            proxy_pass $rtmp_route_scheme://waits;
        }

        location /down/ {
            rtmp_route down;
            proxy_pass http://down;
        }

        location /api/ {
            hls_cache      off;
            rtmp_route_api write=on;
        }
    }
}

EOF

my @o = map {
    my $n = $_;

    hls_origin($t, port(8080 + $n), host => "127.0.0.$n", code => sub {
        my ($r) = @_;
        return { body => "$n $r->{uri}", type => 'video/mp2t' };
    });
} 1, 2;

$t->run();

###############################################################################

my ($r, @r);

# a stream has its server, and so have its variants and segments

for my $n (1, 2) {
    pin('live', "live/cam$n", "127.0.0.$n");

    for my $uri ("/live/cam$n/1.ts", "/live/cam$n.m3u8",
        "/live/cam${n}_480/1.ts", "/live/cam${n}_src/index.m3u8")
    {
        is(hls_get($uri)->{body}, "$n $uri", $uri);
    }
}

# a hit needs no server

pin('live', 'live/cam1', '127.0.0.2');
is(hls_get('/live/cam1/1.ts')->{body}, '1 /live/cam1/1.ts', 'hit');
is(hls_get('/live/cam1/2.ts')->{body}, '2 /live/cam1/2.ts', 'moved');

# arguments that are not in the key are not heard

is(hls_get('/live/cam2/3.ts?app=live&stream=cam9&vhost=a.example')->{body},
    '2 /live/cam2/3.ts', 'arguments');

# a segment that is over, and a stream of that name since

for my $n (1 .. 6) {
    hls_get("/over/cam$n.ts");
    pin('live', "over/cam$n", '127.0.0.1');
}

sleep(0.4);
@r = map { hls_get("/over/cam$_.ts") } 1 .. 6, 1 .. 6;
is(join(' ', map { "$_->{status} $_->{headers}{'x-status'}" } @r),
    join(' ', ('200 BYPASS') x 12), 'no segment any more');

# unknown

@r = map { hls_get('/closed/cam1/1.ts') } 1, 2;
is("$r[0]{status} $r[1]{status} $r[1]{headers}{'x-status'}", '404 404 HIT',
    'refused');

# no server

$r = hls_get('/down/cam1/1.ts');
is("$r->{status} $r->{headers}{'retry-after'}", '503 1', 'no server');

# many wait for one that comes

@r = during(sub { pin('waits', 'waits/cam1', '127.0.0.1') },
    map { { uri => '/waits/cam1/1.ts' } } 1 .. 50);

is(scalar(grep { $_->{body} eq '1 /waits/cam1/1.ts' } @r), 50, 'it comes');
is($o[0]->count('/waits/cam1/1.ts'), 1, 'one request');
cmp_ok(hls_max('last', @r), '<', 3, 'soon');

$r = hls_get('/waits/cam2/1.ts', timeout => 4);
is($r->{status}, 404, 'it does not come');

# the server goes away, and what is there stays

$_->stop() for @o;

is(hls_get('/live/cam1/2.ts')->{headers}{'x-status'}, 'HIT', 'kept');
is(hls_get('/live/cam1/9.ts')->{status}, 502, 'no origin');

###############################################################################

sub pin {
    my ($route, $stream, $server) = @_;
    my $body = "{\"server\":\"$server\"}";
    my $len = length($body);

    my $r = hls_get('', raw =>
        "PUT /api/1/routes/$route/streams/$stream HTTP/1.1\r\n"
        . "Host: localhost\r\nConnection: close\r\n"
        . "Content-Length: $len\r\n\r\n$body");

    die "Can't pin $stream: $r->{status} $r->{body}\n"
        unless $r->{status} =~ /^20/;
}

# makes requests, and does something 0.3 seconds later

sub during {
    my ($code, @requests) = @_;
    my ($pid, @r);

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        sleep(0.3);
        $code->();
        POSIX::_exit(0);
    }

    @r = hls_gets(@requests);
    waitpid($pid, 0);

    return @r;
}

###############################################################################
