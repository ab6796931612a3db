#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for openapi.yaml: that it is valid, that each call, field and error of
# the code is in it, and that real answers are as it says.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Basename qw/ basename /;
use JSON::PP;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

eval { require JSON::Validator::Schema::OpenAPIv3; };
plan(skip_all => 'no JSON::Validator') if $@;

my $root = "$FindBin::Bin/..";
my $file = "$root/ngx_rtmp_route_module/openapi.yaml";

my $api = eval { JSON::Validator::Schema::OpenAPIv3->new->resolve($file) };
plan(skip_all => 'JSON::Validator cannot read YAML')
    if !$api && $@ =~ /YAML/ && $@ =~ /require|locate|install/;
die $@ unless $api;

# numbers are no strings

$api->coerce('');

my $t = Test::Nginx->new()->has(qw/http stream proxy/)->plan(18);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    register  from=127.0.0.1 token=SECRET allow=10.0.0.0/8 ports=1935,8080;
    server    127.0.0.1:8081;
    server    127.0.0.1:8083 backup;
    server    down.example.com down;

    path      /renamed/ to=/live/ servers=127.0.0.1:8083,127.0.0.1 args=off;

    health_check  interval=1s;
}

rtmp_route osp {
    zone      osp 1m;
    server    10.1.0.1;
    osp_core  http://127.0.0.1:8085 interval=200ms;
}

rtmp_route open {
    zone      open 32k;
    register  open allow=10.0.0.0/8;
    server    10.2.0.1 srt=9000 rtc=8000 api=1985 rtmps=443 https=443 http=80;
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

    hls_cache_zone  hls 8m;

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
            hls_cache   hls;
            proxy_pass  http://127.0.0.1:8084;
        }
    }
}

EOF_CONF

###############################################################################

# The document.  What a resource of the code's table is as a path; whoever adds
# one there adds it here and to the document.

my %paths = (
    SRS      => '/v1/srs/register',
    VERSIONS => '/v1/versions',
    INDEX    => '/',
    ROOT     => '/1/',
    PROXY    => '/1/proxy',
    ROUTES   => '/1/routes/',
    ROUTE    => '/1/routes/{route}',
    SERVERS  => '/1/routes/{route}/servers/',
    SERVER   => '/1/routes/{route}/servers/{server}',
    STREAMS  => '/1/routes/{route}/streams/',
    STREAM   => '/1/routes/{route}/streams/{stream}',
    SESSIONS => '/1/routes/{route}/sessions/',
    SESSION  => '/1/routes/{route}/sessions/{session}',
    BANS     => '/1/routes/{route}/bans/',
    BAN      => '/1/routes/{route}/bans/{ban}',
    ACCESS   => '/1/routes/{route}/access/',
    RULE     => '/1/routes/{route}/access/{rule}',
    REFRESH  => '/1/routes/{route}/refresh',
    CHECK    => '/1/routes/{route}/check',
    LOOKUP   => '/1/routes/{route}/lookup',
);

# tables of fields in the code, and what has these fields in the document

my %fields = (
    ngx_http_rtmp_route_api_fields_of      => [qw/ Route RouteFields /],
    ngx_http_rtmp_route_api_proxy_fields   => [qw/ Proxy ProxyFields /],
    ngx_http_rtmp_route_api_server_fields  => [qw/ Server ServerFields /],
    ngx_http_rtmp_route_api_stream_fields  => [qw/ Stream StreamFields /],
    ngx_http_rtmp_route_api_session_fields => [qw/ Session SessionFields /],
    ngx_http_rtmp_route_api_rule_fields_of => [qw/ Rule RuleFields /],
    ngx_http_rtmp_route_api_ban_fields     => [qw/ Ban BanFields /],
    ngx_http_hls_api_cache_fields          => [qw/ Cache CacheFields /],
    ngx_http_hls_api_stream_fields
                                => [qw/ CachedStream CachedStreamFields /],
);

# tables of words, and what takes its values from there

my %words = (
    ngx_http_rtmp_route_api_keys           => 'Route/key',
    ngx_http_rtmp_route_api_methods        => 'Route/method',
    ngx_http_rtmp_route_api_unknown        => 'Route/unknown',
    ngx_http_rtmp_route_api_sources        => 'Server/source',
    ngx_http_rtmp_route_api_server_states  => 'Server/state',
    ngx_http_rtmp_route_api_server_reasons => 'Server/reason',
    ngx_http_rtmp_route_api_preambles      => 'Server/proxy_protocol',
    ngx_http_rtmp_route_api_origins        => 'Stream/source',
    ngx_http_rtmp_route_api_session_states => 'Session/state',
    ngx_http_rtmp_route_api_ban_types      => 'Ban/type',
);

