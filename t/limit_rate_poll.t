#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_upload_rate and osp_upstream_download_rate with level
# triggered events: whoever is not read does not keep the worker busy.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Rate;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use POSIX ();
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream poll/)->plan(5);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
    use poll;
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
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

    osp_upstream_upload_rate    200k;
    osp_upstream_download_rate  200k;

    server {
        listen        127.0.0.1:8091;
        osp_upstream  live;
    }
}

EOF

rtmp_origin($t, port(8081), media => 300, media_size => 10000, timeout => 20);

$t->run();

###############################################################################

my $up = rtmp_publish(port(8091), 'live', 'up', timeout => 30);
my $down = rtmp_play(port(8091), 'live', 'down', timeout => 30);

is("$up->{code} $down->{code}",
    'NetStream.Publish.Start NetStream.Play.Start', 'begun');

my @media = media_messages(300, size => 10000);
my @pids = (child(sub { $up->send_media(@media) }),
    child(sub { $down->read_media(1e6, 30) }));

sleep(1.5);

my ($pid) = map { $_->{pid} } sessions('live');
my %begin = counts('live');
my $cpu = cpu($pid);

sleep(3);

my %end = counts('live');

about(speed($begin{up}, $end{up}, 'in'), 200 * 1024, 'up');
about(speed($begin{down}, $end{down}, 'out'), 200 * 1024, 'down');

cmp_ok(cpu($pid) - $cpu, '<', 1, 'the worker sleeps in between');

kill('KILL', @pids);
waitpid($_, 0) for @pids;

# with poll it is not seen before all has been read

$_->reset() for $up, $down;
ok(wait_until(sub { !sessions('live') }, 10), 'both have ended');

###############################################################################

# Seconds.

sub cpu {
    my ($pid) = @_;

    open(my $fh, '<', "/proc/$pid/stat") or return 0;

    my ($rest) = readline($fh) =~ /\) (.*)/;
    my @fields = split(/ /, $rest);

    return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

###############################################################################
