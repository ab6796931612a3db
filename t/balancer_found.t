#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in upstream{} of http{}: a stream that is not where it
# was looked for first, with "proxy_next_upstream http_404".

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(27);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes  2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%;
    server  127.0.0.1:2 http=%%PORT_8082%%;
    server  127.0.0.1:3 http=%%PORT_8083%%;
    server  127.0.0.1:4 http=%%PORT_8084%%;
}

rtmp_route ports {
    zone    ports 1m;
    server  127.0.0.1:1 http=%%PORT_8081%%,%%PORT_8082%%;
    server  127.0.0.1:2 http=%%PORT_8083%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live   { rtmp_route  live   http; }
    upstream ports  { rtmp_route  ports  http; }

    proxy_next_upstream  error timeout http_404;

    add_header  X-Status  $upstream_status    always;
    add_header  X-Addr    $upstream_addr      always;
    add_header  X-Server  $rtmp_route_server  always;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /once/ {
            rtmp_route           live;
            proxy_pass           http://live;
            proxy_next_upstream  error timeout;
        }

        location /bare/ {
            proxy_pass  http://live;
        }

        location /ports/ {
            rtmp_route  ports;
            proxy_pass  http://ports;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

EOF_CONF

# an origin has what its file names

my $dir = $t->testdir();

my @origins = map { my $n = $_;
    httpd($t, port(8080 + $n), sub { origin($n, "$dir/on$n", @_) })
} 1 .. 4;

$t->run();

###############################################################################

my ($r, @order, $last);

# it is nowhere: three are asked, in the order of the stream's name

$r = http_get('/live/cam1.m3u8');
like($r, qr/ 404 .*X-Status: 404, 404, 404\x0d/s, 'nowhere');
like($r, qr/nothing here/, 'the answer of the last one');
is(source('live/cam1'), 'unknown', 'nothing is remembered');

for my $port (($r =~ /X-Addr: (.*)\x0d/)[0] =~ /:(\d+)/g) {
    push @order, grep { port(8080 + $_) == $port } 1 .. 4;
}

($last) = grep { my $n = $_; !grep { $_ == $n } @order } 1 .. 4;

put($last, 'live/cam1');

like(http_get('/live/cam1.m3u8'), qr/ 404 .*X-Status: 404, 404, 404\x0d/s,
    'the fourth one is not asked');

# the first one has it

put($_, 'live/cam1') for 1 .. 4;

like(http_get('/live/cam1.m3u8'),
    qr/ 200 .*X-Status: 200\x0d.*on $order[0]$/s, 'the first one has it');
is(source('live/cam1'), 'unknown', 'nothing to be remembered');

# the next one has it

put($_) for 1 .. 4;
put($order[1], 'live/cam1');

$r = http_get('/live/cam1.m3u8');
like($r, qr/ 200 .*X-Status: 404, 200\x0d.*on $order[1]$/s, 'searched');
is(source('live/cam1'), 'found ' . id($order[1]), 'found');
like($r, qr/X-Server: ${\id($order[1])}\x0d/, 'its id');

$r = http_get('/live/cam1.m3u8');
like($r, qr/X-Status: 200\x0d.*on $order[1]$/s, 'not searched again');
like(http_get('/live/cam1-1.ts'), qr/X-Status: 200\x0d.*on $order[1]$/s,
    'for segments, too');

# it has moved

put($order[1]);
put($order[2], 'live/cam1');

like(http_get('/live/cam1.m3u8'), qr/X-Status: 404, 404, 200\x0d/,
    'the third one');
is(source('live/cam1'), 'found ' . id($order[2]), 'found there');

# it has gone: nowhere again

put($order[2]);

like(http_get('/live/cam1.m3u8'), qr/ 404 .*X-Status: 404, 404, 404\x0d/s,
    'gone');
api('DELETE', 'live/streams/live/cam1');

# what proves nothing

put($_) for 1 .. 4;
put($order[1], 'live/cam1');

like(http_get('/live/cam1-7.ts'), qr/X-Status: 404, 200\x0d/, 'a segment');
is(source('live/cam1'), 'unknown', 'is no proof');

like(http("POST /live/cam1.m3u8 HTTP/1.0\x0d\x0aContent-Length: 0\x0d\x0a"
    . "\x0d\x0a"), qr/X-Status: (404, )?\d+\x0d/, 'POST');
is(source('live/cam1'), 'unknown', 'is no proof either');

like(http_get('/once/live/cam1.m3u8'), qr/ 404 .*X-Status: 404\x0d/s,
    'not asked for');

# who knows better

pin('live', 'live/cam1', id($order[0]));
like(http_get('/live/cam1.m3u8'), qr/X-Status: 404, 200\x0d/, 'pinned');
is(source('live/cam1'), 'pin ' . id($order[0]), 'the pin stays');
unpin('live', 'live/cam1');

# HEAD, HTTP-FLV, no look-up in the location

like(http("HEAD /live/cam1.flv HTTP/1.0\x0d\x0a\x0d\x0a"),
    qr/X-Status: 404, 200\x0d/, 'HTTP-FLV');
is(source('live/cam1'), 'found ' . id($order[1]), 'is a proof');
api('DELETE', 'live/streams/live/cam1');

put($_, 'bare/cam1') for 1 .. 4;

($r) = http_get('/bare/cam1.m3u8') =~ /on (\d)$/;
put($r);

like(http_get('/bare/cam1.m3u8'), qr/X-Status: 404, 200\x0d/, 'no look-up');
like(http_get('/bare/cam1.m3u8'), qr/X-Status: 200\x0d/,
    'no look-up, remembered');

# another port of the same server is not asked

put($_) for 1 .. 4;
pin('ports', 'ports/cam1', '127.0.0.1');
put(3, 'ports/cam1');

like(http_get('/ports/cam1.m3u8'), qr/X-Status: 404, 200\x0d.*on 3$/s,
    'the other ports of a server');

# a server that answers 404 is not failing

is(join(' ', map { $_->{fails} } servers('live')), '0 0 0 0', 'no fails');

###############################################################################

sub put {
    my ($n, @streams) = @_;

    open(my $fh, '>', "$dir/on$n.new") or die "Can't create: $!\n";
    print $fh "$_\n" for @streams;
    close($fh);

    rename("$dir/on$n.new", "$dir/on$n") or die "Can't rename: $!\n";
}

# the first server has no port in its id

sub id {
    my ($n) = @_;

    return $n == 1 ? '127.0.0.1' : "127.0.0.1:$n";
}

sub source {
    my ($key) = @_;
    my $stream = api('GET', "live/streams/$key");

    return $stream ? "$stream->{source} $stream->{server}" : 'unknown';
}

sub origin {
    my ($n, $file, $r) = @_;
    my ($name) = $r->{uri} =~ m!^/(\w+/\w+)!;

    return http_response(404, 'nothing here')
        unless grep { $_ eq $name } split(/\n/, slurp($file) || '');

    return http_response(200, "on $n");
}

###############################################################################
