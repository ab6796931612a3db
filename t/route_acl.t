#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_acl: the access list of a route, edited by the API.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::UNIX;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http access realip unix/)->plan(98);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

worker_processes 3;

events {
}

rtmp_route live {
    zone      live SIZE;
    register  open;
    server    10.0.0.11;
}

rtmp_route other {
    zone    other 64k;
    server  10.0.0.12;
}

http {
    %%TEST_GLOBALS_HTTP%%

    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Client;

    error_log  %%TESTDIR%%/info.log info;

    server {
        listen       127.0.0.1:8080;
        listen       unix:%%TESTDIR%%/unix.sock;
        server_name  localhost;

        location /api/ {
            rtmp_route_api  write=on;
        }

        location /ro/ {
            rtmp_route_api;
        }

        location /list {
            rtmp_route_acl  live;
            return_ok;
        }

        location /servers {
            rtmp_route_acl  live servers;
            deny            10.0.0.99;
            return_ok;
        }

        location /proxies {
            rtmp_route_acl  live proxies servers;
            return_ok;
        }

        location /all {
            rtmp_route_acl  live;
            allow           10.0.0.0/8;
            deny            all;
            return_ok;
        }

        location /any {
            satisfy         any;
            rtmp_route_acl  live;
            allow           192.0.2.0/24;
            deny            all;
            return_ok;
        }

        location /words {
            satisfy         any;
            rtmp_route_acl  live servers;
            deny            all;
            return_ok;
        }

        location /none {
            return_ok;
        }

        location /post {
            return_ok;

            limit_except GET {
                rtmp_route_acl  live;
            }
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        rtmp_route_acl  live;

        location / {
            return_ok;
        }

        location /off {
            rtmp_route_acl  off;
            return_ok;
        }

        location /other {
            rtmp_route_acl  other;
            return_ok;
        }
    }
}

EOF_CONF

# "return" would come before the access rules

$conf =~ s/return_ok/alias %%TESTDIR%%\/ok/g;

$t->write_file('ok', 'let in');
write_conf($t, '1m');
$t->run();

###############################################################################

my ($r, $id, $first, $last, @rules);

my $access = '/api/1/routes/live/access/';

# an empty list says nothing

is(body($access), '[]', 'empty list');
is(get('/list'), 200, 'empty list lets in');
is(get('/list', '2001:db8::1'), 200, 'empty list, IPv6');
is(get_unix($t, '/list'), 200, 'empty list, unix');
is(get('/all', '10.1.1.1'), 200, 'empty list, allow');
is(get('/all', '192.0.2.1'), 403, 'empty list, deny');
is(get('/any', '192.0.2.1'), 200, 'empty list, satisfy any');
is(get('/any', '10.1.1.1'), 403, 'empty list, satisfy any, deny');

# a rule is added

$r = request('POST', $access, '{"action":"deny","cidr":"10.1.2.3/16"}');
like($r, qr/^HTTP\/1.1 201 /, 'created');
like($r, qr/\{"id":(\d+),"action":"deny","cidr":"10\.1\.0\.0\/16"\}$/,
    'the rule');

($id) = $r =~ /"id":(\d+)/;
$id = 0 unless defined $id;

like($r, qr!^Location: \Q$access$id\E\x0d$!mi, 'its location');
is(body("$access$id"), qq({"id":$id,"action":"deny","cidr":"10.1.0.0/16"}),
    'one rule');
is(body("$access$id/?fields=cidr"), '{"cidr":"10.1.0.0/16"}', 'fields');

is(seen(10, '/list', '10.1.255.255'), '403', 'denied by each worker');
is(get('/list', '10.2.0.0'), 200, 'no opinion about others');
is(get('/list', '::ffff:10.1.0.1'), 403, 'IPv4 in IPv6');
is(get('/all', '10.1.0.1'), 403, 'allow does not help');
is(get('/all', '10.2.0.1'), 200, 'nor is it in the way');
is(get('/all', '192.0.2.1'), 403, 'deny stays');

# the same network again

$r = request('POST', $access, '{"action":"deny","cidr":"10.1.0.0/16"}');
like($r, qr/^HTTP\/1.1 409 .*"EntryExists"/s, 'a duplicate');
$r = request('POST', $access, '{"action":"allow","cidr":"10.1.9.9/16"}');
like($r, qr/^HTTP\/1.1 409 .*rule $id is about/s, 'and with the other action');

# the first rule wins

$first = $id;
$last = add('allow', '10.1.1.0/24');
is(get('/list', '10.1.1.1'), 403, 'behind the network');

$r = request('DELETE', "$access$last");
like($r, qr/^HTTP\/1.1 200 .*\[\{"id":$first,[^{}]+\}\]$/s, 'deleted');

$id = add('allow', '10.1.1.0/24', $first);
ok($id > $last, 'a new id');

is(get('/list', '10.1.1.1'), 200, 'in front of the network');
is(get('/list', '10.1.2.1'), 403, 'others are denied still');
is(join(' ', map { $_->{id} } list('live')), "$id $first", 'order');

# IPv6, and a default

is(ref(add('deny', '2001:db8::1/33')), '', 'IPv6');
is(get('/list', '2001:db8:7fff::1'), 403, 'IPv6 denied');
is(get('/list', '2001:db8:8000::1'), 200, 'IPv6 not denied');
is((list('live'))[-1]{cidr}, '2001:db8::/33', 'IPv6 is shown');

is(get_unix($t, '/list'), 200, 'unix, no rule for it');
$last = add('deny', 'unix:');
is(get_unix($t, '/list'), 403, 'unix denied');
is(get('/list'), 200, 'but nobody else');
remove($last);

$last = add('deny', 'all');
is(get('/list'), 403, 'all');
is(get('/list', '2001:db8:8000::1'), 403, 'all, IPv6');
is(get_unix($t, '/list'), 403, 'all, unix');
is(get('/list', '10.1.1.1'), 200, 'but for whom is allowed before');

# together with allow and deny

is(get('/all', '10.1.1.1'), 200, 'both say yes');
is(get('/all', '10.2.2.2'), 403, 'the list says no');
is(get('/any', '10.1.1.1'), 200, 'satisfy any, the list says yes');
is(get('/any', '192.0.2.1'), 200, 'satisfy any, allow says yes');
is(get('/any', '10.2.2.2'), 403, 'satisfy any, both say no');

# where it stands

is(get('/', '10.2.2.2', 8081), 403, 'in the server');
is(get('/off', '10.2.2.2', 8081), 200, 'off');
is(get('/other', '10.2.2.2', 8081), 200, 'of another route');
is(get('/none', '10.2.2.2'), 200, 'nowhere');
is(get('/post', '10.2.2.2'), 200, 'limit_except, GET');
is(status(http(request_text('POST', '/post', '10.2.2.2'))), 403,
    'limit_except, POST');

remove($last);

# servers

is(get('/words', '10.0.0.11'), 200, 'servers in the directive');
is(get('/words', '10.0.0.12'), 403, 'no server');

$r = request('POST', '/api/v1/srs/register', '{"ip":"10.0.0.77","server":"s",'
    . '"service":"a","pid":"1","rtmp":["1935"],"http":["10.0.0.78:80"]}');
like($r, qr/^HTTP\/1.1 200 /, 'a server registers');

is(seen(10, '/words', '10.0.0.77'), '200', 'known to each worker');
is(get('/words', '10.0.0.78'), 200, 'another address of it');
is(get('/words', '2001:db8:8000::1'), 403, 'no server, IPv6');
is(get_unix($t, '/words'), 403, 'unix is no server');

request('DELETE', '/api/1/routes/live/servers/s');
is(seen(10, '/words', '10.0.0.77'), '403', 'forgotten by each worker');

$last = add('deny', '10.0.0.11');
is(get('/words', '10.0.0.11'), 403, 'the list comes before the word');
remove($last);

is(get('/servers', '10.0.0.99'), 403, 'deny beside the word');

$last = add('deny', 'servers');
is(get('/list', '10.0.0.11'), 403, 'servers in the list');
is(get('/list', '10.0.0.12'), 200, 'others are not');
remove($last);

$last = add('deny', 'proxies');
is(get('/list', '127.0.0.1'), 200, 'no proxies');
is(get('/proxies', '127.0.0.1'), 200, 'no proxies in the directive');
remove($last);

# what is refused

for my $case (
    ['', 'empty action'],
    ['[]', 'must be a JSON object'],
    ['{"cidr":"10.0.0.0/8"}', 'empty action'],
    ['{"action":"allow"}', 'empty cidr'],
    ['{"action":"allow","cidr":7}', 'must be a string'],
    ['{"action":"pass","cidr":"10.0.0.0/8"}', 'must be ..allow'],
    ['{"action":"allow","cidr":"10.0.0.0/33"}', 'must be a network'],
    ['{"action":"allow","cidr":"localhost"}', 'must be a network'],
    ['{"action":"allow","cidr":"10.0.0.0/8","x":1}', 'unknown field'],
    ['{"action":"allow","cidr":"10.9.0.0/16","before":"1"}', 'before'],
    ['{"action":"allow","cidr":"10.9.0.0/16","before":4711}', 'before'],
) {
    $r = request('POST', $access, $case->[0]);
    like($r, qr/^HTTP\/1.1 400 .*$case->[1]/s, "refused: $case->[0]");
}

like(request('GET', "${access}4711"), qr/ 404 .*"RuleNotFound"/s, 'no rule');
like(request('DELETE', "${access}0"), qr/ 404 .*"RuleNotFound"/s, 'rule 0');
like(request('DELETE', $access), qr/ 405 .*^Allow: GET, HEAD, POST\x0d/ms,
    'no method for the list');
like(request('POST', '/ro/1/routes/live/access/', '{}'),
    qr/ 405 .*^Allow: GET, HEAD\x0d.*"MethodDisabled"/ms, 'write=off');

# pages

remove($_->{id}) for list('live');
add('allow', "10.3.$_.0/24") for 1 .. 5;

$r = request('GET', "$access?limit=2&fields=cidr");
like($r, qr/"10\.3\.1\.0\/24"\},\{"cidr":"10\.3\.2\.0\/24"\}\]$/, 'a page');
like($r, qr/^Link: <\?limit=2&fields=cidr&after=[\w-]+>; rel="next"\x0d$/m,
    'the next page');
