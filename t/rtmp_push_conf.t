#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route of an application: what nginx -t says of it, and the
# order in which nginx-rtmp and the route's module are loaded.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Register;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new();

need_register($t);

my @good = (
    'rtmp_route live pull;',
    'rtmp_route live push;',
    'rtmp_route live pull push;',
    'rtmp_route live push inactive=10s pull;',
    'rtmp_route later push;',
);

my @bad = (
    [ 'rtmp_route;', 'invalid number of arguments in "rtmp_route"' ],
    [ 'rtmp_route live;', '"rtmp_route" of an application needs "pull", '
        . '"push" or both' ],
    [ 'rtmp_route none push;', 'rtmp_route "none" is not defined' ],
    [ 'rtmp_route live push push;', 'invalid parameter "push"' ],
    [ 'rtmp_route live push other;', 'invalid parameter "other"' ],
    [ 'rtmp_route live push inactive=5s;',
        '"inactive=" makes no sense without "pull"' ],
    [ 'rtmp_route live pull inactive=x;', 'invalid parameter "inactive=x"' ],
    [ 'rtmp_route live push; rtmp_route live pull;',
        '"rtmp_route" directive is duplicate' ],
    [ 'rtmp_route live push; live off;',
        '"rtmp_route" needs "live on" in application "live"' ],
);

my @loads = $t->test_globals() =~ /^(load_module .*\n)/mg;
my ($rtmp) = grep { /ngx_rtmp_module/ } @loads;
my ($route) = grep { /ngx_rtmp_route_module/ } @loads;

$t->plan(@good + @bad + 5);

is(tested($_), '', $_) for @good;

for my $case (@bad) {
    my ($line, $error) = @$case;

    like(tested($line), qr/\[emerg\].*\Q$error\E/, $line);
}

for my $place (qw/ main server /) {
    like(tested('', $place => 'rtmp_route live push;'),
        qr/"rtmp_route" directive is not allowed here/, $place);
}

# the order

SKIP: {
    skip 'modules are not loaded', 3 unless $rtmp && $route;

    my $line = 'rtmp_route live push;';

    is(tested($line, load => "$rtmp$route"), '', 'nginx-rtmp first');

    like(tested($line, load => "$route$rtmp"),
        qr!\[emerg\] "rtmp_route" needs nginx-rtmp to be loaded first: put!,
        'nginx-rtmp last');

    is(tested('', load => "$route$rtmp"), '', 'nginx-rtmp last, not used');
}

###############################################################################

sub tested {
    my ($line, %opt) = @_;
    my ($dir, $globals) = ($t->testdir(), $t->test_globals());
    my ($answer);

    $globals =~ s/^load_module .*\n//mg if $opt{load};

    $line = "live on; $line" unless $line =~ /live off/;

    $t->write_file_expand('nginx.conf', ($opt{load} || '') . <<"EOF_CONF");
daemon off;
$globals
events {
}

rtmp_route live {
    zone    live 1m;
    server  10.0.0.1;
}

rtmp {
    access_log off;
    @{[$opt{main} || '']}

    server {
        listen 127.0.0.1:8081;
        @{[$opt{server} || '']}

        application live {
            $line
        }
    }
}

rtmp_route later {
    zone    later 1m;
    server  10.0.0.1;
}
EOF_CONF

    $answer = `$Test::Nginx::NGINX -t -p $dir -c nginx.conf -e test.log 2>&1`;
    $answer =~ s/^.*(?:syntax is ok|test is successful).*\n//mg;

    return $answer;
}

###############################################################################
