#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api: lists, objects, and what changes them.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Select;
use JSON::PP;
use Socket qw/ CRLF /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http ssi gzip/)->plan(132);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    zone      live 2m;
    register  open;
    server    10.0.0.11 rtmp=1935 http=5999 weight=2 max_conns=500
              max_streams=100;
    server    origin-b.example.test rtmps=443 https=5999 backup down
              proxy_protocol=v1;
}

rtmp_route other {
    zone      other 1m;
    key       vhost/app/stream;
    round_robin;
    server    10.0.0.11;
}

rtmp_route secret {
    zone      secret 1m;
    key       stream secret;
    server    10.0.0.11;
}

rtmp_route big {
    zone      big 16m;
    register  open;
}

rtmp_route small {
    zone      small 32k;
    register  open;
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/info.log info;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location = /exact {
            rtmp_route_api;
        }

        location /ro {
            rtmp_route_api  write=off names=on;
        }

        location /hidden/ {
            rtmp_route_api  names=off;
        }

        location /in/1/it/ {
            rtmp_route_api;
        }

        location /slow/ {
            rtmp_route_api;
            limit_rate    2m;
            send_timeout  1s;
        }

        location /gzip/ {
            rtmp_route_api;
            gzip           on;
            gzip_types     *;
            gzip_min_length  0;
        }

        location /ssi.html {
            ssi  on;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location / {
            rtmp_route_api;
        }
    }
}

EOF_CONF

$t->write_file('ssi.html',
    'a<!--#include virtual="/ro/1/" -->b'
    . '<!--#include virtual="/ro/1/routes/big/streams/" -->c');

$t->run();

###############################################################################

my ($r, $s, @list, %seen);

# other modules add to it

my $root = qr/^\["routes"(,"\w+")*\]$/;

# places

is(body('/api/'), '[1]', 'versions of the API');
like(body('/api/1/'), $root, 'what there is');
like(body('/api/1'), $root, 'without a slash');
like(body('/ro/1/'), $root, 'another location');
like(body('/in/1/it/1/'), $root, 'a number in the location');
like(body('/in/1/it/v1/'), $root, 'a number with a letter');
is(body('/exact'), '[1]', 'an exact location');
like(body('/1/', 8081), $root, 'the root');
is(body('/1/routes/live/servers/10.0.0.11?fields=id', 8081),
    '{"id":"10.0.0.11"}', 'from the root');

like(body('/api/v1/versions'), qr/^\{"code":0,"server":"nginx-osp",
    "data":\{"major":\d+,"minor":\d+,"revision":\d+,"version":"[\d.]+"}}$/x,
    'version of the module');

refused('GET', '/api/2/', 404, 'PathNotFound');
refused('GET', '/api/1/nothing', 404, 'PathNotFound');
refused('GET', '/api/1/routes/live/nothing', 404, 'PathNotFound');
refused('GET', '/api/1/routes/nothing', 404, 'RouteNotFound');
refused('GET', '/api/1/routes/live/servers/nothing', 404, 'ServerNotFound');
refused('GET', '/api/1/routes/live/streams/no/thing', 404, 'StreamNotFound');
refused('GET', '/api/1/routes/live/sessions/1-1', 404, 'SessionNotFound');
refused('POST', '/api/1/routes/', 405, 'MethodNotAllowed', 'GET, HEAD');
refused('POST', '/api/1/routes/live/streams/a/b', 405, 'MethodNotAllowed',
    'GET, HEAD, PUT, DELETE');
refused('TRACE', '/api/1/', 405, undef);
refused('OPTIONS', '/api/1/routes/live/servers/', 405, 'MethodNotAllowed',
    'GET, HEAD, POST');

# routes

is(join(' ', sort keys %{get('/api/1/routes/')}),
    'big live other secret small', 'routes');

$r = get('/api/1/routes/live');
is($r->{key}, 'app/stream', 'key');
is($r->{method}, 'hash', 'method');
is($r->{unknown}, 'pick', 'unknown');
is($r->{servers}, 2, 'number of servers');
is($r->{streams}, 0, 'number of streams');
is($r->{sessions}, 0, 'number of sessions');
is($r->{zone}{name}, 'live', 'zone');
is($r->{zone}{size}, 2097152, 'its size');
ok($r->{zone}{cells}{free} > 1000, 'room in it');
is_deeply(get('/api/1/routes/other/')->{method}, 'round_robin',
    'another method');
