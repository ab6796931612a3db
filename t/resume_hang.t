#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_resume: an origin that hangs keeps its connections,
# and a health check finds it dead.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Digest::SHA qw/ sha1_hex /;

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(10);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone         live 1m;
    server       127.0.0.1:8081 max_fails=0;
    server       127.0.0.1:8082 max_fails=0 backup;
    health_check type=rtmp interval=500ms timeout=500ms fails=2;
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
        listen              127.0.0.1:8090;
        osp_upstream        live;
        osp_upstream_resume on;
    }

    server {
        listen       127.0.0.1:8091;
        osp_upstream live;
    }
}
EOF_CONF

my $one = rtmp_origin($t, port(8081), messages => 1);
my $two = rtmp_origin($t, port(8082), messages => 1);

$t->run();

my ($c, $other, @m);

@m = media_messages(45);

$c = rtmp_publish(port(8090), 'live', 'cam1');
is($c->{code}, 'NetStream.Publish.Start', 'publish');
$other = rtmp_publish(port(8091), 'live', 'cam2');
is($other->{code}, 'NetStream.Publish.Start', 'publish without resume');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'first origin');

$one->signal('STOP');

$c->send_media(@m[14 .. 18]);
ok($two->wait(event => 'ready', timeout => 10), 'second origin is told');
$c->send_media(@m[19 .. $#m]);
ok(got($two, $m[-1]), 'second origin');

is(scalar($two->events(event => 'ready')), 1, 'the other one stays');
is($other->is_closed(0), 0, 'the other one is open');
is(join(' ', map { $_->{state} } servers('live')), 'down up', 'states');

$one->signal('CONT');
ok(wait_until(sub {
    join(' ', map { $_->{state} } servers('live')) eq 'up up'
}, 10), 'first origin is back');
is(scalar($one->events(event => 'ready')), 2, 'it stays where it is');

$_->close() for $c, $other;

###############################################################################

sub got {
    my ($o, $m) = @_;

    return $o->wait(event => 'message', type => $m->[0], ts => $m->[1],
        sha => sha1_hex($m->[2]));
}

###############################################################################
