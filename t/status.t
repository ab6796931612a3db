#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_status: what it counts, as JSON and as metrics.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route qw/ :DEFAULT register /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy stream rewrite/)->plan(80);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    register  timeout=1h token=SECRET allow=127.0.0.0/8;
    server    127.0.0.1 rtmp=%%PORT_8081%%;
    server    "127.0.0.2" rtmp=%%PORT_8081%% down max_conns=7;
}

rtmp_route open {
    zone      open 1m;
    register  open allow=127.0.0.0/8;
}

rtmp_route core {
    zone      core 1m;
    resolver  127.0.0.1:%%PORT_8980_UDP%%;
    osp_core  http://127.0.0.1:%%PORT_8084%% interval=300ms;
}

rtmp_route dead {
    zone      dead 1m;
    resolver  127.0.0.1:%%PORT_8980_UDP%%;
    osp_core  http://127.0.0.1:%%PORT_8085%% interval=300ms;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8082;
        osp_upstream live;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    log_format  version '$rtmp_route_version';
    access_log  %%TESTDIR%%/version.log version;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache   hls;
            proxy_pass  http://127.0.0.1:8083;
        }

        location /api/ {
            rtmp_route_api write=on;
        }

        location /status {
            rtmp_route_status;
        }

        location /write {
            rtmp_route_status write=on;
        }

        location /json {
            rtmp_route_status format=json;
        }

        location /metrics {
            rtmp_route_status format=prometheus;
        }
    }
}

EOC

$t->{_ignore_alerts} = qr/exited on signal 9/;

my $o = rtmp_origin($t, port(8081));
my $h = hls_origin($t, port(8083));

my $core = osp_core($t, port(8084));

$h->live('secretname');
$core->server('127.0.0.1');
$core->channel('secretname', live => 1, server => '127.0.0.1');

$t->run();

###############################################################################

my ($r, $s, $m, $live);

# sessions: as they are, and what they have passed

my @media = media_messages(30, first => 5);
my $c = rtmp_publish(port(8082), 'live', 'secretname', agent => 'secretagent');

$c->send_media(@media);
$o->wait_media(media_digest(@media));

ok(wait_until(sub { metric('server_in_bytes_total', server => '127.0.0.1') }),
    'bytes while the session runs');

$s = status();
$live = $s->{routes}{live};

is($live->{sessions}{publish}{relay}, 1, 'a publisher');
is($live->{published}, 1, 'its stream');
is($live->{servers}, 2, 'servers');
is_deeply($live->{states}, { up => 1, down => 1 }, 'their states');
is($live->{list}[0]{id}, '127.0.0.2', 'what is not up comes first');
is($live->{list}[0]{max_conns}, 7, 'its limit');
is($live->{list}[1]{conns}, 1, 'where the session is');
is($live->{setup}{count}, 1, 'set up');
is($s->{write}, JSON::PP::false, 'read only');
is($s->{proxy}{publishers}, 1, 'of the proxy');

is(metric('sessions', type => 'publish', state => 'relay'), 1, 'as a metric');
is($live->{zone}{cells}{used} + $live->{zone}{cells}{free},
    metric('zone_cells', state => 'used') + metric('zone_cells',
    state => 'free'), 'records of the zone');
is(metric('servers', state => 'down'), 1, 'servers by state');
is(metric('server_up', server => '127.0.0.1'), 1, 'up');
is(metric('server_up', server => '127.0.0.2'), 0, 'down');
is(metric('server_state', server => '127.0.0.2', state => 'down'), 1,
    'and how');
is(metric('server_max_conns', server => '127.0.0.2'), 7, 'limit');

# no name in any form, nor who it is

for my $uri (qw! /status /json /metrics /status?format=json !) {
    unlike(http_get($uri), qr/secretname|secretagent|SECRET|127\.0\.0\.1:\d/,
        "no names in $uri");
}

# exactly what the connection has passed

my $sent = passed($c);

$c->close();
wait_sessions('live', 0);

is(metric('sessions', type => 'publish', state => 'relay'), 0, 'ended');
is(metric('published_streams') . metric('streams'), '01',
    'a stream that is known, and not published');
is(metric('in_bytes_total'), $sent, 'bytes in');
is(metric('server_in_bytes_total', server => '127.0.0.1'), $sent,
    'of the server');
