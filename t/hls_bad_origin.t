#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with origins that answer wrongly, slowly, or without an
# end: what is cut short is never taken for the whole, and the next request
# asks again.

###############################################################################

use warnings;
use strict;

use Digest::MD5 qw/ md5_hex /;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    upstream u {
        server    127.0.0.1:8081;
        keepalive 4;
    }

    server {
        listen 127.0.0.1:8080;

        hls_cache_max_size     2m;
        hls_cache_fill_timeout 3s;

        location / {
            hls_cache          hls;
            proxy_pass         http://u;
            proxy_set_header   Connection "";
            proxy_http_version 1.1;
            proxy_read_timeout 2s;

            add_header X-Status $hls_cache_status always;
        }

        # an origin that has to make a lot gets the time for it

        location /much/ {
            hls_cache              hls;
            hls_cache_fill_timeout 20s;
            proxy_pass             http://u;
            proxy_set_header       Connection "";
            proxy_http_version     1.1;
        }

        location /unbuffered/ {
            hls_cache          hls;
            proxy_pass         http://u;
            proxy_set_header   Connection "";
            proxy_http_version 1.1;
            proxy_buffering    off;
        }
    }
}

EOF

my %cut = cut();
my @names = sort keys %cut;

$t->plan(8 * @names + 32);

my $o = hls_origin($t, port(8081));

$o->live('good', auto => 1);

$t->run();

###############################################################################

my ($r, @r, $memory, $start);

# ten who ask at once get it, or a part and the end of the connection; then the
# origin is well, and nothing of the first answer is left

my %parts = map {
    my $name = $_;
    map { ("$_/cut/$name.ts" => $cut{$name}) } '', '/unbuffered'
} @names;

for my $uri (sort keys %parts) {
    $o->set($uri, %{$parts{$uri}});
    @r = hls_gets(map { { uri => $uri } } 1 .. 10);

    is(join(' ', grep { $_->{status} == 200 && $_->{complete} } @r), '',
        "$uri: not complete");
    is(scalar(grep { ($_->{error} || '') eq 'timeout' } @r), 0,
        "$uri: nobody waits");

    $o->set($uri, size => 100000, seed => 'whole');
}

# an error may be remembered for a second

sleep(1.1);

for $r (hls_gets(map { { uri => $_ } } sort keys %parts)) {
    is("$r->{status} $r->{complete}", '200 1', "$r->{uri}: whole");
    ok($r->{body} eq hls_bytes('whole', 100000), "$r->{uri}: right");
}

# a playlist in two halves

