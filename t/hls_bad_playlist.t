#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with playlists that are wrong or hostile: viewers get
# what the origin said or an error, other streams notice nothing, and nothing
# is fetched that nobody asked for.

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
worker_processes 1;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    upstream u {
        server 127.0.0.1:8081;
        keepalive 4;
    }

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache          hls;
            hls_cache_prefetch 2;
            proxy_pass         http://u;
            proxy_set_header   Connection "";
            proxy_http_version 1.1;

            add_header X-Status $hls_cache_status;
        }
    }
}

EOF

my %bodies = bodies();
my @names = sort keys %bodies;

$t->plan(5 * @names + 14);

my $o = hls_origin($t, port(8081));
my $other = hls_origin($t, port(8082));

$o->live('good', base => '/live', auto => 1, window => 60);
$o->set("/bad/$_/index.m3u8", body => $bodies{$_},
    type => 'application/vnd.apple.mpegurl') for @names;

$t->run();

###############################################################################

my ($r, @r, $start, $memory, $first);

good('at first');
$first = http_get_segment();

for my $name (@names) {
    $o->forget();

    # the second is asked for by many, with a segment of the good stream

    @r = hls_gets((map { { uri => "/bad/$name/index.m3u8", timeout => 8 } }
        1 .. 10), { uri => '/live/good/index.m3u8', after => 0.01 });

    my $good = pop @r;

    is(join(' ', grep { !acceptable($_, $bodies{$name}) } @r), '',
        "$name: as it is, or an error");
    is("$good->{status} $good->{complete}", '200 1',
        "$name: others are served");
    cmp_ok($good->{last}, '<', 4, "$name: in time");

    # many who ask at once are one to the origin; one try more is no loop

    cmp_ok($o->count("/bad/$name/index.m3u8"), '<=', 4,
        "$name: requests to the origin");
    is(hls_get('/live/good/index.m3u8')->{status}, 200, "$name: alive");
}

# the good stream belongs to nobody else

ok(hls_get($first)->{body} eq segment($first), 'segment of another stream');
like(hls_get($first)->{head}, qr/X-Status: HIT/, 'still there');
unlike(hls_get($first)->{head}, qr/no-store/, 'not a key');

# other hosts are named, and never asked

sleep(0.5);

