#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: origins that send rubbish, too much or nothing.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use Time::HiRes qw/ sleep time /;

my $t = Test::Nginx->new()->has(qw/stream/);

###############################################################################

# what the origin does, in one of the ways its library knows or by code that
# gets the connection, the origin and the command, and how the session ends

my @cases = (
    ['silent', { handshake => 'silent' }, 'connect_failed'],
    ['does not read', { handshake => 'not_read' }, 'connect_failed'],
    ['closes at once', { handshake => 'close' }, 'connect_failed'],
    ['half of a handshake', { handshake => 'half' }, 'connect_failed'],
    ['http', { handshake => 'garbage' }, 'connect_failed'],
    ['one byte at a time', { slow => 0.1 }, 'connect_failed'],
    ['silent after connect', { connect => 'silent' }, 'connect_failed'],
    ['half an answer to connect', { connect => 'half' }, 'connect_failed'],
    ['silent after createStream', { create => 'silent' }, 'origin_timeout'],
    ['silent after publish', { publish => 'silent' }, 'origin_timeout'],
    ['closes after createStream', { create => 'close' }, 'refused'],
    ['error to createStream', { create => 'error' }, 'refused'],

    ['closes within a message', answer('publish', sub {
        my ($c, $o) = @_;
        $c->write_raw(substr($c->command('onStatus', 0, undef,
            { code => 'NetStream.Publish.Start' }, \{ msid => 1 }), 0, 40));
        $c->shutdown();
    }), 'refused|origin_closed'],

    # what it has begun can't be ended by anybody else

    ['closes within metadata', answer('connect', sub {
        my ($c, $o) = @_;
        $c->write_raw(substr($c->message(type => 18, csid => 4, msid => 1,
            payload => 'x' x 1000), 0, 300));
        $c->shutdown();
    }), 'origin_protocol_error', qr/^$/],

    ['no header to refer to', answer('connect', sub {
        $_[0]->write_raw("\xc3" . 'x' x 128);
    }), 'connect_failed'],

    ['chunk size 0', answer('connect', sub {
        $_[0]->send_message(type => 1, csid => 2, payload => "\0\0\0\0");
    }), 'connect_failed'],

    ['16 MB message announced', answer('connect', sub {
        my ($c) = @_;
        $c->send_message(type => 1, csid => 2, payload => pack('N', 0xffffff));
        $c->send_message(type => 20, csid => 3, length => 0xffffff,
            payload => amf_encode('_result', 1));
    }), 'connect_failed'],

    ['16 MB message sent', answer('connect', sub {
        my ($c) = @_;
        $c->send_message(type => 1, csid => 2, payload => pack('N', 0xffffff));
        $c->send_message(type => 20, csid => 3, payload => 'x' x 0xffffff,
            timeout => 2);
    }), 'connect_failed'],

    ['10,000 messages in set-up', answer('connect', sub {
        $_[0]->write_raw($_[0]->command('onBWDone', 0, undef) x 10000, 2);
    }), 'connect_failed'],

    ['onBWDone without end', answer('createStream', sub {
        my ($c) = @_;
        for (1 .. 100) {
            $c->send_command('onBWDone', 0, undef) or last;
            sleep(0.1);
        }
    }), 'origin_timeout'],
);

# what is odd, but does no harm

my @harmless = (
    ['20 messages in set-up', answer('connect', sub {
        my ($c, $o, $m) = @_;
        $c->write_raw(join('', map { $c->command('onBWDone', 0, undef) }
            1 .. 20), 2);
        $o->on_connect($m);
    })],

    ['wrong transaction', answer('connect', sub {
        my ($c, $o, $m) = @_;
        $c->send_command('_result', 77, undef, { code => 'x' });
        $o->on_connect($m);
    })],

    ['odd values in the answer to connect', answer('connect', sub {
        my ($c, $o, $m) = @_;
        $c->send_message(type => 20, csid => 3, payload =>
            amf_encode('_result', 1) . "\x03\0\1a" x 1000);
    })],

    ['string longer than the message', answer('releaseStream', sub {
        $_[0]->send_message(type => 20, csid => 3,
            payload => amf_encode('_result', 2) . "\x02\xff\xffabc");
    })],

    ['unknown types of messages', answer('connect', sub {
        my ($c, $o, $m) = @_;
        $c->send_message(type => $_, csid => 2, payload => 'x' x $_)
            for (0, 7, 10, 99, 255);
        $o->on_connect($m);
    })],

    ['aborted command', answer('publish', sub {
        my ($c, $o, $m) = @_;
        my ($part) = $c->chunks(type => 20, csid => 7, payload => 'x' x 9000);
        $c->write_raw($part);
        $c->send_message(type => 2, csid => 2, payload => pack('N', 7));
        $o->on_publish($m);
    })],

    ['highest chunk stream', answer('publish', sub {
        my ($c, $o, $m) = @_;
        $c->send_message(type => 18, csid => 65599, msid => 1,
            payload => amf_encode('hello'));
        $o->on_publish($m);
    })],
);