my @calls = map { "$_->{method} $_->{path}" } @{$api->routes};
my $doc = $api->data;

is(join("\n", @{$api->errors}), '', 'valid');

{
    my $broken = JSON::Validator::Schema::OpenAPIv3->new({ openapi => '3.0.3',
        info => { title => 'x', version => '1' }, paths => { x => 1 } });

    isnt(join("\n", @{$broken->errors}), '', 'what is not valid is found');
}

my $source = join('', map { $t->read_source($_) } source_files());
my %code = calls_of_code($source);

is_deeply([sort keys %code], [sort @calls],
    'calls of the code are those of the document');

is_deeply(fields_of_code($source), fields_of_document(), 'fields');

is_deeply(words_of_code($source), words_of_document(), 'words');

is_deeply([errors_of_code($source)],
    [sort @{$doc->{components}{schemas}{Error}{properties}{error}{properties}
        {code}{enum}}], 'codes of errors');

is_deeply([grep { !described($_) } errors_of_code($source)], [],
    'codes of errors in the README');

is_deeply([objects_that_are_open($doc->{components}{schemas})],
    ['Registration', 'Registration/streams'],
    'other objects have no fields beside the documented ones');

is_deeply([grep { !$_->{summary} || !$_->{operationId} || !$_->{tags} }
    map { operation(split / /) } @calls], [], 'all calls are described');

###############################################################################

# Real answers.

my $o = rtmp_origin($t, port(8081));
my $h = hls_origin($t, port(8084));
my $core = osp_core($t, port(8085));

$core->server('10.1.0.2');
$h->live('cam1');

$t->run();

my (%called, %seen, @faults, $r);

# content: sessions of both kinds, servers of all sources, streams, a cache

my $c = rtmp_publish(port(8082), 'live', 'cam1');
my $p = rtmp_play(port(8082), 'live', 'cam1');

hls_get('/live/cam1/index.m3u8') for 1, 2;
hls_get('/live/cam1/1.ts');

ok(wait_sessions('live', 2), 'sessions');

my @token = ('Authorization: Bearer SECRET');
my $origin = { ip => '10.0.0.5', server => 'vid-1', service => 'a', pid => '1',
    rtmp => ['1935'], http => ['8080'], device_id => 'one',
    streams => ['x/y'] };

# what there is

call('GET /', 200);
call('GET /v1/versions', 200);
call('GET /1/', 200);

call('GET /1/proxy', 200);
call('GET /1/proxy?fields=pid', 200);
call('GET /1/proxy?fields=x', 400);
call('PATCH /1/proxy', 200, { drain => JSON::PP::true });
call('GET /1/proxy', 200);
call('PATCH /1/proxy', 200, { drain => JSON::PP::false });
call('PATCH /1/proxy', 400, \'{"drain":1}');
call('PATCH /1/proxy', 405, \'', ro => 1);
call('PATCH /1/proxy', 413, \('x' x 70000));
call('PATCH /1/proxy', 415, \'x', headers => ['Content-Type: text/html']);

# registrations

call('POST /v1/srs/register', 200, $origin, headers => \@token);
call('POST /v1/srs/register?route=open', 200,
    { %$origin, ip => '10.0.0.6', server => 'vid-2' });
call('POST /v1/srs/register', 400, \'{', headers => \@token);
call('POST /v1/srs/register', 400, \'{"ip":"10.0.0.5"}', headers => \@token);
call('POST /v1/srs/register', 401, $origin);
call('POST /v1/srs/register', 401, $origin,
    headers => ['Authorization: Bearer x']);
call('POST /v1/srs/register', 403, { %$origin, ip => '192.0.2.1' },
    headers => \@token);
call('POST /v1/srs/register', 403, { %$origin, rtmp => ['22'] },
    headers => \@token);
call('POST /v1/srs/register?route=osp', 403, $origin);
call('POST /v1/srs/register?route=none', 404, $origin);
call('POST /v1/srs/register', 413, \('x' x 1100000), headers => \@token);

# routes

for my $uri ('/1/routes/') {
    list($uri, 'zone');
}

