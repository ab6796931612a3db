#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: an origin that refuses by a reset.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream/)->plan(4);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
    }
}

EOC

# closes while there is more to read, so that the half of its handshake that
# was not on its way yet is lost

rtmp_origin($t, port(8081), script => sub {
    my ($c) = @_;

    $c->fill(1537);
    sleep(0.1);
    $c->fill(1538, 0);

    if ($c->{buf} =~ /nope/) {
        $c->write_raw("\x03" . "\0" x 1536);
        sleep(0.1);
        $c->reset();
        return;
    }

    $c->write_raw("\x03" . "\0" x 3072);

    until ($c->{eof} || $c->{buf} =~ /publish|nope/) {
        $c->fill(length($c->{buf}) + 1);
    }

    return if $c->{buf} =~ /nope/;

    $c->write_raw($c->command('_result', 1, undef, {})
        . $c->command('_result', 4, undef, 1)
        . $c->command('onStatus', 0, undef, amf_obj(level => 'status',
            code => 'NetStream.Publish.Start'), \{ csid => 5, msid => 1 }));
    $c->is_closed();
});

$t->run();

###############################################################################

# first it is learned that this server takes all in one write

my $c = rtmp_publish(port(8080), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'served');
$c->close();

# what a client asks for is no fault of the server

$c = rtmp_publish(port(8080), 'nope', 'cam1');

is($c->{code}, 'NetStream.Publish.Denied', 'refused');
$c->close();

$c = rtmp_publish(port(8080), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'served again');
$c->close();

$t->stop();

is($t->read_file('stream.log'), "200 ok\n403 refused\n200 ok\n", 'log');

###############################################################################
