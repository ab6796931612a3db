#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route in upstream{} of http{}, reload with other servers.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Route;

use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(9);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

worker_processes  2;

events {
}

rtmp_route live {
    zone    live 1m;
    SERVERS
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream live {
        rtmp_route  live http;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            rtmp_route       live;
            proxy_pass       http://live;
            proxy_buffering  off;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

EOF_CONF

my $one = httpd($t, port(8081), sub { origin('one', @_) });
my $two = httpd($t, port(8082), sub { origin('two', @_) });

configure($t, 'server 127.0.0.1:1 http=%%PORT_8081%%;');
$t->run();

###############################################################################

like(http_get('/live/cam1.m3u8'), qr!one $!, 'before');

my $s = http("GET /live/long.flv HTTP/1.0\x0d\x0a\x0d\x0a", start => 1);
$s->sysread(my $buf, 4096);

is(conns('live'), '1', 'counted');

# another server is added

configure($t, 'server 127.0.0.1:1 http=%%PORT_8081%%; '
    . 'server 127.0.0.1:2 http=%%PORT_8082%%;');
ok(reload($t, 2), 'reloaded');

is(conns('live'), '1 0', 'old worker is counted');

my %seen;

for my $i (1 .. 30) {
    my ($body) = http_get("/live/cam$i.m3u8") =~ /(one|two) $/;
    $seen{$body || 'none'} = 1;
}

is(join(' ', sort keys %seen), 'one two', 'both servers');

# the first one is removed, its response goes on

configure($t, 'server 127.0.0.1:2 http=%%PORT_8082%%;');
ok(reload($t, 1), 'reloaded again');

like(http_get('/live/cam1.m3u8'), qr!two $!, 'removed server not used');
ok($s->sysread($buf, 4096), 'response goes on');

close($s);

ok(wait_conns('live', '0'), 'nothing counted');

###############################################################################

sub configure {
    my ($t, $servers) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/SERVERS/$servers/r);
}

sub reload {
    my ($t, $n) = @_;

    $t->reload();

    for (1 .. 100) {
        return 1 if servers('live') == $n;
        sleep(0.05);
    }

    return 0;
}

sub origin {
    my ($name, $r) = @_;

    return http_response(200, "$name ") if $r->{uri} !~ /flv/;

    $r->{socket}->print("HTTP/1.1 200 OK\x0d\x0aConnection: close\x0d\x0a"
        . "\x0d\x0aFLV");

    for (1 .. 500) {
        last unless defined $r->{socket}->syswrite('x' x 1000);
        sleep(0.02);
    }

    return ();
}

###############################################################################
