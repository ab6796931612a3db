#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "make run": the demo from its start to its end.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); push @INC, "$FindBin::Bin/lib"; }

use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::INET;
use Test::Nginx::Browser;
use Test::Nginx::Page;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $build = $ENV{BUILD} || "$FindBin::Bin/../build";
my $modules = $ENV{TEST_NGINX_OSP_MODULES} || "$build/modules";

for my $program (qw/ make curl ffmpeg ffprobe stdbuf /) {
    plan(skip_all => "$program not found")
        unless grep { -x "$_/$program" } split(/:/, $ENV{PATH});
}

plan(skip_all => 'nothing was built, see "make"')
    unless $ENV{STATIC} || -e "$modules/ngx_stream_osp_upstream_module.so";

plan(tests => 27);

# as from a shell, not from the make that runs the tests

delete @ENV{qw/ MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES DEMO TOKEN /};

my $base = free_ports(6);
my %jobs;

$SIG{$_} = sub { exit 1 } for qw/ INT TERM HUP ALRM /;

alarm(240);

# all of it

my $job = start("PORT_BASE=$base");
my $flow = qr/^rtmp\s+([\d.]+)\ fps\s+(\d+)\ kbit\/s
              \s+hls\s+([\d.]+)\ fps\s+(\d+)\ kbit\/s$/mx;

ok(wait_output($job, qr/^API/m, 60), 'started')
    or diag($job->{output});

my ($look) = $job->{output} =~ m!^look\s+(\S+)$!m;
my ($publish) = $job->{output} =~ m!^publish\s+(\S+)$!m;
my ($rtmp) = $job->{output} =~ m!^watch RTMP\s+(\S+)$!m;
my ($hls) = $job->{output} =~ m!^watch HLS\s+(\S+)$!m;
my ($api) = $job->{output} =~ m!^API\s+(\S+)$!m;

