#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for very many names: some are asked for at a time, and all of them in
# time, those too that come after others which are not answered.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(10);
my $dns = port(8980, udp => 1);

my @names = map { sprintf('n%03d.example.com', $_) } 1 .. 100;
my $servers = join("\n    ", map { "server $_;" } @names);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 8m;
    resolver  127.0.0.1:$dns ipv6=off;
    resolver_timeout 2s;

    $servers
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

EOF_CONF

# a name server that reads, and says nothing

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
    LocalPort => $dns, Proto => 'udp') or die "Can't listen: $!\n";

$t->run();

###############################################################################

my %asked;

asked($silent, 32, 10);
asked($silent, 33, 0.5);
is(scalar(keys %asked), 32, 'so many are asked for at a time');

asked($silent, 64, 10);
cmp_ok(scalar(keys %asked), '>=', 64, 'then the next ones');

asked($silent, 100, 15);
is(scalar(keys %asked), 100, 'all of them');

close $silent;

# it is there

names(1);
$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');

ok(wait_until(sub { 200 == up() }, 15), 'all are found');

# all of them change at once, and nobody has to wait

my ($slow, $n) = (0, 0);

names(2);

ok(wait_until(sub {
    my $time = time();
    my @servers = map { $_->{state} } servers('live');

    $n++;
    $slow = time() - $time if time() - $time > $slow;
    return 200 == grep { $_->{id} =~ /#10\.2\./ && $_->{state} eq 'up' }
        servers('live');
}, 15), 'all have changed');

cmp_ok($slow, '<', 2, "answers while they do, $n of them");

my $log = $t->read_file('error.log');

is(scalar(() = $log =~ /has 2 addresses, new/g), 200, 'a line for each change');

# on a loaded machine some of them have failed twice until all are found

my @failed = $log =~ /server "(\S+)" of .* could not be resolved/g;
my %failed = map { $_ => 1 } @failed;

is(scalar(keys %failed), 100, 'and for each failure');
cmp_ok(scalar(@failed), '<=', 200, 'one');
unlike($log, qr/table was rebuilt/, 'no harm');

###############################################################################

sub names {
    my ($net) = @_;

    write_names($t, map { $names[$_] => ["10.$net.$_.1", "10.$net.$_.2"] }
        0 .. $#names);
}

sub up {
    return scalar(grep { $_->{state} eq 'up' } servers('live'));
}

# until so many names were asked for, but no longer than a time

sub asked {
    my ($socket, $n, $time) = @_;
    my $end = time() + $time;
    my $select = IO::Select->new($socket);

    while (keys(%asked) < $n && $end > time()) {
        next unless $select->can_read($end - time());
        $socket->recv(my $query, 512);
        $asked{$1} = 1 if $query =~ /(n\d{3})/;
    }
}

###############################################################################
