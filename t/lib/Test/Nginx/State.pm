package Test::Nginx::State;

# Copyright (C) The nginx-osp authors

# What tests of the state file have in common.

use strict;
use warnings;

use Exporter qw/ import /;
use JSON::PP;
use Test::Nginx;
use Test::Nginx::Route;
use Time::HiRes qw/ sleep /;


our @EXPORT = qw/
    register read_state wait_state logged kill_all all_gone upgrade
/;


# a heartbeat as SRS sends it; the answer with its head

sub register {
    my ($route, %beat) = @_;

    return request('POST', "/api/v1/srs/register?route=$route",
        JSON::PP->new()->utf8()->encode(\%beat));
}

sub read_state {
    my ($name) = @_;

    open(my $fh, '<:raw', $name) or return undef;
    local $/;

    return eval { decode_json(<$fh>) };
}

# until the file is whole, and its text ($_) is as wanted

sub wait_state {
    my ($name, $code) = @_;

    for (1 .. 400) {

        if (open(my $fh, '<:raw', $name)) {
            local ($/, $_);
            $_ = <$fh>;
            return 1 if eval { decode_json($_) } && $code->();
        }

        sleep(0.05);
    }

    return 0;
}

# until the log says so

sub logged {
    my ($t, $re) = @_;

    for (1 .. 400) {
        return 1 if $t->read_file('error.log') =~ $re;
        sleep(0.05);
    }

    return 0;
}

# a new master beside the old one; its pid

sub upgrade {
    my ($t, $old) = @_;
    my $d = $t->testdir();

    # nginx does not hear it as long as who has started it is there

    for (1 .. 200) {
        last if parent_name($old) ne 'nginx';
        sleep(0.05);
    }

    kill('USR2', $old);

    for (1 .. 400) {
        my $pid = -e "$d/nginx.pid.oldbin" && -e "$d/nginx.pid"
            ? $t->pid_file() : undef;

        return $pid if $pid && $pid != $old;
        sleep(0.05);
    }

    return undef;
}

sub parent_name {
    my ($pid) = @_;
    my ($parent) = first_line("/proc/$pid/stat") =~ /\) \S (\d+)/;

    return defined $parent ? first_line("/proc/$parent/comm") : '';
}

sub first_line {
    my ($name) = @_;

    open(my $fh, '<', $name) or return '';
    chomp(my $line = <$fh> // '');

    return $line;
}

# kill -9 of the master and of all workers

sub kill_all {
    my ($t) = @_;

    kill('KILL', -$t->{_master});
    all_gone($t);
}

# the master is gone, and its pid file with it

sub all_gone {
    my ($t) = @_;

    for (1 .. 400) {
        last if Test::Nginx::process_gone($t->{_master});
        sleep(0.05);
    }

    delete $t->{_started};
    unlink($t->testdir() . '/nginx.pid');
}


# prints what nginx -t says of a configuration, by default that of the test

sub Test::Nginx::check_conf {
    my ($t, $conf) = @_;
    my ($pid, $out, $name);

    $name = 'nginx.conf';

    if (defined $conf) {
        $name = 'check.conf';
        $t->write_file_expand($name, "%%TEST_GLOBALS%%\n$conf");
        $conf = $t->read_file($name);
        $conf =~ s/error\.log/check.log/;
        $t->write_file($name, $conf);
    }

    $pid = open(my $fh, '-|');
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        my @command = map {
            $_ eq 'nginx.conf' ? $name : $_ eq 'error.log' ? 'check.log' : $_
        } $t->command();

        open(STDERR, '>&', \*STDOUT);
        exec(@command, '-t') or POSIX::_exit(127);
    }

    local $/;
    $out = <$fh>;
    close($fh);

    unlink($t->testdir() . '/nginx.pid');

    return $out;
}


1;
