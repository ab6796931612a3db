#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: AMF3 connections and commands.

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

my $t = Test::Nginx->new()->has(qw/stream/)->plan(9);

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

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
    }
}

EOC

my $o = rtmp_origin($t, port(8090));

$t->run();

###############################################################################

# commands of type 17, AMF0 behind one byte

my $c = rtmp_publish(port(8080), 'live', 'cam1', amf3 => 1);

is($c->{code}, 'NetStream.Publish.Start', 'publish');

my ($connect) = grep { defined $_->{name} && $_->{name} eq '_result' }
    @{$c->{messages}};

is($connect->{args}[1]{objectEncoding}, 0, 'AMF0 from now on');
is(join(' ', map { "$_->{name}:$_->{type}" } $o->events(event => 'command')),
    'connect:17 releaseStream:17 FCPublish:17 createStream:17 publish:17',
    'commands at the origin');

my @media = media_messages(10);

$c->send_media(@media);

is($o->wait_media(media_digest(@media)), media_digest(@media), 'media');

my $sent = $c->sent();

$c->close();
is($o->wait(event => 'close')->{received}, $sent, 'bytes');

# only connect, as some clients do it

$c = rtmp_client(port(8080));
$c->{client} = { agent => 'test', tids => [2, 3, 4, 5], csid => 8 };
$c->handshake();
$c->write_raw($c->connect_message('live', amf3 => 1));

ok(defined $c->answer('_result', 1, 'no answer'), 'AMF3 connect');

$c->publish('cam2');

is($c->{code}, 'NetStream.Publish.Start', 'AMF0 publish');

# metadata of type 15

$c->send_message(type => 15, csid => 4, msid => 1,
    payload => "\x00" . amf_encode('onMetaData', amf_ecma(width => 1)));

is($o->wait(event => 'media', c => 2)->{count}, 1, 'AMF3 data');

# play

$c = rtmp_start_amf3('cam3');

is($c->{code}, 'NetStream.Play.Start', 'play');

###############################################################################

sub rtmp_start_amf3 {
    my ($stream) = @_;

    my $c = rtmp_client(port(8080));

    $c->{client} = { agent => 'test' };
    $c->handshake();
    $c->write_raw($c->connect_message('live', amf3 => 1));
    $c->answer('_result', 1, 'no answer');
    $c->send_command('createStream', 2, undef, \{ type => 17, csid => 3 });
    $c->answer('_result', 2, 'no answer');
    $c->send_command('play', 3, undef, amf_str($stream),
        \{ type => 17, csid => 8, msid => 1 });
    $c->answer('onStatus', undef, 'no answer');

    return $c;
}

###############################################################################
