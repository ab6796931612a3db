#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api: what all of its calls have in common: arguments,
# pages, fields, types of bodies, headers, errors.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HLS;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream proxy/)->plan(123);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone      live 1m;
    register  open;
    server    127.0.0.1:8081;
    server    10.0.0.12;
    server    10.0.0.13;
}

rtmp_route again {
    zone      again 1m;
    server    10.0.0.12;
    server    10.0.0.13;
    server    10.0.0.14;
}

rtmp_route third {
    zone      third 1m;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen        127.0.0.1:8082;
        osp_upstream  live;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone  one 8m;
    hls_cache_zone  two 8m;
    hls_cache_zone  three 8m;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /ro/ {
            rtmp_route_api;
        }

        location / {
            hls_cache   one;
            proxy_pass  http://127.0.0.1:8084;
        }
    }
}

EOF_CONF

my $o = rtmp_origin($t, port(8081));
my $h = hls_origin($t, port(8084));

$h->live("cam$_") for 1 .. 3;

$t->run();

###############################################################################

my $live = '/api/1/routes/live';
my ($r, $s, $next, @clients, %all, %first, %next);

for my $n (1 .. 3) {
    pin('live', "live/cam$n", '10.0.0.12');
    request('POST', "$live/access/",
        qq({"action":"deny","cidr":"192.0.2.$n"}));
    push @clients, rtmp_publish(port(8082), 'pub', "cam$n");

    hls_get("/live/cam$n/index.m3u8");
}

ok(wait_sessions('live', 3), 'sessions');

# each list in pages: nothing is left out, and nothing comes twice

my %lists = (
    '/api/1/routes/'            => 3,
    "$live/servers/"            => 3,
    "$live/streams/"            => 6,
    "$live/sessions/"           => 3,
    "$live/access/"             => 3,
    '/api/1/caches/'            => 3,
    '/api/1/caches/one/streams/' => 3,
);

for my $uri (sort keys %lists) {
    $all{$uri} = [names(get($uri))];

    is(scalar @{$all{$uri}}, $lists{$uri}, "$uri, all of it");
    is_deeply([sort { $a cmp $b } pages("$uri?limit=1")], $all{$uri},
        "$uri, by one");
    is_deeply([sort { $a cmp $b } pages("$uri?limit=2")], $all{$uri},
        "$uri, by two");
    is_deeply([names(get("$uri?limit=999999999"))], $all{$uri},
        "$uri, as many as there are");
    is_deeply([names(get("$uri?after=0"))], $all{$uri}, "$uri, from the start");

    # names alone, and none of what was not asked for

    is_deeply([sort(@{get("$uri?fields=")})], $all{$uri}, "$uri, names");
    refused('GET', "$uri?fields=nothing", 400, 'ArgumentInvalid');

    # numbers that are none, or too large

    for my $arg (qw/ limit=0 limit=-1 limit=1x limit= limit=99999999999999999999
        after=-1 after=x after=1 after=4711-00000000
        after=18446744073709551617-00000000 after=1-0000000g /)
    {
        $r = request('GET', "$uri?$arg");
        $s = eval { decode_json(http_content($r))->{error} } || {};

        next if $r =~ m!^HTTP/1.1 400 ! && $s->{code} eq 'ArgumentInvalid';
        fail("$uri?$arg") or diag($r);
    }

    pass("$uri, invalid numbers");

    $r = request('GET', "$uri?limit=1");
    ($first{$uri}) = names(decode_json(http_content($r)));
    ($next{$uri}) = $r =~ /^Link: <\?limit=1&after=([^>]+)>; rel="next"\x0d$/m;

    # the rest of the URI is as it was, and does not end it

    like(request('GET', "$uri?after=0&x=%3E&limit=1&&y=>;"),
        qr/^Link: <\?x=%3E&limit=1&y=%3E;&after=[\w-]+>; rel="next"\x0d$/m,
        "$uri, other arguments");

    is(request('HEAD', $uri) =~ /^Content-Length: (\d+)/m && $1,
        length(http_content(request('GET', $uri))), "$uri, HEAD")
        unless $uri =~ /sessions/;
}

# a page goes on in its own list, and not in another one

for my $uri (sort keys %lists) {
    $s = 0;

    for (grep { $_ ne $uri } sort keys %lists) {
        $s++ if request('GET', "$_?after=$next{$uri}") =~ m!^HTTP/1.1 400 !;
    }

    is($s, scalar keys(%lists) - 1, "$uri, next page of another list");
}

$s = $next{"$live/servers/"};

like(request('GET', "/api/1/routes/again/servers/?after=$s"),
    qr/ 400 .*"ArgumentInvalid"/s, 'next page of another route');
like(request('GET', "/ro/1/routes/live/servers/?after=$s"),
    qr/ 200 /, 'next page in another location');

# what a page ended with may have gone

request('DELETE', "$live/servers/$first{\"$live/servers/\"}");
is_deeply([names(get("$live/servers/?after=$s"))],
    [qw/ 10.0.0.12 10.0.0.13 /], 'behind a server that is gone');

$s = $next{"$live/access/"};
request('DELETE', "$live/access/$first{\"$live/access/\"}");
refused('GET', "$live/access/?after=$s", 400, 'ArgumentInvalid');

