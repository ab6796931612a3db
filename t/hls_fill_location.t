#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for fills of the HLS cache alone: what stands in the location of the
# viewer, and where that leads to.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite cache limit_req
    limit_conn access gzip ssi mirror http_addition http_sub/);

my $threads = $t->has_module('--with-threads') ? 'aio threads;' : '';

test_module($t, 'ngx_http_hls_fill_test_module');

my $conf = <<'EOF';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    proxy_cache_path  %%TESTDIR%%/cache  keys_zone=disk:1m;

    limit_req_zone   $server_name  zone=req:1m  rate=1r/m;
    limit_conn_zone  $server_name  zone=conn:1m;

    log_format  subrequests  "$uri $status";

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        recursive_error_pages  on;

        location /if/ {
            if ($arg_a) {
                set  $where  one;
            }

            if ($arg_b) {
                fill_test;
                proxy_pass  http://127.0.0.1:8081;
            }

            fill_test;
            proxy_set_header  X-Where  $where;
            proxy_pass        http://127.0.0.1:8081;
        }

        location /named/ {
            fill_test;
            error_page  404 502 =  @named;
            proxy_intercept_errors  on;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location @named {
            proxy_pass  http://127.0.0.1:8081;
        }

        location /kept/ {
            fill_test;
            error_page  404  @named;
            proxy_intercept_errors  on;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /refused/ {
            fill_test;
            error_page  502 504  =200  /fallback/second;
            proxy_pass  http://127.0.0.1:8089/;
        }

        location /fallback/ {
            deny  all;
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /page/ {
            fill_test;
            error_page  404  /static/page;
            proxy_intercept_errors  on;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /loop/ {
            fill_test;
            error_page  404  /loop/404;
            proxy_intercept_errors  on;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /static/ {
            fill_test;
            alias  %%TESTDIR%%/;
        }

        location /sendfile/ {
            fill_test;
            sendfile  on;
            tcp_nopush  on;
            alias  %%TESTDIR%%/;
        }

        location /threads/ {
            fill_test;
            sendfile  on;
            %%AIO%%
            alias  %%TESTDIR%%/;
        }

        location /directio/ {
            fill_test;
            directio  1;
            %%AIO%%
            alias  %%TESTDIR%%/;
        }

        location /index/ {
            fill_test;
            index  page;
            alias  %%TESTDIR%%/;
        }

        location /try/ {
            fill_test;
            root  %%TESTDIR%%;
            try_files  /no$uri  /small  =404;
        }

        location /try/named/ {
            fill_test;
            root  %%TESTDIR%%;
            try_files  /no$uri  @named;
        }

        location /try/uri/ {
            fill_test;
            root  %%TESTDIR%%;
            try_files  /no$uri  /fallback/third;
        }

        location /try/code/ {
            fill_test;
            root  %%TESTDIR%%;
            try_files  /no$uri  =403;
        }

        location /cache/ {
            fill_test;
            proxy_cache        disk;
            proxy_cache_valid  200 10m;
            proxy_cache_valid  404 10m;
            proxy_pass         http://127.0.0.1:8081/;
        }

        location /cache/threads/ {
            fill_test;
            proxy_cache        disk;
            proxy_cache_valid  200 10m;
            sendfile  on;
            %%AIO%%
            proxy_pass         http://127.0.0.1:8081/;
        }

        location /cache/update/ {
            fill_test;
            proxy_cache        disk;
            proxy_cache_valid  200 1s;
            proxy_cache_use_stale          updating;
            proxy_cache_background_update  on;
            proxy_pass         http://127.0.0.1:8081/;
        }

        location /cache/lock/ {
            fill_test;
            proxy_cache        disk;
            proxy_cache_valid  200 10m;
            proxy_cache_lock   on;
            proxy_pass         http://127.0.0.1:8081/;
        }

        location /cache/stop/ {
            fill_test          stop=body;
            proxy_cache        disk;
            proxy_cache_valid  200 10m;
            proxy_pass         http://127.0.0.1:8081/;
        }

        location /store/ {
            fill_test;
            proxy_store        %%TESTDIR%%/stored;
            proxy_pass         http://127.0.0.1:8081/;
        }

        location @accel {
            rewrite     ^  /any  break;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /accel/ {
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /internal/ {
            internal;
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /limited/ {
            limit_req   zone=req;
            limit_conn  conn 1;
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /to_limited/ {
            fill_test;
            error_page  404 =  /limited/x;
            proxy_intercept_errors  on;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /filters/ {
            fill_test;
            ssi                    on;
            ssi_types              *;
            add_before_body        /named/before;
            add_after_body         /named/after;
            addition_types         *;
            sub_filter             "hello"  "changed";
            sub_filter_types       *;
            gzip                   on;
            gzip_types             *;
            gzip_min_length        0;
            chunked_transfer_encoding  off;
            add_header             X-Added  yes;
            expires                1h;
            mirror                 /mirror;
            limit_rate             10;
            proxy_pass             http://127.0.0.1:8081/;
        }

        location /quick/ {
            fill_test;
            limit_rate  10;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /action/ {
            fill_test;
            post_action  /post;
            proxy_pass   http://127.0.0.1:8081/;
        }

        location /action/stop/ {
            fill_test    stop=header;
            post_action  /post;
            proxy_pass   http://127.0.0.1:8081/;
        }

        location /post {
            proxy_pass  http://127.0.0.1:8081;
        }

        location /mirror {
            internal;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /subrequests/ {
            fill_test;
            log_subrequest  on;
            access_log      %%TESTDIR%%/sub.log  subrequests;
            proxy_pass      http://127.0.0.1:8081/;
        }

        location /closed/ {
            fill_test;
            error_page  404  =  /closed/444;
            proxy_intercept_errors  on;
            proxy_pass  http://127.0.0.1:8081/;

            location /closed/444 {
                return  444;
            }
        }

        location /method/ {
            fill_test;

            limit_except  GET {
                deny  all;
            }

            proxy_pass  http://127.0.0.1:8081/;
        }

        location /nested/ {
            location ~ ^/nested/(.*)$ {
                fill_test;
                proxy_pass  http://127.0.0.1:8081/$1;
            }
        }

        location /reset/ {
            fill_test  stop=header;
            reset_timedout_connection  on;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /reset/timeout/ {
            fill_test  timeout=100ms;
            reset_timedout_connection  on;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /header/ {
            fill_test;
            proxy_ignore_client_abort  on;
            proxy_http_version  1.1;
            proxy_pass_request_headers  off;
            proxy_pass  http://127.0.0.1:8081/;
        }
    }
}

EOF

$conf =~ s/%%AIO%%/$threads/g;

$t->plan(74)->write_file_expand('nginx.conf', $conf);

$t->write_file('empty', '');
$t->write_file('small', 'a small file');
$t->write_file('page', 'a page');
$t->write_file('large', join('', map { "$_\n" } 1 .. 200000));

my $large = $t->read_file('large');

my $dir = $t->testdir();
my $origin = httpd($t, port(8081), \&origin);
port(8089);

$t->run();

###############################################################################

# rewrite

fill_is('/if/x', 200, 1, 'any', 'if');
fill_is('/if/x?a=1', 200, 1, 'any', 'if, variable');
is(($origin->requests(qr!/if/x!))[-1]{headers}{'x-where'}, 'one',
    'variable of if');
fill_is('/if/hello?b=1', 200, 1, 'hello', 'handler in if');
fill_is('/nested/hello', 200, 1, 'hello', 'nested');
fill_is('/method/hello', 200, 1, 'hello', 'limit_except');
fill_is('/header/hello', 200, 1, 'hello', 'no headers passed');

# error pages

fill_is('/named/hello', 200, 1, 'hello', 'no error page');
fill_is('/named/404', 200, 1, 'second', 'named location');
fill_is('/named/reset', 200, 1, 'second', 'named location after 502');
fill_is('/kept/404', 404, 1, 'second', 'status kept');
fill_is('/refused/', 200, 1, 'second', 'refused, another upstream');
fill_is('/page/404', 404, 1, 'a page', 'file');
fill_is('/loop/404', 500, 1, qr!500 Internal!, 'loop');
fill_is('/closed/404', 404, 0, '', 'closed');

# files

for my $l (qw/ static sendfile threads directio /) {
    fill_is("/$l/small", 200, 1, 'a small file', $l);
    fill_is("/$l/empty", 200, 1, '', "$l, empty");
    fill_is("/$l/large", 200, 1, $large, "$l, large");
    fill_is("/$l/none", 404, 1, qr!404 Not Found!, "$l, none");
}

fill_is('/index/', 200, 1, 'a page', 'index');

fill_is('/try/x', 200, 1, 'a small file', 'try_files');
fill_is('/try/named/x', 200, 1, 'any', 'try_files, named location');
fill_is('/try/uri/x', 200, 1, 'third', 'try_files, uri');
fill_is('/try/code/x', 403, 1, qr!403 Forbidden!, 'try_files, code');

# nginx's cache

for my $l (qw/ cache cache\/threads cache\/lock /) {
    fill_is("/$l/big", 200, 1, 'y' x 300000, "$l, miss");

    my $n = () = $origin->requests();

    fill_is("/$l/big", 200, 1, 'y' x 300000, "$l, hit");
    is(scalar(() = $origin->requests()), $n, "$l, hit, not asked again");
}

fill_is('/cache/404', 404, 1, 'own 404', 'cache, 404');
fill_is('/cache/404', 404, 1, 'own 404', 'cache, 404, hit');
fill_is('/cache/close', 200, 1, 'until the end', 'cache, without length');
fill_is('/cache/close', 200, 1, 'until the end', 'cache, no length, hit');
fill_is('/cache/cut', 200, 0, 'abcde', 'cache, cut');
fill_is('/cache/cut', 200, 0, 'abcde', 'cache, cut, not stored');
fill_is('/cache/stop/slow', 200, 0, undef, 'cache, stopped');
ok($origin->{gone} = wait_gone($t), 'cache, stopped, upstream closed');

fill_is('/cache/update/count', 200, 1, qr!^1$!, 'cache, background update');
sleep(2.1);

my $start = time();

fill_is('/cache/update/count', 200, 1, qr!^1$!, 'cache, stale');
cmp_ok(time() - $start, '<', 1.3, 'update is not waited for');

for (1 .. 100) {
    last if (http_get('/cache/update/count') || '') =~ /2\z/;
    sleep(0.05);
}

fill_is('/cache/update/count', 200, 1, qr!^2$!, 'cache, updated');

fill_is('/store/big', 200, 1, 'y' x 300000, 'store');
is(length($t->read_file('stored')), 300000, 'stored');

# redirects

fill_is('/accel/internal', 200, 1, 'any', 'X-Accel-Redirect');
fill_is('/accel/named', 200, 1, 'any', 'X-Accel-Redirect, named location');

fill_is('/to_limited/404', 200, 1, 'any', 'limits do not count');
fill_is('/to_limited/404', 200, 1, 'any', 'limits do not count, again');

# what stands below is for viewers

like(log_of($t, '/filters/hello'), qr!status:200 complete:1 size:5 !,
    'no filters');
is(join(' ', $origin->requests(qr!/mirror|/before|/after!)), '',
    'no requests besides');

$start = time();

like(log_of($t, '/quick/big'), qr!status:200 complete:1 size:300000 !,
    'limit_rate');
cmp_ok(time() - $start, '<', 2, 'limit_rate is not for fills');

fill_is('/action/hello', 200, 1, 'hello', 'post_action');
fill_is('/action/stop/hello', 200, 0, '', 'post_action, stopped');
is(scalar(() = $origin->requests(qr!/post!)), 2, 'post_action of viewers');

fill_is('/reset/hello', 200, 0, '', 'reset, stopped');
fill_is('/reset/timeout/slow', 200, 0, undef, 'reset, timed out');

fill_is('/subrequests/hello', 200, 1, 'hello', 'log_subrequest');

$t->stop();

is($t->read_file('sub.log'), "/subrequests/hello 200\n" x 2,
    'fill and viewer in the log');

###############################################################################

sub fill_is {
    my ($uri, $status, $complete, $body, $name) = @_;

    my $r = http_get($uri) || '';
    my ($got) = $r =~ m!^HTTP/1.1 (\d+)!;
    my ($whole) = $r =~ m!^X-Fill-Complete: (\d)!m;

    $got = join(' ', map { defined $_ ? $_ : 'none' } $got, $whole);

    my $content = http_content($r);

    $got .= ", body: " . substr($content, 0, 80)
        unless !defined $body || (ref($body) ? $content =~ $body
            : $content eq $body);

    is($got, "$status $complete", $name);
}

# for viewers that leave at once

sub log_of {
    my ($t, $uri) = @_;

    close(http_get($uri, start => 1));

    for (1 .. 100) {
        my ($line) = grep { index($_, "fill test: uri:$uri ") >= 0 }
            split(/\n/, $t->read_file('error.log'));

        return $line if defined $line;
        sleep(0.02);
    }

    return '';
}

sub wait_gone {
    my ($t) = @_;

    for (1 .. 100) {
        return 1 if -e $t->testdir() . '/gone';
        sleep(0.02);
    }

    return 0;
}

sub origin {
    my ($r) = @_;

    local $_ = $r->{uri};

    return http_response(200, 'hello') if m!/hello!;
    return http_response(200, 'y' x 300000) if m!/big!;
    return "HTTP/1.0 200 OK\x0d\x0a\x0d\x0auntil the end" if m!/close!;
    return "HTTP/1.0 200 OK\x0d\x0aContent-Length: 10\x0d\x0a"
        . "Connection: close\x0d\x0a\x0d\x0aabcde"
        if m!/cut!;
    return http_response(404, 'own 404') if m!^/404!;
    return () if m!^/reset!;
    return http_response(200, 'second') if m!^/(kept|named)/|second!;
    return http_response(200, 'third') if m!third!;
    return http_response(200, '', 'X-Accel-Redirect: /internal/x')
        if m!^/accel/internal!;
    return http_response(200, '', 'X-Accel-Redirect: @accel')
        if m!^/accel/named!;

    if (m!/count!) {
        my $n = -s "$dir/count" || 0;

        open(my $fh, '>>', "$dir/count") or return;
        print $fh 'x';
        close($fh);

        return ($n ? [1.5] : (), http_response(200, $n + 1));
    }

    if (m!/slow!) {
        my $s = $r->{socket};

        $s->syswrite("HTTP/1.0 200 OK\x0d\x0a\x0d\x0a");

        for (1 .. 500) {
            last unless defined $s->syswrite('e' x 10000);
            sleep(0.01);
        }

        open(my $fh, '>', "$dir/gone") or return;
        return ();
    }

    return http_response(200, 'any');
}

###############################################################################
