#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_resume: which servers a publisher is moved to, when it
# is not, and how that ends.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(47);

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

rtmp_route one {
    zone   one 1m;
    server 127.0.0.1:8081;
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

    log_format test '$server_port|$status|$rtmp_reason|$upstream_addr';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_resume          on;
    osp_upstream_connect_timeout 1s;

    server {
        listen       127.0.0.1:8090;
        osp_upstream live;
    }

    server {
        listen                      127.0.0.1:8091;
        osp_upstream                live;
        osp_upstream_resume_timeout 1s;
    }

    server {
        listen       127.0.0.1:8092;
        osp_upstream one;
    }

    server {
        listen                     127.0.0.1:8093;
        osp_upstream               one;
        osp_upstream_resume_buffer 20k;
    }
}
EOF_CONF

my ($one, $two, $c, @m, $m, $n);

@m = media_messages(60);

$t->run();

# the server closes the connection and says nothing

($one, $two) = (origin(8081, close => 100), origin(8082));
publish(8090, 'cam1');

$c->send_media(@m[0 .. 13]);
ok(ready($two), 'closed, moved');
$c->send_media(@m[14 .. 30]);
ok(got($two, $m[30]), 'closed, goes on');
finish();

# it ends the stream with a word

($one, $two) = (origin(8081, say => 'Publish.Denied'), origin(8082));
publish(8090, 'cam2');

$c->send_media(@m[0 .. 13]);
is($c->answer('onStatus') && $c->{code}, 'NetStream.Publish.Denied',
    'ended, told');
is($c->is_closed(5), 1, 'ended, closed');
is(connections($two), 0, 'ended, not moved');
like(logged(8090, 2), qr/^200\|origin_closed\|[^,]+$/, 'ended, log');
finish();

# the client has ended the stream

($one, $two) = (origin(8081, end => 1), origin(8082));
publish(8090, 'cam3');

$c->send_media(@m[0 .. 13]);
$c->send_command('FCUnpublish', 6, undef, amf_str('cam3'), \{ csid => 3 });
$c->send_command('deleteStream', 7, undef, amf_num(1), \{ csid => 3 });
is($c->is_closed(5), 1, 'client has ended it, closed');
is(connections($two), 0, 'client has ended it, not moved');
finish();

# a server that refuses is asked again

($one, $two) = (origin(8081), origin(8082, publish => 'busy', times => 2));
publish(8090, 'cam4');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'busy, first');
$one->stop();
ok(ready($two, 10), 'busy, taken at last');
$c->send_media(@m[14 .. 30]);
ok(got($two, $m[30]), 'busy, goes on');
is(connections($two), 3, 'busy, tries');
is(join(' ', codes()), '', 'busy, the client is not told');
finish();

# if nobody takes it the client is told

($one, $two) = (origin(8081), origin(8082, publish => 'busy'));
publish(8091, 'cam5');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'refused, first');
$one->stop();
is($c->answer('onStatus') && $c->{code}, 'NetStream.Publish.Denied',
    'refused, told');
is($c->{description}, 'Already publishing', 'refused, why');
is($c->is_closed(5), 1, 'refused, closed');
like(logged(8091), qr/^502\|move_failed\|[^,]+(?:, [^,]+){2,}$/,
    'refused, log');
finish();

# servers that accept and close at once

($one, $two) = (origin(8081, close => 100, times => 1),
    origin(8082, publish => 'start_close'));
publish(8090, 'cam6');

$one->stop();
is($c->answer('onStatus') && $c->{code}, 'NetStream.Publish.Denied',
    'loop, told');
is($c->is_closed(5), 1, 'loop, closed');
ok(connections($two) <= 6, 'loop, bounded');
finish();

# a server that says nothing

($one, $two) = (origin(8081), origin(8082, connect => 'silent', times => 2));
publish(8090, 'cam7');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'silent, first');
$one->stop();
$one = undef;
ok(ready($two, 10), 'silent, taken at last');
$c->send_media(@m[14 .. 30]);
ok(got($two, $m[30]), 'silent, goes on');
finish();

# the only server is restarted; what came meanwhile is not lost

