#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_upload_rate and osp_upstream_download_rate.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Rate;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http pcre stream stream_ssl/)
    ->has_daemon('openssl')->plan(37);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

rtmp_route secure {
    zone    secure 1m;
    server  127.0.0.1 rtmps=%%PORT_8082%%;
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

    log_format test '$rtmp_stream|$status|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    ssl_certificate_key localhost.key;
    ssl_certificate     localhost.crt;

    map $rtmp_stream $rate {
        ~^slow   100k;
        ~^fast   300k;
        default  0;
    }

    osp_upstream_upload_rate    200k;
    osp_upstream_download_rate  200k;

    server {
        listen        127.0.0.1:8091;
        osp_upstream  live;
    }

    server {
        listen                      127.0.0.1:8092;
        osp_upstream                live;
        osp_upstream_upload_rate    $rate;
        osp_upstream_download_rate  $rate;
    }

    server {
        listen                  127.0.0.1:8093;
        osp_upstream            live;
        osp_upstream_resume     on;
        osp_upstream_no_input   1s;
    }

    server {
        listen        127.0.0.1:8094 ssl;
        osp_upstream  secure;
    }

    server {
        listen                      127.0.0.1:8095;
        osp_upstream                live;
        osp_upstream_upload_rate    2;
        osp_upstream_download_rate  2;
        osp_upstream_timeout        300ms;
        osp_upstream_takeover       idle=300ms;
    }

    server {
        listen                      127.0.0.1:8096 ssl;
        osp_upstream                live;
        osp_upstream_upload_rate    2;
        osp_upstream_takeover       idle=300ms;
    }

    server {
        listen                      127.0.0.1:8097;
        osp_upstream                live;
        osp_upstream_download_rate  4k;
        osp_upstream_no_input       1s;
    }

    # in front of an origin that knows no TLS

    server {
        listen        127.0.0.1:8082 ssl;
        proxy_pass    127.0.0.1:8081;
    }
}

EOF_CONF

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . '-keyout ' . $t->testdir() . '/localhost.key -out ' . $t->testdir()
    . '/localhost.crt >/dev/null 2>&1') == 0
    or die "Can't make a certificate\n";

my $o = rtmp_origin($t, port(8081), media => 400, media_size => 10000,
    timeout => 20);

$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $playing = 'NetStream.Play.Start';
my @media = media_messages(400, size => 10000);
my @short = media_messages(40, size => 10000);
my (@pids, %c);

# all at once, each as fast as it may

my $first = time();

$c{plain} = publish(8091, 'plain');
$c{resume} = publish(8093, 'resume');
$c{tls} = publish(8094, 'tls', ssl => 1);
$c{slow} = publish(8092, 'slow');
$c{fast} = publish(8092, 'fast');

$c{"p-plain"} = play(8091, 'p-plain');
$c{"p-input"} = play(8093, 'p-input');
$c{"p-tls"} = play(8094, 'p-tls', ssl => 1);

is(join(' ', map { $c{$_}{code} } qw/ plain resume tls slow fast /),
    join(' ', ($start) x 5), 'published');
is(join(' ', map { $c{$_}{code} } qw/ p-plain p-input p-tls /),
    join(' ', ($playing) x 3), 'played');

for my $name (keys %c) {
    push @pids, child(sub {
        return $c{$name}->read_media(1e6, 30) if $name =~ /^p-/;
        return $c{$name}->send_media(@media) if $name ne 'tls';

        # what openssl has sent can't be taken back by a reset: once the credit
        # is used up, not much more than allowed

        $c{$name}->send_media(splice(@media, 0, 60));

        while (my @some = splice(@media, 0, 8)) {
            $c{$name}->send_media(@some);
            sleep(0.22);
        }
    });
}

# credit for a second has been used up then

sleep(1.5);

my %begin = counts('live', 'secure');
sleep(3);
my %end = counts('live', 'secure');

for my $name (qw/ plain resume tls /) {
    about(speed($begin{$name}, $end{$name}, 'in'), 200 * 1024, "upload $name");
}

about(speed($begin{slow}, $end{slow}, 'in'), 100 * 1024,
    'upload of a variable');
about(speed($begin{fast}, $end{fast}, 'in'), 300 * 1024,
    'upload of another value');

for my $name (qw/ p-plain p-input p-tls /) {
    about(speed($begin{$name}, $end{$name}, 'out'), 200 * 1024,
        "download $name");
}

# and not more than that credit in the beginning