call('GET /1/routes/{route}', 200, undef, route => 'live');
call('GET /1/routes/{route}?fields=', 200, undef, route => 'live');
call('GET /1/routes/{route}?fields=x', 400, undef, route => 'live');
call('GET /1/routes/{route}', 404, undef, route => 'none');

ok(wait_until(sub {
    return (api('GET', 'osp')->{core}{state} || '') eq 'up';
}), 'core');
call('GET /1/routes/{route}', 200, undef, route => 'osp');

call('GET /1/routes/{route}/check', 200, undef);
call('GET /1/routes/{route}/check', 404, undef, route => 'none');
call('GET /1/routes/{route}/check', 405, undef, ro => 1);

for my $type (qw/ fetch play publish /) {
    call("GET /1/routes/{route}/lookup?path=/live/cam1&type=$type", 200);
}

call('GET /1/routes/{route}/lookup?path=/renamed/cam1', 200);
call('GET /1/routes/{route}/lookup?path=/none/cam1.m3u8', 200, undef,
    route => 'osp');
call('GET /1/routes/{route}/lookup', 400);
call('GET /1/routes/{route}/lookup?path=/live/cam1', 404, undef,
    route => 'none');

call('POST /1/routes/{route}/refresh', 204, undef, route => 'osp');
call('POST /1/routes/{route}/refresh?x=1', 400, undef, route => 'osp');
call('POST /1/routes/{route}/refresh', 404, undef, route => 'none');
call('POST /1/routes/{route}/refresh', 405, undef, ro => 1);
call('POST /1/routes/{route}/refresh', 409, undef, route => 'live');

# servers

my @server = (server => '10.0.0.20');
my $new = { server => '10.0.0.20', rtmp => ['1935'], weight => 2,
    fail_timeout => '10s', proxy_protocol => 'v1' };

call('POST /1/routes/{route}/servers/', 201, $new);
call('POST /1/routes/{route}/servers/', 400, \'{"server":"x"}');
call('POST /1/routes/{route}/servers/', 400, \'{}');
call('POST /1/routes/{route}/servers/', 404, $new, route => 'none');
call('POST /1/routes/{route}/servers/', 405, $new, ro => 1);
call('POST /1/routes/{route}/servers/', 409, $new);
call('POST /1/routes/{route}/servers/', 413, \('x' x 70000));
call('POST /1/routes/{route}/servers/', 415, $new,
    headers => ['Content-Type: application/xml']);

# there is room for few in a zone of this size

for (1 .. 200) {
    $r = request('POST', '/api/1/routes/open/servers/',
        qq({"server":"10.3.0.$_"}));
    last if $r !~ / 201 /;
}

call('POST /1/routes/{route}/servers/', 507, { server => '10.4.0.1' },
    route => 'open');
call('POST /v1/srs/register?route=open', 507,
    { %$origin, ip => '10.0.0.7', server => 'vid-3' });

ok(wait_until(sub {
    my @servers = servers('live');

    return grep({ $_->{health_checks}{last_passed} } @servers)
        && grep { $_->{downstart} } @servers;
}), 'checks');

list('/1/routes/{route}/servers/', 'id');
list('/1/routes/{route}/servers/', 'id', route => 'osp');
list('/1/routes/{route}/servers/', 'id', route => 'open');
call('GET /1/routes/{route}/servers/', 404, undef, route => 'none');

call('GET /1/routes/{route}/servers/{server}', 200, undef, @server);
call('GET /1/routes/{route}/servers/{server}?fields=id', 200, undef, @server);
call('GET /1/routes/{route}/servers/{server}?fields=x', 400, undef, @server);
call('GET /1/routes/{route}/servers/{server}', 404, undef,
    server => 'a%23b%2Fc');
call('PATCH /1/routes/{route}/servers/{server}', 200,
    { weight => 3, drain => JSON::PP::true }, @server);
call('PATCH /1/routes/{route}/servers/{server}', 400, \'{"weight":"x"}',
    @server);
call('PATCH /1/routes/{route}/servers/{server}', 404, { weight => 3 },
    server => 'none');
call('PATCH /1/routes/{route}/servers/{server}', 405, { weight => 3 }, @server,
    ro => 1);
call('PATCH /1/routes/{route}/servers/{server}', 413, \('x' x 70000), @server);
call('PATCH /1/routes/{route}/servers/{server}', 415, { weight => 3 }, @server,
    headers => ['Content-Type: text/html']);