cmp_ok(metric('out_bytes_total'), '>', 0, 'bytes out');
is(osp('sessions_ended_total', reason => 'ok')
   + osp('sessions_ended_total', reason => 'client_closed'), 1, 'why');
is(osp('sessions_ended_total', reason => 'no_server'), 0, 'not that');
is(osp('setup_seconds_count'), 1, 'set-up time');
is(osp('setup_seconds_bucket', le => '+Inf'), 1, 'of all');
cmp_ok(osp('setup_seconds_sum'), '<', 20, 'sum');

# a worker that is killed

$c = rtmp_publish(port(8082), 'live', 'secretname');
$c->send_media(@media);
$o->wait_media(media_digest(@media));
$sent += passed($c);

kill 'KILL', (sessions('live'))[0]{pid};

ok(wait_until(sub {
    osp('sessions_ended_total', reason => 'worker_died') == 1
}), 'its sessions are counted');
is(metric('in_bytes_total'), $sent, 'and all their bytes');

# registrations

request('POST', '/api/v1/srs/register', 'nonsense',
    'Authorization: Bearer SECRET');
request('POST', '/api/v1/srs/register', '{}', 'Authorization: Bearer WRONG');
ok(register('open', 8081, "quote\"d"), 'registered');

is(metric('registrations_refused_total', reason => 'invalid'), 1, 'invalid');
is(metric('registrations_refused_total', reason => 'token'), 1, 'wrong token');
is(metric('registrations_total', route => 'open'), 1, 'accepted');
is(metric('registrations_total', route => 'live'), 0, 'of that route');

