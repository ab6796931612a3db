#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for registration of servers, as SRS does it.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Socket qw/ CRLF /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite access/)->plan(180);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route none {
    zone      none 1m;
    server    10.9.9.9;
}

rtmp_route live {
    zone      live 1m;
    register  timeout=30s token=SECRET token=NEXT
              from=127.0.0.0/8 allow=10.0.0.0/8 allow=127.0.0.2;
}

rtmp_route free {
    zone      free 1m;
    register  open streams=off ports=1935-1990 ports=8000-10080;
}

rtmp_route far {
    zone      far 1m;
    register  from=192.0.2.0/24;
}

rtmp_route short {
    zone      short 1m;
    register  open timeout=1s;
}

rtmp_route small {
    zone      small 32k;
    register  open;
}

rtmp_route secret {
    zone      secret 1m;
    key       stream secret;
    register  open;
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format  all  '$request $request_uri $uri $args $arg_token '
                     '$http_authorization';
    access_log  %%TESTDIR%%/all.log all;
    error_log   %%TESTDIR%%/info.log info;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        client_body_buffer_size  1k;
        lingering_timeout        500ms;

        location /api/ {
            rtmp_route_api        write=on;
            client_max_body_size  100;
        }

        location /limited/ {
            rtmp_route_api;
            limit_except GET {
                deny all;
            }
        }

        location /denied/ {
            rtmp_route_api;
            deny  all;
        }

        location /if/ {
            if ($arg_x) {
                set $foo 1;
            }
            rtmp_route_api;
        }

        location /renamed {
            rewrite  ^ /api/v1/srs/register last;
        }

        location /moved/ {
            error_page  404 = /api/v1/srs/register;
            return      404;
        }

        location /api/other/ {
            return  200 "$args $http_authorization$uri";
        }

        location /body/ {
            rtmp_route_api;
            client_body_in_file_only  on;
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

$t->run();

###############################################################################

my $uri = '/api/v1/srs/register';
my %srs = (
    ip => '10.0.0.11', server => 'vid-46p14mm', service => 'z2s3w865',
    pid => '42583', rtmp => ['1935'], http => ['8080'], api => ['1985'],
    srt => ['udp://0.0.0.0:10080'], rtc => ['udp://0.0.0.0:8000'],
    device_id => 'origin1', summaries => { ok => JSON::PP::true }
);

my ($r, $s, $pid);

$pid = $t->read_file('nginx.pid');
chomp($pid);

# success

$r = register("$uri?token=SECRET", \%srs);
like($r, qr!^HTTP/1.1 200 !, 'registered');
like($r, qr!^Content-Type: application/json\x0d$!m, 'content type');
is(http_content($r), qq!{"code":0,"pid":"$pid"}!, 'exact answer');

($s) = servers('live');
is($s->{id}, 'vid-46p14mm', 'id');
is($s->{server}, '10.0.0.11', 'server');
is_deeply($s->{rtmp}, ['10.0.0.11:1935'], 'rtmp');
is_deeply($s->{http}, ['10.0.0.11:8080'], 'http');
is_deeply($s->{api}, ['10.0.0.11:1985'], 'api');
is_deeply($s->{srt}, ['10.0.0.11:10080'], 'srt');
is_deeply($s->{rtc}, ['10.0.0.11:8000'], 'rtc');
is($s->{source}, 'register', 'source');
is($s->{state}, 'up', 'state');
is($s->{device_id}, 'origin1', 'device');
like($s->{last_seen}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'seen');
ok($s->{expires} > 25 && $s->{expires} <= 30, 'expires');

like(register("$uri?token=NEXT", \%srs), qr/ 200 /, 'the other token');
like(register("$uri?route=live&TOKEN=SECRET", \%srs), qr/ 200 /,
    'named route');
like(register("$uri/?token=%53ECRET", \%srs), qr/ 200 /, 'encoded token');
like(register($uri, \%srs, 'Authorization: Bearer SECRET'), qr/ 200 /,
    'bearer');
like(register($uri, \%srs, 'authorization: bearer  NEXT'), qr/ 200 /,
    'bearer in lower case');
like(register("/renamed?token=SECRET", \%srs), qr/ 200 /, 'after a rewrite');
like(register("/moved/x?token=SECRET", \%srs), qr/ 405 /,
    'a redirect makes it GET');
like(register("/body/v1/srs/register?token=SECRET", \%srs), qr/ 200 /,
    'no file for a body');
like(register("/if/v1/srs/register?token=SECRET&x=1", \%srs), qr/ 200 /,
    'inside of if');
is(scalar servers('live'), 1, 'still one server');

my %upper = map { uc($_) => $srs{$_} } keys %srs;
like(register("$uri?token=SECRET", \%upper), qr/ 200 /, 'names in upper case');

# both workers take registrations, and see those of the other

for (1 .. 20) {
    register("$uri?token=SECRET",
        { %srs, server => "w$_", ip => "10.0.1.$_" });
}

is(scalar servers('live'), 21, 'all are seen') for 1 .. 5;

api('DELETE', "live/servers/w$_") for 1 .. 20;
is(scalar servers('live'), 1, 'and gone');

# our own fields

like(register("$uri?token=SECRET", { %srs, https => ['443'],
        rtmps => ['1936'], weight => 3, max_conns => 500, max_streams => 100,
        proxy_protocol => 'v1' }), qr/ 200 /, 'own fields');

($s) = servers('live');
is_deeply($s->{https}, ['10.0.0.11:443'], 'https');
is_deeply($s->{rtmps}, ['10.0.0.11:1936'], 'rtmps');
is($s->{weight}, 3, 'weight');
is($s->{max_conns}, 500, 'max_conns');
is($s->{max_streams}, 100, 'max_streams');
is($s->{proxy_protocol}, 'v1', 'proxy_protocol');

# what an operator sets stays

patch('live', 'vid-46p14mm', drain => JSON::PP::true, weight => 7);
register("$uri?token=SECRET", { %srs, weight => 3, max_conns => 500 });
($s) = servers('live');
is($s->{state}, 'draining', 'drained');
is($s->{weight}, 7, 'weight of the operator');
patch('live', 'vid-46p14mm', drain => JSON::PP::false, weight => 3);

# streams

register("$uri?token=SECRET",
    { %srs, streams => ['live/cam1', '/live//cam2/',
        { name => 'live/cam3', publishers => 1, players => 2 },
        { name => 'live/cam4', publishers => 0, players => 2 }, '', '..'] });

is(streams('live'), 'live/cam1 live/cam2 live/cam3', 'streams');
is(api('GET', 'live/streams/live/cam1')->{source}, 'list', 'source');
is(api('GET', 'live/streams/live/cam1')->{server}, 'vid-46p14mm', 'server');

register("$uri?token=SECRET",
    { %srs, ip => '10.0.0.12', server => 'b', streams => ['live/cam1'] });
is(api('GET', 'live/streams/live/cam1')->{server}, 'vid-46p14mm', 'conflict');
is_deeply(api('GET', 'live/streams/live/cam1')->{conflicts}, ['b'],
    'shown with the stream');
ok(!exists(api('GET', 'live/streams/live/cam2')->{conflicts}),
    'not with another one');
is(join(' ', map { "$_->{id} $_->{conflicts}" } servers('live')),
    'vid-46p14mm 0 b 1', 'and with the server');

register("$uri?token=SECRET",
    { %srs, ip => '10.0.0.12', server => 'b', streams => [] });
is(join(' ', map { $_->{conflicts} } servers('live')), '0 0', 'given up');
ok(!exists(api('GET', 'live/streams/live/cam1')->{conflicts}),
    'no longer shown');
api('DELETE', 'live/servers/b');

register("$uri?token=SECRET", { %srs, streams => ['live/cam2'] });
is(streams('live'), 'live/cam2', 'fewer streams');

register("$uri?token=SECRET", \%srs);
is(streams('live'), 'live/cam2', 'no list, no change');

$r = register("$uri?token=SECRET",
    { %srs, streams => [map { "live/$_" } 1 .. 10001] });
like($r, qr/ 200 /, 'too many streams');
is(streams('live'), 'live/cam2', 'are ignored');
like($t->read_file('info.log'), qr/\[warn\].*lists more than 10000 streams/,
    'with a warning');

$r = register("$uri?token=SECRET",
    { %srs, streams => [map { "live/$_" } 1 .. 10000] });
like($r, qr/ 200 /, 'as many streams as may be');
register("$uri?token=SECRET", { %srs, streams => [] });
is(streams('live'), '', 'an empty list');

register("$uri?route=free", { %srs, streams => ['live/cam1'] });
is(streams('free'), '', 'streams=off');

register("$uri?route=secret", { %srs, streams => ['hidden', 'hidden2'] });
like(streams('secret'), qr/^#[0-9a-f]{16} #[0-9a-f]{16}$/, 'secret names');

# restart, and another server at the same place

register("$uri?route=free", { %srs, service => 'new', pid => '2' });
is(scalar servers('free'), 1, 'a restart');
is((servers('free'))[0]->{service}, 'new', 'its service');

register("$uri?route=free", { %srs, server => 'other' });
is(scalar servers('free'), 1, 'the same address');
is((servers('free'))[0]->{id}, 'other', 'another id');

# time-out

register("$uri?route=short", \%srs);
is((servers('short'))[0]->{state}, 'up', 'up');
select undef, undef, undef, 1.3;
is((servers('short'))[0]->{state}, 'down', 'expired');
is((servers('short'))[0]->{reason}, 'expired', 'reason');

# refusals, none of which may change anything

my $base = qq!"ip":"10.0.0.1","server":"v","service":"s","pid":"1"!;
my $good = qq!{$base,"rtmp":["1935"]}!;

refused('GET', 405, 'MethodNotAllowed', "$uri?token=SECRET", '');
refused('PUT', 405, 'MethodNotAllowed', "$uri?token=SECRET", $good);

refused('POST', 401, 'TokenMissing', $uri, $good);
refused('POST', 401, 'TokenMissing', "$uri?token=", $good);
refused('POST', 401, 'TokenInvalid', "$uri?token=WRONG", $good);
refused('POST', 401, 'TokenInvalid', "$uri?token=SECRE", $good);
refused('POST', 401, 'TokenInvalid', "$uri?token=SECRETS", $good);
refused('POST', 401, 'TokenInvalid', "$uri?token=secret", $good);
refused('POST', 401, 'TokenMissing', $uri, $good,
    'Authorization: Basic U0VDUkVU');

refused('POST', 403, 'CallerNotAllowed', "$uri?route=far", $good);
refused('POST', 403, 'RegistrationDisabled', "$uri?route=none", $good);
refused('POST', 404, 'RouteNotFound', "$uri?route=nothing", $good);

for my $ip (qw/ 192.0.2.1 127.0.0.1 8.8.8.8 ::1 /) {
    refused('POST', 403, 'AddressNotAllowed', "$uri?token=SECRET",
        qq!{"ip":"$ip","server":"v","service":"s","pid":"1","rtmp":["1"]}!);
}

for my $ip (qw/ 127.0.0.1 0.0.0.0 169.254.169.254 224.0.0.1 :: ::1 fe80::1
    ::ffff:127.0.0.1 255.255.255.255 /)
{
    refused('POST', 403, 'AddressNotAllowed', "$uri?route=short",
        qq!{"ip":"$ip","server":"v","service":"s","pid":"1","rtmp":["1"]}!);
}

refused('POST', 403, 'AddressNotAllowed', "$uri?token=SECRET",
    qq!{$base,"rtmp":["192.0.2.1:1935"]}!);
refused('POST', 403, 'AddressNotAllowed', "$uri?route=short",
    qq!{$base,"rtmp":["1935"],"http":["169.254.169.254:80"]}!);
refused('POST', 403, 'PortNotAllowed', "$uri?route=free",
    qq!{$base,"rtmp":["22"]}!);
refused('POST', 403, 'PortNotAllowed', "$uri?route=free",
    qq!{$base,"rtmp":["1935"],"http":["80"]}!);

my $with = "$uri?token=SECRET";

for my $case (
    ['FieldMissing', 'empty ip', ''],
    ['FieldMissing', 'empty ip', '{}'],
    ['FieldMissing', 'empty server', '{"ip":"10.0.0.1"}'],
    ['FieldMissing', 'empty service', '{"ip":"10.0.0.1","server":"v"}'],
    ['FieldMissing', 'empty pid',
        '{"ip":"10.0.0.1","server":"v","service":"s"}'],
    ['FieldMissing', 'empty rtmp', "{$base}"],
    ['FieldMissing', 'empty rtmp', qq!{$base,"rtmp":[]}!],
    ['FieldInvalid', 'ip',
        '{"ip":"a.b","server":"v","service":"s","pid":"1","rtmp":["1"]}'],
    ['FieldInvalid', 'pid', '{"pid":1}'],
    ['FieldInvalid', 'rtmp', qq!{$base,"rtmp":"1935"}!],
    ['FieldInvalid', 'rtmp', qq!{$base,"rtmp":["0"]}!],
    ['FieldInvalid', 'rtmp', qq!{$base,"rtmp":["65536"]}!],
    ['FieldInvalid', 'rtmp', qq!{$base,"rtmp":["host:1935"]}!],
    ['FieldInvalid', 'weight', qq!{$base,"rtmp":["1935"],"weight":0}!],
    ['FieldInvalid', 'streams', qq!{$base,"rtmp":["1935"],"streams":1}!],
    ['FieldInvalid', 'server',
        '{"ip":"10.0.0.1","server":"a\u0001","service":"s","pid":"1",'
        . '"rtmp":["1"]}'],
    ['FieldInvalid', 'server', '{"ip":"10.0.0.1","server":"' . 'x' x 129
        . '","service":"s","pid":"1","rtmp":["1"]}'],
    ['JsonError', 'invalid JSON', '{'],
    ['JsonError', 'invalid JSON', 'nothing'],
    ['JsonError', 'object', '[]'],
    ['JsonError', 'invalid JSON', qq!{"ip":"\xff"}!],
    ['JsonError', 'invalid JSON', '{"ip":"\u0000"}'],
    ['JsonError', 'invalid JSON', "{\"ip\":\"\0\"}"],
    ['JsonError', 'duplicate', '{"ip":"10.0.0.1","ip":"10.0.0.2"}'],
    ['JsonError', 'too deep', '[' x 33 . ']' x 33],
    ['JsonError', 'too many', '[' . '1,' x 131072 . '1]'])
{
    my ($code, $text, $body) = @$case;
    my $e = refused('POST', 400, $code, $with, $body);
    like($e->{text}, qr/\Q$text\E/, "says $text");
}

# length

my $blank = 1048576 - length($good);

like(request('POST', $with, $good . ' ' x $blank), qr/ 200 /, '1 megabyte');
refused('POST', 413, 'BodyTooLarge', $with, $good . ' ' x ($blank + 1));

like(chunked($with, $good, 1), qr/ 200 /, 'chunked, byte by byte');
like(chunked($with, $good . ' ' x $blank, 65536), qr/ 200 /,
    'chunked, 1 megabyte');
like(chunked($with, $good . ' ' x ($blank + 100000), 65536),
    qr/ 413 .*BodyTooLarge/s, 'chunked, more');
like(chunked($with, $good, 0), qr/ 400 .*BodyInvalid/s, 'chunked, broken');

like(http("POST $with HTTP/1.1" . CRLF . 'Host: localhost' . CRLF
    . 'Connection: close' . CRLF . 'Expect: 100-continue' . CRLF
    . 'Content-Length: 2000000' . CRLF . CRLF), qr!^HTTP/1.1 413 !,
    'nobody is asked to continue');

api('DELETE', 'live/servers/v');

# somebody else's entry, from another address

my $before = state();

$r = http("POST $uri?route=free HTTP/1.0" . CRLF . 'Content-Length: '
    . length(encode_json({ %srs, server => 'other' })) . CRLF . CRLF
    . encode_json({ %srs, server => 'other' }), LocalAddr => '127.0.0.9');
like($r, qr/ 403 .*ServerOwned/s, 'somebody else');
is(state(), $before, 'nothing changed');

like(http("POST $with HTTP/1.0" . CRLF . 'Content-Length: '
    . length(encode_json(\%srs)) . CRLF . CRLF . encode_json(\%srs),
    LocalAddr => '127.0.0.9'), qr/ 200 /, 'somebody else with the token');

# no room

my $n = 0;

for (1 .. 1000) {
    $r = register("$uri?route=small",
        { %srs, server => "s$_", ip => "10.1." . int($_ / 250) . '.'
            . ($_ % 250 + 1) });
    last if $r !~ / 200 /;
    $n++;
}

like($r, qr/ 507 .*"code":"ZoneFull"/s, "full after $n servers");
is(scalar servers('small'), $n, 'those that were taken');
like(register("$uri?route=small", { %srs, server => 's1', ip => '10.1.0.2' }),
    qr/ 200 /, 'who is in stays in');

# other ways to be refused

like(request('POST', '/denied/v1/srs/register?token=SECRET', $good),
    qr/ 403 /, 'denied by nginx');
like(request('POST', '/limited/v1/srs/register?token=SECRET', $good),
    qr/ 403 /, 'denied by limit_except');
like(request('GET', '/limited/v1/versions'), qr/ 200 .*"code":0/s,
    'not denied by limit_except');
like(register('/v1/srs/register?token=SECRET', \%srs, undef, 8081),
    qr/ 200 /, 'at the root');

# arguments as a part of the path: SRS leaves out those behind it

like(register("$uri/token=SECRET", \%srs), qr/ 200 /, 'token in the path');
like(register("$uri/route=live&token=%53ECRET", \%srs), qr/ 200 /,
    'route and token in the path');
refused('POST', 401, 'TokenInvalid', "$uri/token=WRONG", $good);
refused('POST', 401, 'TokenMissing', "$uri/route=live", $good);
refused('POST', 404, 'RouteNotFound', "$uri/route=nosuch&token=SECRET", $good);
refused('POST', 404, 'PathNotFound', "$uri/SECRE", $good);
request('POST', '/denied/v1/srs/register/token=SECRET', $good);

like(request('GET', '/api/other/v1/srs/register/token=FOREIGN', ''),
    qr!\x0d\x0a\x0d\x0a /api/other/v1/srs/register/token=FOREIGN!,
    "another location's path is left alone");

like(request('GET', '/api/other/v1/srs/register?x=1&token=FOREIGN', '',
    'Authorization: Bearer FOREIGN'), qr!x=1&token=FOREIGN Bearer FOREIGN/!,
    "another location's token is left alone");

# "/1/" and "/v1/" mean the same

like(request('POST', '/api/1/srs/register', $good,
    'Authorization: Bearer SECRET'), qr/ 200 /, 'another form of the URI');
request('POST', '/denied/1/srs/register?token=SECRET', $good);
http("POST /api/1/srs/register?token=SECRET HTTP/1.1" . CRLF . CRLF);

# what cannot be parsed is logged as well

http("POST $uri?token=SECRET HTTP/1.1" . CRLF . 'Host: local/host' . CRLF
    . CRLF);
http("POST $uri?token=SECRET HTTP/1.1" . CRLF . CRLF);
http("POST $uri?token=SECRET HTTP/7.1" . CRLF . 'Host: localhost' . CRLF
    . CRLF);
http("POST $uri?a=1&token=SECRET&b=2 HTTP/1.1" . CRLF . 'Host: localhost'
    . CRLF . 'Connection: close' . CRLF . 'Content-Length: 9000000' . CRLF
    . CRLF);

$t->stop();

my $log = $t->read_file('all.log');
my $errors = $t->read_file('info.log');

unlike($log, qr/SECRET|NEXT|%53ECRET/, 'no token in the access log');
unlike($log, qr/FOREIGN(?!.*FOREIGN)/, 'nor another one of this form');
like($log, qr/a=1&token=\*{6}&b=2/, 'the rest of the line');
unlike(join("\n", grep { !/ reading client request / } split /\n/, $errors),
    qr/SECRET|NEXT|%53ECRET/, 'no token in the error log');
unlike($errors, qr!live/cam!, 'no names of streams');
like($errors, qr/\[notice\].*server "vid-46p14mm" registered in route "live"/,
    'registration logged');
like($errors, qr/\[info\].*registration was refused: 401 TokenInvalid/,
    'refusal logged');

###############################################################################

sub register {
    my ($uri, $value, $header, $port) = @_;
    my $body = encode_json($value);

    return http("POST $uri HTTP/1.1" . CRLF . 'Host: localhost' . CRLF
        . 'Connection: close' . CRLF . ($header ? $header . CRLF : '')
        . 'Content-Length: ' . length($body) . CRLF . CRLF . $body,
        PeerAddr => '127.0.0.1:' . port($port || 8080));
}

sub refused {
    my ($method, $status, $code, $uri, $body, @headers) = @_;
    my ($before, $r, $e, $name);

    $before = state();

    $r = request($method, $uri, $body, @headers);
    $e = eval { decode_json(http_content($r)) } || {};

    $name = "$status $code " . substr($body, 0, 60);
    $name =~ s/[^ -~]/./g;

    is(join(' ', $r =~ /^HTTP\S+ (\d+)/, $e->{error}{status} || '',
        $e->{error}{code} || '', state() eq $before ? 'same' : 'changed',
        length($e->{request_id} || ''), exists $e->{href},
        $status == 401 ? $r =~ /^WWW-Authenticate: Bearer\x0d$/m : 1,
        $status == 405 ? $r =~ /^Allow: POST\x0d$/m : 1),
        "$status $status $code same 32 1 1 1", $name);

    return $e->{error};
}

# all that a registration could change; what has expired is checked, and goes
# some time later

sub state {
    my ($all, $servers, $s);

    for my $route (qw/ none live free far short small secret /) {
        $servers = [ grep { $_->{state} ne 'down' }
            @{ api('GET', "$route/servers/") } ];
        delete @$_{qw/ last_seen expires state reason downtime downstart /}
            for @$servers;

        $all .= JSON::PP->new()->canonical()->encode($servers);
        $all .= streams($route);
    }

    return $all;
}

sub streams {
    my ($route) = @_;

    return join ' ', sort keys %{ api('GET', "$route/streams/") };
}

# size 0: what is no chunk

sub chunked {
    my ($uri, $body, $size) = @_;
    my $chunks = '';

    while ($size && length($body)) {
        my $chunk = substr($body, 0, $size, '');
        $chunks .= sprintf('%x', length($chunk)) . CRLF . $chunk . CRLF;
    }

    $chunks = $size ? $chunks . '0' . CRLF . CRLF : "zz\n\n";

    return http("POST $uri HTTP/1.1" . CRLF . 'Host: localhost' . CRLF
        . 'Connection: close' . CRLF . 'Transfer-Encoding: chunked' . CRLF
        . CRLF . $chunks);
}

###############################################################################
