#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream with ffmpeg and nginx-rtmp: the packets that come out
# are those that went in.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream stream_ssl ipv6/)
    ->has_daemon('openssl');

need_media($t)->plan(39);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8090;
}

rtmp_route v6 {
    zone   v6 1m;
    server [::1]:%%PORT_8090%%;
}

rtmp_route ssl {
    zone   ssl 1m;
    server 127.0.0.1 rtmps=%%PORT_8091%%;
}

rtmp_route v1 {
    zone   v1 1m;
    server 127.0.0.1:8092 proxy_protocol=v1;
}

rtmp_route v2 {
    zone   v2 1m;
    server 127.0.0.1:8092 proxy_protocol=v2;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$upstream_addr|$rtmp_command|$rtmp_app|'
                    '$rtmp_stream|$rtmp_agent|$rtmp_reason';
    access_log %%TESTDIR%%/stream.log test;

    ssl_certificate_key localhost.key;
    ssl_certificate     localhost.crt;

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8082 ssl;
        osp_upstream live;
    }

    server {
        listen       [::1]:%%PORT_8083%%;
        osp_upstream v6;
    }

    server {
        listen       127.0.0.1:8084;
        osp_upstream ssl;
    }

    server {
        listen       127.0.0.1:8085;
        osp_upstream v1;
    }

    server {
        listen       127.0.0.1:8086;
        osp_upstream v2;
    }

    # in front of the origin

    server {
        listen     127.0.0.1:8091 ssl;
        proxy_pass 127.0.0.1:8090;
        access_log off;
    }

    log_format address '$proxy_protocol_addr';

    server {
        listen     127.0.0.1:8092 proxy_protocol;
        proxy_pass 127.0.0.1:8090;
        access_log %%TESTDIR%%/address.log address;
    }
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

EOF_CONF

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . '-keyout ' . $t->testdir() . '/localhost.key -out ' . $t->testdir()
    . '/localhost.crt >/dev/null 2>&1') == 0
    or die "Can't make a certificate\n";

nginx_rtmp($t, 'origin', <<'EOF_CONF') or die "Can't start nginx-rtmp\n";

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:8090;
        listen [::1]:%%PORT_8090%%;

        application live {
            live     on;
            wait_key off;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $file = media_file($t, 'cam1.flv');
my $want = file_packets($t, $file);

like($want, qr/^audio 1\d\d \w+, video 101 \w+$/, 'source');

# where it is published, and where it is played

my %url = (
    origin => 'rtmp://127.0.0.1:' . port(8090),
    plain  => 'rtmp://127.0.0.1:' . port(8081),
    name   => 'rtmp://localhost:' . port(8081),
    ssl    => 'rtmps://127.0.0.1:' . port(8082),
    ipv6   => 'rtmp://[::1]:' . port(8083),
    behind => 'rtmp://127.0.0.1:' . port(8084),
    v1     => 'rtmp://127.0.0.1:' . port(8085),
    v2     => 'rtmp://127.0.0.1:' . port(8086),
);

my @cases = (
    [ 'through',     'plain',  'plain'  ],
    [ 'published',   'plain',  'origin' ],
    [ 'played',      'origin', 'plain'  ],
    [ 'host name',   'name',   'name'   ],
    [ 'rtmps',       'ssl',    'ssl'    ],
    [ 'ipv6',        'ipv6',   'ipv6'   ],
    [ 'rtmps origin', 'behind', 'behind' ],
    [ 'proxy protocol v1', 'v1', 'v1'   ],
    [ 'proxy protocol v2', 'v2', 'v2'   ],
);

my @routes = qw/ live v6 ssl v1 v2 /;

# a few at a time: the machine is to keep up with them

for my $part ([ @cases[0 .. 4] ], [ @cases[5 .. 8] ]) {
    run_cases($t, @$part);
}

sub run_cases {
    my ($t, @list) = @_;
    my ($name, %player, %publisher);

    for my $case (@list) {
        $name = path_name($case->[0]);
        $player{$case->[0]} = play($t, "play-$name",
            "$url{$case->[2]}/live/$name");
    }

    for my $case (@list) {
        $name = path_name($case->[0]);
        wait_log($t, 'origin.log', qr/(play: name='$name')/);
    }

    for my $case (@list) {
        $name = path_name($case->[0]);
        $publisher{$case->[0]} = publish($t, "publish-$name", $file,
            "$url{$case->[1]}/live/$name", '-readrate', 3);
    }

    for my $case (@list) {
        my ($name) = @$case;

        is($publisher{$name}->wait(), 0, "$name: publisher");
        is($player{$name}->wait_packets($want), $want, "$name: packets");
        is($t->read_file('publish-' . path_name($name) . '.log')
            . $t->read_file('play-' . path_name($name) . '.log'), '',
            "$name: no complaints");

        $player{$name}->stop('KILL');
    }
}

ok(wait_until(sub { !map { sessions($_) } @routes }), 'all have ended');

for my $route (@routes) {
    is(conns($route), '0', "$route: conns");
}

is(join(' ', sort(split(/\n/, $t->read_file('address.log')))),
    '127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1', 'addresses of clients');

my $log = $t->read_file('stream.log');
my $here = port(8081);
my $there = '127.0.0.1:' . port(8090);

# ffmpeg does not wait for the answer to deleteStream: if it comes before the
# close, that is a reset

like($log, qr/^$here\|\Q$there\E\|publish\|live\|through\|FMLE[^|]+\|ok/m,
    'publisher in the log');
like($log, qr/^$here\|\Q$there\E\|play\|live\|through\|LNX[^|]+\|ok/m,
    'player in the log');

# enhanced RTMP: what the origin does not know is passed as it is

my @media = map {
    $_->[0] == 9 ? [ 9, $_->[1], enhanced($_->[2]) ] : $_
} media_messages(30);

my $play = rtmp_play(port(8081), 'live', 'hevc');
my $c = rtmp_publish(port(8081), 'live', 'hevc',
    connect => [ fourCcList => amf_strict('hvc1', 'av01', 'vp09') ]);

is($c->{code}, 'NetStream.Publish.Start', 'enhanced: publish');

$c->send_media(@media);

is(media_digest(frames($play->read_media(33))), media_digest(frames(@media)),
    'enhanced: media');

###############################################################################

sub path_name {
    my ($name) = @_;

    $name =~ s/ /-/g;

    return $name;
}

# the header of a legacy video tag, as the one of HEVC in an enhanced one

sub enhanced {
    my ($payload) = @_;
    my ($type, $packet, $rest);

    ($type, $packet, $rest) = unpack('C C x3 a*', $payload);

    return pack('C a4', 0x80 | ($type & 0x70) | ($packet ? 1 : 0), 'hvc1')
        . ($packet ? "\0\0\0" : '') . $rest;
}

# without what nginx-rtmp makes anew: metadata and sequence headers

sub frames {
    return grep { $_->[0] != 18 && length($_->[2]) > 30 } @_;
}

###############################################################################
