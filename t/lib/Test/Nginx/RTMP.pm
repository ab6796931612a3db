package Test::Nginx::RTMP;

# Copyright (C) The nginx-osp authors

# An RTMP peer for the tests: the client side, and what both sides share.
#
# Everything can be sent, wrong things too, message by message or as raw bytes;
# see Test::Nginx::RTMP::Origin for a server and Test::Nginx::RTMP::AMF for
# values.  No call takes longer than its timeout, 5 seconds unless told
# otherwise.

use strict;
use warnings;

use Digest::SHA qw/ hmac_sha256 sha1_hex /;
use Exporter qw/ import /;
use IO::Select;
use IO::Socket::IP;
use POSIX qw/ WNOHANG /;
use Scalar::Util qw/ weaken /;
use Socket qw/ AF_UNIX IPPROTO_TCP PF_UNSPEC SHUT_WR SOCK_STREAM TCP_NODELAY /;
use Test::More qw//;
use Test::Nginx::RTMP::AMF;
use Time::HiRes qw/ sleep time /;


our @EXPORT = (@Test::Nginx::RTMP::AMF::EXPORT, qw/
    media_messages media_digest wait_until wait_log
    rtmp_client rtmp_publish rtmp_play rtmp_origin need_rtmp_module
/);

use constant {
    CHUNK_SIZE => 1, ABORT => 2, ACK => 3, USER => 4, WIN_ACK => 5,
    PEER_BW => 6, AUDIO => 8, VIDEO => 9, DATA3 => 15, COMMAND3 => 17,
    DATA => 18, COMMAND => 20,

    HANDSHAKE => 1536,
};

# the keys of the digest handshake: a name, with 32 known bytes behind it

my $CRUD = pack('H*',
    'f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae');
my $CLIENT_KEY = 'Genuine Adobe Flash Player 001';
my $SERVER_KEY = 'Genuine Adobe Flash Media Server 001';

my %open;

# nothing may stay open when nginx is asked to quit

END {
    $_->close() for grep { defined } values %open;
}


###############################################################################
# connection
###############################################################################

# Over a socket that is open already.

sub new {
    my ($class, $socket, %opt) = @_;

    my $self = bless {
        socket    => $socket,
        timeout   => 5,
        buf       => '',
        in_chunk  => 128,
        out_chunk => 128,
        in        => {},
        out       => {},
        messages  => [],
        in_sha    => Digest::SHA->new(1),
        out_sha   => Digest::SHA->new(1),
        in_bytes  => 0,
        out_bytes => 0,
        tid       => 1,
        pid       => $$,
        %opt,
    }, $class;

    $socket->blocking(0);
    setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1) unless $opt{helper};

    $open{$self} = $self;
    weaken($open{$self});

    return $self;
}

sub DESTROY {
    my ($self) = @_;

    local ($@, $!, $?);

    $self->close() if $self->{pid} == $$;
}

sub close {
    my ($self) = @_;
    my $helper;

    delete $open{$self};

    CORE::close(delete $self->{socket}) if $self->{socket};

    $helper = delete $self->{helper};

    if ($helper && $self->{pid} == $$) {
        kill('TERM', $helper);
        waitpid($helper, 0);
    }

    return $self;
}

# Sends a reset instead of the usual end.

sub reset {
    my ($self) = @_;

    setsockopt($self->{socket}, Socket::SOL_SOCKET, Socket::SO_LINGER,
        pack('II', 1, 0));

    return $self->close();
}

sub shutdown {
    my ($self) = @_;

    CORE::shutdown($self->{socket}, SHUT_WR);

    return $self;
}

# Returns false if the peer does not take it all in time.

sub write_raw {
    my ($self, $bytes, $timeout) = @_;
    my ($end, $n, $pos, $select);

    $end = time() + ($timeout || $self->{timeout});
    $select = IO::Select->new($self->{socket});
    $pos = 0;

    local $SIG{PIPE} = 'IGNORE';

    while ($pos < length($bytes)) {
        $n = syswrite($self->{socket}, $bytes, length($bytes) - $pos, $pos);

        if (defined $n) {
            $self->{out_bytes} += $n;
            $self->{out_sha}->add(substr($bytes, $pos, $n));
            $pos += $n;
            next;
        }

        if (!$!{EAGAIN} && !$!{EINTR}) {
            $self->{error} = "$!";
            return 0;
        }

        return 0 if time() > $end;
        $select->can_write($end - time());
    }

    return 1;
}

