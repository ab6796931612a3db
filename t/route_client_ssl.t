#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HTTP client of the route module over TLS: whom it trusts, and
# what it tells of itself.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;
use IO::Socket::IP;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy rewrite/)
    ->has_daemon('openssl');

test_module($t, 'ngx_http_route_client_test_module');

my $ipv6 = IO::Socket::IP->new(LocalHost => '::1', Listen => 1);

my $conf = <<'EOF';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8081;
        %%IPV6%%
        server_name  default.example;

        ssl_verify_client       optional_no_ca;

        add_header  X-Protocol  $ssl_protocol;

        location / {
            return 200 "$host|$ssl_server_name|$ssl_client_s_dn|$connection";
        }

        location /file {
            root %%TESTDIR%%;
        }

        location /slow {
            proxy_pass  http://127.0.0.1:8082;
            proxy_buffering off;
        }
    }

    server {
        listen  127.0.0.1:8444 ssl;

        ssl_certificate      self.crt;
        ssl_certificate_key  self.key;

        location / {
            return 200 self;
        }
    }

    server {
        listen  127.0.0.1:8445 ssl;

        ssl_certificate      expired.crt;
        ssl_certificate_key  server.key;

        location / {
            return 200 expired;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            client_test  https://localhost:%%PORT_8443%% trusted=ca.crt
                         uri=$request_uri want=x-protocol limit=2m;
        }

        location /address {
            client_test  https://127.0.0.1:%%PORT_8443%% trusted=ca.crt;
        }

        location /ipv6 {
            client_test  https://[::1]:%%PORT_8443%% trusted=ca.crt;
        }

        location /wildcard {
            client_test  https://localhost:%%PORT_8443%% trusted=ca.crt
                         name=a.wild.example;
        }

        location /wrong {
            client_test  https://localhost:%%PORT_8443%% trusted=ca.crt
                         name=wrong.example uri=/never;
        }

        location /wrong_address {
            client_test  https://127.0.0.1:%%PORT_8443%% trusted=ca.crt
                         name=127.0.0.9 uri=/never;
        }

        location /nosni {
            client_test  https://localhost:%%PORT_8443%% trusted=ca.crt
                         sni=off;
        }

        location /system {
            client_test  https://localhost:%%PORT_8443%% uri=/never;
        }

        location /self {
            client_test  https://localhost:%%PORT_8444%% trusted=ca.crt;
        }

        location /own {
            client_test  https://localhost:%%PORT_8444%% trusted=self.crt;
        }

        location /expired {
            client_test  https://localhost:%%PORT_8445%% trusted=ca.crt;
        }

        location /off {
            client_test  https://localhost:%%PORT_8444%% verify=off;
        }

        location /off/wrong {
            client_test  https://localhost:%%PORT_8444%% verify=off
                         name=wrong.example;
        }

        location /depth {
            client_test  https://localhost:%%PORT_8443%% trusted=ca.crt
                         depth=0;
        }

        location /certificate {
            client_test  https://localhost:%%PORT_8443%% trusted=ca.crt
                         certificate=client.crt key=client.key;
        }

        location /plain {
            client_test  https://localhost:%%PORT_8081%% trusted=ca.crt;
        }

        location /not_plain {
            client_test  http://localhost:%%PORT_8443%%;
        }

        location /hang {
            client_test  https://127.0.0.1:%%PORT_8446%% trusted=ca.crt
                         connect=300ms;
        }

        location /cut {
            client_test  https://127.0.0.1:%%PORT_8447%% trusted=ca.crt;
        }

        location /cancel {
            client_test  https://127.0.0.1:%%PORT_8446%% trusted=ca.crt
                         cancel=100ms;
        }

        location /many {
            client_test  https://localhost:%%PORT_8443%% trusted=ca.crt
                         many=20;
        }
    }
}

EOF

$conf =~ s/%%IPV6%%/$ipv6 ? 'listen  [::1]:%%PORT_8443%% ssl;' : ''/e;

$t->plan(36)->write_file_expand('nginx.conf', $conf);

my $d = $t->testdir();

mkdir("$d/file");
$t->write_file('file/big', 'x' x 1500000);
$t->write_file('ext', "subjectAltName=DNS:localhost,DNS:*.wild.example,"
    . "IP:127.0.0.1,IP:0:0:0:0:0:0:0:1\n");
$t->write_file('ca.ext', "basicConstraints=critical,CA:TRUE\n");

openssl('req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=root '
    . "-keyout ca.key -out ca.crt");
openssl('req -newkey rsa:2048 -nodes -subj /CN=middle -keyout middle.key '
    . '-out middle.csr');
openssl('x509 -req -days 2 -in middle.csr -CA ca.crt -CAkey ca.key -set_serial '
    . '1 -extfile ca.ext -out middle.crt');

for my $name (qw/ server client /) {
    openssl("req -newkey rsa:2048 -nodes -subj /CN=$name -keyout $name.key "
        . "-out $name.csr");
    openssl("x509 -req -days 2 -in $name.csr -CA middle.crt -CAkey middle.key "
        . "-set_serial 2 -extfile ext -out $name.crt");
}

