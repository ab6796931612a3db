#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: nginx's own access rules and limits hold, and both
# are written to the access log.

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

my $t = Test::Nginx->new()->has(qw/stream stream_access stream_limit_conn/)
    ->plan(10);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    limit_conn_zone $binary_remote_addr zone=addr:1m;

    log_format test '$server_port $status $rtmp_reason.$rtmp_command';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8080;
        deny         127.0.0.1;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8081;
        limit_conn   addr 1;
        osp_upstream live;
    }
}

EOC

my $origin = rtmp_origin($t, port(8090));

$t->run();

###############################################################################

# denied before a word of RTMP

my $c = rtmp_publish(port(8080), 'live', 'denied');
isnt($c->{code} || '', 'NetStream.Publish.Start', 'denied');

# one connection of an address at a time

$c = rtmp_publish(port(8081), 'live', 'first');
is($c->{code}, 'NetStream.Publish.Start', 'first');

my $second = rtmp_publish(port(8081), 'live', 'second');
isnt($second->{code} || '', 'NetStream.Publish.Start', 'over the limit');

ok($c->send_media(media_messages(5)), 'first goes on');
$c->unpublish('first');
$c->close();

ok(wait_until(sub {
    my $third = rtmp_publish(port(8081), 'live', 'third');
    my $code = $third->{code} || '';
    $third->unpublish('third') if $code;
    $third->close();
    return $code eq 'NetStream.Publish.Start';
}), 'again after its end');

# the log is complete when the last session has ended

ok(wait_until(sub { 2 == (() = log_lines($t) =~ /200 ok/g) }), 'both ended');

my $log = log_lines($t);

like($log, qr/^@{[ port(8080) ]} 403 -\.-$/m, 'denied in log');
like($log, qr/^@{[ port(8081) ]} 503 -\.-$/m, 'limited in log');
like($log, qr/^@{[ port(8081) ]} 200 ok\.publish$/m, 'published in log');

is(scalar(() = $origin->events(event => 'command', name => 'publish')), 2,
    'what the origin has seen');

###############################################################################

sub log_lines {
    my ($t) = @_;

    return $t->read_file('stream.log');
}

###############################################################################
