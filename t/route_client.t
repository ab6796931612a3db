#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HTTP client of the route module: what it asks, and what it
# makes of answers, of none, and of servers that misbehave.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;
use Socket qw/ SOL_SOCKET SO_LINGER /;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

test_module($t, 'ngx_http_route_client_test_module');

my $dns = port(8980, udp => 1);
my $dead = port(8089);

$t->plan(132)->write_file_expand('nginx.conf', <<"EOF");

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    resolver          127.0.0.1:$dns ipv6=off;
    resolver_timeout  1s;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            client_test  http://127.0.0.1:8081 uri=\$request_uri limit=1m
                         read=2s keepalive=2;
        }

        location /name/ {
            client_test  http://localhost:%%PORT_8081%%/base/ uri=\$request_uri
                         keepalive=0 want=x_upstreamhost;
        }

        location /base {
            client_test  http://127.0.0.1:8081/base;
        }

        location /root {
            client_test  http://127.0.0.1:8081/;
        }

        location /args {
            client_test  http://127.0.0.1:8081 uri=?secret=1;
        }

        location /post {
            client_test  http://127.0.0.1:8081 method=POST body=\$arg_body
                         type=application/x-www-form-urlencoded uri=/echo
                         header=X-API-KEY:abc "header=X-Two:a b";
        }

        location /empty_post {
            client_test  http://127.0.0.1:8081 method=POST uri=/echo;
        }

        location /head {
            client_test  http://127.0.0.1:8081 method=HEAD uri=/length
                         want=content-length;
        }

        location /bad_uri {
            client_test  http://127.0.0.1:8081 uri=\$arg_uri;
        }

        location /bad_header {
            client_test  http://127.0.0.1:8081 header=Host:x;
        }

        location /bad_value {
            client_test  http://127.0.0.1:8081 "header=X:a\r\nY: b";
        }

        location /pieces {
            client_test  http://127.0.0.1:8081 pieces limit=300m
                         uri=/size?\$args;
        }

        location /refuse {
            client_test  http://127.0.0.1:8081 pieces refuse uri=/length;
        }

        location /limit {
            client_test  http://127.0.0.1:8081 limit=1m uri=/size?\$args;
        }

        location /slow {
            client_test  http://127.0.0.1:8081 timeout=1500ms read=1s
                         uri=/slow;
        }

        location /hang {
            client_test  http://127.0.0.1:8081 read=300ms uri=/hang;
        }

        location /quiet {
            client_test  http://127.0.0.1:8081 read=300ms quiet
                         uri=/hang/quietly;
        }

        location /refused {
            client_test  http://127.0.0.1:$dead uri=/refused;
        }

        location /ipv6 {
            client_test  http://[::1]:%%PORT_8082%%/;
        }

        location /two {
            client_test  http://two.example:%%PORT_8081%% keepalive=0
                         uri=/two;
        }

        location /flaky {
            client_test  http://flaky.example:%%PORT_8081%% keepalive=0
                         uri=/two;
        }

        location /none {
            client_test  http://none.example:%%PORT_8081%% uri=/none;
        }

        location /silent {
            client_test  http://silent.example:%%PORT_8081%% uri=/silent;
        }

        location /kept {
            client_test  http://127.0.0.1:8081 keepalive=1 idle=300ms
                         uri=\$request_uri;
        }

        location /stale {
            client_test  http://127.0.0.1:8083 uri=\$request_uri;
        }

        location /stale_post {
            client_test  http://127.0.0.1:8083 uri=\$request_uri method=POST;
        }

        location /stale_idempotent {
            client_test  http://127.0.0.1:8083 uri=\$request_uri method=POST
                         idempotent;
        }

        location /many {
            client_test  http://127.0.0.1:8081 many=20 keepalive=3 uri=/many;
        }

        location /cancel/create {
            client_test  http://127.0.0.1:8081 cancel=create;
        }

        location /cancel/start {
            client_test  http://127.0.0.1:8081 cancel=start;
        }

        location /cancel/body {
            client_test  http://127.0.0.1:8081 pieces cancel=body uri=/length;
        }

        location /cancel/end {
            client_test  http://127.0.0.1:8081 cancel=end uri=/length;
        }

        location /cancel/timer {
            client_test  http://127.0.0.1:8081 cancel=100ms uri=/hang/cancel
                         many=5;
        }

        location /cancel/resolve {
            client_test  http://silent.example:%%PORT_8081%% cancel=100ms;
        }
    }
}