openssl('x509 -req -days -1 -in server.csr -CA ca.crt -CAkey ca.key '
    . '-set_serial 3 -extfile ext -out expired.crt');
openssl('req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . '-addext subjectAltName=DNS:localhost -keyout self.key -out self.crt');

$t->write_file('server.crt',
    $t->read_file('server.crt') . $t->read_file('middle.crt'));

$t->run_daemon(\&silent, port(8446), 0);
$t->run_daemon(\&silent, port(8447), 1);

$t->run();

###############################################################################

my $r = get('/');

is(status($r), 200, 'verified');
like(header($r, 'X-Want'), qr/^TLSv1\.[23]$/, 'protocol');
like(http_content($r), qr/^localhost\|localhost\|\|/, 'names');

my ($c) = http_content($r) =~ /(\d+)$/;

like(http_content(get('/')), qr/\|$c$/, 'connection is kept');

is(length http_content(get('/file/big')), 1500000, 'large');
like(http_content(get('/')), qr/\|$c$/, 'and kept');

$r = get('/address');
is(status($r), 200, 'address in the certificate');
like(http_content($r), qr/^127.0.0.1\|\|/, 'no SNI of an address');

SKIP: {
    skip 'no IPv6', 1 unless $ipv6;

    is(status(get('/ipv6')), 200, 'IPv6 address in the certificate');
}

$r = get('/wildcard');
is(status($r), 200, 'wildcard');
like(http_content($r), qr/^localhost\|a.wild.example\|/, 'another name');

fails('/wrong', qr/SSL certificate does not match "wrong.example"/);
fails('/wrong_address', qr/SSL certificate does not match "127.0.0.9"/);

$r = get('/nosni');
like(http_content($r), qr/^localhost\|\|/, 'without SNI');

fails('/system', qr/certificate verify error: .*unable to get .*issuer|self/);
fails('/self', qr/certificate verify error: \(\d+:self.signed certificate\)/);
is(status(get('/own')), 200, 'a certificate that is trusted itself');
fails('/expired', qr/certificate verify error: .*expired/);
fails('/depth', qr/certificate verify error: /);

is(status(get('/off')), 200, 'not verified');
is(status(get('/off/wrong')), 200, 'name is not verified');

like(http_content(get('/certificate')), qr/\|CN=client\|/, 'certificate');

fails('/plain', qr/SSL handshake failed/);

$r = get('/not_plain');
is(status($r), 400, 'plain request to TLS');

my $time = time();

fails('/hang', qr/SSL handshake timed out/);
cmp_ok(time() - $time, '<', 4, 'time-out of the handshake');

fails('/cut', qr/SSL handshake failed/);

like(get('/cancel'), qr/ 204 /, 'cancelled');
is(status(get('/many')), 200, 'many');

# memory and files

get('/certificate') for 1 .. 20;
get('/wrong') for 1 .. 50;

my ($fds, $rss) = (fds($t), rss($t));

get('/certificate') for 1 .. 200;
get('/wrong') for 1 .. 50;
get('/self') for 1 .. 50;

cmp_ok(abs(fds($t) - $fds), '<=', 1, 'no open files are left');

SKIP: {
    skip 'memory is kept by a sanitizer', 1 if $ENV{ASAN_OPTIONS};

    cmp_ok(rss($t) - $rss, '<', 1000, 'no memory is left');
}


# configuration

conf_fails($t, 'trusted=none.crt', qr/none.crt/);
conf_fails($t, 'certificate=client.crt', qr/no certificate key/);
conf_fails($t, 'certificate=client.crt key=server.key', qr/PEM|key values|SSL/);

$t->stop();

my $log = join("\n", grep { !/ \[debug\] |, client: / }
    split(/\n/, $t->read_file('error.log')));

like($log, qr/\[error\].*SSL certificate does not match "wrong.example" while /,
    'wrong name in the log');
unlike($t->read_file('access.log'), qr!GET /never!, 'nobody is asked then');

###############################################################################

sub openssl {
    my ($args) = @_;

    system("cd $d && openssl $args >/dev/null 2>&1") == 0
        or die "Can't run openssl $args\n";
}

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
}

sub conf_fails {
    my ($t, $params, $re) = @_;

    $t->write_file_expand('bad.conf', <<"EOC");

%%TEST_GLOBALS%%

events {
}

http {
    server {
        location / {
            client_test https://localhost $params;
        }
    }
}

EOC

    my $out = `$Test::Nginx::NGINX -t -p $d/ -c bad.conf -e stderr 2>&1`;

    like($out, qr/\[emerg\] .*$re/s, "configuration: $params");
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

# Accepts and says nothing, or hangs up.

sub silent {
    my ($port, $cut) = @_;
    my (@kept, $c);

    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Listen => 5, ReuseAddr => 1)
        or die "Can't listen: $!\n";

    while ($c = $socket->accept()) {
        push @kept, $c unless $cut;
        undef $c;
    }
}

###############################################################################
