#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_no_input: players whose server sends nothing any more,
# or has gone, and what they get from the next one.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Time::HiRes qw/ sleep time /;

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(70);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

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

    log_format test '$status|$upstream_addr|$rtmp_reason|$rtmp_stream';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_resume_timeout 3s;

    server {
        listen                127.0.0.1:8090;
        osp_upstream          live;
        osp_upstream_no_input 1s;
    }

    server {
        listen       127.0.0.1:8091;
        osp_upstream live;
    }
}
EOF_CONF

# What servers send to the players of each stream: the first part at once, each
# other one when the test says so.  A part is a list of messages, or code.

my %parts = (
    silent => {
        one => [[ frames(0, 25) ]],
        two => [[ frames(700000, 38) ], [ frames(700760, 12, 38) ]],
    },

    # no header is the same, and the second one has a key frame at once

    lost => {
        one => [[ frames(40, 14) ], sub { $_[0]->close() }],
        two => [[ frames(9000, 30) ]],
    },

    # the times of both, and those in between, do not fit into 24 bits

    wrap24 => {
        one => [[ frames(0xfffe00, 10) ], sub { $_[0]->close() }],
        two => [[ frames(0xffff80, 30) ]],
    },

    long24 => {
        one => [[ frames(100, 10) ], sub { $_[0]->close() }],
        two => [[ frames(0x1ffffff, 30) ]],
    },

    wrap32 => {
        one => [[ frames(0xffffff00, 10) ], sub { $_[0]->close() }],
        two => [[ frames(0xffffffc0, 30) ]],
    },

    # messages on two chunk streams are cut

    cut => {
        one => [[ frames(0, 14) ], sub {
            my ($c) = @_;
            my @v = $c->chunks(type => 9, csid => 6, msid => 1, ts => 300,
                fmt => 1, payload => "\x27\x01\x00\x00\x00" . 'v' x 9000);
            my @a = $c->chunks(type => 8, csid => 4, msid => 1, ts => 301,
                fmt => 1, payload => "\xaf\x01" . 'a' x 9000);

            $c->write_raw($v[0] . $a[0] . $v[1] . substr($a[1], 0, 77));
            sleep(0.1);
            $c->close();
        }],
        two => [[ frames(0, 30) ]],
    },

    # chunk sizes and ids of message streams differ

    ids => {
        one => [[ frames(0, 14) ], sub { $_[0]->close() }],
        two => [[ frames(0, 30) ], sub {
            my ($c, $o) = @_;

            $c->write_raw($c->message(type => 4, csid => 2,
                payload => pack('nN', 6, 77)));
            $c->write_raw($c->message(type => 1, csid => 2,
                payload => pack('N', 200)));
            $c->write_raw($c->media_bytes(frames(600, 10, 30)));
        }],
    },

    # nobody has it: the client is told that it has ended, once

    ended => {
        one => [[ frames(0, 14) ], sub {
            my ($c) = @_;

            $c->write_raw($c->message(type => 4, csid => 2,
                payload => pack('nN', 1, 1)));
            $c->write_raw(notify($c, 'NetStream.Play.UnpublishNotify'));
        }],
        two => [[]],
        again => [[], sub {
            my ($c) = @_;

            $c->write_raw($c->media_bytes(frames(90000, 12)));
        }],
    },

    # another one has it: the client is not told

    elsewhere => {
        one => [[ frames(0, 14) ], sub {
            my ($c) = @_;

            $c->write_raw($c->message(type => 4, csid => 2,
                payload => pack('nN', 1, 1)));
            $c->write_raw(notify($c, 'NetStream.Play.UnpublishNotify'));
        }],
        two => [[ frames(0, 30) ]],
    },

    stopped => {
        one => [[ frames(0, 14) ], sub {
            my ($c) = @_;

            $c->write_raw(notify($c, 'NetStream.Play.Stop'));
        }],
        two => [[ frames(0, 30) ]],
    },

    paused => {
        one => [[ frames(0, 14) ]],
        two => [[ frames(0, 30) ]],
    },

    # media in small chunks, a message that is not whole for long

    slowly => {
        one => [[ frames(0, 14) ], sub {
            my ($c) = @_;
            my $m = $c->message(type => 9, csid => 6, msid => 1, ts => 300,
                payload => "\x27\x01\x00\x00\x00" . 'v' x 60);

            $c->write_slowly($m, 0.002, 5);
            $c->write_slowly(notify($c, 'NetStream.Play.Foo'), 0.002, 5);
            $c->write_slowly($c->media_bytes(frames(320, 4, 16)), 0.0002, 5);
        }],
        two => [[]],
    },

    refused => {
        one => [[ frames(0, 14) ], sub { $_[0]->close() }],
        again => [[ frames(0, 14) ]],
        refuse => 1,
    },

    early => {
        one => [[], sub { $_[0]->close() }],
        two => [[ frames(0, 30) ]],
    },

    off => {
        one => [[ frames(0, 14) ], sub { $_[0]->close() }],
        two => [[ frames(0, 30) ]],
    },
);

