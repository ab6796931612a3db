#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the state file of a route: what outlives a restart, and a kill of
# all processes.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::State;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(64);

my $conf = <<'EOC';

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
%%THREADS%%

events {
}

rtmp_route live {
    zone      live 1m;
    state     %%TESTDIR%%/new/state/live.json;
    register  open timeout=60s allow=10.0.0.0/8;
    server    10.1.1.1 weight=3;
    server    10.1.1.2;
    server    10.1.1.3;
    inactive  10m;
}

rtmp_route pub {
    zone      pub 1m;
    state     pub.json;
    server    127.0.0.1:8081;
    inactive  10m;
}

rtmp_route other {
    zone      other 1m;
    state     other.json;
    key       app/stream secret;
    register  open timeout=2s allow=10.0.0.0/8;
    server    10.1.1.1;
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

    server {
        listen        127.0.0.1:8082;
        osp_upstream  pub;
    }
}

EOC

# the disk is waited for by a thread, if there are any

my $threads = $t->configure_args() =~ /--with-threads/
    ? 'thread_pool default threads=2;' : '';

$conf =~ s/%%THREADS%%/$threads/;

$t->write_file_expand('nginx.conf', $conf);

my $o = rtmp_origin($t, port(8081));

###############################################################################

# a test of the configuration makes nothing

$t->check_conf();

ok(!-e $t->testdir() . '/new', 'no directory by a test');

$t->run();

my $d = $t->testdir();
my $file = "$d/new/state/live.json";

is(sprintf('%04o', (stat "$d/new/state")[2] & 07777), '0700', 'directory');
ok(wait_until(sub { -e $file && -e "$d/other.json" }, 5), 'written at once');
is(sprintf('%04o', (stat $file)[2] & 07777), '0600', 'file');

# things of all kinds

my %beat = (ip => '10.0.0.1', server => 'origin-a', service => 's1',
    pid => '1', rtmp => ['1935', '1936'], http => ['8080'],
    device_id => 'rack "7"', weight => 4, streams => ['live/listed']);

like(register('live', %beat), qr/"code":0/, 'registered');
like(register('live', %beat, ip => '10.0.0.2', server => "\x{e9}t\x{e9}",
    streams => []), qr/"code":0/, 'registered with another name');
like(register('other', %beat, server => 'short', streams => ['live/secret']),
    qr/"code":0/, 'registered for two seconds');

api('POST', 'live/servers/', { server => '10.2.0.1', id => 'api-a',
    rtmp => ['1935'], https => ['[2001:db8::1]:443'], max_fails => 5,
    fail_timeout => '7s', slow_start => '1s', proxy_protocol => 'v2',
    backup => JSON::PP::true });
patch('live', 'api-a', max_conns => 9, drain => JSON::PP::true);
patch('live', '10.1.1.1', weight => 7, max_streams => 11);
patch('live', '10.1.1.2', down => JSON::PP::true);
patch('live', 'origin-a', max_conns => 12);

pin('live', 'live/pinned', 'api-a');
pin('live', 'live/na%C3%AFve', 'origin-a');
pin('live', 'live/%ff%fe', 'api-a');
pin('live', 'live/' . 'x' x 900, '10.1.1.1');
pin('other', 'live/topsecret', '10.1.1.1');

rule('live', 'allow', '10.0.0.0/8');
rule('live', 'deny', '2001:db8::/32');
rule('live', 'allow', '10.9.9.9', 2);
rule('live', 'deny', 'all');
api('DELETE', 'live/access/4');

my $c = rtmp_publish(port(8082), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'published');
ok(wait_sessions('pub', 1), 'session');

my $before = snapshot('live');

# within a second, with some time for a loaded machine

ok(wait_state($file, sub { /live\/pinned"/ && /x{900}"/ }), 'written soon');
ok(wait_state("$d/pub.json", sub { /"stream":"live\/cam1",.*"live":true/ }),
    'published stream');