# One byte at a time; stops early when the peer closes.

sub write_slowly {
    my ($self, $bytes, $delay, $timeout) = @_;
    my $end = time() + $timeout;

    for my $byte (split(//, $bytes)) {
        return 0 if time() > $end || !$self->write_raw($byte);
        return 0 if $self->is_closed($delay);
    }

    return 1;
}

# Makes sure that so many bytes are in the buffer.

sub fill {
    my ($self, $need, $timeout) = @_;
    my ($end, $n, $chunk, $select);

    $end = time() + (defined $timeout ? $timeout : $self->{timeout});
    $select = IO::Select->new($self->{socket});

    while (length($self->{buf}) < $need) {
        return 0 if $self->{eof} || !$self->{socket};

        $n = sysread($self->{socket}, $chunk, 65536);

        if ($n) {
            $self->{in_bytes} += $n;
            $self->{in_sha}->add($chunk);
            $self->{buf} .= $chunk;
            next;
        }

        if (defined $n || (!$!{EAGAIN} && !$!{EINTR})) {
            $self->{eof} = defined $n ? 'eof' : 'reset';
            return 0;
        }

        return 0 if time() > $end;
        $select->can_read($end - time());
    }

    return 1;
}

sub read_raw {
    my ($self, $len, $timeout) = @_;

    return undef unless $self->fill($len, $timeout);
    return substr($self->{buf}, 0, $len, '');
}

# Whether the peer closes within the time, whatever it sends before.

sub is_closed {
    my ($self, $timeout) = @_;
    my $end = time() + (defined $timeout ? $timeout : $self->{timeout});

    while (!$self->{eof} && $self->{socket}) {
        return 0 if time() > $end;
        $self->fill(length($self->{buf}) + 1, $end - time());
    }

    return 1;
}

# What was written and read so far, behind the handshake.

sub sent {
    my ($self) = @_;

    return "$self->{out_bytes} " . $self->{out_sha}->clone()->hexdigest();
}

sub received {
    my ($self) = @_;

    return "$self->{in_bytes} " . $self->{in_sha}->clone()->hexdigest();
}

sub start_counting {
    my ($self) = @_;

    $self->{$_} = Digest::SHA->new(1) for qw/ in_sha out_sha /;
    $self->{$_} = 0 for qw/ in_bytes out_bytes /;

    $self->{in_sha}->add($self->{buf});
    $self->{in_bytes} = length($self->{buf});
}


###############################################################################
# handshake
###############################################################################

sub handshake_bytes {
    my ($version, $time) = @_;

    return pack('NN', $time || 0, $version || 0)
        . join('', map { pack('N', int(rand(0xffffffff))) } 1 .. 382);
}

# Puts the digest into C1 or S1: scheme 0 has it in the first half.

sub digest_sign {
    my ($bytes, $key, $scheme) = @_;
    my $at = digest_offset($bytes, $scheme);

    substr($bytes, $at, 32) = hmac_sha256(substr($bytes, 0, $at)
        . substr($bytes, $at + 32), $key);

    return ($bytes, substr($bytes, $at, 32));
}

sub digest_find {
    my ($bytes, $key) = @_;

    for my $scheme (0, 1) {
        my (undef, $digest) = digest_sign($bytes, $key, $scheme);

        return $digest
            if $digest eq substr($bytes, digest_offset($bytes, $scheme), 32);
    }

    return undef;
}

sub digest_offset {
    my ($bytes, $scheme) = @_;
    my ($base, $sum);

    $base = $scheme ? 772 : 8;
    $sum = 0;
    $sum += $_ for unpack('C4', substr($bytes, $base, 4));

    return $sum % 728 + $base + 4;
}

# C2 or S2: random bytes, with a signature that depends on the peer's digest.

sub digest_response {
    my ($digest, $key) = @_;
    my $bytes = substr(handshake_bytes(), 0, HANDSHAKE - 32);

    return $bytes . hmac_sha256($bytes, hmac_sha256($digest, $key . $CRUD));
}

sub digest_verify {
    my ($bytes, $digest, $key) = @_;

    return substr($bytes, -32) eq hmac_sha256(
        substr($bytes, 0, HANDSHAKE - 32),
        hmac_sha256($digest, $key . $CRUD));
}

# Options: digest (1: scheme 0, 2: scheme 1), c0, extra: sent with C2 in one
# write.  Returns false, with the reason in {error}.

sub handshake {
    my ($self, %opt) = @_;
    my ($c1, $c2, $digest, $s0, $s1, $s2);

    $c1 = handshake_bytes($opt{digest} ? 0x0a002d02 : 0);
    ($c1, $digest) = digest_sign($c1, $CLIENT_KEY, $opt{digest} - 1)
        if $opt{digest};

    $self->write_raw(pack('C', defined $opt{c0} ? $opt{c0} : 3) . $c1);

    $s0 = $self->read_raw(1);
    $s1 = $self->read_raw(HANDSHAKE);
    $s2 = $self->read_raw(HANDSHAKE);

    return $self->fail('no handshake') unless defined $s2;
    return $self->fail('wrong S0') unless $s0 eq "\x03";

    $c2 = $s1;

    if ($opt{digest}) {
        my $theirs = digest_find($s1, $SERVER_KEY);

        return $self->fail('no digest in S1') unless defined $theirs;
        return $self->fail('wrong S2')
            unless digest_verify($s2, $digest, $SERVER_KEY);

        $c2 = digest_response($theirs, $CLIENT_KEY);

    } elsif (substr($s2, 8) ne substr($c1, 8)) {
        return $self->fail('wrong S2');
    }

    $self->write_raw($c2) unless defined $opt{extra};
    $self->start_counting();

    if (defined $opt{extra}) {
        $self->write_raw($c2 . $opt{extra});

        # C2 does not count
        $self->{out_sha} = Digest::SHA->new(1)->add($opt{extra});
        $self->{out_bytes} = length($opt{extra});
    }

    return 1;
}

# The server's side, C0 and C1 having been read.

sub handshake_reply {
    my ($self, $c1) = @_;
    my ($client, $s1, $digest);

    $client = unpack('x4 N', $c1) ? digest_find($c1, $CLIENT_KEY) : undef;

    $s1 = handshake_bytes(defined $client ? 0x0d0e0a0d : 0);
    return "\x03" . $s1 . $c1 unless defined $client;

    ($s1, $digest) = digest_sign($s1, $SERVER_KEY, 0);
    $self->{s1_digest} = $digest;

    return "\x03" . $s1 . digest_response($client, $SERVER_KEY);
}

sub handshake_signed {
    my ($self, $c2) = @_;

    return digest_verify($c2, $self->{s1_digest}, $CLIENT_KEY);
}

sub fail {
    my ($self, $error) = @_;

    $self->{error} = $error . ($self->{eof} ? " ($self->{eof})" : '');
    Test::Nginx::log_in($self->{error}) if defined &Test::Nginx::log_in;

    return undef;
}


###############################################################################
# chunks
###############################################################################

# The chunks of a message as a list, for who wants to interleave them.
#
# Options: type, csid, msid, ts, payload; fmt of the first header, 0 unless
# told; chunk size; csid_bytes 1 to 3; length to announce another one.

sub chunks {
    my ($self, %m) = @_;
    my ($out, $csid, $fmt, $ts, $len, $size, $stamp, $header, $ext, @chunks);

    $csid = $m{csid} || 3;
    $fmt = $m{fmt} || 0;
    $ts = $m{ts} || 0;
    $len = defined $m{length} ? $m{length} : length($m{payload});
    $size = $m{chunk} || $self->{out_chunk};

    $out = $self->{out}{$csid} ||= {};

    $stamp = $fmt == 0 ? $ts : ($ts - ($out->{ts} || 0)) & 0xffffffff;
    $ext = $fmt == 3 ? $out->{ext} : $stamp >= 0xffffff;

    $header = '';
    $header .= substr(pack('N', $ext ? 0xffffff : $stamp), 1) if $fmt < 3;
    $header .= substr(pack('N', $len), 1) . pack('C', $m{type}) if $fmt < 2;
    $header .= pack('V', $m{msid} || 0) if $fmt == 0;
    $header .= pack('N', $stamp) if $ext;

    $out->{ts} = $ts;
    $out->{ext} = $ext;

    push @chunks, basic_header($fmt, $csid, $m{csid_bytes}) . $header
        . substr($m{payload}, 0, $size);

    for (my $pos = $size; $pos < length($m{payload}); $pos += $size) {
        push @chunks, basic_header(3, $csid, $m{csid_bytes})
            . ($ext ? pack('N', $stamp) : '')
            . substr($m{payload}, $pos, $size);
    }

    $self->{out_chunk} = unpack('N', $m{payload})
        if $m{type} == CHUNK_SIZE && length($m{payload}) == 4;

    return @chunks;
}

sub basic_header {
    my ($fmt, $csid, $bytes) = @_;

    $bytes ||= $csid < 64 ? 1 : $csid < 320 ? 2 : 3;

    return pack('C', $fmt << 6 | $csid) if $bytes == 1;
    return pack('CC', $fmt << 6, $csid - 64) if $bytes == 2;
    return pack('Cv', $fmt << 6 | 1, $csid - 64);
}

sub message {
    my ($self, %m) = @_;

    return join('', $self->chunks(%m));
}

sub command {
    my ($self, $name, $tid, @args) = @_;
    my %m = ref($args[-1]) eq 'REF' ? %{${pop @args}} : ();

    return $self->message(type => COMMAND, %m, payload =>
        (($m{type} || 0) == COMMAND3 ? "\x00" : '')
        . amf_encode(amf_str($name), amf_num($tid), @args));
}

sub send_message {
    my ($self, %m) = @_;

    Test::Nginx::log_out("message type $m{type} on stream " . ($m{msid} || 0)
        . ', ' . length($m{payload}) . ' bytes') if $ENV{TEST_NGINX_VERBOSE};

    return $self->write_raw($self->message(%m), $m{timeout});
}

# $c->send_command('publish', 5, undef, 'name', 'live', \{ msid => 1 })

sub send_command {
    my ($self, @args) = @_;

    return $self->write_raw($self->command(@args));
}

# The next message, without looking at what it says but for the chunk size.
# A hash with csid, fmt, type, msid, ts, payload, and for commands and data
# name, tid and args; undef at a timeout or close.

sub read_message {
    my ($self, $timeout) = @_;
    my ($end, $m);

    $end = time() + (defined $timeout ? $timeout : $self->{timeout});

    for ( ;; ) {
        return $m if defined($m = $self->parse_chunk());
        return undef if $self->{error};
        return undef unless $self->fill(length($self->{buf}) + 1,
            $end > time() ? $end - time() : 0);
    }
}

# What is in the buffer: undef if it is no whole message yet.

sub parse_chunk {
    my ($self) = @_;
    my ($fmt, $csid, $pos, $in, $need, $stamp, $ext, $len, $left, $m);

    while (length($self->{buf})) {
        ($fmt, $csid) = (ord($self->{buf}) >> 6, ord($self->{buf}) & 0x3f);
        $pos = $csid < 2 ? $csid + 2 : 1;
        return undef if length($self->{buf}) < $pos;

        $csid = unpack('xC', $self->{buf}) + 64 if $csid == 0;
        $csid = unpack('xv', $self->{buf}) + 64 if $csid == 1;

        $in = $self->{in}{$csid};

        return $self->fail("format $fmt on a new chunk stream $csid")
            if !$in && $fmt;
        return $self->fail("format $fmt within a message")
            if $in && defined $in->{got} && $fmt != 3;

        $need = $pos + (11, 7, 3, 0)[$fmt];
        return undef if length($self->{buf}) < $need;

        ($stamp, $ext) = (0, $in && $in->{ext});

        if ($fmt < 3) {
            $stamp = unpack('N', "\0" . substr($self->{buf}, $pos, 3));
            $ext = $stamp == 0xffffff;
        }

        if ($ext) {
            return undef if length($self->{buf}) < $need + 4;
            $stamp = unpack('N', substr($self->{buf}, $need, 4));
            $need += 4;
        }

        $len = $fmt < 2
            ? unpack('N', "\0" . substr($self->{buf}, $pos + 3, 3))
            : $in->{len};

        $left = $len - ($in && defined $in->{got} ? length($in->{got}) : 0);
        $left = $self->{in_chunk} if $left > $self->{in_chunk};
        return undef if length($self->{buf}) < $need + $left;

        # the chunk is whole

        $in = $self->{in}{$csid} ||= {};

        if (!defined $in->{got}) {
            @$in{qw/ got fmt ext len /} = ('', $fmt, $ext, $len);

            $in->{type} = ord(substr($self->{buf}, $pos + 6, 1)) if $fmt < 2;
            $in->{msid} = unpack('V', substr($self->{buf}, $pos + 7, 4))
                if $fmt == 0;
            $in->{delta} = $stamp if $fmt < 3;
            $in->{ts} = $fmt == 0 ? $stamp
                : ($in->{ts} + $in->{delta}) & 0xffffffff;
        }

        substr($self->{buf}, 0, $need) = '';
        $in->{got} .= substr($self->{buf}, 0, $left, '');

        next if length($in->{got}) < $len;

        $m = { csid => $csid, payload => delete $in->{got},
            map { $_ => $in->{$_} } qw/ fmt type msid ts / };

        $self->{in_chunk} = unpack('N', $m->{payload}) & 0x7fffffff
            if $m->{type} == CHUNK_SIZE && length($m->{payload}) >= 4;

        decode_message($m);

        return $m;
    }

    return undef;
}

sub decode_message {
    my ($m) = @_;
    my ($payload, @values);

    $payload = $m->{payload};

    if ($m->{type} == COMMAND3 || $m->{type} == DATA3) {
        substr($payload, 0, 1) = '';

    } elsif ($m->{type} != COMMAND && $m->{type} != DATA) {
        return;
    }

    @values = eval { amf_decode($payload) };
    $m->{amf_error} = $@ if $@;

    $m->{name} = shift @values;
    $m->{tid} = shift @values if $m->{type} == COMMAND
        || $m->{type} == COMMAND3;
    $m->{args} = [ @values ];
}

# Reads until a message for which the code says yes, all that was passed goes
# to {messages}.

sub read_until {
    my ($self, $code, $timeout) = @_;
    my ($end, $m);

    $end = time() + (defined $timeout ? $timeout : $self->{timeout});

    while (defined($m = $self->read_message($end - time()))) {
        push @{$self->{messages}}, $m;

        if ($m->{type} == USER && $m->{payload} =~ /^\x00\x06(.{4})/s) {
            $self->send_message(type => USER, csid => 2,
                payload => "\x00\x07$1");
        }

        Test::Nginx::log_in("message type $m->{type} "
            . (defined $m->{name} ? $m->{name} : '')
            . (defined $m->{args} && ref($m->{args}[-1]) eq 'HASH'
                && defined $m->{args}[-1]{code} ? " $m->{args}[-1]{code}" : '')
        ) if $ENV{TEST_NGINX_VERBOSE};

        return $m if $code->($m);
        return undef if time() > $end;
    }

    return undef;
}

# A command by its name, an answer by its transaction id as well.

sub read_command {
    my ($self, $name, %opt) = @_;

    return $self->read_until(sub {
        my ($m) = @_;

        return defined $m->{name} && $m->{name} =~ /^(?:$name)$/
            && (!defined $opt{tid} || ($m->{tid} || 0) == $opt{tid});
    }, $opt{timeout});
}

# The names of all messages that came, for comparing sequences.

sub seen {
    my ($self) = @_;

    return join(' ', map {
        defined $_->{name} ? $_->{name}
            . (ref($_->{args}[-1]) eq 'HASH' && $_->{args}[-1]{code}
                ? ":$_->{args}[-1]{code}" : '')
            : "#$_->{type}"
    } @{$self->{messages}});
}


###############################################################################
# media
###############################################################################

# So many frames as they would come from an encoder, each of them different:
# metadata and sequence headers first, a key frame each ten, audio between.
# A list of [type, timestamp, payload].

sub media_messages {
    my ($n, %opt) = @_;
    my ($size, $first, @m);

    $size = $opt{size} || 400;
    $first = $opt{first} || 0;

    if (!$first) {
        push @m, [DATA, 0, ($opt{play} ? '' : amf_encode('@setDataFrame'))
            . amf_encode('onMetaData', amf_ecma(duration => 0, width => 640,
                height => 360, videocodecid => 7, audiocodecid => 10,
                encoder => amf_str('test')))];
        push @m, [VIDEO, 0, "\x17\x00\x00\x00\x00"
            . pack('H*', '01640028ffe1000467640028010004' . '68ebec')];
        push @m, [AUDIO, 0, "\xaf\x00\x12\x10"];
    }

    for my $i ($first .. $first + $n - 1) {
        push @m, $i % 2
            ? [AUDIO, $i * 20, "\xaf\x01" . fill_bytes($i, $size / 4)]
            : [VIDEO, $i * 20, ($i % 10 ? "\x27" : "\x17")
                . "\x01\x00\x00\x00" . fill_bytes($i, $size)];
    }

    return @m;
}

sub fill_bytes {
    my ($seed, $len) = @_;

    $len = int($len);

    return substr(pack('N', $seed * 2654435761 & 0xffffffff)
        x ($len / 4 + 1), 0, $len);
}

# A digest of messages: types, timestamps and payloads in their order.

sub media_digest {
    my (@messages) = @_;

    return scalar(@messages) . ' '
        . sha1_hex(join('', map { media_digest_part($_) } @messages));
}

sub media_digest_part {
    my ($m) = @_;

    return pack('CNN', $m->[0], $m->[1], length($m->[2])) . $m->[2];
}

# How an encoder writes them: a chunk stream for each type, short headers.

sub media_bytes {
    my ($self, @messages) = @_;
    my $bytes = '';

    for my $m (@messages) {
        my $csid = $self->{one_csid} || ($m->[0] == VIDEO ? 6 : 4);

        $bytes .= $self->message(type => $m->[0], csid => $csid,
            msid => $self->{msid}, ts => $m->[1], payload => $m->[2],
            fmt => $self->{media}{$csid}++ ? 1 : 0);
    }

    return $bytes;
}

sub send_media {
    my ($self, @messages) = @_;

    return $self->write_raw($self->media_bytes(@messages));
}

# So many messages of audio, video or data, as media_messages() gives them.

sub read_media {
    my ($self, $n, $timeout) = @_;
    my ($end, $m, @list);

    $end = time() + (defined $timeout ? $timeout : $self->{timeout});

    while (@list < $n) {
        last unless defined($m = $self->read_until(sub {
            my ($m) = @_;
            return $m->{type} == AUDIO || $m->{type} == VIDEO
                || ($m->{type} == DATA && $m->{name} ne '|RtmpSampleAccess');
        }, $end - time()));

        push @list, [ @$m{qw/ type ts payload /} ];
    }

    return @list;
}


###############################################################################
# client
###############################################################################

# A connection to a port of 127.0.0.1, or to host:port.  Options: ssl, family,
# preamble (bytes in front of all), and those of new().

sub rtmp_client {
    my ($addr, %opt) = @_;
    my ($self, $socket, $host, $port, $helper);

    ($host, $port) = $addr =~ /^(?:\[?(.+?)\]?:)?(\d+)$/;
    $host = '127.0.0.1' unless defined $host;

    if (delete $opt{ssl}) {
        ($socket, $helper) = ssl_helper($host, $port, $opt{sni});

    } else {
        $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port,
            Timeout => 5)
            or return undef;
    }

    $self = __PACKAGE__->new($socket, host => $host, port => $port,
        helper => $helper, %opt);

    $self->write_raw($opt{preamble}) if defined $opt{preamble};

    return $self;
}