is($publish, "rtmp://127.0.0.1:$base/live/demo", 'publish URL');
is($rtmp, $publish, 'RTMP URL');
like($hls, qr!^http://127\.0\.0\.1:\d+/.*\.m3u8$!, 'HLS URL');
like($api, qr!^http://127\.0\.0\.1:\d+/api/$!, 'API URL');

ok(wait_output($job, qr/^rtmp\s+[1-9].*hls\s+[1-9]/m, 30), 'both flow')
    or diag($job->{output});

my $seen = () = $job->{output} =~ /$flow/g;
wait_output($job, qr/(?:$flow.*?){@{[$seen + 4]}}/s, 15);

my ($line) = $job->{output} =~ /(rtmp[^\n]*)\n\z/;
my @rates = $line =~ $flow;

cmp_ok($rates[0] || 0, '>', 20, "frames by RTMP: $line");
cmp_ok($rates[1] || 0, '>', 300, 'bits by RTMP');
cmp_ok($rates[2] || 0, '>', 20, 'frames by HLS');
cmp_ok($rates[3] || 0, '>', 300, 'bits by HLS');

my $servers = `curl -s -m 5 ${api}1/routes/live/servers/`;
my $up = () = $servers =~ /"source":"register","state":"up"/g;

is($up, 2, 'two origins registered');

# the page to watch from

SKIP: {
    skip 'no chromium or no hls.js', 6
        unless defined Test::Nginx::Browser::chromium()
               && defined Test::Nginx::Browser::hls_js();

    my $page = page(tempdir(CLEANUP => 1), $look, width => 360);
    my $time = 'document.getElementById("video").currentTime';

    ok($page->wait("$time > 0.5", 30), 'the page plays');

    my $began = $page->js($time);
    ok($page->wait("$time > $began + 1"), 'and goes on');

    is($page->wait('document.querySelector("#streams b").textContent'),
        'live/demo', 'the stream is listed');
    ok($page->wait('document.querySelectorAll("#servers li").length == 2'),
        'and the origins');
    is($page->js('document.documentElement.scrollWidth'), 360,
        'it fits a phone');
    is($page->complaints(), '', 'nothing in the console');
}

# once more, at the same ports

my $second = start("PORT_BASE=$base");

isnt(wait_exit($second, 30), 0, 'exit code with a port taken');
like($second->{output}, qr/port $base is taken.*PORT_BASE=/s,
     'message with a port taken');

# Ctrl-C

interrupt($job);

# of which make itself dies, too

like(wait_exit($job, 15), qr/^[02]$/, 'stopped by Ctrl-C');
is(left($base), '', 'nothing left');
is(free_ports(6, $base), $base, 'ports are free again');

# the proxy alone

$job = start("PORT_BASE=$base", 'DEMO=0');

ok(wait_output($job, qr/^API/m, 30), 'proxy alone')
    or diag($job->{output});
ok(!connects($base + 2), 'no origins');

interrupt($job);

like(wait_exit($job, 15), qr/^[02]$/, 'proxy alone stopped');
is(left($base), '', 'nothing left of it');

# nothing flows

$job = start("PORT_BASE=$base");
wait_output($job, qr/^rtmp/m, 60);

kill('STOP', workers("$build/run/$base/proxy/nginx.pid"));

isnt(wait_exit($job, 30), 0, 'exit code when nothing flows');

###############################################################################

sub start {
    my @args = ("BUILD=$build", @_);

    my $pid = open(my $fh, '-|');
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        setpgrp(0, 0);
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM /;
        open(STDIN, '<', '/dev/null');
        open(STDERR, '>&', \*STDOUT);
        exec(qw/ make --no-print-directory -C .. run SETUP=no /, @args)
            or exit(127);
    }

    return $jobs{$pid} = { pid => $pid, fh => $fh, output => '' };
}

# Ctrl-C of a terminal is for all processes of the foreground

sub interrupt {
    my ($job) = @_;

    kill('INT', -$job->{pid});
}

sub wait_output {
    my ($job, $what, $seconds) = @_;

    read_output($job, $seconds, sub { $job->{output} =~ $what });

    return $job->{output} =~ $what;
}

sub wait_exit {
    my ($job, $seconds) = @_;

    return 'still running'
        unless read_output($job, $seconds, sub { 0 }) eq 'end';

    delete $jobs{$job->{pid}};
    close($job->{fh});

    return $?;
}

sub read_output {
    my ($job, $seconds, $enough) = @_;
    my $end = time() + $seconds;
    my $select = IO::Select->new($job->{fh});

    while (!$enough->()) {
        my $left = $end - time();
        return 'timeout' if $left <= 0 || !$select->can_read($left);

        return 'end'
            unless sysread($job->{fh}, $job->{output}, 65536,
                           length $job->{output});
    }

    return 'enough';
}

# what still runs with a file of the demo

sub left {
    my ($base) = @_;
    my @found;

    for my $file (glob('/proc/[0-9]*/cmdline')) {
        open(my $fh, '<', $file) or next;
        my $line = join(' ', split(/\0/, join('', <$fh>)));

        push @found, $line if $line =~ m!/run/$base/|127.0.0.1:$base/!;
    }

    return join("\n", @found);
}

sub workers {
    my ($file) = @_;

    open(my $fh, '<', $file) or return;
    chomp(my $master = <$fh>);

    open($fh, '<', "/proc/$master/task/$master/children") or return;

    return split(' ', join('', <$fh>));
}

sub connects {
    my ($port) = @_;

    return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port);
}

# outside of the ports that the other tests take

sub free_ports {
    my ($count, @bases) = @_;

    @bases = map { 30100 + int(rand(2600)) } 1 .. 50 unless @bases;

    for my $base (@bases) {
        my @sockets = grep { defined } map {
            IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
                LocalPort => $base + $_, ReuseAddr => 1)
        } 0 .. $count - 1;

        return $base if @sockets == $count;
    }

    return 0;
}

END {
    my $rc = $?;

    for my $pid (keys %jobs) {
        kill('TERM', -$pid);
        waitpid($pid, 0);
    }

    $? = $rc;
}

###############################################################################
