#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for path: publishers and players under names that a rule maps.  What a
# server sees is compared with what it sees of a client that says these names
# by itself.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::RTMP::Origin;
use Test::Nginx::Route qw/ :DEFAULT is_live /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream pcre/);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8091;

    path    /live            to=/edge;
    path    ~ ^/app/stream$  to=/app/stream_720p;
    path    ~ ^/event/(\w+)/(\w+)$ to=/$1/live/$2;
    path    /short           to=/a/much/longer/application/;
    path    /args            args=off;
    path    /gone            to=/dropped args=off;
    path    /keyed           stream=table to=/keyed;
    path    /keys            stream=other;
    path    /unseen/         to=/;
    path    ~ ^/void/        to=/_definst_;
    path    ~ ^/x/(.+)$      to=/y/$1.x;
    path    ~ ^/slow/((a|aa)+)$ to=/y/$1;
}

rtmp_route secret {
    zone    secret 1m;
    key     app/stream secret;
    server  127.0.0.1:8091;

    path    /pub stream=table to=/edge;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status $rtmp_reason $rtmp_command '
                    '$rtmp_app $rtmp_stream $rtmp_stream_hash';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream secret;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOC

my $o = rtmp_origin($t, port(8091), messages => 1);

$t->run()->plan(114);

###############################################################################

my @early = media_messages(3);
my @media = media_messages(3, first => 3);
my ($c, $m);

# each client, an app and a stream that are renamed

for my $client (qw/ ffmpeg librtmp fmle gstreamer /) {
    same("$client publishes", 'publish', 'live', 'cam1', 'edge', 'cam1',
        client => $client, early => \@early);
    same("$client publishes another stream", 'publish', 'x', 'cam1', 'y',
        'cam1.x', client => $client, early => \@early);
    same("$client publishes with AMF3", 'publish', 'live', 'cam1', 'edge',
        'cam1', client => $client, amf3 => 1);
}

for my $client (qw/ ffmpeg librtmp /) {
    same("$client plays", 'play', 'live', 'cam1', 'edge', 'cam1',
        client => $client);
    same("$client plays another stream", 'play', 'x', 'cam1', 'y', 'cam1.x',
        client => $client);
}

same('enhanced RTMP', 'publish', 'live', 'cam1', 'edge', 'cam1', connect =>
    [fourCcList => amf_strict('hvc1', 'av01'), capsEx => 3,
        videoFourCcInfoMap => amf_obj('*' => 7)]);

# the rules

same('one stream', 'publish', 'app', 'stream', 'app', 'stream_720p');
same('no rule', 'publish', 'app', 'streams', 'app', 'streams');
same('other order', 'publish', 'event', 'a/b', 'a', 'live/b');
same('other order, app of two', 'publish', 'event/a', 'b', 'a/live', 'b');
same('longer', 'publish', 'short', 'cam1', 'a/much/longer/application',
    'cam1');
same('app of two parts', 'publish', 'live/2024', 'cam1', 'edge/2024', 'cam1');
same('stream of two parts', 'publish', 'live', '2024/cam1', 'edge',
    '2024/cam1');
same('app of two parts is played', 'play', 'live/2024', 'cam1', 'edge/2024',
    'cam1');
same('all in the app', 'publish', 'live/cam1', '', 'edge/cam1', '');

same('spaces', 'publish', 'x', 'my camera', 'y', 'my camera.x');
same('UTF-8', 'publish', 'x', "cam\xc3\xa9ra", 'y', "cam\xc3\xa9ra.x");
same('percent', 'publish', 'x', 'a%20b', 'y', 'a%20b.x');
same('percent is none', 'publish', 'x', '100%', 'y', '100%.x');

# arguments

same('argument', 'publish', 'live', 'cam1?token=a/b&c=%20', 'edge',
    'cam1?token=a/b&c=%20');
same('argument of another stream', 'play', 'x', 'cam1?token=a', 'y',
    'cam1.x?token=a');
same('argument of the app', 'publish', 'live?token=a', 'cam1',
    'edge?token=a', 'cam1');
same('old vhost', 'publish', 'live...vhost...a.example', 'cam1',
    'edge...vhost...a.example', 'cam1');
same('arguments stay here', 'publish', 'args?a=b', 'cam1?c=d', 'args', 'cam1');
same('names change, too', 'publish', 'gone?a=b', 'cam1?c=d', 'dropped',
    'cam1');
same('no arguments', 'publish', 'args', 'cam1', 'args', 'cam1');

# tcUrl

for my $case (
    ['rtmp://a.example/live', 'rtmp://a.example/edge', 'another host'],
    ['rtmps://a.example:443/live', 'rtmps://a.example:443/edge', 'port'],
    ['rtmp://[::1]:1935/live?a=b', 'rtmp://[::1]:1935/edge?a=b', 'arguments'],
    ['rtmp://a.example/live/', 'rtmp://a.example/edge/', 'slash'],
    ['rtmp://a.example/live/cam1', 'rtmp://a.example/edge/cam1', 'stream'],
    ['rtmp://a.example', 'rtmp://a.example', 'no path'],
    ['live', 'live', 'no url'],
    ['', '', 'empty'])
{
    same("tcUrl: $case->[2]", 'publish', 'live', 'cam1', 'edge', 'cam1',
        tcurls => $case);
}

same('tcUrl with all', 'publish', 'x', 'cam1', 'y', 'cam1.x',
    tcurls => ['rtmp://a/x/cam1?a=b', 'rtmp://a/y/cam1.x?a=b']);
same('tcUrl alone', 'publish', '', 'cam1', '', 'cam1',
    tcurls => ['rtmp://a/live', 'rtmp://a/edge']);
same('neither has an app', 'publish', '', 'live/cam1', 'edge', 'cam1',
    tcurls => ['rtmp://a', 'rtmp://a/edge']);

# names that can't be

$c = rtmp_publish(port(8081), 'unseen', 'cam1');
is($c->{code}, 'NetStream.Publish.BadName', 'no app');
is(last_line($t, 8081, 'unseen'), '403 refused_name publish unseen cam1 '
    . hash('cam1'), 'no app is logged');
$c->close();

$c = rtmp_publish(port(8081), 'void', 'cam1');
is($c->{code}, 'NetStream.Publish.BadName', 'nothing at all');
$c->close();

$c = rtmp_publish(port(8081), 'x', 'a' x 1022);
is($c->{code}, 'NetStream.Publish.BadName', 'too long');
$c->close();

$c = rtmp_publish(port(8081), 'slow', 'a' x 200 . '!');
is($c->{code}, 'NetStream.Publish.BadName', 'a regex that takes too long');
$c->close();

$c = rtmp_publish(port(8081), 'slow', 'aaa');
is($c->{code}, 'NetStream.Publish.Start', 'and one that does not');
$c->close();

ok(wait_sessions('live', 0), 'all have ended');

# keys, and what the client has said

$c = rtmp_publish(port(8081), 'keyed', 'cam1');
is_live('live', 'table/cam1 1 0', 'key');
$m = rtmp_play(port(8081), 'keyed', 'cam1');
is_live('live', 'table/cam1 1 1', 'key of a player');
is((sessions('live'))[0]{stream}, 'table/cam1', 'key of a session');
$m->close();
$c->unpublish('cam1');
is(last_line($t, 8081, 'publish keyed'), '200 ok publish keyed cam1 '
    . hash('cam1'), 'variables');

$c = rtmp_publish(port(8081), 'live', 'cam1');
is_live('live', 'live/cam1 1 0', 'key without a rule for it');
$c->close();

$c = rtmp_publish(port(8082), 'pub', 'key-of-mine');
is_live('secret', 'table/#' . hash('key-of-mine') . ' 1 0', 'secret');
$c->close();

# what looks like a digest is none

$c = rtmp_publish(port(8082), 'pub', '#0123456789abcdef');
is_live('secret', 'table/#' . hash('#0123456789abcdef') . ' 1 0', 'digest');
$c->close();

unlike($t->read_file('error.log'), qr/key-of-mine|cam1/, 'names in no log');

# with a debugging nginx

is(join(' ', grep { $_ ne '0 0' } $t->read_file('error.log')
    =~ /osp relay, left: \d+, filters: (\d \d)/g), '',
    'bytes of the relay pass as they are');

# chunks of all kinds: of connect, and of a publish on a long chunk stream

$c = rtmp_client(port(8081));
$c->handshake();

my @connect = $c->chunks(type => 20, csid => 3, ts => 0x1000000, payload =>
    amf_encode(amf_str('connect'), 1, amf_obj(app => amf_str('x'),
    tcUrl => amf_str('rtmp://a.example/x'), x => amf_str('x' x 300))));

$c->write_raw(shift @connect);
$c->write_raw($c->message(type => 5, csid => 2, payload => pack('N', 5000)));
$c->write_raw($_) for @connect;

$c->write_raw($c->message(type => 1, csid => 2, payload => pack('N', 20)));
$c->write_raw($c->command('FCPublish', 2, undef, amf_str('cam1'),
    \{ csid => 3, fmt => 1, ts => 0x1000005 }));
$c->write_raw($c->command('createStream', 3, undef, \{ csid => 70 }));
$c->write_raw($c->command('publish', 4, undef, amf_str('cam1'),
    amf_str('live'), \{ csid => 400, msid => 1, ts => 0x2000000 })
    . $c->command('unknown', 5, undef, amf_str('cam1'), amf_str('live'),
        \{ csid => 400, fmt => 2, ts => 0x2000005 })
    . join('', map { $c->message(type => 9, csid => 6, msid => 1,
        ts => 0x1000000 + $_, fmt => $_ ? 1 : 0, payload => 'x' x (30 * $_)) }
        0 .. 3));

$c->read_command('onStatus');
$o->wait(event => 'message', c => last_c(), type => 9, len => 90);

is_deeply([map { "$_->{name} $_->{csid}" } $o->events(event => 'command',
    c => last_c())], ['connect 3', 'FCPublish 3', 'createStream 70',
    'publish 400', 'unknown 400'], 'chunks: commands');
is_deeply([map { "$_->{csid} $_->{ts} $_->{type}" } $o->events(
    event => 'message', c => last_c())], ['2 0 5', '3 16777216 20', '2 0 1',
    '3 16777221 20', '70 0 20', '400 33554432 20', '400 33554437 20',
    '6 16777216 9', '6 16777217 9', '6 16777218 9', '6 16777219 9'],
    'chunks: timestamps');

$c->close();

###############################################################################

# What the server sees of a client that says other names, and of one that says
# those itself: all messages, and whatever is in them.

sub same {
    my ($name, $op, $app, $stream, $to_app, $to_stream, %opt) = @_;
    my ($urls, @seen, $c);

    $urls = delete $opt{tcurls} || ["rtmp://a.example/$app",
        "rtmp://a.example/$to_app"];

    for my $case ([8081, $app, $stream, $urls->[0]],
        [8091, $to_app, $to_stream, $urls->[1]])
    {
        my ($port, $app, $stream, $url) = @$case;

        $c = $op eq 'publish'
            ? rtmp_publish(port($port), $app, $stream, %opt, tcurl => $url)
            : rtmp_play(port($port), $app, $stream, %opt, tcurl => $url);

        like($c->{code}, qr/^NetStream\.\w+\.Start$/, "$name: accepted")
            if $port == 8081;

        if ($op eq 'publish') {
            $c->send_media(@media);
            $c->unpublish($stream);
            $o->wait(event => 'close', c => last_c());

        } else {

            # SetBufferLength is the last; a reset would take it with it
            $o->wait(event => 'message', c => last_c(),
                hex => '00030000000100000bb8');
            $c->close();
        }

        push @seen, seen(last_c());
    }

    is($seen[0], $seen[1], $name);
}

sub last_c {
    return ($o->events(event => 'accept'))[-1]{c};
}

sub seen {
    my ($c) = @_;

    return join("\n", map { join(' ', @$_{qw/ type csid msid ts len sha hex /})
        } $o->events(event => 'message', c => $c)) . "\n";
}

sub hash {
    my ($text) = @_;

    require Digest::SHA;

    return substr(Digest::SHA::sha256_hex($text), 0, 16);
}

# what is written of a session, once it is

sub last_line {
    my ($t, $port, $text) = @_;

    $port = port($port);

    return wait_log($t, 'stream.log',
        qr/.*^$port\|([^\n]*$text[^\n]*)$/ms);
}

###############################################################################
