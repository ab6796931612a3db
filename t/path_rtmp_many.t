#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for path: a client that sends more commands than an encoder would.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::RTMP::Origin;
use Time::HiRes qw/ time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream pcre/)->plan(13);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8091;

    path    ~ ^/x/(x+x+)+y   to=/y/never;
    path    ~ ^/x/(.+)$      to=/y/another-name-of-$1;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    error_log %%TESTDIR%%/info.log info;

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream live;
        osp_upstream_resume on;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOC

my $o = rtmp_origin($t, port(8091));

$t->run();

###############################################################################

my ($c, $n, $pid, $end, $count, @media);

# all of them pass, in their order, with what is between and behind them, also
# if that is the end

for my $port (8081, 8082) {
    @media = media_messages(30);

    $c = rtmp_publish(port($port), 'x', 'one', early => [ @media[0 .. 9] ]);
    is($c->{code}, 'NetStream.Publish.Start', "published on $port");
    $n = ($o->events(event => 'accept'))[-1]{c};

    $c->write_raw(many($c, 1 .. 100) . $c->media_bytes(@media[10 .. 19])
        . many($c, 101 .. 400) . $c->media_bytes(@media[20 .. $#media])
        . many($c, 401));
    $c->close();

    ok($o->wait(event => 'close', c => $n), 'closed');
    is(join(' ', map { $_->{args}[1] } $o->events(event => 'command',
        name => 'FCUnpublish', c => $n)),
        join(' ', map { "another-name-of-$_" } 1 .. 401), 'all commands');
    is($o->wait_media(media_digest(@media)), media_digest(@media),
        'all media');
}

# one whose session is ended meanwhile

$c = rtmp_publish(port(8081), 'x', 'one');
ok(wait_sessions('live', 1), 'a session');
$pid = flood($c);
is(api('DELETE', 'live/sessions/' . (sessions('live'))[0]{id}), 1, 'kicked');
ok(wait_sessions('live', 0), 'it is gone');
stop($pid);
$c->close();

# who sends nothing else does not keep others from being served

$c = rtmp_publish(port(8081), 'x', 'one');
is($c->{code}, 'NetStream.Publish.Start', 'published again');
$pid = flood($c);

$count = 0;

$end = time() + 3;

while (time() < $end) {
    $count++ if api('GET', 'live');
}

stop($pid);

cmp_ok($count, '>', 10, 'others are served');

# what it has sent would keep the worker for seconds

api('DELETE', "live/sessions/$_->{id}") for sessions('live');
wait_sessions('live', 0);
$c->close();

###############################################################################

sub many {
    my $c = shift;

    return join('', map {
        $c->command('FCUnpublish', 0, undef, amf_str($_), \{ csid => 3 })
    } @_);
}

# commands that take long

sub flood {
    my ($c) = @_;
    my ($bytes, $pid);

    $bytes = many($c, ('x' x 100) x 1000);

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;
    return $pid if $pid;

    local $SIG{PIPE} = 'IGNORE';

    $end = time() + 20;
    1 while time() < $end && $c->write_raw($bytes);

    POSIX::_exit(0);
}

sub stop {
    my ($pid) = @_;

    kill('KILL', $pid);
    waitpid($pid, 0);
}

###############################################################################
