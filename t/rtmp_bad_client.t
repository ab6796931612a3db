#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: clients that send rubbish, too much or nothing.

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

use Time::HiRes qw/ time /;

my $t = Test::Nginx->new()->has(qw/stream/);

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

    osp_upstream_handshake_timeout 1500ms;

    log_format test '$remote_port|$rtmp_reason|$bytes_received';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
    }
}

EOC

my $o = rtmp_origin($t, port(8090));

###############################################################################

# what is done with a new connection, and how it ends

my @cases = (
    ['nothing at all', 'handshake_timeout', sub { }],

    ['http', 'protocol_error', sub {
        $_[0]->write_raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }],

    ['tls', 'protocol_error', sub {
        $_[0]->write_raw(pack('H*', '16030100c8010000c40303') . 'x' x 200);
    }],

    ['encrypted rtmp', 'protocol_error', sub {
        $_[0]->write_raw("\x06" . "\0" x 1536);
    }],

    ['half of a handshake', 'handshake_timeout', sub {
        $_[0]->write_raw("\x03" . "\0" x 700);
    }],

    ['half of a handshake and end', 'client_closed', sub {
        $_[0]->write_raw("\x03" . "\0" x 700);
        $_[0]->shutdown();
    }],

    ['half of C2', 'handshake_timeout', sub {
        $_[0]->write_raw("\x03" . "\0" x 1536 . "\0" x 700);
    }],

    ['random bytes', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->write_raw(join('', map { pack('N', $_ * 2654435761
            & 0xffffffff) } 1 .. 5000));
    }],

    ['no header to refer to', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->write_raw("\xc3" . 'x' x 128);
    }],

    ['header within a message', 'protocol_error', sub {
        my ($c) = @_;
        hello($c);
        my @chunks = $c->chunks(type => 20, payload => 'x' x 300);
        $c->write_raw($chunks[0] . "\x43\0\0\0\0\1\0\x14" . 'x' x 128);
    }],

    ['chunk size 0', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 1, csid => 2, payload => "\0\0\0\0");
    }],

    ['chunk size with the first bit', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 1, csid => 2, payload => "\x80\0\0\1");
    }],

    ['chunk size cut', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 1, csid => 2, payload => "\0\1");
    }],

    ['16 MB message announced', 'protocol_error', sub {
        my ($c) = @_;
        hello($c);
        $c->write_raw($c->message(type => 1, csid => 2,
            payload => pack('N', 0xffffff))
            . $c->message(type => 20, csid => 3, length => 0xffffff,
                payload => amf_encode('connect', 1)));
    }],

    ['16 MB message sent', 'limit_setup', sub {
        my ($c) = @_;
        hello($c);
        $c->send_message(type => 1, csid => 2, payload => pack('N', 0xffffff));
        $c->send_message(type => 9, csid => 3, payload => 'x' x 0xffffff,
            timeout => 1);
    }],

    ['string longer than the message', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 20, csid => 3,
            payload => amf_encode('connect', 1) . "\x02\xff\xffabc");
    }],

    ['name longer than the message', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 20, csid => 3, payload => "\x02\xff\xffco");
    }],

    ['object cut', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 20, csid => 3, payload =>
            amf_encode('connect', 1) . "\x03\x00\x03app");
    }],

    ['unknown type of value', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 20, csid => 3, payload =>
            amf_encode('connect', 1) . "\x03\x00\x03app\x7f");
    }],

    ['1,000 nested objects', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 20, csid => 3, payload =>
            amf_encode('connect', 1) . "\x03\0\1a" x 1000
            . "\0\0\x09" x 1000);
    }],

    ['array of 4 billion', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 20, csid => 3, payload =>
            amf_encode('connect', 1) . "\x0a\xff\xff\xff\xff" . "\x05" x 100);
    }],

    ['empty command', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_message(type => 20, csid => 3, payload => '');
    }],

    ['1,000 chunk streams', 'protocol_error', sub {
        my ($c) = @_;
        hello($c);
        $c->write_raw(join('', map { ($c->chunks(type => 9, csid => $_,
            payload => 'x' x 300))[0] } 64 .. 1063));
    }],

    ['publish in front of connect', 'protocol_error', sub {
        hello($_[0]);
        $_[0]->send_command('publish', 5, undef, 'cam1', 'live',
            \{ csid => 8, msid => 1 });
    }],

    ['connect twice', 'protocol_error', sub {
        connected($_[0]);
        $_[0]->write_raw($_[0]->connect_message('live'));
    }],

    ['empty name', 'refused_name', sub {
        connected($_[0]);
        $_[0]->send_command('publish', 5, undef, amf_str(''), 'live',
            \{ csid => 8, msid => 1 });
    }],

    ['name of 60,000 bytes', 'protocol_error', sub {
        connected($_[0]);
        $_[0]->send_command('publish', 5, undef, amf_str('x' x 60000), 'live',
            \{ csid => 8, msid => 1 });
    }],

    ['publish without a name', 'refused_name', sub {
        connected($_[0]);
        $_[0]->send_command('publish', 5, undef, \{ csid => 8, msid => 1 });
    }],

    ['10,000 createStream', 'limit_setup', sub {
        my ($c) = @_;
        connected($c);
        $c->write_raw(join('', map { $c->command('createStream', $_, undef) }
            2 .. 10001), 1);
    }],

    ['10,000 _checkbw', 'limit_setup', sub {
        my ($c) = @_;
        connected($c);
        $c->write_raw(join('', map { $c->command('_checkbw', $_, undef) }
            2 .. 10001), 1);
    }],

    ['media in front of publish', 'limit_setup', sub {
        my ($c) = @_;
        connected($c);
        $c->{msid} = 1;
        $c->write_raw($c->media_bytes(media_messages(500, size => 20000)), 1);
    }],

    ['connect and end', 'client_closed', sub {
        connected($_[0]);
        $_[0]->shutdown();
    }],
);

