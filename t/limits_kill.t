#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for limits of servers: worker processes that are killed with open
# sessions and requests.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(22);

$t->{_ignore_alerts} = qr/worker process \d+ exited on signal 9/;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
    accept_mutex off;
}

rtmp_route streams {
    zone   streams 1m;
    server 127.0.0.1:8081 max_streams=4;
}

rtmp_route conns {
    zone   conns 1m;
    server 127.0.0.1:8081 max_conns=4;
}

rtmp_route http {
    zone   http 1m;
    server 127.0.0.1:1 http=%%PORT_8082%% max_conns=4;
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream http { rtmp_route http http; }

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }

        location / {
            proxy_buffering off;
            proxy_pass      http://http;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server { listen 127.0.0.1:8091; osp_upstream streams; }
    server { listen 127.0.0.1:8092; osp_upstream conns; }
}

EOF_CONF

rtmp_origin($t, port(8081));

httpd($t, port(8082), sub {
    my ($r) = @_;

    return http_response(200, 'done') if $r->{uri} eq '/short.flv';
    return ("HTTP/1.1 200 OK\x0d\x0aConnection: close\x0d\x0a\x0d\x0abegin",
        [-1]);
});

$t->run();

###############################################################################

# Whoever comes next is let in, at once.  The processes are gone before as seen
# by the system; nothing is waited for in nginx.

my ($start, $playing) = ('NetStream.Publish.Start', 'NetStream.Play.Start');
my ($n, @c);

for my $round (1 .. 3) {
    @c = map { rtmp_publish(port(8091), 'live', "r$round-$_") } 1 .. 4;

    is(codes(@c), join(' ', ($start) x 4), 'published');

    kill_workers(map { $_->{pid} } sessions('streams'));

    my @next = map { rtmp_publish(port(8091), 'live', "n$round-$_") } 1 .. 4;

    is(codes(@next), join(' ', ($start) x 4), 'as many again');

    $_->close() for @c, @next;
    wait_sessions('streams', 0);
}

@c = map { rtmp_play(port(8092), 'live', 'cam') } 1 .. 4;
is(codes(@c), join(' ', ($playing) x 4), 'played');
is(rtmp_play(port(8092), 'live', 'cam')->{code},
    'NetConnection.Connect.Rejected', 'full');

# one of two, if both have sessions: the others stay

my ($pid) = map { $_->{pid} } sessions('conns');
my $left = grep { $_->{pid} != $pid } sessions('conns');

kill_workers($pid);

my @next = map { rtmp_play(port(8092), 'live', 'cam') } 1 .. 5;

is(scalar(grep { $_->{code} eq $playing } @next), 4 - $left,
    'as many as have gone');
is(conns('conns'), '4', 'counted');
is((servers('conns'))[0]{selected}, 4 + 4 - $left, 'no more were chosen');

$_->close() for @c, @next;
ok(wait_conns('conns', '0'), 'none');

# requests

my @s = map { flv() } 1 .. 4;

is(conns('http'), '4', 'requests');
like(http_get('/short.flv'), qr! 502 !, 'full');

kill_workers(hls_workers($t));

like(http_get('/short.flv'), qr! 200 !, 'room');
@s = map { flv() } 1 .. 4;
is(conns('http'), '4', 'all of it');

close($_) for @s;
ok(wait_conns('http', '0'), 'none');

# a master process that has no time to ask how its worker has ended

@c = map { rtmp_publish(port(8091), 'live', "m-$_") } 1 .. 4;

my ($master, $victim) = ($t->read_file('nginx.pid') + 0,
    map { $_->{pid} } sessions('streams'));

kill('STOP', $master);
kill('KILL', $victim);

ok(wait_until(sub { stat_of($victim) =~ /\) Z / }), 'has ended, but is there');
ok(wait_until(sub {
    push @next, rtmp_publish(port(8091), 'live', 'm-next');
    return $next[-1]{code} eq $start;
}, 10), 'somebody is let in');

kill('CONT', $master);
$_->close() for @c, @next;
ok(wait_sessions('streams', 0), 'none');

# what is left without anybody asking is undone within some time

@c = map { rtmp_publish(port(8091), 'live', "end-$_") } 1 .. 4;
kill_workers(map { $_->{pid} } sessions('streams'));

ok(wait_sessions('streams', 0), 'sessions are gone');
is((servers('streams'))[0]{streams}, 0, 'no streams');

###############################################################################

sub codes {
    return join(' ', map { $_->{code} } @_);
}

sub flv {
    my $s = http("GET /long.flv HTTP/1.0\x0d\x0a\x0d\x0a", start => 1);

    $s->sysread(my $buf, 4096);

    return $s;
}

sub stat_of {
    open(my $fh, '<', "/proc/$_[0]/stat") or return '';

    return readline($fh);
}

sub kill_workers {
    my %pids = map { $_ => 1 } @_;

    kill('KILL', keys %pids);

    wait_until(sub { !grep { kill(0, $_) } keys %pids });
}

###############################################################################
