package Test::Nginx::HTTPD;

# Copyright (C) The nginx-osp authors

# A small HTTP server for the tests, driven by code.
#
#     my $d = httpd($t, port(8081), sub {
#         my ($r) = @_;
#         return http_response(404) if $r->{uri} ne '/a';
#         return http_response(200, 'body', 'Content-Type: text/plain');
#     });
#
# The code runs in a process of its own for each connection.  It gets method,
# uri, version, headers (names in lower case), body, socket, c (the number of
# the connection) and n (of the request in it).  What it returns is written: a
# string, or a list of strings with pauses, [seconds], in between; [-1] hangs
# until the peer closes.  An empty list closes the connection.  Connections are
# kept alive if both sides agree.  Options: host (127.0.0.1), life (seconds),
# ssl (a hash of arguments for IO::Socket::SSL).
#
# Requests are written down when they come: requests(), wait().  The test and
# the code share no variables: what changes must be in a file, see slurp().

use strict;
use warnings;

use Exporter qw/ import /;
use IO::Select;
use IO::Socket::IP;
use JSON::PP;
use POSIX qw/ WNOHANG /;
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/ httpd http_response http_chunked slurp /;

my $json = JSON::PP->new()->canonical(1)->latin1(1);

my %text = (
    200 => 'OK', 204 => 'No Content', 206 => 'Partial Content',
    301 => 'Moved Permanently', 302 => 'Found', 304 => 'Not Modified',
    400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
    404 => 'Not Found', 410 => 'Gone', 500 => 'Internal Server Error',
    502 => 'Bad Gateway', 503 => 'Service Unavailable',
);


sub httpd {
    my ($t, $port, $code, %opt) = @_;
    my ($self, $listen);

    $self = bless {
        port => $port,
        host => '127.0.0.1',
        life => 120,
        file => $t->testdir() . "/httpd-$port.log",
        code => $code,
        %opt,
    };

    $listen = IO::Socket::IP->new(LocalHost => $self->{host},
        LocalPort => $port, Listen => 512, ReuseAddr => 1)
        or die "Can't listen on $port: $@\n";

    open($self->{log}, '>>', $self->{file})
        or die "Can't open $self->{file}: $!\n";

    $t->run_daemon(sub { $self->serve($listen) });

    $self->{pid} = $t->{_daemons}[-1];
    $self->{daemons} = $t->{_daemons};

    return $self;
}

sub http_response {
    my ($status, $body, @headers) = @_;

    $body = '' unless defined $body;

    return join("\x0d\x0a", "HTTP/1.1 $status " . ($text{$status} || 'Unknown'),
        'Content-Length: ' . length($body), @headers, '', $body);
}

# Each part is a chunk, pauses may stand between them.

sub http_chunked {
    my ($headers, @parts) = @_;

    return (
        join("\x0d\x0a", 'HTTP/1.1 200 OK', 'Transfer-Encoding: chunked',
            @$headers, '', ''),
        (map { ref($_) || !length($_) ? $_
            : sprintf("%x\x0d\x0a%s\x0d\x0a", length($_), $_) } @parts),
        "0\x0d\x0a\x0d\x0a",
    );
}

sub slurp {
    my ($file) = @_;
    local $/;

    open(my $fh, '<', $file) or return undef;
    binmode($fh);

    return <$fh>;
}


sub requests {
    my ($self, $re) = @_;
    my @list;

    for (split(/^/, slurp($self->{file}))) {
        next unless /\n\z/;

        my $r = $json->decode($_);

        push @list, $r if !defined $re || "$r->{method} $r->{uri}" =~ $re;
    }

    return @list;
}

# The last one of them, once there are so many.

sub wait {
    my ($self, $re, $count, $timeout) = @_;
    my ($end, @list);

    $end = time() + ($timeout || 20);
    $count ||= 1;

    while ((@list = $self->requests($re)) < $count) {
        return undef if time() > $end;
        sleep(0.02);
    }

    return $list[-1];
}

sub stop {
    my ($self) = @_;
    my ($pid, $end);

    $pid = delete $self->{pid};
    return $self unless defined $pid;

    @{$self->{daemons}} = grep { $_ != $pid } @{$self->{daemons}};

    kill('CONT', -$pid);
    kill('TERM', $pid);

    $end = time() + 5;
    sleep(0.02) while waitpid($pid, WNOHANG) == 0 && time() < $end;

    kill('KILL', -$pid);

    return $self;
}

