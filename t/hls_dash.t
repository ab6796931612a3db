#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with DASH.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(22);

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

        location / {
            hls_cache   hls;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /api/ {
            rtmp_route_api;
        }
    }
}

EOF

my $o = hls_origin($t, port(8081));

$t->run();

###############################################################################

my ($r, @r, $c);

# as long as minimumUpdatePeriod says

$o->live('d1', layout => 'dash', target => 1);
$r = hls_get('/live/d1/index.mpd');
is("$r->{status} $r->{headers}{'x-status'}", '200 MISS', 'manifest');
is($r->{headers}{'content-type'}, 'application/dash+xml', 'type');
is($r->{body}, $o->answer('/live/d1/index.mpd')->{body}, 'as it is');
like($r->{headers}{etag}, qr/^"[0-9a-f]{32}"$/, 'ETag');
sleep(0.5);
is(status('/live/d1/index.mpd'), '200 HIT', 'for a second');

$o->live('d2', layout => 'dash', target => 1);
hls_get('/live/d2/index.mpd');
sleep(1.1);
$o->advance('d2');
$r = hls_get('/live/d2/index.mpd');
is($r->{headers}{'x-status'}, 'EXPIRED', 'and no longer');
like($r->{body}, qr/startNumber="1"/, 'the next one');

# two seconds without one

$o->set("/no$_/index.mpd", body => mpd('type="dynamic"')) for 1, 2;
hls_get("/no$_/index.mpd") for 1, 2;
sleep(1.5);
is(status('/no1/index.mpd'), '200 HIT', 'no period');
is($o->count('/no1/index.mpd'), 1, 'one request');
sleep(0.7);
is(status('/no2/index.mpd'), '200 EXPIRED', 'no period, later');

# many at once

@r = hls_gets(map { { uri => '/live/d1/init.m4s' } } 1 .. 20);
is(scalar(grep { $_->{status} == 200 } @r), 20, 'init');
is($o->count('/live/d1/init.m4s'), 1, 'one request for all');

# segments belong to the stream of the manifest

is(status('/live/d1/5.m4s'), '200 MISS', 'segment');
is(status('/live/d1/5.m4s'), '200 HIT', 'segment again');

$c = decode_json(hls_get('/api/1/caches/hls/streams/')->{body});
is($c->{'live/d1'}{objects}, 3, 'objects of the stream');

# and live as long as it keeps them

$o->set('/depth/index.mpd', body => mpd('type="dynamic" '
    . 'timeShiftBufferDepth="PT2M" minimumUpdatePeriod="PT1S"'));
$o->set('/depth/1.m4s', size => 1000);
hls_get('/depth/index.mpd');
hls_get('/depth/1.m4s');
$r = hls_get('/depth/1.m4s');
like($r->{headers}{'cache-control'}, qr/^max-age=1[12]\d$/, 'life');

# what is over

$o->set('/vod/index.mpd', body => mpd('type="static" '
    . 'mediaPresentationDuration="PT10S"'));
hls_get('/vod/index.mpd');
sleep(2.2);
is(status('/vod/index.mpd'), '200 HIT', 'static');
is($o->count('/vod/index.mpd'), 1, 'static: one request');

# stale, and lies

$o->live('d3', layout => 'dash', target => 1);
hls_get('/live/d3/index.mpd');
$o->change('d3', gone => 404);
sleep(1.2);
hls_get('/live/d3/index.mpd');
is(status('/live/d3/index.mpd'), '200 STALE', 'stale');

$o->set('/lie/index.mpd', body => "<html>\n</html>\n");
$r = hls_get('/lie/index.mpd');
is("$r->{status} $r->{body}", "200 <html>\n</html>\n", 'not a manifest');
sleep(1.1);
is(status('/lie/index.mpd'), '200 MISS', 'is not kept');

# compressed once

$r = hls_get('/live/d2/index.mpd', headers => ['Accept-Encoding: gzip']);
is(hls_gunzip($r->{body}), hls_get('/live/d2/index.mpd')->{body}, 'gzip');

###############################################################################

sub status {
    my $r = hls_get(@_);

    return "$r->{status} $r->{headers}{'x-status'}";
}

sub mpd {
    return <<"EOF";
<?xml version="1.0"?>
<MPD $_[0] xmlns="urn:mpeg:dash:schema:mpd:2011">
  <Period id="0" start="PT0S">
    <AdaptationSet mimeType="video/mp4">
      <SegmentTemplate timescale="1" duration="2" media="\$Number\$.m4s"/>
      <Representation id="0" bandwidth="800000"/>
    </AdaptationSet>
  </Period>
</MPD>
EOF
}

###############################################################################
