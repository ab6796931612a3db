#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the browser of the test library: it plays what nginx-rtmp serves,
# and notices what is wrong with it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Browser;
use Test::Nginx::HLS;
use Test::Nginx::Media;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite/);

need_browser(need_media($t))->plan(11);

mkdir($t->testdir() . '/live');

nginx_rtmp($t, 'origin', <<'EOF');

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:8081;

        application live {
            live         on;
            hls          on;
            hls_path     %%TESTDIR%%/live;
            hls_fragment 500ms;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / {
            add_header Access-Control-Allow-Origin * always;

            if (-f %%TESTDIR%%/break) {
                return 404;
            }
        }

        location /closed/ {
            alias %%TESTDIR%%/live/;
        }
    }
}

EOF

###############################################################################

my $file = media_file($t, 'loop.flv');
my $publisher = publish($t, 'publisher', $file,
    'rtmp://127.0.0.1:' . port(8081) . '/live/cam1', qw/ -re -stream_loop -1 /);

# not from the very beginning, where there is a hole in front of the pictures

ok(hls_wait(sub {
    http_get('/live/cam1.m3u8') =~ /cam1-3\.ts/
}, 10), 'playlist');

my $url = 'http://127.0.0.1:' . port(8080);
my $b = browser($t, "$url/live/cam1.m3u8");
my ($r, $before, $log);

ok($before = $b->wait(sub { defined $_[0]{started} && $_[0]{played} > 0.5 }),
    'plays');
ok($r = $b->wait(sub { $_[0]{played} > $before->{played} + 2 }), 'goes on');
is($b->errors(), '', 'no errors');
is($r->{resolution}, '320x180', 'resolution');
cmp_ok($b->stalled(), '<', 1, 'no stall');
like($r->{fragments}[-1]{url} || '', qr!/live/cam1-\d+\.ts$!, 'fragments');

# what is wrong is seen

$t->write_file('break', '');
ok($b->wait(sub { @{$_[0]{errors}} }), 'errors');
like($b->errors($r), qr/details levelLoadError|details fragLoadError/,
    'details');
ok($b->wait(sub { $_[0]{longest} > 0.5 }), 'stall');

$b->stop();
unlink($t->testdir() . '/break');

# another origin without the header

$b = browser($t, "$url/closed/cam1.m3u8", port => port(8096));
$b->wait(sub { @{$_[0]{errors}} });
like($b->errors(), qr/details manifestLoadError .*code 0/, 'CORS');

$b->stop();
$publisher->stop();

###############################################################################
