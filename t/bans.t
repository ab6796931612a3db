#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_api: bans of names and addresses.

###############################################################################

use warnings;
use strict;

use Test::More;
use JSON::PP;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::State;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip stream/)->plan(88);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    state   %%TESTDIR%%/live.json;
    server  127.0.0.1:8081;
}

rtmp_route small {
    zone    small 64k;
    server  127.0.0.1:8081;
}

rtmp_route secret {
    zone    secret 1m;
    key     app/stream secret;
    server  127.0.0.1:8081;
}

rtmp_route waits {
    zone     waits 1m;
    unknown  wait=20s;
    server   127.0.0.1:8081;
}

rtmp_route cold {
    zone    cold 1m;
    server  127.0.0.1:8081 down;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /hidden/ {
            rtmp_route_api  write=on names=off;
        }

        location /read/ {
            rtmp_route_api;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$status $rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen        127.0.0.1:8085 proxy_protocol;
        set_real_ip_from  127.0.0.1;
        osp_upstream  live;
        osp_upstream_takeover on;
    }

    server {
        listen        127.0.0.1:8086;
        osp_upstream  secret;
    }

    server {
        listen        127.0.0.1:8087;
        osp_upstream  waits;
    }

    server {
        listen        127.0.0.1:8088;
        osp_upstream  cold;
        osp_upstream_queue 20s;
    }
}

EOF_CONF

$t->write_file_expand('nginx.conf', $conf);

rtmp_origin($t, port(8081));

$t->run();

###############################################################################

my ($c, $d, $r, $id, @ids);

# what is no ban

for (
    [ {}, 'FieldMissing', 'nothing' ],
    [ { stream => 'live/a' }, 'FieldMissing', 'no time' ],
    [ { time => '5m' }, 'FieldMissing', 'neither stream nor client' ],
    [ { stream => '', client => '', time => '5m' }, 'FieldMissing', 'empty' ],
    [ { stream => 'live/a', time => '0' }, 'FieldInvalid', 'no time at all' ],
    [ { stream => 'live/a', time => 0 }, 'FieldInvalid', '0' ],
    [ { stream => 'live/a', time => -5 }, 'FieldInvalid', 'before' ],
    [ { stream => 'live/a', time => '31d' }, 'FieldInvalid', 'too long' ],
    [ { stream => 'live/a', time => 2592001 }, 'FieldInvalid', 'by one' ],
    [ { stream => 'live/a', time => '5 minutes' }, 'FieldInvalid', 'words' ],
    [ { stream => 'live/a', time => [] }, 'FieldInvalid', 'an array' ],
    [ { stream => 'live/a', time => 1.5 }, 'FieldInvalid', 'a fraction' ],
    [ { stream => 'live/../a', time => '5m' }, 'FieldInvalid', 'dots' ],
    [ { stream => 'live/' . 'x' x 2000, time => '5m' }, 'FieldInvalid',
        'a long name' ],
    [ { stream => 5, time => '5m' }, 'FieldInvalid', 'a number' ],
    [ { client => '1.2.3', time => '5m' }, 'FieldInvalid', 'no address' ],
    [ { client => '1.2.3.4/33', time => '5m' }, 'FieldInvalid', 'bits' ],
    [ { client => 'servers', time => '5m' }, 'FieldInvalid', 'a word' ],
    [ { client => '1.2.3.4', time => '5m', type => 'record' },
        'FieldInvalid', 'a type' ],
    [ { client => '1.2.3.4', time => '5m', kick => 'yes' }, 'FieldInvalid',
        'kick' ],
    [ { client => '1.2.3.4', time => '5m', name => 'x' }, 'FieldInvalid',
        'an unknown field' ],
) {
    my ($body, $code, $what) = @$_;

    is(error(post('live', $body)), "400 $code", $what);
}

is(error(request('POST', '/api/1/routes/live/bans/', '[]',
    'Content-Type: application/json')), '400 JsonError', 'no object');
is(error(request('POST', '/read/1/routes/live/bans/', '{}',
    'Content-Type: application/json')), '405 MethodDisabled', 'no write=on');
is_deeply(api('GET', 'live/bans/'), [], 'nothing was made');
is(error(request('GET', '/api/1/routes/live/bans/1')), '404 BanNotFound',
    'no ban');
is(error(request('DELETE', '/api/1/routes/live/bans/x')), '404 BanNotFound',
    'no id');

# a name

$r = post('live', { stream => 'live/cam1', type => 'publish', time => '5m' });
like($r, qr!^HTTP/1.1 201 !, 'made');
like($r, qr!^Location: /api/1/routes/live/bans/1\r!m, 'its place');

