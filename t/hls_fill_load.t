#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for fills of the HLS cache alone: nothing is left of many of them, and
# there may be too many.

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

my $t = Test::Nginx->new()->has(qw/http proxy rewrite cache stub_status/);

my $threads = $t->has_module('--with-threads')
    ? 'aio threads; aio_write on;' : '';

test_module($t, 'ngx_http_hls_fill_test_module');

my $conf = <<'EOF';

%%TEST_GLOBALS%%

daemon off;

events {
    worker_connections  64;
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log           %%TESTDIR%%/error.log  warn;
    access_log          off;
    keepalive_requests  10000;
    proxy_http_version  1.0;

    proxy_cache_path  %%TESTDIR%%/cache  keys_zone=disk:1m;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            fill_test;
            proxy_pass  http://127.0.0.1:8082/;
        }

        location /unbuffered/ {
            fill_test;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8082/;
        }

        location /refused/ {
            fill_test;
            proxy_pass  http://127.0.0.1:8089/;
        }

        location /named/ {
            fill_test;
            error_page  404 502 = @named;
            proxy_intercept_errors  on;
            proxy_pass  http://127.0.0.1:8082/;
        }

        location @named {
            rewrite     ^  /ok  break;
            proxy_pass  http://127.0.0.1:8082;
        }

        location /file/ {
            fill_test;
            alias  %%TESTDIR%%/;
        }

        location /threads/ {
            fill_test;
            %%AIO%%
            output_buffers  2 8k;
            alias  %%TESTDIR%%/;
        }

        location /threads/body/ {
            fill_test  stop=body;
            %%AIO%%
            output_buffers  2 8k;
            alias  %%TESTDIR%%/;
        }

        location /threads/timeout/ {
            fill_test  timeout=1ms;
            %%AIO%%
            output_buffers  1 512;
            alias  %%TESTDIR%%/;
        }

        location /threads/cached/ {
            fill_test          timeout=2ms;
            %%AIO%%
            proxy_cache        disk;
            proxy_cache_valid  any 1s;
            proxy_cache_key    $request_id;
            proxy_pass         http://127.0.0.1:8082/file/;
        }

        location /threads/temp/ {
            fill_test          pause=1ms timeout=10ms;
            %%AIO%%
            proxy_buffers      2 4k;
            proxy_busy_buffers_size  4k;
            proxy_temp_file_write_size  4k;
            proxy_pass         http://127.0.0.1:8082/file/;
        }

        location /cached/ {
            fill_test;
            proxy_cache        disk;
            proxy_cache_valid  any 10s;
            proxy_pass         http://127.0.0.1:8082/;
        }

        location /create/ {
            fill_test   stop=create;
            proxy_pass  http://127.0.0.1:8082/;
        }

        location /start/ {
            fill_test   stop=start;
            proxy_pass  http://127.0.0.1:8082/;
        }

        location /header/ {
            fill_test   stop=header;
            proxy_pass  http://127.0.0.1:8082/;
        }

        location /body/ {
            fill_test   stop=body;
            proxy_pass  http://127.0.0.1:8082/;
        }

        location /timeout/ {
            fill_test   timeout=1ms;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /cut/ {
            fill_test;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /many/ {
            fill_test   many=40;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /ghost/ {
            fill_test  ghost=/unbuffered/ok;
        }

        location /ghost/404/ {
            fill_test  ghost=/none/404;
        }

        location /ghost/refused/ {
            fill_test  ghost=/refused/;
        }

        location /none/ {
            proxy_pass  http://127.0.0.1:8082/;
        }

        location /stub {
            stub_status;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location / {
            return  200  "ok\n";
        }

        location /file/ {
            alias  %%TESTDIR%%/;
        }

        location /404 {
            return  404;
        }

        location /reset {
            return  444;
        }
    }
}

EOF

$conf =~ s/%%AIO%%/$threads/g;

$t->plan(24)->write_file_expand('nginx.conf', $conf);

$t->write_file('small', 'a small file');
$t->write_file('large', 'x' x 100000);

httpd($t, port(8081), \&origin);
port(8089);

$t->run();

###############################################################################

# counters

my ($before) = stub();

is($before, '1 0 1 0', 'before');

my $accepted = (stub())[1];
my $requests = (stub())[2];

run(5, '/cut/ok');

my ($counters, $a, $r) = stub();

is($counters, '1 0 1 0', 'after');
is("@{[$a - $accepted]} @{[$r - $requests]}", '3 6',
    'fills are no clients');

my $s = http_get('/cut/slow', start => 1);

sleep(0.2);

is((stub())[0], '3 0 2 0', 'while one runs');

$s->sysread(my $buf, 4096);
close($s);

is(settled(), '1 0 1 0', 'after that');

# nothing grows, but for what is not given back on purpose

my $growth = $ENV{ASAN_OPTIONS} ? 1000000 : 300;

my @uris = (qw! /ok /404 /reset /unbuffered/ok /unbuffered/404
    /unbuffered/reset /refused/ /named/ok /named/404 /named/reset
    /file/small /file/large /file/none /cached/ok /cached/404 /create/
    /start/ /header/ok /header/404 /body/ok /body/404 /ghost/ /ghost/404/
    /ghost/refused/ !);

is(run(20, @uris), 20 * @uris, 'first');
is(settled(), '1 0 1 0', 'first, counters');

my ($pid) = $t->read_file('error.log') =~ /start worker process (\d+)/;
my $memory = memory();
my $fds = fds();

is(run(150, @uris), 150 * @uris, 'many');
is(settled(), '1 0 1 0', 'many, counters');
cmp_ok(memory() - $memory, '<', $growth, 'many, memory');
is(fds(), $fds, 'many, descriptors');

is(run(40, qw! /timeout/slow /cut/cut /cut/ok !), 120, 'cut and timed out');

# viewers that leave

for (1 .. 20) {
    close(http_get($_, start => 1))
        for qw! /cut/ok /cut/quick /unbuffered/ok /refused/ /body/ok /ghost/ !;
}

is(settled(), '1 0 1 0', 'viewers left, counters');
cmp_ok(memory() - $memory, '<', $growth + 100, 'viewers left, memory');
is(fds(), $fds, 'viewers left, descriptors');

# threads that read and write while a fill ends

my @threads = qw! /threads/large /threads/body/large /threads/timeout/large
    /threads/cached/large /threads/temp/large !;

is(run(20, @threads), 20 * @threads, 'threads');
is(settled(), '1 0 1 0', 'threads, counters');

$fds = fds();

is(run(20, @threads), 20 * @threads, 'threads, again');
is(fds(), $fds, 'threads, descriptors');

# too many for the connections that there are

for (1 .. 3) {
    like(http_get('/many/slow'),
        qr!^HTTP/1.1 200 .*^X-Fill-Declined: yes\x0d.*ab$!ms,
        'passed through');
}

is(settled(), '1 0 1 0', 'too many, counters');
is(fds(), $fds, 'too many, descriptors');

###############################################################################

# pipelined, gives the number of answers

sub run {
    my ($n, @uris) = @_;
    my ($count, $buf, $end);

    my $s = http_start(@uris, $n);

    $count = 0;
    $buf = '';
    $end = time() + 30;

    while ($count < $n * @uris && time() < $end) {
        $s->sysread($buf, 65536, length($buf)) or last;

        while ($buf =~ s!^.*?HTTP/1\.1 \d\d\d !!s) {
            $count++;
        }
    }

    close($s);

    return $count;
}

sub http_start {
    my $n = pop;

    my $all = join('', map {
        "GET $_ HTTP/1.1\x0d\x0aHost: localhost\x0d\x0a\x0d\x0a"
    } @_) x $n;

    return http($all, start => 1);
}

sub stub {
    my $r = http_get('/stub') or return '';

    my ($active) = $r =~ /Active connections: (\d+)/;
    my ($accepted, $handled, $requests) = $r =~ /^ (\d+) (\d+) (\d+) /m;
    my ($reading, $writing, $waiting) =
        $r =~ /Reading: (\d+) Writing: (\d+) Waiting: (\d+)/;

    return ("$active $reading $writing $waiting", $accepted, $requests);
}

sub settled {
    my $counters;

    for (1 .. 150) {
        ($counters) = stub();
        last if $counters eq '1 0 1 0';
        sleep(0.02);
    }

    return $counters;
}

# in kilobytes

sub memory {
    open(my $fh, '<', "/proc/$pid/status") or return 0;

    return (map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$fh>)[0];
}

sub fds {
    settled();

    return scalar(() = glob("/proc/$pid/fd/*"));
}

sub origin {
    my ($r) = @_;

    local $_ = $r->{uri};

    return http_chunked([], 'a', [0.5], 'b') if m!/slow!;
    return http_chunked([], 'a', [0.05], 'b') if m!/quick!;
    return "HTTP/1.0 200 OK\x0d\x0aContent-Length: 10\x0d\x0a"
        . "Connection: close\x0d\x0a\x0d\x0aabcde"
        if m!/cut!;

    return http_response(200, 'any');
}

###############################################################################
