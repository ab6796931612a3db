#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the memory of hls_cache: objects that are large, many, or come
# without a length take no more than the zone, and push out nothing that is in
# use.

###############################################################################

use warnings;
use strict;

use Digest::MD5 qw/ md5_hex /;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant ZONE => 8 * 1024 * 1024;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(36);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
    worker_connections 2048;
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    hls_cache_zone hls 8m;
    hls_cache_max_size 2m;

    upstream u {
        server    127.0.0.1:8081;
        keepalive 32;
    }

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8443 ssl;

        ssl_certificate     localhost.crt;
        ssl_certificate_key localhost.key;

        location / {
            hls_cache          hls;
            proxy_pass         http://u;
            proxy_set_header   Connection "";
            proxy_http_version 1.1;

            add_header X-Status $hls_cache_status always;
        }
    }
}

EOF

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
    . "-keyout @{[$t->testdir()]}/localhost.key "
    . "-out @{[$t->testdir()]}/localhost.crt 2>/dev/null");

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    return { size => $2, $1 eq 'chunked' ? (chunked => 16384) : (),
        type => 'video/mp2t' } if $r->{path} =~ m!^/(known|chunked)/(\d+)/!;
    return undef;
});

$o->live('cam1', auto => 1, size => 100000);

$t->run();

###############################################################################

my ($r, @r, @uris, %seen);

is(memory($t), 1, 'in the beginning');

# ten times the zone, of known and of unknown length

for my $kind (qw/ known chunked /) {
    @uris = map { "/$kind/400000/$_.ts" } 1 .. 200;

    @r = map { hls_gets(map { { uri => $_ } } @uris[$_ * 20 .. $_ * 20 + 19]) }
        0 .. 9;

    is(scalar(grep { right($_, 400000) } @r), 200, "$kind: right");
    is(memory($t), 1, "$kind: memory");

    # what was asked for last is there: of many at once some have no room,
    # and the order of use is kept by the second

    sleep 2;

    hls_get($_) for @uris[190 .. 199];
    $o->forget();
    @r = hls_gets(map { { uri => $_ } } @uris[190 .. 199]);
    is(scalar(grep { right($_, 400000) } @r), 10, "$kind: the newest");
    is($o->count(), 0, "$kind: are there");
}

# many small ones

@r = map { hls_gets(map { { uri => "/known/100/" . rand() . '.ts' } }
    1 .. 250) } 1 .. 8;

is(scalar(grep { right($_, 100) } @r), 2000, 'small: right');
is(memory($t), 1, 'small: memory');

# just below, at, and above the largest; larger than the zone

for my $size (2097151, 2097152, 2097153, 9000000) {
    for my $kind (qw/ known chunked /) {
        @r = hls_gets(map { { uri => "/$kind/$size/1.ts" } } 1, 2);
        is(scalar(grep { right($_, $size) } @r), 2, "$kind $size");
    }
}

is(memory($t), 1, 'large: memory');

# ranges of what is too large are ranges of it, whoever cuts them

$r = hls_get('/known/9000000/1.ts', headers => ['Range: bytes=10-19']);
ok($r->{status} == 206 && $r->{body} eq part('/known/9000000/1.ts', 10, 10)
    || $r->{status} == 200 && $r->{length} == 9000000, 'range of a large one');

# what is being read stays, however much comes meanwhile

@r = hls_gets((map { { uri => '/known/1000000/slow.ts', rate => 700000,
    ssl => 0, timeout => 20 } } 1 .. 10),
    map { { uri => '/known/1000000/' . $_ . '.ts', after => 0.2 + $_ / 50 } }
    1 .. 50);

is(scalar(grep { right($_, 1000000) } @r), 60, 'slow readers: right');
is(memory($t), 1, 'slow readers: memory');

# more readers than there is room for objects

@r = hls_gets(map { { uri => "/known/1500000/r$_.ts", rate => 1500000,
    timeout => 20 } } 1 .. 16);

is(scalar(grep { right($_, 1500000) } @r), 16, 'no room: right');
is(memory($t), 1, 'no room: memory');

# and over TLS, where they are read from memory

for my $n (1 .. 3) {
    $r = hls_get("/known/1500000/tls$n.ts", ssl => 1);
    ok(right($r, 1500000), "TLS $n");
}

# a live stream beside all of that

$r = hls_get('/live/cam1/index.m3u8');
is($r->{status}, 200, 'live');
like($r->{headers}{'x-status'}, qr/^(?:MISS|EXPIRED|HIT)$/, 'live: status');

my ($last) = hls_uris($r->{body}) =~ /(\S+)$/;
$r = hls_get("/live/cam1/$last");
is($r->{length}, 100000, 'live: segment');

$r = hls_get("/live/cam1/$last");
is($r->{headers}{'x-status'}, 'HIT', 'live: kept');

# nothing is left of those who went away in the middle

@r = hls_gets(map { { uri => '/known/2000000/' . $_ . '.ts', stop => 1000,
    reset => $_ % 2 } } 1 .. 50);
ok(hls_wait(sub { !grep { !$_->{end} } $o->requests() }), 'nothing under way');
is(memory($t), 1, 'aborted: memory');

@r = hls_gets(map { { uri => "/known/400000/end$_.ts" } } 1 .. 10);
is(scalar(grep { right($_, 400000) } @r), 10, 'in the end');

$o->forget();
@r = hls_gets(map { { uri => "/known/400000/end$_.ts" } } 1 .. 10);
is($o->count(), 0, 'all of them kept');

###############################################################################

# Within the zone, and workers have no copies of it.

sub memory {
    my ($t) = @_;
    my $m = hls_memory($t);

    return 1 if $m->{window} <= ZONE && $m->{own} < 32 * 1048576;
    return "window $m->{window} own $m->{own}";
}

sub right {
    my ($r, $size) = @_;

    return 0 unless $r->{status} == 200 && $r->{complete}
        && $r->{length} == $size;

    $seen{$r->{uri}} ||= md5_hex(hls_bytes($r->{uri}, $size));

    return $r->{md5} eq $seen{$r->{uri}};
}

sub part {
    my ($uri, $from, $size) = @_;

    return hls_bytes($uri, $size, $from);
}

###############################################################################
