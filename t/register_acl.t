#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "rtmp_route_acl proxies": an nginx-rtmp that registers with proxies
# serves HLS to those of them that answered, and to nobody else.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::HTTPD;
use Test::Nginx::Register;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http access/);

plan(skip_all => 'no IPv6') unless Test::Nginx::has_ipv6();

need_register($t)->plan(47);

my $dir = $t->testdir();
my $dns = port(8980, udp => 1);

write_names($t, 'proxy.example.com' => ['127.0.0.5']);

$t->run_daemon(\&dns_daemon, $dns, "$dir/names");
$t->waitforfile("$dir/$dns");

mkdir "$dir/hls";
$t->write_file('hls/ok', 'let in');

# proxies answer what they are told to, and only who has the token

my $yes = '{"code":0,"pid":"1"}';

my %proxies = map { my $host = $_; $host => httpd($t, port(8090), sub {
    my ($r) = @_;

    return http_response(401)
        if ($r->{headers}{authorization} || '') ne 'Bearer SECRET';
    return http_response(503) if -e "$dir/down" && !-e "$dir/says-$host";
    return http_response(200, slurp("$dir/says-$host") || $yes);
}, host => $host, file => "$dir/httpd-$host.log") }
    ('::1', map { "127.0.0.$_" } 2 .. 8);

$t->write_file("says-127.0.0.4", '{"code":1061,"pid":"1"}');
$t->write_file("says-127.0.0.7", '<html>It works!</html>');
$t->write_file('down', '');

###############################################################################

my $o = register_origin($t, 'origin', conf(2 .. 4, 7));

# none has answered yet

ok(asked('127.0.0.2') && asked('::1') && asked('127.0.0.5'), 'asked');
is(get('127.0.0.2'), 403, 'no success, IPv4');
is(get('::1'), 403, 'no success, IPv6');
is(get('127.0.0.5'), 403, 'no success, name');
is(get('127.0.0.2', '/list/ok'), 403, 'no success, with a route');

# now some do

unlink "$dir/down";

ok(let_in($_), "$_ let in") for '127.0.0.2', '::1', '127.0.0.5';

is(seen('127.0.0.2'), 200, 'let in by each worker');
is(seen('::1'), 200, 'let in by each worker, IPv6');

is(get('127.0.0.2', '/hls/ok', 8085, '127.0.0.1'), 200, 'IPv4 in IPv6');
is(get('127.0.0.9', '/hls/ok', 8085, '127.0.0.1'), 403,
    'IPv4 in IPv6, another');

ok(asked('127.0.0.3', 2), 'asked again');
is(get('127.0.0.3'), 403, 'another token');
ok(asked('127.0.0.4', 2), 'asked again, another code');
is(get('127.0.0.4'), 403, 'another code');
ok(asked('127.0.0.7', 2), 'asked again, no API');
is(get('127.0.0.7'), 403, 'no API');
is(get('127.0.0.6'), 403, 'who is not known');
is(get('127.0.0.1'), 403, 'the machine itself');

# with a route, its list comes first

is(get('127.0.0.2', '/list/ok'), 200, 'with a route');
is(get('127.0.0.9', '/list/ok'), 403, 'with a route, another');
is(get('127.0.0.2', '/route/ok'), 403, 'without the word');

rule('{"action":"deny","cidr":"127.0.0.2"}');
is(get('127.0.0.2', '/list/ok'), 403, 'the list denies');
is(get('127.0.0.2'), 200, 'without a route there is none');

rule('{"action":"allow","cidr":"proxies"}');
is(get('127.0.0.5', '/route/ok'), 200, 'the word in the list');
is(get('127.0.0.9', '/route/ok'), 403, 'the word in the list, another');

# where it stands

is(get('127.0.0.2', '/hls/off/ok'), 403, 'off');
is(get('127.0.0.9', '/all/ok'), 200, 'no opinion');
is(get('127.0.0.2', '/deny/ok'), 403, 'deny beside it');

# the name gets another address, which answers

write_names($t, 'proxy.example.com' => ['127.0.0.6']);
ok(let_in('127.0.0.6'), 'another address');
is(get('127.0.0.5'), 200, 'the one before stays for a time');

# a worker dies, and who registers is another one

my @workers = $o->workers();

$t->write_file('down', '');
kill('KILL', @workers);
ok(wait_until(sub { my %old = map { $_ => 1 } @workers;
    3 == grep { !$old{$_} } $o->workers() }), 'other workers');
is(seen('127.0.0.2') . seen('127.0.0.6'), '200200', 'workers killed');

# a reload, with proxies that do not answer

reload(conf(2 .. 4, 7));
is(seen('127.0.0.2') . seen('127.0.0.6'), '200200', 'reload');
is(seen('::1'), 200, 'reload, IPv6');

# a proxy that is not there any more, and a new one

unlink "$dir/down";

reload(conf(3, 8));
ok(let_in('127.0.0.8'), 'a new proxy');
is(seen('127.0.0.2'), 403, 'one that was taken out');
is(seen('::1'), 200, 'one that stays');

my $log = $o->log();

