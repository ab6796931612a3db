#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the configuration in README.md: it works as it stands, with ports
# of this machine put in, and so do its commands.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy access stream rewrite/)
    ->plan(10);

my $readme = do { local (@ARGV, $/) = '../README.md'; <> };

my ($conf) = $readme =~ /## A complete nginx\.conf.*?```nginx\n(.*?)```/s
    or die "no configuration in README.md\n";

# the modules under test, ports, and an address that is here

$conf =~ s/^load_module .*\n//mg;
$conf =~ s/(rtmp=)1935/$1%%PORT_8082%%/g;
$conf =~ s/(http=)8080/$1%%PORT_8083%%/g;
$conf =~ s/10\.0\.0\.11/127.0.0.1/g;
$conf =~ s/10\.0\.0\.12/127.0.0.2/g;
$conf =~ s/(listen +)1935;/${1}127.0.0.1:8081;/;
$conf =~ s/(listen +)8080;/${1}127.0.0.1:8080;/;
$conf =~ s!(allow=10.0.0.0/8)!$1 allow=127.0.0.0/8!;
$conf =~ s/worker_processes auto/worker_processes 2/;
$conf =~ s/^http \{\n/http {\n    %%TEST_GLOBALS_HTTP%%\n/m;

# the HTTP side of its origins

$conf =~ s/^http \{.*?\K^\}$/
    server {
        listen 127.0.0.1:8083;
        listen 127.0.0.2:%%PORT_8083%%;

        location \/ {
            return 200 "\$request_uri \$server_addr";
        }
    }
}/ms;

$t->write_file_expand('nginx.conf',
    "%%TEST_GLOBALS%%\n\ndaemon off;\n\n$conf");

rtmp_origin($t, port(8082));

$t->run();

###############################################################################

my $c = rtmp_publish(port(8081), 'live', 'cam1');
is($c->{code}, 'NetStream.Publish.Start', 'publish');

like(api('streams/live/cam1'), qr/"server":"127.0.0.1".*"publishers":1/,
    'the stream');

like(http_get('/live/cam1.m3u8'), qr!^/live/cam1.m3u8 127.0.0.1$!m, 'hls');
like(http_get('/live/cam1.flv?x=1'), qr!^/live/cam1.flv\?x=1 127.0.0.1$!m,
    'flv');

# the commands that show what is where, and register an origin

my ($register) = $readme =~ /(curl -d '\{"ip".*?)\n\n/s;
my ($show) = $readme =~ /(curl http:\S+streams\/)/;

for ($register, $show) {
    s/^\s*//;
    s!http://proxy:8080!'http://127.0.0.1:' . port(8080)!e;
    s/10\.0\.0\.13/127.0.0.3/;
    s/^curl/curl -s/;
}

SKIP: {
    skip 'no curl', 4 unless $t->has_daemon('curl');

    like(`$register`, qr/^\{"code":0,"pid":"\d+"\}$/, 'registered');
    like(api('servers/c'),
        qr/"rtmp":\["127.0.0.3:1935"\].*"state":"(?:up|checking)"/, 'server');
    like(`$show`, qr/"live\/cam1":\{"server"/, 'shown');

    $register =~ s/SECRET/WRONG/;
    like(`$register`, qr/"code":"TokenInvalid"/, 'another token');
}

$c->close();

# every relative link leads somewhere

my @broken;

for my $page (glob('../README.md ../*/*.md ../*/*/README.md')) {
    my $text = do { local (@ARGV, $/) = $page; <> };
    (my $dir = $page) =~ s![^/]*$!!;

    while ($text =~ /\]\(([^)#:]*)(?:#([^)]*))?\)/g) {
        my ($file, $anchor) = ($1, $2);
        my $target = length $file ? $dir . $file : $page;

        push @broken, "$page: $file" unless -e $target;
        next unless defined $anchor && -f $target;

        my $to = do { local (@ARGV, $/) = $target; <> };
        push @broken, "$page: #$anchor" unless grep { $_ eq $anchor }
            map { anchor($_) } $to =~ /^#+ (.*)$/mg;
    }
}

is("@broken", '', 'links');

isnt(wait_log($t, 'error.log', qr/(session ended, )/), 'none',
    'log of a session');

###############################################################################

sub api {
    return http_get('/api/1/routes/live/' . shift);
}

# as GitHub makes them

sub anchor {
    my ($heading) = @_;

    $heading = lc $heading;
    $heading =~ s/[^\w\s-]//g;
    $heading =~ s/\s/-/g;

    return $heading;
}

###############################################################################