my ($after) = $r =~ /after=([\w-]+)>/;
$r = request('GET', "$access?limit=3&after=$after&fields=cidr");
like($r, qr/\[\{"cidr":"10\.3\.3\.0[^\[\]]*\.5\.0\/24"\}\]$/, 'the last page');
unlike($r, qr/^Link:/m, 'no next page');

# a small zone has room for few

$r = 0;

for my $n (1 .. 100) {
    last if request('POST', '/api/1/routes/other/access/',
        qq({"action":"allow","cidr":"10.4.0.$n"})) !~ / 201 /;
    $r = $n;
}

is($r, 16, 'room for so many');
like(request('POST', '/api/1/routes/other/access/',
    qq({"action":"allow","cidr":"10.4.1.1"})), qr/ 507 .*"ZoneFull"/s, 'full');

# a worker is killed, nginx is reloaded, the zone gets another size

remove($_->{id}) for list('live');
add('deny', '10.5.0.0/16');

my ($worker) = workers($t);
kill('KILL', $worker);
$t->todo_alerts();

for (1 .. 100) {
    last if (my @now = grep { $_ != $worker } workers($t)) == 3;
    sleep(0.05);
}

is(seen(10, '/list', '10.5.0.1'), '403', 'after a kill');

ok(reload($t), 'reload');
is(seen(10, '/list', '10.5.0.1'), '403', 'after a reload');

