#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the RTMP client and origin of the test library: each with the
# other.

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

my $t = Test::Nginx->new()->plan(55);

$t->write_file_expand('nginx.conf', <<'EOT');

%%TEST_GLOBALS%%

daemon off;

events {
}

EOT

$t->run();

###############################################################################

# AMF0

is_deeply([amf_decode(amf_encode(1.5, 'a', undef, { b => 2 },
    amf_ecma(c => amf_str('3')), amf_strict(1, 'x'), amf_bool(1), amf_undef(),
    amf_long_str('l' x 70000)))],
    [1.5, 'a', undef, { b => 2 }, { c => '3' }, [1, 'x'], 1, undef,
    'l' x 70000], 'amf');

is(unpack('H*', amf_encode(amf_obj(a => amf_bool(0)))),
    '03' . '000161' . '0100' . '000009', 'amf object');
ok(!eval { amf_decode("\x02\x00\x09abc"); 1 }, 'amf string cut');
ok(!eval { amf_decode("\x03\x00\x01a" x 100); 1 }, 'amf too deep');

# chunks

my ($one, $two) = pair();

$one->send_message(type => 9, csid => $_, msid => 1, ts => 7, payload => "x$_")
    for (3, 63, 64, 319, 320, 65599);

is(join(' ', map { $two->read_message(1)->{csid} } 1 .. 6),
    '3 63 64 319 320 65599', 'chunk streams');

$one->send_message(type => 8, csid => 4, msid => 1, ts => 100, payload => 'a');
$one->send_message(type => 8, csid => 4, ts => 120, fmt => 1, payload => 'bc');
$one->send_message(type => 8, csid => 4, ts => 140, fmt => 2, payload => 'de');
$one->send_message(type => 8, csid => 4, ts => 160, fmt => 3, payload => 'fg');

is(join(' ', map { my $m = $two->read_message(1);
    "$m->{fmt}:$m->{ts}:$m->{payload}" } 1 .. 4),
    '0:100:a 1:120:bc 2:140:de 3:160:fg', 'header formats');

$one->send_message(type => 8, csid => 4, msid => 1, ts => 0xfffffff0,
    payload => 'x' x 300);
$one->send_message(type => 8, csid => 4, fmt => 1, ts => 10, payload => 'y');

is($two->read_message(1)->{ts}, 0xfffffff0, 'extended timestamp');
is($two->read_message(1)->{ts}, 10, 'timestamp wraps');

$one->send_message(type => 1, csid => 2, payload => pack('N', 70000));
$one->send_message(type => 9, csid => 6, payload => 'z' x 150000);

is($two->read_message(1)->{type}, 1, 'chunk size');
is(length($two->read_message(1)->{payload}), 150000, 'large chunks');

my @a = $one->chunks(type => 8, csid => 4, payload => 'a' x 300, chunk => 100);
my @b = $one->chunks(type => 9, csid => 6, payload => 'b' x 200, chunk => 100);

$two->{in_chunk} = 100;
$one->write_raw($a[0] . $b[0] . $a[1] . $b[1] . $a[2]);

is($two->read_message(1)->{payload}, 'b' x 200, 'interleaved first');
is($two->read_message(1)->{payload}, 'a' x 300, 'interleaved last');
is($two->received(), $one->sent(), 'bytes counted');
is($two->read_message(0.1), undef, 'nothing more');

$one->write_raw("\xc7");

is($two->read_message(0.5), undef, 'no header to refer to');
like($two->{error}, qr/format 3 on a new chunk stream/, 'error');

$one->close();

ok($two->is_closed(1), 'closed');

# clients and origins

my $n = 8100;

for my $like (qw/ normal srs /) {
    for my $client (qw/ ffmpeg librtmp fmle gstreamer /) {
        my $o = rtmp_origin($t, port(++$n), like => $like);
        my $c = rtmp_publish(port($n), 'live', 'cam1', client => $client);
        my @media = media_messages(30);

        is($c->{code}, 'NetStream.Publish.Start', "$client at $like");

        $c->send_media(@media);

        is($o->wait_media(media_digest(@media)), media_digest(@media),
            "$client at $like media");

        my $sent = $c->sent();
        $c->close();

        is($o->wait(event => 'close')->{received}, $sent,
            "$client at $like bytes");

        next unless $client eq 'fmle';

        my $h = $o->wait(event => 'handshake');
        is("$h->{digest}$h->{signed}", '11', "$client at $like digest");
    }

    for my $client (qw/ ffmpeg librtmp /) {
        my $c = rtmp_play(port($n), 'live', 'cam1', client => $client);
        my @media = media_messages(20, play => 1);

        is($c->{code}, 'NetStream.Play.Start', "$client plays at $like");
        is(media_digest($c->read_media(23)), media_digest(@media),
            "$client plays at $like media");
    }
}

# what an origin may do instead, and preambles

my $o = rtmp_origin($t, port(8081), publish => 'busy');
my $c = rtmp_publish(port(8081), 'live', 'cam1', preamble =>
    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");

is("$c->{code} $c->{description}",
    'NetStream.Publish.BadName Already publishing', 'busy');
is($o->wait(event => 'preamble')->{text},
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2', 'proxy protocol');
is($o->commands(), 'connect releaseStream FCPublish createStream publish',
    'commands');

$o->stop();

is(rtmp_client(port(8081)), undef, 'stopped');

###############################################################################

sub pair {
    my ($one, $two);

    socketpair($one, $two, Socket::AF_UNIX, Socket::SOCK_STREAM,
        Socket::PF_UNSPEC) or die "Can't make a socket pair: $!\n";

    return map { Test::Nginx::RTMP->new($_) } $one, $two;
}

###############################################################################
