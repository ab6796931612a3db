package Test::Nginx::Chaos;

# Copyright (C) The nginx-osp authors

# The clients of Test::Nginx::Chaos.

use strict;
use warnings;

use Errno qw/ EAGAIN EINTR /;
use JSON::PP;
use List::Util qw/ max /;
use Test::Nginx qw/ port /;
use Test::Nginx::HLS;
use Test::Nginx::RTMP;
use Time::HiRes qw/ sleep time /;


my $json = JSON::PP->new()->canonical(1)->latin1(1);


# Forks a process that does something each step seconds, and leaves a report of
# it.  The code gets the report, and whether it is the last time.

sub load {
    my ($self, $name, $step, $code) = @_;
    my ($file, $pid);

    die "there is a $name\n" if $self->{load}{$name};

    $file = "$self->{dir}/load-$name.json";
    unlink($file);

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        my ($parent, $stop, $report, $next) = (getppid(), 0, {});

        $SIG{$_} = 'DEFAULT' for qw/ INT HUP ALRM /;
        $SIG{TERM} = sub { $stop = 1 };
        $SIG{PIPE} = 'IGNORE';

        srand($$);
        $next = 0;

        while (getppid() == $parent) {
            my $last = $stop;

            eval { $code->($report, $last); 1 } or $report->{died} = "$@";

            if ($last || time() >= $next) {
                save($file, { %$report, at => time() });
                $next = time() + 0.2;
            }

            last if $last;
            sleep($step) unless $stop;
        }

        POSIX::_exit(0);
    }

    push @{$self->{t}{_daemons}}, $pid;

    $self->{load}{$name} = { pid => $pid, name => $name, file => $file };

    return $self;
}

sub save {
    my ($file, $report) = @_;

    open(my $fh, '>', "$file.new") or return;
    print $fh $json->encode($report);
    close($fh);
    rename("$file.new", $file);
}

sub report {
    my ($self, $name) = @_;
    my $load = ref($name) ? $name : $self->{load}{$name};

    open(my $fh, '<', $load->{file}) or return {};
    local $/;

    return eval { $json->decode(<$fh>) } || {};
}

# The sum of a figure over all sessions that were.

sub ended {
    my ($self, $field) = @_;
    my $sum = 0;

    for my $report (values %{$self->{ended}}) {
        $sum += $_->{$field} || 0 for values %{$report->{sessions} || {}};
    }

    return $sum;
}

# Ends all load, or what is named, each in its own way.

sub stop {
    my ($self, @names) = @_;
    my ($daemons, @loads);

    @loads = map { delete $self->{load}{$_} } @names ? @names
        : keys %{$self->{load}};

    $daemons = $self->{t}{_daemons};

    kill('TERM', map { $_->{pid} } @loads) if @loads;

    for my $load (@loads) {
        @$daemons = grep { $_ != $load->{pid} } @$daemons;
        Test::Nginx::stop_process($load->{pid}, ['TERM', 15]);

        $self->{ended}{$load->{name}} = $self->report($load);
    }

    return $self;
}

# One of them hangs, and is not expected to be at work; it vanishes later.

sub hang {
    my ($self, $name) = @_;

    $self->{hung}{$name} = delete $self->{load}{$name};
    kill('STOP', $self->{hung}{$name}{pid});
}

sub vanish {
    my ($self, $name) = @_;
    my $pid = delete($self->{hung}{$name})->{pid};
    my $daemons = $self->{t}{_daemons};

    kill('KILL', $pid);
    waitpid($pid, 0);
    @$daemons = grep { $_ != $pid } @$daemons;

    return undef;
}

sub crew {
    my ($self, $name, %opt) = @_;
    my @sessions;

    for my $op (qw/ publish play /) {
        for my $what (@{$opt{$op} || []}) {
            my ($app, $stream) = split(m!/!, $what, 2);

            push @sessions, {
                op => $op, app => $app, stream => $stream, again => 0,
                name => "$op $what", once => $opt{once}, out => '',
                addr => $opt{addr} || port($opt{port} || $self->{rtmp}),
                rate => $opt{rate} || 2, turn => $opt{turn},
                patience => $opt{patience},
            };
        }
    }

    return $self->load($name, 0.08, sub {
        my ($report, $last) = @_;

        for my $s (@sessions) {
            $s->{report} ||= $report->{sessions}{$s->{name}} ||= {
                holes => [],
                map { $_ => 0 } qw/ opened refused lost frames gaps back up
                    moved /,
            };

            $last ? session_end($s) : session_step($s);
        }
    });
}

