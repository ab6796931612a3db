#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the origin of live streams and the viewers of the test library.

###############################################################################

use warnings;
use strict;

use Digest::MD5 qw/ md5_hex /;
use POSIX qw//;
use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(83);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream u {
        server 127.0.0.1:8081;
        keepalive 4;
    }

    server {
        listen 127.0.0.1:8080;

        location / {
            proxy_pass http://u;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 1s;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    return { body => "code $r->{method}" } if $r->{path} eq '/code';
    return undef;
});

$t->run();

my ($r, @r, $p, $k, $start);

###############################################################################

# answers

$o->set('/a', body => 'one', type => 'text/plain', headers => ['X-A: 1']);

$r = hls_get('/a', headers => ['X-B: 2']);
is("$r->{status} $r->{body} $r->{complete}", '200 one 1', 'answer');
is($r->{headers}{'content-type'}, 'text/plain', 'type');
is($r->{headers}{'x-a'}, '1', 'header');

is($o->count('/a'), 1, 'count');
is($o->header(($o->requests('/a'))[0], 'x-b'), '2', 'header of the request');
like(($o->requests('/a'))[0]{head}, qr!^GET /a HTTP/1.1\r\nHost: u\r\n!,
    'head of the request');
is(($o->requests(qr/a/))[0]{end}, 'ok', 'end of the request');

is(hls_get('/code')->{body}, 'code GET', 'code');
is(hls_get('/none')->{status}, 404, 'not found');

$o->set('/a', { status => 500 }, { body => 'two' });
is(hls_get('/a')->{status}, 500, 'the first answer');
is(hls_get('/a')->{body}, 'two', 'the second answer');
is(hls_get('/a?b')->{body}, 'two', 'with arguments');

$o->set('/a?b', body => 'args');
is(hls_get('/a?b')->{body}, 'args', 'arguments');

$o->set('/a');
is(hls_get('/a')->{status}, 404, 'not set any more');

$o->set(qr!^/re/!, body => 'pattern');
is(hls_get('/re/x')->{body}, 'pattern', 'pattern');

$o->set('/head', body => 'x' x 100);
$r = hls_get('/head', method => 'HEAD');
is("$r->{complete} $r->{length} $r->{headers}{'content-length'}", '1 0 100',
    'HEAD');

# bodies

$o->set('/big', size => 3000000, seed => 'big');
$r = hls_get('/big', body => 0);
is($r->{md5}, md5_hex(hls_bytes('big', 3000000)), 'bytes');
is(hls_bytes('big', 10, 70000), substr(hls_bytes('big', 3000000), 70000, 10),
    'part of the bytes');

$o->set('/chunked', size => 100000, chunked => 1000);
$r = hls_get('/chunked');
is("$r->{complete} $r->{md5}", '1 ' . md5_hex(hls_bytes('/chunked', 100000)),
    'chunked');

$o->set('/none', size => 100000, length => 'none');
$r = hls_get('/none');
is("$r->{complete} $r->{length}", '1 100000', 'no length');

$o->set('/cut', size => 100000, cut => 50000);
$r = hls_get('/cut');
is("$r->{complete} $r->{length} $r->{error}", '0 50000 closed', 'cut');

$o->set('/cut', size => 100000, cut => 50000, chunked => 1);
$r = hls_get('/cut');
is("$r->{complete} $r->{length} $r->{error}", '0 50000 closed', 'cut chunks');

$o->set('/reset', size => 100000, cut => 50000, reset => 1);
$r = hls_get('/reset', port => port(8081));
is("$r->{complete} $r->{error}", '0 reset', 'reset');

$o->set('/long', size => 100, length => 200, close => 1);
$r = hls_get('/long');
is("$r->{complete} $r->{length}", '0 100', 'wrong length');

$o->set('/raw', raw => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    [0.1], "zz\r\n"]);
is(hls_get('/raw')->{complete}, 0, 'garbage');

# times

$o->set('/slow', size => 50, delay => 0.2, pause => 0.2, pieces => [10, 0.02]);
$r = hls_get('/slow');
cmp_ok($r->{first}, '>', 0.19, 'delay');
cmp_ok($r->{body_at}, '>', 0.39, 'pause');
cmp_ok($r->{last}, '>', 0.47, 'pieces');
is($r->{length}, 50, 'length');

