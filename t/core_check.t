#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_core: channels that its list does not name.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy rewrite/)->plan(66)
    ->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    osp_core http://127.0.0.1:%%PORT_8082%% interval=60s
             http=%%PORT_8081%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 8m;

    upstream live {
        rtmp_route live http;
    }

    proxy_next_upstream error timeout http_404;

    hls_cache_variants _480 _720 _src;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache  hls;
            rtmp_route live;
            proxy_pass http://live;
        }

        location /plain/ {
            rtmp_route live;
            rewrite    ^/plain(/.*)$ $1 break;
            proxy_pass http://live;
        }

        location /alone/ {
            rewrite    ^/alone(/.*)$ $1 break;
            proxy_pass http://live;
        }

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF

my ($one, $two) = ('127.0.0.1', '127.0.0.2');
my $core = osp_core($t, port(8082));

$core->server($_) for $one, $two;

$core->channel('listed', live => 1, server => $two);
$core->channel($_, live => 1, private => 1, server => $two) for qw/ priv priv2
    priv3 priv4 priv5 priv6 odd_480 adapt /;
$core->channel('never');
$core->channel('local', live => 1, private => 1, server => 'localhost');
$core->server('localhost');
$core->channel('stale', live => 1, private => 1, server => $two,
    first_server => $one);
$core->channel('gone', live => 1, private => 1, server => '127.0.0.3');

my %o = map { $_ => hls_origin($t, port(8081), host => $_, control =>
    $t->testdir() . "/hls-$_.sock") } $one, $two;

$o{$two}->live($_, layout => 'nested', base => '/live') for qw/ listed priv
    priv2 priv3 priv4 priv5 priv6 stale /;
$o{$two}->live("adapt_480", layout => 'nested', base => '/live-adapt');
$o{$two}->live("odd_480", layout => 'nested', base => '/live-adapt');
$o{$one}->live('local', layout => 'nested', base => '/live');

$t->run();

my ($r, $q, $time, @r);

###############################################################################

ok(listed(), 'polled');
is(get('/live/listed/index.m3u8'), 200, 'in the list');
is($core->count('rtmpCheck'), 0, 'not asked for');

# a channel that is not in the list

$r = hls_get('/live/priv/index.m3u8');

is($r->{status}, 200, 'private');
like($r->{body}, qr/EXTINF/, 'playlist');

($q) = $core->requests('rtmpCheck');

is($q->{headers}{'x-channel-id'}, 'priv', 'channel asked for');
is(get('/live/priv/index.m3u8'), 200, 'again');
is(get('/plain/live/priv/index.m3u8'), 200, 'without a cache');
is(get('/alone/live/priv/index.m3u8'), 200, 'without a look-up');
is($core->count('rtmpCheck'), 1, 'asked for once');
is(api('GET', 'live/streams/live/priv')->{source}, 'core', 'in the table');

# other ways to ask for one

is(get('/plain/live/priv2/index.m3u8'), 200, 'a plain proxy');
is(get('/live/priv3/' . segment('priv3')), 200, 'a segment');
is(get('/keys/priv4/1.key'), 404, 'a key that is not there');
is(get('/live/priv4/index.m3u8'), 200, 'of a channel that is');
is(get('/live/priv5/some-thing.ts'), 404, 'a file that is not there');
is(get('/alone/live/priv5/index.m3u8'), 200, 'known by that');

$core->forget();

is(get('/alone/live/priv6/index.m3u8'), 502, 'a balancer does not wait');
ok($core->wait('rtmpCheck'), 'but asks');
ok(until_is(200, '/alone/live/priv6/index.m3u8'), 'and then knows');
is($core->count('rtmpCheck'), 1, 'once');

# variants

$core->forget();

is(get('/live-adapt/adapt_480/index.m3u8'), 200, 'variant');
is(asked(), 'adapt', 'of its channel');
is(get('/live-adapt/odd_480/index.m3u8'), 200, 'like a variant');
is(asked(), 'odd odd_480', 'both are asked for');
is(get('/live-adapt/nobody_720/index.m3u8'), 404, 'variant of nothing');
is(asked(), 'nobody nobody_720', 'both again');

# localhost is the core's own site

is(get('/live/local/index.m3u8'), 200, 'localhost');

# no such channel

$core->forget();

is(get('/live/nobody/index.m3u8'), 404, 'unknown') ;
is(get('/live/never/index.m3u8'), 404, 'never live');