call('DELETE /1/routes/{route}/servers/{server}?limit=1', 200, undef, @server);
call('DELETE /1/routes/{route}/servers/{server}', 404, undef, @server);
call('DELETE /1/routes/{route}/servers/{server}?x=1', 400, undef, @server);
call('DELETE /1/routes/{route}/servers/{server}', 405, undef, @server,
    ro => 1);

# streams

my @stream = (stream => 'live/pin');
my $pin = { server => '127.0.0.1' };

call('PUT /1/routes/{route}/streams/{stream}', 201, $pin, @stream);
call('PUT /1/routes/{route}/streams/{stream}', 200, $pin, @stream);
call('PUT /1/routes/{route}/streams/{stream}', 400, \'{"server":1}', @stream);
call('PUT /1/routes/{route}/streams/{stream}', 400, $pin, stream => '%01');
call('PUT /1/routes/{route}/streams/{stream}', 404, { server => 'none' },
    @stream);
call('PUT /1/routes/{route}/streams/{stream}', 405, $pin, @stream, ro => 1);
call('PUT /1/routes/{route}/streams/{stream}', 413, \('x' x 70000), @stream);
call('PUT /1/routes/{route}/streams/{stream}', 415, $pin, @stream,
    headers => ['Content-Type: image/png']);

# a conflict of two who list it

call('POST /v1/srs/register', 200, { %$origin, ip => '10.0.0.8',
    server => 'vid-4' }, headers => \@token);

list('/1/routes/{route}/streams/', 'server');
call('GET /1/routes/{route}/streams/', 404, undef, route => 'none');

call('GET /1/routes/{route}/streams/{stream}', 200, undef, @stream);
call('GET /1/routes/{route}/streams/{stream}', 200, undef, stream => 'x/y');
call('GET /1/routes/{route}/streams/{stream}?fields=age', 200, undef, @stream);
call('GET /1/routes/{route}/streams/{stream}?fields=x', 400, undef, @stream);
call('GET /1/routes/{route}/streams/{stream}', 404, undef, stream => 'a/b/c');
call('DELETE /1/routes/{route}/streams/{stream}?x', 400, undef, @stream);
call('DELETE /1/routes/{route}/streams/{stream}', 405, undef, @stream,
    ro => 1);
call('DELETE /1/routes/{route}/streams/{stream}', 204, undef, @stream);
call('DELETE /1/routes/{route}/streams/{stream}', 404, undef, @stream);

# no room for one more pin

for (1 .. 2000) {
    $r = request('PUT', "/api/1/routes/open/streams/a/$_",
        '{"server":"10.2.0.1"}');
    last if $r !~ / 20[01] /;
}

call('PUT /1/routes/{route}/streams/{stream}', 507, { server => '10.2.0.1' },
    stream => 'a/none', route => 'open');

# sessions

my $id = (sessions('live'))[0]{id};

list('/1/routes/{route}/sessions/', 'id');
call('GET /1/routes/{route}/sessions/?type=publish&stream=live/cam1', 200);
call('GET /1/routes/{route}/sessions/?type=x', 400);
call('GET /1/routes/{route}/sessions/?stream=%01', 400);
call('GET /1/routes/{route}/sessions/', 404, undef, route => 'none');
call('GET /1/routes/{route}/sessions/{session}', 200, undef, session => $id);
call('GET /1/routes/{route}/sessions/{session}?fields=', 200, undef,
    session => $id);
call('GET /1/routes/{route}/sessions/{session}?fields=x', 400, undef,
    session => $id);
call('GET /1/routes/{route}/sessions/{session}', 404, undef,
    session => '1-4711');

call('GET /1/routes/{route}/sessions/?client=127.0.0.0/8&state=relay', 200);
call('GET /1/routes/{route}/sessions/?server=127.0.0.1&agent=x', 200);

# one that is ended, and may not come back

call('DELETE /1/routes/{route}/sessions/{session}?ban=0', 400, undef,
    session => $id);
call('DELETE /1/routes/{route}/sessions/{session}', 404, undef,
    session => '1-4711');
call('DELETE /1/routes/{route}/sessions/{session}', 405, undef,
    session => $id, ro => 1);

for (1 .. 2000) {
    $r = request('POST', '/api/1/routes/live/bans/',
        qq({"stream":"a/$_","time":"1h"}));
    last if $r !~ / 201 /;
}

call('DELETE /1/routes/{route}/sessions/{session}?ban=1m', 507, undef,
    session => $id);
