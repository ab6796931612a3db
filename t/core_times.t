#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_core: how long its answers are good.  The clock of nginx is put
# forward for that.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip proxy/);
my $cc = Test::Nginx::find_binary('cc')
    or plan(skip_all => 'no C compiler');

$t->plan(22)->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    osp_core http://127.0.0.1:%%PORT_8082%% interval=10m http=%%PORT_8081%%;
    inactive 10m;
}

http {
    %%TEST_GLOBALS_HTTP%%

    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Forwarded-For;

    hls_cache_zone hls 8m;

    upstream live {
        rtmp_route live http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache      hls;
            hls_cache_auth osp;
            rtmp_route     live;
            proxy_pass     http://live;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF

# in place of the function of the C library

my $dir = $t->testdir();

$t->write_file('clock.c', <<'EOF_C');
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int  *forward;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  fd, rc;

    if (forward == NULL) {
        fd = open(getenv("TEST_NGINX_CLOCK"), O_RDONLY);
        forward = mmap(NULL, sizeof(int), PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
    }

    rc = syscall(SYS_clock_gettime, id, ts);

    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) {
        ts->tv_sec += *forward;
    }

    return rc;
}
EOF_C

system("$cc -shared -fPIC -o $dir/clock.so $dir/clock.c >$dir/cc.log 2>&1") == 0
    or die "Can't compile: " . $t->read_file('cc.log');

forward(0);

my ($one, $two) = ('127.0.0.1', '127.0.0.2');
my $core = osp_core($t, port(8082));

$core->server($_) for $one, $two;
$core->user('me', 'stored');
$core->channel('prot', live => 1, protected => 1, owner => 'me',
    server => $one);
$core->channel('priv', live => 1, private => 1, server => $one);

my %o = map {
    my $name = $_;
    ($name => hls_origin($t, port(8081), host => $name, control =>
        "$dir/hls-$name.sock", code => sub { return { body => $name } }))
} $one, $two;

{
    local $ENV{TEST_NGINX_CLOCK} = "$dir/clock";
    local $ENV{LD_PRELOAD} = "$dir/clock.so";
    local $ENV{ASAN_OPTIONS}
        = ($ENV{ASAN_OPTIONS} || '') . ':verify_asan_link_order=0';

    $t->run();
}

my $token = $core->header('prot', 'me');

###############################################################################

# whoever may have the key may not for ever, though it is in the cache

ok(until_is(200, '/live/prot/1.ts'), 'polled');
is(get('/keys/prot/1.key', $token)->{status}, 200, 'a yes');

$core->channel('prot', owner => 'you');
$core->forget();

is(get('/keys/prot/1.key', $token)->{status}, 200, 'good for a while');
forward(25);
is(get('/keys/prot/1.key', $token)->{status}, 200, 'good after 25 s');
is($core->count('playbackauth'), 0, 'not asked again');

forward(31);
is(get('/keys/prot/1.key', $token)->{status}, 403, 'not after 31 s');
is($core->count('playbackauth'), 1, 'asked again');

# a no, and a new yes

$core->channel('prot', owner => 'me');
forward(34);
is(get('/keys/prot/1.key', $token)->{status}, 200, 'a no is good for 2 s');
is($o{$one}->count('/keys/prot/1.key'), 1, 'the key was in the cache');

# nobody can be asked when it is over

$core->down();
forward(60);
is(get('/keys/prot/1.key', $token)->{status}, 200, 'core down: a yes is good');
forward(65);
is(get('/keys/prot/1.key', $token)->{status}, 503, 'core down: until then');
$core->up();
forward(70);
ok(until_is(200, '/keys/prot/1.key', $token), 'core up');

# where a channel is

$core->forget();
is(get('/live/priv/1.ts')->{body}, $one, 'private');
is($core->count('rtmpCheck'), 1, 'asked for');

$core->channel('priv', first_server => $two, server => $two);

forward(95);
is(get('/live/priv/2.ts')->{body}, $one, 'private, good after 25 s');
is($core->count('rtmpCheck'), 1, 'not asked for');

forward(101);
get('/live/priv/3.ts');
ok($core->wait('rtmpCheck', 2), 'asked for again after 31 s');
ok(until_on($two), 'moved');

is(get('/live/priv/4.ts')->{body}, $two, 'private, moved');

# there is none

$core->forget();
is(get('/live/none/1.ts')->{status}, 404, 'unknown');
$core->channel('none', live => 1, private => 1, server => $two);
forward(104);
is(get('/live/none/1.ts')->{status}, 200, 'a no is good for 2 s');
is($core->count('rtmpCheck'), 2, 'asked for once more');

###############################################################################

sub forward {
    my ($seconds) = @_;

    # it is mapped
    open(my $fh, -e "$dir/clock" ? '+<' : '>', "$dir/clock")
        or die "Can't open: $!\n";
    print $fh pack('i', $seconds);
    close($fh);
}

sub get {
    my ($uri, @headers) = @_;

    return hls_get($uri, timeout => 10,
        headers => [ 'X-Forwarded-For: 203.0.113.7', @headers ]);
}

sub until_is {
    my ($status, @args) = @_;

    for (1 .. 100) {
        return 1 if get(@args)->{status} == $status;
        sleep(0.1);
    }

    return 0;
}

sub until_on {
    my ($server) = @_;

    for (1 .. 100) {
        my $s = api('GET', 'live/streams/live/priv') || {};
        return 1 if ($s->{server} || '') =~ /^\Q$server\E/;
        sleep(0.1);
    }

    return 0;
}

###############################################################################
