#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_no_input: chunk sizes and commands around a move, and
# what is kept of many attempts.

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

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(23);

# servers that nobody listens at

my $dead = join("\n", map {
    "    server 127.0.0.$_:%%PORT_8084%% max_fails=0 backup;"
} 2 .. 13);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081 max_fails=0;
    server 127.0.0.1:8082 max_fails=0 backup;
}

rtmp_route one {
    zone   one 1m;
    server 127.0.0.1:8083 max_fails=0;
}

rtmp_route many {
    zone   many 1m;
    server 127.0.0.1:8084 max_fails=0;
$dead
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

    log_format test '\$rtmp_stream|\$rtmp_reason|\$upstream_addr';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_no_input 1s;

    server {
        listen       127.0.0.1:8090;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8091;
        osp_upstream one;
    }

    server {
        listen       127.0.0.1:8092;
        osp_upstream many;

        osp_upstream_resume_timeout 5s;
    }
}
EOF_CONF

my ($one, $two, $c, @got, $n);

$t->run();

$one = rtmp_origin($t, port(8081), before => \&first);
$two = rtmp_origin($t, port(8082), before => \&second);

# a server changes the size of its chunks, then something is left out

$c = rtmp_play(port(8090), 'live', 'resized');
is(shown($c->read_media(23)), shown(frames(20)), 'resized, first');
is(digest($c->read_media(33)), digest(frames(30)), 'resized, second');
$c->close();

# it does so in one write with the answer

$c = rtmp_play(port(8090), 'ids', 'behind');
is(shown($c->read_media(23)), shown(frames(20)), 'behind, first');
is(digest($c->read_media(33)), digest(frames(30)), 'behind, second');
$c->close();

# a client does so, in two parts, of which one comes while it is moved

$c = rtmp_play(port(8090), 'live', 'parts');
is(shown($c->read_media(23)), shown(frames(20)), 'parts, first');
$two->signal('STOP');
go('parts');
ok(wait_until(sub { lost() }), 'parts, lost');
$c->write_raw("\x02\0\0\0\0\0\x04\x01\0\0\0\0\0");
sleep(0.3);
$two->signal('CONT');
is(digest($c->read_media(33)), digest(frames(30)), 'parts, second');
$c->write_raw("\0\0\x20");
$c->{out_chunk} = 32;
$c->send_command('foo', 9, undef, amf_str('bar' x 30), \{ csid => 8 });
ok($two->wait(event => 'command', name => 'foo'), 'parts, command');
$c->close();

# a client ends its stream, which has another number there

$c = rtmp_play(port(8090), 'other', 'deleted');
is(shown($c->read_media(23)), shown(frames(20)), 'deleted, first');
go('deleted');
is(digest($c->read_media(33)), digest(frames(30)), 'deleted, second');
$c->send_command('deleteStream', 0, undef, amf_num(1), \{ csid => 3 });
is(($two->wait(event => 'command', name => 'deleteStream')
    || { args => [] })->{args}[1], 3, 'deleted, number');
$c->close();

# what a client has said first may take much more when it is said again

$c = Test::Nginx::RTMP::rtmp_start(port(8090), 'live');
$c->write_raw("\x02" . "\0" x 6 . "\x05" . "\0" x 4 . "\xc2" x 4000);
$c->play('much');
is(shown($c->read_media(23)), shown(frames(20)), 'much, first');
go('much');
ok($c->is_closed(5), 'much, closed');
is(length($c->{buf}), 0, 'much, not moved');
$c->close();

$one->stop();
$two->stop();

# another stream is named while there is no server

$one = rtmp_origin($t, port(8083), media => 10);
$c = rtmp_play(port(8091), 'live', 'cam1');
is(scalar(@got = $c->read_media(13)), 13, 'another stream, first');
$n = lost();
$one->stop();
ok(wait_until(sub { lost() > $n }), 'another stream, lost');
$c->send_command('play', 7, undef, amf_str('cam2'), -2000,
    \{ csid => 8, msid => 1 });
sleep(0.3);
is(join(' ', map { $_->{stream} } sessions('one')), 'live/cam1',
    'another stream, not there yet');
$one = rtmp_origin($t, port(8083), media => 10);
ok(wait_until(sub {
    join(' ', map { $_->{args}[1] } $one->events(event => 'command',
        name => 'play')) =~ /cam1 cam2$/
}), 'another stream, told to the next server');
ok(wait_until(sub {
    join(' ', map { $_->{stream} } sessions('one')) eq 'live/cam2'
}), 'another stream, in the table');
$c->close();
$one->stop();

# of many attempts not all are kept

$one = rtmp_origin($t, port(8084), media => 10);
$c = rtmp_play(port(8092), 'live', 'many');
is(scalar(@got = $c->read_media(13)), 13, 'many, first');
$one->stop();
ok($c->is_closed(9), 'many, closed');

my $addrs = wait_log($t, 'stream.log', qr/^many\|move_failed\|(.*)$/m);

is(scalar(() = $addrs =~ /:\d+/g), 64, 'many, number');
is($addrs =~ /^127\.0\.0\.1:/, 1, 'many, where it was at first');

###############################################################################

sub frames {
    return media_messages($_[0], play => 1);
}

sub shown {
    return join(' ', map { "$_->[0]\@$_->[1]+" . length($_->[2]) } @_);
}

# without times

sub digest {
    return media_digest(map { [$_->[0], 0, $_->[2]] } @_);
}

sub lost {
    return scalar(() = $t->read_file('error.log') =~ /server "\S+" was lost/g);
}

sub go {
    $t->write_file("go-$_[0]", '');
}

sub start {
    my ($c, $o) = @_;

    $c->{msid} = $o->{created};

    return $c->message(type => 4, csid => 2, payload => pack('nN', 0,
        $o->{created})) . $c->command('onStatus', 0, undef, amf_obj(
        level => 'status', code => 'NetStream.Play.Start'),
        \{ csid => 5, msid => $o->{created} });
}

sub resize {
    my ($c, $size) = @_;

    return $c->message(type => 1, csid => 2, payload => pack('N', $size));
}

sub first {
    my ($c, $m, $o) = @_;
    my ($name, @m);

    $o->{create} = 3 if $m->{name} eq 'connect'
        && $m->{args}[0]{app} eq 'ids';

    return 0 unless $m->{name} eq 'play';

    $name = $m->{args}[1];
    @m = frames(20);

    if ($name eq 'behind') {
        $c->write_raw(start($c, $o) . resize($c, 200));
        $c->write_raw($c->media_bytes(@m));
        sleep(0.2);
        $c->close();
        return 1;
    }

    $c->write_raw(start($c, $o));
    $c->write_raw($c->media_bytes(@m[0 .. 12]));

    if ($name eq 'resized') {
        sleep(0.2);
        $c->write_raw(resize($c, 200) . $c->media_bytes(@m[13 .. 22]));
        $c->write_raw($c->message(type => 4, csid => 2,
            payload => pack('nN', 1, 1)));
        return 1;
    }

    $c->write_raw($c->media_bytes(@m[13 .. 22]));
    sleep(0.05) until -e $t->testdir() . "/go-$name";
    $c->close();

    return 1;
}

sub second {
    my ($c, $m, $o) = @_;

    $o->{create} = 3 if $m->{name} eq 'connect'
        && $m->{args}[0]{app} eq 'other';

    return 0 unless $m->{name} eq 'play';

    $c->write_raw(start($c, $o) . $c->media_bytes(frames(30)));

    return 1;
}

###############################################################################
