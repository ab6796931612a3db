#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the tree in conf/: what OSP-Proxy did wrong, and what OSP core may
# do wrong to it.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_start http_end /;
use Test::Nginx::HTTPD;
use Test::Nginx::OSPCore;
use Test::Nginx::RTMP;
use Test::Nginx::State;
use Test::Nginx::Tree;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_realip proxy access rewrite stream pcre/);

# what the core says of a channel, and of a viewer

my @faults = (
    [ 'cut', cut => 1 ],
    [ 'reset', reset => 1 ],
    [ 'null', null => 1, types => 1 ],
    [ 'long header', headers => [ 'X_UpstreamHost: ' . 'x' x 65536 ] ],
    [ 'odd address', headers => [ "X_UpstreamHost: 127.0.0.3\t\"\x1b[31m" ],
        types => 1 ],
    [ '200 MB', big => 1 ],
    [ 'a byte a second', drip => 1 ],
);

$t->plan(48 + 4 * @faults);

my $core = osp_core($t, port(8082));

# the core calls its own host 127.0.0.1

$core->site(siteAddress => '127.0.0.2');
$core->server($_) for '127.0.0.1', '127.0.0.3';
$core->server('127.0.0.4', active => 0);

$core->user('some_one', 'stored');
$core->channel('cam1', live => 1, server => '127.0.0.1');
$core->channel('vip', live => 1, protected => 1, owner => 'some_one',
    server => '127.0.0.3');
$core->channel($_, live => 1, private => 1, server => '127.0.0.3')
    for 'priv', 'both', map { "fault$_" } 0 .. $#faults;

tree($t, '', rtmp => 8081, listen => <<'EOF_LISTEN', route => <<'EOF_ROUTE');
listen 127.0.0.1:8080;
set_real_ip_from 127.0.0.1;
real_ip_header X-Forwarded-For;
EOF_LISTEN
osp_core http://127.0.0.1:8082 interval=300ms rtmp=%%PORT_8090%%
             http=%%PORT_8091%%;
EOF_ROUTE

my %rtmp = map { $_ => rtmp_origin($t, port(8090), host => $_,
    file => $t->testdir() . "/rtmp-$_.log") } '127.0.0.2', '127.0.0.3',
    '127.0.0.4';

my %http = map { $_ => httpd($t, port(8091), sub { node($t, @_) }, host => $_,
    file => $t->testdir() . "/http-$_.log") } '127.0.0.2', '127.0.0.3';

$t->run();

my $token = $core->header('vip', 'some_one');
my (@c, @s, $c, $n, $r);

###############################################################################

ok(wait_until(sub { get('/live/cam1/index.m3u8') =~ / 200 OK/ }), 'polled');

# the name of a publisher is the secret of his channel

@c = map { rtmp_publish(port(8081), 'stream', "key-cam$_?pass=hidden$_") }
    1 .. 12;

# ... by whatever application

push @c, rtmp_publish(port(8081), 'live', 'key-cam99');

is(scalar(grep { $_->{code} eq 'NetStream.Publish.Start' } @c), 13, 'publish');
ok($rtmp{$_}->connections() > 0, "publish: $_") for '127.0.0.2', '127.0.0.3';
is($rtmp{'127.0.0.4'}->connections(), 0, 'publish: none to who is inactive');

my $hash = '#' . substr(sha256_hex('key-cam7'), 0, 16);

like(get("/api/1/routes/osp/$_", 8085), qr/\Q$hash\E/, "shown in $_")
    for 'streams/', 'sessions/';

# unsaid in all of these

my $api = join('', map { get("/api/1/routes/$_", 8085) }
    '', map { "osp$_" } '', qw! /servers/ /streams/ /sessions/ !);

like($api, qr/127\.0\.0\.3/, 'API');
unlike($api, qr/key-cam|hidden/, 'API: no name of a publisher');

$_->close() for @c;

ok(wait_until(sub {
    get('/api/1/routes/osp/sessions/', 8085) =~ /\x0d\x0a\x0d\x0a\[\]/ }),
    'all have ended');

