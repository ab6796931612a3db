package Test::Nginx::Media;

# Copyright (C) The nginx-osp authors

# Real programs for the tests: ffmpeg and other clients, nginx-rtmp as origin.
#
#     my $file = media_file($t, 'cam1.flv');
#     my $player = play($t, 'player', $url);
#     publish($t, 'publisher', $file, $url)->wait();
#     is($player->wait_packets($file), file_packets($t, $file), 'packets');
#
# Every program ends with the test at the latest.

use strict;
use warnings;

use Digest::SHA qw/ sha1_hex /;
use Exporter qw/ import /;
use IO::Handle;
use IO::Select;
use POSIX qw/ WNOHANG /;
use Scalar::Util qw/ weaken /;
use Test::More qw//;
use Test::Nginx qw//;
use Test::Nginx::RTMP qw/ need_rtmp_module wait_until /;
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/
    need_media nginx_rtmp media_file file_packets file_frames frames_within
    publish play program has_program
/;

my %running;

# the arguments that make a list of packets for each kind of media

my %kinds = (video => '0:v', audio => '0:a');

END {
    $_->stop('KILL') for grep { defined } values %running;
}


###############################################################################
# origins
###############################################################################

# Skips the test without what it needs in any case.

sub need_media {
    my ($t) = @_;
    my $encoders;

    need_rtmp_module($t->has_daemon('ffmpeg'));

    $encoders = `ffmpeg -v quiet -encoders 2>&1`;

    for my $name (qw/ libx264 aac /) {
        Test::More::plan(skip_all => "no $name in ffmpeg")
            unless $encoders =~ /^\s*\S+\s+$name\s/m;
    }

    return $t;
}

# An nginx of its own, with one process: streams of nginx-rtmp are not shared
# between workers.  The configuration is what stands in the main context.