sub session_step {
    my ($s) = @_;
    my ($r, $c) = @$s{qw/ report c /};

    if (!$c) {
        return if time() < $s->{again} || ($s->{once} && $r->{opened});
        $c = session_open($s) or return;
    }

    make_frames($s) if $s->{op} eq 'publish';
    write_some($s);

    # acknowledgements and the like, or media

    1 while length($c->{buf}) < 1000000 && $c->fill(length($c->{buf}) + 1, 0);

    while (defined(my $m = $c->parse_chunk())) {
        frame($s, $m) if $m->{type} == 9 && $s->{op} eq 'play';
        $s->{out} .= $c->message(type => 4, csid => 2, payload => "\0\x07$1")
            if $m->{type} == 4 && $m->{payload} =~ /^\0\x06(.{4})/s;
        $r->{status} = $m->{args}[-1]{code} if ($m->{name} || '') eq 'onStatus'
            && ref($m->{args}[-1]) eq 'HASH';
    }

    session_lost($s, $c->{error} || $c->{eof}) if $c->{eof} || $c->{error};

    session_end($s) if $s->{turn} && $s->{c} && time() > $r->{since}
        + $s->{turn};

    # nginx-rtmp lets players wait for a publisher who has gone elsewhere

    session_end($s) if $s->{patience} && $s->{c} && $s->{op} eq 'play'
        && time() > max($r->{since}, $r->{moved}) + $s->{patience};
}

sub session_open {
    my ($s) = @_;
    my ($r, $c, $want, $begun) = ($s->{report});

    $begun = time();
    $want = $s->{op} eq 'publish' ? 'NetStream.Publish.Start'
        : 'NetStream.Play.Start';

    $c = $s->{op} eq 'publish' ? rtmp_publish(@$s{qw/ addr app stream /})
        : rtmp_play(@$s{qw/ addr app stream /});

    if (!$c || ($c->{code} || '') ne $want) {
        $r->{refused}++;
        $r->{why} = !$c ? 'connect' : $c->{code} || $c->{error} || 'none';
        $s->{again} = time() + 0.1 + rand(0.2);
        $c->close() if $c;
        return undef;
    }

    $s->{c} = $c;
    $s->{out} = '';
    $s->{number} = 0;
    $s->{last}{reopened} = 1;
    $s->{id} = int(rand(0xffffffff));

    $r->{opened}++;
    $r->{up} = 1;
    $r->{since} = time();
    $r->{setup} = time() - $begun;

    $s->{out} .= $c->media_bytes(media_messages(0))
        if $s->{op} eq 'publish';

    return $c;
}

sub session_lost {
    my ($s, $why) = @_;
    my $r = $s->{report};

    $r->{lost}++;
    $r->{up} = 0;
    $r->{why} = $why . ($r->{status} ? " $r->{status}" : '');
    $r->{lost_at} = time();

    (delete $s->{c})->close();
    $s->{again} = time() + rand(0.2);
}

sub session_end {
    my ($s) = @_;
    my $c = delete $s->{c} or return;

    $s->{op} eq 'publish' ? $c->unpublish($s->{stream}) : $c->close();
    $s->{report}{up} = 0;
}

# One that takes none loses frames, as an encoder does it.

sub make_frames {
    my ($s) = @_;
    my ($c, $r) = @$s{qw/ c report /};

    for (1 .. $s->{rate}) {
        last if length($s->{out}) > 200000;

        my $n = $s->{number}++;
        $r->{frames}++;
        $s->{out} .= $c->media_bytes([9, $n * 40, ($n % 10 ? "\x27" : "\x17")
            . "\x01\x00\x00\x00" . pack('NN', $s->{id}, $n)
            . 'x' x (200 + $n % 7 * 100)]);
    }
}

sub write_some {
    my ($s) = @_;
    my ($c, $n) = ($s->{c});

    return if $s->{out} eq '';

    $n = syswrite($c->{socket}, $s->{out});

    if (defined $n) {
        substr($s->{out}, 0, $n, '');
        $s->{report}{moved} = time() if $n > 0 && $s->{op} eq 'publish';

    } elsif ($! != EAGAIN && $! != EINTR) {
        $c->{error} = "$!";
    }
}

# What is missing of a broadcast, or comes twice.  Holes have a beginning and an
# end, as the player sees them, and how many frames are missing; what was sent
# while the player had no session is one, too, but not counted in gaps.