write_conf($t, '128k');
ok(reload($t), 'reload with a smaller zone');
is(seen(10, '/list', '10.5.0.1'), '403', 'copied');
is(body($access), json_of(list('live')), 'the list is the same');

add('allow', "10.6.$_.0/24") for 1 .. 20;
write_conf($t, '64k');
ok(!reload($t), 'a list that does not fit');
like($t->read_file('error.log'),
    qr/\[emerg\].*"live" is too small for the access list or the bans/,
    'is refused');
is(seen(10, '/list', '10.5.0.1'), '403', 'and stays');

like($t->read_file('info.log'),
    qr/\[info\].*access forbidden by rule \d+ of route "live", client/,
    'what is logged');

# what the configuration test says

for my $case (
    ['rtmp_route_acl absent;', 'rtmp_route "absent" is not defined'],
    ['rtmp_route_acl live what;', 'invalid parameter "what"'],
    ['rtmp_route_acl live servers servers;', 'invalid parameter "servers"'],
    ['rtmp_route_acl live; rtmp_route_acl live;', 'is duplicate'],
) {
    like(conf_test($t, $case->[0]), qr/\Q$case->[1]/, "$case->[1]");
}

###############################################################################

sub write_conf {
    my ($t, $size) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/SIZE/$size/r);
}

