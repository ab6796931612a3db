#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for fills of the HLS cache alone: the request that is built for the
# origin, and what is made of its answer.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite map/);

test_module($t, 'ngx_http_hls_fill_test_module');

my $conf = <<'EOF';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    map $http_user_agent $agent {
        default  "agent";
        ""       "none";
    }

    map $uri $mapped {
        default         "other";
        ~/(?<part>\w+)$  "part";
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /unbuffered/ {
            fill_test;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /hints/ {
            %%HINTS%%
            fill_test;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /args {
            fill_test   args=$arg_keep host=[::1]:$arg_port;
            proxy_pass  http://127.0.0.1:8081;

            proxy_set_header  Host        $http_host;
            proxy_set_header  X-Host      $host;
            proxy_set_header  X-Uri       $request_uri;
            proxy_set_header  X-Line      $request;
            proxy_set_header  X-Args      $args;
            proxy_set_header  X-Addr      $remote_addr;
            proxy_set_header  X-Port      $remote_port;
            proxy_set_header  X-Protocol  $server_protocol;
            proxy_set_header  X-Method    $request_method;
        }

        location /pass {
            fill_test  pass=authorization pass=cookie pass=x-mine
                       pass=range pass=if-none-match pass=host
                       pass=accept-encoding;

            proxy_set_header  X-Cookie  $cookie_b;
            proxy_set_header  X-Auth    $http_authorization;
            proxy_set_header  X-Agent   $agent;
            proxy_set_header  X-Mapped  $mapped;
            proxy_set_header  X-Ua      $http_user_agent;

            proxy_pass  http://127.0.0.1:8081;
        }

        location ~ ^/captures/(?<first>\w+)/(\w+)$ {
            set $own "set-$arg_a-$2";

            fill_test;

            proxy_set_header  X-First   $first;
            proxy_set_header  X-Second  $2;
            proxy_set_header  X-Own     $own;

            proxy_pass  http://127.0.0.1:8081/$first/$2/$own;
        }

        location /break/ {
            rewrite  ^/break/(.*)$  /rewritten/$1 break;

            fill_test;
            proxy_pass  http://127.0.0.1:8081/prefix/;
        }

        location /rewrite/ {
            rewrite  ^/rewrite/(.*)$  /replaced/$1 last;
        }
    }
}

EOF

# those for viewers, who may have more than one answer

my $hints = $t->has_version('1.29.0') ? 'early_hints  1;' : '';

$conf =~ s/%%HINTS%%/$hints/;

$t->plan(59)->write_file_expand('nginx.conf', $conf);

my $origin = httpd($t, port(8081), \&origin);

$t->run();

###############################################################################

# answers

my $r = http_get('/hello');

like($r, qr!^HTTP/1.1 200 !, 'status');
like($r, qr!^X-Fill-Complete: 1\x0d!m, 'complete');
like($r, qr!^X-Fill-Length: 5\x0d!m, 'length');
like($r, qr!^X-Fill-Headers: 1\x0d!m, 'one header');
like($r, qr!^Content-Type: text/x-hello\x0d!m, 'type');
is(http_content($r), 'hello', 'body');

fill_is('/big', 200, 1, 'y' x 3000000, 'big');
fill_is('/empty', 200, 1, '', 'empty');
fill_is('/chunked', 200, 1, 'one two three', 'chunked');
fill_is('/close', 200, 1, 'until the end', 'without length');
fill_is('/404', 404, 1, 'own 404', 'own 404');
fill_is('/503', 503, 1, 'own 503', 'own 503');
fill_is('/204', 204, 1, '', 'no content');
fill_is('/304', 304, 1, '', 'not modified');
fill_is('/302', 302, 1, 'there', 'redirect');
fill_is('/cut', 200, 0, 'abcde', 'cut');
fill_is('/cut_chunked', 200, 0, 'abcde', 'chunked, cut');
fill_is('/reset', 502, 1, qr!502 Bad Gateway!, 'no answer');
fill_is('/garbage', 502, 0, '', 'garbage');
fill_is('/headers', 502, 1, qr!502 Bad Gateway!, 'too many headers');

fill_is('/unbuffered/hello', 200, 1, 'hello', 'unbuffered');
fill_is('/unbuffered/big', 200, 1, 'y' x 3000000, 'unbuffered, big');
fill_is('/unbuffered/empty', 200, 1, '', 'unbuffered, empty');
fill_is('/unbuffered/chunked', 200, 1, 'one two three',
    'unbuffered, chunked');
fill_is('/unbuffered/close', 200, 1, 'until the end',
    'unbuffered, without length');
fill_is('/unbuffered/204', 204, 1, '', 'unbuffered, no content');
fill_is('/unbuffered/cut', 200, 0, 'abcde', 'unbuffered, cut');
fill_is('/unbuffered/cut_chunked', 200, 0, 'abcde',
    'unbuffered, chunked, cut');
fill_is('/unbuffered/garbage', 502, 0, '', 'unbuffered, garbage');

SKIP: {
    skip('no early hints', 1) unless $hints;

    fill_is('/hints/103', 200, 1, 'hello', 'early hints');
}

# requests

my $noise = join('', map { "$_\x0d\x0a" } 'Range: bytes=1-2',
    'If-None-Match: "a"', 'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
    'Accept-Encoding: gzip', 'Cookie: a=1; b=2', 'Authorization: Bearer x',
    'Origin: http://a', 'Referer: http://b/', 'User-Agent: noise',
    'X-Token-Session: c', 'X-Forwarded-For: 1.2.3.4', 'X-Mine: one',
    'X-Mine: two', 'X-Real-IP: 5.6.7.8');

my $q = asked('/plain%20uri/%3f?a=1&b=2');

is($q->{method}, 'GET', 'method');
is($q->{uri}, '/plain%20uri/%3F', 'uri is built, no arguments');
is(names($q), 'host', 'headers');

$q = asked('/', 'HEAD');

is($q->{method}, 'GET', 'method of HEAD');

$q = asked('/a//b/../c/./d?x');

is($q->{uri}, '/a/c/d', 'normalised');

$q = asked('/args/x?keep=1%26b&port=8080&other=2');

is($q->{uri}, '/args/x?1%26b', 'arguments as given');
is($q->{headers}{host}, '[::1]:8080', 'host as given');
is($q->{headers}{'x-host'}, '[::1]', 'name of the host');
is($q->{headers}{'x-uri'}, '/args/x?1%26b', 'request_uri');
is($q->{headers}{'x-line'}, 'GET /args/x?1%26b HTTP/1.1', 'request line');
is($q->{headers}{'x-args'}, '1%26b', 'args');
is($q->{headers}{'x-addr'}, 'unix:', 'remote_addr');
is($q->{headers}{'x-protocol'}, 'HTTP/1.1', 'protocol');
is($q->{headers}{'x-method'}, 'GET', 'request_method');

$q = asked('/pass');

is($q->{headers}{authorization}, 'Bearer x', 'passed');
is($q->{headers}{cookie}, 'a=1; b=2', 'passed cookie');
is($q->{headers}{'x-mine'}, 'one, two', 'passed twice');
is($q->{headers}{'x-cookie'}, '2', 'cookie known to variables');
is($q->{headers}{'x-auth'}, 'Bearer x', 'header known to variables');
is($q->{headers}{'x-agent'}, 'none', 'map is computed anew');
is($q->{headers}{'x-mapped'}, 'part', 'map with a capture');
is(names($q), 'authorization cookie host', 'never passed');

$q = asked('/captures/abc/def?a=5');

is($q->{uri}, '/abc/def/set-5-def', 'captures in proxy_pass');
is($q->{headers}{'x-first'}, 'abc', 'named capture');
is($q->{headers}{'x-second'}, 'def', 'capture');
is($q->{headers}{'x-own'}, 'set-5-def', 'variable that was set');
is(asked('/break/x')->{uri}, '/rewritten/x', 'rewrite break');
is(asked('/rewrite/x')->{uri}, '/replaced/x', 'rewrite last');

$t->stop();

is(scalar(() = $t->read_file('access.log') =~ /^\S+ - /mg),
    scalar(() = $t->read_file('error.log') =~ /fill test: uri/g),
    'fills are not in the log');

###############################################################################

sub fill_is {
    my ($uri, $status, $complete, $body, $name) = @_;

    my $r = http_get($uri) || '';

    my ($got) = $r =~ m!^HTTP/1.1 (\d+)!;
    my ($whole) = $r =~ m!^X-Fill-Complete: (\d)!m;

    $got = join(' ', map { defined $_ ? $_ : 'none' } $got, $whole);

    my $content = http_content($r);

    $got .= ref($body) && $content =~ $body || $content eq $body
        ? '' : ", body: " . substr($content, 0, 80);

    is($got, "$status $complete", $name);
}

sub asked {
    my ($uri, $method) = @_;

    $method ||= 'GET';

    my $n = () = $origin->requests();

    http("$method $uri HTTP/1.1\x0d\x0aHost: localhost:1\x0d\x0a"
        . "Connection: close\x0d\x0a$noise\x0d\x0a");

    my $q = $origin->wait(undef, $n + 1, 1) || {};

    return $q;
}

# but for that of the proxy, which differs by version, and our own

sub names {
    my ($q) = @_;

    return join(' ', sort grep { !/^x-|^connection$/ } keys %{$q->{headers}});
}

sub origin {
    my ($r) = @_;

    local $_ = $r->{uri};

    return http_response(200, 'hello', 'Content-Type: text/x-hello')
        if m!^/hello!;
    return http_response(200, 'y' x 3000000) if m!^/big!;
    return http_response(200, '') if m!^/empty!;
    return http_chunked([], 'one ', 'two ', 'three') if m!^/chunked!;
    return "HTTP/1.0 200 OK\x0d\x0a\x0d\x0auntil the end" if m!^/close!;
    return http_response($1, "own $1") if m!^/(404|503)!;
    return "HTTP/1.1 204 No Content\x0d\x0a\x0d\x0a" if m!^/204!;
    return "HTTP/1.1 304 Not Modified\x0d\x0aContent-Length: 99\x0d\x0a\x0d\x0a"
        if m!^/304!;
    return http_response(302, 'there', 'Location: http://127.0.0.1/x')
        if m!^/302!;
    return "HTTP/1.0 200 OK\x0d\x0aContent-Length: 10\x0d\x0a"
        . "Connection: close\x0d\x0a\x0d\x0aabcde"
        if m!^/cut$!;
    return "HTTP/1.1 200 OK\x0d\x0aTransfer-Encoding: chunked\x0d\x0a"
        . "Connection: close\x0d\x0a\x0d\x0a5\x0d\x0aabcde\x0d\x0a"
        if m!^/cut_chunked!;
    return "HTTP/1.1 103 Early Hints\x0d\x0aLink: </x>\x0d\x0a\x0d\x0a"
        . http_response(200, 'hello') if m!^/103!;
    return () if m!^/reset!;
    return "garbage\x0d\x0a\x0d\x0agarbage" if m!^/garbage!;
    return http_response(200, 'x', map { "X-$_: " . 'x' x 1000 } 1 .. 20)
        if m!^/headers!;

    return http_response(200, 'any');
}

###############################################################################
