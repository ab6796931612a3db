#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for health_check of a server that hangs: there is one check at a time.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Select;
use IO::Socket::INET;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(4);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone          live 256k;
    server        127.0.0.1:8081;
    health_check  interval=100ms timeout=1s type=rtmp;
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

EOF_CONF

$t->run_daemon(\&hang, port(8081), $t->testdir() . '/open');
$t->waitforsocket('127.0.0.1:' . port(8081));

$t->run();

###############################################################################

ok(wait_until(sub { server()->{state} eq 'down' }, 10), 'down');
ok(wait_until(sub { server()->{health_checks}{checks} > 2 }, 10), 'goes on');
like(server()->{health_checks}{error}, qr/timed out/, 'hangs');
is($t->read_file('open'), "1\n", 'one at a time');

###############################################################################

sub server {
    return (servers('live'))[0] || {};
}

# takes connections, says nothing, and notes the most that were open at a time

sub hang {
    my ($port, $file) = @_;

    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
        Listen => 100, ReuseAddr => 1) or die "$!";
    my $select = IO::Select->new($s);
    my $most = 0;

    while (my @ready = $select->can_read()) {

        # what was closed before another one came

        for my $c (grep { $_ != $s } @ready) {
            if (!sysread($c, my $buf, 65536)) {
                $select->remove($c);
                close($c);
            }
        }

        if (grep { $_ == $s } @ready) {
            my $c = $s->accept() or next;
            sysread($c, my $buf, 65536) or next;
            $select->add($c);
        }

        if ($select->count() - 1 > $most) {
            $most = $select->count() - 1;
            open(my $fh, '>', "$file.new") or die "$!";
            print $fh "$most\n";
            close($fh);
            rename("$file.new", $file);
        }
    }
}

###############################################################################
