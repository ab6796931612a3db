#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the formats of access logs in conf/logs.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use IO::Socket::UNIX;
use JSON::PP;
use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_realip proxy map rewrite stream stream_map pcre unix/)
    ->plan(41);
my $logs = "$FindBin::Bin/../conf/logs";

$t->write_file_expand('nginx.conf', <<"EOF");

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    server 127.0.0.1 rtmp=%%PORT_8082%% http=%%PORT_8083%%;
}

stream {
    include $logs/rtmp.conf;
    access_log %%TESTDIR%%/rtmp.log rtmp;
    access_log %%TESTDIR%%/rtmp_json.log rtmp_json;

    server {
        listen       127.0.0.1:8081;
        listen       unix:%%TESTDIR%%/unix.sock;
        osp_upstream live;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    include $logs/hls.conf;
    access_log %%TESTDIR%%/hls.log hls;
    access_log %%TESTDIR%%/hls_json.log hls_json;

    hls_cache_zone hls 8m;

    upstream origin {
        rtmp_route live http;
    }

    server {
        listen 127.0.0.1:8080;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Forwarded-For;

        location / {
            hls_cache  hls;
            rtmp_route live;
            proxy_pass http://origin;
        }
    }

    server {
        listen 127.0.0.1:8083;
        access_log off;

        location / {
            return 200 "a segment";
        }
    }
}

EOF

rtmp_origin($t, port(8082));

$t->run();

###############################################################################

my $key = 'secret-key-1';

my $c = rtmp_publish(port(8081), 'live', "$key?token=hidden",
    agent => "agent\"\\\x01\xff");
is($c->{code}, 'NetStream.Publish.Start', 'publish');
$c->close();

# the whole name as the application

rtmp_publish(port(8081), "live/$key", '')->close();

# one who says nothing

Test::Nginx::RTMP::rtmp_start(port(8081), 'live')->close();

http_get('/live/cam1-1.ts?token=hidden');
http(<<"EOF");
GET /live/cam1-1.ts?token=hidden HTTP/1.0
Host: localhost
User-Agent: a "quoted" \\ one

EOF
http("GET /live/a%22b%5c.ts HTTP/1.0\r\nHost: localhost\r\n\r\n");

# clients without a port

http("GET / HTTP/1.0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
IO::Socket::UNIX->new($t->testdir() . '/unix.sock')->close();

my @rtmp = json('rtmp_json.log', 4);
my ($unix) = grep { $_->{client} eq 'unix:' } @rtmp;
my ($publish) = grep { $_->{command} eq 'publish' } @rtmp;
my ($silent) = grep { $_->{command} eq '' && $_ != $unix } @rtmp;

is($publish->{client}, '127.0.0.1', 'rtmp client');
like($publish->{port}, qr/^\d+$/, 'rtmp port');
like($publish->{time}, qr/^\d{4}-\d\d-\d\dT/, 'rtmp time');
cmp_ok($publish->{msec}, '>', 1e9, 'rtmp msec');
is($publish->{app}, 'live', 'rtmp app');
like($publish->{stream_hash}, qr/^[0-9a-f]{16}$/, 'rtmp hash');
is($publish->{agent}, "agent\"\\\x01\xff", 'rtmp agent');
is($publish->{status}, 200, 'rtmp status');
is($publish->{reason}, 'ok', 'rtmp reason');
is($publish->{server}, '127.0.0.1', 'rtmp server');
is($publish->{upstream}, '127.0.0.1:' . port(8082), 'rtmp upstream');
cmp_ok($publish->{received}, '>', 100, 'rtmp received');
cmp_ok($publish->{sent}, '>', 100, 'rtmp sent');
like($publish->{duration}, qr/^[\d.]+$/, 'rtmp duration');
like($publish->{connect_time}, qr/^[\d.]+$/, 'rtmp connect time');
is($silent->{reason}, 'client_closed', 'rtmp reason of another');
is($silent->{server}, '', 'rtmp no server');
is($unix->{port}, 0, 'rtmp no port');
is(scalar(grep { $_->{app} eq 'live' && $_->{command} eq 'publish' } @rtmp), 2,
    'rtmp app of a whole name');

my @hls = json('hls_json.log', 4);

is($hls[0]{client}, '127.0.0.1', 'hls client');
is($hls[0]{method}, 'GET', 'hls method');
is($hls[0]{path}, '/live/cam1-1.ts', 'hls path');
is($hls[0]{host}, 'localhost', 'hls host');
is($hls[0]{status}, 200, 'hls status');
is($hls[0]{sent}, 9, 'hls sent');
is($hls[0]{cache}, 'MISS', 'hls cache');
is($hls[1]{cache}, 'HIT', 'hls cache again');
like($hls[1]{age}, qr/^\d+$/, 'hls age');
like($hls[1]{duration}, qr/^[\d.]+$/, 'hls duration');
is($hls[1]{agent}, 'a "quoted" \\ one', 'hls agent');
is($hls[2]{path}, '/live/a"b\\.ts', 'hls odd path');
is("$hls[3]{client} $hls[3]{port}", '192.0.2.1 0', 'hls no port');

my ($line) = grep { / publish / } lines('rtmp.log', 3);
like($line, qr!^127\.0\.0\.1\ \[.*\]\ publish\ live/\#[0-9a-f]{16}\ 200
    \ ok\ \d+\ \d+\ [\d.]+\ ".*"\ 127\.0\.0\.1
    \ "127\.0\.0\.1:\d+"\ [\d.]+$!x, 'rtmp text');

($line) = lines('hls.log', 3);
like($line, qr!^127\.0\.0\.1\ \[.*\]\ "GET\ /live/cam1-1\.ts\ HTTP/1\.0"\ 200
    \ 9\ [\d.]+\ MISS\ \d+\ .*"-"$!x, 'hls text');

for my $file (qw/ rtmp.log rtmp_json.log hls.log hls_json.log /) {
    unlike($t->read_file($file), qr/\Q$key\E|hidden/, "no secret in $file");
}

is(scalar(grep { /[^\x20-\x7e]/ } lines('rtmp.log', 3)), 0,
    'nothing odd in a line of text');
is(keys %$publish, 17, 'fields of rtmp_json');

###############################################################################

sub lines {
    my ($file, $count) = @_;
    my @lines;

    for (1 .. 200) {
        @lines = split /\n/, $t->read_file($file);
        last if @lines >= $count;
        select undef, undef, undef, 0.05;
    }

    return @lines;
}

# bytes that are not UTF-8 are in there as they are

sub json {
    my ($file, $count) = @_;

    return map { JSON::PP->new()->latin1()->decode($_) } lines($file, $count);
}

###############################################################################
