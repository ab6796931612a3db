package Test::Nginx::HLS::Origin;

# Copyright (C) The nginx-osp authors

# The process behind hls_origin() of Test::Nginx::HLS, where it is described.

use strict;
use warnings;

use Errno qw/ EAGAIN EINTR EWOULDBLOCK /;
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX qw/ strftime /;
use Socket qw/ SOCK_STREAM SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY /;
use Storable qw/ nfreeze thaw /;
use Time::HiRes qw/ time /;


my %text = (
    200 => 'OK', 204 => 'No Content', 206 => 'Partial Content',
    301 => 'Moved Permanently', 302 => 'Found', 304 => 'Not Modified',
    400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
    404 => 'Not Found', 410 => 'Gone', 500 => 'Internal Server Error',
    502 => 'Bad Gateway', 503 => 'Service Unavailable',
    504 => 'Gateway Timeout',
);

# what is written at once, and what a turn of the loop writes to one

use constant PIECE => 65536;
use constant TURN => 1048576;


sub new {
    my ($class, %opt) = @_;

    return bless {
        %opt, set => {}, patterns => [], lives => {}, requests => [],
        conns => {}, nconns => 0, most => {}, now => {},
    }, $class;
}

sub listen_at {
    my ($self, $host, $port) = @_;

    return IO::Socket::IP->new(LocalHost => $host, LocalPort => $port,
        Listen => 1024, ReuseAddr => 1, Blocking => 0)
        || die "Can't listen on $port: $@\n";
}

sub control_at {
    my ($self, $path) = @_;

    unlink($path);

    return IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path,
        Listen => 32) || die "Can't listen on $path: $!\n";
}


###############################################################################
# event loop
###############################################################################