is(body('/api/1/routes/secret?fields=secret,key'),
    '{"key":"stream","secret":true}', 'fields of a route');

# servers

like(body('/api/1/routes/live/servers/'), qr/^\[\{"id":"10\.0\.0\.11",
    "server":"10\.0\.0\.11","rtmp":\["10\.0\.0\.11:1935"\],
    "http":\["10\.0\.0\.11:5999"\],"api":\[\],"srt":\[\],"rtc":\[\],
    "source":"config","state":"up","weight":2,"max_conns":500,
    "max_streams":100,"streams":0,"conns":0,"selected":0,"fails":0,
    "unavail":0,"drained":false,
    "last_seen":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","expires":0[,}]/x,
    'a server');

$s = get('/api/1/routes/live/servers/origin-b.example.test');
is($s->{server}, 'origin-b.example.test', 'a name');
is("$s->{state} $s->{reason}", 'down disabled', 'a server that is down');
ok($s->{backup}, 'backup');
is($s->{proxy_protocol}, 'v1', 'proxy_protocol');

is(body('/api/1/routes/live/servers/?fields=state,id'),
    '[{"id":"10.0.0.11","state":"up"},'
    . qq!{"id":"origin-b.example.test","state":"$s->{state}"}]!,
    'fields of servers');
refused('GET', '/api/1/routes/live/servers/?fields=id,nothing', 400,
    'ArgumentInvalid');

$r = http("HEAD /api/1/routes/live/servers/ HTTP/1.1" . CRLF
    . 'Host: localhost' . CRLF . 'Connection: close' . CRLF . CRLF);
like($r, qr!^HTTP/1.1 200 .*Content-Length: \d{3,}\x0d!s, 'HEAD');
is(http_content($r), '', 'no body');

# adding servers

$r = request('POST', '/api/1/routes/live/servers/',
    '{"server":"10.0.0.12","rtmp":["1935"],"http":["8080"]}');
like($r, qr!^HTTP/1.1 201 !, 'added');
like($r, qr!^Location: /api/1/routes/live/servers/10\.0\.0\.12\x0d$!m,
    'location');
is(decode_json(http_content($r))->{source}, 'api', 'the server');

is(join(' ', map { $_->{id} } servers('live')),
    '10.0.0.11 origin-b.example.test 10.0.0.12', 'is in the list');

refused('POST', '/api/1/routes/live/servers', 409, 'EntryExists', undef,
    '{"server":"10.0.0.12"}');
refused('POST', '/api/1/routes/live/servers', 409, 'EntryExists', undef,
    '{"server":"10.0.0.11"}');

# many at once, of whom one is the first

my %answers;

for my $n (1 .. 20) {
    $answers{join(' ', at_once('/api/1/routes/big/servers/',
        qq({"id":"once$n","server":"10.1.0.$n"}), 8))}++;
}

is(join(', ', map { "$answers{$_} times $_" } keys %answers),
    '20 times 201 409 409 409 409 409 409 409', 'added at once');
is(scalar(grep { $_->{id} =~ /^once/ } servers('big')), 20, 'each is there');
api('DELETE', "big/servers/once$_") for 1 .. 20;

refused('POST', '/api/1/routes/live/servers', 400, 'FieldMissing', undef,
    '{}');
refused('POST', '/api/1/routes/live/servers', 400, 'FieldMissing', undef, '');
refused('POST', '/api/1/routes/live/servers', 400, 'FieldInvalid', undef,
    '{"server":"a.example.test"}');
refused('POST', '/api/1/routes/live/servers', 400, 'FieldInvalid', undef,
    '{"server":"10.0.0.13","nothing":1}');
refused('POST', '/api/1/routes/live/servers', 400, 'JsonError', undef, '{');
refused('POST', '/api/1/routes/live/servers', 413, 'BodyTooLarge', undef,
    '{}' . ' ' x 65536);
is(scalar servers('live'), 3, 'nothing was added');

$r = request('POST', '/api/1/routes/live/servers/',
    '{"server":"[2001:db8::1]:1936","id":"a b/c?","weight":5,"drain":true,'
    . '"fail_timeout":"5s","max_fails":0}');
like($r, qr!^Location: /api/1/routes/live/servers/a%20b%2[Ff]c%3[Ff]\x0d$!m,
    'an id of its own');
$s = get('/api/1/routes/live/servers/a%20b%2Fc%3F');
is($s->{id}, 'a b/c?', 'is found');
is_deeply($s->{rtmp}, ['[2001:db8::1]:1936'], 'IPv6 and port');
is($s->{state}, 'draining', 'draining');
is($s->{fail_timeout}, 5000, 'fail_timeout');

# changing them

$s = api('PATCH', 'live/servers/10.0.0.12',
    { weight => 9, max_conns => 8, max_streams => 7 });
is("$s->{weight} $s->{max_conns} $s->{max_streams}", '9 8 7', 'changed');
is((grep { $_->{id} eq '10.0.0.12' } servers('live'))[0]->{weight}, 9,
    'in the list, too') for 1 .. 4;

is(api('PATCH', 'live/servers/10.0.0.12', { drain => JSON::PP::true })
    ->{state}, 'draining', 'drain');
is(api('PATCH', 'live/servers/10.0.0.12', { down => JSON::PP::true })
    ->{state}, 'down', 'down');
$s = api('PATCH', 'live/servers/10.0.0.12',
    { down => JSON::PP::false, drain => JSON::PP::false });
is($s->{state}, 'up', 'up');
is($s->{weight}, 9, 'the weight stays');

refused('PATCH', '/api/1/routes/live/servers/nothing', 404, 'ServerNotFound',
    undef, '{"weight":1}');
refused('PATCH', '/api/1/routes/live/servers/10.0.0.12', 400, 'FieldInvalid',
    undef, '{"weight":0}');
refused('PATCH', '/api/1/routes/live/servers/10.0.0.12', 400, 'FieldInvalid',
    undef, '{"server":"10.0.0.14"}');
refused('PATCH', '/api/1/routes/live/servers/10.0.0.12', 400, 'FieldInvalid',
    undef, '{"weight":1,"down":"yes"}');
is(get('/api/1/routes/live/servers/10.0.0.12')->{weight}, 9,
    'nothing was changed');

# and taking them away

$r = api('DELETE', 'live/servers/a%20b%2Fc%3F');
is(join(' ', map { $_->{id} } @$r),
    '10.0.0.11 origin-b.example.test 10.0.0.12', 'those that remain');
refused('DELETE', '/api/1/routes/live/servers/a%20b%2Fc%3F', 404,
    'ServerNotFound');

# pins

$r = request('PUT', '/api/1/routes/live/streams/live/cam1',
    '{"server":"10.0.0.12"}');
like($r, qr!^HTTP/1.1 201 !, 'pinned');
like(http_content($r), qr/^\{"server":"10\.0\.0\.12","source":"pin",
    "publishers":0,"players":0,"viewers":0,"age":\d+}$/x, 'the pin');

$r = request('PUT', '/api/1/routes/live/streams/live/cam1',
    '{"server":"10.0.0.11"}');
like($r, qr!^HTTP/1.1 200 !, 'pinned elsewhere');
is(get('/api/1/routes/live/streams/live/cam1')->{server}, '10.0.0.11',
    'it counts');
is(get('/api/1/routes/live/streams/live//cam1/')->{server}, '10.0.0.11',
    'another form of the name');
is_deeply(get('/api/1/routes/live/streams/?fields=source'),
    { 'live/cam1' => { source => 'pin' } }, 'all streams');
is(get('/api/1/routes/live')->{streams}, 1, 'counted');

refused('PUT', '/api/1/routes/live/streams/live/cam2', 404, 'ServerNotFound',
    undef, '{"server":"nothing"}');
refused('PUT', '/api/1/routes/live/streams/live/cam2', 400, 'FieldInvalid',
    undef, '{}');
refused('PUT', '/api/1/routes/live/streams/live/cam2', 400, 'FieldInvalid',
    undef, '{"server":1}');
refused('PUT', '/api/1/routes/live/streams/live/cam2', 400, 'FieldInvalid',
    undef, '{"server":"10.0.0.11","weight":1}');
refused('PUT', '/api/1/routes/live/streams/live/cam2', 400, 'JsonError',
    undef, 'x');
refused('PUT', '/api/1/routes/live/streams/' . 'x' x 2000, 400,
    'StreamInvalid', undef, '{"server":"10.0.0.11"}');

$r = request('DELETE', '/api/1/routes/live/streams/live/cam1');
like($r, qr!^HTTP/1.1 204 !, 'forgotten');
is(http_content($r), '', 'no body');
refused('DELETE', '/api/1/routes/live/streams/live/cam1', 404,
    'StreamNotFound');

like(request('PUT', '/api/1/routes/secret/streams/Key',
    '{"server":"10.0.0.11"}'), qr/ 201 /, 'a secret name');
@list = keys %{get('/api/1/routes/secret/streams/')};
like("@list", qr/^#[0-9a-f]{16}$/, 'is not shown');
(my $hash = $list[0]) =~ s/#/%23/;
is(get("/api/1/routes/secret/streams/$hash")->{source}, 'pin',
    'found by its hash');
is(get('/api/1/routes/secret/streams/Key')->{source}, 'pin',
    'and by its name');

like(request('PUT', '/api/1/routes/other/streams/a.example.test/live/x',
    '{"server":"10.0.0.11"}'), qr/ 201 /, 'with a host');
is_deeply([keys %{get('/api/1/routes/other/streams/')}],
    ['a.example.test/live/x'], 'which is part of the key');

# names that need care

request('PUT', '/api/1/routes/live/streams/live/%22%5c%C3%A9%FF%3C',
    '{"server":"10.0.0.11"}');
is(body('/api/1/routes/live/streams/?fields='),
    "[\"live/\\\"\\\\\xc3\xa9\\ufffd<\"]", 'escaped');

# names=off

request('PUT', '/api/1/routes/live/streams/live/hidden',
    '{"server":"10.0.0.11"}');
$r = body('/hidden/1/routes/live/streams/');
unlike($r, qr/hidden/, 'names are hidden');
like($r, qr!"live/#[0-9a-f]{16}":\{!, 'hashes are shown');
like(body('/hidden/1/routes/other/streams/'),
    qr!"a\.example\.test/live/#[0-9a-f]{16}":\{!, 'with a host');
is((keys %{get('/hidden/1/routes/secret/streams/')})[0], $list[0],
    'the same hash');

# write=off

for my $case (
    ['POST', 'servers/', '{"server":"10.0.0.20"}'],
    ['PATCH', 'servers/10.0.0.11', '{"weight":1}'],
    ['DELETE', 'servers/10.0.0.11'],
    ['PUT', 'streams/live/x', '{"server":"10.0.0.11"}'],
    ['DELETE', 'streams/live/hidden'])
{
    refused($case->[0], "/ro/1/routes/live/$case->[1]", 405,
        'MethodDisabled', 'GET, HEAD', $case->[2]);
}

like(request('POST', '/ro/v1/srs/register?route=small', '{"ip":"10.0.0.1",'
    . '"server":"v","service":"s","pid":"1","rtmp":["1935"]}'), qr/ 200 /,
    'registration is no write');

# no room

for my $i (1 .. 1000) {
    $r = request('PUT', "/api/1/routes/small/streams/live/$i",
        '{"server":"v"}');
    last if $r !~ / 20\d /;
}

like($r, qr/ 507 .*"code":"ZoneFull"/s, 'no room for a pin');
like($t->read_file('error.log'),
    qr/no room for streams and sessions in zone "small"/, 'which zone it is');

# long lists

for my $i (1 .. 4) {
    request('POST', '/api/v1/srs/register?route=big', encode_json({
        ip => "10.0.0.$i", server => "s$i", service => 's', pid => '1',
        rtmp => ['1935'],
        streams => [map { "live/stream-number-$i-$_" } 1 .. 2500] }));
}

is(get('/api/1/routes/big')->{streams}, 10000, 'many streams');
is(scalar keys %{get('/api/1/routes/big/streams/')}, 10000, 'are all shown');
is(scalar keys %{get('/slow/1/routes/big/streams/')}, 10000, 'slowly');

like(http_get('/ro/1/routes/big/streams/'), qr/\}\}$/, 'HTTP/1.0');
like(http_get('/ssi.html'), qr/a\["routes".*\]b\{.*\}\}c$/s, 'subrequests');

SKIP: {
    skip 'no Compress::Zlib', 1 unless eval { require Compress::Zlib; 1 };

    $r = http('GET /gzip/1/routes/big/streams/ HTTP/1.1' . CRLF
        . 'Host: localhost' . CRLF . 'Connection: close' . CRLF
        . 'Accept-Encoding: gzip' . CRLF . CRLF);
    is(scalar keys %{decode_json(Compress::Zlib::memGunzip(http_content($r)))},
        10000, 'gzip');
}

# in pages

my ($next, $pages) = ('?fields=server&limit=700', 0);

while ($next && $pages < 100) {
    $r = request('GET', "/ro/1/routes/big/streams/$next");
    $pages++;

    $s = decode_json(http_content($r));
    $seen{$_}++ for keys %$s;

    ($next) = $r
        =~ /^Link: <(\?fields=server&limit=700&after=[\w-]+)>; rel="next"/m;
}

is($pages, 15, 'pages');
is(scalar keys %seen, 10000, 'all streams on them');
is((grep { $_ > 1 } values %seen), 0, 'none of them twice');

is(scalar @{get('/ro/1/routes/big/servers/?limit=4')}, 4, 'one page');
unlike(request('GET', '/ro/1/routes/big/servers/?limit=4'), qr/^Link:/m,
    'is the last one');
is(body('/ro/1/routes/big/sessions/?type=publish&stream=live/x'), '[]',
    'sessions of a stream');

refused('GET', '/ro/1/routes/big/streams/?limit=0', 400, 'ArgumentInvalid');
refused('GET', '/ro/1/routes/big/streams/?limit=x', 400, 'ArgumentInvalid');
refused('GET', '/ro/1/routes/big/streams/?after=-1', 400, 'ArgumentInvalid');
refused('GET', '/ro/1/routes/big/streams/?after=99999999999', 400,
    'ArgumentInvalid');
refused('GET', '/ro/1/routes/big/sessions/?type=x', 400, 'ArgumentInvalid');

# a client that reads nothing, and one that goes away

my $lazy = http('GET /slow/1/routes/big/streams/ HTTP/1.0' . CRLF . CRLF,
    start => 1);
$s = http('GET /ro/1/routes/big/streams/ HTTP/1.0' . CRLF . CRLF,
    start => 1);
close $s;

like(http_get('/ro/1/'), qr/routes/, 'others are served');

select undef, undef, undef, 0.5;
close $lazy;

$t->stop();

unlike($t->read_file('info.log'), qr!stream-number!,
    'no names of streams are logged');

###############################################################################

sub body {
    my ($uri, $port) = @_;

    return http_content(http("GET $uri HTTP/1.1" . CRLF . 'Host: localhost'
        . CRLF . 'Connection: close' . CRLF . CRLF,
        PeerAddr => '127.0.0.1:' . port($port || 8080)));
}

# statuses of requests whose last bytes are sent one after the other

sub at_once {
    my ($uri, $body, $n) = @_;
    my (@sockets, @statuses);

    for (1 .. $n) {
        push @sockets, http(Test::Nginx::Route::raw('POST', $uri,
            $body) =~ s/.$//sr, start => 1);
    }

    select undef, undef, undef, 0.02;

    $_->syswrite(substr($body, -1)) for @sockets;

    for my $s (@sockets) {
        push @statuses, http('', socket => $s) =~ m!^HTTP/1\.1 (\d+)!;
    }

    return sort @statuses;
}

sub get {
    my ($uri) = @_;

    return eval { decode_json(body($uri)) };
}

sub refused {
    my ($method, $uri, $status, $code, $allow, $body) = @_;
    my ($r, $e);

    $r = request($method, $uri, $body);
    $e = eval { decode_json(http_content($r)) } || {};

    return like($r, qr/ $status /, "$method $uri") unless defined $code;

    is(join(' ', $r =~ /^HTTP\S+ (\d+)/, $e->{error}{status} || '',
        $e->{error}{code} || '', $e->{error}{text} ? 'text' : '',
        defined $allow ? $r =~ /^Allow: (.*?)\x0d$/m : ()),
        join(' ', $status, $status, $code, 'text',
        defined $allow ? $allow : ()), "$method " . substr($uri, 0, 60)
        . " $code");
}

###############################################################################
