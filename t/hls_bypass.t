#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: what is not for it passes, unchanged.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite ssi auth_request/)
    ->plan(49)->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    server 127.0.0.1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;
    hls_cache hls;

    add_header X-Status $hls_cache_status always;

    upstream live {
        rtmp_route live http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache_bypass      $arg_nocache $http_pragma;
            hls_cache_pass_header X-Passed;
            proxy_pass            http://127.0.0.1:8081;
        }

        location /auth/ {
            hls_cache_pass_header Authorization Cookie;
            hls_cache_pass_header X-Other;
            proxy_pass            http://127.0.0.1:8081;
        }

        location /over/ {
            hls_cache_valid  segment 200ms;
            proxy_pass       http://127.0.0.1:8081;
        }

        location /off/ {
            hls_cache  off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /api/ {
            rtmp_route_api write=on;
        }

        location /return/ {
            return 200 returned;
        }

        location /live/ {
            rtmp_route live;
            proxy_pass http://live;
        }

        location /if/ {
            if ($arg_other) {
                proxy_pass http://127.0.0.1:8082;
            }

            proxy_pass http://127.0.0.1:8081;
        }

        location /try/ {
            try_files /static$uri @origin;
            root      %%TESTDIR%%;
        }

        location @origin {
            proxy_pass http://127.0.0.1:8081;
        }

        location /page.shtml {
            ssi          on;
            default_type text/html;
            hls_cache    off;
            root         %%TESTDIR%%;
        }

        location /asked/ {
            auth_request /asked.ts;
            proxy_pass   http://127.0.0.1:8081;
        }

        location /internal.ts {
            internal;
            proxy_pass http://127.0.0.1:8081;
        }

        location /to/ {
            rewrite ^ /internal.ts;
        }
    }
}

EOF

# each answer is another one, and tells what was asked

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;
    my %head = map { lc($_->[0]) => $_->[1] } @{$r->{headers}};

    return { body => join(' ', $r->{n}, $r->{method}, $r->{uri},
        map { $head{$_} || '-' }
        qw/ authorization cookie x-passed x-other user-agent /),
        type => 'video/mp2t', headers => ['Set-Cookie: a=b'] };
});

my $o2 = hls_origin($t, port(8082), code => sub {
    return { body => 'other', type => 'video/mp2t' };
});

mkdir($t->testdir() . "/$_") for qw! static static/try !;
$t->write_file('static/try/1.ts', 'file');
$t->write_file('page.shtml', '<!--#include virtual="/included.ts" -->|'
    . '<!--#include virtual="/included.ts" -->');

$t->run();

###############################################################################

my ($r, @r);

# methods

for my $method (qw/ POST PUT DELETE PATCH /) {
    $r = hls_get("/$method.ts", method => $method,
        headers => ['Content-Length: 0']);
    like($r->{body}, qr!^\d+ $method /$method\.ts !, $method);
    is($r->{headers}{'x-status'}, 'BYPASS', "$method status");
}

$r = hls_get('/body.ts', raw => "GET /body.ts HTTP/1.1\r\nHost: localhost\r\n"
    . "Connection: close\r\nContent-Length: 3\r\n\r\nabc");
is($r->{headers}{'x-status'}, 'BYPASS', 'GET with a body');

# paths

for my $uri ('/a.flv', '/a.FLV', '/', '/a', '/a.html', '/a.png?b=1', '/a.JPEG',
    '/a.ts.bak')
{
    passes($uri);
}

# what the configuration says

passes('/a.ts?nocache=1');
passes('/a.ts', 'Pragma: no-cache');

$r = hls_get('/a.ts?nocache=0');
is($r->{headers}{'x-status'}, 'MISS', 'not bypassed');

$r = hls_get('/off/a.ts');
is($r->{headers}{'x-status'}, undef, 'off');
is($r->{headers}{'set-cookie'}, 'a=b', 'off: all headers');