ok(wait_state($t->testdir() . '/rtmp_route/osp.json',
    sub { /"cam1"|live\/cam1/ && /127\.0\.0\.3/ }), 'state file');
unlike($t->read_file('rtmp_route/osp.json'), qr/key-cam|hidden/,
    'state file: no name of a publisher');

# viewers of HLS and of RTMP wait for the same answer

$core->forget();
$core->fault('rtmpCheck', delay => 1000, count => 1);

@c = map { rtmp_play(port(8081), 'live', 'both', no_wait => 1) } 1 .. 4;
@s = map { start('/live/both/index.m3u8') } 1 .. 8;

is(scalar(grep { (http_end($_) || '') =~ / 200 OK/ } @s), 8, 'HLS');
$_->status() for @c;
is(scalar(grep { ($_->{code} || '') =~ /Play\.(Start|Reset)/ } @c), 4, 'RTMP');
is($core->count('rtmpCheck'), 1, 'one question for both');
$_->close() for @c;

# all questions on a few connections

my @requests = $core->requests('stream', 'rtmp', 'server');
my %connections = map { $_->{c} => 1 } @requests;

cmp_ok(scalar(keys %connections), '<', @requests / 2, 'connections are kept');

# names that are not those of files of HLS

for my $uri ('/live/cam1/75.tsA', '/live/cam1/75xts', '/live/cam1/75.ts%0a',
    '/live/cam1/75.ts/', '/live/cam1', '/rtmp', '/closeStream')
{
    like(get($uri), qr/ 404 /, $uri);
}

# one object in the cache, whatever is behind it

like(get("/live/cam1/75.ts?$_"), qr/ 200 OK/, "argument $_") for 1 .. 3;
is(scalar($http{'127.0.0.2'}->requests(qr!/75\.ts!)), 1, 'asked for once');

# what is decoded for the route is not so for the node

get($_) for '/live/cam1/a%20b.ts', '/live/cam1/a%3fb.ts',
    '/127.0.0.2/live/cam1/a%0d%0aX:%20y.ts',
    '/127.0.0.2/live/cam1/c%20HTTP/1.0%0d%0a%0d%0a.ts';

my @asked = map { $_->requests() } values %http;

ok(scalar(grep { $_->{uri} =~ /a%20b\.ts$/ } @asked), 'escaped');
is(scalar(grep { $_->{version} ne '1.1' || !defined $_->{headers}{host}
    || $_->{headers}{x} || $_->{uri} =~ /[\s?]/ } @asked), 0, 'nothing put in');

# answers that are none

like(get('/keys/vip/1.key', 8080, $token), qr/ 200 OK/, 'key');

for my $i (0 .. $#faults) {
    my ($what, @fault) = @{$faults[$i]};

    ok(wait_until(sub { get('/keys/vip/2.key', 8080,
        'X-Forwarded-For: 192.0.2.' . ++$n % 250) =~ / 403 / }, 10),
        "$what: the core is well");

    $core->fault($_, @fault) for qw/ rtmpCheck playbackauth /;

    @s = (start("/live/fault$i/index.m3u8"), start('/keys/vip/2.key', undef,
        $token, "X-Forwarded-For: 203.0.113.$i"));
    like(get('/live/cam1/index.m3u8'), qr/ 200 OK/, "$what: known");
    like(http_end($s[0]) || '', qr/ 503 /, "$what: channel");
    like(http_end($s[1]) || '', qr/ 503 /, "$what: viewer");

    $core->clear();
}

# long strings in its lists

$n = $core->count('stream');
$core->site(siteName => "\"\n\0\x1b" x 16384, siteAddress => 'x' x 65536);
$core->server('y' x 200000);
$core->fault('stream', results => [
    { channelEndpointID => 'z' x 65536, rtmpServer => '127.0.0.3' },
    { channelEndpointID => 'large', rtmpServer => '127.0.0.3',
        streamName => 'z' x 200000 },
    { channelEndpointID => 'long', rtmpServer => "127.0.0.3\"\n" x 6554 },
    { channelEndpointID => 'cam1', rtmpServer => '127.0.0.3',
        streamName => "\"\n\0\\\"}]" x 4000 },
]);

