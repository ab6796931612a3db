package Test::Nginx::RTMP::Origin;

# Copyright (C) The nginx-osp authors

# An RTMP server for the tests: a process that accepts connections, behaves as
# told, and writes down what it got as lines of JSON in the test's directory.
#
#     my $o = rtmp_origin($t, port(8081), like => 'srs');
#     my $publish = $o->wait(event => 'command', name => 'publish');
#
# Options of start(): like (normal or srs) sets what follows by a table below,
# each of which can be given as well; script is called instead, as
# $code->($connection, $origin), once bytes in front of C0 were taken away.
#
#   handshake  what is done instead of the handshake: silent, half, close,
#              garbage (or any other bytes), not_read, strict (closes if more
#              than C0 and C1 came before it answered)
#   connect    likewise for connect: silent, half, close, error, redirect=URL
#   create     for createStream: error, close, silent, a number is the stream id
#   publish    busy, denied, close, start_close, silent, not_read, error
#   play       not_found, close, start_close, silent, error
#   answer_all answers every command in front of createStream
#   fcpublish  sends onFCPublish in front of the answer to publish
#   chunk      size of its chunks
#   before     code that is called with the connection and the name of each
#              command; true means that it has done all there is to do
#   messages   each message is an event
#   media      how many messages a player gets, size of them in media_size
#   slow       seconds to wait before each byte that is written
#   split      handshake in several writes, as nginx-rtmp does it
#   host       address to listen at, 127.0.0.1
#   times      only the first so many connections do as told, later ones are
#              served as usual
#
# Events, each with c, the number of its connection: accept, preamble, handshake
# (digest), command (name, tid, args, csid, fmt, msid, type), control (type,
# hex), message (type, csid, fmt, msid, ts, len, the first bytes in hex, and a
# digest of all), media (count, digest), ready (after the answer to publish or
# play), sent (digest of what a player got), close (how, and the bytes behind
# C2).

use strict;
use warnings;

use Digest::SHA qw/ sha1_hex /;
use IO::Select;
use IO::Socket::IP;
use JSON::PP;
use POSIX qw/ WNOHANG /;
use Test::Nginx::RTMP;
use Time::HiRes qw/ sleep time /;


my %like = (
    normal => {
        chunk => 4096, win_ack => 5000000, split => 1, start => 'Publish.Start',
        play_start => ['Play.Start'],
    },

    srs => {
        chunk => 60000, win_ack => 2500000, answer_all => 1, fcpublish => 1,
        bwdone => 1, play_start => ['Play.Reset', 'Play.Start'],
    },
);

my $json = JSON::PP->new()->canonical(1)->allow_nonref(1);


###############################################################################
# the side of the test
###############################################################################

sub start {
    my ($class, $t, $port, %opt) = @_;
    my ($listen, $self);

    $self = bless {
        port  => $port,
        host  => '127.0.0.1',
        times => 1e9,
        life  => 120,
        media => 20,
        file  => $t->testdir() . "/origin-$port.log",
        %{$like{$opt{like} || 'normal'}},
        %opt,
    }, $class;

    $listen = IO::Socket::IP->new(LocalHost => $self->{host},
        LocalPort => $port, Listen => 512, ReuseAddr => 1)
        or die "Can't listen on $port: $@\n";

    # a restarted one goes on in the same file

    open(my $fh, '>>', $self->{file}) or die "Can't open $self->{file}: $!\n";

    $t->run_daemon(sub { $self->serve($listen, $fh) });

    $self->{pid} = $t->{_daemons}[-1];
    $self->{daemons} = $t->{_daemons};

    return $self;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};

    return $self unless defined $pid;

    @{$self->{daemons}} = grep { $_ != $pid } @{$self->{daemons}};

    kill('CONT', -$pid);
    kill('TERM', $pid);
    wait_until(sub { waitpid($pid, WNOHANG) != 0 }, 5);
    kill('KILL', -$pid);

    return $self;
}