sub nginx_rtmp {
    my ($t, $name, $conf) = @_;
    my ($dir, $text);

    $dir = $t->testdir();

    $t->write_file_expand("$name.conf", <<"EOF_CONF" . $conf);
%%TEST_GLOBALS%%

daemon off;

events {
}

EOF_CONF

    $text = $t->read_file("$name.conf");

    $text =~ s/^pid .*$/pid $dir\/$name.pid;/m;
    $text =~ s/^error_log .*$/error_log $dir\/$name.log info;/m;
    $text =~ s/^load_module \S+(?:rtmp_route|osp_upstream|hls_cache)\S+\n//mg;

    # by default it would be outside of the test's directory
    $text =~ s/^rtmp \{\n/rtmp {\n    access_log off;\n/m
        unless $conf =~ /access_log/;

    $t->write_file("$name.conf", $text);
    $t->run_daemon($Test::Nginx::NGINX, '-p', "$dir/", '-c', "$name.conf",
        '-e', "$name.log");

    return $t->waitforfile("$dir/$name.pid");
}


###############################################################################
# media
###############################################################################

# H.264 with B-frames, a key frame each half a second, and AAC.  Options:
# seconds; hue, for files that have to be different.

sub media_file {
    my ($t, $name, %opt) = @_;
    my ($file, $seconds, $hue);

    $file = $t->testdir() . "/$name";
    $seconds = $opt{seconds} || 4;
    $hue = $opt{hue} || 0;

    ffmpeg('-y', '-f', 'lavfi', '-i', "testsrc2=s=320x180:r=25:d=$seconds",
        '-f', 'lavfi', '-i', "sine=f=@{[400 + $hue]}:r=44100:d=$seconds",
        '-vf', "hue=h=$hue", qw/ -c:v libx264 -preset ultrafast -bf 2 -g 12 /,
        qw/ -b:v 500k -c:a aac -flags +bitexact -f flv /, $file)
        or die "Can't make $file\n";

    return $file;
}

# What is in a file, packet by packet: times, size and hash of each, as one
# line that is short enough to be compared by is().

sub file_packets {
    my ($t, $file) = @_;
    my $base = $t->testdir() . '/packets';

    ffmpeg('-i', $file, list_options($base)) or return 'unreadable';

    return packets_digest(read_packets($base));
}

sub list_options {
    my ($base) = @_;

    return map {
        ('-map', $kinds{$_}, qw/ -c copy -flush_packets 1 -f framemd5 /,
            "$base.$_")
    } sort keys %kinds;
}

# The lines of the lists, the sequence headers (extradata) among them.

sub read_packets {
    my ($base) = @_;
    my %packets;

    for my $kind (keys %kinds) {
        $packets{$kind} = [];

        open(my $fh, '<', "$base.$kind") or next;
        @{$packets{$kind}} = grep { /^(?:\d.*|#extradata.*)\n/ } <$fh>;
    }

    return \%packets;
}

sub packets_digest {
    my ($packets) = @_;

    return join(', ', map {
        "$_ " . scalar(@{$packets->{$_}}) . ' '
            . substr(sha1_hex(join('', @{$packets->{$_}})), 0, 16)
    } sort keys %$packets);
}

# Hashes of the decoded pictures, which stay the same in other containers.

sub file_frames {
    my ($t, $input, @options) = @_;
    my $list = $t->testdir() . '/frames';

    # what was cut at its end is no fault
    unlink($list);
    ffmpeg(qw/ -v quiet /, @options, '-i', $input, qw/ -map 0:v -f framemd5 /,
        $list);

    open(my $fh, '<', $list) or return ();

    return map { /^\d.*\s(\w{32})$/ ? $1 : () } <$fh>;
}

# How many pictures there are, if they follow one another as in the original;
# negative: how many of them do so.

sub frames_within {
    my ($got, $all) = @_;
    my ($n, $pos);

    return 0 unless @$got;

    for ($pos = 0; $pos < @$all; $pos++) {
        last if $all->[$pos] eq $got->[0];
    }

    for ($n = 0; $n < @$got; $n++) {
        last if $pos + $n >= @$all || $all->[$pos + $n] ne $got->[$n];
    }

    return $n == @$got ? $n : -$n;
}

sub ffmpeg {
    my (@args) = @_;

    return system('timeout', '-k', '2', '20', 'ffmpeg', '-v', 'error',
        '-nostdin', @args) == 0;
}


###############################################################################
# programs
###############################################################################

# Options are in front of the input, for instance -readrate.  The file "-" is
# what feed() gives.

sub publish {
    my ($t, $name, $file, $url, @options) = @_;

    return program($t, $name, { input => $file eq '-' },
        qw/ ffmpeg -v error -nostdin -analyzeduration 100000 /, @options, '-i',
        $file, qw/ -c copy -flvflags no_duration_filesize -f flv /, $url);
}

sub play {
    my ($t, $name, $url, @options) = @_;
    my $self;

    $self = program($t, $name,
        qw/ ffmpeg -v warning -nostdin -analyzeduration 100000 /, @options,
        '-i', $url, list_options($t->testdir() . "/$name"));

    $self->{packets} = $t->testdir() . "/$name";

    return $self;
}

# Its output is in NAME.out and NAME.log.  Options: nobody, the user it is run
# by; input, if it has one.

sub program {
    my ($t, $name, @command) = @_;
    my ($opt, $base, $pid, $self, $read, $write);

    $opt = ref($command[0]) ? shift @command : {};
    $base = $t->testdir() . "/$name";

    if ($opt->{input}) {
        pipe($read, $write) or die "Can't make a pipe: $!\n";
        $write->blocking(0);
    }

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM PIPE /;
        setpgrp(0, 0);

        open(STDIN, $read ? '<&' : '<', $read || '/dev/null');
        open(STDOUT, '>', "$base.out");
        open(STDERR, '>', "$base.log");

        be_nobody() if $opt->{nobody} && $> == 0;

        exec(@command) or POSIX::_exit(127);
    }

    $self = bless {
        name   => $name,
        output => "$base.out",
        log    => "$base.log",
        pid    => $pid,
        owner  => $$,
        input  => $write,
    }, __PACKAGE__;

    $running{$self} = $self;
    weaken($running{$self});

    return $self;
}

sub be_nobody {
    my ($uid, $gid) = (getpwnam('nobody'))[2, 3];

    $ENV{HOME} = '/nonexistent';
    chdir('/');

    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
}

sub has_program {
    my ($name) = @_;

    return scalar(grep { -x "$_/$name" } split(/:/, $ENV{PATH}));
}

# Gives it a part of a file, from .. to in units of its size.  The end of the
# file is the end of the input.

sub feed {
    my ($self, $file, $from, $to) = @_;
    my ($fh, $bytes, $end, $n, $pos, $select);

    open($fh, '<', $file) or die "Can't open $file: $!\n";
    binmode($fh);
    local $/;
    $bytes = <$fh>;

    $end = time() + 5;
    $pos = int($from * length($bytes));
    $to = int($to * length($bytes));
    $select = IO::Select->new($self->{input});

    while ($pos < $to && time() < $end) {
        $n = syswrite($self->{input}, $bytes, $to - $pos, $pos);

        last if !defined $n && !$!{EAGAIN};

        $pos += $n || 0;
        $select->can_write(0.1) unless $n;
    }

    delete $self->{input} if $to == length($bytes);

    return $pos == $to;
}

# Its exit status, or "timeout".

sub wait {
    my ($self, $timeout) = @_;

    wait_until(sub { !$self->is_running() }, $timeout || 10)
        or return 'timeout';

    return $self->{status};
}

sub is_running {
    my ($self) = @_;

    return 0 if defined $self->{status};
    return 1 unless waitpid($self->{pid}, WNOHANG) == $self->{pid};

    $self->{status} = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
    delete $running{$self};

    return 0;
}

# Asks it to end, all of its processes.

sub stop {
    my ($self, $signal) = @_;

    return $self if $self->{owner} != $$ || !$self->is_running();

    kill($signal || 'INT', -$self->{pid});

    if ($self->wait(3) eq 'timeout') {
        kill('KILL', -$self->{pid});
        $self->wait(3);
    }

    return $self;
}

sub DESTROY {
    my ($self) = @_;

    local ($@, $!, $?);

    $self->stop('KILL');
}

# Whether a player got anything.

sub has_packets {
    my ($self) = @_;

    return wait_until(sub { -s "$self->{packets}.video" });
}

# What a player got, once it is as much as the file has.

sub wait_packets {
    my ($self, $want, $timeout) = @_;

    wait_until(sub {
        return 1 unless $self->is_running();
        return packets_digest(read_packets($self->{packets})) eq $want;
    }, $timeout);

    return packets_digest(read_packets($self->{packets}));
}


1;