call('DELETE /1/routes/{route}/bans/', 204);
call('DELETE /1/routes/{route}/sessions/{session}?ban=1m', 204, undef,
    session => $id);

# bans

my $ban = { type => 'publish', stream => 'live/cam9', time => '5m',
    kick => JSON::PP::true };

call('POST /1/routes/{route}/bans/', 201, $ban);
call('POST /1/routes/{route}/bans/', 200, { %$ban, time => 90 });
call('POST /1/routes/{route}/bans/', 201, { client => '192.0.2.0/24',
    time => '1h' });
call('POST /1/routes/{route}/bans/', 400, \'{"time":"1h"}');
call('POST /1/routes/{route}/bans/', 404, $ban, route => 'none');
call('POST /1/routes/{route}/bans/', 405, $ban, ro => 1);
call('POST /1/routes/{route}/bans/', 413, \('x' x 70000));
call('POST /1/routes/{route}/bans/', 415, $ban,
    headers => ['Content-Type: text/xml']);

for (1 .. 200) {
    $r = request('POST', '/api/1/routes/open/bans/',
        qq({"client":"10.0.0.$_","time":"1h"}));
    last if $r !~ / 201 /;
}

call('POST /1/routes/{route}/bans/', 507, $ban, route => 'open');

list('/1/routes/{route}/bans/', 'id');
call('GET /1/routes/{route}/bans/', 404, undef, route => 'none');

my $banned = (sort { $a <=> $b } @{api('GET', 'live/bans/?fields=')})[0];

call('GET /1/routes/{route}/bans/{ban}', 200, undef, ban => $banned);
call('GET /1/routes/{route}/bans/{ban}?fields=x', 400, undef, ban => $banned);
call('GET /1/routes/{route}/bans/{ban}', 404, undef, ban => 4711);
call('DELETE /1/routes/{route}/bans/{ban}?x=1', 400, undef, ban => $banned);
call('DELETE /1/routes/{route}/bans/{ban}', 405, undef, ban => $banned,
    ro => 1);
call('DELETE /1/routes/{route}/bans/{ban}', 204, undef, ban => $banned);
call('DELETE /1/routes/{route}/bans/{ban}', 404, undef, ban => $banned);
call('DELETE /1/routes/{route}/bans/?id=1', 400);
call('DELETE /1/routes/{route}/bans/', 404, undef, route => 'none');
call('DELETE /1/routes/{route}/bans/', 405, undef, ro => 1);

# the access list

my $rule = { action => 'allow', cidr => '10.0.0.0/8' };

call('POST /1/routes/{route}/access/', 201, $rule);
call('POST /1/routes/{route}/access/', 201,
    { action => 'deny', cidr => 'all' });
call('POST /1/routes/{route}/access/', 400, \'{"action":"x","cidr":"all"}');
call('POST /1/routes/{route}/access/', 404, $rule, route => 'none');
call('POST /1/routes/{route}/access/', 405, $rule, ro => 1);
call('POST /1/routes/{route}/access/', 409, $rule);
call('POST /1/routes/{route}/access/', 413, \('x' x 70000));
call('POST /1/routes/{route}/access/', 415, $rule,
    headers => ['Content-Type: text/xml']);

for (1 .. 20) {
    request('POST', '/api/1/routes/open/access/',
        qq({"action":"allow","cidr":"10.0.0.$_"}));
}

call('POST /1/routes/{route}/access/', 507, $rule, route => 'open');

list('/1/routes/{route}/access/', 'cidr');
call('GET /1/routes/{route}/access/', 404, undef, route => 'none');
call('GET /1/routes/{route}/access/{rule}', 200, undef, rule => 1);
call('GET /1/routes/{route}/access/{rule}?fields=x', 400, undef, rule => 1);
call('GET /1/routes/{route}/access/{rule}', 404, undef, rule => 4711);
call('DELETE /1/routes/{route}/access/{rule}?x=1', 400, undef, rule => 1);
call('DELETE /1/routes/{route}/access/{rule}', 405, undef, rule => 1, ro => 1);
call('DELETE /1/routes/{route}/access/{rule}', 200, undef, rule => 1);
call('DELETE /1/routes/{route}/access/{rule}', 404, undef, rule => 1);

# caches