# TLS by a process of openssl at the other end of a socket pair, since a module
# for it is not everywhere.

sub ssl_helper {
    my ($host, $port, $sni) = @_;
    my ($pid, $one, $two);

    socketpair($one, $two, AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "Can't make a socket pair: $!\n";

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        CORE::close($one);
        open(STDIN, '<&', $two);
        open(STDOUT, '>&', $two);
        open(STDERR, '>', '/dev/null') unless $ENV{TEST_NGINX_VERBOSE};
        exec('openssl', 's_client', '-quiet', '-connect',
            $host =~ /:/ ? "[$host]:$port" : "$host:$port",
            '-servername', $sni || 'localhost') or POSIX::_exit(127);
    }

    CORE::close($two);

    return ($one, $pid);
}

# What real clients send; see the table for how they differ.
#
#   digest    the handshake with digests
#   joined    connect goes with C2 in one write
#   chunk     chunk size announced after connect
#   tids      transaction ids of releaseStream, FCPublish, createStream, publish
#   fcpublish waits for onFCPublish too, if the server sends one
#   csid      chunk stream of publish and play
#   short     headers of format 1 once connect was sent
#   winack    a window size in front of createStream

our %clients = (
    ffmpeg => {
        agent => 'FMLE/3.0 (compatible; Lavf59.27.100)', short => 1,
        tids => [2, 3, 4, 5], csid => 8,
    },

    librtmp => {
        agent => 'FMLE/3.0 (compatible; FMSc/1.0)', short => 1, joined => 1,
        tids => [2, 3, 4, 5], csid => 4, chunk => 4096, one_csid => 4,
    },

    fmle => {
        agent => 'FMLE/3.0 (compatible; FMSc/1.0)', digest => 1,
        tids => [2, 3, 4, 5], csid => 8, fcpublish => 1,
    },

    gstreamer => {
        agent => 'FMLE/3.0 (compatible; GStreamer/1.22)', winack => 2500000,
        tids => [0, 0, 2, 0], csid => 3, late_chunk => 128,
    },
);