EOF

$t->run_daemon(\&dns_daemon, $dns);

my $origin = httpd($t, port(8081), \&origin);
my $stale = httpd($t, port(8083), \&stale);
my $ipv6 = eval { httpd($t, port(8082), sub { http_response(200, 'six') },
    host => '::1') };

$t->run();

###############################################################################

# requests

my $r = get('/length?a=1');

is(status($r), 200, 'status');
is(http_content($r), 'hello', 'body');
is(header($r, 'X-Error'), '', 'no error');

my $q = $origin->wait(qr!GET /length\?a=1$!);

is($q->{headers}{host}, '127.0.0.1:' . port(8081), 'host with port');
like($q->{headers}{'user-agent'}, qr!^nginx-osp/\d!, 'user agent');
is($q->{headers}{connection}, 'keep-alive', 'connection');
ok(!exists $q->{headers}{'content-length'}, 'no length');
ok(!exists $q->{headers}{'accept-encoding'}, 'no codings');

$r = get('/name/length');
is(status($r), 200, 'name');
is(header($r, 'X-Want'), '10.0.0.1', 'header of the answer');

$q = $origin->wait(qr!/base/name/length$!);
is($q->{headers}{connection}, 'close', 'without keepalive');
is($q->{headers}{host}, 'localhost:' . port(8081), 'host is the name');

get('/base');
ok($origin->wait(qr!^GET /base$!), 'path of the base alone');
get('/root');
ok($origin->wait(qr!^GET /$!), 'root');
get('/args');
ok($origin->wait(qr!^GET /\?secret=1$!), 'arguments alone');

$r = get('/post?body=name=cam1%26hash=x');
is(status($r), 200, 'post');

$q = $origin->wait(qr!^POST /echo!);
is($q->{body}, 'name=cam1%26hash=x', 'body of post');
is($q->{headers}{'content-type'}, 'application/x-www-form-urlencoded', 'type');
is($q->{headers}{'x-api-key'}, 'abc', 'header');
is($q->{headers}{'x-two'}, 'a b', 'another header');

get('/empty_post');
$q = $origin->wait(qr!^POST /echo!, 2);
is($q->{headers}{'content-length'}, 0, 'length of an empty body');

$r = get('/head');
is(status($r), 200, 'head');
is(header($r, 'X-Want'), 5, 'length of head');
is(http_content($r), '', 'no body of head');

is(status(get('/bad_uri?uri=/%20')), 404, 'escapes are left alone');
like(get('/bad_uri?uri=a'), qr! 400 Bad!, 'no slash');
like(get("/bad_uri?uri=/\xe9"), qr! 400 Bad!, 'not escaped');
like(get('/bad_header'), qr! 400 Bad!, 'own header');
like(get('/bad_value'), qr! 400 Bad!, 'line break in header');

# answers

my %answers = (
    '/chunked' => [200, 'one two three '], '/close' => [200, 'to the end'],
    '/empty' => [200, ''], '/204' => [204, ''], '/404' => [404, 'nope'],
    '/500' => [500, 'broken'], '/redirect' => [302, 'there'],
    '/early' => [200, 'late'], '/fold' => [200, 'folded'],
    '/html' => [200, '<html></html>'],
);

for my $path (sort keys %answers) {
    $r = get($path);

    is(status($r), $answers{$path}[0], "status of $path");
    is(http_content($r), $answers{$path}[1], "body of $path");
}

is(scalar $origin->requests(qr!/elsewhere!), 0, 'redirect is not followed');

fails('/garbage', qr/not HTTP/);
fails('/reset', qr/closed before an answer|connection was lost/);
fails('/cut', qr/closed within/);
fails('/cut_chunked', qr/closed within/);
fails('/bad_chunk', qr/invalid chunk/);
fails('/lengths', qr/duplicate/);
fails('/rst', qr/connection was lost/);
fails('/big_header', qr/too large header/);

# limits

$r = fails('/limit?200000000', qr/too large body/);
is(header($r, 'X-Why'), 'large', 'too large by length');

$r = fails('/limit?200000000&chunked', qr/too large body/);
is(header($r, 'X-Why'), 'large', 'too large by chunks');

