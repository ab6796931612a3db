#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for health_check: tcp, rtmp and http, with nginx-rtmp as the server,
# and with servers that hang, refuse, or talk something else.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream http_ssl rewrite/)
    ->has_daemon('openssl');

need_rtmp_module($t)->plan(56);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
error_log %%TESTDIR%%/notice.log notice;

events {
}

rtmp_route tcp {
    zone          tcp 256k;
    health_check  interval=200ms fails=2 passes=2;
    server        127.0.0.1 rtmp=%%PORT_8081%%;
    server        127.0.0.2 rtmp=%%PORT_8089%%;
    server        127.0.0.3 rtmp=%%PORT_8088%%,%%PORT_8082%%;
    server        127.0.0.4 srt=10080;
    server        127.0.0.5 rtmp=%%PORT_8089%% down;
    server        ::1 rtmp=%%PORT_8089%%;
}

rtmp_route rtmp {
    zone          rtmp 256k;
    health_check  interval=200ms jitter=50ms timeout=1s type=rtmp;
    server        127.0.0.1 rtmp=%%PORT_8081%%;
    server        127.0.0.2 rtmp=%%PORT_8082%%;
    server        127.0.0.3 rtmp=%%PORT_8083%%;
    server        127.0.0.4 rtmps=%%PORT_8084%%;
    server        127.0.0.5 http=%%PORT_8083%%;
    server        127.0.0.6 rtmp=%%PORT_8085%% proxy_protocol=v1;
    server        127.0.0.7 rtmp=%%PORT_8085%% proxy_protocol=v2;
}

rtmp_route http {
    zone          http 256k;
    health_check  interval=200ms type=http uri=/up status=200,204-299;
    server        127.0.0.1 http=%%PORT_8083%%;
    server        127.0.0.2 https=%%PORT_8087%%;
    server        127.0.0.3 http=%%PORT_8081%%;
    server        127.0.0.4 rtmp=%%PORT_8081%%;
}

rtmp_route port {
    zone          port 256k;
    health_check  interval=200ms type=http uri=/up port=%%PORT_8083%%;
    server        127.0.0.1 rtmp=%%PORT_8089%%;
}

rtmp_route must {
    zone          must 256k;
    health_check  interval=200ms passes=2 mandatory;
    server        127.0.0.1 rtmp=%%PORT_8081%%;
    server        127.0.0.2 rtmp=%%PORT_8089%%;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }

        location = /ping {
            rtmp_route_ping route=must;
        }
    }

    server {
        listen 0.0.0.0:%%PORT_8087%% ssl;

        ssl_certificate     %%TESTDIR%%/localhost.crt;
        ssl_certificate_key %%TESTDIR%%/localhost.key;

        location = /up {
            return 204;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen     0.0.0.0:%%PORT_8084%% ssl;
        proxy_pass 127.0.0.1:%%PORT_8081%%;

        ssl_certificate     %%TESTDIR%%/localhost.crt;
        ssl_certificate_key %%TESTDIR%%/localhost.key;
    }

    server {
        listen     0.0.0.0:%%PORT_8085%% proxy_protocol;
        proxy_pass 127.0.0.1:%%PORT_8081%%;
    }
}

EOF_CONF

my $d = $t->testdir();

system('openssl req -x509 -new -nodes -newkey rsa:2048 -days 2 '
    . "-subj /CN=localhost/ -keyout '$d/localhost.key' "
    . "-out '$d/localhost.crt' >/dev/null 2>&1") == 0
    or die "Can't create a certificate: $!\n";

for my $n (1, 2) {
    nginx_rtmp($t, "origin$n", <<"EOF_CONF");

rtmp {
    server {
        listen 0.0.0.0:%%PORT_808$n%%;

        access_log $d/access$n.log;

        application live {
            live on;
        }
    }
}

EOF_CONF
}

my $httpd = httpd($t, port(8083), sub {
    my ($r) = @_;

    return http_response($r->{uri} eq '/up' ? 200 : 404, 'x' x 100000);
}, host => '0.0.0.0');

$t->run();

my ($s, $log, $refused, $n);

###############################################################################
# tcp

ok(wait_state('tcp', '127.0.0.1', 'up'), 'tcp: up');
ok(wait_state('tcp', '127.0.0.2', 'down'), 'tcp: down');
ok(wait_state('tcp', '127.0.0.3', 'up'), 'tcp: one of two ports');
ok(wait_state('tcp', '::1', 'down'), 'tcp: IPv6');

$s = server('tcp', '127.0.0.2');
$refused = 'connect\(\) to 127\.0\.0\.2:' . port(8089)
    . ' failed \(111: Connection refused\)';

is($s->{reason}, 'health_check', 'reason');
like($s->{health_checks}{error}, qr/^$refused$/, 'error');
cmp_ok($s->{health_checks}{checks}, '>=', 2, 'checks');
is($s->{health_checks}{fails}, $s->{health_checks}{checks}, 'fails');
is($s->{health_checks}{unhealthy}, 1, 'unhealthy');
ok(!$s->{health_checks}{last_passed}, 'last not passed');
like($s->{downstart}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/, 'downstart');
cmp_ok($s->{downtime}, '>', 0, 'downtime');

$s = server('tcp', '127.0.0.1');

is($s->{reason}, '', 'no reason');
ok($s->{health_checks}{last_passed}, 'last passed');
is($s->{health_checks}{fails}, 0, 'no fails');
ok(!exists $s->{health_checks}{error}, 'no error');
ok(!exists $s->{downstart}, 'no downstart');
is($s->{downtime}, 0, 'no downtime');

