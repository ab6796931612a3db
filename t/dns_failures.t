#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names with several addresses: answers that are none, are wrong, or
# in another order each time.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(38);
my $dns = port(8980, udp => 1);

# names and how they are answered later on

my %four = map { $_ => ["127.0.1.1", "127.0.1.2"] } qw/ missing empty refused
    fails silent mixed shuffled double /;

my %later = (
    missing  => [],
    empty    => { empty => 1 },
    refused  => { rcode => 5 },
    fails    => { rcode => 2 },
    silent   => { drop => 1 },
    mixed    => ['127.0.1.1', '::1'],
    half     => { addrs => ['127.0.1.1'], rcode6 => 2 },
    shuffled => { addrs => [map { "127.0.1.$_" } 1 .. 20], shuffle => 1 },
    double   => ['127.0.1.2', '127.0.1.1', '127.0.1.2', '::ffff:127.0.1.1'],
    alias    => { cname => 'alias2.example.com' },
    alias2   => { cname => 'alias3.example.com' },
    alias3   => ['127.0.1.3'],
    loop     => { cname => 'loop2.example.com' },
    loop2    => { cname => 'loop.example.com' },
    many     => [map { "127.0.2.$_" } reverse 1 .. 70],
    large    => { truncate => 1, addrs => ['127.0.3.1', '127.0.3.2'] },
    hostile  => ['0.0.0.0', '224.0.0.1', '255.255.255.255', '127.0.1.1'],
    six      => ['::1', '::2'],
);

my $servers = join("\n    ", map { "server $_.example.com rtmp=%%PORT_8081%%;" }
    sort keys %later);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 4m;
    resolver  127.0.0.1:$dns;
    resolver_timeout 1s;

    $servers
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

    server {
        listen       127.0.0.1:8087;
        osp_upstream live;
    }
}

EOF_CONF

rtmp_origin($t, port(8081), host => '127.0.1.1');

names(%four, half => ['127.0.1.1', '127.0.1.2'], loop => ['127.0.1.4']);

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names',
    port(8980, udp => 1, socket => 1));
$t->run();

###############################################################################

my %all;

ok(wait_until(sub { look(); state('missing', 1) eq 'up'
    && state('double', 2) eq 'up' && state('loop') eq 'up' }, 15),
    'names are found');
is(state('many'), 'down unresolved', 'one that is not');

# a session at each of those that go

pin('live', "live/$_", id($_, 1)) for qw/ missing empty fails /;
my %publisher = map { $_ => rtmp_publish(port(8087), 'live', $_) }
    qw/ missing empty fails /;
is(join(' ', sort keys %{{ map { $_->{code} => 1 } values %publisher }}),
    'NetStream.Publish.Start', 'published');

names(%later);

ok(wait_until(sub { look(); state('large', '127.0.3.2') eq 'up'
    && state('many', '127.0.2.7') eq 'up'
    && state('missing', 1) eq 'draining dns'
    && state('alias') eq 'up' && state('loop') ne 'up' }, 15), 'changed');

# there is no such name, or no address: an answer

for my $name (qw/ missing empty /) {
    is(state($name, 1), 'draining dns', "$name: what is there goes on");
    is(state($name), 'down unresolved', "$name: it has no address");
}

is(state('loop'), 'down unresolved', 'an alias of itself');

is(scalar(grep { $_->{stream} eq 'live/missing' } sessions('live')), 1,
    'sessions go on');

# a name server that fails says nothing

sleep 2;
look();

for my $name (qw/ fails refused silent half /) {
    is(state($name, 1) . state($name, 2), 'upup', "$name: addresses are kept");
}

# order and number do not matter

my %was = %all;

is(scalar(grep { /^shuffled.*#/ } keys %all), 20, 'all of them');
is(scalar(grep { /^double.*#/ } keys %all), 2, 'each once');
is(state('double', 1), 'up', 'IPv4 in IPv6 is IPv4');
is($all{'alias.example.com'}{rtmp}[0], '127.0.1.3:' . port(8081), 'aliases');
is(state('large', '127.0.3.1'), 'up', 'over TCP');
is(scalar(grep { /^many.*#/ } keys %all), 64, 'not too many of them');
is(state('many', '127.0.2.1') . state('many', '127.0.2.70'), 'up', 'the first');
is(state('hostile', '0.0.0.0') . state('hostile', '224.0.0.1'), 'upup',
    'what a name says is used');

SKIP: {
    skip 'no IPv6', 3 unless Test::Nginx::has_ipv6();

    is(state('mixed', '::1') . state('mixed', 1), 'upup', 'IPv6 and IPv4');
    is($all{'six.example.com#::2'}{rtmp}[0], '[::2]:' . port(8081),
        'IPv6 address');
    ok(api('PATCH', 'live/servers/six.example.com%23%3A%3A2', { weight => 3 }),
        'in a URI');
}

sleep 3;
look();
is(ups(%all), ups(%was), 'nothing changes');
is(join(' ', map { $all{$_}{selected} } grep { /^shuff/ } sort keys %all),
    join(' ', map { $was{$_}{selected} } grep { /^shuff/ } sort keys %was),
    'in each of them');

# one line for each of it

is(lines('"shuffled.example.com" of route "live" has 20 addresses'), 1,
    'a line for a change');
is(lines('"shuffled.example.com" of route'), 2, 'and none for the order');
is(lines('"many.example.com" of route "live" has 6 addresses more than the '
    . 'first 64'), 1, 'too many of them');
is(lines("\"$_.example.com\" of route \"live\" could not be resolved"), 1,
    "$_: a line for the failure") for qw/ missing fails silent /;

# it is there again

names(%later, map { $_ => ['127.0.1.1', '127.0.1.2'] }
    qw/ missing empty fails /);

ok(wait_until(sub { look(); state('missing', 1) eq 'up'
    && state('empty', 1) eq 'up' }, 12), 'back');
is(state('missing') . state('empty'), '', 'with its addresses alone');
is(join(' ', sort map { $_->{server} } sessions('live')), join(' ',
    map { id($_, 1) } qw/ empty fails missing /), 'and the sessions');
ok(wait_until(sub { lines('"fails.example.com" .* is resolved again') == 1 },
    8), 'that is said');
is(api('GET', 'live/check')->{consistent}, JSON::PP::true(), 'consistent');

###############################################################################

sub names {
    my %names = @_;

    write_names($t, map { ("$_.example.com" => $names{$_}) } keys %names);
}

sub id {
    my ($name, $addr) = @_;

    return "$name.example.com" . (!defined $addr ? ''
        : $addr =~ /^\d$/ ? "#127.0.1.$addr" : "#$addr");
}

sub look {
    %all = map { $_->{id} => $_ } servers('live');
}

# as of the last look

sub state {
    my $s = $all{id(@_)};

    return !$s ? '' : $s->{reason} ? "$s->{state} $s->{reason}" : $s->{state};
}

sub ups {
    my (%servers) = @_;

    return join(' ', grep { $servers{$_}{state} eq 'up' } sort keys %servers);
}

sub lines {
    my ($re) = @_;

    return scalar(() = $t->read_file('error.log') =~ /$re/g);
}

###############################################################################