list('/1/caches/', 'size');
call('GET /1/caches/{zone}/', 200);
call('GET /1/caches/{zone}/?fields=used', 200);
call('GET /1/caches/{zone}/?fields=x', 400);
call('GET /1/caches/{zone}/', 404, undef, zone => 'none');
list('/1/caches/{zone}/streams/', 'hits');
call('GET /1/caches/{zone}/streams/', 404, undef, zone => 'none');
call('GET /1/caches/{zone}/check', 200);
call('GET /1/caches/{zone}/check', 404, undef, zone => 'none');
call('GET /1/caches/{zone}/check', 405, undef, ro => 1);

for my $uri ('/1/caches/{zone}/', '/1/caches/') {
    call("DELETE $uri?uri=x", 400);
    call("DELETE $uri?stream=none", 404);
    call("DELETE $uri", 405, undef, ro => 1);
    call("DELETE $uri?stream=live/cam1", 204) if $uri =~ /zone/;
    call("DELETE $uri", 204);
}

# what there is not

like(request('GET', '/api/1/none'), qr/ 404 .*"PathNotFound"/s, 'no such path');

is(join("\n", @faults), '', 'answers are as documented');

# nothing that is documented was left out

is_deeply([grep { !$called{$_} } @calls], [], 'calls that were not made');

is_deeply([grep { !$called{$_} } map { statuses($_) } @calls], [
    # a player over a unix domain socket can't be banned
    'delete /1/routes/{route}/sessions/{session} 409',
], 'answers that were not provoked');

is_deeply([grep { !$seen{$_} } fields_of_answers()], [
    # not without a fault of ours
    'CacheCheck/fault', 'CacheCheck/record',
    'RouteCheck/fault', 'RouteCheck/record',
], 'fields that were not seen');

# what is wrong is found

%seen = @faults = ();

hold('Server', [{ id => 'x', new => 1 }], { type => 'array', items =>
    $doc->{components}{schemas}{Server} });
hold('Server', { weight => '1' }, $doc->{components}{schemas}{Server});

is(scalar @faults, 2, 'what is not documented is found');

$_->close() for $c, $p;

###############################################################################

# The files that make up the API, and what they say.

sub source_files {
    return glob("$root/ngx_rtmp_route_module/*.c"),
        glob("$root/ngx_http_hls_cache_module/ngx_http_hls_api*.c");
}

sub Test::Nginx::read_source {
    my ($self, $name) = @_;

    open my $f, '<', $name or die "Can't open $name: $!\n";
    local $/;

    return scalar <$f>;
}

# rows of the table of calls, and methods of sections

sub calls_of_code {
    my ($text) = @_;
    my (%calls, $ops, $lists);

    ($lists) = $text =~ /^#define \w+_API_GET_LIST\b(.*?[^\\])\n/ms;
    ($ops) = $text
        =~ /_api_op_t\s+ngx_http_rtmp_route_api_ops\[\] = \{(.*?)\n\};/s;

    for my $row ($ops =~ /^    \{ (NGX_HTTP_RTMP_ROUTE_API_.*?)\}/gms) {
        my ($resources, $methods) = split /,/, $row;

        $resources =~ s/NGX_HTTP_RTMP_ROUTE_API_GET_LIST/$lists/;

        for my $resource ($resources =~ /_API_(\w+)/g) {
            for my $method ($methods =~ /NGX_HTTP_(\w+)/g) {
                next if $method eq 'HEAD';
                $calls{lc($method) . ' '
                    . ($paths{$resource} || "(no path of $resource)")} = 1;
            }
        }
    }

    while ($text
        =~ /_api_section_t\s+\w+ = \{\n\s*ngx_string\("(\w+)"\),(.*?),/gs)
    {
        my ($name, $methods) = ($1, $2);

        # which of its paths takes what is known to its handler alone

        for my $call (@calls) {
            my ($method, $path) = split / /, $call;

            $calls{$call} = 1 if $path =~ m!^/1/$name/!
                && $methods =~ /NGX_HTTP_\U$method\E\b/;
        }

        for my $method ($methods =~ /NGX_HTTP_(\w+)/g) {
            next if $method eq 'HEAD';
            next if grep { m!^\L$method\E /1/$name/! } @calls;
            $calls{"\L$method\E of section $name"} = 1;
        }
    }

    return %calls;
}

sub fields_of_code {
    my ($text) = @_;
    my %names;

    while ($text =~ /_api_field_t\s+(\w+)\[\] =\s*\{(.*?)\n\};/gs) {
        my ($table, $rows) = ($1, $2);

        $names{$table} = [sort $rows =~ /ngx_string\("(\w+)"\)/g];
    }

    return \%names;
}

sub fields_of_document {
    my %names;

    for my $table (sort keys %fields) {
        my ($schema, $parameter) = @{$fields{$table}};
        my $properties = $doc->{components}{schemas}{$schema}{properties};
        my $enum = $doc->{components}{parameters}{$parameter}{schema}{items}
            {enum};

        next unless $properties || $enum;

        $names{$table} = [sort keys %{$properties || {}}];
        $names{$table} = "$schema and $parameter differ"
            if "@{$names{$table}}" ne join(' ', sort @{$enum || []});
    }

    return \%names;
}

sub words_of_code {
    my ($text) = @_;
    my %names;

    while ($text =~ /^static ngx_str_t  (\w+_api_\w+)\[\] = \{(.*?)\n\};/gms) {
        my ($table, $rows) = ($1, $2);
        my %seen = map { $_ => 1 } $rows =~ /ngx_string\("([^"]*)"\)/g;

        $names{$table} = [grep { length } sort keys %seen];
    }

    return \%names;
}

