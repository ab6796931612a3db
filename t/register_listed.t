#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_register: streams as proxies take them, whatever form
# their keys have and whatever names publishers choose.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

need_register($t)->plan(15)->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone      live 1m;
    register  timeout=30s open allow=127.0.0.0/8;
}

rtmp_route bare {
    zone      bare 1m;
    key       stream;
    register  timeout=30s open allow=127.0.0.0/8;
}

rtmp_route host {
    zone      host 1m;
    key       vhost/app/stream;
    register  timeout=30s open allow=127.0.0.0/8;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $uri = 'http://127.0.0.1:' . port(8080) . '/api/v1/srs/register/route';

my $o = register_origin($t, 'origin', <<"EOF_CONF");
worker_processes 2;

rtmp {
    rtmp_route_register $uri=live id=a;
    rtmp_route_register $uri=bare id=a;
    rtmp_route_register $uri=host id=a;

    server {
        listen 127.0.0.1:%%PORT_8081%%;

        application live {
            live on;
        }

        application live.v2 {
            live on;
        }
    }
}
EOF_CONF

# the same stream as keys of all forms

my @open = (publish('live', 'cam1'));

ok(listed('live', 'live/cam1'), 'application and name');
ok(listed('bare', 'cam1'), 'name');
ok(listed('host', '__defaultVhost__/live/cam1'), 'host, application and name');

push @open, publish('live.v2', 'x'), publish('live', '2024/cam1');

ok(listed('live', 'live.v2/x live/2024/cam1 live/cam1'), 'with a dot');
ok(listed('bare', '2024/cam1 cam1 x'), 'with a slash');
ok(listed('host', join(' ', map { "__defaultVhost__/$_" }
    qw! live.v2/x live/2024/cam1 live/cam1 !)), 'an application is no host');

$_->close() for @open;
ok(listed('live', ''), 'gone');

# names that a publisher may choose do no harm to the others

my @names = ("\xff\xfe", "\xc3\x28", "a\"b\\c", "\x01\x1b[31m\x7f", "tab\there",
    "caf\xc3\xa9", '../../x', 'a/../b', '..', '.', 'a//b', '%2e%2e%2f', ' ', '',
    '/', 'http://10.0.0.1/x', '//10.0.0.1/y', 'x' x 255, '__defaultVhost__/v',
    'vhost.example.com/v');

@open = map { publish('live', $_) } @names, 'good';

my @want = sort("\x{fffd}\x{fffd}", "\x{fffd}(", "a\"b\\c", "caf\x{e9}", 'a/b',
    '%2e%2e%2f', ' ', 'http:/10.0.0.1/x', '10.0.0.1/y', 'x' x 255,
    '__defaultVhost__/v', 'vhost.example.com/v', 'good');

ok(listed('live', join(' ', sort 'live', map { "live/$_" } @want)),
    'names of all kinds');
ok(listed('bare', join(' ', sort 'live', @want)), 'without an application');
ok(listed('host', join(' ', sort map { "__defaultVhost__/live$_" } '',
    map { "/$_" } @want)), 'with a host');

is(join(' ', map { (servers($_))[0]->{state} } qw/ live bare host /),
    'up up up', 'registered all the same');

$_->close() for @open;
ok(listed('live', ''), 'all gone');

# what expects a PROXY header is told to be so, if there is nothing else

my $p = register_origin($t, 'behind', <<"EOF_CONF");
rtmp {
    server {
        rtmp_route_register $uri=live id=behind;
        listen 127.0.0.1:%%PORT_8082%% proxy_protocol;
    }

    server {
        rtmp_route_register $uri=live id=both;
        listen 127.0.0.1:%%PORT_8083%% proxy_protocol;
        listen 127.0.0.1:%%PORT_8084%%;
    }
}
EOF_CONF

ok(wait_until(sub { servers('live') == 3 }), 'two more');

is(endpoints('behind'), port(8082) . ' v1', 'behind a proxy');
is(endpoints('both'), port(8084) . ' ', 'both');

###############################################################################

sub publish {
    my ($app, $name) = @_;

    return rtmp_publish(port(8081), $app, $name);
}

sub endpoints {
    my $server = api('GET', "live/servers/$_[0]");

    return join(' ', map({ /:(\d+)$/ } @{$server->{rtmp}}),
        $server->{proxy_protocol});
}

sub listed {
    my ($route, $want) = @_;
    my $list;

    return 1 if wait_until(sub {
        my $streams = api('GET', "$route/streams/");
        $list = join(' ', sort keys %$streams);
        return $list eq $want;
    });

    note("listed: " . encode_json([$list]));
    return 0;
}

###############################################################################