# Connects, and goes on until the server says yes or no.  Returns the client in
# any case but that of a refused connection; {code} is the answer, {description}
# what goes with it, {error} says why there is none.
#
# Options: client (ffmpeg), tcurl, host (of tcUrl), connect (more properties, a
# list), type of publish, early (media to send right behind publish), no_wait
# (returns when publish was written), amf3, timeout; those of rtmp_client().

sub rtmp_publish {
    my ($addr, $app, $stream, %opt) = @_;

    my $c = rtmp_start($addr, $app, %opt) or return undef;
    return $c if $c->{error};

    return $c->publish($stream, %opt);
}

sub rtmp_play {
    my ($addr, $app, $stream, %opt) = @_;

    my $c = rtmp_start($addr, $app, %opt) or return undef;
    return $c if $c->{error};

    return $c->play($stream, %opt);
}

sub rtmp_start {
    my ($addr, $app, %opt) = @_;
    my ($c, $how, $client, $connect);

    $client = $clients{$opt{client} || 'ffmpeg'};

    $c = rtmp_client($addr, map { $_ => $opt{$_} }
        grep { defined $opt{$_} } qw/ ssl sni preamble timeout /)
        or return undef;

    $c->{client} = $client;
    $c->{one_csid} = $client->{one_csid};
    $c->{msid} = 1;
    $c->{code} = $c->{description} = '';

    $connect = $c->connect_message($app, %opt);

    $c->handshake(digest => defined $opt{digest} ? $opt{digest}
        : $client->{digest}, extra => $client->{joined} ? $connect : undef)
        or return $c;

    $c->write_raw($connect) unless $client->{joined};

    $c->answer('_result|_error', 1, 'no answer to connect');

    return $c;
}