# an empty one stands for none

sub words_of_document {
    my %names;

    for my $table (sort keys %words) {
        my ($schema, $name) = split m!/!, $words{$table};

        $names{$table} = [grep { length } sort @{$doc->{components}{schemas}
            {$schema}{properties}{$name}{enum} || []}];
    }

    return \%names;
}

sub errors_of_code {
    my ($text) = @_;
    my %codes;

    $codes{$1} = 1
        while $text =~ /_(?:api_)?error\(\s*[^;"]*?"([A-Z][A-Za-z]+)"\s*,/gs;

    return sort keys %codes;
}

sub described {
    my ($code) = @_;

    return $t->read_source("$root/ngx_rtmp_route_module/README.md")
        =~ /^\| \d{3} \|[^|]*\b$code\b/m;
}

sub objects_that_are_open {
    my ($schemas) = @_;
    my @open;

    my $walk; $walk = sub {
        my ($name, $schema) = @_;

        return unless ref($schema) eq 'HASH';
        return if $schema->{'$ref'};

        push @open, $name if ($schema->{type} || '') eq 'object'
            && !exists $schema->{additionalProperties};

        $walk->($name, $_) for @{$schema->{oneOf} || []};
        $walk->($name, $schema->{items}) if $schema->{items};
        $walk->("$name/$_", $schema->{properties}{$_})
            for sort keys %{$schema->{properties} || {}};
    };

    $walk->($_, $schemas->{$_}) for sort keys %$schemas;
    undef $walk;

    return @open;
}

###############################################################################

# A call, whose answer must be as documented.  A body is a value, or a
# reference to a text that need not be right; the rest are values of the path,
# ro => 1 and headers.

sub call {
    my ($call, $status, $body, %values) = @_;
    my ($method, $path, $args) = $call =~ /^(\S+) ([^?]+)(.*)$/;
    my ($uri, $reply, $code, $answer, $op, $schema, $text, $name, %headers);

    %values = (route => 'live', zone => 'hls', headers => [], %values);

    $name = lc($method) . " $path";
    $op = operation(split / /, $name);

    $uri = $path;
    $uri =~ s/\{(\w+)\}/$values{$1}/g;
    $uri = ($values{ro} ? '/ro' : '/api') . $uri . $args;

    $text = ref($body) eq 'SCALAR' ? $$body
        : defined $body ? encode_json($body) : '';

    $reply = request($method, $uri, $text, @{$values{headers}});
    ($code) = $reply =~ m!^HTTP/1\.1 (\d+)!;
    $code ||= 'none';

    $called{$name} = $called{"$name $code"} = 1;

    return fault($call, "got $code, not $status: $reply") if $code != $status;
    return fault($call, 'is not documented') unless $op;

    $answer = deref($op->{responses}{$code});

    return fault($call, "$code is not documented") unless $answer;

    # what was sent

    if ($code =~ /^2/ && defined $body) {
        $schema = $op->{requestBody}{content}{'application/json'}{schema};
        hold("$call, body", $body, $schema) if $schema;
        fault($call, 'a body is not documented') unless $schema;
    }

    for my $arg ($args =~ /([^?&=]+)(?==|&|$)(?:=[^&]*)?/g) {
        fault($call, "$arg is not documented") unless $code != 200
            || grep { $_->{in} eq 'query' && $_->{name} eq $arg }
                map { deref($_) } @{$op->{parameters} || []};
    }

    # what came back

    $headers{lc $1} = $2
        while $reply =~ /\n([\w-]+): ([^\x0d]*)(?=.*?\x0d\x0a\x0d\x0a)/gs;

    for my $header (sort keys %{$answer->{headers}}) {
        my $h = deref($answer->{headers}{$header});

        if (exists $headers{lc $header}) {
            hold("$call, $header", $headers{lc $header}, $h->{schema});

        } elsif ($h->{required}) {
            fault($call, "$code has no $header");
        }

        $seen{$header} = 1 if exists $headers{lc $header};
    }

    for my $header (qw/ Allow Link Location WWW-Authenticate Cache-Control /) {
        fault($call, "$header of $code is not documented")
            if exists $headers{lc $header} && !$answer->{headers}{$header};
    }

    $schema = $answer->{content}{'application/json'}{schema};
    $text = http_content($reply);

    if (!$schema) {
        fault($call, "$code has a body") if length $text;
        return;
    }

    fault($call, "is $headers{'content-type'}")
        if $headers{'content-type'} ne 'application/json';

    $answer = eval { JSON::PP->new()->allow_nonref()->utf8()->decode($text) };

    return fault($call, "no JSON: $text") unless defined $answer;

    hold("$call, $code", $answer, $schema);

    fault($call, "status $answer->{error}{status} in $code")
        if $code =~ /^4|^5/ && $answer->{error}{status} != $code;

    return $answer;
}

# what lists have in common

sub list {
    my ($uri, $field, @values) = @_;

    call("GET $uri", 200, undef, @values);
    call("GET $uri?fields=", 200, undef, @values);
    call("GET $uri?fields=$field", 200, undef, @values);
    call("GET $uri?limit=1", 200, undef, @values);
    call("GET $uri?limit=1&after=0", 200, undef, @values);
    call("GET $uri?fields=$field,x", 400, undef, @values);
    call("GET $uri?limit=0", 400, undef, @values);
    call("GET $uri?after=1", 400, undef, @values);
}

sub hold {
    my ($name, $value, $schema) = @_;

    fault($name, "$_") for $api->validate($value, $schema);
    see($value, $schema);
}

# notes which fields there were

sub see {
    my ($value, $schema, $name) = @_;

    $name = $1 if ($schema->{'$ref'} || '') =~ m!/schemas/(\w+)$!;
    $schema = deref($schema);

    see($value, $_, $name) for map { @{$schema->{$_} || []} }
        qw/ anyOf oneOf allOf /;

    if (ref($value) eq 'ARRAY' && $schema->{items}) {
        see($_, $schema->{items}, $name) for @$value;
    }

    return unless ref($value) eq 'HASH';

    for my $key (keys %$value) {
        my $s = $schema->{properties}{$key};

        if ($s) {
            $seen{"$name/$key"} = 1 if $name;
            see($value->{$key}, $s, $name ? "$name/$key" : undef);

        } elsif (ref($schema->{additionalProperties}) eq 'HASH') {
            see($value->{$key}, $schema->{additionalProperties}, $name);
        }
    }
}

# of all that is answered, but for what only stands in bodies of requests

sub fields_of_answers {
    my @names;

    my $walk; $walk = sub {
        my ($name, $schema) = @_;

        return if $schema->{'$ref'};

        $walk->($name, $schema->{items}) if $schema->{items};

        for (sort keys %{$schema->{properties} || {}}) {
            push @names, "$name/$_";
            $walk->("$name/$_", $schema->{properties}{$_});
        }
    };

    for (sort keys %{$doc->{components}{schemas}}) {
        next if /^New|Update$|^Registration$/;
        $walk->($_, $doc->{components}{schemas}{$_});
    }

    undef $walk;

    return @names, sort keys %{$doc->{components}{headers}};
}

# those that can be provoked

sub statuses {
    my ($name) = @_;

    return map { "$name $_" } grep { $_ != 500 }
        sort keys %{operation(split / /, $name)->{responses}};
}

sub operation {
    my ($method, $path) = @_;

    return $doc->{paths}{$path}{$method};
}

sub deref {
    my ($what) = @_;

    while (ref($what) eq 'HASH' && $what->{'$ref'}) {
        my ($section, $name) = $what->{'$ref'} =~ m!^#/components/(\w+)/(.+)$!;

        $what = $doc->{components}{$section}{$name};
    }

    return $what;
}

sub fault {
    my ($call, $text) = @_;

    $text =~ s/\x0d//g;
    push @faults, "$call: $text";

    return;
}

###############################################################################