$r = decode_json(http_content($r));
like(delete $r->{created}, qr/^20\d\d-.*Z$/, 'when');
ok($r->{expires} > 290 && $r->{expires} <= 300, 'how long');
delete $r->{expires};
is_deeply($r, { id => 1, type => 'publish', stream => 'live/cam1',
    client => '' }, 'the ban');

is_deeply(api('GET', 'live/bans/1?fields=id,stream'),
    { id => 1, stream => 'live/cam1' }, 'some fields');
is_deeply(api('GET', 'live/bans/?fields='), [ 1 ], 'ids alone');
like(http_content(request('GET', '/hidden/1/routes/live/bans/')),
    qr!"stream":"live/#[0-9a-f]{16}"!, 'hidden names');

$c = publish('live/cam1');
like(answer($c), qr/^NetStream.Publish.Denied banned for \d+ s$/, 'refused');
is(play('live/cam1')->{code}, 'NetStream.Play.Start', 'players are not');
ok(log_has($t, '403 banned'), 'logged');
unlike($t->read_file('error.log'), qr/\[(?!debug).*cam1/, 'not by name');

$r = post('live', { stream => 'live/cam1', type => 'publish', time => 7 });
like($r, qr!^HTTP/1.1 200 !, 'again');
unlike($r, qr!^Location!m, 'it was there');
ok(api('GET', 'live/bans/1')->{expires} <= 7, 'with the new time');

like(request('DELETE', '/api/1/routes/live/bans/1'), qr!^HTTP/1.1 204 !,
    'deleted');
is(error(request('DELETE', '/api/1/routes/live/bans/1')), '404 BanNotFound',
    'once');

$c = publish('live/cam1');
is($c->{code}, 'NetStream.Publish.Start', 'may again');

# who publishes goes on, and another one who is banned does not take its place

post('live', { stream => 'live/cam1', client => '203.0.113.0/24',
    time => '5m' });
$d = publish('live/cam1', '203.0.113.7');
like(answer($d), qr/^NetStream.Publish.Denied banned/, 'from that network');
ok(!$c->is_closed(0.5), 'the one who is there stays');

# unless that is asked for

$r = post('live', { stream => 'live/cam1', time => '5m', kick => \1 });
is(decode_json(http_content($r))->{kicked}, 1, 'kicked');
ok($c->is_closed(3), 'closed');
$c = publish('live/cam1');
like(answer($c), qr/banned for/, 'and refused');
api('DELETE', 'live/bans/');
is_deeply(api('GET', 'live/bans/'), [], 'all are deleted');

# an address, for all it does

$c = play('live/cam2', '203.0.113.7');
$d = play('live/cam2', '203.0.114.7');
$r = post('live', { client => '203.0.113.7', time => '1h', kick => \1 });
$r = decode_json(http_content($r));
is_deeply([ @{$r}{qw/ type stream client kicked /} ],
    [ 'any', '', '203.0.113.7/32', 1 ], 'an address');
ok($c->is_closed(3), 'its session');
ok(!$d->is_closed(0.3), 'not that of another one');
like(answer(play('live/x', '203.0.113.7')), qr/^NetStream.Play.Failed banned/,
    'nothing to play');
like(answer(publish('live/x', '203.0.113.7')),
    qr/^NetStream.Publish.Denied banned/, 'or to publish');
is(publish('live/x', '203.0.113.8')->{code}, 'NetStream.Publish.Start',
    'others may');
$d->close();
api('DELETE', 'live/bans/');

# another stream on the connection

post('live', { stream => 'live/other', type => 'publish', time => '5m' });
$c = publish('live/first');
$c->publish('other');
like(answer($c), qr/^NetStream.Publish.Denied banned/, 'another stream');
ok($c->is_closed(3), 'ends the connection');

# names

for my $name ('live/a/b/c', 'live/a b', "live/kamera-\x{e4}", 'live/100%25',
    'live/x*', 'live/q"\\')
{
    my $bytes = $name;
    utf8::encode($bytes);

    api('DELETE', 'live/bans/');
    post('live', { stream => $name, type => 'play', time => '5m' });

    is(api('GET', 'live/bans/')->[0]{stream}, $name, "shown: $bytes");
    like(answer(play($bytes)), qr/banned/, "refused: $bytes");
}

api('DELETE', 'live/bans/');

# secret names

post('secret', { stream => 'live/hidden-key', type => 'publish',
    time => '5m' });
$r = request('GET', '/api/1/routes/secret/bans/');
unlike($r, qr/hidden-key/, 'a secret name');
like($r, qr!"live/#[0-9a-f]{16}"!, 'its hash');
like(answer(rtmp_publish('127.0.0.1:' . port(8086), 'live', 'hidden-key')),
    qr/banned/, 'refused');
($r) = $r =~ /"(live\/#[0-9a-f]{16})"/;
like(post('secret', { stream => $r, type => 'publish', time => '5m' }),
    qr!^HTTP/1.1 200 !, 'by its hash');

# one who waits

$c = rtmp_play('127.0.0.1:' . port(8087), 'live', 'later', no_wait => 1);
sleep(0.3);
post('waits', { stream => 'live/later', time => '5m' });
$c->read_command('onStatus');
like(told($c), qr/^NetStream.Play.Failed banned/, 'while it waits');

# and in the queue

$c = rtmp_publish('127.0.0.1:' . port(8088), 'live', 'early', no_wait => 1);
sleep(0.3);
post('cold', { stream => 'live/early', time => '5m' });
$c->read_command('onStatus');
like(told($c), qr/^NetStream.Publish.Denied banned/, 'in the queue');

# too many

for (1 .. 1100) {
    $r = post('small', { client => "10.0." . int($_ / 200) . '.' . $_ % 200,
        time => '5m' });
    last unless $r =~ m!^HTTP/1.1 201 !;
}

is(error($r), '507 ZoneFull', 'no more');
@ids = map { $_->{id} } @{api('GET', 'small/bans/')};
ok(@ids >= 16, 'but some');
is_deeply(\@ids, [ sort { $a <=> $b } @ids ], 'in order');

# pages

my ($seen, $next) = ([], 'limit=5');

while (defined $next) {
    $r = request('GET', "/api/1/routes/small/bans/?$next");
    push @$seen, map { $_->{id} } @{decode_json(http_content($r))};
    ($next) = $r =~ /^Link: <\?([^>]+)>; rel="next"/m;

    # one comes and one goes

    if (@$seen == 5) {
        request('DELETE', "/api/1/routes/small/bans/$ids[7]");
        request('DELETE', "/api/1/routes/small/bans/$ids[2]");
    }
}

is_deeply($seen, [ grep { $_ != $ids[7] } @ids ], 'pages');

# a reload, one with a zone of another size, a restart

post('live', { stream => 'live/kept', type => 'publish', time => '5m' });
post('live', { client => '203.0.113.0/24', time => '5m' });
post('live', { stream => 'live/short', type => 'publish', time => '1s' });

$t->reload();
like(answer(publish('live/kept')), qr/banned/, 'after a reload');

$conf =~ s/live 1m/live 2m/;
$t->write_file_expand('nginx.conf', $conf);
$t->reload();

ok(wait_until(sub {
    my $n = api('GET', 'live');
    return $n && ($n->{cells}{total} || $n->{zone}{size} || 1)
        && answer(publish('live/kept')) =~ /banned/;
}), 'in a larger zone');

ok(wait_state($t->testdir() . '/live.json', sub { /"live\/kept"/ }), 'saved');
sleep(1);

$t->stop();
$t->run();

is(join(' ', map { "$_->{type}:$_->{stream}:$_->{client}" }
    @{api('GET', 'live/bans/')}),
    'publish:live/kept: any::203.0.113.0/24', 'after a restart');
like(answer(publish('live/kept')), qr/banned for/, 'still refused');
like(answer(play('live/x', '203.0.113.5')), qr/banned for/, 'so is a network');
ok(api('GET', 'live/bans/')->[0]{expires} < 300, 'the time has gone on');

$r = decode_json(http_content(post('live', { client => '1.1.1.1',
    time => '5m' })));
ok($r->{id} > 12, 'ids are not used again');

###############################################################################

sub post {
    my ($route, $body) = @_;

    return request('POST', "/api/1/routes/$route/bans/",
        JSON::PP->new()->utf8()->encode($body),
        'Content-Type: application/json');
}

sub error {
    my ($reply) = @_;

    return join ' ', $reply =~ m!^HTTP/1\.1 (\d+).*"code":"(\w+)"!s;
}

sub named {
    my ($name, $ip) = @_;
    my ($app, $stream) = split m!/!, $name, 2;

    $ip ||= '127.0.0.1';

    return ('127.0.0.1:' . port(8085), $app, $stream,
        preamble => "PROXY TCP4 $ip 127.0.0.1 5000 1935\r\n");
}

sub publish {
    return rtmp_publish(named(@_));
}

sub play {
    return rtmp_play(named(@_));
}

sub answer {
    my ($c) = @_;

    return "$c->{code} $c->{description}";
}

sub told {
    my ($c) = @_;
    my ($m) = grep { ($_->{name} || '') eq 'onStatus' }
        reverse @{$c->{messages}};

    return $m ? join(' ', @{$m->{args}[-1]}{qw/ code description /}) : '';
}

sub log_has {
    my ($t, $line) = @_;

    return wait_until(sub {
        return grep { $_ eq $line } split /\n/, $t->read_file('stream.log');
    });
}

###############################################################################
