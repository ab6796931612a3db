#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for how sessions end: what is logged and said in $rtmp_reason if the
# other end does not take bytes any more, which is noticed after 20 seconds.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Reasons;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'no TCP_USER_TIMEOUT here') if $^O ne 'linux';

my $t = Test::Nginx->new()->has(qw/stream/)->plan(2 + 2 * ENDED);

my $servers = join("\n",
    reasons_conf('127.0.0.1:8083', 'plays'),
    reasons_conf('127.0.0.1:8084', 'publishes'));

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route plays {
    zone    plays 256k;
    server  127.0.0.1:8081;
}

rtmp_route publishes {
    zone    publishes 256k;
    server  127.0.0.1:8082;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    @{[ log_format() ]}

$servers
}

EOC

rtmp_origin($t, port(8081), media => 200, media_size => 100000);

my $o = rtmp_origin($t, port(8082));

$t->run();

###############################################################################

# a player that hangs, and a server

my $player = rtmp_play(port(8083), 'live', 'cam1');
is($player->{code}, 'NetStream.Play.Start', 'player');

my $publisher = rtmp_publish(port(8084), 'live', 'cam1');
is($publisher->{code}, 'NetStream.Publish.Start', 'publisher');

$o->signal('STOP');
$publisher->write_raw($publisher->media_bytes(media_messages(200,
    size => 100000)), 2);

# so long, and the moment after which nginx begins to look

wait_until(sub {
    return 2 <= (() = $t->read_file('error.log') =~ /session ended, /g);
}, 40);

ended($t, 8083, 'client_timeout', upstream => 8081);

$publisher->{code} = '';
ended($t, 8084, 'origin_timeout', told => '', client => $publisher,
    upstream => 8082);

$o->signal('CONT');

###############################################################################