sub connect_message {
    my ($self, $app, %opt) = @_;
    my ($host, %m);

    $host = defined $opt{host} ? $opt{host}
        : ($self->{host} =~ /:/ ? "[$self->{host}]" : $self->{host})
            . ":$self->{port}";

    %m = (csid => 3, $opt{amf3} ? (type => COMMAND3) : ());

    return $self->command('connect', 1, amf_obj(
        app      => amf_str($app),
        type     => amf_str('nonprivate'),
        flashVer => amf_str($opt{agent} || $self->{client}{agent}),
        tcUrl    => amf_str(defined $opt{tcurl} ? $opt{tcurl}
            : ($opt{ssl} ? 'rtmps' : 'rtmp') . "://$host/$app"),
        $opt{amf3} ? (objectEncoding => amf_num(3)) : (),
        @{$opt{connect} || []},
    ), \{ %m });
}

# Waits for an answer, and keeps what it says.

sub answer {
    my ($self, $name, $tid, $error) = @_;
    my ($m, $info);

    $m = $self->read_command($name, defined $tid ? (tid => $tid) : ());
    return $self->fail($error) unless defined $m;

    ($info) = grep { ref($_) eq 'HASH' && defined $_->{code} }
        reverse @{$m->{args}};

    $self->{answer} = $m;
    $self->{info} = $info;
    $self->{code} = $info ? $info->{code} : '';
    $self->{description} = $info && defined $info->{description}
        ? $info->{description} : '';

    $self->{error} = "$m->{name} $self->{code}" if $m->{name} eq '_error';

    return $m;
}

