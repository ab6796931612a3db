#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for servers of OSP core that have names, whose addresses others have,
# or that are no addresses at all.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(27);
my $dns = port(8980, udp => 1);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

rtmp_route live {
    zone     live 1m;
    resolver 127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;
    register open allow=10.0.0.0/8;
    server   static.example.com rtmp=1935;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=300ms;
}

rtmp_route blind {
    zone     blind 1m;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=300ms;
}

events {
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

EOF_CONF

my $core = osp_core($t, port(8082));

write_names($t, 'static.example.com' => ['10.0.0.1'], 'one.example.com' =>
    ['10.0.0.2'], 'many.example.com' => ['10.0.0.3', '10.0.0.4'],
    'same.example.com' => ['10.0.0.1']);

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');

$core->server($_) for qw/ One.Example.com. one.example.com:1935
    many.example.com same.example.com never.example.com 10.0.0.2 10.0.0.1 /;
$core->channel($_, live => 1, server => "$_.example.com")
    for qw/ many same never /;
$core->channel('one', live => 1, server => 'one.example.com:1935');
$core->channel('addr', live => 1, server => '10.0.0.1');

$t->run();

ok(wait_for(sub { my %s = ids('live'); up('many.example.com#10.0.0.4')
    && ($s{'10.0.0.2'} || $s{'one.example.com'}{state} eq 'up') }),
    'names are resolved');
ok(wait_for(sub { %{places()} == 5 && places()->{'live/many'} =~ /#/ }),
    'streams on them');

my %s = ids('live');
my @rtmp = map { @{$_->{rtmp}} } values %s;

is(join(' ', sort @rtmp), '10.0.0.1:1935 10.0.0.2:1935 10.0.0.3:1935 '
    . '10.0.0.4:1935', 'no address twice');
is($s{'many.example.com#10.0.0.3'}{server}, 'many.example.com',
    'name of several');
is("@{$s{'never.example.com'}}{qw/ state reason /}", 'down unresolved',
    'shown without an address');
is(places()->{'live/one'}, $s{'10.0.0.2'} ? '10.0.0.2' : 'one.example.com',
    'by the name or by the address');
is(places()->{'live/same'}, 'static.example.com',
    'an address that a configured server has');
is(places()->{'live/addr'}, 'static.example.com', 'that address');

# a registration has the address from now on

like(request('POST', '/api/v1/srs/register', '{"server":"reg","ip":"10.0.0.3",'
    . '"service":"s","pid":"1","rtmp":["1935"]}'), qr/"code":0/, 'registered');
%s = ids('live');
ok($s{reg} && !$s{'many.example.com#10.0.0.3'}, 'it has the address at once');
ok(wait_for(sub { (places()->{'live/many'} || '')
    eq 'many.example.com#10.0.0.4' }), 'the stream is elsewhere');

request('DELETE', '/api/1/routes/live/servers/reg');
ok(wait_for(sub { up('many.example.com#10.0.0.3') }), 'it has gone');

# addresses change, streams stay

write_names($t, 'static.example.com' => ['10.0.0.1'], 'one.example.com' =>
    ['10.0.0.2'], 'many.example.com' => ['10.0.0.4'],
    'same.example.com' => ['10.0.0.7']);

ok(wait_for(sub { up('many.example.com') && up('same.example.com') }),
    'one address left');
is(places()->{'live/many'}, 'many.example.com', 'the stream stays there');
ok(wait_for(sub { (places()->{'live/same'} || '') eq 'same.example.com' }),
    'it has an address of its own');

$t->reload();
$core->channel('new', live => 1, server => 'many.example.com');
ok(wait_for(sub { places()->{'live/new'} }), 'goes on after a reload');
ok(up('many.example.com'), 'its address is kept');

$core->delete_server('never.example.com');
$core->delete_server('many.example.com');
ok(wait_for(sub { my %s = ids('live');
    !$s{'never.example.com'} && !$s{'many.example.com'} }), 'they go');

# without a resolver

%s = ids('blind');
is($s{'same.example.com'}{reason}, 'unresolved', 'no resolver');
is($s{'10.0.0.2'}{state}, 'up', '... but for addresses');
like($t->read_file('error.log') . capture(), qr/(?s)\[warn\][^\n]*"blind"
    [^\n]*no\ "resolver"/x, 'that is said');

# what is no address

my @bad = ('', ' ', '10.0.0.1; return 200', "a\nb", '../../etc', 'a b', '-x',
    'x' x 300, '[::1', '10.0.0.1:99x', "evil\"\x1b[31m", 'localhost',
    '$host', 'a{b}', "\x{e9}.example.com", 'http://');

$core->change(sub { push @{$_[0]{servers}}, map { { id => 1000,
    address => $_, active => 1 } } @bad });
polls(4);
is(join(' ', sort keys %{{ ids('blind') }}),
    '10.0.0.1 10.0.0.2 127.0.0.1 one.example.com same.example.com',
    'all passed over but this host');
is(passed(), 2, 'one line for each route');
$core->server('b ad');
polls(4);
is(passed(), 4, 'another line as they change');
unlike($t->read_file('error.log') =~ s/\[debug\].*//gr, qr/\x1b/, 'escaped');

# the site is known by then

$core->site(siteAddress => '10.0.0.50');
ok(wait_for(sub { up('10.0.0.50', 'blind') }), 'the site');
$core->site(siteAddress => '');
ok(wait_for(sub { up('127.0.0.1', 'blind') }), 'no site, but this host');

###############################################################################

sub ids {
    my ($route) = @_;

    return map { $_->{id} => $_ } servers($route);
}

sub up {
    my ($id, $route) = @_;
    my %servers = ids($route || 'live');

    return $servers{$id} && $servers{$id}{state} eq 'up';
}

sub places {
    my $streams = api('GET', 'live/streams/');

    return {} unless ref($streams);
    return { map { $_ => $streams->{$_}{server} } keys %$streams };
}

sub passed {
    return scalar(() = $t->read_file('error.log')
        =~ /\[warn\].*servers that are passed over/g);
}

sub capture {
    my $test = `$Test::Nginx::NGINX -t -p @{[ $t->testdir() ]} \\
        -c @{[ $t->testdir() ]}/nginx.conf 2>&1`;

    return $test;
}

sub polls {
    my ($n) = @_;

    $core->wait('stream', $core->count('stream') + $n + 1, 10);
}

sub wait_for {
    my ($test, $time) = @_;
    my $end = time() + ($time || 10);

    while (time() < $end) {
        return 1 if $test->();
        sleep 0.1;
    }

    return 0;
}

###############################################################################