# To all its processes: STOP makes it hang, CONT goes on.

sub signal {
    my ($self, $signal) = @_;

    kill($signal, -$self->{pid});

    return $self;
}

# Events so far, those that have all the given values.

sub events {
    my ($self, %want) = @_;
    my ($kind, $c, @events);

    open(my $fh, '<', $self->{file}) or die "Can't open $self->{file}: $!\n";

    # most lines need not be decoded

    $kind = defined $want{event} ? qr/"event":"\Q$want{event}\E"/ : qr//;
    $c = defined $want{c} ? qr/"c":"?\Q$want{c}\E\b/ : qr//;

    while (my $line = <$fh>) {
        next unless $line =~ /\n\z/ && $line =~ /$kind/ && $line =~ /$c/;

        my $event = $json->decode($line);

        push @events, $event unless grep {
            !defined $event->{$_} || $event->{$_} ne $want{$_}
        } keys %want;
    }

    return @events;
}

# The last one of them, once there are so many (count, 1 by default).

sub wait {
    my ($self, %want) = @_;
    my ($count, $timeout, @events);

    $count = delete $want{count} || 1;
    $timeout = delete $want{timeout} || 20;

    wait_until(sub {
        @events = $self->events(%want);
        return @events >= $count;
    }, $timeout) or return undef;

    return $events[-1];
}

# What came last of media, once it is what was sent.  What an earlier call has
# found does not count: another connection may send the same.

sub wait_media {
    my ($self, $digest, $timeout) = @_;
    my @media;

    wait_until(sub {
        @media = $self->events(event => 'media');
        return @media > ($self->{media_seen} || 0)
            && $media[-1]{digest} eq $digest;
    }, $timeout || 20);

    splice(@media, 0, $self->{media_seen} || 0);
    $self->{media_seen} += @media;

    return @media ? $media[-1]{digest} : '';
}

sub connections {
    my ($self) = @_;

    return scalar($self->events(event => 'accept'));
}

# The names of the commands of a connection.

sub commands {
    my ($self, $c) = @_;

    return join(' ', map { $_->{name} } $self->events(event => 'command',
        defined $c ? (c => $c) : ()));
}


###############################################################################
# the side of the server
###############################################################################

sub serve {
    my ($self, $listen, $fh) = @_;
    my ($select, $parent, $end, $n);

    setpgrp(0, 0);

    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';
    $SIG{TERM} = $SIG{INT} = sub {
        $SIG{TERM} = 'IGNORE';
        kill('TERM', -$$);
        POSIX::_exit(0);
    };

    $self->{log} = $fh;

    $select = IO::Select->new($listen);
    $parent = getppid();
    $end = time() + $self->{life};
    $n = 0;

    while (getppid() == $parent && time() < $end) {
        next unless $select->can_read(0.5);

        my $socket = $listen->accept() or next;
        my $pid;

        $n++;
        $self->{n} = $n;
        $self->event(event => 'accept', from => $socket->peerhost());

        $pid = fork();

        if (defined $pid && $pid == 0) {
            $SIG{TERM} = $SIG{INT} = 'DEFAULT';
            alarm($self->{life});
            close($listen);

            eval { $self->serve_connection($socket); 1 }
                or $self->event(event => 'died', error => "$@");

            POSIX::_exit(0);
        }

        close($socket);
    }

    $SIG{TERM}->();
}

sub event {
    my ($self, %event) = @_;

    syswrite($self->{log}, $json->encode({ c => $self->{n},
        time => sprintf('%.3f', time()), %event }) . "\n");
}