$one = origin(8081);
publish(8092, 'cam8');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'restart, first');
$n = lost();
$one->stop();
ok(wait_until(sub { lost() > $n }), 'restart, lost');
$c->send_media(@m[14 .. 40]);
$one = origin(8081);
ok(got($one, $m[40]), 'restart, goes on by itself');
is(join(' ', map { $_->{ts} } (media($one))[0 .. 3]), '400 400 400 400',
    'restart, from the first key frame behind it');
finish();

# there is an end to that

$one = origin(8081);
publish(8093, 'cam9');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'buffer, first');
$n = lost();
$one->stop();
ok(wait_until(sub { lost() > $n }), 'buffer, lost');
$c->send_media(@m[14 .. 22], [9, 405, "\x17\x01\x00\x00\x00" . 'x' x 25000],
    [9, 410, "\x27\x01\x00\x00\x00" . 'x' x 100]);
$one = origin(8081);
ok(ready($one, 10), 'buffer, back');
$c->send_media(@m[30 .. 40]);
ok(got($one, $m[40]), 'buffer, goes on');
is(join(' ', map { $_->{ts} } (media($one))[0 .. 3]), '600 600 600 600',
    'buffer, from the key frame behind it');
finish();

# the client leaves while it is moved

$one = origin(8081);
publish(8092, 'cam10');

$c->send_media(@m[0 .. 13]);
ok(got($one, $m[13]), 'client leaves, first');
$n = lost();
$one->stop();
ok(wait_until(sub { lost() > $n }), 'client leaves, lost');
$c->close();
like(logged(8092, 2), qr/^200\|ok\|/, 'client leaves, log');
is((sessions('one'))[0], undef, 'client leaves, no session');

###############################################################################

sub publish {
    my ($port, $stream) = @_;

    $c = rtmp_publish(port($port), 'live', $stream);
    is($c->{code}, 'NetStream.Publish.Start', "publish $stream");
    $c->{messages} = [];
}

sub finish {
    $c->close();

    for my $o (grep { defined } $one, $two) {
        $o->stop();
    }

    ($one, $two) = ();

    wait_conns('live', '0 0');
    wait_conns('one', '0');
}

sub origin {
    my ($port, %opt) = @_;
    my $file = $t->testdir() . '/origin-' . port($port) . '.log';

    unlink($file);

    return rtmp_origin($t, port($port), messages => 1, script => \&serve,
        %opt);
}

sub connections {
    my ($o) = @_;

    return $o->connections();
}

sub ready {
    my ($o, $timeout) = @_;

    return $o->wait(event => 'ready', timeout => $timeout || 5);
}

sub media {
    my ($o) = @_;

    return grep { $_->{type} =~ /^(?:8|9|18)$/ } $o->events(event => 'message');
}

sub got {
    my ($o, $m) = @_;

    return $o->wait(event => 'message', type => $m->[0], ts => $m->[1],
        len => length($m->[2]));
}

sub lost {
    return scalar(() = $t->read_file('error.log') =~ /server "\S+" was lost/g);
}

sub logged {
    my ($port, $n) = @_;
    my @lines;

    $port = port($port);
    $n ||= 1;

    wait_until(sub {
        @lines = $t->read_file('stream.log') =~ /^$port\|(.*)$/mg;
        return @lines >= $n;
    });

    return $lines[-1];
}

# Status codes that the client has got.

sub codes {
    my @codes;

    while (defined(my $m = $c->read_message(0.1))) {
        push @codes, $m->{args}[1]{code} if ($m->{name} || '') eq 'onStatus';
    }

    return @codes;
}

# With a time for close, or something to say, it ends the stream itself.

sub serve {
    my ($c, $o) = @_;

    delete @$o{qw/ close say end /} if $o->{n} > $o->{times};

    $o->handshake() or return;

    while (defined(my $m = $c->read_message(30))) {
        last unless $o->handle($m);
        last if $o->{end} && ($m->{name} || '') eq 'deleteStream';
        next unless $m->{ts};

        last if $o->{close} && $m->{ts} >= $o->{close};

        if ($o->{say}) {
            $o->status($o->{say});
            last;
        }
    }
}

###############################################################################