wait_state("$d/other.json", sub { /"live\/#/ });

my $state = read_state($file);

is($state->{format}, 'nginx-osp route', 'format');
is($state->{version}, 1, 'version');
is(scalar(grep { $_->{stream} && $_->{stream} eq 'live/pinned' }
    @{$state->{streams}}), 1, 'pin in the file');
unlike($t->read_file('other.json'), qr/topsecret|live\/secret/,
    'no secret names');
like($t->read_file('other.json'), qr/"live\/#[0-9a-f]{16}"/, 'hash of names');

# nothing is written while nothing changes

my ($ino) = (stat $file)[1];
sleep(1.5);
$ino = (stat $file)[1];
sleep(1.2);

is((stat $file)[1], $ino, 'not written without a change');

# killed, all at once

kill_all($t);
$c->close();

sleep(2.1);
$t->run();

is_deeply(snapshot('live'), $before, 'the same after a kill');

my ($short) = grep { $_->{id} eq 'short' } servers('other');

ok($short, 'expired server is there');
is($short->{state}, 'down', 'expired');
is($short->{reason}, 'expired', 'reason');

like($t->read_file('error.log'),
    qr/\[notice\].* route "live" goes on with 6 servers and \d+ streams of /,
    'said so');
unlike($t->read_file('error.log'), qr/\[error\]/, 'no error');

# remaining life, not a new one

my ($origin) = grep { $_->{id} eq 'origin-a' } servers('live');

cmp_ok($origin->{expires}, '<', 60, 'not longer than before');
cmp_ok($origin->{expires}, '>', 20, 'not ended');
is($origin->{device_id}, 'rack "7"', 'device_id');

# who comes again is known; a restart of it is seen

like(register('live', %beat, weight => 4), qr/"code":0/, 'registers again');

($origin) = grep { $_->{id} eq 'origin-a' } servers('live');

is($origin->{max_conns}, 12, 'set at run time');
is($origin->{weight}, 4, 'registered weight');

# rules go on with the next number

is(rule('live', 'deny', 'all')->{id}, 5, 'number of the next rule');
api('DELETE', 'live/access/5');

# the encoder would come back to its server

is((api('GET', 'pub/streams/live/cam1') || {})->{server}, '127.0.0.1',
    'published stream is remembered');

# a restart that is asked for

$before = snapshot('live');

$t->stop();

ok(!-e "$file.tmp", 'nothing left');
ok(wait_state($file, sub { 1 }), 'a whole file');

$t->run();

is_deeply(snapshot('live'), $before, 'the same after a restart');

# a change right before the end

pin('live', 'live/last', 'api-a');
kill('TERM', $t->{_master});
wait_until(sub { Test::Nginx::process_gone($t->{_master}) }, 5);
delete $t->{_started};
unlink("$d/nginx.pid");

$t->run();

is((api('GET', 'live/streams/live/last') || {})->{source}, 'pin',
    'change right before the end');

# a reload reads nothing

$t->write_file('keep.json', $t->read_file('new/state/live.json'));
unpin('live', 'live/last');

ok(wait_state($file, sub { !/live\/last/ }), 'unpinned');

my $text = $t->read_file('keep.json');
unlink($file);
$t->write_file('new/state/live.json', $text);

$t->reload();

ok(wait_until(sub { $t->read_file('error.log') =~ /gracefully shutting/ }, 5),
    'reload');
is(api('GET', 'live/streams/live/last'), undef, 'reload reads nothing');

unpin('live', 'live/pinned');

ok(wait_state($file, sub { !/live\/(?:last|pinned)/ }), 'written after reload');

# the process that writes is killed, another one takes its place

my @workers = $t->read_file('error.log') =~ /start worker process (\d+)/g;

$t->{_ignore_alerts} = qr/worker process \d+ exited on signal 9/;

kill('KILL', @workers[-2, -1]);
pin('live', 'live/killed', 'api-a');

ok(wait_until(sub { pin('live', 'live/killed', 'api-a') }, 5), 'new workers');
ok(wait_state($file, sub { /live\/killed/ }), 'written by a new worker');

# a zone of another size: the table is copied, and written on

$text = $t->read_file('nginx.conf');
$text =~ s/zone      live 1m/zone      live 2m/;
$t->write_file('nginx.conf', $text);

$t->reload();

ok(wait_until(sub {
    (api('GET', 'live') || { zone => {} })->{zone}{size} == 2097152
}, 5), 'larger zone');

pin('live', 'live/larger', 'api-a');

ok(wait_state($file, sub { /live\/larger/ && /live\/killed/ }),
    'written of the larger zone');

# configuration that has changed while nothing was running

$t->stop();

$text = $conf;
$text =~ s/10\.1\.1\.1 weight=3/10.1.1.1 weight=2/;
$text =~ s/server    10\.1\.1\.3;//;
$text =~ s/(register  open timeout=60s allow=)10\.0\.0\.0/${1}10.0.0.1/;
$text =~ s!10\.0\.0\.1/8!10.0.0.1/32!;
$text =~ s/key       app\/stream secret/key       stream secret/;

$t->write_file_expand('nginx.conf', $text);
$t->run();

my %s = map { $_->{id} => $_ } servers('live');

is($s{'10.1.1.1'}{weight}, 2, 'configuration has changed, and wins');
is($s{'10.1.1.1'}{max_streams}, 11, 'set at run time, and not configured');
is($s{'10.1.1.2'}{state}, 'down', 'down at run time');
ok(!$s{'10.1.1.3'}, 'not configured any more');
ok($s{'origin-a'}, 'may register');
ok(!$s{"\x{e9}t\x{e9}"}, 'may not register any more');
is($s{'api-a'}{state}, 'draining', 'added by the API');
like($t->read_file('error.log'), qr/\[warn\].*streams of state file ".*other/,
    'key has changed');
is(join(' ', keys %{api('GET', 'other/streams/') || {}}), '',
    'streams with other keys');

# an API server that is configured now is the configured one

$t->stop();

$text =~ s/(server    10\.1\.1\.2;)/$1 server 10.2.0.1 max_conns=3;/;
$text =~ s/state     other.json;//;

$t->write_file_expand('nginx.conf', $text);
$t->run();

%s = map { $_->{id} => $_ } servers('live');

is($s{'10.2.0.1'}{source}, 'config', 'configured now');
is($s{'api-a'}{source}, 'api', 'and added by the API');

# limits of nginx -t

$t->stop();

for my $case (
    ['live.json', 'live.json', qr/state file ".*" is already used by route/],
    ['a.json', 'b.json; state c.json', qr/"state" directive is duplicate/],
    ['nginx.conf/x.json', undef, qr/directory ".*nginx.conf" of the state /],
    ['/proc/1/none/x.json', undef, qr/"\/proc\/1\/none" of the state file/],
    ['sub/', undef, qr/invalid state file "sub\/"/],
    ['""', undef, qr/invalid state file ""/],
    ['new', undef, qr/state file ".*new" is not a regular file/],
    ['a b', undef, qr/invalid number of arguments in "state"/],
) {
    my ($one, $two, $re) = @$case;

    $text = "events { }\n";
    $text .= "rtmp_route one { zone one 1m; register open; state $one; }\n";
    $text .= "rtmp_route two { zone two 1m; register open; state $two; }\n"
        if defined $two;

    like($t->check_conf($text), $re, "nginx -t: $one");
}

$text = "events { }\nrtmp_route one { zone one 1m; register open; ";
$text .= "state sub/dir/x.json; }\n";

like($t->check_conf($text), qr/test is successful/, 'nginx -t: relative path');
ok(!-e "$d/sub", 'nginx -t: nothing was made');

###############################################################################

# what has to be the same; times and counters go on

sub snapshot {
    my ($route) = @_;
    my (@servers, $streams, $access);

    for my $s (sort { $a->{id} cmp $b->{id} } servers($route)) {
        my %s = %$s;
        delete @s{qw/last_seen expires selected conns fails unavail streams/};
        push @servers, \%s;
    }

    $streams = api('GET', "$route/streams/");

    for my $st (values %$streams) {
        delete @$st{qw/age publishers players viewers/};
        $st->{source} = 'pick' if $st->{source} eq 'publish';
    }

    $access = api('GET', "$route/access/");

    return [\@servers, $streams, $access];
}

sub rule {
    my ($route, $action, $cidr, $before) = @_;

    return api('POST', "$route/access/", { action => $action, cidr => $cidr,
        $before ? (before => $before) : () }) || {};
}

###############################################################################
