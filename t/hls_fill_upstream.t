#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for fills of the HLS cache alone: upstreams and viewers of all kinds.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite http_ssl http_v2
    upstream_keepalive upstream_ip_hash upstream_hash geo map socket_ssl/)
    ->has_daemon('openssl')->has_daemon('curl');

test_module($t, 'ngx_http_hls_fill_test_module');

$t->plan(34)->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    geo $from {
        default    other;
        127.0.0.1  loopback;
    }

    geo $arg_ip $from_arg {
        default    other;
        10.0.0.0/8  ten;
    }

    upstream kept {
        server     127.0.0.1:8081;
        keepalive  4;
    }

    upstream next {
        server  127.0.0.1:8089  max_fails=0;
        server  127.0.0.1:8082  max_fails=0;
        server  127.0.0.1:8081  backup;
    }

    upstream by_ip {
        ip_hash;
        server  127.0.0.1:8081;
        server  127.0.0.1:8081;
    }

    upstream by_hash {
        hash    $binary_remote_addr$remote_addr$request_uri consistent;
        server  127.0.0.1:8081;
    }

    upstream tls {
        server     127.0.0.1:8444;
        keepalive  2;
    }

    upstream socket {
        server  unix:%%TESTDIR%%/socket;
    }

    server {
        listen       127.0.0.1:8080;
        listen       127.0.0.1:8443 ssl http2;
        listen       127.0.0.1:8083 http2;
        listen       127.0.0.1:8085 proxy_protocol;
        server_name  localhost;

        set_real_ip_from  127.0.0.1;
        real_ip_header    X-Real-IP;

        location / {
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /unbuffered/ {
            fill_test;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /kept/ {
            fill_test;
            proxy_http_version  1.1;
            proxy_set_header    Connection "";
            proxy_pass          http://kept/;
        }

        location /kept/unbuffered/ {
            fill_test;
            proxy_http_version  1.1;
            proxy_set_header    Connection "";
            proxy_buffering     off;
            proxy_pass          http://kept/;
        }

        location /next/ {
            fill_test;
            proxy_next_upstream  error timeout invalid_header http_500
                                 http_404;
            proxy_pass           http://next/;
        }

        location /by_ip/ {
            fill_test;
            proxy_pass  http://by_ip/;
        }

        location /by_hash/ {
            fill_test;
            proxy_pass  http://by_hash/;
        }

        location /tls/ {
            fill_test;
            proxy_http_version       1.1;
            proxy_set_header         Connection "";
            proxy_ssl_session_reuse  off;
            proxy_pass               https://tls/;
        }

        location /tls/unbuffered/ {
            fill_test;
            proxy_ssl_session_reuse  off;
            proxy_buffering  off;
            proxy_pass       https://tls/;
        }

        location /tls/plain/ {
            fill_test;
            proxy_ssl_session_reuse  off;
            proxy_pass  https://127.0.0.1:8080/;
        }

        location /socket/ {
            fill_test;
            proxy_pass  http://socket/;
        }

        location /variable/ {
            set  $where  127.0.0.1;
            fill_test;
            proxy_pass   http://$where:%%PORT_8081%%/echo;
        }

        location /resolver/ {
            set  $where  name.example;
            resolver     127.0.0.1:%%PORT_8090_UDP%%  ipv6=off;
            resolver_timeout  300ms;
            fill_test;
            proxy_pass   http://$where:%%PORT_8081%%/echo;
        }

        location /client/ {
            fill_test;
            proxy_set_header  X-Scheme    $scheme;
            proxy_set_header  X-Https     $https;
            proxy_set_header  X-Protocol  $server_protocol;
            proxy_set_header  X-Http2     $http2;
            proxy_set_header  X-Cipher    $ssl_cipher;
            proxy_set_header  X-Addr      $remote_addr;
            proxy_set_header  X-Bin       $binary_remote_addr;
            proxy_set_header  X-Real      $realip_remote_addr;
            proxy_set_header  X-Proxy     $proxy_protocol_addr;
            proxy_set_header  X-From      $from;
            proxy_set_header  X-From-Arg  $from_arg;
            proxy_set_header  X-Server    $server_addr:$server_port;
            proxy_set_header  X-Forwarded-For  $proxy_add_x_forwarded_for;
            proxy_set_header  X-Conn      $connection:$connection_requests;
            proxy_set_header  X-Time      $request_time:$msec;
            proxy_set_header  X-Length    $request_length:$bytes_sent;
            proxy_set_header  X-Tcp       $tcpinfo_rtt;
            proxy_set_header  X-Id        $request_id;
            proxy_set_header  X-Pipe      $pipe;
            proxy_set_header  X-Body      $request_body;
            proxy_set_header  X-Completed $request_completion;
            proxy_pass        http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8444 ssl;
        listen       unix:%%TESTDIR%%/socket;
        server_name  localhost;

        keepalive_requests  100;

        location / {
            proxy_pass  http://127.0.0.1:8081;
        }
    }
}

EOF

my $dir = $t->testdir();

$t->write_file('openssl.conf', "[ req ]\ndistinguished_name = dn\n[ dn ]\n");

system('openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=localhost '
    . "-config $dir/openssl.conf -out $dir/localhost.crt "
    . "-keyout $dir/localhost.key >>$dir/openssl.out 2>&1") == 0
    or die "Can't create certificate: $!\n";

my $origin = httpd($t, port(8081), \&origin);
my $other = httpd($t, port(8082), \&other);
port(8089);

$t->run();

###############################################################################

# upstreams

my %conns;

for (1 .. 6) {
    $conns{(fill('/kept/conn'))[2]}++;
    $conns{(fill('/kept/unbuffered/conn'))[2]}++;
}

is(join(' ', values %conns), '12', 'connection to the upstream is kept');

is(join(' ', fill('/kept/404')), '404 1 own 404', 'keepalive, 404');
is((fill('/kept/cut'))[1], 0, 'keepalive, cut');
is(join(' ', fill('/kept/echo')), '200 1 any', 'keepalive, after the cut');

is(join(' ', fill('/next/echo')), '200 1 other', 'next upstream');
is(join(' ', fill('/next/bad')), '200 1 bad', 'next upstream, bad header');
is(join(' ', fill('/next/500')), '200 1 ok 500', 'next upstream, 500');
is(join(' ', fill('/next/404')), '404 1 own 404', 'next upstream, all 404');

is(join(' ', fill('/by_ip/echo')), '200 1 any', 'ip_hash');
is(join(' ', fill('/by_hash/echo')), '200 1 any', 'hash');

for my $uri (qw! /tls /tls/unbuffered /socket !) {
    is(join(' ', fill("$uri/echo")), '200 1 any', $uri);

    my @r = fill("$uri/big");

    is("$r[0] $r[1] " . length($r[2]), '200 1 1000000', "$uri, big");
    is((fill("$uri/cut"))[1], 0, "$uri, cut");
}

is((fill('/tls/plain/echo'))[0], 502, 'no TLS');

is(join(' ', fill('/variable/')), '200 1 any', 'address in a variable');
is((fill('/resolver/'))[0], 502, 'name is not resolved');

# viewers

my @curl = ('curl', '-s', '-k', '-i', '-m', '8');
my @noise = ('-H', 'X-Real-IP: 10.1.1.1', '-H', 'X-Forwarded-For: 10.2.2.2');

for my $v (
    [ 'http/1.1', 'http://127.0.0.1:' . port(8080) ],
    [ 'TLS', 'https://127.0.0.1:' . port(8443), '--http1.1' ],
    [ 'TLS, http2', 'https://127.0.0.1:' . port(8443), '--http2' ],
    [ 'http2', 'http://127.0.0.1:' . port(8083), '--http2-prior-knowledge' ],
    [ 'PROXY protocol', 'http://127.0.0.1:' . port(8085),
        '--haproxy-protocol' ],
) {
    my ($name, $url, @args) = @$v;

    my $r = command(@curl, @noise, @args, "$url/client/echo?ip=10.0.0.1");

    like($r, qr!^HTTP/\S+ 200 .*X-Fill-Complete: 1\r.*any$!msi, $name);

    my $h = ($origin->requests())[-1]{headers};
    my $scheme = ($url =~ /^https/) ? 'https on' : 'http -';

    is(join(' ', map { defined $h->{"x-$_"} ? $h->{"x-$_"} : '-' }
            qw/ scheme https protocol http2 cipher addr real proxy from
            from-arg forwarded-for pipe body completed /),
        "$scheme HTTP/1.1 - - unix: unix: - other other unix: . - -",
        "$name, nothing of the viewer");
}

my @big = (command(@curl, '--http2', '-o', "$dir/h2",
    'https://127.0.0.1:' . port(8443) . '/unbuffered/big'),
    command(@curl, '--http2-prior-knowledge', '-o', "$dir/h2c",
    'http://127.0.0.1:' . port(8083) . '/big'));

is(join(' ', map { $t->read_file($_) =~ /\r\n\r\n(y*)\z/ ? length($1) : 0 }
    qw/ h2 h2c /), '1000000 1000000', 'http2, big');

# http2 viewers that leave at once; the fill goes on

command(@curl, '-m', '0.1', '--http2-prior-knowledge',
    'http://127.0.0.1:' . port(8083) . '/slow') for 1 .. 3;

is(wait_ended($t, '/slow'), 3, 'http2, viewer left');

###############################################################################

sub fill {
    my ($uri) = @_;

    my $r = http_get($uri) || '';

    return ($r =~ m!^HTTP/1.1 (\d+)!, $r =~ m!^X-Fill-Complete: (\d)!m,
        http_content($r));
}

sub command {
    my (@args) = @_;
    local $/;

    open(my $fh, '-|', @args) or die "Can't run $args[0]: $!\n";

    my $out = <$fh>;

    return defined $out ? $out : '';
}

sub wait_ended {
    my ($t, $uri) = @_;
    my $n;

    for (1 .. 100) {
        $n = grep { m!fill test: uri:\Q$uri\E status:200 complete:1 .*gone! }
            split(/\n/, $t->read_file('error.log'));

        last if $n == 3;
        sleep(0.02);
    }

    return $n;
}

sub origin {
    my ($r) = @_;

    local $_ = $r->{uri};

    return http_response(200, $r->{c}) if m!/conn!;
    return http_response(200, 'y' x 1000000) if m!/big!;
    return http_response(404, 'own 404') if m!/404!;
    return http_response(200, 'ok 500') if m!/500!;
    return http_response(200, 'bad') if m!/bad!;
    return "HTTP/1.1 200 OK\x0d\x0aContent-Length: 10\x0d\x0a"
        . "Connection: close\x0d\x0a\x0d\x0aabcde" if m!/cut!;
    return http_chunked([], 'a', [0.3], 'b') if m!/slow!;

    return http_response(200, 'any');
}

sub other {
    my ($r) = @_;

    local $_ = $r->{uri};

    return http_response($1, "own $1") if m!/(404|500)!;
    return "HTTP/1.1 200 OK\x0d\x0abad header\x0d\x0a\x0d\x0a" if m!/bad!;

    return http_response(200, 'other');
}

###############################################################################
