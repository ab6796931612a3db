#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api: lists that a client does not take at once, and
# lists in subrequests.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http ssi/)->plan(16);

my $few = join("\n    ", map { "server 10.0.0.$_;" } 1 .. 60);
my $many = join("\n    ", map { "server 10.1.0.$_;" } 1 .. 240);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route few {
    zone  few 2m;
    $few
}

rtmp_route many {
    zone  many 8m;
    $many
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            root  %%TESTDIR%%;
            ssi   on;
        }

        location /api/ {
            rtmp_route_api;
        }

        location /slow/ {
            limit_rate  20k;
            rtmp_route_api;
        }

        location /steps/ {
            limit_rate  80k;
            rtmp_route_api;
        }

        location = /slow.html {
            root        %%TESTDIR%%;
            ssi         on;
            limit_rate  30k;
        }
    }
}

EOF_CONF

$t->write_file('all.html', <<'EOF_HTML');
{"one": <!--#include virtual="/api/1/routes/few/servers/" -->,
"two": <!--#include virtual="/api/1/routes/many/servers/" -->,
"three": <!--#include virtual="/api/1/routes/few/servers/10.0.0.7" -->,
"four": <!--#include virtual="/api/1/routes/few/servers/?limit=2" -->}
EOF_HTML

$t->write_file('slow.html', <<'EOF_HTML');
{"one": <!--#include virtual="/api/1/routes/many/servers/" -->,
"two": <!--#include virtual="/api/1/routes/many/servers/?fields=id" -->}
EOF_HTML

$t->run();

###############################################################################

my ($r, $length);

# the last part of a list has to wait for the client

$r = get('/slow/1/routes/few/servers/');
($length) = $r =~ /^Content-Length: (\d+)\x0d?$/m;
$r =~ s/.*?\x0d\x0a\x0d\x0a//s;

is(length($r), $length, 'slow list, its length');
is(count($r), 60, 'slow list');

$r = get('/steps/1/routes/many/servers/');

unlike($r, qr/^Content-Length/m, 'slow list in steps, no length');
is(count(http_content($r)), 240, 'slow list in steps');

# the connection is in order afterwards

like(get('/slow/1/routes/few/servers/', '/slow/1/'),
    qr/\}\]HTTP\/1.1 200 .*\["routes".*\]$/s, 'slow list, keep-alive');

like(get('/steps/1/routes/many/servers/', '/slow/1/'),
    qr/\x0d\x0a0\x0d\x0a\x0d\x0aHTTP\/1.1 200 .*\["routes".*\]$/s,
    'slow list in steps, keep-alive');

# several of them in one page

$r = eval { decode_json(http_content(get('/all.html'))) };

ok(defined $r, 'lists in subrequests');
is(size($r->{one}), 60, 'first list');
is(size($r->{two}), 240, 'second list');
is(eval { $r->{two}[239]{id} }, '10.1.0.240', 'end of second list');
is(eval { $r->{three}{id} }, '10.0.0.7', 'server');
is(size($r->{four}), 2, 'page');

# and for a client that is slow, who has not taken the one before yet

$r = eval { decode_json(http_content(get('/slow.html'))) };

is(size($r->{one}), 240, 'slow list in a subrequest');
is(join(' ', map { $_->{id} } @{$r->{one} || []}),
    join(' ', map { "10.1.0.$_" } 1 .. 240), 'each is there once');
is(size($r->{two}), 240, 'the next one');

is(count(http_content(get('/api/1/routes/many/servers/'))), 240, 'list');

###############################################################################

sub get {
    my ($uri, $next) = @_;

    my @requests = ("GET $uri HTTP/1.1\nHost: localhost\n");

    push @requests, "GET $next HTTP/1.1\nHost: localhost\n" if defined $next;

    return http(join("\n", @requests) . "Connection: close\n\n") || '';
}

# -1: this is no list

sub size {
    my ($list) = @_;

    return ref($list) eq 'ARRAY' ? scalar @$list : -1;
}

sub count {
    my ($text) = @_;

    return size(eval { decode_json($text) });
}

###############################################################################