$o->set('/hang', size => 1000, hang => 500);
$r = hls_get('/hang', port => port(8081), timeout => 0.3);
is("$r->{length} $r->{error}", '500 timeout', 'hangs');
is($o->wait('/hang')->{end} // hls_wait(sub {
    ($o->requests('/hang'))[0]{end} }), 'aborted', 'aborted');

$o->set('/hang', hang => 'head');
$r = hls_get('/hang');
is($r->{status}, 504, 'hangs before the header');

# many at once

$o->set('/herd', size => 20000, delay => 0.3);

$start = time();
@r = hls_gets(map { { uri => '/herd', after => $_ % 2 ? 0 : 0.1 } } 1 .. 200);
is(scalar(grep { $_->{complete} && $_->{length} == 20000 } @r), 200, 'herd');
cmp_ok(time() - $start, '<', 3, 'at once');
cmp_ok(hls_max('last', @r), '<', 3, 'times');
is($o->count('/herd'), 200, 'requests of the herd');
cmp_ok($o->most('/herd'), '>', 100, 'under way at once');

$o->forget();
is($o->count(), 0, 'forgotten');

# viewers

$r = hls_get('/big', stop => 1000);
ok($r->{length} >= 1000 && !$r->{complete}, 'stopped');

$r = hls_get('/big', stop => 0, reset => 1);
is("$r->{length} $r->{status}", '0 0', 'reset after the request');

$o->set('/small', size => 30000);
$r = hls_get('/small', rate => 40000);
ok($r->{complete} && $r->{last} > 0.5, 'slow');

$k = hls_client();
is($k->get('/code')->{body} . $k->get('/code')->{reused}, 'code GET1',
    'keepalive');

is(hls_get('/code', port => port(8082))->{error}, 'connect', 'no server');

# layouts

$o->live('one', base => '/n', target => 2, initial => 2);
is(hls_uris(hls_get('/n/one/index.m3u8')->{body}), '0.ts 1.ts', 'nested');
is(hls_get('/n/one/1.ts')->{body}, hls_segment('one', '', 0, 1), 'segment');
is(hls_get('/n/one/2.ts')->{status}, 404, 'no segment');

$o->advance('one', 6);
$p = hls_parse(hls_get('/n/one/index.m3u8')->{body});
is("$p->{sequence} $p->{target} " . @{$p->{segments}}, '2 2 6', 'window');

is($o->restart('one'), 1, 'restart');
is(hls_uris(hls_get('/n/one/index.m3u8')->{body}), '0.ts', 'begins again');
is(hls_get('/n/one/0.ts')->{body}, hls_segment('one', '', 1, 0),
    'another segment');

$o->change('one', playlist_gone => 404);
is(hls_get('/n/one/index.m3u8')->{status}, 404, 'no playlist');
is(hls_get('/n/one/0.ts')->{status}, 200, 'with segments');

$o->change('one', playlist_gone => 0, endlist => 1, discontinuity => 1);
$p = hls_parse(hls_get('/n/one/index.m3u8')->{body});
is("$p->{endlist} $p->{segments}[0]{discontinuity}", '1 1', 'tags');

$o->live('two', layout => 'flat', base => '/f', window => 2, keys => 1);
$r = hls_get('/f/two.m3u8');
is(hls_uris($r->{body}), 'two-0.ts two-1.ts', 'flat');
like($r->{body}, qr!^#EXT-X-KEY:METHOD=AES-128,URI="/keys/two/0.key",IV=0x0!m,
    'key');
is(hls_get('/f/two-1.ts')->{status}, 200, 'segment');
is(hls_get('/keys/two/0.key')->{body}, hls_key('two', 0, 0), 'key');

$o->live('v', layout => 'variants', base => '/v');
is(hls_uris(hls_get('/v/v.m3u8')->{body}),
    'v_480/index.m3u8 v_720/index.m3u8 v_src/index.m3u8', 'variants');
is(hls_uris(hls_get('/v/v_src/index.m3u8')->{body}), join(' ',
    map { "$_.ts" } 0 .. 5), 'variant');
