#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream with nginx-rtmp: arguments of players and publishers
# reach the on_play and on_publish of the server.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Media;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = need_rtmp_module(Test::Nginx->new()->has(qw/stream/))->plan(10)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    server 127.0.0.1:8090;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
    }
}

EOF

nginx_rtmp($t, 'origin', <<'EOF');

rtmp {
    server {
        listen 127.0.0.1:8090;

        application live {
            live       on;
            on_play    http://127.0.0.1:%%PORT_8081%%/on_play;
            on_publish http://127.0.0.1:%%PORT_8081%%/on_publish;
        }
    }
}

EOF

my $d = httpd($t, port(8081), sub {
    my ($r) = @_;

    return http_response($r->{body} =~ /token=wrong/ ? 403 : 200);
});

$t->run();

my ($c, $r);

###############################################################################

$c = rtmp_publish(port(8080), 'live', 'cam?secret=a%26b&x=1');
is($c->{code}, 'NetStream.Publish.Start', 'publish');

$r = $d->wait(qr/on_publish/);
like($r->{body}, qr/&name=cam&/, 'name of on_publish');
like($r->{body}, qr/&secret=a%26b&x=1$/, 'arguments of on_publish');

my $p = rtmp_play(port(8080), 'live', 'cam?token=right&y=%20z');
is($p->{code}, 'NetStream.Play.Start', 'play');

$r = $d->wait(qr/on_play/);
like($r->{body}, qr/&name=cam&/, 'name of on_play');
like($r->{body}, qr/&token=right&y=%20z$/, 'arguments of on_play');
$p->close();

# those of the application

$p = rtmp_play(port(8080), 'live?app=1', 'cam?token=2');
$r = $d->wait(qr/on_play/, 2);
like($r->{body}, qr/tcurl=[^&]*live%3Fapp(=|%3D)1/i, 'arguments in the URL');
like($r->{body}, qr/&token=2$/, 'and of the stream');
$p->close();

# what the server refuses is refused

$p = rtmp_play(port(8080), 'live', 'cam?token=wrong');
isnt($p->{code}, 'NetStream.Play.Start', 'refused');
like($d->wait(qr/on_play/, 3)->{body}, qr/&token=wrong$/, 'by its arguments');
$p->close();

$c->close();

###############################################################################
