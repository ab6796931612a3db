package Test::Nginx::HLS;

# Copyright (C) The nginx-osp authors

# An HTTP origin of live streams for the tests, and viewers.
#
#     my $o = hls_origin($t, port(8081));
#     $o->set('/a.ts', size => 100000, delay => 0.1, pieces => [1000, 0.01]);
#     $o->live('cam1', layout => 'nested', base => '/live');
#     ...
#     is($o->count('/a.ts'), 1, 'one request');
#     $o->advance('cam1');
#
# The origin is one process with an event loop, so any number of slow answers
# may be under way.  The test talks to it over a socket: what is set holds from
# the next request on.
#
# set(URI, ...) says what is answered; URI has arguments or stands for any, and
# may be a pattern, qr/.../.  A list of hashes instead: one for each request,
# the last for all later ones; nothing: as if it had never been set.
#
#   status, reason     200
#   headers            a list of "Name: value"
#   type               Content-Type
#   body               bytes
#   size, seed         instead of body: hls_bytes(seed, size), made when sent
#   delay              seconds before the header
#   pause              seconds between header and body
#   pieces             [bytes, seconds]: pieces of that size, and pauses
#   length             Content-Length, if another one than is right; "none"
#   chunked            1, or the size of the chunks
#   cut                closes after so many bytes of the body
#   reset              ... by a reset
#   hang               sends no more after so many bytes of the body; "head":
#                      not even the header
#   close              no keepalive
#   raw                all of the answer: a list of strings, sizes and pauses
#                      ([seconds], ["hang"], ["reset"], ["bytes", SIZE])
#
# What is not set is asked of code => sub { my ($r) = @_; ... } given to
# hls_origin(), which runs in the origin and returns such a hash or nothing,
# then of the streams made by live(), see Test::Nginx::HLS::Live; then it is
# 404.  answer_date => 1 adds Date and Server to all answers.
#
# count(WHAT), requests(WHAT) tell what was asked; WHAT is a URI with arguments,
# a path without, a pattern, or nothing.  A request has n, c (number of its
# connection), time, method, uri, path, args, version, head (as it came),
# headers (a list of [name, value]), status, sent (bytes of the body), end
# (undef: under way, "ok", "cut", "aborted" by the client), took.
# header(REQUEST, NAME) gives a header, most(WHAT) how many were under way at
# once, forget() forgets all of it, connections() tells how many are open.
#
# stop(), start() and signal() are for its process.
#
# Viewers are in Test::Nginx::HLS::Client (requests) and ::Viewer (players).

use strict;
use warnings;

use Digest::MD5 qw/ md5 /;
use Exporter qw/ import /;
use IO::Socket::UNIX;
use POSIX qw/ WNOHANG /;
use Socket qw/ SOCK_STREAM /;
use Storable qw/ nfreeze thaw /;
use Test::Nginx::HLS::Client;
use Test::Nginx::HLS::Live;
use Test::Nginx::HLS::Origin;
use Test::Nginx::HLS::Viewer;
use Time::HiRes qw/ sleep time /;


our @EXPORT = (qw/
    hls_origin hls_bytes hls_segment hls_key hls_parse hls_uris hls_wait
    hls_memory hls_workers hls_children
/, @Test::Nginx::HLS::Client::EXPORT, @Test::Nginx::HLS::Viewer::EXPORT);

{
    no warnings 'once';
    $Storable::canonical = 1;
}


###############################################################################
# the origin
###############################################################################

sub hls_origin {
    my ($t, $port, %opt) = @_;
    my $self;

    $self = bless {
        t       => $t,
        host    => '127.0.0.1',
        port    => $port,
        life    => 300,
        control => $t->testdir() . "/hls-$port.sock",
        owner   => $$,
        %opt,
    };

    delete $self->{t};
    $self->{daemons} = $t->{_daemons};

    return $self->start($t);
}

# All that was set is gone when it starts anew.

sub start {
    my ($self, $t) = @_;
    my ($pid, $listen, $control, $origin);

    $origin = Test::Nginx::HLS::Origin->new(%$self);

    # listens before the test goes on
    $listen = $origin->listen_at($self->{host}, $self->{port});
    $control = $origin->control_at($self->{control});

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM /;
        eval { $origin->serve($listen, $control); 1 } or print STDERR $@;
        POSIX::_exit(0);
    }

    close($listen);
    close($control);

    $self->{pid} = $pid;
    push @{$self->{daemons}}, $pid;

    return $self;
}