like($log, qr!/b4" failed: its answer has no "code":0!, 'code is logged');
like($log, qr!/b7" failed: its answer has no "code":0!, 'answer is logged');
like($log, qr!/b3" failed: status 401!, 'status is logged');
unlike($log, qr/SECRET|WRONG/, 'no token in the log');

# what nginx -t says

is(tested('rtmp_route_register http://127.0.0.1/;'), '', 'rtmp{} later');
like(tested(''), qr!\[emerg\].*"rtmp_route_acl\ proxies"\ needs\ proxies.*
    there\ is\ no\ "rtmp_route_register"\ in\ rtmp\{\},\ in\ \S+\.conf:\d+!x,
    'no proxies');
like(tested('', 'live proxies'), qr!\[warn\].*lets\ in\ nobody:\ there\ is\ no
    \ "rtmp_route_register"\ in\ rtmp\{\},\ in\ \S+\.conf:\d+$!mx,
    'no proxies, with a route');
like(tested('rtmp_route_register http://127.0.0.1/;', 'proxies', 'proxies'),
    qr/is about proxies, and not about rtmp_route "proxies", which needs/,
    'a route of that name');

###############################################################################

sub conf {
    my $register = join("\n", map {
        my $token = $_ == 3 ? 'WRONG' : 'SECRET';
        "rtmp_route_register http://127.0.0.$_:%%PORT_8090%%/b$_ interval=1s"
            . " token=$token id=a;"
    } @_);

    return <<"EOF_CONF";
worker_processes 3;

rtmp_route live {
    zone    live 1m;
    server  10.0.0.11;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  *:%%PORT_8084%%;
        listen  [::1]:%%PORT_8084%%;
        listen  [::]:%%PORT_8085%% ipv6only=off;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /hls/ {
            satisfy         any;
            rtmp_route_acl  proxies;
            deny            all;
            alias           %%TESTDIR%%/hls/;

            location /hls/off/ {
                rtmp_route_acl  off;
                deny            all;
                alias           %%TESTDIR%%/hls/;
            }
        }

        location /list/ {
            satisfy         any;
            rtmp_route_acl  live servers proxies;
            deny            all;
            alias           %%TESTDIR%%/hls/;
        }

        location /route/ {
            satisfy         any;
            rtmp_route_acl  live;
            deny            all;
            alias           %%TESTDIR%%/hls/;
        }

        location /all/ {
            rtmp_route_acl  proxies;
            alias           %%TESTDIR%%/hls/;
        }

        location /deny/ {
            rtmp_route_acl  proxies;
            deny            127.0.0.2;
            alias           %%TESTDIR%%/hls/;
        }
    }
}

rtmp {
    $register
    rtmp_route_register http://[::1]:%%PORT_8090%%/six interval=1s
                        token=SECRET id=a ip=::1;
    rtmp_route_register http://proxy.example.com:%%PORT_8090%%/name interval=1s
                        token=SECRET id=a resolver=127.0.0.1:$dns;

    server {
        listen %%PORT_8081%%;

        application live {
            live on;
        }
    }
}
EOF_CONF
}

sub asked {
    my ($host, $n) = @_;

    return wait_until(sub { $proxies{$host}->requests() >= ($n || 1) }, 15);
}

sub get {
    my ($from, $uri, $port, $to) = @_;

    $uri ||= '/hls/ok';
    $to ||= $from =~ /:/ ? '::1' : '127.0.0.1';

    my $r = http("GET $uri HTTP/1.0\x0d\x0a\x0d\x0a", LocalAddr => $from,
        PeerAddr => $to, PeerPort => port($port || 8084));

    return ($r || '') =~ m!^HTTP/1\.1 (\d+)! ? $1 : 'none';
}

sub let_in {
    my ($from) = @_;

    return wait_until(sub { get($from) eq '200' }, 15);
}

# all statuses of some requests

sub seen {
    my ($from) = @_;
    my %seen;

    $seen{get($from)} = 1 for 1 .. 12;

    return join(' ', sort keys %seen);
}

sub rule {
    my ($text) = @_;

    return http("POST /api/1/routes/live/access/ HTTP/1.0\x0d\x0a"
        . 'Content-Length: ' . length($text) . "\x0d\x0a\x0d\x0a$text",
        PeerAddr => '127.0.0.1', PeerPort => port(8084));
}

# the configuration changes, and the process stays

sub reload {
    my ($conf) = @_;
    my %old = map { $_ => 1 } $o->workers();

    my $text = $t->read_file('origin.conf');
    $t->write_file_expand('new.conf', $conf);
    $conf = $t->read_file('new.conf');

    $text =~ s/^worker_processes 3;.*\z//ms;
    $conf =~ s/^rtmp \{\n/rtmp {\n    access_log off;\n/m;
    $t->write_file('origin.conf', $text . $conf);

    $o->signal('HUP');

    wait_until(sub {
        my @now = $o->workers();
        return @now == 3 && !grep { $old{$_} } @now;
    }, 10) or diag('no reload');
}

sub tested {
    my ($register, $acl, $route) = @_;
    my ($globals, $answer) = ($t->test_globals());

    $acl ||= 'proxies';
    $route ||= 'live';

    $t->write_file_expand('test.conf', <<"EOF_CONF");
daemon off;
$globals

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen          127.0.0.1:8080;
        rtmp_route_acl  $acl;
    }
}

rtmp_route $route {
    server  10.0.0.11;
}

rtmp {
    access_log off;
    $register

    server {
        listen 127.0.0.1:8081;

        application live {
            live on;
        }
    }
}
EOF_CONF

    $answer = `$Test::Nginx::NGINX -t -p $dir -c test.conf -e test.log 2>&1`;
    $answer =~ s/^.*(?:syntax is ok|test is successful).*\n//mg;

    return $answer;
}

###############################################################################
