#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for ghosts of the HLS cache alone: requests that go through all phases
# like those of viewers, whose answers nobody wants.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite limit_req limit_conn
    access map stub_status/);

test_module($t, 'ngx_http_hls_fill_test_module');

$t->plan(40)->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_shutdown_timeout  500ms;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    limit_req_zone   $server_name  zone=req:1m  rate=1r/m;
    limit_conn_zone  $server_name  zone=conn:1m;

    log_format  all  "$uri $args $status";
    access_log  %%TESTDIR%%/all.log  all;

    log_subrequest  on;

    proxy_set_header  Host         $http_host;
    proxy_set_header  X-Server     $server_name;
    proxy_set_header  X-Name       $name;
    proxy_set_header  X-Args       $args;
    proxy_set_header  X-Rewritten  $rewritten;

    map "" $name {
        default  "";
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        set  $rewritten  $uri;

        rewrite  ^/old/(.*)$  /new/$1;

        location / {
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /ghost/ok {
            fill_test  ghost=/a//b/../%63%20d?x=1&y=2;
        }

        location /ghost/same {
            fill_test  ghost=/same;
        }

        location /ghost/rewritten {
            fill_test  ghost=/old/x;
        }

        location /ghost/limited {
            fill_test  ghost=/limited/x;
        }

        location /limited/ {
            limit_req   zone=req;
            limit_conn  conn 1;
            deny        all;
            fill_test   args=$args;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /ghost/proxied {
            fill_test  ghost=/proxied/endless;
        }

        location /proxied/ {
            proxy_pass  http://127.0.0.1:8081;
        }

        location /proxied/unbuffered/ {
            proxy_buffering  off;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /ghost/unbuffered {
            fill_test  ghost=/proxied/unbuffered/endless;
        }

        location /ghost/file {
            fill_test  ghost=/file/large;
        }

        location /file/ {
            alias  %%TESTDIR%%/;
        }

        location /ghost/none {
            fill_test  ghost=/file/none;
        }

        location /ghost/return {
            fill_test  ghost=/return;
        }

        location /return {
            return  301  http://127.0.0.1/;
        }

        location /ghost/closed {
            fill_test  ghost=/closed;
        }

        location /closed {
            return  444;
        }

        location /ghost/refused {
            fill_test  ghost=/refused;
        }

        location /refused {
            fill_test;
            proxy_pass  http://127.0.0.1:8089;
        }

        location /ghost/internal {
            fill_test  ghost=/internal/x;
        }

        location /internal/ {
            internal;
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /ghost/bad {
            fill_test  ghost=/..;
        }

        location /ghost/escape {
            fill_test  ghost=/%2;
        }

        location /ghost/absolute {
            fill_test  ghost=http://127.0.0.1/;
        }

        location /ghost/hash {
            fill_test  ghost=/hash?a#b;
        }

        location /ghost/slow {
            fill_test  ghost=/slow;
        }

        location /ghost/ghost {
            fill_test  ghost=/ghost/ok;
        }

        location /ghost/loop {
            fill_test  ghost=/redirect;
        }

        location /redirect {
            error_page  404  =  /redirect;
            return  404;
        }

        location /stub {
            stub_status;
            access_log  off;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  ~^(?<name>\w+)\.example$;

        location / {
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /ghost/named {
            set  $rewritten  no;
            fill_test  ghost=/named;
        }
    }
}

EOF

$t->write_file('large', 'x' x 1000000);

my $dir = $t->testdir();
my $origin = httpd($t, port(8081), \&origin);
port(8089);

$t->run();

###############################################################################

my $q = asked('ok');

is($q->{uri}, '/a/c%20d', 'uri');
is($q->{headers}{host}, 'origin.example', 'fill of a ghost');
is($q->{headers}{'x-rewritten'}, '/a/c d', 'server rewrite has run');

like(log_of($t, '/a/c d'), qr!status:200 complete:1!, 'ended');

$q = asked('limited');

is($q->{uri}, '/limited/x', 'access does not apply');
is(asked('limited')->{uri}, '/limited/x', 'limits do not count');

is(asked('rewritten')->{uri}, '/new/x', 'rewritten');

$q = asked('named', 'some.example');

is($q->{uri}, '/named', 'named server');
is($q->{headers}{'x-name'}, 'some', 'captured by server_name');

is(asked('hash')->{uri}, '/hash', 'fragment');
is(asked('ghost')->{uri}, '/a/c%20d', 'ghost that makes a ghost');

# thrown away

for my $uri (qw! proxied unbuffered !) {
    unlink("$dir/gone");

    my $start = time();

    is(ghost($uri), 204, $uri);
    cmp_ok(time() - $start, '<', 2, "$uri, header only");
    ok(gone(), "$uri, the origin is left");
}

is(ghost('file'), 204, 'file');
is(ghost('none'), 204, 'no file');
is(ghost('return'), 204, 'return');
is(ghost('closed'), 204, 'closed');
is(ghost('loop'), 204, 'loop');

is(ghost('refused'), 204, 'refused');
like(log_of($t, '/refused'), qr!status:502 complete:1!, 'refused, fill');

# a playlist may name anything

my $n = () = $origin->requests();

is(ghost('internal'), 204, 'internal');
is(ghost('bad'), 503, 'bad');
is(ghost('escape'), 503, 'bad escape');
is(ghost('absolute'), 503, 'not a path');
is(scalar(() = $origin->requests()), $n, 'nothing was asked for');

# how long it takes

my $start = time();

is(ghost('slow'), 204, 'slow');
cmp_ok(time() - $start, '>', 0.2, 'end comes after the run');

# nobody waits

close(http_get('/ghost/slow', start => 1)) for 1 .. 3;

sleep(0.1);

is(ghost('ok'), 204, 'freed while it runs');

for (1 .. 100) {
    last if grep(/^1 0 1 0$/, counters());
    sleep(0.02);
}

is(counters(), '1 0 1 0', 'counters');

# reload

my $s = http_get('/ghost/slow', start => 1);

sleep(0.1);
$t->reload();

like(do { local $/; $s->getline() }, qr! 204 !, 'reload');

$t->stop();

# of subrequests only those of fills are in the log

my $log = $t->read_file('all.log');

unlike($log, qr!^(?:/file|/return|/closed|/proxied|/redirect)!m,
    'ghosts are not in the log');
like($log, qr!^/ghost/ok private=1 204$!m, 'viewers are');
is(scalar(() = $log =~ m!^/a/c d !mg), 3, 'and fills');

my @ended = $t->read_file('error.log') =~ /fill test: ghost (\S+) ended/g;

is(scalar(grep { $_ eq '/slow' } @ended), 2, 'freed ones do not end');
is(scalar(grep { $_ eq '/closed' } @ended), 1, 'others end once');
is(scalar(grep { $_ eq '/refused' } @ended), 1, 'once after an error');

###############################################################################

sub ghost {
    my ($uri, $host) = @_;

    $host ||= 'localhost';

    my $r = http("GET /ghost/$uri?private=1 HTTP/1.1\x0d\x0aHost: $host\x0d\x0a"
        . "Connection: close\x0d\x0aCookie: a\x0d\x0a\x0d\x0a") || '';

    return $r =~ m!^HTTP/1.1 (\d+)! ? $1 : 'none';
}

sub asked {
    my ($uri, $host) = @_;

    my $n = () = $origin->requests();

    ghost($uri, $host);

    return $origin->wait(undef, $n + 1, 1) || {};
}

sub log_of {
    my ($t, $uri) = @_;

    return (grep { index($_, "fill test: uri:$uri ") >= 0 }
        split(/\n/, $t->read_file('error.log')))[0] || '';
}

sub counters {
    my $r = http_get('/stub') || '';

    my ($active) = $r =~ /Active connections: (\d+)/;
    my @counters = $r =~ /Reading: (\d+) Writing: (\d+) Waiting: (\d+)/;

    return "$active @counters";
}

sub gone {
    for (1 .. 100) {
        return 1 if -e "$dir/gone";
        sleep(0.02);
    }

    return 0;
}

sub origin {
    my ($r) = @_;

    local $_ = $r->{uri};

    return ([0.3], http_response(200, 'slow')) if m!/slow!;
    return http_response(200, 'any') unless m!/endless!;

    my $s = $r->{socket};

    $s->syswrite("HTTP/1.0 200 OK\x0d\x0a\x0d\x0a");

    for (1 .. 500) {
        last unless defined $s->syswrite('e' x 1000);
        sleep(0.01);
    }

    open(my $fh, '>', "$dir/gone");

    return ();
}

###############################################################################