$s = server('tcp', '127.0.0.4');

is($s->{state}, 'up', 'nothing to talk to');
is($s->{health_checks}{checks}, 0, 'not checked');

$s = server('tcp', '127.0.0.5');

is($s->{state} . $s->{health_checks}{checks}, 'down0', 'disabled: not checked');

# logged once

ok(wait_until(sub { server('tcp', '127.0.0.2')->{health_checks}{fails} > 4
    }), 'more fails');

$log = $t->read_file('notice.log');

$n = () = $log =~ /upstream server "127\.0\.0\.2" is down.*zone "tcp"/g;

is($n, 1, 'logged once');
like($log,
    qr/\[error\].*server "127\.0\.0\.2" is down: $refused in zone "tcp"/,
    'with the reason');

# up and down

my $origin = origin($t, 3, 8089);

ok(wait_state('tcp', '127.0.0.2', 'up'), 'up');
like($t->read_file('notice.log'),
    qr/\[notice\].*upstream server "127\.0\.0\.2" is up.*zone "tcp"/, 'logged');

$s = server('tcp', '127.0.0.2');

is($s->{health_checks}{unhealthy}, 1, 'unhealthy once');
ok(!exists $s->{downstart}, 'not down');
cmp_ok($s->{downtime}, '>=', 400, 'downtime is kept');
is($s->{downtime}, server('tcp', '127.0.0.2')->{downtime}, 'does not grow');

is(patch('tcp', '127.0.0.5', down => JSON::PP::false())->{state}, 'checking',
    'enabled: checking');
ok(wait_state('tcp', '127.0.0.5', 'up'), 'and up');

# rtmp

ok(wait_state('rtmp', '127.0.0.1', 'up'), 'rtmp: up');
ok(wait_state('rtmp', '127.0.0.3', 'down'), 'rtmp: not RTMP');
ok(wait_state('rtmp', '127.0.0.4', 'up'), 'rtmp: TLS');
ok(wait_state('rtmp', '127.0.0.5', 'up'), 'rtmp: no RTMP, connects');
ok(wait_state('rtmp', '127.0.0.6', 'up'), 'rtmp: PROXY protocol');
ok(wait_state('rtmp', '127.0.0.7', 'up'), 'rtmp: PROXY protocol, version 2');

like(server('rtmp', '127.0.0.3')->{health_checks}{error},
    qr/^(answer is not RTMP from|handshake to) 127\.0\.0\.3/, 'error');

my $pid = worker($t->read_file('origin2.pid'));

ok(wait_state('rtmp', '127.0.0.2', 'up'), 'rtmp: runs');
kill('STOP', $pid);
ok(wait_state('rtmp', '127.0.0.2', 'down'), 'rtmp: hangs');
like(server('rtmp', '127.0.0.2')->{health_checks}{error},
    qr/^handshake to 127\.0\.0\.2:\d+ timed out$/, 'error');
is(server('tcp', '127.0.0.3')->{state}, 'up', 'tcp: sees nothing of that');
kill('CONT', $pid);
ok(wait_state('rtmp', '127.0.0.2', 'up'), 'rtmp: runs on');

# http

ok(wait_state('http', '127.0.0.1', 'up'), 'http: up');
ok(wait_state('http', '127.0.0.2', 'up'), 'http: TLS');
ok(wait_state('http', '127.0.0.3', 'down'), 'http: not HTTP');
ok(wait_state('http', '127.0.0.4', 'up'), 'http: no HTTP, connects');
ok(wait_state('port', '127.0.0.1', 'up'), 'http: another port');

my @r = grep { $_->{uri} eq '/up' } $httpd->requests();

is($r[0]->{headers}{host}, '127.0.0.1', 'http: host');
like($r[0]->{headers}{'user-agent'}, qr/health check/, 'http: user agent');

# mandatory

ok(wait_state('must', '127.0.0.1', 'up'), 'mandatory: up');
like(http_get('/ping'), qr/pong/, 'ping');

# nothing of it at the servers

$log = $t->read_file('origin1.log');

unlike($log, qr/\[(?:warn|error|crit|alert|emerg)\]/, 'no noise');
is(-s "$d/access1.log", 0, 'nor in the access log');

# a check that is running ends with the process

kill('STOP', $pid);
$t->reload();
ok(wait_state('rtmp', '127.0.0.2', 'down'), 'checks go on after a reload');
kill('CONT', $pid);

###############################################################################

sub server {
    my ($route, $id) = @_;

    return api('GET', "$route/servers/$id") || {};
}

# streams of nginx-rtmp are those of one process

sub worker {
    my ($master) = @_;

    chomp($master);

    open(my $fh, '<', "/proc/$master/task/$master/children")
        or die "Can't read children of $master: $!\n";

    return (split(' ', scalar(<$fh>)))[0];
}

sub wait_state {
    my ($route, $id, $state) = @_;
    my $s;

    return 1 if wait_until(sub {
        $s = server($route, $id);
        return ($s->{state} || '') eq $state;
    }, 10);

    diag("$id: ", explain($s));

    return 0;
}

sub origin {
    my ($t, $n, $port) = @_;

    nginx_rtmp($t, "origin$n", <<"EOF_CONF");

rtmp {
    server {
        listen 0.0.0.0:@{[port($port)]};

        application live {
            live on;
        }
    }
}

EOF_CONF
}

###############################################################################