sub publish {
    my ($self, $stream, %opt) = @_;
    my ($client, @tids, @common, $bytes, $m);

    $client = $self->{client};
    @tids = @{$client->{tids}};
    @common = (csid => 3, fmt => $client->{short} ? 1 : 0,
        $opt{amf3} ? (type => COMMAND3) : ());

    $bytes = '';
    $bytes .= $self->message(type => CHUNK_SIZE, csid => 2, payload =>
        pack('N', $client->{chunk})) if $client->{chunk};
    $bytes .= $self->message(type => WIN_ACK, csid => 2, payload =>
        pack('N', $client->{winack})) if $client->{winack};

    $bytes .= $self->command('releaseStream', $tids[0], undef,
        amf_str($stream), \{ @common });
    $bytes .= $self->command('FCPublish', $tids[1], undef, amf_str($stream),
        \{ @common });
    $bytes .= $self->command('createStream', $tids[2], undef, \{ @common });

    $self->write_raw($bytes);

    $self->answer('_result|_error', $tids[2], 'no answer to createStream')
        or return $self;
    return $self if $self->{error};

    $self->{msid} = $self->{answer}{args}[1];

    $bytes = $self->command('publish', $tids[3], undef, amf_str($stream),
        amf_str($opt{type} || 'live'), \{ @common, csid => $client->{csid},
            fmt => 0, msid => $self->{msid} });
    $bytes .= $self->media_bytes(@{$opt{early}}) if $opt{early};

    $self->write_raw($bytes);

    return $self if $opt{no_wait};

    return $self->status($client->{late_chunk});
}

