#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the parameters of health_check, and slow_start.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(48);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone     live 1m;
    REGISTER
    SERVER
    CHECK
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

EOF_CONF

my $check = 'health_check %s;';
my $server = 'server 127.0.0.1:%%%%PORT_8081%%%% %s;';
my $register = 'register open allow=127.0.0.0/8 %s;';

###############################################################################

for my $bad (qw/
    interval= interval=0 interval=99ms interval=1x interval=-1s interval
    interval=600000h jitter=x jitter timeout=0 timeout=-1 fails=0 fails=x
    fails=1001 passes=0 passes=-1 port=0 port=65536 port=x type=udp type=
    status=99 status=600 status=300-200 status=a mandatory=on foo
/, 'status=200,') {
    refused($check, $bad, qr/invalid parameter "\Q$bad\E" in/);
}

refused($check, 'type=http uri=live', qr/invalid parameter "uri=live"/);
refused($check, 'type=http uri=', qr/invalid parameter "uri="/);
refused($check, 'type=http "uri=/a b"', qr/invalid parameter "uri=\/a b"/);
refused($check, 'type=http "uri=/a\r\nX: 1"', qr/invalid parameter "uri=/);
refused($check, 'type=http status=200 status=201',
    qr/invalid parameter "status=201"/);
refused($check, 'type=http status=' . join(',', 200 .. 216),
    qr/invalid parameter "status=/);
refused($check, 'uri=/', qr/"uri=" needs "type=http"/);
refused($check, 'type=rtmp status=200', qr/"status=" needs "type=http"/);
refused($check, "; health_check type=tcp",
    qr/"health_check" directive is duplicate/);

refused($server, 'slow_start=x', qr/invalid parameter "slow_start=x"/);
refused($server, 'fail_timeout=', qr/invalid parameter "fail_timeout="/);
refused($register, 'max_fails=x', qr/invalid parameter "max_fails=x"/);
refused($register, 'slow_start=-1', qr/invalid parameter "slow_start=-1"/);
refused($register, 'fail_timeout=1y1', qr/invalid parameter "fail_timeout/);

for my $good ('', 'interval=100ms jitter=0 fails=1 passes=1000',
    'type=http uri=/live?a=b status=200,204-299,404 timeout=1ms port=1',
    'type=rtmp mandatory')
{
    configure($check, $good);
    like($t->dump_config(), qr/test is successful/, "fine: $good");
}

# what they mean is in other tests, but these are shown

unlink($t->testdir() . '/error.log');

configure($register, 'max_fails=3 fail_timeout=7s slow_start=9s',
    $server, 'slow_start=30s max_fails=2');

$t->run();

request('POST', '/api/v1/srs/register',
    '{"ip":"127.0.0.2","server":"r","service":"s","pid":"1","rtmp":["1"]}',
    'Content-Type: application/json');

my $s = api('GET', 'live/servers/r');

is("$s->{max_fails} $s->{fail_timeout} $s->{slow_start}", '3 7000 9000',
    'register');

$s = api('GET', 'live/servers/127.0.0.1');

is("$s->{max_fails} $s->{slow_start}", '2 30000', 'server');

###############################################################################

# Directives in their forms, each followed by parameters.

sub configure {
    my (%directive) = @_;
    my ($text, $name);

    $text = $conf;

    for my $form (keys %directive) {
        $name = ($form =~ /^(?:health_)?(\w+)/)[0];
        $text =~ s/\U$name/sprintf($form, $directive{$form})/e;
    }

    $text =~ s/^ +(?:REGISTER|CHECK)\n//mg;
    $text =~ s/SERVER/server 127.0.0.1:1935;/;

    $t->write_file_expand('nginx.conf', $text);
}

sub refused {
    my ($form, $params, $re) = @_;

    configure($form, $params);
    like($t->dump_config(), $re, "refused: $params");
}

###############################################################################