# credentials that the location passes on, or does not

passes('/auth/a.ts', 'Authorization: Basic YTpi');
passes('/auth/a.ts', 'Cookie: a=b');

$r = hls_get('/auth/b.ts', headers => ['X-Other: o', 'User-Agent: u']);
is("$r->{headers}{'x-status'} " . join(' ', (split(/ /, $r->{body}))[3 .. 7]),
    'MISS - - - o -', 'another header');

$r = hls_get('/b.ts', headers => ['Authorization: Basic YTpi', 'Cookie: a=b',
    'X-Passed: p', 'X-Other: o', 'User-Agent: u']);
is("$r->{headers}{'x-status'} " . join(' ', (split(/ /, $r->{body}))[3 .. 7]),
    'MISS - - p - -', 'credentials do not pass');

# streams of the table have no end

$r = hls_get('/api/1/routes/live/streams/live/cam1', method => 'PUT',
    raw => "PUT /api/1/routes/live/streams/live/cam1 HTTP/1.1\r\n"
    . "Host: localhost\r\nConnection: close\r\nContent-Length: 22\r\n\r\n"
    . '{"server":"127.0.0.1"}');
like($r->{status}, qr/^20/, 'a stream') or diag($r->{body});

passes('/live/cam1.ts');
passes('/live/cam1.aac');

is(hls_get('/live/cam2.ts')->{headers}{'x-status'}, 'MISS', 'no stream');
is(hls_get('/live/cam1.m3u8')->{headers}{'x-status'}, 'MISS',
    'its playlist');
is(hls_get('/live/cam1/1.ts')->{headers}{'x-status'}, 'MISS', 'its segment');

# API and such are not for the cache, wherever it was turned on

$r = hls_get('/api/1/routes/');
is("$r->{status} $r->{headers}{'x-status'}", '200 BYPASS', 'API');
is(hls_get('/return/a.ts')->{body}, 'returned', 'return');

# where requests come from other requests

like(hls_get('/if/1.ts')->{body}, qr/ GET /, 'if');
is(hls_get('/if/2.ts?other=1')->{body}, 'other', 'inside if');
is(hls_get('/try/1.ts')->{body}, 'file', 'try_files');
like(hls_get('/try/2.ts')->{body}, qr! GET /try/2\.ts !, 'named location');
is(hls_get('/try/2.ts')->{headers}{'x-status'}, 'HIT',
    'named location again');

$r = hls_get('/page.shtml');
like($r->{body}, qr/^(\d+ GET .*)\|\1\z/, 'SSI');
is($o->count('/included.ts'), 1, 'SSI: one request');

for (1, 2) {
    like(hls_get('/asked/1.ts')->{body}, qr! GET /asked/1\.ts !,
        'auth_request');
}

is($o->count('/asked.ts'), 1, 'auth_request: one request');

like(hls_get('/to/1')->{body}, qr! GET /internal\.ts !, 'rewrite');
is(hls_get('/to/2')->{headers}{'x-status'}, 'HIT', 'rewrite again');

# what was cached, and is over, does not stand in the way of what is not

$o->set('/over/1.ts', size => 1000);
hls_get('/over/1.ts');
$o->set('/over/1.ts', size => 1000, headers => ['Cache-Control: private']);
select undef, undef, undef, 0.4;

for my $n (1 .. 3) {
    my $r = hls_get('/over/1.ts');
    is("$r->{status} $r->{headers}{'x-status'}", '200 BYPASS',
        "private after its time, $n");
}

###############################################################################

sub passes {
    my ($uri, @headers) = @_;
    my @r = map { hls_get($uri, headers => \@headers) } 1, 2;

    is("$r[0]{headers}{'x-status'} $r[1]{headers}{'x-status'} "
        . ($r[0]{body} eq $r[1]{body}), 'BYPASS BYPASS ', "$uri @headers");
}

###############################################################################
