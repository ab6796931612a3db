package Bench;

# Copyright (C) The nginx-osp authors

# What benchmarks share: contestants as processes, what they cost, tables.

###############################################################################

use strict;
use warnings;

use Cwd qw/ abs_path /;
use Exporter qw/ import /;
use IO::Socket::INET;
use List::Util qw/ max min /;
use POSIX qw/ WNOHANG /;
use Time::HiRes qw/ sleep /;

our @EXPORT = qw/ cpu isolate median memory milliseconds read_file rounds run
    start stop table tree user write_file /;

my %daemons;

$SIG{$_} = sub { exit 1 } for qw/ INT TERM /;
END { stop($_) for values %daemons }

###############################################################################
# rounds and tables
###############################################################################

# Each round takes all contestants in turn; ratios of the first column are
# against the first contestant of the same round.

sub rounds {
    my ($rounds, $names, $columns, $measure) = @_;
    my %results;

    for my $round (1 .. $rounds) {
        my $base;

        for my $name (@$names) {
            my $result = $measure->($name, $round);
            my $key = $columns->[0];

            $base = $result->{$key} unless defined $base;
            $result->{ratio} = $base ? $result->{$key} / $base : 0;

            push @{$results{$name}}, $result;
        }
    }

    return \%results;
}

# medians of the rounds, with the lowest and the highest

sub table {
    my ($test, $names, $columns, $results) = @_;

    print "\n$test\n\n| contestant | ", join(' | ', @$columns), " |\n|---|",
        '---|' x @$columns, "\n";

    for my $name (@$names) {
        print "| $name |";

        for my $column (@$columns) {
            my @values = grep { defined } map { $_->{$column} }
                @{$results->{$name}};

            if (!@values) {
                print ' - |';
                next;
            }

            my @span = map { short($_) }
                median(@values), min(@values), max(@values);

            print $span[1] eq $span[2] ? " $span[0] |"
                : " $span[0] ($span[1]-$span[2]) |";
        }

        print "\n";
    }
}

sub short {
    my ($value) = @_;

    return $value == int($value) ? $value
        : sprintf($value >= 100 ? '%.0f' : $value >= 1 ? '%.2f' : '%.3f',
            $value);
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return $sorted[@sorted / 2];
}

# of wrk's "1.23ms"

sub milliseconds {
    my ($value) = @_;
    my ($n, $unit) = $value =~ /^([\d.]+)(\w+)$/ or die "no time: $value\n";

    return $n * { us => 0.001, ms => 1, s => 1000, m => 60000 }->{$unit};
}

###############################################################################
# processes
###############################################################################

sub user { return $> == 0 ? 'user root;' : '' }

# a command that listens on a port, of 127.0.0.1 if no address is given; what
# it says goes to a file

sub start {
    my ($out, $at, @command) = @_;
    my $pid = fork();

    if ($pid == 0) {
        open(STDOUT, '>', $out);
        open(STDERR, '>&', \*STDOUT);
        exec(@command) or POSIX::_exit(127);
    }

    $daemons{$pid} = $pid;
    $at = "127.0.0.1:$at" unless $at =~ /:/;

    for (1 .. 200) {
        return $pid if IO::Socket::INET->new($at);
        sleep 0.05;
        last if waitpid($pid, WNOHANG) > 0;
    }

    die "can't start $command[0]:\n", read_file($out);
}

sub stop {
    my ($pid) = @_;

    return unless $pid && delete $daemons{$pid};

    kill('TERM', $pid);

    for (1 .. 100) {
        return if waitpid($pid, WNOHANG) > 0;
        sleep 0.05;
    }

    kill('KILL', tree($pid));
    waitpid($pid, 0);
}

sub run {
    my ($command) = @_;
    my $out = `$command 2>&1`;

    die "failed: $command\n$out" if $?;

    return $out;
}

sub tree {
    my ($pid) = @_;
    my @pids = ($pid);

    for my $task (glob("/proc/$pid/task/*/children")) {
        push @pids, map { tree($_) } split(' ', read_file($task));
    }

    return @pids;
}

# seconds, of all threads of the processes and their children

sub cpu {
    my (@pids) = @_;
    my $sum = 0;

    for my $p (map { tree($_) } grep { $_ } @pids) {
        $sum += (split(' ', read_file($_)))[0] for
            glob("/proc/$p/task/*/schedstat");
    }

    return $sum / 1e9;
}

# resident kilobytes, shared pages divided among those who share them

sub memory {
    my (@pids) = @_;
    my $sum = 0;

    for my $p (map { tree($_) } @pids) {
        $sum += $1 if read_file("/proc/$p/smaps_rollup") =~ /^Pss:\s+(\d+)/m;
    }

    return $sum;
}

sub read_file {
    my ($name) = @_;

    open(my $fh, '<', $name) or return '';
    local $/;
    return <$fh> // '';
}

sub write_file {
    my ($name, $text) = @_;

    open(my $fh, '>', $name) or die "can't write $name: $!\n";
    print $fh $text;
}

# Begins again, with these arguments, in a network of its own: no other
# traffic, and no pacing by BBR.  To be called before anything is started.

sub isolate {
    return if $ENV{BENCH_ISOLATED} || $> != 0;

    $ENV{BENCH_ISOLATED} = 1;

    exec('unshare', '-n', 'sh', '-c', 'ip link set lo up; '
        . 'sysctl -qw net.ipv4.tcp_congestion_control=reno; exec "$@"',
        'sh', $^X, abs_path($0), @_);
}

###############################################################################

1;

###############################################################################
