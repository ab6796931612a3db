#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: TCP keepalive of sessions that last.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

plan(skip_all => 'no /proc/net/tcp') unless -r '/proc/net/tcp';

$t->plan(8)->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
}

rtmp_route off {
    zone   off 1m;
    server 127.0.0.1:8082;
}

rtmp_route wait {
    zone    wait 1m;
    server  127.0.0.1:8081;
    unknown wait=1m;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8083;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8084;
        osp_upstream off;
        osp_upstream_socket_keepalive off;
    }

    server {
        listen       127.0.0.1:8085;
        osp_upstream wait;
    }
}

EOC

rtmp_origin($t, port(8081));
rtmp_origin($t, port(8082));

$t->run();

###############################################################################

my @c = map { rtmp_publish(port($_), 'live', 'cam1') } 8083, 8084;

is($_->{code}, 'NetStream.Publish.Start', 'published') for @c;

ok(wait_until(sub { kept(port(8083)) }, 10), 'client');
ok(wait_until(sub { kept(undef, port(8081)) }, 10), 'server');
ok(wait_until(sub { kept(port(8084)) }, 10), 'off: client');
is(kept(undef, port(8082)), 0, 'off: server');

# who has to wait may wait long

push @c, rtmp_play(port(8085), 'live', 'cam2', no_wait => 1);

ok(wait_until(sub { kept(port(8085)) }, 10), 'waiting');

# the timer does not end the session

ok(!$c[0]->is_closed(1), 'still open');

$_->close() for @c;

###############################################################################

# whether a connection from or to a port has its keepalive timer running

sub kept {
    my ($local, $remote) = @_;

    open(my $fh, '<', '/proc/net/tcp') or die "Can't open: $!\n";

    while (<$fh>) {
        my ($from, $to, $state, $timer) =
            /^\s*\d+: \w+:(\w+) \w+:(\w+) (\w\w) \w+:\w+ (\w\w):/ or next;

        next unless $state eq '01' && $timer eq '02';
        return 1 if defined $local && hex($from) == $local;
        return 1 if defined $remote && hex($to) == $remote;
    }

    return 0;
}

###############################################################################