sub stop {
    my ($self) = @_;
    my ($pid, $end);

    $pid = delete $self->{pid};
    return $self unless defined $pid;

    delete $self->{socket};
    @{$self->{daemons}} = grep { $_ != $pid } @{$self->{daemons}};

    kill('CONT', $pid);
    kill('TERM', $pid);

    $end = time() + 5;
    sleep(0.01) while waitpid($pid, WNOHANG) == 0 && time() < $end;
    kill('KILL', $pid) if time() >= $end;

    return $self;
}

sub signal {
    my ($self, $signal) = @_;

    kill($signal, $self->{pid});

    return $self;
}

sub set {
    my ($self, $uri, @spec) = @_;

    return $self->call('set', $uri, @spec && ref($spec[0]) ? [@spec]
        : @spec ? [{@spec}] : []);
}

sub requests {
    my ($self, $what) = @_;

    return @{$self->call('requests', $what)};
}

sub count {
    my ($self, $what) = @_;

    return $self->call('count', $what);
}

sub most {
    my ($self, $what) = @_;

    return $self->call('most', $what);
}

sub forget {
    my ($self) = @_;

    return $self->call('forget');
}

sub connections {
    my ($self) = @_;

    return $self->call('connections');
}

sub header {
    my ($self, $r, $name) = @_;
    my @values;

    @values = map { $_->[1] } grep { lc($_->[0]) eq lc($name) }
        @{$r->{headers}};

    return @values ? join(', ', @values) : undef;
}

# The last request, once there are so many.

sub wait {
    my ($self, $what, $count, $timeout) = @_;
    my @list;

    hls_wait(sub { (@list = $self->requests($what)) >= ($count || 1) },
        $timeout) or return undef;

    return $list[-1];
}

# Streams: see Test::Nginx::HLS::Live.

sub live {
    my ($self, $name, %opt) = @_;

    return $self->call('live', $name, {%opt});
}

sub change {
    my ($self, $name, %opt) = @_;

    return $self->call('change', $name, {%opt});
}

sub advance {
    my ($self, $name, $n) = @_;

    return $self->call('advance', $name, defined $n ? $n : 1);
}

sub restart {
    my ($self, $name, %opt) = @_;

    return $self->call('restart', $name, {%opt});
}

# What the origin itself would answer to a GET, without counting it.

sub answer {
    my ($self, $uri) = @_;

    return $self->call('answer', $uri);
}

sub call {
    my ($self, @call) = @_;
    my ($rc, $answer);

    # a socket is not shared with a process that was forked
    delete $self->{socket} if ($self->{user} || 0) != $$;
    $self->{user} = $$;

    $self->{socket} ||= IO::Socket::UNIX->new(Type => SOCK_STREAM(),
        Peer => $self->{control}) or die "Can't connect to the origin: $!\n";

    $rc = eval {
        local $SIG{ALRM} = sub { die "the origin does not answer\n" };
        alarm(20);
        Test::Nginx::HLS::Origin::put($self->{socket}, nfreeze([@call]));
        $answer = Test::Nginx::HLS::Origin::take($self->{socket});
        alarm(0);
        1;
    };

    die $@ unless $rc;
    die "the origin has gone\n" unless defined $answer;

    $answer = thaw($answer);
    die "$answer->[1]\n" unless $answer->[0];

    return $answer->[1];
}


###############################################################################
# bytes
###############################################################################

my %blocks;

# Bytes that look the same nowhere else within 64 KB or under another seed.

sub hls_bytes {
    my ($seed, $size, $from) = @_;
    my ($block, $out, $hash);

    if (!defined $blocks{$seed}) {
        %blocks = () if keys %blocks > 50;

        $hash = $seed;
        $block = '';
        $block .= $hash = md5($hash) for 1 .. 4096;

        $blocks{$seed} = substr($block, 0, 65521);
    }

    $from = ($from || 0) % 65521;
    $out = $blocks{$seed} x (1 + int(($from + $size) / 65521));

    return substr($out, $from, $size);
}

# What the streams of live() have: number in variant ('' if there are none) of
# a broadcast, 0 is the first, restart() makes the next.

sub hls_segment {
    my ($name, $variant, $broadcast, $number, $size) = @_;

    return Test::Nginx::HLS::Live::segment($name, $variant, $broadcast,
        $number, $size || 20000);
}

sub hls_key {
    my ($name, $broadcast, $number) = @_;

    return Test::Nginx::HLS::Live::key($name, $broadcast, $number);
}


###############################################################################
# playlists
###############################################################################

