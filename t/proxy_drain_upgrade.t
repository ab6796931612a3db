#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the drain of the proxy over a binary upgrade: the new master is
# another proxy.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route qw/ :DEFAULT proxy /;
use Test::Nginx::RTMP;
use Test::Nginx::State;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(15);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon on;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:8080;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location = /ping {
            rtmp_route_ping;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen        127.0.0.1:8082;
        osp_upstream  live;
    }
}

EOC

my $o = rtmp_origin($t, port(8081));

$t->run();

###############################################################################

my $old = $t->{_master};
my ($c, $p, $new, %seen);

$c = rtmp_publish(port(8082), 'live', 'cam1');
is($c->{code}, 'NetStream.Publish.Start', 'published');

drain('true');
is(proxy()->{drain}, JSON::PP::true(), 'drain');

$new = upgrade($t, $old);
ok($new, 'new master');

# each request may come to either of them

ok(wait_until(sub {
    $p = proxy();
    $seen{$p->{ppid}} = $p;
    return $seen{$old} && $seen{$new};
}, 10), 'both answer');

is($seen{$old}{drain}, JSON::PP::true(), 'the old one drains');
is($seen{$old}{sessions}, 1, 'it has a session');
is($seen{$old}{drained}, JSON::PP::false(), 'so it is not drained');
is($seen{$new}{drain}, JSON::PP::false(), 'the new one does not');
is($seen{$new}{sessions}, 0, 'it has no session');
is($seen{$new}{generation}, 1, 'its first configuration');

# the old one takes no more connections

kill('WINCH', $old);

ok(wait_until(sub {
    return 20 == grep { proxy()->{ppid} == $new } 1 .. 20;
}, 10), 'only the new one answers');

like(http_get('/ping'), qr/ 200 .*"pong"/s, 'ping');
is(rtmp_publish(port(8082), 'live', 'cam2')->{code},
    'NetStream.Publish.Start', 'published to the new one');
ok(!$c->is_closed(0), 'session of the old one');

$c->close();

kill('QUIT', $old);
ok(wait_until(sub { Test::Nginx::process_gone($old) }), 'the old one leaves');

###############################################################################

sub drain {
    my ($value) = @_;

    return request('PATCH', '/api/1/proxy', "{\"drain\":$value}");
}

###############################################################################
