#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in upstream{} and in servers: what the configuration
# test says of it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http proxy stream upstream_keepalive upstream_least_conn/);

my @refused = (
    # block, configuration, message
    ['http', 'upstream u { rtmp_route live; }', 'invalid number of arguments'],
    ['http', 'upstream u { rtmp_route live ftp; }', 'invalid protocol "ftp"'],
    ['http', 'upstream u { rtmp_route live http foo=bar; }',
        'invalid parameter "foo=bar"'],
    ['http', 'upstream u { rtmp_route live http key=; }',
        'invalid parameter "key="'],
    ['http', 'upstream u { rtmp_route live http key=$nothing; }',
        'unknown "nothing" variable'],
    ['http', 'upstream u { rtmp_route live http; rtmp_route live api; }',
        '"rtmp_route" directive is duplicate'],
    ['http', 'upstream u { server 127.0.0.1:8081; rtmp_route live http; }',
        '"server" is not allowed beside "rtmp_route" in upstream "u"'],
    ['http', 'upstream u { rtmp_route live http; server 127.0.0.1:8081; }',
        '"server" is not allowed beside "rtmp_route" in upstream "u"'],
    ['http', 'upstream u { zone u 1m; rtmp_route live http; }',
        '"zone" is not allowed beside "rtmp_route" in upstream "u"'],
    ['http', 'upstream u { rtmp_route live http; least_conn; }',
        'no servers in upstream "u"'],
    ['http', 'upstream u { rtmp_route other http; }', 'other'],
    ['http', 'server { rtmp_route live; }', 'is not allowed here'],
    ['http', 'server { location / { rtmp_route live ftp; } }',
        'invalid protocol "ftp"'],
    ['http', 'server { location / { rtmp_route live http a; } }',
        'invalid number of arguments'],
    ['http', 'server { location / { rtmp_route live; rtmp_route live; } }',
        '"rtmp_route" directive is duplicate'],
    ['http', 'server { location / { rtmp_route other; } }', 'other'],

    ['stream', 'upstream u { rtmp_route live; }',
        'invalid number of arguments'],
    ['stream', 'upstream u { rtmp_route live ftp; }',
        'invalid parameter "ftp"'],
    ['stream', 'upstream u { rtmp_route live key=a; }',
        'no protocol for route "live"'],
    ['stream', 'upstream u { rtmp_route live rtmp key=; }',
        'invalid parameter "key="'],
    ['stream', 'upstream u { rtmp_route live rtmp; rtmp_route live srt; }',
        '"rtmp_route" directive is duplicate'],
    ['stream', 'upstream u { server 127.0.0.1:1; rtmp_route live rtmp; }',
        '"server" is not allowed beside "rtmp_route" in upstream "u"'],
    ['stream', 'upstream u { rtmp_route live rtmp; zone u 1m; }',
        '"zone" is not allowed beside "rtmp_route" in upstream "u"'],
    ['stream', 'upstream u { rtmp_route live rtmp; least_conn; }',
        'no servers in upstream "u"'],
    ['stream', 'upstream u { rtmp_route other rtmp; }', 'other'],
    ['stream', 'server { listen 127.0.0.1:8085; return ok; '
        . 'rtmp_route live rtmp; }', 'no "key" parameter for route "live"'],
    ['stream', 'server { listen 127.0.0.1:8085; return ok; '
        . 'rtmp_route other key=a; }', 'other'],
);

my @warned = (
    ['http', 'upstream u { least_conn; rtmp_route live http; }',
        'load balancing method redefined'],
    ['stream', 'upstream u { least_conn; rtmp_route live rtmp; }',
        'load balancing method redefined'],
);

my @accepted = (
    ['http', 'upstream u { rtmp_route live http; keepalive 4; }'],
    ['http', 'upstream u { rtmp_route live api key=$arg_app/$arg_stream; }'],
    ['http', 'server { location / { rtmp_route live rtc; '
        . 'if ($arg_a) { rtmp_route off; } } }'],
    ['stream', 'upstream u { rtmp_route live srt key=$remote_addr; }'],
    ['stream', 'server { listen 127.0.0.1:8085; return ok; '
        . 'rtmp_route live srt key=a; }'],
);

$t->{_ignore_alerts} = qr/\[emerg\]/;
$t->plan(@refused + 2 * @warned + @accepted);

###############################################################################

for my $case (@refused) {
    my ($block, $conf, $message) = @$case;

    like(check($t, $block, $conf), qr/\[emerg\].*\Q$message\E/,
        "$block: $message");
}

for my $case (@warned) {
    my ($block, $conf, $message) = @$case;
    my $out = check($t, $block, $conf);

    like($out, qr/\[warn\].*\Q$message\E/, "$block: warning: $message");
    like($out, qr/test is successful/, "$block: only a warning");
}

for my $case (@accepted) {
    my ($block, $conf) = @$case;

    like(check($t, $block, $conf), qr/test is successful/, "$block: $conf");
}

###############################################################################

sub check {
    my ($t, $block, $conf) = @_;

    $conf = "%%TEST_GLOBALS_HTTP%%\n$conf" if $block eq 'http';

    $t->write_file_expand('nginx.conf', <<EOF_CONF);

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    server  127.0.0.1 rtmp=1935 http=8080;
}

$block {
    $conf
}

EOF_CONF

    return $t->dump_config();
}

###############################################################################
