#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache of a proxy in front of another proxy: osp_force, keys,
# what is told of ages, what is not there, and purging.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip proxy/)->plan(41)
    ->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

# the child

rtmp_route child {
    resolver   127.0.0.1;
    osp_core   http://127.0.0.1:%%PORT_8089%% interval=60s;
    osp_force  127.0.0.1 type=proxy port=%%PORT_8082%%;
}

# the parent

rtmp_route parent {
    resolver  127.0.0.1;
    osp_core  http://127.0.0.1:%%PORT_8089%% interval=60s;
    server    127.0.0.1 http=%%PORT_8081%%;
    unknown   pick;
}

# what says anything of its age

rtmp_route strange {
    server 127.0.0.1 http=%%PORT_8085%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone one 8m;
    hls_cache_zone two 8m;

    # the core lets anybody in who is at 127.0.0.1

    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Forwarded-For;

    add_header X-Status $hls_cache_status always;
    add_header X-Age    $hls_cache_age    always;

    upstream child {
        rtmp_route child http;
        keepalive  8;
    }

    upstream parent {
        rtmp_route parent http;
    }

    upstream strange {
        rtmp_route strange http;
    }

    # the child, and its own address

    server {
        listen       127.0.0.1:8080;
        server_name  child;

        location / {
            hls_cache        one;
            hls_cache_auth   osp;

            rtmp_route       child;
            proxy_pass       $rtmp_route_scheme://child;
            proxy_bind       127.0.0.2;
            proxy_set_header Host $host;
            proxy_http_version 1.1;
            proxy_set_header   Connection "";
        }

        location /strange/ {
            hls_cache  one;
            rtmp_route strange;
            proxy_pass http://strange;
        }

        location /foreign/ {
            hls_cache  one;
            proxy_pass http://127.0.0.1:%%PORT_8085%%;
        }

        location /honor/ {
            hls_cache               one;
            hls_cache_honor_headers on;
            proxy_pass http://127.0.0.1:%%PORT_8085%%;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }

    # the parent: for proxies ...

    server {
        listen       127.0.0.1:8082;
        server_name  parent;

        allow  127.0.0.2;
        deny   all;

        location / {
            hls_cache      two;
            hls_cache_auth off;
            rtmp_route     parent;
            proxy_pass     http://parent;
        }
    }

    # ... and for viewers

    server {
        listen       127.0.0.1:8083;
        server_name  parent;

        location / {
            hls_cache      two;
            hls_cache_auth osp;
            rtmp_route     parent;
            proxy_pass     http://parent;
        }
    }
}

EOF_CONF

my $core = osp_core($t, port(8089));

$core->user('user', 'secret');
$core->channel('prot', protected => 1, owner => 'user');
$core->channel('cam1');

my $o = hls_origin($t, port(8081));
my $strange = hls_origin($t, port(8085));

$t->run();

###############################################################################

my ($p, $q, $r, @r);

# through both

$o->live('cam1');

$r = hls_get('/live/cam1/index.m3u8');
is($r->{body}, $o->answer('/live/cam1/index.m3u8')->{body}, 'playlist');
is($r->{headers}{'x-hls-age'}, undef, 'no viewer is told');
is(hls_get('/live/cam1/3.ts')->{body}, $o->answer('/live/cam1/3.ts')->{body},
    'segment');
is(hls_get('/live/cam1/3.ts', port => port(8083))->{headers}{'x-status'},
    'HIT', 'of both servers of the parent');
is($o->count('/live/cam1/3.ts'), 1, 'asked for once');
is(hls_get('/live/cam1/index.m3u8', port => port(8082))->{status}, 403,
    'for proxies only');
is($core->count('rtmpCheck', channel => 'cam1') || 0,
    $core->count('rtmpCheck') || 0, 'nothing else was asked of the core');

# who asks is told, and it is no secret

@r = map { hls_get($_, port => port(8083), headers => ['X-HLS-Age: ms']) }
    '/live/cam1/index.m3u8', '/live/cam1/3.ts', '/live/absent/index.m3u8';

like($r[0]{headers}{'x-hls-age'}, qr/^changed=\d+, fetched=\d+$/, 'playlist');
like($r[1]{headers}{'x-hls-age'}, qr/^changed=\d+, fetched=\d+$/, 'segment');
is($r[2]{status}, 404, 'not there');
like($r[2]{headers}{'x-hls-age'}, qr/^changed=\d+, fetched=\d+$/, 'error');

$r = hls_get('/live/cam1/index.m3u8', headers => ['X-HLS-Age: ms']);
like($r->{headers}{'x-hls-age'}, qr/^changed=\d+, fetched=\d+$/,
    'by the child as well');

# a viewer of the child sees the age that it has at the parent

$o->live('cam2');
hls_get('/live/cam2/index.m3u8', port => port(8083));
sleep(2.1);
$r = hls_get('/live/cam2/index.m3u8');
cmp_ok($r->{headers}{'x-age'}, '>=', 2, 'age of the content');
sleep(1.2);
$r = hls_get('/live/cam2/index.m3u8');
is($r->{headers}{'x-status'}, 'STALE', 'stands still there, so here');

# what is stale there is not new here

$o->live('cam3', auto => 1);
hls_get('/live/cam3/index.m3u8', port => port(8083));
hls_get('/live/cam3/index.m3u8');
$o->change('cam3', playlist_gone => 500);

my ($gone, $last) = (time(), 0);

while (time() < $gone + 10) {
    $r = hls_get('/live/cam3/index.m3u8');
    last if $r->{status} != 200;
    $last = time() - $gone;
    sleep(0.1);
}

cmp_ok($last, '>', 0, 'stale');
cmp_ok($last, '<', 5, 'for three target durations, not six');
like($r->{status}, qr/^(?:404|503)$/, 'then it is over');

# what is not there is not for longer at two places

is(hls_get('/live/cam4/index.m3u8')->{status}, 404, 'not there');
$o->live('cam4');

my $begin = time();
hls_wait(sub { hls_get('/live/cam4/index.m3u8')->{status} == 200 });
cmp_ok(time() - $begin, '<', 2, 'there soon after');

# keys are guarded by each for its own viewers

$o->live('prot', keys => 1, key_uri => '/keys/%s/%d.key');
$p = hls_get('/live/prot/index.m3u8');
my ($key) = $p->{body} =~ m!URI="(/keys/[^"]+)"!;
my $token = $core->header('prot', 'user');

