#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names with several addresses: whatever comes and goes while the API
# changes the same servers, sessions begin and end, and processes are killed.
# TEST_SEED repeats a run.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(7);
my $dns = port(8980, udp => 1);

$t->{_ignore_alerts} = qr/worker process \d+ exited on signal 9/;

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    resolver  127.0.0.1:$dns ipv6=off valid=1s;
    resolver_timeout 1s;

    server    pods.example.com rtmp=%%PORT_8081%%;
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

    osp_upstream_connect_timeout 1s;

    server {
        listen       127.0.0.1:8087;
        osp_upstream live;
    }
}

EOF_CONF

my $seed = $ENV{TEST_SEED} || time() ^ $$;
srand($seed);
diag("seed $seed") if $ENV{TEST_VERBOSE};

my $name = 'pods.example.com';
my @addrs = map { "127.0.0.$_" } 11 .. 14;

rtmp_origin($t, port(8081), host => $_, file => $t->testdir() . "/$_.log")
    for @addrs;

write_names($t, $name => [@addrs]);
$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

my $end = time() + 9;
my (@clients, $asked, $killed);

ok(wait_until(sub { 4 == servers('live') }, 15), 'all are there');

$asked = $killed = 0;

while (time() < $end) {

    my $what = int(rand(14));
    my ($s) = sort { rand() <=> 0.5 } eval { servers('live') };
    my $id = $s ? $s->{id} =~ s/#/%23/r : 'none';

    if ($what < 3) {
        my $n = int(rand(5));
        my @some = (sort { rand() <=> 0.5 } @addrs)[0 .. $n - 1];

        write_names($t, $name => rand() < 0.1 ? { rcode => 2 } : \@some);

    } elsif ($what < 5) {
        eval { patch('live', $id, weight => 1 + int(rand(5)),
            drain => rand() < 0.5 ? JSON::PP::true() : JSON::PP::false()) };

    } elsif ($what < 6) {
        eval { api('DELETE', "live/servers/$id") };

    } elsif ($what < 8) {
        eval { pin('live', 'live/cam' . int(rand(6)), $s->{id}) } if $s;

    } elsif ($what < 12) {
        my $c = eval {
            (rand() < 0.6 ? \&rtmp_publish : \&rtmp_play)->(port(8087), 'live',
                'cam' . int(rand(6)), timeout => 1, no_wait => 1);
        };
        push @clients, $c if $c;

    } elsif (@clients) {
        splice(@clients, int(rand(@clients)), 1)->close();
    }

    if ($killed < 3 && rand() < 0.02) {
        my $pid = $t->read_file('nginx.pid') + 0;
        my @workers = split(' ',
            `cat /proc/$pid/task/$pid/children 2>/dev/null` || '');

        $killed += kill('KILL', $workers[rand(@workers)]) if @workers;
    }

    $asked++;
    sleep(0.02);
}

cmp_ok($asked, '>', 20, "changes, $asked of them");

# all of it comes to rest

write_names($t, $name => [@addrs[1, 2]]);

eval { $_->close() } for @clients;

ok(wait_until(sub { eval { !sessions('live') } }, 15), 'sessions have ended');
ok(wait_until(sub { ids() eq "$name#127.0.0.12 $name#127.0.0.13" }, 20),
    'the right servers') or diag("seed $seed: " . ids());
is(join(' ', map { $_->{conns} } servers('live')), '0 0', 'nothing is counted');
is(api('GET', 'live/check')->{consistent}, JSON::PP::true(), 'consistent')
    or diag("seed $seed");

patch('live', "$name%23127.0.0.1$_", drain => JSON::PP::false()) for 2, 3;
my $c = rtmp_publish(port(8087), 'live', 'last');
is($c->{code}, 'NetStream.Publish.Start', 'published') or diag("seed $seed: "
    . join(' ', map { "$_->{id} $_->{state} $_->{reason}" } servers('live')));

###############################################################################

sub ids {
    return join(' ', sort map { $_->{reason} eq 'dns' ? 'gone' : $_->{id} }
        eval { servers('live') });
}

###############################################################################
