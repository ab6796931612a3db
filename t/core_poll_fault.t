#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for polling OSP core when it is down, slow, or talks nonsense: what is
# known stays, each answer on its own, and there is one line in the log for
# each change.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

rtmp_route live {
    zone     live 1m;
    resolver 127.0.0.1:%%PORT_8980_UDP%%;
    osp_core http://127.0.0.1:%%PORT_8082%% interval=200ms;
    osp_core_timeout 1s;
    osp_core_max_body 8m;
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

# each fault of an endpoint, and what is said of it

my @faults = (
    [ 'error', { status => 500 }, 'unexpected status' ],
    [ 'other status', { status => 404 }, 'unexpected status' ],
    [ 'no content', { raw => "HTTP/1.1 204 No Content\x0d\x0a\x0d\x0a" },
        'unexpected status' ],
    [ 'redirect', { raw => "HTTP/1.1 308 PERMANENT REDIRECT\x0d\x0a"
        . "Location: /\x0d\x0aContent-Length: 0\x0d\x0a\x0d\x0a" },
        'unexpected status' ],
    [ 'HTML', { html => 1 }, 'no object' ],
    [ 'closed', { close => 1 }, qr/closed|lost/ ],
    [ 'reset', { reset => 1 }, qr/closed|lost/ ],
    [ 'cut', { cut => 1 }, qr/./ ],
    [ 'cut JSON', { cut_json => 1 }, 'JSON is cut' ],
    [ 'other types', { types => 1 }, 'nothing in it is as it should be' ],
    [ 'null', { null => 1 }, 'nothing in it is as it should be' ],
    [ 'no list', { results => 42 }, 'results are neither' ],
    [ 'empty', { body => '' }, 'JSON is cut' ],
    [ 'no results', { body => '{"message":"x"}' }, 'no results' ],
    [ 'string', { body => '"OK"' }, 'no object' ],
    [ 'too deep', { body => '{"results":' . '[' x 500 }, 'too deep' ],
    [ 'binary', { body => "\x00\xff\xfe" }, 'no object' ],
    [ 'no HTTP', { raw => "SSH-2.0-OpenSSH\x0d\x0a" }, qr/./ ],
    [ '200 MB', { big => 1 }, qr/large/ ],
    [ 'a byte a second', { drip => 1 }, qr/time/ ],
    [ 'hangs', { hang => 1 }, qr/time/ ],
    [ 'hangs in the body', { hang => 'body' }, qr/time/ ],
);

$t->plan(17 + 3 * @faults);

my $core = osp_core($t, port(8082));

good();
$t->run();

ok(wait_for(sub { places() eq 'a=10.0.0.1 b=10.0.0.2' }), 'polled');
is(state(), 'up', 'up');

# by turns of each endpoint; one that is well is taken all the same

my @names = qw/ stream rtmp server /;
my %word = (server => 'settings', rtmp => 'servers', stream => 'streams');
my $n = 0;

for my $case (@faults) {
    my ($what, $fault, $reason) = @$case;
    my $name = $names[$n++ % 3];

    # with wrong types the settings are, too
    $name = 'stream' if $what eq 'too deep' || $what eq 'null';

    $core->fault($name, %$fault);

    like(logged($t, $name), qr/what is known stays: .*$reason/,
        "$what of $name");
    is(places() . ' ' . ids(), 'a=10.0.0.1 b=10.0.0.2 10.0.0.1 10.0.0.2',
        "$what of $name: all stays");

    $core->clear();

    ok(wait_for(sub { state() eq 'up' }), "$what of $name: good again");
}

# others are taken while one fails

$core->fault('server', hang => 1);
logged($t, 'server');
$core->channel('c', live => 1, server => '10.0.0.2');
ok(wait_for(sub { places() =~ /c=10.0.0.2/ }, 15), 'streams without settings');
is(core()->{failed}[0], 'settings', 'shown');
$core->channel('c', live => 0);
$core->clear();
refresh();
ok(wait_for(sub { state() eq 'up' && places() !~ /c=/ }), 'all good again');

# one bad element is that one alone

$core->fault('stream', results => [
    { channelEndpointID => 'a', rtmpServer => '10.0.0.1' },
    { channelEndpointID => 'x', rtmpServer => undef },
    { channelEndpointID => 42, rtmpServer => '10.0.0.1' },
    { channelEndpointID => "bad\nname", rtmpServer => '10.0.0.1' },
    { channelEndpointID => 'y', rtmpServer => '10.9.9.9' },
    { channelEndpointID => 'z', rtmpServer => "10.0.0.1\0" },
    { channelEndpointID => '#0123456789abcdef', rtmpServer => '10.0.0.1' },
    undef, 42, 'text', [ 1 ], {},
    { channelEndpointID => 'b', rtmpServer => '10.0.0.2',
        streamName => "\0 \x{1f600} \"}]{[" },
]);
polls(2);
is(places(), 'a=10.0.0.1 b=10.0.0.2', 'bad elements are passed over');
is(state(), 'up', '... and it is up');

# surrogates that are none

$core->fault('stream', body => '{"a":[{},"\\"]",{"results":[]}],"results":['
    . '{"channelEndpointID":"a","rtmpServer":"10.0.0.1","streamName":"\\ud83d"'
    . '},{"channelEndpointID":"b","rtmpServer":"10.0.0.2"}],"z":null}');
ok(wait_for(sub { places() eq 'b=10.0.0.2' }), 'what is no text');
$core->clear();
ok(wait_for(sub { places() eq 'a=10.0.0.1 b=10.0.0.2' && state() eq 'up' }),
    'good again');

# in chunks, on connections that are not kept

$core->fault('all', chunked => 1, keepalive => 0);
$core->channel('e', live => 1, server => '10.0.0.2');
ok(wait_for(sub { places() =~ /e=/ && state() eq 'up' }), 'in chunks');
$core->channel('e', live => 0);
$core->clear();
ok(wait_for(sub { places() !~ /e=/ }), 'no longer');

# down; it is asked less and less often

$core->down();
ok(wait_for(sub { state() eq 'down' }), 'down');
is(scalar(@{core()->{failed}}), 3, 'all of it');
like(logged($t, 'stream'),
    qr/settings, servers, streams, what is known stays: /,
    'logged');
sleep 2;
is(join('', lines($t)), '', 'once');
is(places() . ' ' . ids(), 'a=10.0.0.1 b=10.0.0.2 10.0.0.1 10.0.0.2',
    'all stays');
$core->up();
ok(wait_for(sub { state() eq 'up' }, 15), 'up again, by itself');

###############################################################################

sub good {
    $core->site(siteAddress => '10.0.0.1');
    $core->server('10.0.0.1');
    $core->server('10.0.0.2');
    $core->channel('a', live => 1, server => '10.0.0.1');
    $core->channel('b', live => 1, server => '10.0.0.2');
}

sub core {
    return api('GET', 'live')->{core};
}

sub state {
    return core()->{state};
}

sub refresh {
    return request('POST', '/api/1/routes/live/refresh');
}

sub ids {
    return join(' ', sort map { $_->{id} } servers('live'));
}

sub places {
    my $streams = api('GET', 'live/streams/');

    return '' unless ref($streams);
    return join(' ', map { s!^live/!!r . "=$streams->{$_}{server}" }
        sort keys %$streams);
}

sub polls {
    my ($n) = @_;

    $core->wait('stream', $core->count('stream') + $n + 1, 10);
}

# lines about the core, as they come

my (@lines, $log);

sub lines {
    my ($t) = @_;

    open($log, '<', $t->testdir() . '/error.log') or die "No log: $!\n"
        unless $log;

    seek($log, 0, 1);
    while (<$log>) {
        push @lines, $_ if /\[(?:error|warn|notice)\].*osp core "/;
    }

    return @lines;
}

# the last line about what an endpoint does not tell, which is to come

sub logged {
    my ($t, $name) = @_;
    my $line;

    wait_for(sub {
        lines($t);

        while (defined($line = shift @lines)) {
            return 1 if $line =~ /does not tell its [a-z, ]*$word{$name}/;
        }

        return 0;
    });

    return $line;
}

sub wait_for {
    my ($test, $time) = @_;
    my $end = time() + ($time || 10);

    while (time() < $end) {
        return 1 if $test->();
        sleep 0.05;
    }

    return 0;
}

###############################################################################