ok(wait_until(sub { get('/api/1/routes/osp/streams/live/cam1', 8085)
    =~ /"127\.0\.0\.3"/ }, 60), 'long strings: the good ones are taken');
like(get('/live/cam1/index.m3u8'), qr/ 200 OK/, 'long strings: known');
unlike(get('/api/1/routes/osp/streams/', 8085), qr!zzzz|live/l(ong|arge)!,
    'long strings: not the others');

# no servers while streams are live

$core->clear();
$core->site(siteAddress => '127.0.0.2');
$core->delete_server('y' x 200000);
$core->fault('rtmp', empty => 1);
$core->wait('rtmp', $core->count('rtmp') + 3, 10);
like(get('/live/cam1/index.m3u8'), qr/ 200 OK/, 'no servers: known');
like(get('/live/vip/index.m3u8'), qr/ 200 OK/, 'no servers: known, too');

# a restart while it is down; the core's own host is known by then

$core->clear();
$core->channel('new', live => 1, server => '127.0.0.1');
ok(wait_until(sub { get('/api/1/routes/osp/streams/live/new', 8085)
    =~ /"127\.0\.0\.2"/ }, 10), 'on the host of the core');

ok(wait_state($t->testdir() . '/rtmp_route/osp.json', sub { /live\/new/ }),
    'written');
$core->down();
$t->stop();
$t->run();

like(get('/live/new/index.m3u8'), qr/ 200 OK.*#EXTM3U/s, 'restart: HLS');
like(get('/live/vip/index.m3u8'), qr/ 200 OK.*#EXTM3U/s, 'restart: another');

$c = rtmp_play(port(8081), 'live', 'new');
is($c->{code}, 'NetStream.Play.Start', 'restart: RTMP');
$c->close();

$c = rtmp_publish(port(8081), 'stream', 'key-new');
is($c->{code}, 'NetStream.Publish.Start', 'restart: publish');
$c->close();

# a node that hangs: nobody waits for it while there is something to show

like(get('/live/cam1/index.m3u8'), qr/ 200 OK/, 'a node answers');
$t->write_file('hang', '');
sleep(2);
$n = time();
like(get('/live/cam1/index.m3u8'), qr/ 200 OK/, 'a node hangs');
cmp_ok(time() - $n, '<', 5, 'a node hangs: nobody waits');
$_->stop() for values %http;

like(get('/keys/vip/1.key', 8080, $token), qr/ 503 /, 'restart: no key');
like(get('/live/nobody/index.m3u8'), qr/ 503 /, 'restart: unknown');

my $log = join('', map { $t->read_file($_) } 'error.log', 'logs/access.log');

unlike($log, qr/key-cam|hidden|key-new/, 'no name of a publisher in the log');
unlike($log =~ s/^.*\[debug\].*\n//mgr, qr/\x1b|[xyz]{3000}/,
    'no odd or long strings in it');

###############################################################################

# a node, or what stands for it

sub node {
    my ($t, $r) = @_;

    return ('', [-1]) if -e $t->testdir() . '/hang';
    return http_response(200, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
        . "#EXTINF:2.000,\n75.ts\n") if $r->{uri} =~ /\.m3u8$/;
    return http_response(200, 'k' x 16) if $r->{uri} =~ /\.key$/;
    return http_response(200, 'segment') if $r->{uri} =~ /75\.ts$/;
    return http_response(404);
}

sub start {
    my ($uri, $port, @headers) = @_;

    push @headers, 'X-Forwarded-For: 198.51.100.7'
        unless grep { /^X-F/ } @headers;

    return http_start(join("\x0d\x0a", "GET $uri HTTP/1.1", 'Host: localhost',
        'Connection: close', @headers, '', ''),
        PeerAddr => '127.0.0.1:' . port($port || 8080));
}

sub get {
    return http_end(start(@_)) || '';
}

###############################################################################
