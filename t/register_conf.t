#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_register of rtmp{}: what nginx -t says of it, and the
# order in which nginx-rtmp and the route's module are loaded.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new();

need_rtmp_module($t);

my $url = 'http://127.0.0.1:8000/api/v1/srs/register';

my $out = tested("rtmp_route_register $url;");

plan(skip_all => 'built without headers of nginx-rtmp')
    if $out =~ /unknown directive "rtmp_route_register"/;

my @good = (
    "rtmp_route_register $url;",
    "rtmp_route_register $url interval=2s token=SECRET ip=10.0.0.1 http=5999 "
        . 'weight=2 max_streams=100 id=origin-a resolver=127.0.0.1;',
    "rtmp_route_register $url; rtmp_route_register http://localhost/x;",
    "rtmp_route_register $url ip=2001:db8::1;",
);

my @bad = (
    [ 'rtmp_route_register;', 'invalid number of arguments' ],
    [ 'rtmp_route_register 127.0.0.1:8000;', 'must begin with "http://"' ],
    [ "rtmp_route_register $url?token=SECRET;", 'is a parameter' ],
    [ "rtmp_route_register $url/token=SECRET;", 'is a parameter' ],
    [ "rtmp_route_register $url interval=0;", 'parameter "interval=0"' ],
    [ "rtmp_route_register $url interval=2h;", 'parameter "interval=2h"' ],
    [ "rtmp_route_register $url ip=name;", 'parameter "ip=name"' ],
    [ "rtmp_route_register $url http=0;", 'parameter "http=0"' ],
    [ "rtmp_route_register $url weight=x;", 'parameter "weight=x"' ],
    [ "rtmp_route_register $url max_streams=;", 'parameter "max_streams="' ],
    [ "rtmp_route_register $url id=;", 'parameter "id="' ],
    [ "rtmp_route_register $url token=;", 'empty token' ],
    [ "rtmp_route_register $url 'token=A B';", 'invalid character in a token' ],
    [ "rtmp_route_register $url token=file:none;", 'none" failed' ],
    [ "rtmp_route_register $url other;", 'parameter "other"' ],
);

my @loads = $t->test_globals() =~ /^(load_module .*\n)/mg;
my ($rtmp) = grep { /ngx_rtmp_module|ngx_http_flv_live/ } @loads;
my ($so) = ($rtmp || '') =~ m!(\w+)\.so!;
my ($route) = grep { /ngx_rtmp_route_module/ } @loads;

$t->plan(@good * 2 + @bad + 9);

for my $line (@good) {
    is(tested($line), '', "rtmp: $line");
    is(tested('', $line), '', "server: $line");
}

for my $case (@bad) {
    my ($line, $error) = @$case;

    like(tested($line), qr/\[emerg\].*\Q$error\E/, $line);
}

unlike(tested("rtmp_route_register $url?token=SECRET;"), qr/SECRET/,
    'token is not shown');

SKIP: {
    skip 'nginx-http-flv-module listens by itself', 1
        if $t->has_directive('gop_cache', 'rtmp');

    like(tested("rtmp_route_register $url;", '', 'none'),
        qr!rtmp_route_register http://\S+" has no server with "listen"!,
        'no listen');
}

like(tested('', '', '', "rtmp_route_register $url;"),
    qr/"rtmp_route_register" directive is not allowed here/, 'application');

# the order

SKIP: {
    skip 'modules are not loaded', 6 unless $rtmp && $route;

    my $line = "rtmp_route_register $url;";

    is(loaded($line, $rtmp, $route), '', 'nginx-rtmp first');

    like(loaded($line, $route, $rtmp),
        qr!\[emerg\].*\ needs\ nginx-rtmp\ to\ be\ loaded\ first:\ put
           \ "load_module"\ of\ $so\.so
           \ before\ that\ of\ ngx_rtmp_route_module\.so!x,
        'nginx-rtmp last');

    is(loaded('', $route, $rtmp), '', 'nginx-rtmp last, not used');
    like(loaded($line, $rtmp), qr/unknown directive "rtmp_route_register"/,
        'nginx-rtmp alone');
    like(loaded($line, $route), qr/unknown directive "rtmp"/,
        'without nginx-rtmp');
    is(checked("$route events {}\nrtmp_route a {\n zone a 1m; server 10.0.0.1;"
        . "\n}\n"), '', 'without nginx-rtmp and rtmp{}');
}

###############################################################################

sub tested {
    my ($main, $server, $listen, $app) = @_;

    return checked('events {}', conf($main, $server, $listen, $app));
}

sub loaded {
    my ($main, @modules) = @_;

    return checked(join('', @modules), "events {}\n", conf($main));
}

sub conf {
    my ($main, $server, $listen, $app) = @_;

    $listen = $listen ? '' : 'listen 127.0.0.1:8080;';
    $server = '' unless defined $server;
    $app = '' unless defined $app;

    return <<"EOF_CONF";

rtmp {
    access_log off;
    $main

    server {
        $listen
        $server

        application live {
            live on;
            $app
        }
    }
}
EOF_CONF
}

sub checked {
    my $text = join("\n", @_) . "\n";
    my ($dir, $globals) = ($t->testdir(), $t->test_globals());
    my ($command, $answer);

    $globals =~ s/^load_module .*\n//mg if $text =~ /load_module/;

    $t->write_file_expand('nginx.conf', "daemon off;\n$globals$text");

    $command = "$Test::Nginx::NGINX -t -p $dir -c nginx.conf -e test.log";
    $answer = `$command 2>&1`;
    $answer =~ s/^.*(?:syntax is ok|test is successful).*\n//mg;

    return $answer;
}

###############################################################################