$r = fails('/limit?200000000&close', qr/too large body/);
is(header($r, 'X-Why'), 'large', 'too large by bytes');

$r = get('/limit?1048576');
is(length http_content($r), 1048576, 'as large as may be');

$r = get('/limit?1048576&chunked');
is(length http_content($r), 1048576, 'chunks as large as may be');

my $rss = rss($t);

$r = get('/pieces?200000000');
like(header($r, 'X-Pieces'), qr!/200000000$!, 'large body in pieces');

$r = get('/pieces?20000000&chunked');
like(header($r, 'X-Pieces'), qr!/20000000$!, 'many chunks in pieces');

fails('/refuse', qr/answer was not taken/);

# time

my $time = time();

$r = fails('/slow', qr/server took too long/);
is(header($r, 'X-Why'), 'timedout', 'deadline is a time-out');
cmp_ok(time() - $time, '<', 4, 'deadline holds');

$time = time();

fails('/hang', qr/server timed out/);
cmp_ok(time() - $time, '<', 4, 'read time-out holds');

fails('/quiet', qr/server timed out/);

# addresses

fails('/refused', qr/connect\(\) to 127.0.0.1:$dead failed \(111: /);
fails('/none', qr/none.example" could not be resolved \(3: Host not found\)/);

$time = time();

fails('/silent', qr/silent.example" could not be resolved \(110: /);
cmp_ok(time() - $time, '<', 4, 'time-out of the resolver');

$r = get('/two');
is(status($r), 200, 'second address');

# an address that is known stays in use, as nobody says that it is wrong

is(status(get('/flaky')), 200, 'name');
sleep(2.1);
is(status(get('/flaky')), 200, 'name that is not resolved any more');

SKIP: {
    skip 'no IPv6', 2 unless $ipv6;

    $r = get('/ipv6');
    is(http_content($r), 'six', 'IPv6');
    is(($ipv6->requests())[0]->{headers}{host}, '[::1]:' . port(8082),
        'host of IPv6');
}

# connections

$r = get('/kept/length');
my $c = $origin->wait(qr!/kept/length!)->{c};

$r = get('/kept/length');
is($origin->wait(qr!/kept/length!, 2)->{c}, $c, 'connection is kept');
is(header($r, 'X-Why'), 'reused', 'and known to be');

sleep(0.6);

$r = get('/kept/length');
isnt($origin->wait(qr!/kept/length!, 3)->{c}, $c, 'but not for long');

get('/kept/chunked');
$c = $origin->wait(qr!/kept/chunked!)->{c};
get('/kept/204');
is($origin->wait(qr!/kept/204!)->{c}, $c, 'kept after chunks');
get('/kept/close');
is($origin->wait(qr!/kept/close!)->{c}, $c, 'kept after no content');
get('/kept/more');
isnt($origin->wait(qr!/kept/more!)->{c}, $c, 'not kept after the end');

$c = $origin->wait(qr!/kept/more!)->{c};
get('/kept/length');
isnt($origin->wait(qr!/kept/length!, 4)->{c}, $c, 'not kept with more');

# the server closes it as soon as the second request comes

is(status(get('/stale')), 200, 'connection to be stale');
is(status(get('/stale')), 200, 'stale connection');
is(scalar $stale->requests(qr!GET /stale$!), 3, 'request is repeated once');

is(status(get('/stale_post')), 200, 'post on a connection to be stale');

fails('/stale_post', qr/closed before an answer|connection was lost/);
is(scalar $stale->requests(qr!POST /stale_post$!), 2, 'post is not repeated');

get('/stale_idempotent');
is(status(get('/stale_idempotent')), 200, 'idempotent post is repeated');

# one that was closed meanwhile is not even tried

get('/stale/close');
sleep(0.3);
$r = get('/stale/close');
is(status($r), 200, 'closed while idle');
is(header($r, 'X-Why'), '', 'new connection');

my $fds = fds($t);

$r = get('/many');
is(status($r), 200, 'many');
cmp_ok(fds($t) - $fds, '<=', 3, 'few of the connections are kept');
is(scalar $origin->requests(qr!/many!), 20, 'many requests');

# cancelled

like(get("/cancel/$_"), qr/ 204 /, "cancelled at $_")
    for qw/ create start body timer resolve /;

is(status(get('/cancel/end')), 200, 'cancelled at the end');

my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8080));
print $s "GET /a/hang/viewer HTTP/1.0\x0d\x0a\x0d\x0a";
$origin->wait(qr!/hang/viewer!);
close($s);

# one after the other

get('/length') for 1 .. 50;

$fds = fds($t);
$rss = rss($t);
$c = $origin->wait(qr!/length!)->{c};

get('/length') for 1 .. 1000;

cmp_ok(abs(fds($t) - $fds), '<=', 1, 'no open files are left');

SKIP: {
    skip 'memory is kept by a sanitizer', 1 if $ENV{ASAN_OPTIONS};

    cmp_ok(rss($t) - $rss, '<', 500, 'no memory is left');
}

cmp_ok(scalar($origin->wait(qr!/length!, 1050)->{n}), '>', 1,
    'connections are kept');

# what is logged

$t->stop();

my $log = join("\n", grep { !/ \[debug\] |, client: / }
    split(/\n/, $t->read_file('error.log')));

my $line = "[error] connect() to 127.0.0.1:$dead failed (111: Connection "
    . "refused) while connecting to server, server: \"127.0.0.1:$dead\", "
    . "request: \"GET /refused\", peer: 127.0.0.1:$dead";

$log =~ s/(\[error\]) \d+#\d+: /$1 /g;
ok(index($log, $line) >= 0, 'failure in the log');
unlike($log, qr/secret=1|[?]200000000|hash=x|X-API-KEY/, 'no secrets');
unlike($log, qr!\[error\].*hang/quietly!, 'quiet');

# URLs

for my $url ('ftp://a', 'a', 'http://', 'https://', 'http://a:0', 'http://a:b',
    'http://a:70000', 'http://a b', 'http://[::1', 'http://[a]',
    'http://a/b?c', 'http://a/b#c', 'http://a/b c', 'http://:80', 'http://a;b')
{
    conf_fails($t, $url, 'error in URL');
}

my $out = conf_fails($t, 'http://me:PASSWORD@a', 'password in URL');
unlike($out, qr/PASSWORD/, 'password is not shown');

###############################################################################

sub get {
    my ($uri) = @_;

    return http_get($uri) || '';
}

sub status {
    return header($_[0], 'X-Status');
}

sub header {
    my ($r, $name) = @_;

    return $r =~ /^$name: (.*?)\x0d$/m ? $1 : $r =~ /^$name:/m ? '' : 'none';
}

sub fails {
    my ($uri, $re) = @_;

    my $r = get($uri);

    subtest "failure of $uri" => sub {
        is(status($r), 0, 'status');
        like(header($r, 'X-Error'), $re, 'error');
    };

    return $r;
}

sub conf_fails {
    my ($t, $url, $name) = @_;

    $t->write_file_expand('bad.conf', <<"EOC");

%%TEST_GLOBALS%%

events {
}

http {
    server {
        location / {
            client_test "$url";
        }
    }
}

EOC

    my $testdir = $t->testdir();
    my $out = `$Test::Nginx::NGINX -t -p $testdir/ -c bad.conf \\
        -e stderr 2>&1`;

    like($out, qr/\[emerg\] .*URL/, "$name: $url");

    return $out;
}

sub worker {
    my ($t) = @_;
    my $master = $t->read_file('nginx.pid');
    chomp $master;

    my ($worker) = split ' ', `cat /proc/$master/task/$master/children`;

    return $worker;
}

sub rss {
    my ($t) = @_;
    my ($rss) = slurp('/proc/' . worker($t) . '/status') =~ /VmRSS:\s+(\d+)/;

    return $rss;
}

sub fds {
    my ($t) = @_;

    return scalar(() = glob('/proc/' . worker($t) . '/fd/*'));
}

sub origin {
    my ($r) = @_;
    my $uri = $r->{uri};
    my $head = "HTTP/1.1 200 OK\x0d\x0aConnection: close\x0d\x0a";

    return http_response(200, 'hello', 'X_UpstreamHost: 10.0.0.1')
        if $uri =~ m!/length\b|/two|/many|^/\?|^/$|/base|/echo!;
    return http_chunked([], 'one ', 'two ', 'three ') if $uri =~ m!/chunked!;
    return "HTTP/1.1 200 OK\x0d\x0a\x0d\x0ato the end" if $uri =~ m!/close!;
    return http_response(200) if $uri eq '/empty';
    return "HTTP/1.1 204 No Content\x0d\x0a\x0d\x0a" if $uri =~ m!/204!;
    return http_response(500, 'broken') if $uri eq '/500';
    return http_response(302, 'there', 'Location: /elsewhere')
        if $uri eq '/redirect';
    return "HTTP/1.1 103 Early Hints\x0d\x0aLink: </a>\x0d\x0a\x0d\x0a",
        [0.1], http_response(200, 'late') if $uri eq '/early';
    return http_response(200, 'folded', "A: b\x0d\x0a c") if $uri eq '/fold';
    return http_response(200, '<html></html>') if $uri eq '/html';
    return "<html>\n<body>\n", [-1] if $uri eq '/garbage';
    return () if $uri eq '/reset';
    return $head . "Content-Length: 10\x0d\x0a\x0d\x0aab" if $uri eq '/cut';
    return $head . "Transfer-Encoding: chunked\x0d\x0a\x0d\x0a5\x0d\x0aab"
        if $uri eq '/cut_chunked';
    return $head . "Transfer-Encoding: chunked\x0d\x0a\x0d\x0azz\x0d\x0a",
        [-1] if $uri eq '/bad_chunk';
    return http_response(200, 'x', 'Content-Length: 5'), [-1]
        if $uri eq '/lengths';
    return http_response(200, 'x', 'A: ' . 'a' x 20000), [-1]
        if $uri eq '/big_header';
    return http_response(200, 'x') . 'more' if $uri =~ m!/more!;
    return [-1] if $uri =~ m!/hang!;
    return $head . "Content-Length: 9\x0d\x0a\x0d\x0a",
        map { ([0.5], 'x') } 1 .. 9 if $uri eq '/slow';
    return reset_connection($r) if $uri eq '/rst';
    return send_much($r, $1, $2) if $uri =~ m!/size\?(\d+)(.*)!;

    return http_response(404, 'nope');
}

sub reset_connection {
    my ($r) = @_;
    my $s = $r->{socket};

    setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    syswrite($s, "HTTP/1.1 200 OK\x0d\x0aContent-Length: 9\x0d\x0a\x0d\x0aab");
    sleep(0.1);

    # the connection is closed now

    return ();
}

sub send_much {
    my ($r, $left, $how) = @_;
    my ($s, $size, $part) = ($r->{socket}, 65536);

    print $s "HTTP/1.1 200 OK\x0d\x0aConnection: close\x0d\x0a"
        . ($how =~ /chunked/ ? 'Transfer-Encoding: chunked'
            : $how =~ /close/ ? 'A: b' : "Content-Length: $left")
        . "\x0d\x0a\x0d\x0a";

    while ($left) {
        $size = $left if $left < $size;
        $left -= $size;

        $part = 'x' x $size;
        $part = sprintf("%x\x0d\x0a%s\x0d\x0a", $size, $part)
            if $how =~ /chunked/;

        print $s $part or return ();
    }

    print $s "0\x0d\x0a\x0d\x0a" if $how =~ /chunked/;
    $s->flush();

    return ();
}

# The second request of each connection, or the first if asked to, closes it.

sub stale {
    my ($r) = @_;
    my $s = $r->{socket};

    return () if $r->{n} > 1;
    return http_response(200, 'x') if $r->{uri} !~ /close/;

    print $s http_response(200, 'x');
    $s->flush();

    return ();
}

# Knows two names, one of them for a moment, and is silent about another.

sub dns_daemon {
    my ($port) = @_;
    my $flaky = 0;

    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'udp')
        or die "Can't listen: $!\n";

    while ($socket->recv(my $query, 512)) {
        my ($id) = unpack('n', $query);
        my $question = substr($query, 12);

        next if $question =~ /silent/ || $question =~ /flaky/ && $flaky++;

        my @addrs = $question =~ /two/ ? ('127.0.0.2', '127.0.0.1')
            : $question =~ /flaky/ ? ('127.0.0.1') : ();

        my $answer = pack('nnnnnn', $id, @addrs ? 0x8180 : 0x8183, 1,
            scalar(@addrs), 0, 0) . $question;

        $answer .= pack('nnnNnC4', 0xc00c, 1, 1, 1, 4, split(/\./, $_))
            for @addrs;

        $socket->send($answer);
    }
}

###############################################################################
