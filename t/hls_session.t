#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache_session_args: origins that give each viewer an argument
# are asked with one of the cache's own.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(52);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    add_header X-Status $hls_cache_status always;

    server {
        listen 127.0.0.1:8080;

        hls_cache hls;

        location / {
            hls_cache_args  q;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /other/ {
            hls_cache_session_args  token;
            proxy_pass              http://127.0.0.1:8081;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($r, @r, $p, $uri, $value, @values);

# SRS: a master that names itself

$o->live('s1', layout => 'srs', duration => 20);

$p = hls_parse(hls_get('/live/s1.m3u8')->{body});
$uri = $p->{variants}[0]{uri};
like($uri, qr!^/live/s1\.m3u8\?hls_ctx=\w+$!, 'SRS: master');

$p = hls_parse(hls_get($uri)->{body});
like($p->{segments}[0]{uri}, qr!^s1-0\.ts\?hls_ctx=\w+$!, 'SRS: media');

$r = hls_get("/live/$p->{segments}[0]{uri}");
ok($r->{body} eq hls_segment('s1', '', 0, 0), 'SRS: segment');

is(status("/live/s1.m3u8?hls_ctx=$_"), '200 HIT', "SRS: context $_")
    for qw/ abc 1 %2e /;
is(status("/live/s1-0.ts?hls_ctx=x"), '200 HIT', 'SRS: one segment');
is(status("/live/s1-0.ts"), '200 HIT', 'SRS: without a context');

@values = map { $_->{uri} =~ /hls_ctx=(\w+)/ ? $1 : () } $o->requests();
is(scalar(@values), 2, 'SRS: asked with a context');
is($values[0], $values[1], 'SRS: the same');

# media first, by somebody who has come back, or who invents

$o->live('s5', layout => 'srs', duration => 20);
@r = hls_gets(map { { uri => "/live/s5.m3u8?hls_ctx=old$_" } } 1 .. 20);
is(scalar(grep { $_->{status} == 200 && $_->{body} =~ /s5-0\.ts/ } @r), 20,
    'SRS: contexts that nobody has given');
is($o->count('/live/s5.m3u8'), 2, 'SRS: a master, then media');
unlike(join(' ', map { $_->{uri} } $o->requests(qr/s5/)), qr/old/,
    'SRS: not those of viewers');

# the origin forgets them all: viewers do not see it

$o->live('s2', layout => 'srs');
hls_get('/live/s2.m3u8?hls_ctx=old');

($value) = ($o->requests(qr/s2.*hls_ctx/))[-1]{uri} =~ /hls_ctx=(\w+)/;
$o->change('s2', forget => 1);
$o->advance('s2');
sleep(1.2);
$o->forget();

ok(hls_wait(sub {
    $r = hls_get("/live/s2.m3u8?hls_ctx=$value");
    $r->{body} =~ /STREAM-INF/ || $r->{body} =~ /s2-6\.ts/
}, 3), 'SRS: forgotten');
like($r->{body}, qr/s2-6\.ts/, 'SRS: no master for media');
cmp_ok($o->count('/live/s2.m3u8'), '<=', 6, 'SRS: asked anew');

# one that always answers by a master is given up

$o->set('/live/s3.m3u8', body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    . "s3.m3u8?hls_ctx=1\n");
$r = hls_get('/live/s3.m3u8?hls_ctx=1');
is($r->{status}, 502, 'nothing but masters');
cmp_ok($o->count('/live/s3.m3u8'), '<=', 3, 'bounded');

# arguments that are listed stay in front

$o->live('s4', layout => 'srs');
hls_get('/live/s4.m3u8?q=7');
hls_get('/live/s4.m3u8?hls_ctx=1&q=7');
like(($o->requests(qr/s4/))[-1]{uri}, qr/\?q=7&hls_ctx=\w+$/,
    'with a listed argument');

# OvenMediaEngine: a session, in URIs of other playlists

$o->live('o1', layout => 'ome');

$p = hls_parse(hls_get('/live/o1/llhls.m3u8')->{body});
$uri = "/live/o1/$p->{variants}[0]{uri}";
like($uri, qr!/chunklist_0_video_llhls\.m3u8\?session=\w+$!, 'OME: master');

$p = hls_parse(hls_get($uri)->{body});
like($p->{segments}[0]{uri}, qr/^seg_0_0_video_llhls\.m4s\?session=/,
    'OME: media');
$r = hls_get("/live/o1/$p->{segments}[0]{uri}");
is($r->{status}, 200, 'OME: segment');

($value) = $uri =~ /session=(\w+)/;
@values = map { $_->{uri} =~ /session=(\w+)/ ? $1 : () } $o->requests(qr/o1/);
is(join(' ', grep { $_ ne $value } @values), '', 'OME: one session');
like(status('/live/o1/chunklist_0_video_llhls.m3u8?session=9'),
    qr/^200 (?:HIT|EXPIRED)$/, 'OME: another session');
is(status('/live/o1/seg_0_0_video_llhls.m4s?session=9'), '200 HIT',
    'OME: one segment');

# the master is asked again, and the value stays

sleep(5.1);
$p = hls_parse(hls_get('/live/o1/llhls.m3u8')->{body});
like($p->{variants}[0]{uri}, qr/session=$value$/, 'OME: it stays');
is($o->count('/live/o1/llhls.m3u8'), 2, 'OME: master, later');

# a session that is over is answered by an error

$o->set('/over/m.m3u8', body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    . "c.m3u8?session=one\n");
$o->set('/over/c.m3u8', status => 404);
$o->set('/over/c.m3u8?session=one', { body => list(1) }, { status => 403 });
$o->set('/over/c.m3u8?session=two', body => list(2));

hls_get('/over/m.m3u8');
like(hls_get('/over/c.m3u8?session=one')->{body}, qr/^1\.ts/m, 'a session');
sleep(1.2);
ok(hls_wait(sub {
    hls_get('/over/c.m3u8?session=two')->{body} =~ /^2\.ts/m
}, 3), 'is over, a viewer has another');

# one that was away for a moment has the value that it had; if it is back just
# between a try with it and one without it may have another

for my $name (qw/ o2 o5 o6 /) {
    $o->live($name, layout => 'ome');
    $p = hls_parse(hls_get("/live/$name/llhls.m3u8")->{body});
    $uri = "/live/$name/$p->{variants}[0]{uri}";
    ($value) = $uri =~ /session=(\w+)/;
    hls_get($uri);

    $o->change($name, playlist_gone => 404);
    $r[0] = hls_wait(sub {
        hls_get($uri)->{headers}{'x-status'} eq 'STALE'
    }, 3);
    sleep(0.3);
    hls_get($uri);
    $o->change($name, playlist_gone => 0);
    $o->advance($name);
    $r[1] = hls_wait(sub {
        $r = hls_get($uri);
        $r->{headers}{'x-status'} ne 'STALE'
    }, 3);

    last if join(' ', sessions($r)) eq $value;
}

ok($r[0], 'OME: away');
ok($r[1], 'OME: back');
is(join(' ', sessions($r)), $value, 'OME: the same session');
$o->forget();
my ($o2) = $uri =~ m!^/live/(\w+)/!;
$o->advance($o2);
sleep(0.6);
is(join(' ', sessions(hls_get($uri))), $value, 'OME: and later');
is(join(' ', sessions($o->requests(qr!/$o2/chunklist!))), $value,
    'OME: and nothing else is tried');

# and so has one whose session was over, if nothing helps

$o->set('/keep/m.m3u8', body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    . "c.m3u8?session=one\n");
$o->set(qr!^/keep/c!, status => 404);
$o->set('/keep/c.m3u8?session=one', { body => list(1) }, { status => 404 },
    { body => list(2) });
hls_get('/keep/m.m3u8');
hls_get('/keep/c.m3u8?session=two');
sleep(0.7);
ok(hls_wait(sub {
    hls_get('/keep/c.m3u8?session=two')->{body} =~ /^2\.ts/m
}, 3), 'it is good again');
is(join(' ', map { $_->{uri} =~ /session=(\w+)/ ? $1 : '-' }
    $o->requests(qr!^/keep/c!)), 'one one - two one', 'what is tried');

# the value that comes with a media playlist

$o->live('o3', layout => 'ome');
$uri = '/live/o3/chunklist_0_video_llhls.m3u8?session=mine';
@values = ();

ok(hls_wait(sub {
    push @values, sessions(hls_get($uri));
    $o->advance('o3');
    sleep(0.2);
    return $o->count(qr!/o3/chunklist!) >= 3;
}, 8), 'OME: media alone');

is(scalar(() = unique(@values)), 1, 'OME: learned');
isnt($values[0], 'mine', 'OME: not from the viewer');
@r = $o->requests(qr!/o3/chunklist!);
is(join(' ', unique(map { (sessions($_), '-')[0] } @r)), join(' ', sort '-',
    $values[0]), 'OME: and used');

# a new one, if the one that is known is over and another comes

$o->set('/new/m.m3u8', { body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    . "c.m3u8?session=old\n" }, { body => "#EXTM3U\n"
    . "#EXT-X-STREAM-INF:BANDWIDTH=1\nc.m3u8?session=new\n" });
$o->set(qr!^/new/c!, status => 403);
$o->set('/new/c.m3u8?session=old', { body => list(1) }, { status => 403 });
$o->set('/new/c.m3u8?session=new', body => list(2));
hls_get('/new/m.m3u8');
like(hls_get('/new/c.m3u8?session=old')->{body}, qr/^1\.ts/m, 'old session');
sleep(0.7);
hls_get('/new/c.m3u8?session=old');
sleep(4.5);
hls_get('/new/c.m3u8?session=old');
like(hls_get('/new/m.m3u8')->{body}, qr/session=new/, 'master has a new one');
sleep(0.3);
ok(hls_wait(sub {
    hls_get('/new/c.m3u8?session=old')->{body} =~ /^2\.ts/m
}, 3), 'it is told');

# a viewer's value, if it is the only one that helps, is not given to others

$o->set('/v/m.m3u8', body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    . "c.m3u8?session=origin\n");
$o->set('/v/c.m3u8', status => 403);
$o->set('/v/c.m3u8?session=victim', body => "#EXTM3U\n"
    . "#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n1.ts?session=victim\n");

$r = hls_get('/v/c.m3u8?session=victim');
is($r->{status}, 200, 'value of a viewer');
is(join(' ', map { $_->{uri} } $o->requests(qr!^/v/c!)),
    '/v/c.m3u8 /v/c.m3u8?session=victim', 'is tried last');
like($r->{body}, qr/^1\.ts$/m, 'is not in what is kept');
unlike(hls_get('/v/c.m3u8?session=x')->{body}, qr/victim/, 'nor for others');
like(hls_get('/v/m.m3u8')->{body}, qr/^c\.m3u8\?session=origin$/m,
    'nor in the master');

# another name

$o->set('/other/m.m3u8', body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    . "c.m3u8?token=t1\n");
$o->set('/other/c.m3u8?token=t1', body => list(5));
hls_get('/other/m.m3u8');
is(hls_get('/other/c.m3u8?token=mine')->{status}, 200, 'another name');
is(join(' ', map { $_->{uri} } $o->requests(qr!other/c!)),
    '/other/c.m3u8?token=t1', 'asked with the value of the origin');

# values that make no sense are not kept

$o->set('/odd/m.m3u8', body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    . "c.m3u8?session=" . 'x' x 100 . "\n");
$o->set('/odd/c.m3u8', body => list(1));
hls_get('/odd/m.m3u8');
is(status('/odd/c.m3u8?session=' . 'x' x 100), '200 MISS', 'too long');
is(join(' ', map { $_->{uri} } $o->requests(qr!odd/c!)), '/odd/c.m3u8',
    'is not sent');

###############################################################################

sub status {
    my $r = hls_get(@_);

    return "$r->{status} $r->{headers}{'x-status'}";
}

# of URIs in an answer, or of a request

sub sessions {
    return unique(map {
        my $text = defined $_->{body} ? $_->{body} : $_->{uri};
        $text =~ /session=(\w+)/g
    } @_);
}

sub unique {
    my %seen = map { ($_ => 1) } @_;

    return sort keys %seen;
}

sub list {
    return join("\n", '#EXTM3U', '#EXT-X-TARGETDURATION:1',
        map { ("#EXTINF:1,", "$_.ts") } @_) . "\n";
}

###############################################################################
