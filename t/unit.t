#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Runs the unit tests, t/unit/*_test.c, which "make unit" builds, and passes
# on what they print.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Basename qw/ basename dirname /;

use constant TIMEOUT => 300;

###############################################################################

my $dir = dirname(__FILE__);
my $bin = $ENV{TEST_NGINX_UNIT} || "$dir/../build/unit";
my @names = sort map { basename($_, '.c') } glob("$dir/unit/*_test.c");

plan(skip_all => 'no unit tests') unless @names;
plan(skip_all => 'not built, see "make unit"') unless -d $bin;
plan(tests => scalar @names);

# what nginx allocates for the life of a process is no leak

$ENV{ASAN_OPTIONS} = 'detect_leaks=0:detect_odr_violation=0'
    unless $ENV{ASAN_OPTIONS};
$ENV{UBSAN_OPTIONS} = 'print_stacktrace=1' unless $ENV{UBSAN_OPTIONS};

subtest($_ => \&unit, "$bin/$_") for @names;

###############################################################################

sub unit {
    my ($program) = @_;
    my ($plan, $count, $reason, @rest) = (undef, 0);

    return ok(0, 'built') unless -x $program;

    my ($output, $status) = run($program);

    for my $line (split /\n/, $output) {
        if ($line =~ /^1\.\.(\d+)(?:\s*#\s*skip\S*\s*(.*))?/i) {
            ($plan, $reason) = ($1, $2);

        } elsif ($line =~ /^(not )?ok\b\s*\d*\s*-?\s*(.*)/) {
            $count++;
            ok(!$1, $2);

        } else {
            push @rest, $line;
        }
    }

    if (defined $plan && $plan == 0 && $status eq '0') {
        plan(skip_all => $reason || 'no reason given');
        return;
    }

    is($count, $plan, 'all tests of the plan were run');

    # a failed test may be told by the exit code, too

    is($status, '0', 'exit status')
        or diag(join("\n", @rest > 50 ? @rest[-50 .. -1] : @rest));
}

sub run {
    my ($program) = @_;
    my ($output, $status) = ('', '');

    my $pid = open(my $fh, '-|');
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDIN, '<', '/dev/null');
        open(STDERR, '>&', \*STDOUT);
        exec($program);
        exit(127);
    }

    eval {
        local $SIG{ALRM} = sub { die "timeout\n" };
        alarm(TIMEOUT);

        while (sysread($fh, my $buf, 65536)) {
            $output .= $buf;
        }

        alarm(0);
    };

    if ($@) {
        kill('KILL', $pid);
        $status = 'killed after ' . TIMEOUT . ' seconds, ';
    }

    close($fh);

    $status .= $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;

    return ($output, $status);
}

###############################################################################