my $from = 'X-Forwarded-For: 203.0.113.7';

is(hls_get($key, headers => [$token, $from])->{body}, $o->answer($key)->{body},
    'a key, through both');
is(hls_get($key, headers => [$from])->{status}, 403, 'not without a token');
is(hls_get($key, port => port(8083), headers => [$from])->{status}, 403,
    'nor at the parent');
is(hls_get($key, port => port(8082), headers => [$from])->{status}, 403,
    'nor where proxies get it');
is(hls_get($key, port => port(8083), headers => [$token, $from])->{status},
    200, 'with a token there');
is($o->count($key), 1, 'asked for once');
is(scalar(grep { $o->header($_, 'x-token-session') } $o->requests()), 0,
    'no token of a viewer');

# a broadcast that begins again: names that the parent gives are passed on

$o->live('cam5', start => 100);
hls_get('/live/cam5/index.m3u8');
hls_get("/live/cam5/$_.ts") for 103 .. 105;
$o->restart('cam5', start => 103, initial => 1);

ok(hls_wait(sub {
    $p = hls_get('/live/cam5/index.m3u8')->{body};
    $p =~ /^103\.ts\?g=1$/m
}), 'begins again');

ok(hls_get('/live/cam5/103.ts')->{body} eq hls_segment('cam5', '', 0, 103),
    'old');
ok(hls_get('/live/cam5/103.ts?g=1')->{body}
    eq hls_segment('cam5', '', 1, 103), 'new of the same name');

# purged: first at the parent

$o->set('/live/purge/1.ts', body => 'one');
is(hls_get('/live/purge/1.ts')->{body}, 'one', 'cached');
$o->set('/live/purge/1.ts', body => 'two');

is(purge('one'), 204, 'purged at the child');
is(hls_get('/live/purge/1.ts')->{body}, 'one', 'the parent has it');
is(purge('two') . purge('one'), '204204', 'purged at both');
is(hls_get('/live/purge/1.ts')->{body}, 'two', 'from the origin');

# whatever is said of an age

my $body = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n";

sub strange {
    my ($where, $name, @headers) = @_;

    $strange->set("/$where/$name.m3u8", body => $body, headers => \@headers);
    $r = hls_get("/$where/$name.m3u8");

    return "$r->{status} " . ($r->{headers}{'x-age'} // 'none');
}

is(strange('strange', 'old', 'X-HLS-Age: changed=4000, fetched=1000'), '200 4',
    'of a server of the route');
is(strange('strange', 'huge',
    'X-HLS-Age: changed=99999999999999999999, fetched=1'), '200 0', 'huge');
is(strange('strange', 'negative', 'X-HLS-Age: changed=-5, fetched=-7'),
    '200 0', 'negative');
is(strange('strange', 'garbage', 'X-HLS-Age: ,=,;=%00x, fetched'), '200 0',
    'garbage');
is(strange('foreign', 'old', 'X-HLS-Age: changed=4000, fetched=1000'), '200 0',
    'of somebody else');

# the Age of other caches counts where their headers do

strange('honor', 'age', 'Cache-Control: max-age=100', 'Age: 98');
hls_wait(sub { hls_get('/honor/age.m3u8'); $strange->count('/honor/age.m3u8')
    > 1 }, 5);
cmp_ok($strange->count('/honor/age.m3u8'), '>', 1, 'Age');

strange('foreign', 'age', 'Age: 98');
is($r->{headers}{'x-status'}, 'MISS', 'Age, not heard');

###############################################################################

sub purge {
    my ($zone) = @_;
    my $uri = "/api/1/caches/$zone/?uri=/live/purge/1.ts";

    return hls_get('', raw => "DELETE $uri HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\n\r\n")->{status};
}

###############################################################################