# a filtered page is as full as it can be

$r = request('GET', "$live/sessions/?stream=pub/cam3&limit=1");
is_deeply([map { $_->{stream} } @{decode_json(http_content($r))}],
    ['pub/cam3'], 'page with a filter');
unlike($r, qr/^Link:/m, 'is the last one');

# one object

is_deeply([sort keys %{get('/api/1/caches/one?fields=hits,size')}],
    ['hits', 'size'], 'fields of a cache');
is_deeply(get('/api/1/caches/one/streams/?fields=objects'),
    { map { $_ => { objects => 1 } } @{$all{'/api/1/caches/one/streams/'}} },
    'fields of its streams');
is_deeply(get('/api/1/routes/live?fields='), {}, 'a route without fields');
refused('GET', '/api/1/caches/one?fields=nothing', 400, 'ArgumentInvalid');

# a misspelled argument of something that is changed

refused('DELETE', '/api/1/caches/one?steam=live/cam1', 400, 'ArgumentInvalid');
refused('DELETE', '/api/1/caches/?Uri=/live/cam1&x=1', 400, 'ArgumentInvalid');
refused('DELETE', "$live/streams/live/cam1?x=1", 400, 'ArgumentInvalid');
refused('DELETE', "$live/servers/10.0.0.13?limi=1", 400, 'ArgumentInvalid');
refused('POST', "$live/servers/?down=1", 400, 'ArgumentInvalid',
    '{"server":"10.0.0.20"}');
is(scalar @{get('/api/1/caches/one/streams/?fields=')}, 3, 'nothing purged');
is(scalar @{get("$live/servers/?fields=")}, 2, 'no server deleted or added');
like(request('DELETE', "$live/streams/live/cam1?token=x&"), qr/ 204 /,
    'a token is none of ours');
is(scalar(@{decode_json(http_content(request('DELETE',
    "$live/servers/10.0.0.13?fields=id&limit=1")))}), 1, 'known arguments');
like(request('GET', "$live/servers/?_=1700000000"), qr/ 200 /,
    'others of GET are ignored');

# bodies that are no JSON by their own account

my $body = '{"server":"10.0.0.21"}';

for my $type (qw!text/html application/xml multipart/form-data;boundary=x
    application/octet-stream application/jsonp application/+json x!)
{
    refused('POST', "$live/servers/", 415, 'TypeInvalid', $body,
        "Content-Type: $type");
}

refused('POST', "$live/servers/", 415, 'TypeInvalid', $body,
    'Content-Type: application/json', 'Content-Encoding: gzip');
refused('PUT', "$live/streams/live/cam1", 415, 'TypeInvalid',
    '{"server":"10.0.0.12"}', 'Content-Type: image/png');

for my $type ('application/json', 'application/json; charset=utf-8',
    'Application/JSON;charset=UTF-8', 'application/merge-patch+json',
    'application/x-www-form-urlencoded', 'text/plain;charset=UTF-8', '')
{
    like(request('PATCH', "$live/servers/10.0.0.12", '{"weight":2}',
        "Content-Type: $type"), qr/ 200 /, "type \"$type\"");
}

like(request('POST', '/api/v1/srs/register', '{"ip":"10.0.0.30","server":"a",'
    . '"service":"b","pid":"c","rtmp":["1935"]}', 'Content-Type: text/html'),
    qr/ 200 /, 'a registration may say what it likes');

# nobody keeps an answer

for ("GET /api/", "GET /api/1/", "GET $live/servers/", "GET $live/none",
    "DELETE $live/streams/live/cam2", "GET /api/1/caches/one/streams/",
    "POST $live", "GET $live/access/1")
{
    like(request(split / /), qr/^Cache-Control: no-store\x0d$/m,
        "$_, no-store");
}

# nothing in an answer without a body speaks of one

unlike(request('DELETE', "$live/streams/live/cam3"), qr/^Content-/m,
    'no content');

$_->close() for @clients;

###############################################################################

sub get {
    my ($uri) = @_;

    return eval { decode_json(http_content(request('GET', $uri))) };
}

# ids or names, in their order

sub names {
    my ($list) = @_;

    return sort(ref($list) eq 'ARRAY' ? map { ref($_) ? $_->{id} : $_ } @$list
        : keys %{$list || {}});
}

sub pages {
    my ($uri) = @_;
    my ($base, @names) = $uri =~ /^([^?]+)/;

    for (1 .. 10) {
        my $reply = request('GET', $uri);

        push @names, names(decode_json(http_content($reply)));

        return @names unless $reply =~ /^Link: <([^>]+)>; rel="next"/m;
        $uri = "$base$1";
    }

    return 'no end';
}

sub refused {
    my ($method, $uri, $status, $code, $content, @headers) = @_;

    my $reply = request($method, $uri, $content, @headers);
    my $e = eval { decode_json(http_content($reply)) };

    is(join(' ', $reply =~ m!^HTTP/1.1 (\d+)!, ref($e) ? ($e->{error}{status},
        $e->{error}{code}, $e->{error}{text} ? 'text' : '',
        length($e->{request_id}), $e->{href} ? 'href' : '') : ()),
        "$status $status $code text 32 href", "$method $uri, $code");
}

###############################################################################