sub frame {
    my ($s, $m) = @_;
    my ($r, $last, $id, $n) = @$s{qw/ report last /};

    return if length($m->{payload}) < 13
        || substr($m->{payload}, 1, 1) ne "\x01";

    ($id, $n) = unpack('x5 NN', $m->{payload});

    $r->{frames}++;
    $r->{moved} = time();

    if (!defined $last->{id} || $last->{id} != $id) {
        $r->{broadcasts}++;

    } elsif ($n > $last->{n} + 1) {
        $r->{gaps}++ unless $last->{reopened};
        $r->{missing} += $n - $last->{n} - 1;
        push @{$r->{holes}}, [$last->{at}, time(), $n - $last->{n} - 1]
            if @{$r->{holes}} < 1000;

    } elsif ($n <= $last->{n}) {
        $r->{back}++ unless $last->{reopened};
    }

    @$last{qw/ id n reopened at /} = ($id, $n, 0, time());
}

# Each of them asks for a playlist, then for the last segment of it.

sub viewers {
    my ($self, $name, %opt) = @_;
    my (@all, $port);

    $port = port($opt{port} || $self->{http});
    @all = map { my $uri = $_; map { { uri => $uri } } 1 .. $opt{count} || 1 }
        @{$opt{uris}};

    return $self->load($name, $opt{every} || 0.3, sub {
        my ($r, $last) = @_;
        my (@answers, @segments);

        $r->{$_} ||= 0 for qw/ requests good failed cut wrong moved up /;
        return if $last;

        @answers = hls_gets(map { {
            uri => $_->{uri}, port => $port, timeout => 15,
        } } @all);

        for my $answer (@answers) {
            my $p = count_answer($r, $answer) && hls_parse($answer->{body});

            push @segments, $answer->{uri} =~ s![^/]*$!!r
                . $p->{segments}[-1]{uri} if $p && @{$p->{segments}};
        }

        @answers = hls_gets(map { {
            uri => $_, port => $port, timeout => 15,
        } } @segments);

        for my $answer (@answers) {
            next unless count_answer($r, $answer);

            if (right_segment($answer->{uri}) ne $answer->{body}) {
                $r->{wrong}++;
                $r->{what} = "$answer->{uri} has other bytes";
            }
        }

        $r->{up} = @answers == @all && !grep { $_->{status} != 200 } @answers;
        $r->{moved} = time() if $r->{up};
    });
}

sub count_answer {
    my ($r, $answer) = @_;

    $r->{requests}++;

    $r->{statuses}{$answer->{status}}++;

    if ($answer->{status} == 200 && $answer->{complete}) {
        $r->{good}++;
        return 1;
    }

    # cut: the connection went, with its worker

    my $how = $answer->{status} == 200 || !$answer->{status} ? 'cut'
        : 'failed';

    $r->{$how}++;
    $r->{"what_$how"} = sprintf('%.2f %s: %s %s', time(), $answer->{uri},
        $answer->{status}, $answer->{error} || '-');

    return 0;
}

sub right_segment {
    my ($uri) = @_;

    return $uri =~ m!/([^/]+)/(\d+)\.ts! ? hls_segment($1, '', 0, $2) : '';
}

# Lists of everything, all the time.

sub api_reader {
    my ($self, $name, @paths) = @_;
    my $port = port($self->{http});

    return $self->load($name, 0.1, sub {
        my ($r, $last) = @_;

        $r->{$_} ||= 0 for qw/ requests good failed cut /;
        return if $last;

        count_answer($r, $_) for hls_gets(map { { port => $port,
            uri => "/api/1/$_", timeout => 15 } } @paths);

        $r->{up} = 1;
        $r->{moved} = time();
    });
}

sub beats {
    my ($self, $name, %opt) = @_;
    my ($port, $n, $due) = (port($self->{http}), 0);
    my $servers = $opt{servers} || 10;

    return $self->load($name, 0.1, sub {
        my ($r, $last) = @_;
        my @requests;

        $r->{$_} ||= 0 for qw/ requests good failed cut /;
        return if $last;

        $due ||= time();

        while ($due < time()) {
            my $i = $n++ % $servers;
            my $body = $json->encode({ server => "s$i", service => 's',
                pid => 'p', ip => '10.0.' . ($i >> 8) . '.' . ($i & 255),
                rtmp => ['1935'], streams => ["live/of-$i"] });

            push @requests, { port => $port, uri => '/register',
                timeout => 15, raw => join("\x0d\x0a",
                    'POST /api/v1/srs/register?route=fleet HTTP/1.1',
                    'Host: localhost', 'Connection: close',
                    'Content-Length: ' . length($body), '', $body) };

            $due += 1 / ($opt{rate} || 10);
            $due = time() if @requests > 200;
        }

        count_answer($r, $_) for hls_gets(@requests);

        $r->{up} = 1;
        $r->{moved} = time();
    });
}


1;