sub serve_connection {
    my ($self, $socket) = @_;
    my ($c, $how, $m);

    $c = Test::Nginx::RTMP->new($socket);
    $self->{c} = $c;
    $self->{timeout} ||= 120;

    # as if the script was over
    delete @$self{qw/ script handshake connect create publish play before /}
        if $self->{n} > $self->{times};

    $self->read_preamble();

    if ($self->{script}) {
        $self->{script}->($c, $self);

    } elsif ($self->handshake()) {
        $c->start_counting();

        while (defined($m = $c->read_message($self->{timeout}))) {
            last unless $self->handle($m);

            # told when nothing more is there to be told
            $self->tell_media() unless $c->fill(length($c->{buf}) + 1, 0);
        }

        $self->tell_media();
    }

    $how = $c->{error} ? 'error' : $c->{eof} || 'closed';
    $self->event(event => 'close', how => $how, error => $c->{error},
        received => $c->received());

    $c->close();
}

# What a proxy puts in front of C0.

sub read_preamble {
    my ($self) = @_;
    my ($c, $len, $text);

    $c = $self->{c};

    return unless $c->fill(1, $self->{timeout});

    if (ord($c->{buf}) == 0xf3) {
        return unless $c->fill(3, 5);
        $len = unpack('xn', $c->{buf});
        $text = join('.', unpack('x3 C4', $c->read_raw(3 + $len, 5)));
        $self->event(event => 'preamble', type => 'srs', text => $text,
            length => $len);
        return;
    }

    if (substr($c->{buf}, 0, 1) eq "\x0d") {
        return unless $c->fill(16, 5);
        $len = unpack('x14 n', $c->{buf});
        $text = $c->read_raw(16 + $len, 5);
        $self->event(event => 'preamble', type => 'v2',
            text => join(' ', parse_v2($text)));
        return;
    }

    if (substr($c->{buf}, 0, 1) eq 'P') {
        $c->fill(length($c->{buf}) + 1, 5)
            while index($c->{buf}, "\n") < 0 && !$c->{eof};
        return unless $c->{buf} =~ s/^([^\n]*)\r\n//;
        $self->event(event => 'preamble', type => 'v1', text => $1);
    }
}

sub parse_v2 {
    my ($text) = @_;
    my ($command, $family) = unpack('x12 CC', $text);

    return 'wrong' if substr($text, 0, 12) ne "\r\n\r\n\0\r\nQUIT\n";
    return 'LOCAL' if $command == 0x20;
    return sprintf('wrong %x', $command) if $command != 0x21;

    return ('TCP4', map { ref($_) ? join('.', @$_) : $_ }
        [unpack('x16 C4', $text)], [unpack('x20 C4', $text)],
        unpack('x24 nn', $text)) if $family == 0x11;

    return ('TCP6', Socket::inet_ntop(Socket::AF_INET6(),
        substr($text, 16, 16)), Socket::inet_ntop(Socket::AF_INET6(),
        substr($text, 32, 16)), unpack('x48 nn', $text));
}

# Writes slowly if that is what is asked for.

sub out {
    my ($self, $bytes) = @_;

    return $self->{c}->write_slowly($bytes, $self->{slow}, $self->{timeout})
        if $self->{slow};

    return $self->{c}->write_raw($bytes, $self->{timeout});
}

# Does nothing, but notices the close.

sub idle {
    my ($self) = @_;

    $self->{c}->is_closed($self->{timeout});

    return 0;
}

sub handshake {
    my ($self) = @_;
    my ($c, $how, $c1, $c2, $reply);

    $c = $self->{c};
    $how = $self->{handshake} || '';

    return 0 if $how eq 'close';
    return $self->idle() if $how eq 'silent';

    if ($how eq 'not_read') {
        sleep($self->{timeout});
        return 0;
    }

    return 0 unless $c->fill(1537, $self->{timeout});

    if ($how eq 'strict') {
        sleep(0.1);
        $c->fill(1538, 0);

        if (length($c->{buf}) > 1537) {
            $self->event(event => 'early');
            return 0;
        }
    }

    $c->read_raw(1);
    $c1 = $c->read_raw(1536);
    $reply = $c->handshake_reply($c1);

    if ($how eq 'half') {
        $self->out(substr($reply, 0, 1000));
        return $self->idle();
    }

    if ($how ne '' && $how ne 'strict') {
        $self->out($how eq 'garbage'
            ? "HTTP/1.1 400 Bad Request\r\n\r\n" x 100 : $how);
        return $self->idle();
    }

    if ($self->{split}) {
        $self->out(substr($reply, 0, 1537)) && $self->out(substr($reply, 1537))
            or return 0;

    } else {
        $self->out($reply) or return 0;
    }

    $c2 = $c->read_raw(1536, $self->{timeout});
    return 0 unless defined $c2;

    $self->event(event => 'handshake', digest => $c->{s1_digest} ? 1 : 0,
        signed => $c->{s1_digest} ? ($c->handshake_signed($c2) ? 1 : 0) : 0);

    return 1;
}

