#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_register over reloads: nginx-rtmp is no longer loaded,
# and another module takes its place, and it comes back.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Register;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new();

need_register($t);

my %loads = map { /(ngx_\w+)\.so/ ? ($1 => $_) : () }
    $t->test_globals() =~ /^(load_module .*\n)/mg;

plan(skip_all => 'modules are not loaded') if grep { !$loads{$_} }
    qw/ ngx_rtmp_module ngx_rtmp_route_module ngx_stream_module /;

$t->plan(4);

my $p = httpd($t, port(8090), sub {
    return http_response(200, '{"code":0,"pid":"1"}');
});

my $rtmp = <<'EOF_CONF';
rtmp {
    access_log off;

    rtmp_route_register http://127.0.0.1:%%PORT_8090%%/ interval=1s id=a;

    server {
        listen 127.0.0.1:8081;

        application live {
            live on;
        }
    }
}
EOF_CONF

conf('ngx_rtmp_module ngx_rtmp_route_module', $rtmp);
$t->run();

###############################################################################

ok($p->wait(qr!^POST /!), 'registered');

# indexes of modules are given anew

reload('ngx_rtmp_route_module', '');
ok(wait_until(sub { grep { $_->{body} =~ /"unregister"/ } $p->requests() }),
    'without nginx-rtmp');

reload('ngx_stream_module ngx_rtmp_route_module',
    "stream {\n    server { listen 127.0.0.1:8082; return ok; }\n}\n");
ok(wait_until(sub { said(port(8082)) eq 'ok' }), 'another module instead');

my $n = $p->requests();

reload('ngx_rtmp_module ngx_rtmp_route_module', $rtmp);
ok($p->wait(qr!^POST /!, $n + 1), 'nginx-rtmp again');

###############################################################################

sub said {
    my ($port) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or return '';
    my $answer = <$s>;

    return defined $answer ? $answer : '';
}

sub conf {
    my ($modules, $text) = @_;
    my $globals = $t->test_globals();

    $globals =~ s/^load_module .*\n//mg;

    $t->write_file_expand('nginx.conf',
        join('', map { $loads{$_} } split(' ', $modules))
        . "$globals\ndaemon off;\nevents {\n}\n$text");
}

sub reload {
    conf(@_);
    $t->reload();
}

###############################################################################
