#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache with real programs: the origin is killed, or hangs, in
# the middle of a segment that viewers are getting.  What they have of it ends
# with an error, nobody else has the rest, and they go on with what is next.

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

need_browser(need_media($t))->plan(8);

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
}

http {
    %%TEST_GLOBALS_HTTP%%

    sendfile on;

    upstream origin {
        rtmp_route live http;
        keepalive  32;
    }

    hls_cache_zone hls 64m;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache       hls;
            hls_cache_cors  *;
            rtmp_route      live;
            proxy_pass      $rtmp_route_scheme://origin;
            proxy_buffering off;
        }
    }
}

EOF

# a segment takes most of the time until the next one is there

real_origin($t, 1, 8091, 8092, http => 'location ~ \.ts$ {'
    . ' limit_rate 100k; limit_rate_after 1k; }');
real_origin($t, 2, 8093, 8094);

$t->run();

###############################################################################

my $uri = '/live/cam1/index.m3u8';
my $file = media_file($t, 'cam1.flv');
my ($last, $r, $pid);

my $encoder = real_encoder($t, 'encoder', $file,
    'rtmp://127.0.0.1:' . port(8090) . '/live/cam1');

my $w = watch($t, $uri) or die "Nothing plays\n";

# a segment is new: it is on its way, and is cut

$last = playlist($uri)->{segments}[-1]{uri};
hls_wait(sub { playlist($uri)->{segments}[-1]{uri} ne $last });
sleep(0.25);
$last = playlist($uri)->{segments}[-1]{uri};

pipe(my $read, my $write);
$pid = fork();
if ($pid == 0) {
    $r = hls_get("/live/cam1/$last");
    print $write join(' ', $r->{status}, $r->{complete} ? 'all' : 'cut');
    close($write);
    POSIX::_exit(0);
}
close($write);
sleep(0.2);
origin_signal($t, 1, 'KILL');

$r = <$read>;
waitpid($pid, 0);
is($r, '200 cut', 'ends with an error');

ok(joint($uri, 1, 10), 'the new origin');

$w->check('cut', 5, stall => 5);

$w->finish(faults => qr/\.ts\S*: status (?:200, |404,|50[23],)|missed/,
    cut => 1);

$encoder->stop();

###############################################################################