like(metrics(), qr/_server_up\{route="open",server="quote\\"d"\} 1\n/,
    'escaped');
is((grep { $_->{id} eq 'quote"d' } @{status()->{routes}{open}{list}}), 1,
    'in JSON');

# what has happened, as seen once a second

ok(wait_until(sub { event() eq 'quote"d none up' }), 'it was added');
api('PATCH', 'open/servers/quote%22d', { drain => JSON::PP::true });

ok(wait_until(sub { event() eq 'quote"d up draining' }), 'and drains');

is(metric('servers', route => 'open', state => 'draining'), 1, 'draining');

# the cache

my $bytes = 0;
$bytes += length(hls_get('/live/secretname/index.m3u8')->{body}) for 1 .. 3;

ok(wait_until(sub { hls('requests_total', status => 'hit') == 2 }), 'hits');
is(hls('requests_total', status => 'miss'), 1, 'a miss');
is(hls('fills_total', result => 'ok'), 1, 'a fill');
is(hls('viewers'), 1, 'a viewer');
is(hls('objects'), 1, 'an object');
is(status()->{caches}{hls}{requests}{hit}, 2, 'in JSON');
is(hls('sent_bytes_total'), $bytes, 'bytes');
unlike(metrics() . http_get('/json'), qr/secretname/, 'no names');

# cores

ok(wait_until(sub { core('up') == 1 }), 'a core that is up');
ok(wait_until(sub { core('streams') == 1 }), 'its streams');
is(core('servers'), 1, 'servers');
cmp_ok(core('polls_total', result => 'ok'), '>', 0, 'polls');
cmp_ok(core('last_success_timestamp_seconds'), '>', time() - 60, 'when');
is(metric('core_up', route => 'dead'), 0, 'one that is not');
ok(wait_until(sub {
    metric('core_polls_total', route => 'dead', result => 'failed')
}), 'in vain');
is(status()->{routes}{core}{core}{up}, JSON::PP::true, 'in JSON');

# a reload keeps all of it

$r = metric('in_bytes_total') . ' ' . osp('sessions_ended_total',
    reason => 'worker_died') . ' ' . hls('requests_total', status => 'hit');

$t->reload();
wait_until(sub { metric('workers') == 2 });

is(metric('in_bytes_total') . ' ' . osp('sessions_ended_total',
    reason => 'worker_died') . ' ' . hls('requests_total', status => 'hit'),
    $r, 'kept over a reload');

# the form

SKIP: {
    my $tool = Test::Nginx::find_binary('promtool');

    skip 'no promtool', 1 unless defined $tool;

    $t->write_file('metrics.txt', metrics());
    my $dir = $t->testdir();

    is(`$tool check metrics <$dir/metrics.txt 2>&1`, '', 'promtool');
}

my $readme = do { local (@ARGV, $/) =
    "$FindBin::Bin/../ngx_rtmp_route_module/README.md"; <> };
my %said = map { $_ => 1 } $readme =~ /^\| `(nginx_\w+)` \|/mg;
my %shown = map { $_ => 1 } metrics() =~ /^# TYPE (\S+)/mg;

# a server that was never checked has no time of it

delete $_->{nginx_rtmp_route_server_health_check_seconds}
    for \%said, \%shown;
is_deeply([sort keys %shown], [sort keys %said], 'as documented');

# methods, arguments, headers

like(http_get('/metrics'), qr!^Content-Type: text/plain; version=0\.0\.4;!m,
    'type');
like(http_get('/metrics'), qr/^Cache-Control: no-store\r/m, 'not stored');
like(http_get('/metrics?format=json'), qr!^Content-Type: text/plain!m,
    'the directive decides');
like(http_get('/status?format=xml'), qr/ 400 .*"ArgumentInvalid"/s, 'format');
like(request('HEAD', '/json'), qr/ 200 .*\r\n\r\n\z/s, 'HEAD');
like(request('POST', '/status', '{}'),
    qr/ 405 .*Allow: GET, HEAD\r.*MethodNotAllowed/s, 'other methods');

# writing

like(patch_status('/status?route=open&server=quote%22d', 'false'),
    qr/ 405 .*MethodDisabled/s, 'not without write=on');
like(request('PATCH', '/write?route=open&server=quote%22d',
    '{"drain":false}', 'Content-Type: text/plain'), qr/ 415 /,
    'what forms of other sites send');
like(patch_status('/write?route=open&server=quote%22d', '1'), qr/ 400 /,
    'no boolean');
like(patch_status('/write?route=open&server=quote%22d', 'true,"down":true'),
    qr/ 400 /, 'nothing else is changed');
like(patch_status('/write?route=open&server=none', 'true'), qr/ 404 /,
    'no server');
like(patch_status('/write?route=', 'true'), qr/ 404 /, 'no route');
like(patch_status('/write?route=open&server=quote%22d', 'false'),
    qr/ 200 .*"state":"up"/s, 'drains no more');

patch_status('/write', 'true');
is(metric('draining', route => undef), 1, 'the proxy drains');
patch_status('/write', 'false');

like($t->read_file('version.log'), qr/\A(\d+\.\d+\.\d+)\n(\1\n)+\z/, 'version');

my ($version) = $t->read_file('version.log') =~ /^(.*)/;
my $changes = do { local (@ARGV, $/) = "$FindBin::Bin/../CHANGES"; <> };

like($changes, qr/\A\nChanges with nginx-osp \Q$version\E /, 'changes');
is(decode_json(http_content(http_get('/api/v1/versions')))->{data}{version},
    $version, 'as SRS tells it');

###############################################################################

# those of the handshake, and all behind it

sub passed {
    my ($client) = @_;

    return 3073 + ($client->sent() =~ /^(\d+)/)[0];
}

sub status {
    return decode_json(http_content(http_get('/json')));
}

sub event {
    my $e = status()->{routes}{open}{events}[0] or return '';

    return "$e->{server} $e->{was} $e->{state}";
}

sub metrics {
    return http_content(http_get('/metrics'));
}

sub metric {
    return value('nginx_rtmp_route_', @_);
}

sub osp {
    return value('nginx_stream_osp_', @_);
}

sub core {
    my ($name, @labels) = @_;

    return metric("core_$name", route => 'core', @labels);
}

sub hls {
    return value('nginx_hls_cache_', @_);
}

sub value {
    my ($prefix, $name, %labels) = @_;
    my $text = metrics();

    $labels{route} = 'live' if !exists $labels{route}
        && $prefix !~ /hls/ && $name !~ /workers/;
    delete $labels{route} unless defined $labels{route};

    for ($text =~ /^\Q$prefix$name\E((?:\{.*\})? \S+)$/mg) {
        my $line = $_;
        my ($value) = $line =~ / (\S+)$/;

        return $value unless grep {
            index($line, "$_=\"$labels{$_}\"") == -1
        } keys %labels;
    }

    return 0;
}

sub patch_status {
    my ($uri, $drain) = @_;

    return request('PATCH', $uri, "{\"drain\":$drain}",
        'Content-Type: application/json');
}

###############################################################################
