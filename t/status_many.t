#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route_status with so many servers that answers are made in
# several turns of the event loop.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant N => 700;

my $t = Test::Nginx->new()->has(qw/http/)->plan(16);

my $servers = join '', map {
    sprintf("    server  127.%d.%d.1 rtmp=1935%s;\n", $_ / 250, $_ % 250 + 1,
            $_ % 100 ? '' : ' down')
} 1 .. N;

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 16m;
$servers
}

rtmp_route empty {
    zone      empty 1m;
    register  open allow=127.0.0.0/8;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /status {
            rtmp_route_status;
        }
    }
}

EOC

$t->run();

###############################################################################

my ($s, $m, @names);

for (1 .. 3) {
    $m = http_content(http_get('/status?format=prometheus'));
}

like($m, qr/\n# EOF\n\z/, 'all of it');
is(scalar(() = $m =~ /^nginx_rtmp_route_server_up\{.*\} 1$/mg), N - N / 100,
    'servers that are up');
is(scalar(() = $m =~ /^nginx_rtmp_route_server_selected_total\{/mg), N,
    'each server once');
is(scalar(() = $m =~ /_downtime_seconds_total\{.*\} \d+\.\d{3}$/mg), N,
    'in seconds');
unlike($m, qr/_health_check_seconds/, 'no time of checks that were not made');

# lines of a metric follow each other, and none is there twice

@names = $m =~ /^(nginx_\w+)[{ ]/mg;
my %seen;
my $last = '';
is(join(' ', grep { s/_(?:bucket|sum|count)$//; my $again = $_ ne $last
    && $seen{$_}++; $last = $_; $again } @names), '', 'together');

my %lines;
is(join(' ', grep { $lines{$_}++ } $m =~ /^(nginx_\S+)/mg), '', 'once');

$s = status();
is($s->{routes}{live}{servers}, N, 'servers');
is(@{$s->{routes}{live}{list}}, N, 'a list of all');
is($s->{routes}{live}{list}[N / 100 - 1]{state}, 'down', 'bad ones first');
is($s->{routes}{live}{list}[N / 100]{state}, 'up', 'then the others');

$s = status('&limit=10');
is(@{$s->{routes}{live}{list}}, 10, 'limited');
is($s->{routes}{live}{matched}, N, 'of how many');

$s = status('&filter=7.1.12.');
is(join(' ', map { $_->{id} } @{$s->{routes}{live}{list}}), '127.1.12.1',
    'filtered');
is(@{$s->{routes}{empty}{list}}, 0, 'no servers');
like(http_get('/status?format=json&limit=1001'), qr/ 400 /, 'too many');

###############################################################################

sub status {
    my ($args) = @_;

    return decode_json(http_content(http_get('/status?format=json'
        . ($args || ''))));
}

###############################################################################
