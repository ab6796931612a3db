#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: unusual transaction ids, and origins that do not
# repeat them.

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

my $t = Test::Nginx->new()->has(qw/stream/)->plan(48);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route echo {
    zone   echo 1m;
    server 127.0.0.1:8090;
}

rtmp_route one {
    zone   one 1m;
    server 127.0.0.1:8091;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8080;
        osp_upstream echo;
    }

    server {
        listen       127.0.0.1:8081;
        osp_upstream one;
    }
}

EOC

my $success = amf_obj(level => 'status',
    code => 'NetConnection.Connect.Success');

my $o = rtmp_origin($t, port(8090));

# as SRS: what is answered to connect is always 1

my $one = rtmp_origin($t, port(8091), like => 'srs', before => sub {
    my ($c, $m) = @_;

    return 0 if $m->{name} ne 'connect';

    $c->send_command('_result', 1, amf_obj(), $success);
    return 1;
});

$t->run();

###############################################################################

my $nan = unpack('d>', pack('H*', '7ff8000000000000'));

for my $port (8080, 8081) {
    for my $tid (1, 0, 7, -1, $nan, 1e300) {
        my ($code, $results) = published($port, $tid, 2, 3, 4, 5);

        is($code, 'NetStream.Publish.Start', "$port: connect $tid");
        is($results, 2, "$port: connect $tid answered once") if $tid == $tid;
    }
}

# of createStream, and of all of them

for my $port (8080, 8081) {
    for my $tid (0, -1, $nan, -9**9**9, 1e300) {
        my ($code, undef, $created) = published($port, 1, 2, 3, $tid, 5);

        is("$code $created", 'NetStream.Publish.Start 1',
            "$port: createStream $tid");

        ($code, undef, $created) = published($port, ($tid) x 5);

        is("$code $created", 'NetStream.Publish.Start 1', "$port: all $tid");
    }
}

is((published(8080, 1, 1, 1, 1, 1))[0], 'NetStream.Publish.Start', 'all 1');
is((published(8081, 1, 1, 1, 1, 1))[0], 'NetStream.Publish.Start', 'srs all 1');
is((published(8080, 0, 0, 0, 0, 0))[0], 'NetStream.Publish.Start', 'all 0');
is((published(8081, 0, 0, 0, 0, 0))[0], 'NetStream.Publish.Start', 'srs all 0');
is((published(8080, 5, 4, 3, 2, 1))[0], 'NetStream.Publish.Start', 'down');

$t->stop();

unlike($t->read_file('stream.log'), qr/\|502\b/, 'no server has failed');

###############################################################################

sub published {
    my ($port, @tids) = @_;
    my ($c, $m, $results, $created);

    $c = rtmp_client(port($port));
    $c->handshake();

    $c->send_command('connect', $tids[0], amf_obj(app => 'live',
        tcUrl => 'rtmp://localhost/live'), \{ csid => 3 });
    $c->send_command('releaseStream', $tids[1], undef, 'cam1');
    $c->send_command('FCPublish', $tids[2], undef, 'cam1');
    $c->send_command('createStream', $tids[3], undef);
    $c->send_command('publish', $tids[4], undef, 'cam1', 'live',
        \{ csid => 8, msid => 1 });

    $c->answer('onStatus', undef, 'no status') or return $c->{error};

    $results = grep { ($_->{name} || '') eq '_result'
        && ($_->{tid} == $tids[0] || $_->{tid} == $tids[3]) }
        @{$c->{messages}};

    $created = grep { ($_->{name} || '') eq '_result'
        && ($_->{args}[1] || 0) eq '1' } @{$c->{messages}};

    $c->send_media(media_messages(3));
    $c->close();

    return ($c->{code}, $results, $created);
}

###############################################################################