sub handle {
    my ($self, $m) = @_;
    my ($c, $method, $type);

    $c = $self->{c};
    $type = $m->{type};

    $self->event(event => 'message', len => length($m->{payload}),
        hex => unpack('H*', substr($m->{payload}, 0, 32)),
        sha => sha1_hex($m->{payload}),
        map { $_ => $m->{$_} } qw/ type csid fmt msid ts /)
        if $self->{messages};

    if ($type == 8 || $type == 9 || $type == 18 || $type == 15) {
        $self->{media_sha} ||= Digest::SHA->new(1);
        $self->{media_sha}->add(Test::Nginx::RTMP::media_digest_part(
            [@$m{qw/ type ts payload /}]));
        $self->{got}++;
        return 1;
    }

    if ($type != 20 && $type != 17) {
        $self->event(event => 'control', type => $type,
            hex => unpack('H*', $m->{payload}));
        return 1;
    }

    $self->event(event => 'command', map { $_ => $m->{$_} }
        qw/ name tid args csid fmt msid type amf_error /);

    return 1 if $self->{before} && $self->{before}->($c, $m, $self);

    $method = Test::Nginx::RTMP::Origin->can("on_$m->{name}");
    return $method->($self, $m) if $method && $m->{name} =~
        /^(connect|createStream|publish|play)$/;

    $self->reply($m->{tid}) if $self->{answer_all} && !$self->{created};

    return 1;
}

# The digest of all media so far.

sub tell_media {
    my ($self) = @_;
    my $got = $self->{got} || 0;

    return if $got == ($self->{told} || 0);

    $self->{told} = $got;
    $self->event(event => 'media', count => $got,
        digest => "$got " . $self->{media_sha}->clone()->hexdigest());
}

sub reply {
    my ($self, $tid, @args) = @_;

    return $self->out($self->{c}->command('_result', $tid,
        @args ? @args : (undef, undef)));
}

sub refuse {
    my ($self, $tid, $code, $description, @more) = @_;

    return $self->out($self->{c}->command('_error', $tid, undef, amf_obj(
        level => 'error', code => $code, description => $description, @more)));
}

sub status {
    my ($self, $code, $description) = @_;
    my $level = $code =~ /Start|Reset/ ? 'status' : 'error';

    return $self->out($self->{c}->command('onStatus', 0, undef, amf_obj(
        level => $level, code => "NetStream.$code",
        description => $description || $code, clientid => 'ASAICiss'),
        \{ csid => 5, msid => $self->{created} || 1 }));
}

# Things that can be done instead of any answer; -1: none of them.

sub instead {
    my ($self, $how) = @_;

    return -1 unless defined $how;
    return 0 if $how eq 'close';
    return $self->idle() if $how eq 'silent';

    if ($how eq 'half') {
        $self->out("\x03\x00\x00\x00\x00");
        return $self->idle();
    }

    if ($how eq 'not_read') {
        sleep($self->{timeout});
        return 0;
    }

    return -1;
}

