package Test::Nginx::Rate;

# Copyright (C) The nginx-osp authors

# How fast streams are, by what the API counts of them:
#
#     push @pids, child(sub { $c->send_media(@media) });
#
#     my %begin = counts('live');
#     sleep(3);
#     my %end = counts('live');
#
#     about(speed($begin{cam}, $end{cam}, 'in'), 200 * 1024, 'upload');

use strict;
use warnings;

use Exporter qw/ import /;
use POSIX ();
use Test::More qw//;
use Test::Nginx::Route;
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/ about child counts speed /;


# Runs code in a process of its own, which is there until it is killed.

sub child {
    my ($code) = @_;
    my $pid = fork();

    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{TERM} = 'DEFAULT';
        $code->();
        sleep(60);
        POSIX::_exit(0);
    }

    return $pid;
}

# Sessions of some routes by the name of the stream, and when that was.

sub counts {
    my %all;

    for my $s (map { sessions($_) } @_) {
        my ($name) = $s->{stream} =~ m!/(.*)!;

        $all{$name} = { %$s, time => time() };
    }

    return %all;
}

# Bytes per second, "in" or "out"; 0 for a session that was not there.

sub speed {
    my ($begin, $end, $what) = @_;

    return 0 unless $begin && $end;

    return ($end->{$what} - $begin->{$what}) / ($end->{time} - $begin->{time});
}

sub about {
    my ($got, $want, $name) = @_;

    Test::More::ok($got > $want * 0.85 && $got < $want * 1.15, $name)
        or Test::More::diag(sprintf('%.0f instead of %.0f', $got, $want));
}


1;