my ($routes, $servers) = ('', '');

for my $i (0 .. $#cases + @harmless) {
    my ($origin, $listen) = (8200 + $i, 8100 + $i);

    $routes .= "rtmp_route r$i { zone r$i 256k; "
        . "server 127.0.0.1:$origin max_fails=0; }\n";
    $servers .= "server { listen 127.0.0.1:$listen; osp_upstream r$i; }\n";
}

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

$routes

rtmp_route good {
    zone   good 1m;
    server 127.0.0.1:8090;
}

rtmp_route seven {
    zone   seven 1m;
    server 127.0.0.1:8091;
}

rtmp_route lazy {
    zone   lazy 1m;
    server 127.0.0.1:8092;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    osp_upstream_connect_timeout   500ms;
    osp_upstream_handshake_timeout 2s;

    log_format test '\$server_port|\$rtmp_reason|\$status';
    access_log %%TESTDIR%%/stream.log test;

    $servers

    server {
        listen       127.0.0.1:8080;
        osp_upstream good;
    }

    server {
        listen       127.0.0.1:8081;
        osp_upstream seven;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream lazy;
    }
}

EOC

my $o = rtmp_origin($t, port(8090));

rtmp_origin($t, port(8200 + $_), %{($cases[$_] || $harmless[$_ - @cases])->[1]},
    life => 30) for 0 .. $#cases + @harmless;

my $seven = rtmp_origin($t, port(8091), create => 7);
my $lazy = rtmp_origin($t, port(8092), life => 30, %{answer('publish', sub {
    my ($c, $o) = @_;
    $o->status('Publish.Start');
    sleep(3);
})});

$t->plan(3 * @cases + 2 * @harmless + 11)->run();

###############################################################################

my @media = media_messages(100);
my @good = map { rtmp_publish(port(8080), 'live', "good$_") } 1 .. 2;

is(join(' ', map { $_->{code} } @good),
    join(' ', ('NetStream.Publish.Start') x 2), 'good sessions')
    or die "nothing works\n";

$_->send_media(@media[0 .. 49]) for @good;

# all at once

my @open = map { rtmp_publish(port(8100 + $_), 'live', 'cam1', no_wait => 1) }
    0 .. $#cases;
my $end = time() + 6;

for my $i (0 .. $#cases) {
    my ($name, undef, $reason, $told) = @{$cases[$i]};
    my $c = $open[$i];

    $c->{timeout} = $end > time() ? $end - time() : 0.1;
    $c->status();

    $told ||= qr/^Net\w+\.(Publish|Connect|Call)\.(?!Start)/;

    like($c->{code}, $told, "$name: told");
    ok($c->is_closed($end > time() ? $end - time() : 0.1), "$name: closed");
    $c->close();

    like(reason($t, port(8100 + $i), 2), qr/^(?:$reason)$/, "$name: reason");
}

for my $i (0 .. $#harmless) {
    my $c = rtmp_publish(port(8100 + @cases + $i), 'live', 'cam1');

    is($c->{code}, 'NetStream.Publish.Start', $harmless[$i][0]);
    ok(!$c->is_closed(0.1), "$harmless[$i][0]: goes on");
}

# another stream id

my $c = rtmp_publish(port(8081), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'stream id');
is($c->{answer}{msid}, 1, 'stream id of the client');

$c->send_media(@media);

is($seven->wait_media(media_digest(@media)), media_digest(@media),
    'stream id: media');
is(($seven->events(name => 'publish'))[-1]{msid}, 7,
    'stream id of the origin');

$c->close();
$c = rtmp_play(port(8081), 'live', 'cam1');

is($c->{code}, 'NetStream.Play.Start', 'stream id: play');
is(media_digest($c->read_media(23)), media_digest(media_messages(20,
    play => 1)), 'stream id: media played');

# an origin that reads no more pauses the client, and takes no memory

$c = rtmp_publish(port(8082), 'live', 'cam1');

my $chunk = $c->media_bytes(media_messages(100, size => 10000, first => 10));
my $sent = 0;

while ($sent < 100_000_000) {
    last unless $c->write_raw($chunk, 1);
    $sent += length($chunk);
}

ok($sent < 50_000_000, 'paused') or diag("sent: $sent");
$c->close();

is(reason($t, port(8082), 8), 'ok', 'ended');

$_->send_media(@media[50 .. $#media]) for @good;

for my $i (1 .. 2) {
    is($o->wait(event => 'media', digest => media_digest(@media),
        count => $i) ? 'all' : 'lost', 'all', "good session $i");
}

###############################################################################

# the origin answers as usual up to a command

sub answer {
    my ($name, $code) = @_;

    return { before => sub {
        my ($c, $m, $o) = @_;

        return 0 if $m->{name} ne $name;

        $code->($c, $o, $m);
        return 1;
    } };
}

sub reason {
    my ($t, $port, $timeout) = @_;

    return wait_log($t, 'stream.log', qr/^$port\|(.*?)\|/m, $timeout);
}

###############################################################################
