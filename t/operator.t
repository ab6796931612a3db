#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# A night of an operator, over HTTP alone: real encoders and origins, and what
# is asked of the API in between.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

use JSON::PP;
use Time::HiRes qw/ time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_media($t)->plan(32);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone     live 1m;
    register timeout=1h token=SECRET allow=127.0.0.0/8;
    path     /tv to=/live stream=live;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format session '$rtmp_command $rtmp_reason $status '
                       '$rtmp_route_server';
    access_log %%TESTDIR%%/stream.log session;

    server {
        listen                  127.0.0.1:8081;
        osp_upstream            live;
        osp_upstream_queue      20s;
        osp_upstream_limit_conn $remote_addr 3 publish;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }

        location = /ping {
            rtmp_route_ping route=live min_up=1;
        }
    }
}

EOF_CONF

origin($_, $_ == 1 ? 8091 : 8092) for 1, 2;

$t->run();

###############################################################################

my $file = media_file($t, 'cam.flv', seconds => 20);
my $url = 'rtmp://127.0.0.1:' . port(8081);

# before any origin is there

like(http_get('/ping'), qr/ 503 /, 'not ready');

my $cam1 = encoder('cam1', 'tv/cam1');

ok(wait_until(sub { api_proxy()->{queued} == 1 }), 'an encoder waits');

register(1, 8091);

ok(wait_until(sub { on('live/cam1', 'origin1') }), 'and publishes');
is(tries($cam1), 1, 'at its first try');
is(api_proxy()->{queued}, 0, 'it waits no more');
like(http_get('/ping'), qr/ 200 /, 'ready');

# who publishes what from where, to which origin

my ($s) = list('type=publish&stream=live/cam1');

like($s->{client}, qr/^127\.0\.0\.1:\d+$/, 'from where');
is($s->{server}, 'origin1', 'to which origin');
like($s->{agent}, qr/Lavf/, 'with what');
ok(wait_until(sub { (list('stream=live/cam1'))[0]{rate} > 100000 }), 'rate');
is(list('type=play'), 0, 'nobody plays');
is(list('client=192.0.2.0/24'), 0, 'nobody from there');

# a second origin, the first one is to go

register(2, 8092);
patch('live', 'origin1', drain => JSON::PP::true);

my $cam2 = encoder('cam2', 'live/cam2');
my $player = play($t, 'player', "$url/tv/cam1",
    -analyzeduration => 3000000);

ok(wait_until(sub { on('live/cam2', 'origin2') }), 'new ones go elsewhere');
ok(wait_until(sub { played() > 100000 }, 20),
    'those that are there stay');
is((list('type=play'))[0]{server}, 'origin1', 'where they are');
ok(!server('origin1')->{drained}, 'not drained');

$player->stop();

# ended, and kept out for a while: its encoder is back at once

($s) = list('type=publish&stream=live/cam1');

my $start = time();
like(request('DELETE', "/api/1/routes/live/sessions/$s->{id}?ban=10m"),
    qr/ 204 /, 'ended');

ok(wait_until(sub { tries($cam1) > 2 }), 'its encoder comes back');
is(list('stream=live/cam1'), 0, 'in vain');

my $bans = api('GET', 'live/bans/');
is(scalar @$bans, 1, 'a ban');
is("$bans->[0]{stream} $bans->[0]{type}", 'live/cam1 publish', 'of what');
ok(wait_until(sub { server('origin1')->{drained} }), 'origin is drained');

# it may come back, but not to where it is remembered

pin('live', 'live/cam1', 'origin2');

like(request('DELETE', "/api/1/routes/live/bans/$bans->[0]{id}"), qr/ 204 /,
    'the ban goes');
ok(wait_until(sub { on('live/cam1', 'origin2') }),
    'it is back, at the other origin');

# more than one may

my $cam3 = encoder('cam3', 'live/cam3');
ok(wait_until(sub { on('live/cam3', 'origin2') }), 'a third');
my $cam4 = encoder('cam4', 'live/cam4');
ok(wait_until(sub { $t->read_file('stream.log') =~ /^publish limit /m }),
    'not a fourth');
$_->stop('KILL') for $cam3, $cam4;

# the proxy is to go

like(request('PATCH', '/api/1/proxy', '{"drain":true}',
    'Content-Type: application/json'), qr/"drain":true/, 'proxy drains');
like(http_get('/ping'), qr/ 503 /, 'who asks is told');

my $cam5 = encoder('cam5', 'live/cam5');
ok(wait_until(sub { $t->read_file('stream.log') =~ /^publish draining /m }),
    'no new ones');
ok(on('live/cam1', 'origin2') && on('live/cam2', 'origin2'), 'others stay');

$_->stop('KILL') for $cam5, $cam1, $cam2;

ok(wait_until(sub { api_proxy()->{drained} }), 'proxy is drained');

request('PATCH', '/api/1/proxy', '{"drain":false}',
    'Content-Type: application/json');
like(http_get('/ping'), qr/ 200 /, 'and back');

###############################################################################

sub origin {
    my ($n, $port) = @_;

    nginx_rtmp($t, "origin$n", <<"EOF_CONF") or die "Can't start nginx-rtmp\n";

rtmp {
    server {
        listen 127.0.0.1:$port;

        application live {
            live on;
        }
    }
}

EOF_CONF
}

# As encoders do, it tries again and again.

sub encoder {
    my ($name, $stream) = @_;

    return program($t, $name, 'sh', '-c', 'while :; do echo try; '
        . "ffmpeg -v error -nostdin -re -i '$file' -c copy -f flv "
        . "'$url/$stream'; sleep 0.3; done");
}

sub tries {
    my ($encoder) = @_;

    return scalar(() = $t->read_file("$encoder->{name}.out") =~ /try/g);
}

sub register {
    my ($n, $port) = @_;

    return request('POST', '/api/v1/srs/register?token=SECRET', encode_json({
        ip => '127.0.0.1', server => "origin$n", service => "s$n",
        pid => "$n", rtmp => [port($port) . ''],
    }), 'Content-Type: application/json');
}

sub list {
    my ($args) = @_;
    my $list = api('GET', "live/sessions/?$args");

    return ref($list) eq 'ARRAY' ? @$list : ();
}

# What players were sent.

sub played {
    my ($s) = list('type=play');

    return $s ? $s->{out} : 0;
}

# Whether a stream is published, and there.

sub on {
    my ($key, $id) = @_;
    my ($s) = list("type=publish&state=relay&stream=$key");

    return $s && $s->{server} eq $id;
}

sub server {
    my ($id) = @_;

    return api('GET', "live/servers/$id") || {};
}

sub api_proxy {
    return eval { decode_json(http_content(http_get('/api/1/proxy'))) }
        || { queued => -1 };
}

###############################################################################
