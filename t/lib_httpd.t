#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HTTP server of the test library.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(9);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream u {
        server 127.0.0.1:8081;
        keepalive 1;
    }

    server {
        listen 127.0.0.1:8080;

        location / {
            proxy_pass http://u;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}

EOF

my $d = httpd($t, port(8081), sub {
    my ($r) = @_;

    return http_response(200, "c$r->{c} n$r->{n} $r->{body}", 'X-Foo: bar')
        if $r->{uri} eq '/';
    return http_chunked([], 'one', [0.1], 'two') if $r->{uri} eq '/chunked';
    return () if $r->{uri} eq '/close';
    return http_response(404, 'none');
});

$t->run();

###############################################################################

like(http_get('/'), qr/X-Foo: bar.*c1 n1 $/s, 'response');
like(http_get('/'), qr/c1 n2 $/, 'keepalive');
is(http_content(http_get('/chunked')), 'onetwo', 'chunked');
like(http_get('/close'), qr/ 502 /, 'close');
like(http_get('/none'), qr/ 404 .*none$/s, 'not found');

like(http("POST / HTTP/1.0\x0d\x0aContent-Length: 3\x0d\x0a\x0d\x0aabc"),
    qr/ abc$/, 'body');

is(scalar($d->requests(qr!^GET /$!)), 2, 'requests');
is($d->wait(qr/POST/)->{body}, 'abc', 'request body');

$d->stop();

like(http_get('/'), qr/ 502 /, 'stopped');

###############################################################################
