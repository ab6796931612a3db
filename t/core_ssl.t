#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for OSP core over TLS: a certificate of the proxy whose key has a
# password, and sessions that are reused.

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

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy stream/)
    ->has_daemon('openssl');

my $d = $t->testdir();

$t->plan(15);

for my $name (qw/ server client /) {
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name "
        . "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
        . "-keyout $name.key -out $name.crt");
}

openssl('rsa -aes256 -passout pass:secret -in client.key -out locked.key');

$t->write_file('password', "wrong\nsecret\n");
$t->write_file('wrong', "wrong\n");

my $core = osp_core($t, port(8083));

$core->site(siteAddress => '10.0.0.1');
$core->server('10.0.0.1');

my $key = 'osp_core_ssl_certificate client.crt; '
    . 'osp_core_ssl_certificate_key locked.key; ';

like(tested("$key osp_core_ssl_password_file wrong;"),
    qr/\[emerg\].*locked\.key/, 'wrong password');

# each answer ends its connection

write_conf("$key osp_core_ssl_password_file password;");
$t->run();

for my $port (8443, 8444) {
    my $route = "p$port";
    my $tls = $port == 8443 ? 'TLSv1.2' : 'TLSv1.3';

    ok(wait_for(sub { (connections($port))[5] }), "$tls: connections");

    my @log = connections($port);

    like($log[0], qr/ CN=client /, "$tls: certificate with a locked key");
    like($log[0], qr/ \Q$tls\E /, "$tls: protocol");
    like($log[0], qr/ \.$/, "$tls: a session that is new");
    like($log[1], qr/ r$/, "$tls: it is reused");
}

ok(wait_for(sub { (connections(8445))[5] }), 'off: connections');
is((grep { / r$/ } connections(8445)), 0, 'off: none is reused');

$t->stop();

my $log = $t->read_file('error.log');

unlike($log, qr/\[(?:error|crit|alert|emerg)\]/, 'no errors');
unlike($log, qr/secret/, 'no password in the log');

###############################################################################

sub write_conf {
    my ($params) = @_;
    my ($routes, $servers) = ('', '');

    for my $port (8443 .. 8445) {
        my $protocol = $port == 8443 ? 'TLSv1.2' : 'TLSv1.3';
        my $reuse = $port == 8445 ? 'off' : 'on';

        $routes .= <<"EOF_ROUTE";
rtmp_route p$port {
    zone      p$port 1m;
    resolver  127.0.0.1:%%PORT_8980_UDP%%;
    osp_core  https://127.0.0.1:%%PORT_$port%% interval=200ms;
    osp_core_ssl_session_reuse        $reuse;
    osp_core_ssl_trusted_certificate  server.crt;
    $params
}

EOF_ROUTE

        $servers .= <<"EOF_SERVER";
    server {
        listen               127.0.0.1:$port ssl;
        ssl_protocols        $protocol;
        keepalive_requests   1;
        access_log           %%TESTDIR%%/$port.log tls;

        location / {
            proxy_pass  http://127.0.0.1:8083;
        }
    }

EOF_SERVER
    }

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;

$routes

events {
}

stream {
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format  tls  '\$status \$ssl_client_s_dn \$ssl_protocol '
                     '\$ssl_session_reused';

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;
    ssl_verify_client    optional_no_ca;
    ssl_session_cache    shared:tls:1m;

$servers
}

EOF_CONF
}

sub tested {
    my ($params) = @_;

    write_conf($params);

    return `$Test::Nginx::NGINX -t -p $d/ -c nginx.conf -e stderr 2>&1`;
}

sub connections {
    my ($port) = @_;

    return -f "$d/$port.log" ? split(/\n/, $t->read_file("$port.log")) : ();
}

sub wait_for {
    my ($test) = @_;
    my $end = time() + 10;

    while (time() < $end) {
        return 1 if $test->();
        sleep 0.1;
    }

    return 0;
}

sub openssl {
    my ($args) = @_;

    system("cd $d && openssl $args >/dev/null 2>&1") == 0
        or die "Can't run openssl $args\n";
}

###############################################################################