sub serve {
    my ($self, $listen, $control) = @_;
    my ($read, $write, $parent, $end);

    $SIG{PIPE} = 'IGNORE';
    $SIG{TERM} = $SIG{INT} = sub { POSIX::_exit(0) };

    $self->{read} = $read = IO::Select->new($listen, $control);
    $self->{write} = $write = IO::Select->new();

    $parent = getppid();
    $end = time() + $self->{life};

    while (getppid() == $parent && time() < $end) {
        my ($r, $w) = IO::Select::select($read, $write, undef,
            $self->timers());

        for my $s (@{$r || []}) {
            if ($s == $listen) {
                $self->accept_all($listen);

            } elsif ($s == $control) {
                my $c = $control->accept() or next;
                $self->{controls}{fileno($c)} = $c;
                $read->add($c);

            } elsif ($self->{controls}{fileno($s) // -1}) {
                $self->control($s);

            } else {
                my $c = $self->{conns}{fileno($s) // -1} or next;
                $self->readable($c);
            }
        }

        for my $s (@{$w || []}) {
            my $c = $self->{conns}{fileno($s) // -1} or next;
            $self->run($c);
        }
    }
}

# Goes on with those who have waited long enough; seconds until the next.

sub timers {
    my ($self) = @_;
    my ($now, $next);

    $next = 0.5;

    for my $c (values %{$self->{conns}}) {
        next unless defined $c->{until};

        $now = time();
        $self->run($c) if $c->{until} <= $now;

        next unless defined $c->{until};
        $next = $c->{until} - $now if $c->{until} - $now < $next;
    }

    return $next < 0 ? 0 : $next;
}

sub accept_all {
    my ($self, $listen) = @_;

    for (1 .. 100) {
        my $s = $listen->accept() or return;

        $s->blocking(0);
        setsockopt($s, IPPROTO_TCP, TCP_NODELAY, 1);

        $self->{conns}{fileno($s)} = {
            s => $s, n => ++$self->{nconns}, in => '', steps => [],
        };
        $self->{read}->add($s);
    }
}

sub readable {
    my ($self, $c) = @_;
    my $n = sysread($c->{s}, $c->{in}, PIECE, length($c->{in}));

    return if !defined $n && ($! == EAGAIN || $! == EINTR);

    if (!$n) {
        # what was asked for is answered to who has closed one side, too
        $self->finish($c, 'aborted');
        return;
    }

    $self->next_request($c) unless $c->{request};
}

sub next_request {
    my ($self, $c) = @_;
    my ($end, $r, $spec);

    $end = index($c->{in}, "\x0d\x0a\x0d\x0a");
    return if $end < 0;

    $r = parse(substr($c->{in}, 0, $end + 4, ''));

    if (!defined $r) {
        $self->finish($c, 'aborted');
        return;
    }

    @$r{qw/ c n time sent /} = ($c->{n}, scalar(@{$self->{requests}}) + 1,
        time(), 0);

    push @{$self->{requests}}, $r;

    for ($r->{path}, '') {
        my $n = ++$self->{now}{$_};
        $self->{most}{$_} = $n if $n > ($self->{most}{$_} || 0);
    }

    $c->{request} = $r;
    $self->answer_request($c);
}

sub answer_request {
    my ($self, $c) = @_;
    my ($r, $spec);

    $r = $c->{request};
    $spec = eval { $self->find($r) };

    if ($@) {
        print STDERR "hls origin: $@";
        $spec = { status => 500, body => "$@" };
    }

    # a playlist that is not there yet

    if ($spec->{wait} && time() < $r->{time} + 6) {
        $c->{asking} = 1;
        $c->{until} = time() + 0.01;
        return;
    }

    $r->{status} = $spec->{status} || 200;
    $c->{asking} = 0;
    $c->{until} = undef;
    $c->{steps} = $self->steps($c, $spec);

    $self->run($c);
}

# Does what is to be done until something has to be waited for.

sub run {
    my ($self, $c) = @_;
    my ($step, $n, $data, $turn);

    return $self->answer_request($c) if $c->{asking};

    $c->{until} = undef;
    $turn = TURN;

    while ($step = shift @{$c->{steps}}) {
        my ($what, @args) = @$step;

        if ($what eq 'pause') {
            $self->{write}->remove($c->{s});
            $c->{until} = time() + $args[0];
            return;
        }

        if ($what eq 'hang') {
            $self->{write}->remove($c->{s});
            return;
        }

        if ($what eq 'reset') {
            setsockopt($c->{s}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
            return $self->finish($c, 'cut');
        }

        return $self->finish($c, $args[0]) if $what eq 'close';

        # bytes of a text, or made of a seed: from, to

        my ($from, $to, $text, $seed, $body) = @args;

        $n = $to - $from;
        $n = PIECE if $n > PIECE;
        $data = defined $text ? substr($text, $from, $n)
            : Test::Nginx::HLS::hls_bytes($seed, $n, $from);

        $n = length($data) ? syswrite($c->{s}, $data) : 0;

        if (!defined $n) {
            return $self->finish($c, 'aborted')
                if $! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR;
            $n = 0;
            $turn = 0;
        }

        $c->{request}{sent} += $n if $body;
        $turn -= $n;

        unshift @{$c->{steps}}, ['bytes', $from + $n, @args[1 .. $#args]]
            if $from + $n < $to;

        if ($turn <= 0 && @{$c->{steps}}) {
            $self->{write}->add($c->{s});
            return;
        }
    }

    $self->{write}->remove($c->{s});
    $self->done($c, 'ok');

    $self->next_request($c);
}

sub done {
    my ($self, $c, $how) = @_;
    my $r = delete $c->{request} or return;

    $self->{now}{$_}-- for $r->{path}, '';

    $r->{end} = $how;
    $r->{took} = time() - $r->{time};
}

sub finish {
    my ($self, $c, $how) = @_;

    $self->done($c, $how);
    $self->{read}->remove($c->{s});
    $self->{write}->remove($c->{s});

    delete $self->{conns}{fileno($c->{s})};
    close($c->{s});
}


###############################################################################
# requests and answers
###############################################################################

sub parse {
    my ($head) = @_;
    my ($line, $method, $uri, $version, @headers);

    ($line, @headers) = split(/\x0d\x0a/, $head);
    ($method, $uri, $version) = ($line || '') =~ m!^(\S+) (.+) HTTP/(\S+)$!
        or return undef;

    return {
        method => $method, uri => $uri, version => $version, head => $head,
        path => $uri =~ s/\?.*//sr, args => $uri =~ /\?(.*)/s ? $1 : undef,
        headers => [map { /^([^:]*):\s*(.*?)\s*$/ ? [$1, $2] : [$_, ''] }
            @headers],
    };
}

sub find {
    my ($self, $r) = @_;
    my ($list, $spec);

    $list = $self->{set}{$r->{uri}} || $self->{set}{$r->{path}};

    for (@{$self->{patterns}}) {
        last if $list;
        $list = $_->[1] if $r->{uri} =~ $_->[0];
    }

    if ($list) {
        return @$list > 1 ? shift @$list : $list->[0];
    }

    $spec = $self->{code}->($r) if $self->{code};
    return $spec if $spec;

    for (sort keys %{$self->{lives}}) {
        $spec = $self->{lives}{$_}->answer($r);
        return $spec if $spec;
    }

    return { status => 404, type => 'text/html', body => "not found\n" };
}

# An answer as a list of what is to be done.

sub steps {
    my ($self, $c, $spec) = @_;
    my ($r, $size, $head, $keep, $length, @steps, @body, $status, $to);

    $r = $c->{request};

    return raw_steps($spec->{raw}, $spec->{delay}) if $spec->{raw};

    $status = $spec->{status} || 200;
    $size = defined $spec->{size} ? $spec->{size}
        : length($spec->{body} //= '');

    $length = defined $spec->{length} ? $spec->{length} : $size;
    $length = 'none' if $spec->{chunked} || $status =~ /^(1..|204|304)$/;

    $keep = $r->{version} eq '1.1'
        ? $r->{head} !~ /^Connection:\s*close/mi
        : $r->{head} =~ /^Connection:\s*keep-alive/mi;
    $keep = 0 if $spec->{close}
        || $length eq 'none' && !$spec->{chunked} && $status !~ /^(204|304)$/;

    $head = "HTTP/1.1 $status "
        . ($spec->{reason} || $text{$status} || 'Unknown') . "\x0d\x0a";

    $head .= 'Date: ' . strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime())
        . "\x0d\x0aServer: origin\x0d\x0a" if $self->{answer_date};
    $head .= "Content-Type: $spec->{type}\x0d\x0a" if defined $spec->{type};
    $head .= "Content-Length: $length\x0d\x0a" if $length ne 'none';
    $head .= "Transfer-Encoding: chunked\x0d\x0a" if $spec->{chunked};
    $head .= 'Connection: ' . ($keep ? 'keep-alive' : 'close') . "\x0d\x0a";
    $head .= "$_\x0d\x0a" for @{$spec->{headers} || []};
    $head .= "\x0d\x0a";

    push @steps, ['pause', $spec->{delay}] if $spec->{delay};
    push @steps, ['hang'] if ($spec->{hang} // '') eq 'head';
    push @steps, ['bytes', 0, length($head), $head];
    push @steps, ['pause', $spec->{pause}] if $spec->{pause};

    if ($r->{method} ne 'HEAD' && $status !~ /^(204|304)$/) {
        push @steps, body_steps($r, $spec, $size);
    }

    push @steps, ['close', 'ok'] unless $keep;

    return \@steps;
}

sub body_steps {
    my ($r, $spec, $size) = @_;
    my ($piece, $pause, $to, $from, $n, @steps, $seed, $frame);

    $to = $size;

    for (qw/ cut hang /) {
        $to = $spec->{$_} if defined $spec->{$_} && $spec->{$_} =~ /^\d+$/
            && $spec->{$_} < $to;
    }

    ($piece, $pause) = @{$spec->{pieces} || []};

    $piece ||= $spec->{chunked} && $spec->{chunked} > 1 ? $spec->{chunked}
        : $spec->{chunked} ? 16384 : $size;
    $seed = defined $spec->{seed} ? $spec->{seed} : $r->{path};

    # a body of gigabytes in pieces would be a long list: the rest is one

    for ($from = 0; $from < $to; $from += $n) {
        $n = $to - $from;
        $n = $piece if $n > $piece && @steps < 200000;

        push @steps, ['pause', $pause] if $from && $pause;

        if ($spec->{chunked}) {
            $frame = sprintf("%x\x0d\x0a", $n);
            push @steps, ['bytes', 0, length($frame), $frame];
        }

        push @steps, ['bytes', $from, $from + $n, $spec->{body}, $seed, 1];
        push @steps, ['bytes', 0, 2, "\x0d\x0a"] if $spec->{chunked};
    }

    push @steps, ['reset'] if $spec->{reset};
    push @steps, ['close', 'cut'] if defined $spec->{cut} && !$spec->{reset};
    push @steps, ['hang'] if defined $spec->{hang};
    push @steps, ['bytes', 0, 5, "0\x0d\x0a\x0d\x0a"] if $spec->{chunked};

    return @steps;
}

sub raw_steps {
    my ($raw, $delay) = @_;
    my @steps;

    push @steps, ['pause', $delay] if $delay;

    for (ref($raw) ? @$raw : $raw) {
        if (!ref($_)) {
            push @steps, ['bytes', 0, length($_), $_, undef, 1];

        } elsif ($_->[0] eq 'hang' || $_->[0] eq 'reset') {
            push @steps, [$_->[0]];

        } elsif ($_->[0] eq 'bytes') {
            push @steps, ['bytes', 0, $_->[1], undef, 'raw', 1];

        } else {
            push @steps, ['pause', $_->[0]];
        }
    }

    return [@steps, ['close', 'ok']];
}


###############################################################################
# control
###############################################################################

# A length and so many bytes.

sub put {
    my ($s, $data) = @_;
    my ($n, $pos);

    $data = pack('N', length($data)) . $data;

    for ($pos = 0; $pos < length($data); $pos += $n) {
        $n = syswrite($s, $data, length($data) - $pos, $pos);
        return 0 unless defined $n;
    }

    return 1;
}

sub take {
    my ($s) = @_;
    my ($data, $len) = ('', 4);

    while (length($data) < $len) {
        sysread($s, $data, $len - length($data), length($data))
            or return undef;
        $len = 4 + unpack('N', $data) if length($data) == 4;
    }

    return substr($data, 4);
}

sub control {
    my ($self, $s) = @_;
    my ($data, $call, $method, $answer);

    $data = take($s);

    if (!defined $data) {
        $self->{read}->remove($s);
        delete $self->{controls}{fileno($s)};
        close($s);
        return;
    }

    $call = thaw($data);
    $method = 'do_' . shift @$call;

    $answer = eval { [1, $self->$method(@$call)] } || [0, "$@"];

    put($s, nfreeze($answer));
}

sub do_set {
    my ($self, $uri, $list) = @_;

    if (ref($uri)) {
        @{$self->{patterns}} = grep { "$_->[0]" ne "$uri" }
            @{$self->{patterns}};
        unshift @{$self->{patterns}}, [$uri, $list] if @$list;

    } elsif (@$list) {
        $self->{set}{$uri} = $list;

    } else {
        delete $self->{set}{$uri};
    }

    return 1;
}

sub do_requests {
    my ($self, $what) = @_;

    return [grep { matches($_, $what) } @{$self->{requests}}];
}

sub matches {
    my ($r, $what) = @_;

    return 1 unless defined $what;
    return $r->{uri} =~ $what if ref($what);
    return $what =~ /\?/ ? $r->{uri} eq $what : $r->{path} eq $what;
}

sub do_count {
    my ($self, $what) = @_;

    return scalar(@{$self->do_requests($what)});
}

sub do_most {
    my ($self, $what) = @_;

    return $self->{most}{defined $what ? $what : ''} || 0;
}

sub do_forget {
    my ($self) = @_;

    @{$self->{requests}} = grep { !defined $_->{end} } @{$self->{requests}};
    $self->{most} = {};

    return 1;
}

sub do_connections {
    my ($self) = @_;

    return scalar(keys %{$self->{conns}});
}

sub do_live {
    my ($self, $name, $opt) = @_;

    $self->{lives}{$name} = Test::Nginx::HLS::Live->new($name, %$opt);

    return 1;
}

sub do_change {
    my ($self, $name, $opt) = @_;

    return $self->stream($name)->change(%$opt);
}

sub do_advance {
    my ($self, $name, $n) = @_;

    return $self->stream($name)->advance($n);
}

sub do_restart {
    my ($self, $name, $opt) = @_;

    return $self->stream($name)->restart(%$opt);
}

sub do_answer {
    my ($self, $uri) = @_;

    return $self->find(parse("GET $uri HTTP/1.1\x0d\x0a\x0d\x0a"));
}

sub stream {
    my ($self, $name) = @_;

    return $self->{lives}{$name} || die "no stream \"$name\"\n";
}


1;
