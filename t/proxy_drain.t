#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the drain of the proxy: /api/1/proxy and rtmp_route_ping, several
# workers, a reload, workers that are killed.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(70);

$t->{_ignore_alerts} = qr/exited on signal 9|directive "foo"/;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 3;

events {
}

rtmp_route live {
    zone      live 1m;
    register  open;
    server    10.0.0.11;
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/notice.log notice;

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /ro/ {
            rtmp_route_api;
        }

        location = /ping {
            rtmp_route_ping;
        }

        location = /ping/live {
            rtmp_route_ping  route=live;
        }

        location = /ping/many {
            rtmp_route_ping  route=live min_up=99;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my ($p, $r, @workers, @old, $since);

# what there is to see

wait_until(sub { 3 == @{($p = proxy())->{workers}} });

is(ref($p), 'HASH', 'proxy');
is($p->{drain}, JSON::PP::false(), 'it does not drain');
is($p->{drained}, JSON::PP::false(), 'nor is it drained');
ok(!exists $p->{since}, 'since never');
is("@$p{qw/ sessions publishers players queued /}", '0 0 0 0', 'sessions');
like($p->{version}, qr/^\d+\.\d+\.\d+$/, 'version');
like($p->{nginx}, qr/^1\.\d+\.\d+$/, 'version of nginx');
is($p->{generation}, 1, 'generation');
like($p->{load_timestamp}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    'load_timestamp');
is($p->{ppid}, $t->{_master}, 'master');

@workers = map { $_->{pid} } @{$p->{workers}};

is(@workers, 3, 'workers');
is(grep({ $_ == $p->{pid} } @workers), 1, 'one of them answers');
is_deeply($p->{workers}[0], { pid => $workers[0], generation => 1,
    publishers => 0, players => 0, queued => 0 }, 'a worker');

is_deeply(proxy('?fields=drain,generation'),
    { drain => JSON::PP::false(), generation => 1 }, 'fields');
like(request('GET', '/api/1/proxy?fields=foo'),
    qr/^HTTP\S+ 400 .*"ArgumentInvalid"/s, 'unknown field');
is_deeply(proxy('?fields=since'), {}, 'no such field now');

like(request('GET', '/api/v1/proxy/'), qr/^HTTP\S+ 200 .*"drain":false/s,
    'another path');
like(request('GET', '/api/1/proxy/drain'), qr/^HTTP\S+ 404 .*"PathNotFound"/s,
    'no such path');
like(request('HEAD', '/api/1/proxy'),
    qr/^HTTP\S+ 200 .*^Content-Length: [1-9].*\x0d\x0a\x0d\x0a\z/ms, 'HEAD');
like(http_content(request('GET', '/api/1/')), qr/^\["routes","proxy"/, 'root');

# what can't be said

like(request('PATCH', '/ro/1/proxy', '{"drain":true}'),
    qr/^HTTP\S+ 405 .*^Allow: GET, HEAD\x0d.*"MethodDisabled"/ms, 'read only');
like(request('DELETE', '/api/1/proxy'),
    qr/^HTTP\S+ 405 .*^Allow: GET, HEAD, PATCH\x0d.*"MethodNotAllowed"/ms,
    'method');

for my $body ('', '{}', '{"drain":1}', '{"drain":"true"}', '{"drain":null}',
    '{"drian":true}', '{"drain":true,"pid":1}')
{
    like(request('PATCH', '/api/1/proxy', $body),
        qr/^HTTP\S+ 400 .*"status":400.*"FieldInvalid"/s, "body $body");
}

for my $body ('{"drain":true', '[]', '[true]', 'true', "{\"drain\":true}\0",
    '{"drain":true,"drain":false}')
{
    like(request('PATCH', '/api/1/proxy', $body),
        qr/^HTTP\S+ 400 .*"status":400.*"JsonError"/s, "no JSON, $body");
}

like(request('PATCH', '/api/1/proxy', '{"drain":true' . ' ' x 70000 . '}'),
    qr/^HTTP\S+ 413 /, 'too large');
is(proxy()->{drain}, JSON::PP::false(), 'nothing has changed');
is(drain_log(), 0, 'nor was it logged');

# drain

$p = drain('true');

is($p->{drain}, JSON::PP::true(), 'drain');
is($p->{drained}, JSON::PP::true(), 'there is nobody');
like($since = $p->{since}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/,
    'since now');

is(grep({ proxy()->{drain} } 1 .. 30), 30, 'all workers know');
is(drain('true')->{since}, $since, 'drain again');

is(wait_log($t, 'notice.log', qr/\[notice\].*: \*\d+ (proxy drains.*?), cl/),
    'proxy drains, as asked by 127.0.0.1', 'logged');
is(drain_log(), 1, 'logged once');

# pings

for my $ping ('/ping', '/ping/live', '/ping/many') {
    $r = http_get($ping);
    like($r, qr/^HTTP\S+ 503 .*^Cache-Control: no-store\x0d/ms, "$ping");
    is_deeply(decode_json(http_content($r)),
        { results => { message => 'draining' } }, "$ping, message");
}

like(http_head('/ping'),
    qr/^HTTP\S+ 503 .*^Content-Length: [1-9].*\x0d\x0a\x0d\x0a\z/ms,
    'HEAD of a ping');

# servers may register

like(request('POST', '/api/v1/srs/register', '{"ip":"10.0.0.12","server":"s",'
    . '"service":"a","pid":"1","rtmp":["1935"]}'),
    qr/^HTTP\S+ 200 .*"code":0/s, 'registration');

# workers come and go

kill('KILL', @workers);

ok(wait_until(sub {
    return 3 == grep { my $pid = $_->{pid}; !grep { $_ == $pid } @workers }
        @{(proxy('', 1) || {})->{workers} || []};
}), 'workers killed');

$p = proxy();

is($p->{since}, $since, 'it drains as before');
is(@{$p->{workers}}, 3, 'so many workers');
is($p->{generation}, 1, 'it was no reload');

@old = map { $_->{pid} } @{$p->{workers}};

$t->reload();

ok(wait_until(sub {
    $p = proxy();
    return 3 == @{$p->{workers}} && 2 == $p->{generation}
        && !grep { $_->{generation} != 2 } @{$p->{workers}};
}), 'reload');

is($p->{since}, $since, 'it drains over the reload');
like(http_get('/ping'), qr/^HTTP\S+ 503 .*"draining"/s, 'ping after reload');

# a reload that fails is none

$t->write_file('nginx.conf', $t->read_file('nginx.conf') . 'foo;');
$t->reload();

is(wait_log($t, 'error.log', qr/(unknown directive "foo")/),
    'unknown directive "foo"', 'bad configuration');
is(proxy()->{generation}, 2, 'the same generation');

# the end of it

$p = drain('false');

is($p->{drain}, JSON::PP::false(), 'no drain');
is($p->{drained}, JSON::PP::false(), 'not drained');
ok(!exists $p->{since}, 'since nothing');
is(wait_log($t, 'notice.log', qr/(proxy drains no more.*?), cl/),
    'proxy drains no more, as asked by 127.0.0.1', 'end logged');

drain('false');
is(drain_log(), 2, 'end logged once');

like(http_get('/ping'), qr/^HTTP\S+ 200 .*"pong"/s, 'ping');
like(http_get('/ping/live'), qr/^HTTP\S+ 200 .*"pong"/s, 'ping of a route');
like(http_get('/ping/many'), qr/^HTTP\S+ 503 .*"too few servers"/s,
    'too few servers');

###############################################################################

sub proxy {
    my ($args, $may_fail) = @_;
    my $r = request('GET', '/api/1/proxy' . ($args || ''));

    return undef if $may_fail && $r !~ /^HTTP\S+ 200 /;
    return decode_json(http_content($r));
}

sub drain {
    my ($value) = @_;

    return decode_json(http_content(request('PATCH', '/api/1/proxy',
        "{\"drain\":$value}")));
}

sub drain_log {
    return scalar(() = $t->read_file('notice.log') =~ /proxy drains/g);
}

###############################################################################
