package Test::Nginx::Register;

# Copyright (C) The nginx-osp authors

# An nginx-rtmp that registers itself: an nginx of its own, with all modules.
#
#     need_register($t)->plan(1);
#     my $o = register_origin($t, 'origin', $conf);
#
# The configuration is what stands in the main context; without one, that of
# before is started again.

use strict;
use warnings;

use Exporter qw/ import /;
use POSIX qw/ WNOHANG /;
use Test::More qw//;
use Test::Nginx;
use Test::Nginx::RTMP;
use Time::HiRes qw/ sleep /;


our @EXPORT = qw/ has_register need_register register_origin /;


# Skips the test without nginx-rtmp, or if it was built without its headers.

sub need_register {
    my ($t) = @_;

    need_rtmp_module($t);

    Test::More::plan(skip_all => 'built without headers of nginx-rtmp')
        unless has_register($t);

    return $t;
}

sub has_register {
    my ($t) = @_;
    my $dir = $t->testdir();

    return 0 unless $t->has_module('rtmp');

    $t->write_file('probe.conf', $t->test_globals() . "events {}\nrtmp {\n"
        . "access_log off; rtmp_route_register http://127.0.0.1/;\n}\n");

    return `$Test::Nginx::NGINX -t -p $dir -c $dir/probe.conf 2>&1`
        !~ /unknown directive "rtmp_route_register"/;
}

sub register_origin {
    my ($t, $name, $conf) = @_;
    my ($dir, $self, $text);

    $dir = $t->testdir();
    $self = bless { t => $t, name => $name, dir => $dir };

    if (defined $conf) {
        $t->write_file_expand("$name.conf", <<"EOF_CONF" . $conf);
%%TEST_GLOBALS%%

daemon off;

events {
}

EOF_CONF

        $text = $t->read_file("$name.conf");

        $text =~ s/^pid .*$/pid $dir\/$name.pid;/m;
        $text =~ s/^error_log .*$/error_log $dir\/$name.log info;/m;
        $text =~ s/^rtmp \{\n/rtmp {\n    access_log off;\n/m
            unless $conf =~ /access_log/;

        $t->write_file("$name.conf", $text);
    }

    unlink "$dir/$name.log", "$dir/$name.pid";

    $t->run_daemon($Test::Nginx::NGINX, '-p', "$dir/", '-c', "$name.conf",
        '-e', "$name.log");

    $self->{pid} = $t->{_daemons}[-1];

    $t->waitforfile("$dir/$name.pid");

    return $self;
}

sub signal {
    my ($self, $signal) = @_;

    kill($signal, $self->{pid});

    return $self;
}

# until it has ended

sub wait {
    my ($self, $timeout) = @_;
    my $t = $self->{t};

    return 0 unless wait_until(sub {
        waitpid($self->{pid}, WNOHANG) != 0
    }, $timeout || 10);

    @{$t->{_daemons}} = grep { $_ != $self->{pid} } @{$t->{_daemons}};

    return 1;
}

sub log {
    my ($self) = @_;

    return $self->{t}->read_file("$self->{name}.log");
}

sub workers {
    my ($self) = @_;
    my @found;

    for my $file (glob '/proc/[0-9]*/stat') {
        open(my $fh, '<', $file) or next;

        my $stat = <$fh>;

        push @found, $1 if defined $stat
            && $stat =~ /^(\d+) \(.*\) [^ZX] (\d+) / && $2 == $self->{pid};
    }

    return sort { $a <=> $b } @found;
}


1;
