#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache and names with several addresses: a playlist goes on
# while the id of its server changes, and after its address has gone.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::HLS;
use Test::Nginx::Route qw/ :DEFAULT state /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(14);
my $dns = port(8980, udp => 1);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    resolver  127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;

    server    pods.example.com http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;
    hls_cache hls;

    upstream live { rtmp_route live http; keepalive 8; }

    server {
        listen 127.0.0.1:8080;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /api/ {
            hls_cache       off;
            rtmp_route_api  write=on;
        }
    }
}

EOF_CONF

my $name = 'pods.example.com';
my %pod = map { $_ => hls_origin($t, port(8081), host => "127.0.0.$_",
    control => $t->testdir() . "/pod$_.sock") } 11, 12;

write_names($t, $name => ['127.0.0.11']);
$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

$pod{11}->live('cam', auto => 1, start => 100);
$pod{12}->live('cam', auto => 1, start => 40);

ok(wait_until(sub { state($name) eq 'up' }, 15), 'one address');

pin('live', 'live/cam', $name);

my $v = hls_viewer($t, '/live/cam/index.m3u8', name => 'cam', every => 0.2);

ok(hls_wait(sub { body() =~ /^10\d\.ts/m }, 5), 'a playlist');

# another address: the id of the first one is another one

write_names($t, $name => ['127.0.0.11', '127.0.0.12']);
ok(wait_until(sub { state("$name#127.0.0.12") eq 'up' }, 6), 'another one');

sleep(2);
like(body(), qr/^1\d\d\.ts/m, 'it is the same');
unlike(body(), qr/DISCONTINUITY$|g=1/m, 'and goes on');

# the address goes, and what is there goes on

write_names($t, $name => ['127.0.0.12']);
ok(wait_until(sub { state("$name#127.0.0.11") eq 'draining' }, 6), 'gone');
is(state($name), 'up', 'the other one');

my $count = $pod{11}->count('/live/cam/index.m3u8');

sleep(7);
is(state("$name#127.0.0.11"), 'draining', 'as long as there are viewers');
cmp_ok($pod{11}->count('/live/cam/index.m3u8'), '>', $count + 3, 'served');
is($pod{12}->count('/live/cam/index.m3u8'), 0, 'from there alone');
unlike(body(), qr/DISCONTINUITY$|g=1/m, 'and goes on');

# its process ends, just when all that it has listed has been fetched: what has
# not would be nowhere

my $last = newest();

hls_wait(sub { newest() ne $last }, 5);
http_get('/live/cam/' . newest());

$pod{11}->stop();
ok(hls_wait(sub { body() =~ /DISCONTINUITY$/m }, 12), 'goes on elsewhere');

$v->stop();
is($v->faults(), '', 'nothing is wrong for the viewer');
is(api('GET', 'live/check')->{consistent}, JSON::PP::true(), 'consistent');

###############################################################################

sub newest {
    my @segments = body() =~ /^(1\d\d\.ts)/mg;

    return $segments[-1] // '';
}

sub body {
    return http_get('/live/cam/index.m3u8');
}

###############################################################################