sub status {
    my ($self, $late_chunk) = @_;

    $self->answer('onStatus|_error', undef, 'no status') or return $self;

    $self->send_message(type => CHUNK_SIZE, csid => 2,
        payload => pack('N', $late_chunk))
        if $late_chunk && $self->{code} eq 'NetStream.Publish.Start';

    return $self;
}

# of a player: what follows the reset

sub play_status {
    my ($self) = @_;

    do {
        $self->status();
    } while $self->{code} eq 'NetStream.Play.Reset';

    return $self->{code};
}

sub play {
    my ($self, $stream, %opt) = @_;
    my ($librtmp, $bytes);

    $librtmp = ($opt{client} || '') eq 'librtmp';

    $bytes = $self->message(type => WIN_ACK, csid => 2,
        payload => pack('N', 2500000));
    $bytes .= $self->message(type => USER, csid => 2, fmt => $librtmp ? 1 : 0,
        payload => pack('nNN', 3, 0, 300)) if $librtmp;
    $bytes .= $self->command('createStream', 2, undef,
        \{ csid => 3, fmt => $librtmp ? 1 : 0 });
    $bytes .= $self->command('FCSubscribe', 3, undef, amf_str($stream),
        \{ csid => 3, fmt => 1 }) if $librtmp;

    $self->write_raw($bytes);

    $self->answer('_result|_error', 2, 'no answer to createStream')
        or return $self;
    return $self if $self->{error};

    $self->{msid} = $self->{answer}{args}[1];

    $bytes = '';
    $bytes .= $self->command('getStreamLength', 3, undef, amf_str($stream),
        \{ csid => 8 }) unless $librtmp;
    $bytes .= $self->command('play', 4, undef, amf_str($stream), -2000,
        \{ csid => 8, msid => $self->{msid} });
    $bytes .= $self->message(type => USER, csid => 2, fmt => $librtmp ? 3 : 1,
        payload => pack('nNN', 3, $self->{msid}, 3000));

    $self->write_raw($bytes);

    return $self if $opt{no_wait};

    # of two answers the second one tells
    do {
        $self->status();
    } while $self->{code} eq 'NetStream.Play.Reset';

    return $self;
}

