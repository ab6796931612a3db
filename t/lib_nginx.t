#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the library that runs nginx, if it is ours.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use IO::Socket::INET;
use Test::Nginx qw/ :DEFAULT :gzip http_content http_start http_end /;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'another library') unless Test::Nginx->can('without');

my $t = Test::Nginx->new()->has(qw/http proxy gzip rewrite/)->plan(33);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            return 200 "$request_method $pid";
        }

        location /gzip {
            gzip on;
            gzip_min_length 0;
            default_type text/html;
            return 200 "zipped";
        }

        location /file {
            alias %%TESTDIR%%/file;
        }

        location /proxy {
            proxy_pass http://127.0.0.1:8081/body;
        }
    }
}

EOF

$t->write_file('file', "one\n");

# ports

my %seen = map { port($_) => 1 } 8000 .. 8049;

is(scalar(keys %seen), 50, 'ports differ');
is(port(8000), port(8000), 'port stays');
like($t->read_file('nginx.conf'), qr/127\.0\.0\.1:@{[port(8080)]};/, 'port');

is(IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1:'
    . port(8000)), undef, 'port is locked');
is(IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1:'
    . port(8060, udp => 1), Listen => 1), undef, 'port of UDP is locked');
isa_ok(port(8000, socket => 1), 'IO::Socket', 'lock');

$t->write_file_expand('ports', '127.0.0.1:8001 %%PORT_8001%% %%PORT_8061_UDP%% '
    . '127.0.0.1:9001');
is($t->read_file('ports'), '127.0.0.1:' . port(8001) . ' ' . port(8001) . ' '
    . port(8061) . ' 127.0.0.1:9001', 'expanded');

# nginx

like($t->dump_config(), qr/syntax is ok.*server_name  localhost/s, 'dump');

$t->run();

like(http_get('/'), qr/ 200 OK.*GET \d+$/s, 'get');
like(http_head('/'), qr/ 200 OK.*\x0d\x0a\x0d\x0a$/s, 'head');
is(http_content(http_get('/file')), "one\n", 'file');
http_gzip_like(http_gzip_request('/gzip'), qr/^zipped$/, 'gzip');

my $s = http("GET / HTTP/1.0\n\n", start => 1);

like(http_end($s), qr/ 200 OK/, 'start and end');
like(http("GET / HTTP/1.0\n", sleep => 0.1, body => "\n"), qr/ 200 OK/,
    'in pieces');

is(http_content("HTTP/1.1 200 OK\x0d\x0aTransfer-Encoding: chunked\x0d\x0a"
    . "\x0d\x0a2\x0d\x0aab\x0d\x0a1\x0d\x0ac\x0d\x0a0\x0d\x0a\x0d\x0a"),
    'abc', 'chunked');
is(http_content("HTTP/1.1 200 OK\x0d\x0aTransfer-Encoding: chunked\x0d\x0a"
    . "\x0d\x0a2\x0d\x0aab\x0d\x0a"), 'ab[no-last-chunk]', 'chunked and cut');

# daemons

my $file = $t->testdir() . '/daemon';

$t->run_daemon(sub {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1:' . port(8081),
        Listen => 5, Reuse => 1);

    while (my $c = $listen->accept()) {
        my $request = <$c>;
        print $c "HTTP/1.0 200 OK\x0d\x0a\x0d\x0a$request" if $request;
    }
});
$t->run_daemon('touch', $file);

ok($t->waitforsocket('127.0.0.1:' . port(8081)), 'wait for a socket');
ok($t->waitforfile($file), 'wait for a file');
like(http_get('/proxy'), qr!GET /body!, 'daemon');

$t->stop_daemons();

like(http_get('/proxy'), qr/ 502 /, 'daemon stopped');

# reload, stop and a new start

my ($pid) = http_get('/') =~ /GET (\d+)$/;

$t->reload();

my $end = time() + 5;
my $new;

do {
    sleep(0.05);
    ($new) = (http_get('/') || '') =~ /GET (\d+)$/;
} while ((!$new || $new == $pid) && time() < $end);

isnt($new, $pid, 'reload');

$t->stop();

is(http_get('/'), undef, 'stop');

$t->run();

like(http_get('/'), qr/ 200 OK/, 'run again');

# other tests, each in a process of its own

my $head = 'use Test::More; use Test::Nginx; '
    . 'my $t = Test::Nginx->new()->plan(1); '
    . '$t->write_file_expand("nginx.conf", "%%TEST_GLOBALS%%\n" . $ENV{CONF} '
    . '. "daemon off; events { }"); print STDERR $t->testdir(), "\n"; ';

my $out = other('', '$t->run(); pass();');

like($out, qr/ok 1\n.*ok 2 - no alerts\nok 3 - no san/s, 'other test');
ok(!-d dir($out), 'directory removed');

$out = other('', '$t->run(); $t->write_file("error.log", "[alert] x"); ok(1);');

like($out, qr/not ok 2 - no alerts/, 'alerts');

$out = other('', '$t->todo_alerts()->run(); ok(1); '
    . '$t->write_file("error.log", "[alert] x");');

like($out, qr/not ok 2 - no alerts # TODO/, 'expected alerts');

my $locked = '$t->run(); ok(1); $t->write_file("error.log", '
    . '"[alert] shared memory zone \"live\" was locked by 1");';

$out = other('', '$t->{_ignore_alerts} = qr/exited on signal 9/;' . $locked);

like($out, qr/^ok 2 - no alerts/m, 'what comes of a process that was killed');

$out = other('', '$t->{_ignore_alerts} = qr/exited on signal 11/;' . $locked);

like($out, qr/^not ok 2 - no alerts/m, 'where none was killed');

$out = other('nonsense;', '$t->run(); pass();');

like($out, qr/unknown directive "nonsense"/, 'wrong configuration');
unlike($out, qr/^ok 1$/m, 'not run');

$out = other('', '$t->run(); print STDERR "pid ", $t->read_file("nginx.pid"); '
    . 'kill("TERM", $$); sleep(5); pass();');
($pid) = $out =~ /pid (\d+)/;

ok($pid && !kill(0, $pid), 'interrupted: nginx stopped');
ok(!-d dir($out), 'interrupted: directory removed');

###############################################################################

sub other {
    my ($conf, $code) = @_;

    local $ENV{CONF} = $conf;

    my $pid = open(my $in, '-|');
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDERR, '>&', \*STDOUT);
        exec($^X, (map { "-I$_" } grep { !ref } @INC), '-e', $head . $code);
    }

    local $/;
    my $out = <$in>;
    close($in);

    return $out;
}

sub dir {
    my ($out) = @_;

    return $out =~ m!(\S+/nginx-test-\w+)! ? $1 : '/';
}

###############################################################################
