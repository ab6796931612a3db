#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache_auth: when OSP core can't tell, and who asks at once.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::HTTPD;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip proxy rewrite/)->plan(47)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 4;

events {
}

rtmp_route live {
    osp_core http://127.0.0.1:%%PORT_8082%% interval=60s;
    osp_core_timeout 2s;
    server   127.0.0.1 http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Forwarded-For;

    hls_cache_zone hls 8m;

    upstream live {
        rtmp_route live http;
    }

    hls_cache_auth osp;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache      hls;
            hls_cache_cors *;
            rtmp_route     live;
            proxy_pass     http://live;
        }

        location /allow/ {
            hls_cache           hls;
            hls_cache_auth_fail allow;
            rtmp_route          live;
            rewrite             ^/allow(/.*)$ $1 break;
            proxy_pass          http://live;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF

my $core = osp_core($t, port(8082));

$core->user('me', 'secret');
$core->channel('open');
$core->channel('prot', protected => 1, owner => 'me');

my $o = hls_origin($t, port(8081), code => sub { return { body => 'key' } });

$t->run();

my ($id) = map { $_->{id} } servers('live');

pin('live', "live/$_", $id) for qw/ open prot /;

my $token = $core->header('prot', 'me');
my ($r, @r, $time, $n);

###############################################################################

# all at once, in four workers

@r = hls_gets(map { { uri => '/keys/prot/1.key', headers => [ $token,
    'X-Forwarded-For: 203.0.113.1' ] } } 1 .. 200);

is(scalar(grep { $_->{status} == 200 } @r), 200, 'all may');
is($core->count('playbackauth'), 1, 'one question');

@r = hls_gets(map { { uri => '/keys/prot/1.key', headers => [
    'X-Forwarded-For: 203.0.113.2' ] } } 1 .. 200);

is(scalar(grep { $_->{status} == 403 } @r), 200, 'none may');
is($core->count('playbackauth'), 2, 'one more question');

# a "no" is forgotten soon

$core->channel('prot', invited => ['you']);
$core->user('you', 'secret2');

is(get(3, '/keys/prot/1.key', $core->header('open', 'you')), 403,
    'hash of another channel');
is(get(3, '/keys/prot/1.key', $core->header('prot', 'you')), 200, 'invited');

$core->user('she', 'secret3');
my $she = $core->header('prot', 'she');

is(get(3, '/keys/prot/1.key', $she), 403, 'not invited yet');
$core->channel('prot', invited => ['you', 'she']);
ok(until_is(200, 4, '/keys/prot/1.key', $she), 'invited meanwhile');

# loopback

is(get('127.0.0.1', '/keys/prot/1.key'), 200, 'the core says OK to its own');

$core->fault('playbackauth', body => '"OK"');
is(get(5, '/keys/open/1.key'), 503, 'OK to somebody else');

# answers that are none

$n = 10;

for my $fault (
    [ status => 500 ], [ html => 1 ], [ status => 404 ], [ status => 302 ],
    [ cut => 1 ], [ cut_json => 1 ], [ types => 1 ], [ empty => 1 ],
    [ results => 'true' ], [ results => 1 ], [ body => 'true' ],
    [ body => '{"results":true,"results":false}' ], [ body => '' ],
    [ big => 1000000 ], [ raw => "nonsense\n" ])
{
    $core->fault('playbackauth', @$fault);
    $n++;
    $r = get($n, '/keys/open/1.key');

    # the core may be taken for one that is down
    is($r, 503, "@$fault[0 .. 0] " . substr($fault->[1], 0, 30));

    is(get($n, '/allow/keys/open/1.key'), 200, 'allowed') if $n == 11;
}

$core->fault('playbackauth', status => 500);
sleep(1.1);

$r = hls_get('/keys/open/1.key', headers => ['X-Forwarded-For: 203.0.113.99']);

is($r->{status}, 503, 'nobody can tell');
is($r->{headers}{'retry-after'}, 1, 'to be tried again');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
is($r->{headers}{'access-control-allow-origin'}, '*', 'to be read');

# back

$core->clear();
ok(until_is(200, 50, '/keys/open/1.key'), 'it is back');

# hangs: who comes first waits, others do not once it is known

$core->fault('playbackauth', hang => 1);

$time = time();
@r = hls_gets(map { { uri => '/keys/open/1.key', timeout => 20, headers => [
    "X-Forwarded-For: 203.0.113.$_" ] } } 100 .. 109);

is(scalar(grep { $_->{status} == 503 } @r), 10, 'it hangs');
cmp_ok(time() - $time, '<', 6, 'for some time');

$time = time();
$n = 0;
$n += (get($_, '/keys/open/1.key') == 503) for 110 .. 129;

is($n, 20, 'it is known to be down');
cmp_ok(time() - $time, '<', 2.5, 'nobody waits');

is(get(1, '/keys/prot/1.key', $token), 200, 'who has a yes goes on');
like($t->read_file('error.log'), qr/\[error\] .* does not answer questions/,
    'logged');

$core->clear();
ok(until_is(200, 130, '/keys/open/1.key'), 'it answers');
like($t->read_file('error.log'), qr/\[notice\] .* answers questions .* again/,
    'logged, too');

# one address with many tokens stands in nobody's way

$core->fault('playbackauth', delay => 300);

@r = hls_gets((map { { uri => '/keys/open/1.key', timeout => 20, headers => [
    "X-Token-Session: flood${_}_x", 'X-Forwarded-For: 198.51.100.1' ] } }
    1 .. 600), map { { uri => '/keys/open/1.key', after => 0.5, timeout => 20,
    headers => [ "X-Forwarded-For: 198.51.100.10$_" ] } } 1 .. 5);

is(scalar(grep { $_->{status} == 200 } @r[600 .. 604]), 5,
    'others are asked about');
is(scalar(grep { $_->{status} == 503 || $_->{status} == 200 } @r), 605,
    'the rest has an answer, too');
cmp_ok(scalar(grep { $_->{status} == 503 } @r), '>', 300, 'which is no');

# who leaves

$core->fault('playbackauth', delay => 700);
hls_get('/keys/open/1.key', stop => 0, headers => [
    'X-Forwarded-For: 203.0.113.140' ]);
hls_get('/keys/open/1.key', stop => 0, reset => 1, headers => [
    'X-Forwarded-For: 203.0.113.140' ]);

is(get(140, '/keys/open/1.key'), 200, 'others left before');

# a worker that asks dies

$core->clear()->down()->up()->forget();
$core->fault('playbackauth', hang => 1, count => 1);

my @s = map { Test::Nginx::http_start("GET /keys/open/1.key HTTP/1.0\n"
    . "X-Forwarded-For: 203.0.113.150\n\n") } 1 .. 40;

ok($core->wait('playbackauth'), 'somebody asks');
$time = time();
kill('KILL', asker($t));

my @done = grep { ($_ || '') =~ / 200 OK/ }
    map { Test::Nginx::http_end($_) } @s;

cmp_ok(scalar(@done), '>', 0, 'others go on');
is($core->count('playbackauth'), 2, 'one of them has asked');
cmp_ok(time() - $time, '<', 4, 'soon');

$t->{_ignore_alerts} = qr!exited on signal 9!;

###############################################################################

sub get {
    my ($n, $uri, @headers) = @_;

    $n = "203.0.113.$n" if $n =~ /^\d+$/;

    return hls_get($uri, timeout => 20,
        headers => [@headers, "X-Forwarded-For: $n"])->{status};
}

# the worker with a connection to the core that waits for its answer

sub asker {
    my ($t) = @_;
    my ($port, %socket);

    $port = sprintf('%04X', port(8082));

    for (split(/\n/, slurp('/proc/net/tcp'))) {
        my @f = split;
        $socket{"socket:[$f[9]]"} = 1
            if $f[2] && $f[2] =~ /:$port$/ && $f[3] eq '01';
    }

    return grep {
        my $pid = $_;
        grep { $socket{readlink($_) || ''} } glob("/proc/$pid/fd/*")
    } hls_workers($t);
}

sub until_is {
    my ($status, @args) = @_;

    for (1 .. 100) {
        return 1 if get(@args) == $status;
        sleep(0.1);
    }

    return 0;
}

###############################################################################
