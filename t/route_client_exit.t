#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HTTP client of the route module in workers that leave.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl rewrite/)
    ->has_daemon('openssl');

test_module($t, 'ngx_http_route_client_test_module');

my $dns = port(8980, udp => 1);

$t->plan(14)->write_file_expand('nginx.conf', <<"EOF");

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    resolver          127.0.0.1:$dns ipv6=off;
    resolver_timeout  20s;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_certificate      localhost.crt;
        ssl_certificate_key  localhost.key;

        return 200 tls;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            client_test  http://127.0.0.1:8081 uri=\$request_uri;
        }

        location /ssl {
            client_test  https://127.0.0.1:8443 verify=off;
        }

        location /leave {
            client_test  http://127.0.0.1:8081 uri=\$request_uri leave
                         read=20s timeout=20s;
        }

        location /leave/resolve {
            client_test  http://silent.example leave timeout=20s;
        }

        location /leave/connect {
            client_test  https://127.0.0.1:8082 leave timeout=20s
                         connect=20s;
        }
    }
}

EOF

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . '-keyout ' . $t->testdir() . '/localhost.key -out ' . $t->testdir()
    . '/localhost.crt >/dev/null 2>&1') == 0
    or die "Can't make a certificate\n";

my $origin = httpd($t, port(8081), sub {
    my ($r) = @_;

    return [$1], http_response(200, 'late') if $r->{uri} =~ m!slow/([\d.]+)!;
    return [-1] if $r->{uri} =~ /hang/;

    return http_response(200, 'hello');
});

# the queue of a socket that nobody accepts from

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
    LocalPort => port(8082), Listen => 5, ReuseAddr => 1)
    or die "Can't listen: $!\n";
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
    LocalPort => $dns, Proto => 'udp')
    or die "Can't listen: $!\n";

$t->run();

###############################################################################

# a viewer waits, and so does a worker that leaves

is(http_content(http_get('/')), 'hello', 'before');
is(http_content(http_get('/ssl')), 'tls', 'over TLS before');

my $old = worker($t);
my $s = start('/slow/1');

$origin->wait(qr!/slow/1!);
$t->reload();
ok(changed($t, $old), 'new worker');

is(http_content(http_get('/')), 'hello', 'new worker asks');
is(http_content(http_get('/ssl')), 'tls', 'over TLS');
like(rest($s), qr/X-Status: 200.*late$/s, 'old worker gets its answer');
ok(gone($old), 'and leaves');

# but not for what nobody waits for, wherever it is; connections that were
# kept are closed

$old = worker($t);

http_get("/leave$_") for '/hang', '/resolve', '/connect';

$origin->wait(qr!/leave/hang!);
sleep(0.3);

my $time = time();

$t->reload();

ok(gone($old), 'worker leaves in the middle');
cmp_ok(time() - $time, '<', 4, 'at once');

is(http_content(http_get('/')), 'hello', 'next worker');

# the same for a quick exit

http_get("/leave$_") for '/hang', '/resolve', '/connect';

$origin->wait(qr!/leave/hang!, 2);

$old = worker($t);
kill('TERM', $old);

ok(gone($old), 'quick exit');
ok(changed($t, $old), 'another worker');
is(http_content(http_get('/')), 'hello', 'that asks, too');

http_get('/leave/hang');
$origin->wait(qr!/leave/hang!, 3);

$time = time();
$t->stop();
cmp_ok(time() - $time, '<', 4, 'nginx stops');

###############################################################################

sub start {
    my ($uri) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8080))
        or die "Can't connect: $!\n";

    print $s "GET $uri HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a\x0d\x0a";

    return $s;
}

sub rest {
    my ($s) = @_;
    local $/;

    return readline($s) || '';
}

sub worker {
    my ($t) = @_;
    my $master = $t->read_file('nginx.pid');
    chomp $master;

    my @workers = split ' ', `cat /proc/$master/task/$master/children`;

    return $workers[-1];
}

sub changed {
    my ($t, $old) = @_;

    for (1 .. 250) {
        my $worker = worker($t);
        return 1 if defined $worker && $worker != $old;
        sleep(0.02);
    }

    return 0;
}

sub gone {
    my ($pid) = @_;

    for (1 .. 250) {
        return 1 unless -e "/proc/$pid";
        sleep(0.02);
    }

    return 0;
}

###############################################################################
