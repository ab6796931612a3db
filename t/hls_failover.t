#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with real programs, when the origin of a stream dies: the
# encoder is moved to another one, or comes back, and viewers go on, Chromium
# with hls.js, ffmpeg and one that checks each playlist.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Browser;
use Test::Nginx::HLS;
use Test::Nginx::HLS::Real;
use Test::Nginx::Media;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite stream/);

need_browser(need_media($t))->plan(16);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8091 http=%%PORT_8092%%;
    server 127.0.0.1:8093 http=%%PORT_8094%% backup;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen              127.0.0.1:8090;
        osp_upstream        live;
        osp_upstream_resume on;
    }

    server {
        listen       127.0.0.1:8089;
        osp_upstream live;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format test '$msec $status $hls_cache_status $uri';
    access_log %%TESTDIR%%/hls.log test;

    upstream origin {
        rtmp_route live http;
        keepalive  32;
    }

    hls_cache_zone hls 64m;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache      hls;
            hls_cache_cors *;
            rtmp_route     live;
            proxy_pass     $rtmp_route_scheme://origin;
        }
    }
}

EOF

real_origin($t, 1, 8091, 8092);
real_origin($t, 2, 8093, 8094);

$t->run();

###############################################################################

my $file = media_file($t, 'cam1.flv');
my ($at, $took, $last, $new, $other, $report);

my $encoder = real_encoder($t, 'encoder', $file, rtmp(8090, 'cam1'));
my $again = real_encoder($t, 'again', $file, rtmp(8089, 'cam2'), 1);

$other = hls_viewer($t, '/live/cam2/index.m3u8', name => 'other',
    every => 0.25) if hls_wait(sub {
        @{playlist('/live/cam2/index.m3u8')->{segments}} > 1
    }, 15);

my $w = watch($t, '/live/cam1/index.m3u8') or die "Nothing plays\n";

# the origin that has it dies

$last = playlist('/live/cam1/index.m3u8')->{segments}[-1]{sequence};

origin_signal($t, 1, 'KILL');
$at = time();

ok($new = joint('/live/cam1/index.m3u8', 1, 10), 'the new origin');
$took = time() - $at;
note(sprintf('the first new segment came after %.2f s', $took));
cmp_ok($took, '<', 5, 'soon');

cmp_ok($new->{sequence}, '>', $last, 'numbers go on');
ok($new->{discontinuity}, 'behind a discontinuity');

$w->check('origin died', 6);

ok($encoder->is_running(), 'encoder runs');
is($t->read_file('encoder.log'), '', 'and has seen nothing');

# an encoder that has to connect again is away for longer

ok($new = joint('/live/cam2/index.m3u8', 1, 10), 'connected again');
$report = $other->stop()->report();
is(join("\n", grep { !/status 50[23]|\.ts/ } @{$report->{faults}}), '',
    'playlists meanwhile');
cmp_ok($report->{discontinuities}, '<', 3, 'discontinuities');

# a segment that nobody had asked for yet may be lost

$report = $w->finish(faults => qr/\.ts\S*: status (?:404|50[23]),/, cut => 1);
cmp_ok($report->{slow}, '<', 2.5, 'slowest answer');

$_->stop('KILL') for $encoder, $again;

###############################################################################

sub rtmp {
    my ($port, $name) = @_;

    return 'rtmp://127.0.0.1:' . port($port) . "/live/$name";
}

###############################################################################