# What is in a playlist: sequence, discontinuity, target, version, endlist,
# tags (a hash of the first value of each), lines; segments, a list of uri,
# duration, sequence, discontinuity (a DISCONTINUITY is before it), key, map,
# parts; variants, a list of uri and attributes.  undef: it is none.

sub hls_parse {
    my ($text) = @_;
    my ($p, $next, $key, $map);

    return undef unless defined $text && $text =~ /^#EXTM3U\r?\n/;

    $p = {
        sequence => 0, discontinuity => 0, endlist => 0, segments => [],
        variants => [], tags => {}, parts => [],
        lines => [split(/\r?\n/, $text)],
    };

    $next = {};

    for (@{$p->{lines}}) {
        my ($tag, $value) = /^#(EXT[A-Z0-9-]*):?(.*)/;

        if (defined $tag) {
            $p->{tags}{$tag} = $value unless exists $p->{tags}{$tag};

            $next->{duration} = $value + 0 if $tag eq 'EXTINF'
                && $value =~ s/,.*//;
            $next->{discontinuity} = 1 if $tag eq 'EXT-X-DISCONTINUITY';
            $next->{gap} = 1 if $tag eq 'EXT-X-GAP';
            $next->{stream} = $value if $tag eq 'EXT-X-STREAM-INF';
            push @{$next->{parts}}, $value if $tag eq 'EXT-X-PART';
            $map = $value if $tag eq 'EXT-X-MAP';
            $key = $value if $tag eq 'EXT-X-KEY';
            next;
        }

        next if /^#/ || $_ eq '';

        if (defined $next->{stream}) {
            push @{$p->{variants}}, { uri => $_, inf => $next->{stream} };

        } else {
            push @{$p->{segments}}, { %$next, uri => $_, key => $key,
                map => $map };
        }

        $next = {};
    }

    $p->{parts} = $next->{parts} || [];
    $p->{sequence} = $p->{tags}{'EXT-X-MEDIA-SEQUENCE'} || 0;
    $p->{discontinuity} = $p->{tags}{'EXT-X-DISCONTINUITY-SEQUENCE'} || 0;
    $p->{target} = $p->{tags}{'EXT-X-TARGETDURATION'};
    $p->{version} = $p->{tags}{'EXT-X-VERSION'};
    $p->{endlist} = exists $p->{tags}{'EXT-X-ENDLIST'} ? 1 : 0;

    for my $i (0 .. $#{$p->{segments}}) {
        $p->{segments}[$i]{sequence} = $p->{sequence} + $i;
    }

    return $p;
}

# The URIs of its segments or variants, as one line for is().

sub hls_uris {
    my ($text) = @_;
    my $p = hls_parse($text) or return 'no playlist';

    return join(' ', map { ($_->{discontinuity} ? '!' : '') . $_->{uri} }
        @{$p->{segments}}, @{$p->{variants}});
}


###############################################################################
# nginx
###############################################################################

sub hls_children {
    my ($parent) = @_;
    my @found;

    for (glob('/proc/[0-9]*/stat')) {
        open(my $fh, '<', $_) or next;
        my $line = <$fh>;

        push @found, $1 if defined $line
            && $line =~ /^(\d+) \(.*\) [^Z] $parent /;
    }

    return @found;
}

sub hls_workers {
    my ($t) = @_;

    return hls_children($t->read_file('nginx.pid') + 0);
}

# Bytes: window, pages of objects that are there; own, memory of its own that
# the largest worker has.

sub hls_memory {
    my ($t) = @_;
    my ($window, $own, @workers) = (0, 0, hls_workers($t));

    for my $pid (@workers) {
        open(my $fh, '<', "/proc/$pid/status") or next;
        my ($anon) = do { local $/; <$fh> } =~ /^RssAnon:\s+(\d+)/m;

        $own = $anon * 1024 if $anon * 1024 > $own;
    }

    for (glob("/proc/$workers[0]/fd/*")) {
        next unless (readlink($_) || '') =~ m!^/memfd:!;
        $window += (stat($_))[12] * 512;
    }

    # AddressSanitizer keeps what is freed
    $own = 0 if $ENV{ASAN_OPTIONS};

    return { window => $window, own => $own };
}

# Tries until it is true.

sub hls_wait {
    my ($code, $timeout) = @_;
    my ($end, $rc);

    $end = time() + ($timeout || 20);

    while (!($rc = $code->())) {
        return $rc if time() > $end;
        sleep(0.02);
    }

    return $rc;
}


1;