my ($one, $two, $c, @got, @m, $s, $n, %start);

$one = rtmp_origin($t, port(8081), script => \&origin, times => 1e9,
    which => 'one', messages => 1, before => \&before, life => 60);
$two = rtmp_origin($t, port(8082), script => \&origin, which => 'two',
    messages => 1, before => \&before, life => 60, like => 'srs');

$t->run();

# those that have to be waited for go on at the same time

my %c;

for my $name (qw/ silent ended elsewhere stopped paused /) {
    $c{$name} = begin($name);
    $start{$name} = time();
}

go('one', 'ended');
go('one', 'elsewhere');
go('one', 'stopped');
$c{paused}->send_command('pause', 0, undef, amf_bool(1), amf_num(280),
    \{ csid => 8, msid => 1 });

# a silent server is left, not too early

$c = $c{silent};

@got = $c->read_media(12 + 1);
cmp_ok(time() - $start{silent}, '>', 0.9, 'silent, waited');
@m = frames(700000, 38);
goes_on('silent', $m[0][1], 480, 900, @got);
is(shown(@got[0 .. 3]), shown(moved($got[3][1] - 700000, @m[0 .. 3])),
    'silent, headers and key frame of the second one');
is(shown(@got[3 .. $#got]),
    shown(moved($got[3][1] - 700000, @m[3 .. 12])),
    'silent, all of it with one offset');
is(told($c), '18 9 8' . ' 9 8' x 5, 'silent, nothing else is told');
is(place('silent'), port(8082), 'silent, where it is');

# who comes then is sent there

$s = rtmp_play(port(8090), 'live', 'silent');
is(join(' ', map { $_->{upstream} =~ /(\d+)$/ } grep { $_->{stream} eq
    'live/silent' } sessions('live')), port(8082) . ' ' . port(8082),
    'silent, newcomer');
$s->close();

$n = @m - 13;
$c->read_media($n);
go('two', 'silent');
is(shown($c->read_media(12)),
    shown(moved($got[3][1] - 700000, frames(700760, 12, 38))),
    'silent, goes on');
is($t->read_file('error.log')
    =~ /\[error\].*upstream server "\S+" sends no media/, 1, 'silent, log');
$c->close();

$n = port(8081);
like(wait_log($t, 'stream.log', qr/^(.*:$n, .*\|silent)$/m),
    qr/^200\|\S+:$n(?:, \S+:@{[port(8082)]})+\|\w+\|/,
    'silent, log of the session');

# the stream has ended at the first one only

$c = $c{elsewhere};
@got = $c->read_media(13);
goes_on('elsewhere', 0, 260, 900, @got);
is(told($c), '18 9 8' . ' 9 8' x 5, 'elsewhere, nothing else is told');
$c->close();

# a server that closes is left at once

$c = begin('lost');
$start{lost} = time();
go('one', 'lost');

@got = $c->read_media(13);
goes_on('lost', 9000, 300, 0, @got);
is(shown(@got[0 .. 12]),
    shown(moved($got[3][1] - 9000, frames(9000, 10))), 'lost, all of it');
is(told($c), '18 9 8' . ' 9 8' x 5, 'lost, nothing else is told');

# what the client says goes to the new one, whatever the headers were before

$c->write_raw($c->message(type => 3, csid => 2, fmt => 1,
    payload => pack('N', 5000)));
$c->write_raw($c->message(type => 4, csid => 2, fmt => 1,
    payload => pack('nNN', 3, 1, 500)));
ok($two->wait(event => 'control', type => 4, hex => '000300000003000001f4'),
    'lost, control message of the client');
$c->send_command('foo', 9, undef, \{ csid => 8, fmt => 1 });
ok($two->wait(event => 'command', name => 'foo', csid => 8),
    'lost, command of the client');
is(scalar($two->events(event => 'control', type => 3)), 0,
    'lost, no acknowledgement of what others have sent');
$c->close();

# times that do not fit

for my $name (qw/ wrap24 long24 wrap32 /) {
    my $from = $parts{$name}{one}[0][-1][1];
    my $first = $parts{$name}{two}[0][0][1];

    $c = begin($name);
    $start{$name} = time();
    go('one', $name);

    @got = $c->read_media(33);
    goes_on($name, $first, $from, 0, @got);
    is(shown(@got),
        shown(moved(($got[3][1] - $first) & 0xffffffff,
            @{$parts{$name}{two}[0]})), "$name, all of it");
    $c->close();
}

# messages that were cut are ended, with zeros

$c = begin('cut');
$start{cut} = time();
go('one', 'cut');

@got = $c->read_media(2);
is(length($got[0][2]) . ' ' . substr($got[0][2], -100),
    "9002 " . "\0" x 100, 'cut, sound');
is(length($got[1][2]) . ' ' . substr($got[1][2], -808),
    "9005 " . "\0" x 808, 'cut, picture');
like($got[1][2], qr/^\x27\x01\0\0\0v{8187}\0+$/, 'cut, what was there');

@got = $c->read_media(33);
goes_on('cut', 0, 301, 0, @got);
is(shown(@got), shown(moved($got[3][1], frames(0, 30))), 'cut, all of it');
$c->close();

# a ping and another chunk size come from a server with ids of its own

$c = begin('ids');
$start{ids} = time();
go('one', 'ids');

@got = $c->read_media(33);
goes_on('ids', 0, 260, 0, @got);
$c->{messages} = [];
go('two', 'ids');
is(shown($c->read_media(10)),
    shown(moved($got[3][1], frames(600, 10, 30))), 'ids, another chunk size');
is(join(' ', map { $_->{msid} } grep { $_->{type} =~ /^[89]$/ }
    @{$c->{messages}}), join(' ', (1) x 10), 'ids, the one that is known');
ok($two->wait(event => 'control', type => 4, hex => '00070000004d'),
    'ids, ping is answered');
$c->close();

# no frame is cut by how it comes

$c = begin('slowly');
$c->{messages} = [];
go('one', 'slowly');
is(shown($c->read_media(5)), shown([9, 300, "\x27\1\0\0\0" . 'v' x 60],
    frames(320, 4, 16)), 'slowly, all of it');
is(told($c), '9 onStatus 9 8 9 8', 'slowly, with a status');
is(place('slowly'), port(8081), 'slowly, where it is');
$c->close();

# nobody else takes it

$c = begin('refused');
go('one', 'refused');
$start{refused} = time();
@got = $c->read_media(13);
goes_on('refused', 0, 260, 0, @got);
is(place('refused'), port(8081), 'refused, back at the first one');
$c->close();

# a server that closes before there was media has nothing to say

$c = begin('early', 0);
go('one', 'early');
ok($c->is_closed(3), 'early, closed');
is(wait_log($t, 'stream.log', qr/^(\d+\|.*)\|early$/m),
    '200|127.0.0.1:' . port(8081) . '|origin_closed', 'early, log');

# nor is a session moved without the directive

$c = begin('off', 17, 8091);
go('one', 'off');
ok($c->is_closed(3), 'off, closed');

# a normal end, and a player that has paused

$c = $c{stopped};
ok($c->read_command('onStatus'), 'stopped, told');
cmp_ok(time() - $start{stopped}, '>', 2.5, 'stopped, some time later')
    if sleep(($start{stopped} + 2.6) - time() > 0
        ? ($start{stopped} + 2.6) - time() : 0.01);
is(place('stopped'), port(8081), 'stopped, where it is');
$c->close();

is(place('paused'), port(8081), 'paused, where it is');
$c{paused}->send_command('pause', 0, undef, amf_bool(0), amf_num(280),
    \{ csid => 8, msid => 1 });
@got = $c{paused}->read_media(13);
goes_on('paused', 0, 260, 900, @got);
$c{paused}->close();

# it has ended everywhere: the client is told, and gets what comes then

$c = $c{ended};
$c->{messages} = [];
ok($c->read_command('onStatus', timeout => 5), 'ended, told');
is(told($c), '4 onStatus', 'ended, once');
@m = grep { $_->{type} != 1 } @{$c->{messages}};
is($m[0]{payload}, pack('nN', 1, 1), 'ended, end of stream');
is($m[1]{args}[1]{code}, 'NetStream.Play.UnpublishNotify', 'ended, status');
ok(wait_until(sub { place('ended') eq port(8081) }), 'ended, where it is');

go('one', 'ended', 'again');
@got = $c->read_media(13);
goes_on('ended', 90000, 260, 900, @got);

# all servers are dead

$one->stop();
$two->stop();

is(($c->read_command('onStatus', timeout => 8) || { args => [] })->{args}[1]
    {code}, 'NetStream.Play.StreamNotFound', 'dead, told');
ok($c->is_closed(3), 'dead, closed');
like(wait_log($t, 'stream.log', qr/^(.*\|ended)$/m),
    qr/^502\|.*\|move_failed\|/, 'dead, log');
ok(wait_conns('live', '0 0'), 'nothing is counted');

###############################################################################

# So many messages whose time begins there; first: without headers, which are
# in front of number 0.

sub frames {
    my ($time, $n, $first) = @_;

    return map { [$_->[0], ($_->[1] - ($first || 0) * 20 + $time) & 0xffffffff,
        $_->[2]] } media_messages($n, first => $first || 0, play => 1);
}

sub moved {
    my ($offset, @m) = @_;

    return map { [$_->[0], ($_->[1] + $offset) & 0xffffffff, $_->[2]] } @m;
}

sub shown {
    return join(' ', map { "$_->[0]\@$_->[1]+"
        . unpack('%32C*', $_->[2]) . '/' . length($_->[2]) } @_);
}

sub told {
    my ($c) = @_;

    return join(' ', map { defined $_->{name} && $_->{type} == 20
        ? $_->{name} : $_->{type} } grep { $_->{type} != 1 }
        @{$c->{messages}});
}

# A player that has got the first part.

sub begin {
    my ($name, $n, $port) = @_;
    my ($c, @m);

    $c = rtmp_play(port($port || 8090), 'live', $name)
        or return ok(0, "$name, connected");

    @m = @{$parts{$name}{one}[0]};
    @m = $c->read_media(scalar @m);

    is(shown(@m), shown(@{$parts{$name}{one}[0]}), "$name, first part")
        if @m;

    $c->{messages} = [];

    return $c;
}

# It begins with headers and a key frame, as much later than the last message
# as that was ago.

sub goes_on {
    my ($name, $first, $last, $min, @got) = @_;
    my ($later, $passed, $back);

    $later = (@got > 3 ? $got[3][1] - $last : 0) & 0xffffffff;
    $passed = int((time() - $start{$name}) * 1000) + 50;
    $back = grep { $got[$_][1] != $got[3][1] } 0 .. 2;

    ok(@got > 3 && $got[3][2] =~ /^\x17\x01/ && !$back
        && $later > $min && $later <= $passed,
        "$name, goes on")
        or diag("$later ms later, after $passed, " . shown(@got));
}

sub place {
    my ($stream) = @_;
    my ($s) = grep { $_->{stream} eq "live/$stream" } sessions('live');

    return $s && $s->{upstream} =~ /:(\d+)$/ ? $1 : 'nowhere';
}

sub notify {
    my ($c, $code) = @_;

    return $c->command('onStatus', 0, undef, amf_obj(level => 'status',
        code => $code, description => $code), \{ csid => 5, msid => 1 });
}

# The next part of a stream is to be sent.

sub go {
    my ($which, $name, $kind) = @_;

    $t->write_file("go-$which-$name" . ($kind || ''), '');
}

sub before {
    my ($c, $m, $o) = @_;

    return 0 unless $m->{name} eq 'play';

    $o->{stream} = $m->{args}[1];

    if ($o->{which} eq 'two' && $parts{$o->{stream}}{refuse}) {
        $o->status('Play.StreamNotFound', 'No such stream');
        return 1;
    }

    $o->out($c->message(type => 4, csid => 2, payload => pack('nN', 0,
        $o->{created})));
    $o->status('Play.Start');
    $o->{playing} = 1;

    return 1;
}

sub origin {
    my ($c, $o) = @_;
    my ($parts, $kind, $m, $again, $file, $next);

    # a second one for a stream of which everything was said

    $o->{create} = 3 if $o->{which} eq 'two';

    $o->handshake() or return;
    $next = 0;

    while (!$c->{eof} && !$c->{error}) {
        $m = $c->read_message(0.02);
        $o->handle($m) or last if $m;

        next unless $o->{playing};

        if (!$parts) {
            $parts = $parts{$o->{stream}};
            $c->{msid} = $o->{created};

            $again = -e $t->testdir() . "/played-$o->{which}-$o->{stream}";
            $kind = $again && $parts->{again} ? 'again' : $o->{which};
            $parts = $parts->{$kind} || [];

            $t->write_file("played-$o->{which}-$o->{stream}", '');
            $file = "go-$o->{which}-$o->{stream}"
                . ($kind eq 'again' ? 'again' : '');
        }

        next if $next > $#$parts || ($next
            && !-e $t->testdir() . "/$file");

        ref($parts->[$next]) eq 'CODE' ? $parts->[$next]->($c, $o)
            : $c->write_raw($c->media_bytes(@{$parts->[$next]}));

        $next++;
        last unless $c->{socket};
    }
}

###############################################################################
