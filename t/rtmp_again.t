#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: what a client says behind its first publish or play,
# and how it ends.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(66);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route one {
    zone    one 1m;
    server  127.0.0.1:8091;
}

rtmp_route known {
    zone    known 1m;
    unknown refuse;
    server  127.0.0.1:8091;
}

rtmp_route two {
    zone    two 1m;
    server  127.0.0.1 rtmp=%%PORT_8091%%;
    server  127.0.0.2 rtmp=%%PORT_8092%%;
}

rtmp_route seven {
    zone    seven 1m;
    server  127.0.0.1:8093;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status $rtmp_reason $rtmp_command '
                    '$rtmp_stream';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_buffer_size 4k;

    server {
        listen       127.0.0.1:8081;
        osp_upstream one;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream known;
    }

    server {
        listen       127.0.0.1:8083;
        osp_upstream two;
    }

    server {
        listen       127.0.0.1:8084;
        osp_upstream seven;
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

# says something to the last command, which a client need not read

my $before = sub {
    my ($c, $m) = @_;

    $c->send_command('onStatus', 0, undef, amf_obj(level => 'status',
        code => 'NetStream.Unpublish.Success'), \{ csid => 5, msid => 1 })
        if $m->{name} eq 'deleteStream';

    return 0;
};

my $o = rtmp_origin($t, port(8091), before => $before);
my $other = rtmp_origin($t, port(8092), host => '127.0.0.2');
my $seven = rtmp_origin($t, port(8093), create => 7);

$t->run();

###############################################################################

# how a client ends

my $c = rtmp_publish(port(8081), 'live', 'goodbye');

$c->unpublish('goodbye');
is(last_line($t, 8081), '200 ok publish goodbye', 'end');

$c = rtmp_publish(port(8081), 'live', 'unread');

$c->send_command('FCUnpublish', 6, undef, 'unread', \{ csid => 3 });
$c->send_command('deleteStream', 7, undef, 1, \{ csid => 3 });
ok($c->fill(length($c->{buf}) + 1), 'answer to the last command');
$c->reset();

is(last_line($t, 8081), '200 ok publish unread', 'end with a reset');

$c = rtmp_publish(port(8081), 'live', 'gone');

$c->send_media(media_messages(3));
sleep(0.1);
$c->reset();

is(last_line($t, 8081), '200 client_closed publish gone', 'reset');

$c = rtmp_play(port(8081), 'live', 'gone');

$c->send_command('closeStream', 0, undef, \{ csid => 3, msid => 1 });
sleep(0.1);
$c->reset();

is(last_line($t, 8081), '200 ok play gone', 'player ends with a reset');

# one stream behind the other

$c = rtmp_publish(port(8081), 'live', 'first');

is(streams('one'), 'live/first 1 0', 'first stream');
is(again($c, 'second'), 'publish', 'second stream');
is(streams('one'), 'live/second 1 0', 'second stream in the table');
is(conns('one'), '1', 'one connection');

my @media = media_messages(50);

$c->send_media(@media);
is($o->wait_media(media_digest(@media)), media_digest(@media),
    'second stream: media');

is(again($c, 'first'), 'publish', 'first stream again');
is(streams('one'), 'live/first 1 0', 'first stream again in the table');

my ($sent, $n) = ($c->sent(), $o->connections());

finish($c);

is($o->wait(event => 'close', c => $n)->{received}, $sent, 'all is passed');
is(last_line($t, 8081), '200 ok publish first', 'the last one in the log');
is(streams('one'), '', 'none published');

# one stream beside the other

$c = rtmp_publish(port(8081), 'live', 'camera');

$c->send_command('createStream', 6, undef, \{ csid => 3 });
$c->send_command('play', 0, undef, 'screen', \{ csid => 8, msid => 2 });
ok($o->wait(event => 'command', name => 'play', c => $n + 1), 'played beside');

is(streams('one'), 'live/camera 1 0', 'played beside: published');

# its end is not that of the other

$c->send_command('FCUnsubscribe', 0, undef, 'screen', \{ csid => 3 });
$c->send_command('deleteStream', 0, undef, 2, \{ csid => 3 });
$c->send_command('createStream', 7, undef, \{ csid => 3 });
$c->send_command('play', 0, undef, 'other', \{ csid => 8, msid => 3 });
ok($o->wait(event => 'command', name => 'play', c => $n + 1, count => 2),
    'another one beside');

is(streams('one'), 'live/camera 1 0', 'another one beside: published');

finish($c);
is(last_line($t, 8081), '200 ok publish camera', 'played beside: log');

# however it is written

for my $name ('long' x 100, 'x') {
    $c = rtmp_publish(port(8081), 'live', 'pieces');
    $n = $o->connections();

    my $bytes = $c->media_bytes(media_messages(4, size => 200));

    $bytes .= $c->command('deleteStream', 7, undef, 1, \{ csid => 3 });
    $bytes .= $c->command('publish', 9, undef, $name, 'live',
        \{ csid => 400, msid => 1 });
    $bytes .= $c->media_bytes(media_messages(4, first => 4, size => 200));
    $bytes .= $c->message(type => 9, csid => 70, msid => 1, ts => 0xffffff + 5,
        payload => "\x27" x 300);
    $bytes .= $c->message(type => 1, csid => 2, payload => pack('N', 70));
    $c->{out_chunk} = 70;
    $bytes .= $c->message(type => 9, csid => 70, msid => 1,
        ts => 0xffffff + 45, payload => "\x27" x 300, fmt => 1);
    $bytes .= $c->command('FCUnpublish', 9, undef, $name, \{ csid => 400 });

    $c->write_slowly($bytes, 0, 10);
    $sent = $c->sent();
    is(streams('one'), "live/$name 1 0", 'in pieces');
    $c->close();

    is($o->wait(event => 'close', c => $n)->{received}, $sent,
        'in pieces: all is passed');
    is(last_line($t, 8081), "200 ok publish $name", 'in pieces: log');
}

# a command that is aborted is none

for my $when (qw/ before after /) {
    $c = Test::Nginx::RTMP::rtmp_start(port(8081), 'live');
    $n = $o->connections();

    abort_command($c) if $when eq 'before';
    $c->publish('aborted');
    is($c->{code}, 'NetStream.Publish.Start', "aborted $when");
    abort_command($c) if $when eq 'after';

    @media = media_messages(20);
    $c->send_media(@media);
    is($o->wait_media(media_digest(@media)), media_digest(@media),
        "aborted $when: media");
    finish($c);
}

# a header that is not whole is of no use, but passed

$c = rtmp_publish(port(8081), 'live', 'cut');
$n = $o->connections();

$c->write_raw($c->media_bytes(media_messages(3)) . "\x04\x00\x00");
$sent = $c->sent();
$c->close();

is($o->wait(event => 'close', c => $n)->{received}, $sent, 'cut header');

# the second one is refused as the first one would be

ok(pin('known', 'live/known', '127.0.0.1'), 'pinned');

$c = rtmp_play(port(8082), 'live', 'known');
is($c->{code}, 'NetStream.Play.Start', 'known stream');

$n = $o->connections();
$c->send_command('play', 0, undef, 'known', \{ csid => 8, msid => 1 });
is($o->wait(event => 'command', name => 'play', c => $n, count => 2)->{args}[1],
    'known', 'known stream again');

$c->send_command('play', 0, undef, 'secret', \{ csid => 8, msid => 1 });

ok(closed($c), 'unknown stream');
is(last_line($t, 8082), '403 refused_unknown play secret',
    'unknown stream: log');
unlike($o->commands($n), qr/play play play/, 'unknown stream: not passed');

$c = rtmp_play(port(8082), 'live', 'known');

$c->send_command('createStream', 6, undef, \{ csid => 3 });
$c->send_command('play', 0, undef, 'secret', \{ csid => 8, msid => 2 });

ok(closed($c), 'unknown stream beside');
is(last_line($t, 8082), '403 refused_unknown play secret',
    'unknown stream beside: log');
is(conns('known'), '0', 'not counted');

$c = rtmp_play(port(8082), 'live', 'known');

$c->send_command('play', 0, undef, '../secret', \{ csid => 8, msid => 1 });

ok(closed($c), 'invalid name');
is(last_line($t, 8082), '403 refused_name play -', 'invalid name: log');

# a server of its own, or another one: the client has to come again

ok(pin('two', 'live/here', '127.0.0.1'), 'pinned here');
ok(pin('two', 'live/also', '127.0.0.1'), 'pinned here, too');
ok(pin('two', 'live/there', '127.0.0.2'), 'pinned there');

$c = rtmp_publish(port(8083), 'live', 'here');
$n = $o->connections();

is(again($c, 'also'), 'publish', 'the same server');
is(conns('two'), '1 0', 'the same server: conns');

again($c, 'there', 0);

1 while $c->answer('onStatus', undef, 'no status')
    && $c->{code} ne 'NetStream.Publish.Denied';
is($c->{description}, 'stream needs a connection of its own',
    'another server');
ok(closed($c), 'another server: closed');
is(last_line($t, 8083), '403 refused_stream publish there',
    'another server: log');
is(scalar(grep { $_->{args}[1] eq 'there' }
    $o->events(name => 'publish', c => $n)), 0, 'another server: not passed');
is(conns('two'), '0 0', 'another server: conns');

$c = rtmp_publish(port(8083), 'live', 'there');
is($c->{code}, 'NetStream.Publish.Start', 'another connection');
$c->unpublish('there');
is(last_line($t, 8083), '200 ok publish there', 'another connection: log');
is($other->connections(), 1, 'another connection, to another server');

# all in one write

$c = Test::Nginx::RTMP::rtmp_start(port(8083), 'live');
$n = $o->connections() + 1;

$c->write_raw($c->command('createStream', 2, undef, \{ csid => 3 })
    . $c->command('publish', 3, undef, 'here', 'live',
        \{ csid => 8, msid => 1 })
    . $c->media_bytes(media_messages(10))
    . $c->command('deleteStream', 4, undef, 1, \{ csid => 3 })
    . $c->command('publish', 5, undef, 'there', 'live',
        \{ csid => 8, msid => 1 }));

ok(closed($c), 'in one write');
is(last_line($t, 8083), '403 refused_stream publish there',
    'in one write: log');
is($o->wait(event => 'close', c => $n) && $o->commands($n),
    'connect createStream publish deleteStream', 'in one write: passed');

# ids of message streams that differ

$c = rtmp_publish(port(8084), 'live', 'cam1');
$n = $seven->connections();

is($c->{code}, 'NetStream.Publish.Start', 'ids');

$c->send_command('deleteStream', 6, undef, 1, \{ csid => 3 });
is($seven->wait(event => 'command', name => 'deleteStream', c => $n)->{args}[1],
    7, 'ids: deleteStream');

$c->send_message(type => 1, csid => 2, payload => pack('N', 5));
$c->{out_chunk} = 5;

$c->send_command('publish', 9, undef, 'cam2', 'live',
    \{ csid => 8, msid => 1 });
$c->send_command('deleteStream', 6, undef, 1, \{ csid => 3 });

my $m = $seven->wait(event => 'command', name => 'deleteStream', c => $n,
    count => 2);

is($m->{args}[1], 7, 'ids: deleteStream in small chunks');
is(($seven->events(name => 'publish'))[-1]{msid}, 7, 'ids: publish');
$c->close();

# what is no RTMP

$c = rtmp_publish(port(8081), 'live', 'cam1');

$c->write_raw("\xff" x 100);
ok(closed($c), 'no RTMP');
is(last_line($t, 8081), '400 protocol_error publish cam1', 'no RTMP: log');

$c = rtmp_publish(port(8081), 'live', 'cam1');

$c->send_command('connect', 1, amf_obj(app => 'else'), \{ csid => 3 });
ok(closed($c), 'connect twice');
is(last_line($t, 8081), '400 protocol_error publish cam1',
    'connect twice: log');

###############################################################################

# Closes as who has read all does it.

sub abort_command {
    my ($c) = @_;
    my ($part) = $c->chunks(type => 20, csid => 9, payload => 'x' x 5000);

    $c->write_raw($part . $c->message(type => 2, csid => 2,
        payload => pack('N', 9)));
}

sub finish {
    my ($c) = @_;

    $c->shutdown();
    $c->is_closed(3);
    $c->close();
}

# Whether it is closed, which is then answered by a close.

sub closed {
    my ($c) = @_;
    my $closed = $c->is_closed(3);

    $c->close();

    return $closed;
}

# The end of a stream and the beginning of another one; the name of the last
# command that the origin has got of it.

sub again {
    my ($c, $name, $wait) = @_;
    my $n = $o->connections();
    my $seen = published($n, $name);

    $c->write_raw($c->command('FCUnpublish', 6, undef, 'x', \{ csid => 3 })
        . $c->command('deleteStream', 7, undef, 1, \{ csid => 3, fmt => 1 })
        . $c->command('releaseStream', 8, undef, $name, \{ csid => 3 })
        . $c->command('createStream', 9, undef, \{ csid => 3 })
        . $c->command('publish', 10, undef, $name, 'live',
            \{ csid => 8, msid => 1 }));

    return '' if defined $wait;

    wait_until(sub { published($n, $name) > $seen });

    return ($o->events(event => 'command', c => $n))[-1]{name};
}

sub published {
    my ($n, $name) = @_;

    return scalar(grep { $_->{args}[1] eq $name }
        $o->events(name => 'publish', c => $n));
}

# with publishers and players, of those that have any

sub streams {
    my ($route) = @_;
    my $streams = api('GET', "$route/streams/") || {};

    return join(' ', map {
        "$_ $streams->{$_}{publishers} $streams->{$_}{players}"
    } grep {
        $streams->{$_}{publishers} || $streams->{$_}{players}
    } sort keys %$streams);
}

# what is written of the last session, once it is

my %lines;

sub last_line {
    my ($t, $port) = @_;
    my @lines;

    $port = port($port);

    wait_until(sub {
        @lines = $t->read_file('stream.log') =~ /^$port\|(.*)$/mg;
        return @lines > ($lines{$port} || 0);
    });

    $lines{$port} = @lines;

    return $lines[-1];
}

###############################################################################
