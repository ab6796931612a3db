package Test::Nginx::HLS::Client;

# Copyright (C) The nginx-osp authors

# Viewers for the tests, any number at once in one process.
#
#     my @r = hls_gets(map { { uri => "/a.ts" } } 1 .. 200);
#     my $r = hls_get('/a.ts', headers => ['Range: bytes=0-9']);
#     my $k = hls_client(); $k->get('/a'); $k->get('/b');
#
# Options of a request: uri, port (port(8080)), host (127.0.0.1), name (Host,
# "localhost"), method, version (1.1), headers (a list of "Name: value"), raw
# (all of the request instead), after (seconds until it begins), stop (closes
# after so many bytes of the body, 0: after the request; reset => 1: resets),
# timeout (10), rate (bytes a second that are read), body => 0 (not kept),
# keep (an hls_client()), ssl => 1 (blocking, one at a time).
#
# An answer has status, version, head, headers (a hash by names in lower case,
# of values joined by ", "), body, length (of it, on the wire), md5, complete
# (as much as announced came and no more), error ("connect", "reset", "closed",
# "timeout" or undef), and seconds since the beginning: connected, first (byte
# of the header), header, body_at (first byte of the body), last.

use strict;
use warnings;

use Digest::MD5;
use Errno qw/ EAGAIN EINPROGRESS EINTR /;
use Exporter qw/ import /;
use IO::Select;
use IO::Socket::IP;
use Socket qw/ PF_INET SOCK_STREAM SO_ERROR SO_LINGER SO_RCVBUF SOL_SOCKET
    inet_aton pack_sockaddr_in /;
use Test::Nginx ();
use Time::HiRes qw/ time /;


our @EXPORT = qw/ hls_get hls_gets hls_client hls_gunzip hls_max /;


sub hls_get {
    my ($uri, %opt) = @_;

    return (hls_gets({ uri => $uri, %opt }))[0];
}

# The largest of some time of the answers, a very large one if there is none.

sub hls_max {
    my ($name, @answers) = @_;
    my $max = 0;

    for (@answers) {
        return 9e9 unless defined $_->{$name};
        $max = $_->{$name} if $_->{$name} > $max;
    }

    return $max;
}

sub hls_gunzip {
    my ($data) = @_;
    my $out;

    require IO::Uncompress::Gunzip;
    IO::Uncompress::Gunzip::gunzip(\$data => \$out) or return undef;

    return $out;
}


###############################################################################
# many connections
###############################################################################

sub hls_gets {
    my (@requests) = @_;
    my ($start, @jobs);

    local $SIG{PIPE} = 'IGNORE';

    $start = time();
    @jobs = map { job($_, $start) } @requests;

    ssl($_) for grep { $_->{ssl} } @jobs;

    while (my @open = grep { !$_->{done} } @jobs) {
        turn(@open);
    }

    return map { answer($_) } @jobs;
}

sub turn {
    my (@jobs) = @_;
    my ($read, $write, $now, $next, %by);

    ($read, $write) = (IO::Select->new(), IO::Select->new());
    $now = time();
    $next = 0.5;

    for my $job (@jobs) {
        my $wait = $job->{at} - $now;

        if ($wait > 0) {
            $next = $wait if $wait < $next;
            next;
        }

        open_socket($job) unless $job->{s};

        finish($job, 'timeout') if -$wait > $job->{timeout};
        next if $job->{done};

        $by{fileno($job->{s})} = $job;

        if (length($job->{out})) {
            $write->add($job->{s});
            next;
        }

        # a slow reader

        $wait += $job->{got} / $job->{rate} if $job->{rate} && $job->{got};

        if ($wait > 0) {
            $next = $wait if $wait < $next;
            next;
        }

        $read->add($job->{s});
    }

    my ($r, $w) = IO::Select::select($read, $write, undef, $next);

    send_some($by{fileno($_)}) for @{$w || []};
    read_some($by{fileno($_)}) for @{$r || []};
}

