#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: an origin that names another one.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(19);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
    server 127.0.0.1:8082 backup;
    server 127.0.0.1:8083 backup;
}

rtmp_route away {
    zone   away 1m;
    server 127.0.0.1:8084;
    server 127.0.0.1:8083 backup;
}

rtmp_route loop {
    zone   loop 1m;
    server 127.0.0.1:8085;
    server 127.0.0.1:8086 backup;
}

rtmp_route seven {
    zone   seven 1m;
    server 127.0.0.1:8087;
    server 127.0.0.1:8083 backup;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api;
        }
    }
}

rtmp_route late {
    zone   late 1m;
    server 127.0.0.1:8095;
    server 127.0.0.2 rtmp=%%PORT_8083%% backup;
    server 127.0.0.3 rtmp=%%PORT_8083%% backup;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status $rtmp_reason $upstream_addr';
    access_log %%TESTDIR%%/stream.log test;

    server {
        listen       127.0.0.1:8094;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8088;
        osp_upstream away;
    }

    server {
        listen       127.0.0.1:8089;
        osp_upstream loop;
    }

    server {
        listen       127.0.0.1:8090;
        osp_upstream seven;
    }

    server {
        listen       127.0.0.1:8096;
        osp_upstream late;
    }
}

EOC

sub redirect {
    my ($n, $app) = @_;

    return 'redirect=rtmp://127.0.0.1:' . port($n) . ($app || '');
}

my $first = rtmp_origin($t, port(8081), connect => redirect(8083, '/live'));
my $second = rtmp_origin($t, port(8082));
my $third = rtmp_origin($t, port(8083));

rtmp_origin($t, port(8084), connect => 'redirect=rtmp://192.0.2.1/live');
rtmp_origin($t, port(8085), connect => redirect(8086));
rtmp_origin($t, port(8086), connect => redirect(8085, '/'));

my $late = sub {
    my ($n, $host) = @_;

    return sub {
        my ($c, $m) = @_;

        return 0 if $m->{name} ne 'publish';

        $c->send_command('onStatus', 0, undef, amf_obj(level => 'error',
            code => 'NetStream.Publish.BadName', ex => amf_obj(code => 302,
            redirect => "rtmp://$host/live")), \{ csid => 5, msid => $n });

        return 1;
    };
};

# has other stream ids, and redirects late

my $seven = rtmp_origin($t, port(8087), create => 7,
    before => $late->(7, '127.0.0.1:' . port(8083)));

rtmp_origin($t, port(8095), before => $late->(1, '192.0.2.1:1935'));

$t->run();

###############################################################################

my @media = media_messages(10);
my $c = rtmp_publish(port(8094), 'live', 'cam1', early => [@media]);

is($c->{code}, 'NetStream.Publish.Start', 'followed');
is($third->wait_media(media_digest(@media)), media_digest(@media), 'media');
is($second->connections(), 0, 'no other was asked');

$c->close();
$c = rtmp_play(port(8094), 'live', 'cam2');

is($c->{code}, 'NetStream.Play.Start', 'play');

$c->close();

# what is no server of the route is not gone to

$c = rtmp_publish(port(8088), 'live', 'cam1');

is($c->{code}, 'NetConnection.Connect.Rejected', 'elsewhere');
ok($c->is_closed(2), 'elsewhere: closed');

$c->close();

# the session stays with the server that has refused it

$c = rtmp_publish(port(8096), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.BadName', 'elsewhere late');
is(conns('late'), '1 0 0', 'elsewhere late: conns');
is((sessions('late'))[0]{server}, '127.0.0.1', 'elsewhere late: session');

$c->close();

# nor is one asked twice

$c = rtmp_publish(port(8089), 'live', 'cam1');

is($c->{code}, 'NetConnection.Connect.Rejected', 'loop');
ok($c->is_closed(2), 'loop: closed');

$c->close();

# what was sent with the ids of one server is sent to the next with its own

$c = rtmp_publish(port(8090), 'live', 'seven', early => [@media]);

is($c->{code}, 'NetStream.Publish.Start', 'ids');
is($seven->wait(event => 'command', name => 'publish')->{msid}, 7, 'first id');
is(msid($third, 'seven'), 1, 'second id');

$c->send_command('closeStream', 9, undef, \{ csid => 8, msid => 1 });

is($third->wait(event => 'command', name => 'closeStream')->{msid}, 1,
    'second id in the relay');

$c->close();
$t->stop();

my %log;

for (split(/^/, $t->read_file('stream.log'))) {
    push @{$log{$1}}, $2 if /^(\d+)\|(.*)$/;
}

my @addr = map { '127.0.0.1:' . port($_) } 8081 .. 8086;

is($log{port(8094)}[0], "200 ok $addr[0], $addr[2]", 'log followed');
like($log{port(8094)}[1], qr/^200 \w+ $addr[0], $addr[2]$/, 'log play');
is($log{port(8088)}[0], "403 refused $addr[3]", 'log elsewhere');
is($log{port(8089)}[0], "403 refused $addr[4], $addr[5]", 'log loop');

###############################################################################

# the message stream on which that was published

sub msid {
    my ($origin, $name) = @_;
    my ($msid);

    wait_until(sub {
        ($msid) = map { $_->{msid} } grep { $_->{event} eq 'command'
            && $_->{name} eq 'publish' && $_->{args}[1] eq $name }
            $origin->events();
        return defined $msid;
    }, 5);

    return $msid;
}

###############################################################################
