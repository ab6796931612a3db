#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream with nginx-rtmp: a stream to be played that another
# origin has.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_rtmp_module($t)->plan(5);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
    server 127.0.0.1:8082;
    server 127.0.0.1:8083;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8084;
        osp_upstream live;
    }
}

EOF_CONF

for my $n (1 .. 3) {
    nginx_rtmp($t, "origin$n", <<"EOF_CONF") or die "Can't start nginx-rtmp\n";

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:808$n;

        application live {
            live         on;
            idle_streams off;
        }
    }
}

EOF_CONF
}

$t->run();

###############################################################################

# all are published at one of the origins, where not all would be looked for

my (@publishers, @players, %seen);
my @names = map { "cam$_" } 1 .. 9;

for my $name (@names) {
    my $c = rtmp_publish(port(8083), 'live', $name);

    $c->send_media(media_messages(10));
    push @publishers, $c;
}

is(join(' ', map { $_->{code} } @publishers),
    join(' ', ('NetStream.Publish.Start') x 9), 'published');

for my $name (@names) {
    push @players, rtmp_play(port(8084), 'live', $name);
}

is(join(' ', map { $_->{code} } @players),
    join(' ', ('NetStream.Play.Start') x 9), 'played');

$publishers[$_]->send_media(media_messages(10, first => 10)) for 0 .. $#names;

is(scalar(grep { $_->read_media(10) == 10 } @players), 9, 'media');

$seen{api('GET', "live/streams/live/$_")->{source}}++ for @names;

ok($seen{found}, 'some were found');

is(rtmp_play(port(8084), 'live', 'none')->{code},
    'NetStream.Play.StreamNotFound', 'nowhere');

$_->close() for @publishers, @players;

###############################################################################
