#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for how sessions end: what is told, logged and said in $rtmp_reason if
# TLS to servers fails; and what of those that end before they have begun.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Reasons;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream stream_ssl access/)
    ->has_daemon('openssl')->plan(8 + 3 * ENDED);

my @verify = ('osp_upstream_ssl on;', 'osp_upstream_ssl_verify on;');

my $servers = join("\n", map { reasons_conf(@$_) }
    ['127.0.0.1:8101', 'tls', @verify, 'osp_upstream_ssl_name localhost;',
        'osp_upstream_ssl_trusted_certificate other.crt;'],
    ['127.0.0.1:8102', 'tls', @verify, 'osp_upstream_ssl_name other;',
        'osp_upstream_ssl_trusted_certificate localhost.crt;'],
    ['127.0.0.1:8103', 'plain', 'osp_upstream_ssl on;',
        'osp_upstream_connect_timeout 1s;'],
    ['127.0.0.1:8104', 'plain', 'deny all;'],
    ['127.0.0.1:8105 ssl', 'plain'],
);

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route tls {
    zone    tls 256k;
    server  127.0.0.1 rtmps=%%PORT_8081%%;
}

rtmp_route plain {
    zone    plain 256k;
    server  127.0.0.1 rtmps=%%PORT_8082%%;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    @{[ log_format() ]}

    ssl_certificate_key  localhost.key;
    ssl_certificate      localhost.crt;

    server {
        listen      127.0.0.1:8081 ssl;
        proxy_pass  127.0.0.1:8082;
        access_log  off;
    }

$servers
}

EOC

for my $name (qw/ localhost other /) {
    my $file = $t->testdir() . "/$name";

    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name "
        . "-keyout $file.key -out $file.crt >/dev/null 2>&1") == 0
        or die "Can't make a certificate\n";
}

rtmp_origin($t, port(8082));

$t->run();

###############################################################################

my ($c, %lines);

# one without TLS waits for the rest of C1

%lines = (
    8101 => 'upstream SSL certificate verify error: ',
    8102 => 'upstream SSL certificate does not match "other"',
    8103 => 'upstream timed out',
);

for my $n (sort keys %lines) {
    $c = rtmp_publish(port($n), 'live', 'cam1');

    ended($t, $n, 'connect_failed', client => $c,
        upstream => $n == 8103 ? 8082 : 8081);

    my $port = port($n);
    my $where = ' while SSL handshaking to upstream, client: 127.0.0.1, '
        . "server: 127.0.0.1:$port, upstream: ";

    like(wait_log($t, 'error.log', qr/\[error\] .*: \*\d+ (.*$where)/),
        qr/^$lines{$n}/, 'why');
}

# these are not sessions of ours

$c = rtmp_client(port(8104));
ok($c->is_closed(5), 'denied: closed');

$c = rtmp_client(port(8105));
$c->write_raw("\x03" . "\0" x 1536);
ok($c->is_closed(5), 'no TLS: closed');

for my $n (8104, 8105) {
    my $port = port($n);

    like(wait_log($t, 'reasons.log', qr/^$port\|(.*)$/m),
        qr/^(?:403|[45]00)\|-\|-\|-\|-\|/, "$n: no reason");
}

unlike($t->read_file('error.log'),
    qr/session ended, .*server: \S+:(?:@{[ port(8104) ]}|@{[ port(8105) ]})/,
    'no line of an end');

###############################################################################
