package Test::Nginx::HLS::Viewer;

# Copyright (C) The nginx-osp authors

# A viewer that goes on watching, in a process of its own, and checks what a
# player relies on.
#
#     my $v = hls_viewer($t, '/live/cam1/index.m3u8', name => 'one');
#     ...
#     is($v->faults(), '', 'one');
#
# It follows the first variant, polls each half of the target duration (every
# => seconds), and fetches each segment once (segments => 0: none).  Options of
# hls_get() may be given in get => {}.
#
# Faults, each with its time: an answer that is not 200 or not complete, text
# that is no playlist, a MEDIA-SEQUENCE or DISCONTINUITY-SEQUENCE or an end of
# the list that goes back, a sequence number that gets another URI, duration,
# a URI that comes again at another number, numbers between
# two polls that were in none of them.
#
# report() has polls, segments, bytes, first and last (sequence numbers seen),
# discontinuities, gap (the longest time without a new segment), slow (the
# longest request), listed (uri and md5 by number), faults.

use strict;
use warnings;

use Exporter qw/ import /;
use JSON::PP;
use POSIX qw/ WNOHANG /;
use Test::Nginx::HLS::Client;
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/ hls_viewer /;

my $json = JSON::PP->new()->canonical(1)->latin1(1);


sub hls_viewer {
    my ($t, $uri, %opt) = @_;
    my ($self, $pid);

    $self = bless {
        uri => $uri, name => 'viewer', segments => 1, get => {}, life => 200,
        faults => [], seen => {}, uris => {}, %opt,
        report => { polls => 0, segments => 0, bytes => 0, gap => 0,
            slow => 0, discontinuities => 0, listed => {} },
    };

    $self->{file} = $t->testdir() . "/viewer-$self->{name}.json";
    unlink($self->{file});

    # it has the ports that the test has
    Test::Nginx::port(8080) unless $self->{get}{port};

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM /;
        eval { $self->watch(); 1 } or $self->fault("viewer: $@");
        $self->keep();
        POSIX::_exit(0);
    }

    $self->{pid} = $pid;
    push @{$t->{_daemons}}, $pid;
    $self->{daemons} = $t->{_daemons};

    return $self;
}

sub report {
    my ($self) = @_;

    open(my $fh, '<', $self->{file}) or return { %{$self->{report}},
        faults => [] };
    local $/;

    return $json->decode(<$fh>);
}

sub faults {
    my ($self) = @_;

    $self->stop();

    return join("\n", @{$self->report()->{faults}});
}

# It ends by itself, after its last request.

sub stop {
    my ($self) = @_;
    my ($pid, $end);

    $pid = delete $self->{pid};
    return $self unless defined $pid;

    @{$self->{daemons}} = grep { $_ != $pid } @{$self->{daemons}};

    kill('TERM', $pid);
    $end = time() + 12;
    sleep(0.02) while waitpid($pid, WNOHANG) == 0 && time() < $end;
    kill('KILL', $pid) if time() >= $end;

    return $self;
}


sub watch {
    my ($self) = @_;
    my ($parent, $end, $stop, $p, $uri);

    $SIG{TERM} = sub { $stop = 1 };

    $parent = getppid();
    $end = time() + $self->{life};
    $self->{since} = $self->{moved} = time();
    $uri = $self->{uri};

    while (!$stop && getppid() == $parent && time() < $end) {
        $p = $self->poll($uri);

        if ($p && @{$p->{variants}}) {
            $uri = join_uri($uri, $p->{variants}[0]{uri});
            next;
        }

        $self->look($p, $uri) if $p;
        $self->keep();

        sleep($self->{every} || $p && $p->{target} && $p->{target} / 2 || 0.5)
            unless $stop;
    }
}

sub poll {
    my ($self, $uri) = @_;
    my ($r, $p);

    $r = $self->fetch($uri) or return undef;
    $self->{report}{polls}++;

    $p = Test::Nginx::HLS::hls_parse($r->{body});
    $self->fault("no playlist at $uri") unless $p;

    return $p;
}

sub fetch {
    my ($self, $uri) = @_;
    my ($r, $slow);

    $r = hls_get($uri, %{$self->{get}});
    $slow = $r->{last} || 0;

    $self->{report}{slow} = $slow if $slow > $self->{report}{slow};

    return $r if $r->{status} == 200 && $r->{complete};

    $self->fault("$uri: status $r->{status}, "
        . ($r->{complete} ? 'complete' : $r->{error} || 'not complete'));

    return undef;
}

sub look {
    my ($self, $p, $uri) = @_;
    my ($report, $last, $now, $gap);

    $report = $self->{report};
    $now = time();

    for (qw/ sequence discontinuity /) {
        $self->fault("$_ went back from $self->{$_} to $p->{$_}")
            if $p->{$_} < ($self->{$_} // 0);
        $self->{$_} = $p->{$_};
    }

    return unless @{$p->{segments}};

    $last = $p->{segments}[-1]{sequence};
    $report->{first} //= $p->{segments}[0]{sequence};

    $self->fault("the last was $report->{last}, is $last")
        if defined $report->{last} && $last < $report->{last};

    $self->fault("missed " . ($report->{last} + 1) . " to "
        . ($p->{sequence} - 1))
        if defined $report->{last} && $p->{sequence} > $report->{last} + 1;

    if (!defined $report->{last} || $last > $report->{last}) {
        $gap = $now - $self->{moved};
        $report->{gap} = $gap if defined $report->{last}
            && $gap > $report->{gap};
        $self->{moved} = $now;
    }

    $report->{last} = $last;

    $self->look_at($_, $uri) for @{$p->{segments}};
}

sub look_at {
    my ($self, $s, $uri) = @_;
    my ($n, $what, $r);

    $n = $s->{sequence};
    $what = join(' ', $s->{uri}, $s->{duration});

    if (defined $self->{seen}{$n}) {
        $self->fault("$n was $self->{seen}{$n}, is $what")
            if $self->{seen}{$n} ne $what;
        $self->{seen}{$n} = $what;
        return;
    }

    $self->fault("$s->{uri} was $self->{uris}{$s->{uri}}, is $n, too")
        if defined $self->{uris}{$s->{uri}};

    $self->{seen}{$n} = $what;
    $self->{uris}{$s->{uri}} = $n;
    $self->{report}{discontinuities}++ if $s->{discontinuity};

    $self->{report}{listed}{$n} = [$s->{uri}];

    return unless $self->{segments};

    $r = $self->fetch(join_uri($uri, $s->{uri})) or return;

    $self->{report}{segments}++;
    $self->{report}{bytes} += $r->{length};
    $self->{report}{listed}{$n} = [$s->{uri}, $r->{md5}];
}

sub fault {
    my ($self, $what) = @_;

    $what =~ s/\s+$//;
    push @{$self->{faults}}, sprintf('%.2f: %s',
        time() - ($self->{since} || 0), $what) if @{$self->{faults}} < 100;
}

sub keep {
    my ($self) = @_;

    open(my $fh, '>', "$self->{file}.new") or return;
    print $fh $json->encode({ %{$self->{report}},
        faults => $self->{faults} });
    close($fh);
    rename("$self->{file}.new", $self->{file});
}

sub join_uri {
    my ($base, $uri) = @_;

    return $uri =~ s!^http://[^/]*!!r if $uri =~ m!^(/|http://)!;

    $base =~ s/\?.*//;

    return $base =~ s![^/]*$!!r . $uri;
}


1;