# To all its processes: STOP makes it hang, CONT goes on.

sub signal {
    my ($self, $signal) = @_;

    kill($signal, -$self->{pid});

    return $self;
}


sub serve {
    my ($self, $listen) = @_;
    my ($select, $parent, $end, $n);

    setpgrp(0, 0);

    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';
    $SIG{TERM} = $SIG{INT} = sub {
        $SIG{TERM} = 'IGNORE';
        kill('TERM', -$$);
        POSIX::_exit(0);
    };

    $select = IO::Select->new($listen);
    $parent = getppid();
    $end = time() + $self->{life};
    $n = 0;

    while (getppid() == $parent && time() < $end) {
        next unless $select->can_read(0.5);

        my $socket = $listen->accept() or next;
        my $pid;

        $n++;
        $pid = fork();

        if (defined $pid && $pid == 0) {
            $SIG{TERM} = $SIG{INT} = 'DEFAULT';
            alarm($self->{life});
            close($listen);

            eval {
                $socket = start_ssl($socket, $self->{ssl}) if $self->{ssl};
                $self->serve_connection($socket, $n) if $socket;
                1;
            } or print STDERR "httpd: $@";

            POSIX::_exit(0);
        }

        close($socket);
    }

    $SIG{TERM}->();
}

sub start_ssl {
    my ($socket, $args) = @_;

    require IO::Socket::SSL;

    # who does not trust us is no concern of ours
    return IO::Socket::SSL->start_SSL($socket, SSL_server => 1, %$args);
}

sub serve_connection {
    my ($self, $socket, $c) = @_;
    my ($buf, $n, $r, @out);

    $buf = '';

    for ($n = 1; defined($r = $self->read_request($socket, \$buf)); $n++) {
        @$r{qw/ socket c n /} = ($socket, $c, $n);

        syswrite($self->{log}, $json->encode({
            time => sprintf('%.3f', time()), map { $_ => $r->{$_} }
            qw/ method uri version headers body c n /
        }) . "\n");

        @out = $self->{code}->($r) or last;

        for my $part (@out) {
            if (ref($part)) {
                pause($socket, $part->[0]) or return;
                next;
            }

            # print() blocks until all is written
            $socket->print($part) && $socket->flush() or return;
        }

        last unless keep_alive($r, $out[0]);
    }

    close($socket);
}

# False if the peer closed meanwhile.

sub pause {
    my ($socket, $seconds) = @_;
    my ($end, $byte);

    $end = time() + ($seconds < 0 ? 60 : $seconds);

    while (IO::Select->new($socket)->can_read($end - time())) {
        my $rc = recv($socket, $byte, 1, Socket::MSG_PEEK());

        return 0 if !defined $rc || !length($byte);
        sleep(0.02);
        last if time() >= $end;
    }

    return 1;
}

sub keep_alive {
    my ($r, $head) = @_;

    return 0 if ($r->{headers}{connection} || '') =~ /close/i;
    return 0 if $r->{version} eq '1.0'
        && ($r->{headers}{connection} || '') !~ /keep-alive/i;

    ($head) = $head =~ /^(.*?)\x0d\x0a\x0d\x0a/s;

    return 0 if !defined $head || $head =~ /^Connection:\s*close/mi;
    return 1 if $head =~ m!^HTTP/\S+ (204|304)!;
    return $head =~ /^(Content-Length:|Transfer-Encoding:)/mi;
}

sub read_request {
    my ($self, $socket, $buf) = @_;
    my ($head, @lines, %headers, $len, $method, $uri, $version);

    while (($len = index($$buf, "\x0d\x0a\x0d\x0a")) < 0) {
        sysread($socket, $$buf, 65536, length($$buf)) or return undef;
    }

    $head = substr($$buf, 0, $len + 4, '');
    @lines = split(/\x0d\x0a/, $head);

    ($method, $uri, $version) = shift(@lines) =~ m!^(\S+) (.+) HTTP/(\S+)$!
        or return undef;

    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*?)\s*$/ or next;

        $name = lc($name);
        $headers{$name} = defined $headers{$name}
            ? "$headers{$name}, $value" : $value;
    }

    $len = $headers{'content-length'} || 0;

    while (length($$buf) < $len) {
        sysread($socket, $$buf, 65536, length($$buf)) or return undef;
    }

    return {
        method => $method, uri => $uri, version => $version,
        headers => \%headers, body => substr($$buf, 0, $len, ''),
    };
}


1;