sub on_connect {
    my ($self, $m) = @_;
    my ($c, $how, $rc);

    $c = $self->{c};
    $how = $self->{connect};

    $rc = $self->instead($how);
    return $rc if $rc >= 0;

    if (defined $how && $how eq 'error') {
        $self->refuse($m->{tid}, 'NetConnection.Connect.Rejected',
            'not today');
        return $self->idle();
    }

    if (defined $how && $how =~ /^redirect=(.*)/) {
        $self->refuse($m->{tid}, 'NetConnection.Connect.Rejected', 'redirect',
            ex => amf_obj(code => 302, redirect => amf_str($1)));
        return $self->idle();
    }

    $self->out($c->message(type => 5, csid => 2,
        payload => pack('N', $self->{win_ack}))) or return 0;
    $self->out($c->message(type => 6, csid => 2,
        payload => pack('NC', $self->{win_ack}, 2))) or return 0;
    $self->out($c->message(type => 1, csid => 2,
        payload => pack('N', $self->{chunk}))) or return 0;

    $self->reply($m->{tid}, amf_obj(fmsVer => 'FMS/3,0,1,123',
        capabilities => 31), amf_obj(level => 'status',
        code => 'NetConnection.Connect.Success',
        description => 'Connection succeeded.', objectEncoding => 0))
        or return 0;

    return 1 unless $self->{bwdone};
    return $self->out($c->command('onBWDone', 0, undef, \{ csid => 5 }));
}

sub on_createStream {
    my ($self, $m) = @_;
    my ($how, $rc);

    $how = $self->{create};

    $rc = $self->instead($how);
    return $rc if $rc >= 0;

    if (defined $how && $how eq 'error') {
        $self->refuse($m->{tid}, 'NetConnection.Call.Failed', 'no stream');
        return $self->idle();
    }

    $self->{created} = $how || 1;

    return $self->reply($m->{tid}, undef, amf_num($self->{created}));
}

sub on_publish {
    my ($self, $m) = @_;
    my ($c, $how, $rc);

    $c = $self->{c};
    $how = $self->{publish} || '';

    $self->out($c->command('onFCPublish', 0, undef, amf_obj(
        code => 'NetStream.Publish.Start',
        description => 'Started publishing stream.'),
        \{ csid => 5, msid => $self->{created} || 1 }))
        if $self->{fcpublish} && $how ne 'silent';

    $rc = $self->instead($self->{publish});
    return $rc if $rc >= 0;

    return $self->status('Publish.BadName', 'Already publishing')
        if $how eq 'busy';
    return $self->status('Publish.Denied', 'go away') if $how eq 'denied';
    return $self->refuse($m->{tid}, 'NetStream.Publish.BadName', 'busy')
        if $how eq 'error';

    $self->status('Publish.Start', 'Start publishing') or return 0;
    $self->event(event => 'ready', op => 'publish');

    return $how ne 'start_close';
}

sub on_play {
    my ($self, $m) = @_;
    my ($c, $how, $rc, $msid, @media);

    $c = $self->{c};
    $how = $self->{play} || '';
    $msid = $self->{created} || 1;

    $rc = $self->instead($self->{play});
    return $rc if $rc >= 0;

    return $self->status('Play.StreamNotFound', 'No such stream')
        if $how eq 'not_found';
    return $self->refuse($m->{tid}, 'NetStream.Play.Failed', 'no')
        if $how eq 'error';

    $self->out($c->message(type => 4, csid => 2,
        payload => pack('nN', 0, $msid))) or return 0;

    for my $code (@{$self->{play_start}}) {
        $self->status($code) or return 0;
    }

    return 0 if $how eq 'start_close';

    $self->out($c->message(type => 18, csid => 5, msid => $msid, payload =>
        amf_encode('|RtmpSampleAccess', amf_bool(1), amf_bool(1))));

    @media = media_messages($self->{media}, size => $self->{media_size},
        play => 1);

    $c->{msid} = $msid;
    $self->event(event => 'ready', op => 'play');
    $self->out($c->media_bytes(@media)) or return 0;
    $self->event(event => 'sent', digest => media_digest(@media));

    return 1;
}


1;
