#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: another stream on a connection, of which it is not
# known yet where it is.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(38);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route long {
    zone    long 1m;
    unknown wait=60s;
    server  127.0.0.1 rtmp=%%PORT_8091%%;
    server  127.0.0.2 rtmp=%%PORT_8091%% backup;
}

rtmp_route short {
    zone    short 1m;
    unknown wait=500ms;
    server  127.0.0.1 rtmp=%%PORT_8091%%;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status $rtmp_reason $rtmp_command '
                    '$rtmp_stream';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8081;
        osp_upstream long;

        osp_upstream_buffer_size 4k;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream long;
    }

    server {
        listen       127.0.0.1:8083;
        osp_upstream short;
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

my $o = rtmp_origin($t, port(8091));

$t->run();

my ($c, $n, $sent, $time);

###############################################################################

# it waits, what is behind it too, and goes on

for my $port (8081, 8082) {
    my @media = media_messages(400, size => 2000);

    $c = rtmp_publish(port($port), 'live', "camera$port");
    $n = $o->connections();

    $c->write_raw($c->command('play', 0, undef, "screen$port",
            \{ csid => 8, msid => 2 })
        . $c->media_bytes(@media));

    sleep(0.5);
    is($o->commands($n) =~ s/.*publish//r, '', "$port: not passed yet");

    # what else comes into the table is not what it waits for

    pin('long', "live/other$port", '127.0.0.1') for 1 .. 3;
    sleep(0.2);
    is($o->commands($n) =~ s/.*publish//r, '', "$port: not that");

    pin('long', "live/screen$port", '127.0.0.1');

    is($o->wait_media(media_digest(@media)), media_digest(@media),
        "$port: all that was behind it");
    like($o->commands($n), qr/ publish play$/, "$port: played beside");

    $sent = $c->sent();
    finish($c);
    is($o->wait(event => 'close', c => $n)->{received}, $sent,
        "$port: all is passed");
    is(last_line($t, $port), "200 ok publish camera$port", "$port: log");
}

# one after the other, the second at once, each for itself

$c = rtmp_play(port(8081), 'live', 'screen8081');
$n = $o->connections();

$c->write_raw(join('', map {
    $c->command('play', 0, undef, $_, \{ csid => 8, msid => 1 })
} qw/ first screen8081 second /));

sleep(0.3);
is(played($n), 'screen8081', 'first waits');

pin('long', 'live/first', '127.0.0.1');
ok($o->wait(event => 'command', name => 'play', c => $n, count => 3),
    'first goes on');
sleep(0.3);
is(played($n), 'screen8081 first screen8081', 'second waits');

pin('long', 'live/second', '127.0.0.1');
ok($o->wait(event => 'command', name => 'play', c => $n, count => 4),
    'second goes on');
is(streams('long'), 'live/second 0 1', 'in the table');
$c->close();
last_line($t, 8081);

# it is elsewhere

$c = rtmp_play(port(8081), 'live', 'screen8081');
$n = $o->connections();

again($c, 'there');
sleep(0.3);
pin('long', 'live/there', '127.0.0.2');

is(told($c), 'NetStream.Play.StreamNotFound', 'elsewhere');
is($c->{description}, 'stream needs a connection of its own',
    'elsewhere: why');
ok(closed($c), 'elsewhere: closed');
is(last_line($t, 8081), '403 refused_stream play there', 'elsewhere: log');
is(played($n), 'screen8081', 'elsewhere: not passed');

# it is nowhere

pin('short', 'live/known', '127.0.0.1');

for my $stream (1, 2) {
    $c = rtmp_play(port(8083), 'live', 'known');
    $n = $o->connections();
    $time = time();

    again($c, 'unknown', $stream);

    is(told($c), 'NetStream.Play.StreamNotFound', "$stream: nowhere");
    is($c->{answer}{msid}, $stream, "$stream: nowhere: on its stream");
    cmp_ok(time() - $time, '>', 0.4, "$stream: nowhere: waits");
    ok(closed($c), "$stream: nowhere: closed");
    is(last_line($t, 8083), '403 refused_unknown play unknown',
        "$stream: nowhere: log");
    is(played($n), 'known', "$stream: nowhere: not passed");
}

# somebody leaves meanwhile

for my $how (qw/ close reset /) {
    $c = rtmp_play(port(8081), 'live', 'screen8081');

    $c->send_command('play', 0, undef, 'never', \{ csid => 8, msid => 1 });
    sleep(0.3);
    $c->$how();

    ok(wait_sessions('long', 0), "$how while it waits");
    last_line($t, 8081);
}

$c = rtmp_play(port(8081), 'live', 'screen8081');

$c->send_command('play', 0, undef, 'never', \{ csid => 8, msid => 1 });
sleep(0.3);
$o->stop();
ok(closed($c), 'the origin leaves while it waits');
last_line($t, 8081);

$t->stop();

unlike($t->read_file('error.log'), qr/\[(?:error|crit|alert|emerg)\]/,
    'no errors');

###############################################################################

# Closes as who has read all does it.

sub finish {
    my ($c) = @_;

    $c->shutdown();
    $c->is_closed(3);
    $c->close();
}

sub closed {
    my ($c) = @_;
    my $closed = $c->is_closed(3);

    $c->close();

    return $closed;
}

# Another stream after the one before.

sub again {
    my ($c, $name, $stream) = @_;

    $c->send_command('deleteStream', 6, undef, 1, \{ csid => 3 });
    $c->send_command('createStream', 7, undef, \{ csid => 3 });
    $c->answer('_result', 7, 'no answer to createStream');
    $c->send_command('play', 0, undef, $name,
        \{ csid => 8, msid => $stream || 1 });
}

# the code of the first error

sub told {
    my ($c) = @_;

    while ($c->answer('onStatus|_error', undef, 'no status')) {
        return $c->{code} if $c->{info}{level} eq 'error';
    }

    return '';
}

sub played {
    my ($n) = @_;

    return join(' ', map { $_->{args}[1] } $o->events(name => 'play',
        c => $n));
}

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