sub job {
    my ($opt, $start) = @_;
    my ($job, $method, $version);

    $job = {
        timeout => 10, host => '127.0.0.1', name => 'localhost', in => '',
        plain => '', received => 0, got => 0, md5 => Digest::MD5->new(), %$opt,
    };

    $method = $job->{method} ||= 'GET';
    $version = $job->{version} || '1.1';

    $job->{port} = Test::Nginx::port($job->{ssl} ? 8443 : 8080)
        unless defined $job->{port};
    $job->{at} = $start + ($job->{after} || 0);

    $job->{out} = defined $job->{raw} ? $job->{raw}
        : join("\x0d\x0a", "$method $job->{uri} HTTP/$version",
            "Host: $job->{name}",
            $job->{keep} || $version eq '1.0' ? () : 'Connection: close',
            @{$job->{headers} || []}, '', '');

    return $job;
}

sub open_socket {
    my ($job) = @_;
    my $s;

    if ($job->{keep} && $job->{keep}{s}) {
        $job->{s} = $job->{keep}{s};
        $job->{connected} = time();
        $job->{reused} = 1;
        return;
    }

    $s = IO::Socket->new();
    socket($s, PF_INET, SOCK_STREAM, 0) or die "Can't make a socket: $!\n";
    $s->blocking(0);

    # what is not read soon is not to be in buffers
    setsockopt($s, SOL_SOCKET, SO_RCVBUF, 4096) if $job->{rate};

    $job->{s} = $s;

    connect($s, pack_sockaddr_in($job->{port}, inet_aton($job->{host})))
        || $! == EINPROGRESS || finish($job, 'connect');
}

sub ssl {
    my ($job) = @_;

    require IO::Socket::SSL;

    $job->{s} = IO::Socket::SSL->new(PeerHost => $job->{host},
        PeerPort => $job->{port}, SSL_verify_mode => 0);

    return finish($job, 'connect') unless $job->{s};

    $job->{connected} = time();
    print {$job->{s}} $job->{out};
    $job->{out} = '';

    read_some($job) until $job->{done};
}

sub send_some {
    my ($job) = @_;
    my $n;

    if (!defined $job->{connected}) {
        my $error = getsockopt($job->{s}, SOL_SOCKET, SO_ERROR);

        return finish($job, 'connect') if unpack('i', $error);
        $job->{connected} = time();
    }

    $n = syswrite($job->{s}, $job->{out});

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        return finish($job, 'reset');
    }

    substr($job->{out}, 0, $n, '');

    finish($job, undef) if defined $job->{stop} && $job->{stop} == 0
        && $job->{out} eq '';
}

sub read_some {
    my ($job) = @_;
    my ($n, $buf);

    return if $job->{done};

    $n = sysread($job->{s}, $buf, $job->{rate} && $job->{rate} < 65536
        ? 1024 : 65536);

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        return finish($job, 'reset');
    }

    return finish($job, 'closed') if !$n;

    $job->{first} = time() unless defined $job->{first};
    $job->{got} += $n;
    $job->{in} .= $buf;

    return unless defined $job->{status} || header($job);

    body($job);

    finish($job, undef) if !$job->{done} && defined $job->{stop}
        && $job->{received} >= $job->{stop};
}

sub header {
    my ($job) = @_;
    my ($end, $name, $value, @lines);

    $end = index($job->{in}, "\x0d\x0a\x0d\x0a");
    return 0 if $end < 0;

    $job->{head} = substr($job->{in}, 0, $end + 4, '');
    @lines = split(/\x0d\x0a/, $job->{head});

    (@$job{qw/ http status /}) = shift(@lines) =~ m!^HTTP/(\S+) (\d+)!;
    $job->{status} = 0 unless defined $job->{status};
    $job->{answer} = {};

    for (@lines) {
        ($name, $value) = /^([^:]+):\s*(.*?)\s*$/ or next;
        $name = lc($name);
        $job->{answer}{$name} = defined $job->{answer}{$name}
            ? "$job->{answer}{$name}, $value" : $value;
    }

    $job->{header} = time();

    if ($job->{method} eq 'HEAD' || $job->{status} =~ /^(1..|204|304)$/) {
        $job->{want} = 0;

    } elsif (($job->{answer}{'transfer-encoding'} || '') =~ /chunked/i) {
        $job->{chunked} = 1;

    } elsif (defined $job->{answer}{'content-length'}) {
        $job->{want} = $job->{answer}{'content-length'};
    }

    return 1;
}

