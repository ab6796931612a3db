#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: which requests ask for the same object.

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

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/)->plan(48)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    server 127.0.0.1 http=%%PORT_8081%%;
}

rtmp_route virtual {
    key    vhost/app/stream;
    server 127.0.0.1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;
    hls_cache_zone another 8m;

    hls_cache hls;

    add_header X-Status $hls_cache_status always;

    upstream live {
        rtmp_route live http;
    }

    upstream virtual {
        rtmp_route virtual http;
    }

    proxy_set_header Host $http_host;

    large_client_header_buffers 4 32k;

    server {
        listen       127.0.0.1:8080;
        server_name  one.example.com alias.example.com;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /args/ {
            hls_cache_args b a;
            proxy_pass     http://127.0.0.1:8081;
        }

        location /key/ {
            hls_cache_key $arg_k;
            proxy_pass    http://127.0.0.1:8081;
        }

        location /another/ {
            hls_cache  another;
            proxy_pass http://127.0.0.1:8081;
        }

        location /from/ {
            rewrite ^/from/(.*)$ /to/$1 break;
            proxy_pass http://127.0.0.1:8081;
        }

        location /route/ {
            rtmp_route live;
            proxy_pass http://live;
        }

        location /virtual/ {
            rtmp_route virtual;
            proxy_pass http://virtual;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  two.example.com;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /route/ {
            rtmp_route live;
            proxy_pass http://live;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  *.example.org;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8083;
        server_name  _;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;
    my ($host) = $r->{head} =~ /^Host: (.*?)\r/mi;

    return { body => "$host $r->{uri}", type => 'video/mp2t' };
});

$t->run();

###############################################################################

# servers

is(get('/a.ts'), 'MISS one.example.com /a.ts', 'first name');
is(get('/a.ts', name => 'alias.example.com'),
    'HIT one.example.com /a.ts', 'another name');
is(get('/a.ts', name => 'nobody.invalid'),
    'HIT one.example.com /a.ts', 'no name');
is(get('/a.ts', name => 'two.example.com'),
    'MISS two.example.com /a.ts', 'another server');
is(get('/a.ts', name => 'a.example.org'),
    'MISS a.example.org /a.ts', 'wildcard');
is(get('/a.ts', name => 'b.example.org'),
    'MISS b.example.org /a.ts', 'another one');
is(get('/a.ts', name => 'B.example.ORG:80'),
    'HIT b.example.org /a.ts', 'as nginx sees it');

for my $port (8082, 8083) {
    my $name = '127.0.0.1:' . port($port);

    is(get('/a.ts', port => port($port), name => 'x.example.com'),
        "MISS $name /a.ts", "address of $port");
    is(get('/a.ts', port => port($port), name => 'y.example.com'),
        "HIT $name /a.ts", "address of $port again");
}

# routes

is(get('/route/a.ts'), 'MISS live /route/a.ts', 'route');
is(get('/route/a.ts', name => 'two.example.com'),
    'HIT live /route/a.ts', 'route of another server');
is(get('/virtual/a/1.ts'), 'MISS one.example.com /virtual/a/1.ts', 'vhost');
is(get('/virtual/a/1.ts', name => 'alias.example.com'),
    'MISS alias.example.com /virtual/a/1.ts', 'another vhost');
is(get('/virtual/a/1.ts', name => 'ALIAS.example.com:8080'),
    'HIT alias.example.com /virtual/a/1.ts', 'vhost again');
is(get('/virtual/a/1.ts', name => '127.0.0.1'),
    'MISS __defaultVhost__ /virtual/a/1.ts', 'default vhost');
is(get('/virtual/a/1.ts', name => 'localhost'),
    'HIT __defaultVhost__ /virtual/a/1.ts', 'default vhost again');

# paths

is(get('/%61.ts'), 'HIT one.example.com /a.ts', 'decoded');
is(get('/x/../a.ts'), 'HIT one.example.com /a.ts', 'normalized');
is(get('//a.ts'), 'HIT one.example.com /a.ts', 'slashes');
is(get('/A.ts'), 'MISS one.example.com /A.ts', 'case');
is(get('/a%20b.ts'), 'MISS one.example.com /a%20b.ts', 'encoded');

# a path with a question mark is none with arguments

is(get('/args/a.ts%3Fa=b.ts'), 'MISS one.example.com /args/a.ts%3Fa=b.ts',
    'question mark in a path');
is(get('/args/a.ts?a=b.ts'), 'MISS one.example.com /args/a.ts?a=b.ts',
    'and an argument');
is(get('/args/a.ts%3Fa=b.ts'), 'HIT one.example.com /args/a.ts%3Fa=b.ts',
    'not the same');

# arguments

is(get('/a.ts?a=1&b=2'), 'HIT one.example.com /a.ts', 'none are listed');
is(get('/args/1.ts'), 'MISS one.example.com /args/1.ts', 'none are given');
is(get('/args/1.ts?a=1&b=2'), 'MISS one.example.com /args/1.ts?b=2&a=1',
    'in the order of the list');
is(get('/args/1.ts?c=3&b=2&x&a=1'), 'HIT one.example.com /args/1.ts?b=2&a=1',
    'whatever else there is');
is(get('/args/1.ts?a=1'), 'MISS one.example.com /args/1.ts?a=1', 'one');
is(get('/args/1.ts?a=2'), 'MISS one.example.com /args/1.ts?a=2',
    'another value');
is(get('/args/1.ts?aa=2&ba=2'), 'HIT one.example.com /args/1.ts',
    'parts of names');
is(get('/args/1.ts?a=2&a=3'), 'HIT one.example.com /args/1.ts?a=2',
    'the first one');

# what the origin is asked with is not what the key is made of

is(get('/from/a.ts'), 'MISS one.example.com /to/a.ts', 'rewrite');
is(get('/from/a.ts'), 'HIT one.example.com /to/a.ts', 'rewrite again');

# hls_cache_key

is(get('/key/1.ts?k=1'), 'MISS one.example.com /key/1.ts', 'key');
is(get('/key/2.ts?k=1'), 'HIT one.example.com /key/1.ts', 'same key');
is(get('/key/2.ts?k=2'), 'MISS one.example.com /key/2.ts', 'another key');

# zones

is(get('/another/a.ts'), 'MISS one.example.com /another/a.ts', 'zone');
is(get('/another/a.ts'), 'HIT one.example.com /another/a.ts', 'zone again');

# longer than a key may be

my $long = '/' . 'x' x 5000 . '.ts';

is(get($long), "BYPASS one.example.com $long", 'too long');
is(get($long), "BYPASS one.example.com $long", 'too long again');

$long = '/' . 'x' x 4000 . '.ts';

is(get($long), "MISS one.example.com $long", 'long');
is(get($long), "HIT one.example.com $long", 'long again');

# generations that no playlist has

is(get('/a.ts?g=7'), 'HIT one.example.com /a.ts', 'a generation');

# directives that no playlist has

is(get('/l.m3u8'), 'MISS one.example.com /l.m3u8', 'a playlist');
is(get('/l.m3u8?_HLS_msn=7&_HLS_part=1&_HLS_skip=YES'),
    'HIT one.example.com /l.m3u8', 'directives');

###############################################################################

sub get {
    my ($uri, %opt) = @_;
    my $r = hls_get($uri, name => 'one.example.com', %opt);

    return "$r->{headers}{'x-status'} $r->{status}" if $r->{status} != 200;
    return "$r->{headers}{'x-status'} $r->{body}";
}

###############################################################################