is(hls_get('/v/v_src/0.ts')->{body}, hls_segment('v', 'src', 0, 0), 'segment');

$o->live('s', layout => 'srs', base => '/srs', window => 1);
my ($uri) = hls_uris(hls_get('/srs/s.m3u8')->{body});
like($uri, qr!^/srs/s\.m3u8\?hls_ctx=\w+$!, 'srs');
like(hls_uris(hls_get($uri)->{body}), qr!^s-0\.ts\?hls_ctx=\w+$!, 'context');
$o->change('s', forget => 1);
is(hls_uris(hls_get($uri)->{body}), $uri, 'context expired');
is(hls_get('/srs/s-0.ts')->{status}, 200, 'segment');

$o->live('o', layout => 'ome', base => '/app', window => 2);
($uri) = hls_uris(hls_get('/app/o/llhls.m3u8')->{body});
like($uri, qr/^chunklist_0_video_llhls\.m3u8\?session=\w+$/, 'ome');

$r = hls_get("/app/o/$uri");
like($r->{body}, qr/EXT-X-PRELOAD-HINT:TYPE=PART,URI="part_0_2_0_/, 'parts');
like($r->{headers}{'cache-control'}, qr/no-store/, 'no-store');

$r = fork_advance("/app/o/$uri&_HLS_msn=2&_HLS_part=0");
like($r->{body}, qr/EXT-X-PART:DURATION=0.250,URI="part_0_2_0_/, 'blocked');

$o->live('x', layout => 'ant', base => '/ant');
($uri) = split(/ /, hls_uris(hls_get('/ant/streams/x_adaptive.m3u8')->{body}));
is($uri, 'x_480p.m3u8', 'ant');
like(hls_uris(hls_get("/ant/streams/$uri")->{body}), qr/^x_480p0000\.ts /,
    'variant');
is(hls_get('/ant/streams/x_480p0001.ts')->{status}, 200, 'segment');

$o->live('d', layout => 'dash', base => '/dash');
like(hls_get('/dash/d/index.mpd')->{body}, qr/startNumber="0".* r="5"/s,
    'dash');

# time

$o->live('a', base => '/auto', duration => 0.1, initial => 0, window => 100);
$o->change('a', auto => 1);
ok(hls_wait(sub {
    @{hls_parse(hls_get('/auto/a/index.m3u8')->{body})->{segments}} >= 3
}), 'by itself');

# a viewer that goes on watching

$o->live('w', base => '/w', target => 1, duration => 0.2, window => 5,
    auto => 1);

my $v = hls_viewer($t, '/w/w/index.m3u8', every => 0.1);
ok(hls_wait(sub { $v->report()->{segments} >= 10 }), 'viewer');
is($v->faults(), '', 'viewer finds no faults');

$r = $v->report();
is($r->{listed}{6}[1], md5_hex(hls_segment('w', '', 0, 6)), 'its segments');
cmp_ok($r->{gap}, '<', 1, 'its longest gap');

$v = hls_viewer($t, '/w/w/index.m3u8', every => 0.1);
hls_wait(sub { $v->report()->{segments} >= 7 });
$o->restart('w');
$o->change('w', playlist_gone => 404);
hls_wait(sub { @{$v->report()->{faults}} });
$o->change('w', playlist_gone => 0);
hls_wait(sub { @{$v->report()->{faults}} >= 3 });
like($v->faults(), qr/: status 404, complete/, 'viewer finds a 404');
like($v->faults(), qr/: sequence went back from \d+ to 0/,
    'viewer finds a restart');

# its process

$o->signal('STOP');
is(hls_get('/code', timeout => 0.2)->{error}, 'timeout', 'stopped');
$o->signal('CONT');
is(hls_get('/code')->{status}, 200, 'goes on');

$o->stop();
is(hls_get('/code')->{status}, 502, 'gone');

$o->start();
is(hls_get('/code')->{status}, 200, 'here again');

###############################################################################

# A request that waits, and what ends its waiting.

sub fork_advance {
    my ($uri) = @_;
    my $pid;

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        select(undef, undef, undef, 0.2);
        $o->advance('o', 0.25);
        POSIX::_exit(0);
    }

    $r = hls_get($uri);
    waitpid($pid, 0);

    return $r;
}

###############################################################################
