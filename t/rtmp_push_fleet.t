#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "rtmp_route NAME push" in a fleet: an ingest with several workers
# pushes to an origin that has a name, and both register with a proxy.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Media;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

need_register(need_media($t))->plan(30)->write_file_expand('nginx.conf',
    <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone      live 1m;
    register  timeout=30s open allow=127.0.0.0/8;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF_CONF

my $dns = port(8980, udp => 1);

write_names($t);

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

my $uri = 'http://127.0.0.1:' . port(8080) . '/api/v1/srs/register';

my $a = register_origin($t, 'a', <<"EOF_CONF");
worker_processes 3;

rtmp_route origins {
    zone      origins 1m;
    resolver  127.0.0.1:$dns;
    server    origin.example.com rtmp=%%PORT_8082%% proxy_protocol=v1;
}

rtmp_route fixed {
    zone    fixed 1m;
    server  127.0.0.1 rtmp=%%PORT_8083%%;
}

rtmp {
    rtmp_route_register $uri interval=1h id=a;

    server {
        listen 127.0.0.1:%%PORT_8081%%;

        application live {
            live on;
            rtmp_route origins push;
        }

        application fixed {
            live on;
            rtmp_route fixed push;
        }
    }
}
EOF_CONF

my $b = register_origin($t, 'b', <<"EOF_CONF");
rtmp {
    rtmp_route_register $uri interval=1s id=b;

    server {
        listen 127.0.0.1:%%PORT_8082%% proxy_protocol;
        listen 127.0.0.1:%%PORT_8083%%;

        application live {
            live on;
        }

        application fixed {
            live on;
        }
    }
}
EOF_CONF

ok(wait_until(sub { servers('live') == 2 }), 'both are registered');

# as long as the origin has no address the stream is here

my $c = rtmp_publish(port(8081), 'live', 'one');
is($c->{code}, 'NetStream.Publish.Start', 'publish');
is(stream('live/one'), 'none', 'not here');
ok(told('live/one', 'a', 8), 'after some seconds it is');

# ... then there, some seconds after it has one; other things meanwhile

write_names($t, 'origin.example.com' => ['127.0.0.1']);

# media of an encoder, for who joins later

my $file = media_file($t, 'media.flv', seconds => 8);
my $ffmpeg = publish($t, 'publish', $file,
    'rtmp://127.0.0.1:' . port(8081) . '/fixed/real', '-re');

ok(told('fixed/real', 'b', 10), 'encoder');
sleep 1;
is(probe(port(8083)), 'aac,44100 h264,320', 'its media at the origin');

$ffmpeg->stop();

# with rtmp_auto_push all workers have the stream, and one of them pushes it;
# old workers of nginx-rtmp do not outlive a reload with it

my $e = register_origin($t, 'e', <<"EOF_CONF");
worker_processes 3;
rtmp_auto_push on;
rtmp_socket_dir @{[$t->testdir()]};

rtmp_route origins {
    zone    origins 1m;
    server  127.0.0.1 rtmp=%%PORT_8083%%;
}

rtmp {
    server {
        listen 127.0.0.1:%%PORT_8084%%;

        application live {
            live on;
            rtmp_route origins push;
        }
    }
}
EOF_CONF

my $d = rtmp_publish(port(8084), 'live', 'auto');
ok(told('live/auto', 'b'), 'auto push');
sleep 0.5;
is(publishes('auto'), 1, 'one push');
$d->close();
ok(told('live/auto', 'none'), 'ends');

ok(told('live/one', 'b', 15), 'then where it is pushed to');
is(publishes('one'), 1, 'by one of the workers');
$c->close();
ok(told('live/one', 'none'), 'unpublished');

# from the start

$c = rtmp_publish(port(8081), 'live', 'two');
my %seen;
ok(wait_until(sub { $seen{stream('live/two')}++; $seen{b} }), 'at the origin');
sleep 0.5;
$seen{stream('live/two')}++;
is(join(' ', grep { $_ ne 'none' } sort keys %seen), 'b', 'never here');
is(conflicts(), 0, 'no conflict');

# a reload: the old worker goes on

$c->send_media(media_messages(20));

my @old = $a->workers();

$a->signal('HUP');
ok(wait_until(sub { 3 == grep { my $pid = $_; !grep { $pid == $_ } @old }
    $a->workers() }, 10), 'reloaded');
sleep 0.5;
ok($c->write_raw(''), 'publisher stays');
is(publishes('two'), 1, 'and its push');
ok(told('live/two', 'b'), 'at the origin');

$d = rtmp_publish(port(8081), 'live', 'three');
ok(told('live/three', 'b'), 'by a new worker');
$c->close();
ok(told('live/two', 'none'), 'by the old one no more');
ok(wait_until(sub { 3 == (() = $a->workers()) }, 10), 'old workers have left');

# killed

kill 'KILL', $a->workers();
ok(told('live/three', 'none', 10), 'killed');
ok(wait_until(sub { 3 == (() = $a->workers()) }, 10), 'new workers');
$d = rtmp_publish(port(8081), 'live', 'three');
ok(told('live/three', 'b', 10), 'published again');

unlike($_->log(), qr/ exited on signal 11/, 'no crash') for $a, $b, $e;

# the origin goes

$b->signal('QUIT');
ok(told('live/three', 'none', 15), 'the origin leaves');
kill 'KILL', $b->{pid}, $b->workers();
$b->wait();
ok(told('live/three', 'a', 15), 'without it, it is here');

###############################################################################

sub stream {
    my ($key) = @_;
    my $stream = api('GET', "live/streams/$key");

    return ref $stream ? $stream->{server} : 'none';
}

sub told {
    my ($key, $want, $timeout) = @_;

    return wait_until(sub { stream($key) eq $want }, $timeout);
}

sub publishes {
    my ($name) = @_;

    return () = $b->log() =~ /publish: name='$name'/g;
}

sub conflicts {
    my $n = 0;

    $n += $_->{conflicts} || 0 for servers('live');

    return $n;
}

sub probe {
    my ($port) = @_;

    my $out = `timeout 10 ffprobe -v error \\
        -analyzeduration 500000 -of csv=p=0 -show_entries \\
        stream=codec_name,width,sample_rate rtmp://127.0.0.1:$port/fixed/real`;

    return join(' ', sort split(/\n/, $out));
}

###############################################################################