sub body {
    my ($job) = @_;
    my $n;

    $job->{body_at} = time() if !defined $job->{body_at}
        && length($job->{in});

    return chunks($job) if $job->{chunked};

    $n = length($job->{in});

    if (defined $job->{want} && $n > $job->{want} - $job->{received}) {
        $job->{more} = 1;
        $n = $job->{want} - $job->{received};
    }

    take($job, substr($job->{in}, 0, $n, ''));

    if (defined $job->{want} && $job->{received} >= $job->{want}) {
        $job->{whole} = !$job->{more};
        finish($job, undef);
    }
}

sub chunks {
    my ($job) = @_;
    my $n;

    while (length($job->{in})) {
        if ($job->{chunk}) {
            $n = length($job->{in});
            $n = $job->{chunk} if $n > $job->{chunk};

            take($job, substr($job->{in}, 0, $n, ''));
            $job->{chunk} -= $n;
            $job->{tail} = 1 if !$job->{chunk};
            next;
        }

        if ($job->{tail}) {
            return if length($job->{in}) < 2;
            return finish($job, 'chunk')
                if substr($job->{in}, 0, 2, '') ne "\x0d\x0a";
            $job->{tail} = 0;
        }

        return unless $job->{in} =~ s/^([^\n]*)\n//;
        return finish($job, 'chunk') unless $1 =~ /^([0-9a-fA-F]+)[;\r]/;

        $job->{chunk} = hex($1);
        next if $job->{chunk};

        $job->{whole} = 1;
        return finish($job, undef);
    }
}

sub take {
    my ($job, $data) = @_;

    $job->{received} += length($data);
    $job->{md5}->add($data);
    $job->{plain} .= $data unless defined $job->{body} && !$job->{body};
}

sub finish {
    my ($job, $error) = @_;

    # without a length the end of the connection is that of the body

    if (($error || '') eq 'closed' && defined $job->{status}
        && !$job->{chunked} && !defined $job->{want})
    {
        $job->{whole} = 1;
        undef $error;
    }

    $job->{done} = 1;
    $job->{error} = $error;
    $job->{last} = time();

    if ($job->{keep}) {
        if ($job->{whole}
            && ($job->{answer}{connection} || '') !~ /close/i)
        {
            $job->{keep}{s} = $job->{s};
            return;
        }

        delete $job->{keep}{s};
    }

    setsockopt($job->{s}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0))
        if $job->{reset} && $job->{s} && !$job->{ssl};

    close($job->{s}) if $job->{s};
}

sub answer {
    my ($job) = @_;
    my $at = $job->{at};

    return {
        uri      => $job->{uri},
        status   => $job->{status} || 0,
        version  => $job->{http},
        head     => $job->{head},
        headers  => $job->{answer} || {},
        body     => $job->{plain},
        length   => $job->{received},
        md5      => $job->{md5}->hexdigest(),
        complete => $job->{whole} ? 1 : 0,
        error    => $job->{error},
        reused   => $job->{reused} ? 1 : 0,
        map { $_ => defined $job->{$_} ? $job->{$_} - $at : undef }
            qw/ connected first header body_at last /,
    };
}


###############################################################################
# one connection
###############################################################################

sub hls_client {
    my (%opt) = @_;

    return bless { opt => {%opt} }, __PACKAGE__;
}

sub get {
    my ($self, $uri, %opt) = @_;

    return hls_get($uri, %{$self->{opt}}, %opt, keep => $self);
}


1;
