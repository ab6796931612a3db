#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for health_check with osp_upstream_resume: publishers leave a server
# that hangs, in whatever worker process they are, and are not told.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_rtmp_module($t)->plan(9);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
error_log %%TESTDIR%%/notice.log notice;

events {
}

rtmp_route live {
    zone          live 256k;
    server        127.0.0.1 rtmp=%%PORT_8081%% slow_start=30s;
    server        127.0.0.2 rtmp=%%PORT_8082%%;
    health_check  interval=500ms fails=2 type=rtmp;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    osp_upstream_resume on;

    server {
        listen       127.0.0.1:8084;
        osp_upstream live;
    }
}

EOF_CONF

origin($_) for 1, 2;

$t->run();

my (@clients, $worker, $begin);

###############################################################################

ok(wait_servers('up', 'up'), 'checked');

pin('live', "live/cam$_", '127.0.0.1') for 1 .. 8;

@clients = map { rtmp_publish(port(8084), 'live', "cam$_") } 1 .. 8;

is(join(' ', map { $_->{code} } @clients),
    join(' ', ('NetStream.Publish.Start') x 8), 'published');
ok(wait_sessions('live', 8), 'sessions');
is(where(), join(' ', ('127.0.0.1') x 8), 'where they are pinned');

($worker) = children($t->read_file('origin1.pid'));

kill('STOP', $worker);
$begin = time();

ok(wait_until(sub { where() eq join(' ', ('127.0.0.2') x 8) }, 10),
    'moved to the other server');

diag(sprintf('moved after %.1f s', time() - $begin));

is(join(' ', grep { $_->is_closed(0.1) } @clients), '', 'no client is told');

kill('CONT', $worker);
ok(wait_servers('up', 'up'), 'up again');

sleep(1);
is(where(), join(' ', ('127.0.0.2') x 8), 'they stay where they are');

unlike($t->read_file('notice.log'), qr/\[(?:crit|alert|emerg)\]/, 'log');

###############################################################################

sub where {
    return join(' ', map { $_->{server} } sessions('live'));
}

sub wait_servers {
    my @states = @_;

    return wait_until(sub {
        return join(' ', map { $_->{state} } servers('live')) eq "@states";
    }, 10);
}

# streams of nginx-rtmp are those of one process

sub children {
    my ($pid) = @_;

    chomp($pid);

    open(my $fh, '<', "/proc/$pid/task/$pid/children")
        or die "Can't read children of $pid: $!\n";

    return split(' ', scalar(<$fh>));
}

sub origin {
    my ($n) = @_;

    nginx_rtmp($t, "origin$n", <<"EOF_CONF");

rtmp {
    server {
        listen 0.0.0.0:%%PORT_808$n%%;

        application live {
            live on;
        }
    }
}

EOF_CONF
}

###############################################################################