# The end of an encoder: all in one go, then the close.

sub unpublish {
    my ($self, $stream) = @_;

    $self->write_raw(
        $self->command('FCUnpublish', 6, undef, amf_str($stream),
            \{ csid => 3 })
        . $self->command('deleteStream', 7, undef, amf_num($self->{msid}),
            \{ csid => 3, fmt => 1 }));

    return $self->close();
}


###############################################################################
# helpers
###############################################################################

sub rtmp_origin {
    require Test::Nginx::RTMP::Origin;

    return Test::Nginx::RTMP::Origin->start(@_);
}

# Skips the test without nginx-rtmp, with either library.

sub need_rtmp_module {
    my ($t) = @_;

    return $t if $t->has_module('rtmp');

    Test::More::plan(skip_all => 'no nginx-rtmp available');
}

# What a regex catches in a file of the test, once it is there.

sub wait_log {
    my ($t, $file, $re, $timeout) = @_;
    my $text;

    wait_until(sub {
        return 0 unless -e $t->testdir() . "/$file";

        ($text) = $t->read_file($file) =~ $re;
        return defined $text;
    }, $timeout);

    return defined $text ? $text : 'none';
}

# Until the code returns something true, which is then returned.

sub wait_until {
    my ($code, $timeout) = @_;
    my ($end, $rc);

    $end = time() + ($timeout || 20);

    while (!($rc = $code->()) && time() < $end) {
        sleep(0.02);
    }

    return $rc;
}


1;
