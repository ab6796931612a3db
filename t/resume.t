#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_resume: what another origin gets when the first one
# has died in the middle of a stream, and what the client sees of it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Digest::SHA qw/ sha1_hex /;

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(73);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

# the second one takes what the first one has left

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081 max_fails=0;
    server 127.0.0.1:8082 max_fails=0 backup;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$status|$upstream_addr|$rtmp_reason|$rtmp_route_server';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen              127.0.0.1:8090;
        osp_upstream        live;
        osp_upstream_resume on;
    }

    server {
        listen       127.0.0.1:8091;
        osp_upstream live;
    }
}
EOF_CONF

my ($one, $two, $c, @m, @got, $m, $n);

$two = rtmp_origin($t, port(8082), messages => 1, script => \&origin);
$t->run();

# headers first, then from the key frame on

begin('cam1');

@m = media_messages(45);
$c->send_media(@m[0 .. 16]);
ok(got($one, $m[16]), 'first origin');

lose();
ok(ready($two), 'second origin is told');
$c->send_media(@m[17 .. $#m]);
ok(got($two, $m[-1]), 'second origin');

@got = media($two);

is(join(' ', map { $_->{type} } @got[0 .. 3]), '18 9 8 9',
    'metadata, headers, frame');
is(join(' ', map { $_->{sha} } @got[0 .. 2]),
    join(' ', map { sha1_hex($_->[2]) } @m[0 .. 2]), 'as they were');
is(shown(@got[3 .. $#got]), shown(messages(@m[23 .. $#m])),
    'all from the next key frame on, with its times');
is(firsts($two), 'yes', 'chunk streams begin with full headers');
is(before($two), '1 00000080', 'chunk size in front of all');
is($two->commands(), $one->commands(), 'commands again');
is($t->read_file('error.log') =~ /\[error\].*upstream server "\S+" was lost/,
    1, 'one error');
is($t->read_file('error.log') =~ /\[notice\].*moved to server "\S+"/, 1,
    'one notice');

# where it is now

$m = api('GET', 'live/streams/')->{'live/cam1'};
is("$m->{source} $m->{publishers}", 'publish 1', 'stream is live');
is((sessions('live'))[0]{upstream}, '127.0.0.1:' . port(8082), 'session');

# the client has not been told anything

is(join(' ', map { $_->{type} } unread()), '', 'nothing for the client');

$c->unpublish('cam1');
my ($first, $second) = (port(8081), port(8082));

like(wait_log($t, 'stream.log', qr/^(200.*)$/m),
    qr/^200\|\S+:$first, \S+:$second\|ok\|127.0.0.1:$second$/, 'log');
ok(wait_conns('live', '0 0'), 'nothing is counted');

# a message cut in half is dropped whole, on each chunk stream

begin('cam2');

@m = media_messages(12, size => 1000);
$c->send_media(@m[0 .. 6]);
ok(got($one, $m[6]), 'cut, first origin');

my @video = $c->chunks(type => 9, csid => 6, msid => 1, ts => 700, fmt => 1,
    payload => "\x27\x01\x00\x00\x00" . 'v' x 500);
my @audio = $c->chunks(type => 8, csid => 4, msid => 1, ts => 700, fmt => 1,
    payload => "\xaf\x01" . 'a' x 500);

$c->write_raw($video[0] . $audio[0] . $video[1] . substr($audio[1], 0, 50));
lose();
ok(ready($two), 'cut, second origin is told');

# the key frame begins while the sound is not whole

my @key = $c->chunks(type => 9, csid => 6, msid => 1, ts => 740, fmt => 1,
    payload => "\x17\x01\x00\x00\x00" . 'k' x 500);

$c->write_raw(substr($audio[1], 50) . join('', @video[2 .. $#video])
    . $key[0] . join('', @audio[2 .. $#audio])
    . join('', @key[1 .. $#key])
    . $c->message(type => 8, csid => 4, msid => 1, ts => 745, fmt => 1,
        payload => "\xaf\x01" . 'b' x 300));

ok(wait_until(sub { grep { $_->{ts} == 745 } media($two) }), 'cut, got');

@got = media($two);
is(join(' ', map { $_->{type} } @got), '18 9 8 9 8', 'cut, dropped whole');
is(join(' ', map { $_->{ts} } @got), '740 740 740 740 745', 'cut, times');
is($got[3]{sha}, sha1_hex("\x17\x01\x00\x00\x00" . 'k' x 500), 'cut, frame');
is($got[4]{sha}, sha1_hex("\xaf\x01" . 'b' x 300), 'cut, sound');
is(firsts($two), 'yes', 'cut, full headers');

# chunk sizes: that of the client is told, and that of the origin

$c->close();
ok(wait_conns('live', '0 0'), 'next one');

$two->stop();
$two = rtmp_origin($t, port(8082), messages => 1, script => \&origin,
    chunk => 200, create => 7, acks => 1, ping => 1);

begin('cam3', chunk => 3000);

@m = media_messages(45);
$c->send_media(@m[0 .. 8]);
ok(got($one, $m[8]), 'chunks, first origin');

$c->send_message(type => 1, csid => 2, payload => pack('N', 777));
$c->send_media(@m[9 .. 11]);
ok(got($one, $m[11]), 'chunks, changed');

lose();
ok(ready($two), 'chunks, second origin is told');
$c->send_media(@m[12 .. 30]);
$c->send_message(type => 1, csid => 2, payload => pack('N', 5000));
$c->send_media(@m[31 .. $#m]);

ok(got($two, $m[-1]), 'chunks, second origin');

@got = media($two);
is(shown(@got[3 .. $#got]), shown(messages(@m[13 .. $#m])), 'chunks, media');
is(before($two), '1 00000309', 'chunks, size');
is(join(' ', map { $_->{msid} } @got), join(' ', ('7') x @got),
    'number of the stream');

# what it says later reaches the client

$m = $c->read_until(sub { $_[0]{type} == 4 }, 5);
is($m && unpack('H*', $m->{payload}), '000600001234', 'ping');

@got = grep { $_->{type} == 1 } unread();
is(@got && unpack('H*', $got[-1]{payload}), '000000c8', 'chunk size');

$c->send_message(type => 4, csid => 2, payload => pack('nN', 7, 0x1234));
ok(wait_until(sub { grep { $_->{hex} eq '000700001234' }
    $two->events(event => 'control', type => 4) }), 'pong');

($m) = grep { $_->{type} == 3 } unread();
$m ||= $c->read_until(sub { $_[0]{type} == 3 }, 5);
$n = $m ? unpack('N', $m->{payload}) : 0;
cmp_ok($n, '>', 1000 + ($two->wait(event => 'ack') || { n => 1e9 })->{n},
    'acknowledged, what the first one has got, too');
cmp_ok($n, '<=', 3073 + $c->{out_bytes},
    'acknowledged, no more than has come');

# the number of the stream in a command

$c->send_command('deleteStream', 8, undef, amf_num(1), \{ csid => 3 });
$m = $two->wait(event => 'command', name => 'deleteStream', tid => 8);
is($m && $m->{args}[1], 7, 'number of the stream in a command');

# a half message to the client is not seen

$c->close();
ok(wait_conns('live', '0 0'), 'next one');

begin('cam4', half => 1);

@m = media_messages(25);
$c->send_media(@m[0 .. 4]);
ok(got($one, $m[4]), 'half, first origin');

lose();
ok(ready($two), 'half, second origin is told');
$c->send_media(@m[5 .. $#m]);
ok(got($two, $m[-1]), 'half, second origin');

$m = $c->read_until(sub { $_[0]{type} == 4 }, 5);
is($m && unpack('H*', $m->{payload}), '000600001234', 'half, ping');
is(scalar(grep { $_->{type} == 20 } unread()), 0, 'half, not seen');
$c->close();

# the first origin has a number of its own for the stream; chunk streams of two
# and three bytes, times of more than 24 bits, in headers of all forms

ok(wait_conns('live', '0 0'), 'next one');
begin('cam5', create => 9);

@m = media_messages(45);
$_->[1] += 0xfffeff for @m;

$n = 0;

$c->write_raw(join('', map { headers($_) } @m[0 .. 14]));
ok(got($one, $m[14]), 'headers, first origin');
is((media($one))[-1]{msid}, 9, 'headers, number of the stream');

lose();
ok(ready($two), 'headers, second origin is told');
$c->write_raw(join('', map { headers($_) } @m[15 .. $#m]));
ok(got($two, $m[-1]), 'headers, second origin');

@got = media($two);
is(shown(@got[3 .. $#got]), shown(messages(@m[23 .. $#m])), 'headers, media');
is(firsts($two), 'yes', 'headers, full ones at first');
$c->close();

# once it goes on, bytes pass as they are, but for chunk streams on which the
# origin has not seen what the client has sent before

ok(wait_conns('live', '0 0'), 'next one');
$two->stop();
$two = rtmp_origin($t, port(8082), messages => 1, script => \&origin);
begin('cam6');

@m = media_messages(95);
$c->write_raw($c->message(type => 4, csid => 2, payload => pack('nN', 7, 1))
    . $c->command('FCPublish', 8, undef, amf_str('y'),
        \{ csid => 9, msid => 1, ts => 100 }));
$c->send_media(@m[0 .. 14]);
ok(got($one, $m[14]), 'settled, first origin');

lose();
ok(ready($two), 'settled, second origin is told');

# one by one

for my $m (@m[15 .. 50]) {
    $c->send_media($m);
    select(undef, undef, undef, 0.002);
}

ok(got($two, $m[50]), 'settled, second origin');

# in one go: a new chunk size, media, sound on the chunk stream of commands in
# a short header, a command, and another one in two parts

my $command = $c->command('FCPublish', 9, undef, amf_str('x' x 100),
    \{ csid => 3, fmt => 1 });

$c->write_raw($c->message(type => 4, csid => 2, fmt => 1,
        payload => pack('nN', 7, 2))
    . $c->message(type => 1, csid => 2, fmt => 1, payload => pack('N', 300))
    . $c->media_bytes(@m[51 .. 60])
    . $c->message(type => 8, csid => 9, fmt => 1, msid => 1, ts => 1180,
        payload => "\xaf\x01" . 'sound')
    . $c->message(type => 8, csid => 9, fmt => 2, msid => 1, ts => 1181,
        payload => "\xaf\x01" . 'SOUND')
    . $c->media_bytes(@m[61 .. 65])
    . $c->command('FCPublish', 8, undef, amf_str('y'),
        \{ csid => 3, fmt => 1 })
    . $c->media_bytes(@m[66 .. 67])
    . substr($command, 0, 20));

$c->write_raw(substr($command, 20) . $c->media_bytes(@m[68 .. 75]));
ok(got($two, $m[75]), 'settled, goes on');

@got = media($two);
is(shown(@got[3 .. $#got]), shown(messages(@m[23 .. 60],
    [8, 1180, "\xaf\x01sound"], [8, 1181, "\xaf\x01SOUND"], @m[61 .. 75])),
    'settled, media');
like($two->commands(), qr/publish FCPublish FCPublish$/, 'settled, commands');
is(($two->events(event => 'control', type => 4))[-1]{hex}, '000700000002',
    'settled, control');
ok(scalar(grep { $_->{type} == 9 && $_->{fmt} } @got), 'settled, headers');

# and once more

$one = rtmp_origin($t, port(8081), messages => 1, script => \&origin,
    from => scalar($one->events()));
$two->signal('KILL');
$two->stop();
ok(ready($one), 'settled, another one is told');
$c->send_media(@m[76 .. $#m]);
ok(got($one, $m[-1]), 'settled, another one');

@got = media($one);
is(shown(@got[3 .. $#got]), shown(messages(@m[83 .. $#m])),
    'settled, media again');
is(before($one), '1 0000012c', 'settled, chunk size');
$c->close();
lose();

# without it the client sees the end

ok(wait_conns('live', '0 0'), 'next one');
$one = rtmp_origin($t, port(8081), messages => 1,
    from => scalar($one->events()));

$c = rtmp_publish(port(8091), 'live', 'cam7');
@m = media_messages(5);
$c->send_media(@m[0 .. 4]);
ok(got($one, $m[4]), 'off');
$one->signal('KILL');
is($c->is_closed(5), 1, 'off, closed');

###############################################################################

# A first origin, and a publisher on it.

sub begin {
    my ($stream, %opt) = @_;
    my $from = $one ? $one->events() : 0;

    $one = rtmp_origin($t, port(8081), messages => 1, script => \&origin,
        %opt, from => $from);

    $c = rtmp_publish(port(8090), 'live', $stream);
    is($c->{code}, 'NetStream.Publish.Start', "publish $stream");

    $two->{from} = $two->events();
    $c->{messages} = [];
}

sub lose {
    $one->signal('KILL');
    $one->stop();
}

# The messages that an origin has got since then.

sub all {
    my ($o) = @_;
    my @events = $o->events();

    return grep { $_->{event} eq 'message' } @events[$o->{from} .. $#events];
}

sub media {
    my ($o) = @_;

    return grep { $_->{type} =~ /^(?:8|9|18)$/ } all($o);
}

sub ready {
    my ($o) = @_;

    return wait_until(sub {
        my @events = $o->events();
        return grep { $_->{event} eq 'ready' } @events[$o->{from} .. $#events];
    });
}

# Its bytes: the forms of headers in turn.

sub headers {
    my ($m) = @_;
    my ($csid, %last);

    $csid = $m->[0] == 9 ? 400 : $m->[0] == 8 ? 70 : 5;

    $last{$csid} = $c->{last}{$csid} || [0, 0, ''];
    $c->{last}{$csid} = [@$m, $m->[1] - $last{$csid}[1]];

    my $same = length($last{$csid}[2]) == length($m->[2]);
    my $fmt = !$last{$csid}[0] || $n++ % 7 == 0 ? 0
        : !$same ? 1
        : ($last{$csid}[3] || 0) == $m->[1] - $last{$csid}[1]
            && $last{$csid}[4] ? 3 : 2;

    $c->{last}{$csid}[4] = $fmt;

    return $c->message(type => $m->[0], csid => $csid, msid => 1,
        ts => $m->[1], payload => $m->[2], fmt => $fmt);
}

sub got {
    my ($o, $m) = @_;

    return wait_until(sub {
        return grep { $_->{type} == $m->[0] && $_->{ts} == $m->[1]
            && $_->{sha} eq sha1_hex($m->[2]) } all($o);
    });
}

sub messages {
    return map { { type => $_->[0], ts => $_->[1], sha => sha1_hex($_->[2]) } }
        @_;
}

sub shown {
    return scalar(@_) . ' '
        . sha1_hex(join("\n", map { join(' ', @$_{qw/ type ts sha /}) } @_));
}

# Whether the first message on each chunk stream has a full header.

sub firsts {
    my ($o) = @_;
    my %seen;

    for my $m (media($o)) {
        return "no, $m->{csid}" if !$seen{$m->{csid}}++ && $m->{fmt};
    }

    return 'yes';
}

# The control message in front of the first one of media.

sub before {
    my ($o) = @_;
    my @last;

    for my $m (all($o)) {
        last if $m->{type} =~ /^(?:8|9|18)$/;
        @last = @$m{qw/ type hex /};
    }

    return "@last";
}

# What the client has got since then.

sub unread {
    while (defined(my $m = $c->read_message(0.1))) {
        push @{$c->{messages}}, $m;
    }

    return @{$c->{messages}};
}

# Serves as usual.  With half, a command is cut by its end.

sub origin {
    my ($c, $o) = @_;
    my $media;

    $o->handshake() or return;

    while (defined(my $m = $c->read_message(30))) {
        last unless $o->handle($m);
        next if $m->{type} != 9 || $media++;

        $c->write_raw(substr($c->command('onBWDone', 0, undef,
            amf_str('x' x 100)), 0, 60)) if $o->{half};

        $c->write_raw($c->message(type => 4, csid => 2,
            payload => pack('nN', 6, 0x1234))) if $o->{ping};

        next unless $o->{acks};

        $o->event(event => 'ack', n => $c->{in_bytes});
        $c->write_raw($c->message(type => 3, csid => 2,
            payload => pack('N', $c->{in_bytes})));
    }
}

###############################################################################
