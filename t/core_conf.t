#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the directives of OSP core: what nginx -t says of them in either
# context, and a core that is asked over TLS.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::OSPCore;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl stream/)
    ->has_daemon('openssl');

my $url = 'http://127.0.0.1:8000';

my @good = (
    "osp_core $url;",
    "osp_core $url/ interval=1s rtmp=1936 http=80 https=443 publish_app=in "
        . 'zone=2m;',
    "osp_core https://127.0.0.1; osp_core_ssl_verify off; "
        . 'osp_core_ssl_verify_depth 2; osp_core_ssl_server_name off; '
        . 'osp_core_ssl_name x.example.com; osp_core_ssl_protocols TLSv1.2 '
        . 'TLSv1.3; osp_core_ssl_ciphers HIGH; osp_core_ssl_conf_command '
        . 'Options PrioritizeChaCha; osp_core_ssl_session_reuse off;',
    "osp_core_timeout 1s; osp_core_connect_timeout 1s; osp_core_max_body 1m; "
        . "osp_core $url;",
);

my @bad = (
    [ 'osp_core;', 'invalid number of arguments' ],
    [ 'osp_core ftp://127.0.0.1;', 'ftp://127.0.0.1' ],
    [ 'osp_core 127.0.0.1;', '127.0.0.1' ],
    [ "osp_core $url interval=1;  osp_core $url;", 'duplicate "osp_core"' ],
    [ "osp_core $url interval=x;", 'invalid parameter "interval=x"' ],
    [ "osp_core $url interval=50ms;", 'invalid parameter "interval=50ms"' ],
    [ "osp_core $url rtmp=0;", 'invalid parameter "rtmp=0"' ],
    [ "osp_core $url http=65536;", 'invalid parameter "http=65536"' ],
    [ "osp_core $url https=;", 'invalid parameter "https="' ],
    [ "osp_core $url zone=4k;", 'invalid parameter "zone=4k"' ],
    [ "osp_core $url publish_app=a/b;", 'invalid parameter "publish_app=a/b"' ],
    [ "osp_core $url other;", 'invalid parameter "other"' ],
    [ "osp_core $url; osp_core_ssl_verify maybe;", 'invalid value "maybe"' ],
    [ "osp_core $url; osp_core_ssl_protocols SSLv9;", 'invalid value "SSLv9"' ],
    [ "osp_core https://127.0.0.1; osp_core_ssl_trusted_certificate none.crt;",
        'none.crt' ],
    [ "osp_core $url; osp_core_ssl_session_reuse 1;", 'invalid value "1"' ],
    [ "osp_core $url; osp_core_ssl_password_file none.txt;", 'none.txt' ],
    [ "osp_core $url; osp_core_ssl_password_file /dev/null; "
        . 'osp_core_ssl_password_file /dev/null;', 'is duplicate' ],
);

$t->plan(@good * 2 + @bad * 2 + 12);

for my $params (@good) {
    is(tested($params, ''), '', "route: $params");
    is(tested('', with_route($params)), '', "stream: $params");
}

for my $case (@bad) {
    my ($params, $text) = @$case;

    like(tested($params, ''), qr/\[emerg\].*\Q$text\E/, "route: $params");
    like(tested('', with_route($params)), qr/\[emerg\].*\Q$text\E/,
        "stream: $params");
}

like(tested('', "osp_core $url;"), qr/needs "route=" here/, 'without a route');
like(tested('', "osp_core $url route=none;"), qr/"none" is not defined/,
    'no such route');
like(tested("osp_core $url;", "osp_core $url route=live;"),
    qr/duplicate "osp_core" of route "live"/, 'in both');
like(tested('osp_core_timeout 1s;', ''), qr/but no "osp_core"/,
    'settings without a core');
like(tested("key vhost/app/stream; osp_core $url;", ''),
    qr/can't have keys with a vhost/, 'keys with a vhost');

my $warn = qr/\[warn\].*"live" has "osp_core", but no "resolver"/;

like(tested("osp_core $url;", '', ''), $warn, 'without a resolver');
unlike(tested("osp_core $url;", ''), $warn, 'with one');

# over TLS; the certificate is for localhost and 127.0.0.1

my $core = osp_core($t, port(8083), ssl => 1);
my $crt = $t->testdir() . '/osp-core-' . port(8083) . '.crt';

$core->site(siteAddress => '10.0.0.1');
$core->server('10.0.0.1');
$core->channel('one', live => 1, server => '10.0.0.1');

my $https = 'https://127.0.0.1:' . port(8083);
my $trust = "osp_core_ssl_trusted_certificate $crt;";

write_conf("osp_core $https interval=300ms; $trust",
    "$trust osp_core_ssl_name wrong.example.com;"
    . "osp_core $https route=other interval=300ms;",
    'resolver 127.0.0.1:' . port(8980) . ';');
$t->run();

ok(wait_for(sub { state('live') eq 'up' }), 'over TLS');
is(api('GET', 'live/streams/live/one')->{server}, '10.0.0.1', 'a stream');
ok(wait_for(sub { state('other') eq 'down' }), 'of another name');
is_deeply([ servers('other') ], [], 'nothing of it is taken');
like($t->read_file('error.log'),
    qr/does not tell its settings, servers, streams, what is known stays: /,
    'logged');

###############################################################################

sub with_route {
    my ($params) = @_;

    return $params =~ s/(osp_core [^\s;]+)/$1 route=live/gr;
}

sub write_conf {
    my ($route, $stream, $resolver) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;

rtmp_route live {
    zone live 1m;
    $resolver
    $route
}

rtmp_route other {
    zone     other 1m;
    register open;
    $resolver
}

events {
}

stream {
    $stream
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location /api/ { rtmp_route_api; }
    }
}

EOF_CONF
}

# what it says but that it is fine

sub tested {
    my ($route, $stream, $resolver) = @_;
    my ($dir, $out) = $t->testdir();

    $resolver = 'resolver 127.0.0.1;' unless defined $resolver;
    write_conf($route, $stream, $resolver);

    $out = `$Test::Nginx::NGINX -t -p $dir -c $dir/nginx.conf 2>&1`;
    $out =~ s/^.*(?:syntax is ok|test is successful).*\n//mg;
    $out =~ s/^.*\[warn\].*has neither "server" nor.*\n//mg;

    return $out;
}

sub state {
    my ($route) = @_;

    return (api('GET', $route)->{core} || {})->{state} || '';
}

sub wait_for {
    my ($test, $time) = @_;
    my $end = time() + ($time || 10);

    while (time() < $end) {
        return 1 if $test->();
        sleep 0.1;
    }

    return 0;
}

###############################################################################