is($other->count(), 0, 'other hosts');
is($other->connections(), 0, 'connections to other hosts');
is(join(' ', map { $_->{uri} } $o->requests(qr!^http|//|\.\.|%2e|passwd!i)),
    '', 'paths of the origin');

# a master that lists itself is not followed around

cmp_ok($o->count(qr!/bad/self/!), '<=', 4, 'self');

good('in the end');

$memory = hls_memory($t);
cmp_ok($memory->{window}, '<=', 16 * 1048576, 'memory of the cache');
cmp_ok($memory->{own}, '<', 96 * 1048576, 'memory of the worker');

###############################################################################

sub good {
    my ($what) = @_;
    my $r = hls_get('/live/good/index.m3u8');

    is($r->{status}, 200, "good, $what");
    like(hls_uris($r->{body}), qr/^\d+\.ts( \d+\.ts){59}$/,
        "good playlist, $what");
}

sub http_get_segment {
    my ($uri) = hls_uris(hls_get('/live/good/index.m3u8')->{body})
        =~ /(\S+)$/;

    ok(hls_get("/live/good/$uri")->{body} eq segment("/live/good/$uri"),
        'segment');

    return "/live/good/$uri";
}

sub segment {
    my ($uri) = @_;

    return hls_segment('good', '', 0, $uri =~ /(\d+)\.ts/);
}

# All of what the origin said, perhaps with other absolute addresses of the
# same, or a clear no.

sub acceptable {
    my ($r, $body) = @_;

    return 1 if $r->{status} =~ /^(404|50[0234])$/;
    return 0 unless $r->{status} == 200 && $r->{complete};
    return $r->{body} eq $body;
}

sub media {
    my (@lines) = @_;

    return join("\n", '#EXTM3U', '#EXT-X-VERSION:3', @lines, '');
}

sub bodies {
    my $host = 'http://127.0.0.1:' . port(8082);
    my @head = ('#EXT-X-TARGETDURATION:1', '#EXT-X-MEDIA-SEQUENCE:0');
    my @one = ('#EXTINF:1.0,', '0.ts');

    return (
        'lines' => media(@head, map { ('#EXTINF:1.0,', "$_.ts") }
            1 .. 500000),
        'line' => media(@head, '#EXTINF:1.0,' . 'x' x 10485760, '0.ts'),
        'uri' => media(@head, '#EXTINF:1.0,', 'x' x 10485760 . '.ts'),
        'attribute' => media(@head, '#EXT-X-MAP:URI="' . 'x' x 1048576 . '"',
            @one),
        'quote' => media(@head, '#EXT-X-MAP:URI="init.mp4', @one),
        'nul' => media(@head, "#EXTINF:1.0,\0", "0\0.ts", "\0"),
        'binary' => "#EXTM3U\n" . hls_bytes('binary', 100000),
        'control' => media(@head, "#EXTINF:1.0,\e[2J\x07", "\x01\x02.ts"),
        'dots' => media(@head, map { ('#EXTINF:1.0,', $_) }
            qw! ../good/0.ts ../../etc/passwd %2e%2e/good/0.ts
                %2e%2e%2f%2e%2e%2fetc%2fpasswd ..%2fgood%2f0.ts /live/good/0.ts
                ./././x.ts ..;/x.ts \..\..\x.ts !),
        'hosts' => media(@head, map { ('#EXTINF:1.0,', $_) }
            "$host/0.ts", "//127.0.0.1:" . port(8082) . "/1.ts",
            'file:///etc/passwd', 'http://[::1', 'http://', 'https:///x',
            "http:$host", 'unix:/tmp/x', 'http://user@127.0.0.1/x.ts'),
        'key' => media(@head,
            '#EXT-X-KEY:METHOD=AES-128,URI="/live/good/0.ts"',
            '#EXT-X-KEY:METHOD=AES-128,URI="/live/good/index.m3u8"', @one),
        'map' => media(@head, '#EXT-X-MAP:URI="/live/good/index.m3u8"', @one),
        'self' => media(map { ('#EXT-X-STREAM-INF:BANDWIDTH=1', $_) }
            'index.m3u8', 'index.m3u8?x=1', './index.m3u8', '/bad/self/'
            . 'index.m3u8', '../self/index.m3u8', 'index.m3u8?x=2'),
        'mixed' => media(@head, @one, '#EXT-X-STREAM-INF:BANDWIDTH=1',
            'index.m3u8', @one),
        'negative' => media('#EXT-X-TARGETDURATION:-1',
            '#EXT-X-MEDIA-SEQUENCE:-5', '#EXTINF:-1.0,', '0.ts'),
        'overflow' => media('#EXT-X-TARGETDURATION:99999999999999999999',
            '#EXT-X-MEDIA-SEQUENCE:18446744073709551615',
            '#EXT-X-DISCONTINUITY-SEQUENCE:18446744073709551616',
            '#EXTINF:1e400,', '0.ts', '#EXTINF:99999999999999999999.9,',
            '1.ts'),
        'almost' => media('#EXT-X-TARGETDURATION:1',
            '#EXT-X-MEDIA-SEQUENCE:18446744073709551614', @one,
            '#EXTINF:1.0,', '1.ts', '#EXTINF:1.0,', '2.ts'),
        'zero' => media('#EXT-X-TARGETDURATION:0', '#EXTINF:0,', '0.ts'),
        'numbers' => media('#EXT-X-TARGETDURATION:nan',
            '#EXT-X-MEDIA-SEQUENCE:0x10', '#EXTINF:inf,', '0.ts',
            '#EXTINF:,', '1.ts', '#EXTINF', '2.ts'),
        'html' => "<html><body>#EXTM3U\n0.ts\n</body></html>\n",
        'video' => "\x47\x40\x00\x10" . hls_bytes('video', 100000),
        'empty' => '',
        'only' => '#EXTM3U',
        'returns' => media(@head, @one) =~ s/\n/\r/gr,
        'bom' => "\xef\xbb\xbf" . media(@head, @one),
        'blanks' => ' ' x 100000,
        'newlines' => "#EXTM3U\n" . "\n" x 1000000,
        'discontinuities' => media(@head, ('#EXT-X-DISCONTINUITY') x 200000,
            @one),
    );
}

###############################################################################