sub request_text {
    my ($method, $uri, $client) = @_;

    return "$method $uri HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a"
        . ($client ? "X-Client: $client\x0d\x0a" : '') . "\x0d\x0a";
}

sub status {
    my ($reply) = @_;

    return ($reply || '') =~ m!^HTTP/1\.1 (\d+)! ? $1 : 'none';
}

sub get {
    my ($uri, $client, $port) = @_;

    return status(http(request_text('GET', $uri, $client),
        PeerAddr => '127.0.0.1:' . port($port || 8080)));
}

sub get_unix {
    my ($t, $uri) = @_;

    return status(http(request_text('GET', $uri), socket =>
        IO::Socket::UNIX->new(Peer => $t->testdir() . '/unix.sock')));
}

# all statuses of so many requests

sub seen {
    my ($n, @args) = @_;
    my %seen;

    $seen{get(@args)} = 1 for 1 .. $n;

    return join(' ', sort keys %seen);
}

sub body {
    my ($uri) = @_;

    return http_content(http_get($uri));
}

sub list {
    my ($route) = @_;

    return @{api('GET', "$route/access/") || []};
}

sub json_of {
    return '[' . join(',', map {
        qq({"id":$_->{id},"action":"$_->{action}","cidr":"$_->{cidr}"})
    } @_) . ']';
}

# the id of the rule

sub add {
    my ($action, $cidr, $before) = @_;
    my $rule = api('POST', 'live/access/', { action => $action,
        cidr => $cidr, $before ? (before => $before + 0) : () });

    return $rule ? $rule->{id} : 'none';
}

sub remove {
    my ($id) = @_;

    return api('DELETE', "live/access/$id");
}

sub workers {
    my ($t) = @_;
    my $pid = $t->read_file('nginx.pid') + 0;

    return split(' ', `pgrep -P $pid`);
}

# whether another generation of workers took over

sub reload {
    my ($t) = @_;
    my %old = map { $_ => 1 } workers($t);

    $t->reload();

    for (1 .. 60) {
        my @now = workers($t);
        return 1 if @now == 3 && !grep { $old{$_} } @now;
        sleep(0.05);
    }

    return 0;
}

sub conf_test {
    my ($t, $directive) = @_;
    my $dir = $t->testdir();

    $t->write_file_expand('test.conf', <<EOF);

%%TEST_GLOBALS%%

events {
}

rtmp_route live {
    server  10.0.0.11;
}

http {
    %%TEST_GLOBALS_HTTP%%

    $directive
}

EOF

    return `$Test::Nginx::NGINX -t -p $dir/ -c test.conf -e stderr 2>&1`;
}

###############################################################################
