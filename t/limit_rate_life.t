#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_upload_rate and osp_upstream_download_rate: sessions
# that are moved to another server, reloads, ends of sessions and workers.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Rate;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(17);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_shutdown_timeout 8s;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
    server  127.0.0.1:8082 backup;
}

rtmp_route short {
    zone    short 1m;
    server  127.0.0.1:8083;
    server  127.0.0.1:8082 backup;
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

    log_format test '$rtmp_stream|$status|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_upload_rate    100k;
    osp_upstream_download_rate  100k;
    osp_upstream_resume         on;
    osp_upstream_no_input       5s;
    osp_upstream_takeover       on;

    server {
        listen        127.0.0.1:8091;
        osp_upstream  live;
    }

    server {
        listen        127.0.0.1:8092;
        osp_upstream  short;
    }
}

EOF

my $one = rtmp_origin($t, port(8081), media => 400, media_size => 10000,
    timeout => 20);
my $two = rtmp_origin($t, port(8082), media => 400, media_size => 10000,
    timeout => 20);

my $three = rtmp_origin($t, port(8083), media => 10);

$t->run();

###############################################################################

my @media = media_messages(400, size => 10000);
my (%c, @pids, %begin, %end, $pid, $began);

for my $name (qw/ one two /) {
    $c{$name} = rtmp_publish(port(8091), 'live', $name, timeout => 30);
    is($c{$name}{code}, 'NetStream.Publish.Start', "published $name");
}

$c{play} = rtmp_play(port(8091), 'live', 'play', timeout => 30);
is($c{play}{code}, 'NetStream.Play.Start', 'played');

$c{short} = rtmp_play(port(8092), 'live', 'short', timeout => 30);
is($c{short}{code}, 'NetStream.Play.Start', 'played of another server');

for my $name (keys %c) {
    push @pids, child(sub {
        return $name =~ /play|short/ ? $c{$name}->read_media(1e6, 30)
                                     : $c{$name}->send_media(@media);
    });
}

# the servers go; one of the players has still something to get

sleep(0.5);
$one->stop();
$three->stop();

ok(wait_until(sub {
    return 3 == grep { $_->{stream} ne 'live/play' && $_->{state} eq 'relay'
        && $_->{upstream} eq '127.0.0.1:' . port(8082) }
        sessions('live'), sessions('short');
}), 'moved');

# the configuration is another one, the sessions are those of an old worker

sleep(1);
$pid = (sessions('live'))[0]{pid};
$t->reload();
$began = time();
sleep(0.5);

%begin = counts('live', 'short');
sleep(3);
%end = counts('live', 'short');

about(speed($begin{one}, $end{one}, 'in'), 100 * 1024, 'upload');
about(speed($begin{play}, $end{play}, 'out'), 100 * 1024, 'download');
about(speed($begin{short}, $end{short}, 'out'), 100 * 1024,
    'download after a move');
is(scalar(grep { $_->{pid} == $pid } values %end), 4, 'in the old worker');

# whoever has to go is gone, whatever there is to be read of it

$c{new} = rtmp_publish(port(8091), 'live', 'one');
is($c{new}{code}, 'NetStream.Publish.Start', 'another publisher');

for my $s (grep { $_->{stream} =~ /two|play/ } sessions('live')) {
    ok(api('DELETE', "live/sessions/$s->{id}"), 'told by the operator');
}

ok(wait_until(sub { sessions('live') == 1 }, 2), 'all have gone');

# the worker waits for nobody

ok(wait_until(sub { !kill(0, $pid) }, 12), 'the old worker has gone');
cmp_ok(time() - $began, '>', 4, 'when its time was over');
is(scalar(grep { $_->{stream} ne 'live/one' } sessions('live')), 0,
    'with its sessions');

is(join(' ', sort $t->read_file('stream.log') =~ /^(.*)$/mg),
    'one|200|replaced play|200|kicked short|200|shutdown two|200|kicked',
    'logged');

kill('KILL', @pids);
waitpid($_, 0) for @pids;

undef %c;

###############################################################################
