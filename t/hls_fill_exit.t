#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for fills of the HLS cache alone: workers that leave.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content http_end /;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy stub_status/);

test_module($t, 'ngx_http_hls_fill_test_module');

$t->plan(24)->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_shutdown_timeout 1s;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            fill_test;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /buffered/ {
            fill_test;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /pause/ {
            fill_test        pause=30s;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /file/ {
            fill_test       pause=30s;
            output_buffers  1 1k;
            alias           %%TESTDIR%%/;
        }

        location /ghost {
            fill_test  ghost=/buffered/endless;
        }

        location /stub {
            stub_status;
        }
    }
}

EOF

my $dir = $t->testdir();

$t->write_file('large', 'x' x 100000);

httpd($t, port(8081), \&origin);

$t->run();

###############################################################################

# old workers finish their fills

my @viewers = map { http_get("$_/slow", start => 1) } '', '/buffered';

close(http_get('/slow/left', start => 1));
wait_asked(3);

$t->reload();

for my $v (@viewers) {
    my $r = http_end($v);

    like($r, qr!^X-Fill-Complete: 1\x0d!m, 'complete over reload');
    is(http_content($r), 'abcdef', 'body over reload');
}

like(ended($t, '/slow/left'), qr!status:200 complete:1 size:6 viewer:gone!,
    'complete over reload, viewer left');

is(active(), 1, 'nothing is left');

# but not for ever

unlink("$dir/gone", "$dir/asked");

my $v = http_get('/endless', start => 1);

for my $uri (qw! /file/large /endless/left /buffered/endless /pause/endless
    /ghost !)
{
    close(http_get($uri, start => 1));
}

wait_asked(5);

my $start = time();

$t->reload();

like(http_end($v) || '', qr!^$!, 'viewer closed');

for my $uri (qw! /endless /endless/left /buffered/endless /pause/endless
    /file/large !)
{
    like(ended($t, $uri), qr!status:200 complete:0!, "ended, $uri");
}

is(gone(5), 5, 'upstreams closed');
cmp_ok(time() - $start, '<', 3, 'in time');

is(active(), 1, 'nothing is left');
like(http_get('/slow'), qr!^X-Fill-Complete: 1\x0d!m, 'new worker');

# a worker that is told to go at once

unlink("$dir/gone", "$dir/asked");

for my $uri (qw! /endless/term /buffered/endless/term /pause/endless/term !) {
    close(http_get($uri, start => 1));
}

wait_asked(3);

my ($pid) = reverse($t->read_file('error.log')
    =~ /start worker process (\d+)/g);

kill('TERM', $pid);

for my $uri (qw! /endless/term /buffered/endless/term /pause/endless/term !) {
    like(ended($t, $uri), qr!status:200 complete:0!, "at once, $uri");
}

is(gone(3), 3, 'at once, upstreams closed');
is(active(), 1, 'at once, nothing is left');

# one that is told so while it ends its work

unlink("$dir/gone", "$dir/asked");

close(http_get($_, start => 1))
    for '/file/./large', '/endless/late', '/buffered/endless/late';

wait_asked(2);

($pid) = reverse($t->read_file('error.log')
    =~ /start worker process (\d+)/g);

kill('QUIT', $pid);

sleep(0.3);

kill('TERM', $pid);

for (1 .. 150) {
    last if 2 == (() = log_lines($t, '/file/large'));
    sleep(0.02);
}

is(scalar(() = log_lines($t, '/file/large')), 2, 'at once after all');
is(gone(2), 2, 'at once after all, upstreams closed');

# all of it

unlink("$dir/gone", "$dir/asked");

close(http_get('/endless/stop', start => 1));
wait_asked(1);

kill('TERM', $t->read_file('nginx.pid'));

like(ended($t, '/endless/stop'), qr!status:200 complete:0!, 'stop');

###############################################################################

sub active {
    my $n;

    for (1 .. 50) {
        ($n) = http_get('/stub') =~ /Active connections: (\d+)/;
        last if defined $n && $n == 1;
        sleep(0.02);
    }

    return $n;
}

sub wait_asked {
    my ($n) = @_;

    for (1 .. 150) {
        last if (-s "$dir/asked" || 0) >= $n;
        sleep(0.02);
    }

    # and answered

    sleep(0.1);
}

sub gone {
    my ($n) = @_;

    for (1 .. 150) {
        last if (-s "$dir/gone" || 0) >= $n;
        sleep(0.02);
    }

    return -s "$dir/gone";
}

sub ended {
    my ($t, $uri) = @_;

    for (1 .. 150) {
        my ($line) = log_lines($t, $uri);

        return $line if defined $line;
        sleep(0.02);
    }

    return '';
}

sub log_lines {
    my ($t, $uri) = @_;

    return grep { index($_, "fill test: uri:$uri ") >= 0 }
        split(/\n/, $t->read_file('error.log'));
}

sub origin {
    my ($r) = @_;

    local $_ = $r->{uri};

    mark('asked');

    return http_chunked([], map { ($_, [0.1]) } 'a' .. 'f') if m!/slow!;

    my $s = $r->{socket};

    $s->syswrite("HTTP/1.0 200 OK\x0d\x0a\x0d\x0a");

    for (1 .. 2000) {
        last unless defined $s->syswrite('e' x 100);
        sleep(0.01);
    }

    mark('gone');

    return ();
}

sub mark {
    my ($name) = @_;

    open(my $fh, '>>', "$dir/$name") or return;
    syswrite($fh, '1');
}

###############################################################################
