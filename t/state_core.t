#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the state file of a route: what others have said, who cannot be
# asked when nginx starts: a control plane, and name servers.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::State;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(12);

my $conf = <<'EOC';

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route core {
    zone      core 1m;
    state     core.json;
    resolver  127.0.0.1:%%PORT_8990_UDP%%;
    inactive  10m;
}

rtmp_route names {
    zone      names 1m;
    state     names.json;
    resolver  127.0.0.1:%%PORT_8990_UDP%%;
    server    one.example.com http=80;
    server    two.example.com rtmp=1936;
    server    new.example.com;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    osp_core  http://127.0.0.1:%%PORT_8081%% route=core;

    server {
        listen        127.0.0.1:8082;
        osp_upstream  core;
    }
}

EOC

$t->write_file_expand('nginx.conf', $conf);

my $d = $t->testdir();
my $now = 1000 * time();

state('core', key => 'app/stream', secret => JSON::PP::true, servers => [{
    id => 'origin', source => 'core', host => 'origin', origin => 'origin',
    rtmp => ['10.0.0.1:1935'], http => ['10.0.0.1:5999'],
}, {
    id => 'off', source => 'core', host => 'off', origin => 'off',
    rtmp => ['10.0.0.2:1935'], down => JSON::PP::true,
}], streams => [{
    stream => 'hls/live', server => 'origin', source => 'core',
    used => $now - 5000, created => $now - 5000,
}]);

state('names', key => 'app/stream', secret => JSON::PP::false, servers => [{
    id => 'one.example.com', source => 'config', origin => 'one.example.com',
    host => 'one.example.com', http => ['10.0.0.3:80'],
    rtmp => ['10.0.0.3:1935'],
}, {
    id => 'two.example.com#10.0.0.4', source => 'config',
    host => 'two.example.com', origin => 'two.example.com',
    rtmp => ['10.0.0.4:1936'], weight => 1, max_conns => 5,
    given => { max_conns => 0 },
}, {
    id => 'two.example.com#10.0.0.5', source => 'config',
    host => 'two.example.com', origin => 'two.example.com',
    rtmp => ['10.0.0.5:1936'],
}, {
    id => 'gone.example.com', source => 'config',
    host => 'gone.example.com', origin => 'gone.example.com',
    rtmp => ['10.0.0.6:1936'],
}], streams => []);

$t->run();

###############################################################################

# the core is down

my %s = map { $_->{id} => $_ } servers('core');

is($s{origin}{state}, 'up', 'server of the core');
is($s{origin}{source}, 'core', 'source');
is_deeply($s{origin}{http}, ['10.0.0.1:5999'], 'address');
is($s{off}{state}, 'down', 'server that is down');

my $st = api('GET', 'core/streams/')->{'hls/live'} || {};

is($st->{server}, 'origin', 'stream of the core');
is($st->{source}, 'core', 'source of it');

# ... and so are the name servers

%s = map { $_->{id} => $_ } servers('names');

is_deeply($s{'one.example.com'}{http}, ['10.0.0.3:80'], 'known address');
is(join(' ', sort keys %s), 'new.example.com one.example.com '
    . 'two.example.com#10.0.0.4 two.example.com#10.0.0.5', 'known addresses');
is($s{'two.example.com#10.0.0.4'}{max_conns}, 5, 'set at run time');
is($s{'new.example.com'}{reason}, 'unresolved', 'new name');

# without a control plane there is nothing of it

ok(wait_state("$d/core.json", sub { /"written"/ }), 'written');
$t->stop();

$conf =~ s/osp_core.*//;
$conf =~ s/(zone      core 1m;)/$1 key app\/stream secret; server 10.0.0.7;/;

$t->write_file_expand('nginx.conf', $conf);
$t->run();

is(join(' ', map { $_->{id} } servers('core')), '10.0.0.7', 'no core');

###############################################################################

sub state {
    my ($name, %state) = @_;
    my $json = JSON::PP->new()->allow_nonref();
    my @body = map { "\"$_\":" . $json->encode($state{$_}) }
        qw/ key secret servers streams /;

    open(my $fh, '>', "$d/$name.json") or die "Can't open $name.json: $!\n";
    print $fh '{"format":"nginx-osp route","version":1,', join(',', @body),
        '}';
    close($fh);
}

###############################################################################
