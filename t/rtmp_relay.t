#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: what must pass unchanged once the set-up is over.

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

my $t = Test::Nginx->new()->has(qw/stream/)->plan(20);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;
}

rtmp_route busy {
    zone   busy 1m;
    server 127.0.0.1:8091;
}

rtmp_route ends {
    zone   ends 1m;
    server 127.0.0.1:8092;
}

rtmp_route slow {
    zone   slow 1m;
    server 127.0.0.1:8093;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8081;
        osp_upstream busy;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream ends;
    }

    server {
        listen       127.0.0.1:8083;
        osp_upstream slow;
    }
}

EOC

my $o = rtmp_origin($t, port(8090));

# says no to the first publish of a connection only

my $busy = rtmp_origin($t, port(8091), before => sub {
    my ($c, $m, $o) = @_;

    return 0 if $m->{name} ne 'publish' || $o->{refused}++;

    $o->status('Publish.BadName', 'Already publishing');
    return 1;
});

# ends right behind the media that a player gets

rtmp_origin($t, port(8092), media => 300, media_size => 20000, before => sub {
    my ($c, $m, $o) = @_;

    return 0 if $m->{name} ne 'play';

    $o->on_play($m);
    $c->shutdown();
    return 1;
});

# reads nothing for a while

my $slow = rtmp_origin($t, port(8093), before => sub {
    my ($c, $m, $o) = @_;

    return 0 if $m->{name} ne 'publish';

    $o->on_publish($m);
    select(undef, undef, undef, 1);
    return 1;
});

$t->run();

###############################################################################

my ($c, $sent, @media, $digest);

# chunk sizes and timestamps

$c = rtmp_publish(port(8080), 'live', 'chunks');
@media = map { [9, $_ * 0x20000000, "\x17\x01" . chr(65 + $_) x (4000 * $_)] }
    1 .. 12;

for my $m (@media) {
    my $n = length($m->[2]);

    $c->send_message(type => 1, csid => 2,
        payload => pack('N', (128, 60000, 1, 4096)[$n / 4000 % 4]));
    $c->send_message(type => 9, csid => 70 + $n / 4000, msid => 1,
        ts => $m->[1] & 0xffffffff, payload => $m->[2]);
}

$_->[1] &= 0xffffffff for @media;
$digest = media_digest(@media);

is($o->wait_media($digest), $digest, 'chunk sizes');
is($o->wait(event => 'media')->{count}, 12, 'messages');

# all that was sent arrives, though the client closes at once

$c->{out_chunk} = 4096;
$c = rtmp_publish(port(8080), 'live', 'close');
$c->send_media(media_messages(200, size => 20000));
$sent = $c->sent();
$c->close();

is($o->wait(event => 'close', c => 2, timeout => 10)->{received}, $sent,
    'client closes');

$c = rtmp_publish(port(8083), 'live', 'close');
$c->send_media(media_messages(200, size => 20000));
$sent = $c->sent();
$c->close();

is($slow->wait(event => 'close', timeout => 10)->{received}, $sent,
    'client closes, origin is slow');

# and so in the other direction

$c = rtmp_play(port(8082), 'live', 'cam1');
@media = $c->read_media(303);

is(scalar(@media), 303, 'origin closes');
ok($c->is_closed(2), 'closed');

$c = rtmp_play(port(8082), 'live', 'cam1');
select(undef, undef, undef, 0.5);
@media = $c->read_media(303);

is(scalar(@media), 303, 'origin closes, client is slow');

# one side only

$c = rtmp_publish(port(8080), 'live', 'half');
$c->send_media(media_messages(10));
$c->shutdown();

ok($c->is_closed(3), 'half closed');
is($o->wait_media(media_digest(media_messages(10))),
    media_digest(media_messages(10)), 'half closed: media');

# another try on the same connection

$c = rtmp_publish(port(8081), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.BadName', 'busy');

$c->send_command('publish', 6, undef, 'cam1', 'live', \{ csid => 8,
    msid => 1 });
$c->answer('onStatus', undef, 'no answer');

is($c->{code}, 'NetStream.Publish.Start', 'free again');

@media = media_messages(10);
$c->send_media(@media);

is($busy->wait_media(media_digest(@media)), media_digest(@media),
    'free again: media');

# two streams on one connection

$c = rtmp_publish(port(8080), 'live', 'two');
$c->send_command('createStream', 10, undef);

ok(defined $c->answer('_result', 10, 'no answer'), 'second createStream');

$c->send_command('play', 11, undef, 'two', \{ csid => 9, msid => 1 });
$c->answer('onStatus', undef, 'no answer');

is($c->{code}, 'NetStream.Play.Start', 'play as well');
is(scalar($c->read_media(23)), 23, 'play as well: media');

# every possible cut between C0 and publish

for my $size (1, 7, 100) {
    my $n = $o->connections();

    $c = rtmp_client(port(8080));
    $c->{client} = { agent => 'test' };

    my $all = "\x03" . "\0" x 3072 . $c->connect_message('live')
        . $c->command('createStream', 2, undef)
        . $c->command('publish', 3, undef, "cut$size", 'live',
            \{ csid => 8, msid => 1 });

    $c->write_raw($_) for unpack("(a$size)*", $all);
    $c->read_raw(3073);
    $c->answer('onStatus', undef, 'no answer');

    is($c->{code}, 'NetStream.Publish.Start', "pieces of $size");
}

# everything of an encoder in one write

$c = rtmp_client(port(8080));
$c->{client} = { agent => 'test' };
$c->{msid} = 1;

@media = media_messages(30, size => 2000);
$c->write_raw("\x03" . "\0" x 3072 . $c->connect_message('live')
    . $c->command('createStream', 2, undef)
    . $c->command('publish', 3, undef, 'whole', 'live', \{ csid => 8,
        msid => 1 }) . $c->media_bytes(@media));

is($o->wait_media(media_digest(@media)), media_digest(@media), 'one write');

$c->read_raw(3073);
$c->answer('onStatus', undef, 'no answer');

is($c->{code}, 'NetStream.Publish.Start', 'one write: told');

###############################################################################
