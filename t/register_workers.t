#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_register: streams that workers hand on to each other, a
# publish that waits for "on_publish", many streams, a proxy that comes later.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Register;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

need_register($t)->plan(15);

###############################################################################

my $url = 'http://127.0.0.1:' . port(8090) . '/register';

my $o = register_origin($t, 'origin', <<"EOF_CONF");
worker_processes 3;

rtmp_auto_push on;
rtmp_socket_dir %%TESTDIR%%;

rtmp {
    rtmp_route_register $url interval=1h token=SECRET id=a;

    server {
        listen %%PORT_8081%%;

        application live {
            live on;
        }

        application asked {
            live on;
            on_publish http://127.0.0.1:%%PORT_8091%%/;
        }
    }
}
EOF_CONF

# a proxy that comes later

ok(wait_until(sub { $o->log() =~ /registration with "\Q$url\E" failed/ }),
    'no proxy');

my $p = httpd($t, port(8090), sub {
    return http_response(200, '{"code":0,"pid":"1"}');
});

ok(wait_until(sub { $p->requests() }, 15), 'asked again');

my ($first) = $p->requests();
my $body = decode_json($first->{body});

is("$first->{method} $first->{uri}", 'POST /register', 'request');
is($first->{headers}{authorization}, 'Bearer SECRET', 'token');
is($first->{headers}{'content-type'}, 'application/json', 'type');
is(join(' ', map { "$_=" . (ref $body->{$_} ? "@{$body->{$_}}" : $body->{$_}) }
    grep { $_ ne 'service' } sort keys %$body),
    "ip=127.0.0.1 pid=$o->{pid} rtmp=" . port(8081) . ' server=a streams=',
    'body');

# one publisher and two players, wherever they are

my $c = rtmp_publish(port(8081), 'live', 'pushed');

ok(listed('/live/pushed:1:0'), 'publisher counts once');

my @players = map { rtmp_play(port(8081), 'live', 'pushed') } 1 .. 4;

$c->send_media(media_messages(10));
sleep 2.5;

# players are told with the next change

my $other = rtmp_publish(port(8081), 'live', 'other');
ok(listed('/live/other:1:0 /live/pushed:1:4'), 'players of all workers');

$_->close() for @players;
sleep 1.5;
$other->close();
ok(listed('/live/pushed:1:0'), 'players have gone');

# a publish is one when it was allowed

my $asked = httpd($t, port(8091), sub {
    return [1], http_response(200, '');
});

my $late = rtmp_publish(port(8081), 'asked', 'late', no_wait => 1);
sleep 0.5;
is(last_list(), '/live/pushed:1:0', 'not yet');
ok(listed('/asked/late:1:0 /live/pushed:1:0'), 'allowed');

$late->close();
ok(listed('/live/pushed:1:0'), 'left');

# many

my @many = map { rtmp_publish(port(8081), 'live', "many$_") } 1 .. 100;

ok(wait_until(sub { (() = last_list() =~ /\S+/g) == 101 }, 10), 'many');

$_->close() for @many;
ok(listed('/live/pushed:1:0', 10), 'gone again');

# nothing was asked in vain

is(() = $o->log() =~ /registration with/g, 1, 'failures');

$c->close();

###############################################################################

sub last_body {
    my @all = $p->requests();

    return @all ? decode_json($all[-1]{body}) : {};
}

sub last_list {
    return join(' ', sort map { "$_->{name}:$_->{publishers}:$_->{players}" }
        @{last_body()->{streams} || []});
}

sub listed {
    my ($want, $time) = @_;

    return 1 if wait_until(sub { last_list() eq $want }, $time);

    note('listed: ' . last_list());
    return 0;
}

###############################################################################