$t->plan(2 * @cases + 10)->run();

###############################################################################

# two sessions in each worker, more or less, that are not to notice anything

my @media = media_messages(100);
my @good = map { rtmp_publish(port(8080), 'live', "good$_") } 1 .. 4;

is(join(' ', map { $_->{code} } @good),
    join(' ', ('NetStream.Publish.Start') x 4), 'good clients')
    or die "nothing works\n";

$_->send_media(@media[0 .. 49]) for @good;

# all at once

my (@open, $start, $end);

for my $case (@cases) {
    my ($name, undef, $code) = @$case;

    $start = time();

    my $c = rtmp_client(port(8080));

    push @open, [$case, $c, $c->{socket}->sockport()];
    $code->($c);
}

# one byte at a time

my $slow = rtmp_client(port(8080));

$start = time();
$slow->write_slowly("\x03" . "\0" x 3072, 0.1, 5);
$end = time() - $start;

ok($slow->is_closed(0) && $end < 3, 'one byte at a time');

$end = time() + 5;

for (@open) {
    my ($case, $c, $local) = @$_;
    my ($name, $want) = @$case;

    ok($c->is_closed($end > time() ? $end - time() : 0), "$name: closed");
    $c->close();

    is(wait_log($t, 'stream.log', qr/^$local\|(.*?)\|/m, 1), $want,
        "$name: reason");
}

# a message on the highest chunk stream is no fault

my $c = connected(rtmp_client(port(8080)));

$c->send_command('hello', 7, undef, \{ csid => 65599 });
$c->send_command('publish', 5, undef, 'cam1', 'live',
    \{ csid => 65599, msid => 1 });
$c->answer('onStatus', undef, 'no answer');

is($c->{code}, 'NetStream.Publish.Start', 'chunk stream 65599');

# a chunk size of 16 MB is none

$c = rtmp_client(port(8080));
hello($c);
$c->send_message(type => 1, csid => 2, payload => pack('N', 0xffffff));
connected($c, 1);
$c->send_command('publish', 5, undef, 'cam2', 'live',
    \{ csid => 8, msid => 1 });
$c->answer('onStatus', undef, 'no answer');

is($c->{code}, 'NetStream.Publish.Start', 'chunk size 16 MB');

# commands that nobody knows

$c = connected(rtmp_client(port(8080)));
$c->send_command($_, 0, undef, { a => 1 }) for qw/ one two three /;
$c->send_command('publish', 5, undef, 'cam3', 'live',
    \{ csid => 8, msid => 1 });
$c->answer('onStatus', undef, 'no answer');

is($c->{code}, 'NetStream.Publish.Start', 'unknown commands');

$_->send_media(@media[50 .. $#media]) for @good;

for my $i (1 .. 4) {
    is($o->wait(event => 'media', digest => media_digest(@media),
        count => $i) ? 'all' : 'lost', 'all', "good client $i");
}

is(scalar(grep { $_->is_closed(0) } @good), 0, 'good clients go on');

###############################################################################

sub hello {
    my ($c) = @_;

    $c->handshake();
    $c->{client} ||= { agent => 'test' };

    return $c;
}

sub connected {
    my ($c, $greeted) = @_;

    hello($c) unless $greeted;
    $c->write_raw($c->connect_message('live'));
    $c->answer('_result', 1, 'no answer');
    $c->send_command('createStream', 2, undef);
    $c->answer('_result', 2, 'no answer');

    return $c;
}

###############################################################################
