#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: pages of other sites.

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

my $t = Test::Nginx->new()->has(qw/http proxy rewrite access/)->plan(66)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;
    hls_cache hls;
    hls_cache_cors *;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /closed/ {
            deny       all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /auth/ {
            auth_basic           "closed";
            auth_basic_user_file %%TESTDIR%%/passwords;
            proxy_pass           http://127.0.0.1:8081;
        }

        location /page/ {
            error_page 404 /page.html;
            proxy_pass http://127.0.0.1:8081;
        }

        location /listed/ {
            hls_cache_cors https://a.example http://b.example:8080;
            proxy_pass     http://127.0.0.1:8081;
        }

        location /off/ {
            hls_cache_cors off;
            proxy_pass     http://127.0.0.1:8081;
        }

        location /cache/off/ {
            hls_cache  off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /static/ {
            root %%TESTDIR%%;
        }
    }
}

EOF

$t->write_file('passwords', 'a:{PLAIN}b');

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    return undef if $r->{path} =~ /none/;
    return { body => 'x', type => 'video/mp2t', headers => [
        'Access-Control-Allow-Origin: https://origin.example',
        'Access-Control-Allow-Credentials: true'] };
});

$t->run();

###############################################################################

my ($r, %allow, $expose);

$expose = qr/^Content-Length,Content-Range\b/;

%allow = map { lc($_) => 1 } qw/ DNT User-Agent X-Requested-With
    If-Modified-Since Cache-Control Content-Type Range X-Token-Session /;

# preflight

for my $uri ('/a.ts', '/a.m3u8', '/a.flv', '/a.key', '/', '/closed/a.ts',
    '/auth/a.ts', '/static/none.ts')
{
    $r = options($uri);
    is("$r->{status} $r->{length}", '204 0', "OPTIONS $uri");
    is($r->{headers}{'access-control-allow-origin'}, '*',
        "OPTIONS $uri origin");
    is($r->{headers}{'access-control-max-age'}, 86400, "OPTIONS $uri age");
}

$r = options('/a.ts');
is($r->{headers}{'access-control-allow-methods'}, 'GET, HEAD, OPTIONS',
    'methods');
is(join(' ', grep { !$allow{lc($_)} } split(/, */,
    $r->{headers}{'access-control-allow-headers'})), '', 'headers');
is(scalar(split(/, */, $r->{headers}{'access-control-allow-headers'})),
    scalar(keys %allow), 'all of them');
is($r->{headers}{'access-control-allow-credentials'}, undef,
    'no credentials');

is($o->count(), 0, 'the origin sees none');

$r = hls_get('/a.ts', method => 'OPTIONS', headers => ['Content-Length: 3'],
    raw => "OPTIONS /a.ts HTTP/1.1\r\nHost: localhost\r\n"
    . "Connection: close\r\nContent-Length: 3\r\n\r\nabc");
is($r->{status}, 204, 'OPTIONS with a body');

# answers

for my $case (['/a.ts', 200, 'miss'], ['/a.ts', 200, 'hit'],
    ['/none.ts', 404, 'not found'], ['/none.ts', 404, 'not found again'],
    ['/closed/a.ts', 403, 'denied'], ['/auth/a.ts', 401, 'not authorized'],
    ['/page/none.ts', 404, 'error_page'], ['/a.flv', 200, 'passed'],
    ['/static/none.ts', 404, 'no file'])
{
    $r = hls_get($case->[0], headers => ['Origin: https://a.example']);
    is("$r->{status} $r->{headers}{'access-control-allow-origin'}",
        "$case->[1] *", $case->[2]);
    like($r->{headers}{'access-control-expose-headers'}, $expose,
        "$case->[2]: exposed");
}

is(hls_get('/a.flv')->{headers}{'access-control-allow-credentials'}, undef,
    'headers of the origin');

$r = hls_get('/a.ts', headers => ['Range: bytes=5-']);
is("$r->{status} $r->{headers}{'access-control-allow-origin'}", '416 *',
    'not satisfiable');

$r = hls_get('/a.ts', headers => ['If-None-Match: *']);
is("$r->{status} $r->{headers}{'access-control-allow-origin'}", '304 *',
    'not modified');

# listed origins

for my $origin ('https://a.example', 'http://b.example:8080') {
    $r = options('/listed/a.ts', $origin);
    is("$r->{status} $r->{headers}{'access-control-allow-origin'}",
        "204 $origin", "OPTIONS from $origin");

    $r = hls_get('/listed/a.ts', headers => ["Origin: $origin"]);
    is("$r->{headers}{'access-control-allow-origin'} $r->{headers}{vary}",
        "$origin Origin", "GET from $origin");
}

for my $origin ('http://a.example', 'https://a.example:8443',
    'https://a.example.evil', 'null')
{
    $r = hls_get('/listed/a.ts', headers => ["Origin: $origin"]);
    is($r->{headers}{'access-control-allow-origin'}, undef,
        "GET from $origin");
}

$r = hls_get('/listed/a.ts', headers =>
    ['Range: bytes=5-', 'Origin: https://a.example']);
is("$r->{status} $r->{headers}{'access-control-allow-origin'} "
    . $r->{headers}{vary}, '416 https://a.example Origin',
    'not satisfiable from a listed origin');

$r = hls_get('/listed/a.ts');
is($r->{headers}{'access-control-allow-origin'}, undef, 'GET from nowhere');
is($r->{headers}{vary}, 'Origin', 'vary');

# off

$r = options('/off/a.ts');
isnt($r->{status}, 204, 'off');
isnt($r->{headers}{'access-control-allow-origin'}, '*', 'off: no header');

$r = hls_get('/off/a.ts');
is($r->{headers}{'access-control-allow-origin'}, undef, 'off: GET');

$r = hls_get('/cache/off/a.ts');
is($r->{headers}{'access-control-allow-origin'}, 'https://origin.example',
    'no cache');

###############################################################################

sub options {
    my ($uri, $origin) = @_;

    return hls_get($uri, method => 'OPTIONS', headers => [
        'Origin: ' . ($origin || 'https://a.example'),
        'Access-Control-Request-Method: GET',
        'Access-Control-Request-Headers: x-token-session']);
}

###############################################################################
