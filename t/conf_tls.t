#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the tree in conf/ where RTMP nodes have TLS: certificates are looked
# at if the file of the user says so.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::OSPCore;
use Test::Nginx::RTMP;
use Test::Nginx::Tree;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_realip http_ssl proxy access rewrite stream pcre/)
    ->has_daemon('openssl');

eval { require IO::Socket::SSL; 1 }
    or plan(skip_all => 'no IO::Socket::SSL');

$t->plan(5);

my $dir = $t->testdir();
my $core = osp_core($t, port(8082));

$core->site(siteProtocol => 'https://');

for my $n (3, 4) {
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=node "
        . "-addext subjectAltName=DNS:127.0.0.$n -keyout $dir/$n.key "
        . "-out $dir/$n.crt >>$dir/openssl.log 2>&1") == 0
        or die "Can't create a certificate\n";

    $core->server("127.0.0.$n");
    $core->channel("cam$n", live => 1, server => "127.0.0.$n");

    httpd($t, port(8091), sub { node($n, @_) }, host => "127.0.0.$n",
        ssl => { SSL_cert_file => "$dir/$n.crt",
            SSL_key_file => "$dir/$n.key" });
}

my @tree = ($t, '', route => 'osp_core http://127.0.0.1:8082 interval=300ms
    https=%%PORT_8091%%;');

tree(@tree);
$t->run();

###############################################################################

ok(wait_until(sub { get('cam3') =~ / 200 .*segment\z/s }), 'any certificate');
ok(wait_until(sub { get('cam4') =~ / 200 .*segment\z/s }), 'of any node');

tree(@tree, listen => "listen 127.0.0.1:8080;\nproxy_ssl_verify on;\n"
    . "proxy_ssl_trusted_certificate $dir/3.crt;\n");
$t->stop();
$t->run();

ok(wait_until(sub { get('cam3') =~ / 200 .*segment\z/s }), 'verified');
unlike(get('cam4'), qr/segment/, 'another certificate');
like($t->read_file('error.log'), qr/certificate verify error/, 'logged');

###############################################################################

sub node {
    my ($n, $r) = @_;

    return $r->{uri} =~ /cam$n/ ? http_response(200, 'segment')
        : http_response(404);
}

sub get {
    my ($name) = @_;

    return http_get("/live/$name/1.ts") || '';
}

###############################################################################