my $most = 210 * 1024 * ($begin{plain}{time} - $first + 1);

cmp_ok($begin{plain}{in}, '<', $most, 'credit of a publisher');
cmp_ok($begin{'p-plain'}{out}, '<', $most, 'credit of a player');

is(scalar(grep { defined $end{$_} } keys %c), 8, 'nobody was ended');

# the end of a connection is seen at once

kill('KILL', @pids);
waitpid($_, 0) for @pids;

for my $name (keys %c) {
    $c{$name}->reset();
}

ok(wait_until(sub { !sessions('live') && !sessions('secure') }, 3),
    'the end of a client is the end of its session');

for my $name (qw/ plain slow p-plain /) {
    like(wait_log($t, 'stream.log', qr/^($name\|.*)/m),
        qr/\|200\|client_closed$/, "logged $name");
}

# frames that take longer than a player without input is left alone

$c{input} = play(8097, 'input');
is($c{input}{code}, $playing, 'a slow player');

# nothing is lost

$c{up} = publish(8092, 'slow-whole');
$c{up}->send_media(@short);
$c{up}->close();

ok(wait_until(sub {
    return grep { $_->{digest} eq media_digest(@short) }
        $o->events(event => 'media');
}), 'upload is whole');

$c{down} = play(8092, 'fast-whole');
my $began = time();
my @got = $c{down}->read_media(100, 10);

is(media_digest(@got), media_digest((media_messages(400, size => 10000,
    play => 1))[0 .. 99]), 'download is whole');
cmp_ok(time() - $began, '>', 0.5, 'and took its time');
$c{down}->close();

# 0 is no limit

$began = time();
$c{off} = play(8092, 'off');
@got = $c{off}->read_media(403, 10);
is(scalar(@got), 403, 'all');
cmp_ok(time() - $began, '<', 5, 'without a limit');
$c{off}->close();

# who is not read is not silent

$c{old} = publish(8095, 'old');
$c{old}->send_media(@short);
$c{player} = play(8095, 'player');
$c{secure} = publish(8096, 'secure', ssl => 1);
$c{secure}->send_media(@short[0 .. 3]);

sleep(1.5);

ok(!$c{old}->is_closed(0.2), 'no timeout');
ok(!$c{player}->is_closed(0.2), 'nor of a player');

for my $name (qw/ old secure /) {
    $c{new} = publish(8095, $name);
    is($c{new}{code}, $start, "another publisher of $name");
    ok(!$c{$name}->is_closed(0.5), 'it is not taken over');
    $c{new}->close();
}

unlike($t->read_file('error.log'), qr/sends no media/, 'no other server');

# the end comes at once

$_->close() for @c{qw/ input secure /};

$c{player}->close();
ok(wait_until(sub { !grep { $_->{stream} eq 'live/player' } sessions('live') },
    3), 'end of a player');

$c{old}->reset();
ok(wait_until(sub { !grep { $_->{stream} eq 'live/old' } sessions('live') },
    3), 'end of a publisher');

# what a publisher leaves behind does not delay its end

my @left = media_messages(40, size => 1000);

$c{left} = publish(8095, 'left');
$c{left}->send_media(@left);
$c{left}->close();

ok(wait_until(sub {
    return grep { $_->{digest} eq media_digest(@left) }
        $o->events(event => 'media');
}), 'passed without a limit');
ok(wait_until(sub { !sessions('live') }, 3), 'none is left');

# what is refused

for my $case (
    ['osp_upstream_upload_rate much;', 'invalid value'],
    ['osp_upstream_download_rate 1k; osp_upstream_download_rate 2k;',
        'is duplicate'],
    ['osp_upstream_download_rate;', 'invalid number of arguments'],
) {
    like(check($case->[0]), qr/\[emerg\] .*\Q$case->[1]\E/, $case->[0]);
}

undef %c;

###############################################################################

sub publish {
    my ($port, $name, %opt) = @_;

    return rtmp_publish(port($port), 'live', $name, %opt, timeout => 30);
}

sub play {
    my ($port, $name, %opt) = @_;

    return rtmp_play(port($port), 'live', $name, %opt, timeout => 30);
}

sub check {
    my ($text) = @_;
    my $dir = $t->testdir();

    $t->write_file_expand('refused.conf', <<EOF);

%%TEST_GLOBALS%%

events {
}

stream {
    $text
}

EOF

    return `$Test::Nginx::NGINX -t -p $dir/ -c refused.conf -e stderr 2>&1`;
}

###############################################################################