$o->set('/cut/index.m3u8', length => 1000, close => 1, body =>
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n0.ts\n");
$r = hls_get('/cut/index.m3u8');
ok($r->{status} != 200, 'half of a playlist');

$o->live('cut', base => '');
$o->set('/cut/index.m3u8');
sleep(1.1);
$r = hls_get('/cut/index.m3u8');
is(hls_uris($r->{body}), '0.ts 1.ts 2.ts 3.ts 4.ts 5.ts', 'all of it');

# what it had is served while it is wrong

$o->set('/cut/index.m3u8', cut => 100, body => $r->{body});
sleep(0.6);
$r = hls_get('/cut/index.m3u8');
is("$r->{status} $r->{complete}", '200 1', 'stale instead of half');
is(hls_uris($r->{body}), '0.ts 1.ts 2.ts 3.ts 4.ts 5.ts', 'all of it');

# more than has room: a viewer has all of it, the cache nothing, and no memory
# is needed for what he does not read

$o->set('/much/big.ts', size => 10e9, seed => 'big');
$r = hls_get('/much/big.ts', stop => 20000000, body => 0);
is("$r->{status} " . ($r->{length} >= 20000000), '200 1', '10 GB');
is($r->{headers}{'content-length'}, 10e9, 'length of 10 GB');

ok(hls_wait(sub { ($o->requests('/much/big.ts'))[0]{end} }, 15),
    'nobody is there for 10 GB');
cmp_ok(($o->requests('/much/big.ts'))[0]{sent}, '<', 200e6,
    '10 GB are not read');

$o->set('/much/endless.ts', size => 10e9, length => 'none', seed => 'big');
$r = hls_get('/much/endless.ts', stop => 20000000, body => 0);
is("$r->{status} " . ($r->{length} >= 20000000), '200 1', 'no end');
is($r->{md5}, md5_hex(hls_bytes('big', $r->{length})), 'its bytes');
ok(hls_wait(sub { !grep { !$_->{end} } $o->requests('/much/endless.ts') }, 15),
    'nobody is there for no end');

$o->set('/much/chunked.ts', size => 10e9, chunked => 65536, seed => 'big');
$r = hls_get('/much/chunked.ts', stop => 20000000, body => 0);
is("$r->{status} " . ($r->{length} >= 20000000), '200 1', 'no end of chunks');

$o->set('/big/index.m3u8', size => 10e9, chunked => 65536);
$start = time();
$r = hls_get('/big/index.m3u8', stop => 6000000, body => 0, timeout => 6);
ok($r->{status} != 200 || !$r->{complete}, 'playlist of 10 GB');
cmp_ok(time() - $start, '<', 5, 'in time');

# a slow reader of something large

@r = hls_gets({ uri => '/much/big.ts', rate => 200000, stop => 200000 },
    map { { uri => '/live/good/index.m3u8', after => $_ / 10 } } 1 .. 5);
is(scalar(grep { $_->{complete} } @r), 5, 'others beside a slow reader');

$memory = hls_memory($t);
cmp_ok($memory->{window}, '<=', 16 * 1048576, 'memory of the cache');
cmp_ok($memory->{own}, '<', 48 * 1048576, 'memory of a worker');

# a byte a second: whoever waits sees them come, until it takes too long

$o->set('/trickle.ts', size => 100, pieces => [1, 1]);
@r = hls_gets((map { { uri => '/trickle.ts' } } 1 .. 3),
    map { { uri => '/live/good/index.m3u8', after => $_ / 2 } } 1 .. 5);
is(scalar(grep { $_->{complete} } @r), 5, 'others beside one byte a second');
is(scalar(grep { defined $_->{last} && $_->{last} < 6 } @r), 8,
    'one byte a second ends');
cmp_ok($o->count('/trickle.ts'), '<=', 4, 'one byte a second: requests');

$o->set('/unbuffered/trickle.ts', size => 100, pieces => [1, 0.2]);
$r = hls_get('/unbuffered/trickle.ts', stop => 3);
cmp_ok($r->{last}, '<', 6, 'bytes as they come');

# no answer at all

$o->set('/hang.ts', hang => 'head');
@r = hls_gets((map { { uri => '/hang.ts' } } 1 .. 20),
    { uri => '/live/good/index.m3u8', after => 0.2 });
is(scalar(grep { $_->{status} =~ /^50[34]$/ } @r), 20, 'hangs');
is(pop(@r)->{status}, 200, 'others beside one that hangs');
cmp_ok(hls_max('last', @r), '<', 4, 'hangs: an end');
cmp_ok($o->count('/hang.ts'), '<=', 3, 'hangs: requests');

$o->set('/hang.m3u8', size => 1000, hang => 500);
$r = hls_get('/hang.m3u8');
like($r->{status}, qr/^50[234]$/, 'a playlist hangs');

# headers that are no headers

$o->set('/header.ts', raw => "HTTP/1.1 200 OK\r\nX: " . 'x' x 100000
    . "\r\nContent-Length: 1\r\n\r\nx");
is(hls_get('/header.ts')->{status}, 502, 'long header');

$o->set('/status.ts', raw => "HTTP/1.1 99999 OK\r\n\r\n");
isnt(hls_get('/status.ts')->{status}, 200, 'bad status');

$o->set('/smuggle.ts', raw => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
    . "Content-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
$r = hls_get('/smuggle.ts');
ok($r->{status} == 502 || $r->{body} !~ /bad/, 'two lengths');

$o->set('/upgrade.ts', raw => "HTTP/1.1 101 Switching Protocols\r\n"
    . "Connection: upgrade\r\nUpgrade: x\r\n\r\nabc");
$r = hls_get('/upgrade.ts', timeout => 5);
isnt($r->{status}, 200, 'upgrade');

# the cache is as good as before

$r = hls_get('/live/good/index.m3u8');
is($r->{status}, 200, 'good');

@r = hls_gets(map { { uri => '/after.ts' } } 1 .. 20);
$o->set('/after.ts', size => 500000, delay => 0.1);
sleep(1.1);
$o->forget();
@r = hls_gets(map { { uri => '/after.ts' } } 1 .. 20);
is(scalar(grep { $_->{complete} && $_->{length} == 500000 } @r) . ' '
    . $o->count('/after.ts'), '20 1', 'one fetch for all');

###############################################################################

sub cut {
    my $head = "HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n";
    my $chunked = "${head}Transfer-Encoding: chunked\r\n\r\n";

    return (
        'close' => { size => 100000, cut => 50000 },
        'begin' => { size => 100000, cut => 1 },
        'none' => { size => 100000, cut => 0 },
        'reset' => { size => 100000, cut => 50000, reset => 1 },
        'short' => { size => 100000, length => 100001, close => 1 },
        'chunk' => { size => 100000, cut => 50000, chunked => 1000 },
        'last' => { raw => [$chunked . "3e8\r\n" . 'x' x 1000 . "\r\n"] },
        'garbage' => { raw => [$chunked . "3e8\r\n" . 'x' x 1000 . "\r\nxyz"
            . "\r\n" . 'y' x 1000] },
        'huge' => { raw => [$chunked . "ffffffffffffffff\r\n" . 'x' x 1000] },
        'zero' => { raw => [$head . "Content-Length: 1000\r\n\r\n"] },
        'nothing' => { raw => [''] },
        'line' => { raw => ["garbage\r\n\r\n"] },
        'half' => { raw => [substr($head, 0, 20)] },
    );
}

###############################################################################