for (1 .. 5) {
    get('/live/nobody/index.m3u8');
    get("/live/nobody/$_.ts");
    get('/plain/live/nobody/index.m3u8');
    get('/live-adapt/nobody.m3u8');
}

cmp_ok($core->count('rtmpCheck'), '<=', 3, 'not asked for again');

# what is none

$core->forget();

for my $uri (qw! /stream/priv/index.m3u8 /stream/key-priv.m3u8
    /other/priv/index.m3u8 /index.m3u8 /live/a/b/c/index.m3u8
    /live/a%20b/index.m3u8 /live/%23abc/index.m3u8 /live/%0d%0aX:1/index.m3u8
    /live/%c3%a4/index.m3u8 !, '/live/' . 'x' x 300 . '/index.m3u8')
{
    is(get($uri), 404, substr($uri, 0, 40));
}

is($core->count('rtmpCheck'), 0, 'nobody is asked');

# an answer of an earlier broadcast

$r = hls_get('/live/stale/index.m3u8');

is($r->{status}, 200, 'not on the first server ever');
is(api('GET', 'live/streams/live/stale')->{server}, id($two), 'found');
is(api('GET', 'live/streams/live/stale')->{source}, 'found', 'by a search');
is(get('/live/stale/index.m3u8'), 200, 'again');
is(scalar(grep { $_->{path} =~ /stale/ } $o{$one}->requests()), 1,
    'the first server is asked once');

# a server that is not there

$time = time();
is(get('/live/gone/index.m3u8'), 503, 'nobody knows the server');
cmp_ok(time() - $time, '<', 6, 'soon');

$core->server('127.0.0.3');
$o{'127.0.0.3'} = hls_origin($t, port(8081), host => '127.0.0.3', control =>
    $t->testdir() . '/hls-3.sock');
$o{'127.0.0.3'}->live('new', layout => 'nested', base => '/live');
$core->channel('new', live => 1, private => 1, server => '127.0.0.3');

ok(until_is(200, '/live/new/index.m3u8'), 'a new server');

# failures

$core->forget();

my $n = 0;

for my $fault (
    [ status => 500 ], [ html => 1 ], [ empty => 1 ], [ status => 302 ],
    [ raw => "nonsense\n" ], [ close => 1 ],
    [ headers => ['X_UpstreamHost: bad host;'] ],
    [ headers => ['X_UpstreamHost: ../../etc'] ])
{
    $core->fault('rtmpCheck', @$fault);
    $core->channel('fail' . ++$n, live => 1, private => 1, server => $two);
    $r = hls_get("/live/fail$n/index.m3u8", timeout => 10);
    is($r->{status}, 503, "fault: $fault->[0]");
}

is($r->{headers}{'retry-after'}, 1, 'to be tried again');

$core->down();

is(get('/live/priv/index.m3u8'), 200, 'what is known goes on');
is(get('/plain/live/listed/index.m3u8'), 200, 'what is listed, too');
is(get('/live/fail9/index.m3u8'), 503, 'what is not known is unsure');

$core->clear()->up();

for my $i (1 .. 2) {
    $o{$two}->live("fail$i", layout => 'nested', base => '/live');
}

ok(until_is(200, '/live/fail1/index.m3u8'), 'it is back');
is(get('/live/fail2/index.m3u8'), 200, 'for all');
is(get('/live/nobody/index.m3u8'), 404, 'and says no');

unlike(join("\n", grep { /\[error\]/ } split(/\n/,
    $t->read_file('error.log'))), qr/no live servers/, 'no other reason');

###############################################################################

sub get {
    my ($uri) = @_;

    return hls_get($uri, timeout => 10)->{status};
}

# until the list has come

sub listed {
    for (1 .. 100) {
        return 1 if api('GET', 'live/streams/live/listed');
        sleep(0.05);
    }

    return 0;
}

sub until_is {
    my ($status, $uri) = @_;

    for (1 .. 50) {
        return 1 if get($uri) == $status;
        sleep(0.1);
    }

    return 0;
}

sub asked {
    my $text = join(' ', map { $_->{headers}{'x-channel-id'} }
        $core->requests('rtmpCheck'));

    $core->forget();

    return $text;
}

sub id {
    my ($host) = @_;

    return (map { $_->{id} } grep { $_->{id} =~ /\Q$host\E/
        || $_->{server} =~ /\Q$host\E/ } servers('live'))[0];
}

sub segment {
    my ($name) = @_;

    for (split(/\n/, $o{$two}->answer("/live/$name/index.m3u8")->{body})) {
        return $_ if /^\d+\.ts$/;
    }
}

###############################################################################
