package Test::Nginx::Chaos;

# Copyright (C) The nginx-osp authors

# Storms for the tests: clients that go on whatever happens, things that
# happen at random, and what has to hold afterwards.
#
#     my $chaos = chaos($t);
#     $chaos->crew('one', publish => ['live/cam1'], play => ['live/cam1']);
#     $chaos->viewers('hls', uris => ['/live/cam1/index.m3u8']);
#     is($chaos->settled(), '', 'all at work');
#     $chaos->storm([3 => 'kill a worker', sub { $chaos->kill_worker() }], ...);
#     is($chaos->settled(), '', 'all at work again');
#     $chaos->stop();
#     is($chaos->quiet('live'), '', 'nothing is left');
#     is($chaos->logged(), '', 'log');
#
# What happens, and after which pauses, follows from a number that is printed;
# TEST_NGINX_SEED sets it.  TEST_NGINX_STORM is how many seconds a storm takes.
#
# Options of chaos(): rtmp, http, the numbers of the proxy's ports, 8081 and
# 8080; seconds, how long a storm is by default, 8; sample, code that is called
# every so many seconds of a storm.
#
# A crew is a process with any number of sessions: publish and play are lists
# of APP/STREAM.  Each is opened again once it is closed, unless once => 1 is
# given; turn => SECONDS closes it now and then; patience => SECONDS is how long
# players wait for media; addr is another address than that of the proxy.
# Publishers number their frames, so that players see what is missing.
# viewers() fetch playlists and the newest segments of them, count (1) for each
# of the URIs, and look at the bytes of segments; api_reader() lists all the
# time; beats() sends registrations, rate (10) a second, of servers (10) of them
# to the route "fleet".  Reports are in report(NAME), after stop() in {ended}.

use strict;
use warnings;

use Exporter qw/ import /;
use JSON::PP;
use Scalar::Util qw/ weaken /;
use Test::More qw//;
use Test::Nginx qw/ port /;
use Test::Nginx::Chaos::Load;
use Test::Nginx::HLS;
use Test::Nginx::Media;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::State qw/ kill_all /;
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/ chaos chaos_conf chaos_origin chaos_hls alone /;

my $json = JSON::PP->new()->canonical(1)->latin1(1);

my %storms;

END {
    $_->tell() for grep { defined } values %storms;
}


###############################################################################
# set-up
###############################################################################

sub chaos {
    my ($t, %opt) = @_;
    my $self;

    $self = bless {
        t       => $t,
        rtmp    => 8081,
        http    => 8080,
        seed    => $ENV{TEST_NGINX_SEED} || int(rand(1000000)) + 1,
        seconds => $ENV{TEST_NGINX_STORM} || 8,
        every   => 1,
        dir     => $t->testdir(),
        load    => {},
        later   => [],
        done    => [],
        owner   => $$,
        allowed => $Test::Nginx::killed,
        %opt,
    };

    weaken($self->{t});

    $self->{random} = $self->{seed};
    $self->{begun} = time();

    # forked processes have the same ports
    port($_) for @$self{qw/ rtmp http /};

    $t->{_ignore_alerts} = $self->{allowed};

    Test::More::note("TEST_NGINX_SEED=$self->{seed}");

    $storms{$self} = $self;
    weaken($storms{$self});

    return $self;
}

# What is needed to run a failure again.

sub tell {
    my ($self) = @_;

    return if $self->{owner} != $$ || $self->{told}++
        || Test::More->builder()->is_passing();

    local ($@, $!, $?);

    Test::More::diag("TEST_NGINX_SEED=$self->{seed}");
    Test::More::diag("  $_") for @{$self->{done}};
}

# Runs the test once more in namespaces of its own, of the network (net) or of
# mounts (mount), where only its own processes are.  Skips it where that cannot
# be done; it needs root.

sub alone {
    my ($t, %opt) = @_;
    my (@args, $what);

    return $t if $ENV{TEST_NGINX_ALONE};

    @args = map { { net => '-n', mount => '-m' }->{$_} } sort keys %opt;
    $what = join(' and ', map { "$_ namespace" } sort keys %opt);

    Test::More::plan(skip_all => "no $what: not root") if $> != 0;
    Test::More::plan(skip_all => "no $what: no unshare")
        unless has_program('unshare');
    Test::More::plan(skip_all => "no $what: unshare fails")
        unless system("unshare @args true 2>/dev/null") == 0;

    for my $try (map { @{$opt{$_}} } sort keys %opt) {
        Test::More::plan(skip_all => "no $what: \"$try\" fails") unless
            system("unshare @args sh -c '$try' >/dev/null 2>&1") == 0;
    }

    $ENV{TEST_NGINX_ALONE} = 1;
    $t->{_finished} = 1;
    File::Path::rmtree($t->testdir());

    exec('unshare', @args, 'sh', '-c',
        ($opt{net} ? 'ip link set lo up && ' : '') . 'exec "$@"', 'sh', $^X,
        (map { "-I$_" } grep { !ref($_) } @INC), $0)
        or die "Can't run unshare: $!\n";
}

# The configuration of most storms: a route of servers on ports 8090 and 8092,
# with HTTP on 8091 and 8093, and one of servers that register.  Options:
# workers (3), daemon (off), and lines of main, route, fleet, stream, http.

sub chaos_conf {
    my ($t, %opt) = @_;
    my ($workers, $daemon, $text);

    $opt{$_} = '' for grep { !defined $opt{$_} } qw/ main fleet stream http /;
    $workers = $opt{workers} || 3;
    $daemon = $opt{daemon} || 'off';

    $opt{route} = <<'EOF_CONF' unless defined $opt{route};
    server    127.0.0.1:8090 http=%%PORT_8091%% fail_timeout=1s;
    server    127.0.0.1:8092 http=%%PORT_8093%% fail_timeout=1s;
EOF_CONF

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon $daemon;
worker_processes $workers;
$opt{main}

events {
    worker_connections  2048;
}

rtmp_route live {
    zone      live 1m;
$opt{route}
}

rtmp_route fleet {
    zone      fleet 4m;
    register  open timeout=10s allow=10.0.0.0/8;
$opt{fleet}
}

stream {
    %%TEST_GLOBALS_STREAM%%

    osp_upstream_connect_timeout  1s;
    $opt{stream}

    server {
        listen        127.0.0.1:8081;
        osp_upstream  live;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    access_log      off;
    hls_cache_zone  hls 16m;
    $opt{http}

    upstream origin {
        rtmp_route  live http;
        keepalive   8;
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            hls_cache              hls;
            rtmp_route             live;
            proxy_pass             http://origin;
            proxy_connect_timeout  1s;
            proxy_read_timeout     2s;
        }

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}
EOF_CONF

    # a storm fills the disk otherwise

    $text = $t->read_file('nginx.conf');
    $text =~ s/(error\.log) debug;/$1 info;/;
    $t->write_file('nginx.conf', $text);
}

# An origin for RTMP, one process of nginx-rtmp, that can be killed and started
# again.  Streams are relayed as they come; whose end was lost with its packets
# is noticed soon.  Options: host, 127.0.0.1.

sub chaos_origin {
    my ($t, $num, %opt) = @_;
    my ($self, $host, $port);

    $host = $opt{host} || '127.0.0.1';
    $port = port($num);

    $self = bless {
        t    => $t,
        name => "origin$num-$host",
        addr => "$host:$port",
        conf => <<"EOF_CONF",

master_process off;

rtmp {
    access_log off;

    server {
        listen       $host:$port;
        ping         5s;
        ping_timeout 20s;

        application live {
            live     on;
            wait_key off;
        }

        application stream {
            live     on;
            wait_key off;
        }
    }
}

EOF_CONF
    }, 'Test::Nginx::Chaos::Origin';

    weaken($self->{t});

    return $self->start();
}

# An origin for HLS, with streams of half a second a segment, which takes as
# much as that to be read; what is in a segment follows from its name.  They
# begin anew with it.  Options: host, 127.0.0.1.

sub chaos_hls {
    my ($t, $num, $streams, %opt) = @_;
    my $host = $opt{host} || '127.0.0.1';

    return bless({ t => $t, name => "hls$num-$host", port => port($num),
        host => $host, streams => $streams }, 'Test::Nginx::Chaos::HLS')
        ->start();
}



###############################################################################
# storms
###############################################################################

# The same numbers for the same seed, whatever else asks for random ones.

sub random {
    my ($self, $n) = @_;

    $self->{random} = ($self->{random} * 1103515245 + 12345) % 0x80000000;

    return int(($self->{random} >> 8) * $n / 0x800000);
}

sub one_of {
    my ($self, @list) = @_;

    return @list ? $list[$self->random(scalar @list)] : undef;
}

# A list of [weight, name, code].

sub storm {
    my ($self, @actions) = @_;
    my ($end, $sum);

    $sum = 0;
    $sum += $_->[0] for @actions;

    $end = time() + $self->{seconds};

    while (time() < $end) {
        my $n = $self->random($sum);

        for my $action (@actions) {
            next if ($n -= $action->[0]) >= 0;
            $self->act(@$action[1, 2]);
            last;
        }

        $self->pass(0.05 + $self->random(400) / 1000);
    }

    # all that was to be undone

    $self->pass(0) while @{$self->{later}};

    return $self;
}

sub act {
    my ($self, $name, $code) = @_;

    my $what = $code->();

    push @{$self->{done}}, sprintf('%.2f %s %s', time() - $self->{begun},
        $name, defined $what ? $what : '');
}

# Does something so many seconds later, within the storm.

sub later {
    my ($self, $seconds, $name, $code) = @_;

    push @{$self->{later}}, [time() + $seconds, $name, $code];

    return undef;
}

sub pass {
    my ($self, $seconds) = @_;
    my $end = time() + $seconds;

    do {
        my @due = grep { $_->[0] <= time() } @{$self->{later}};

        @{$self->{later}} = grep { $_->[0] > time() } @{$self->{later}}
            if @due;

        # two may be due at the same moment
        my %due = map { $_ => 1 } @due;
        @{$self->{later}} = grep { !$due{$_} } @{$self->{later}};

        $self->act(@$_[1, 2]) for @due;

        if ($self->{sample} && time() >= ($self->{sampled} || 0)) {
            $self->{sampled} = time() + $self->{every};
            $self->{sample}->();
        }

        sleep(0.02);
    } while (time() < $end || ($seconds == 0 && @{$self->{later}}));
}

sub workers {
    my ($self) = @_;

    my @pids = sort { $a <=> $b } grep { is_worker($_) }
        hls_children($self->{t}{_master});

    return @pids;
}

# a new master is no worker

sub is_worker {
    my ($pid) = @_;

    open(my $fh, '<', "/proc/$pid/cmdline") or return 0;

    return (<$fh> || '') =~ /worker process/;
}

# Until there are so many, and no others.

sub same_workers {
    my ($self, $n, $timeout) = @_;

    return wait_until(sub { $self->workers() == $n }, $timeout || 10);
}

sub kill_worker {
    my ($self) = @_;
    my $pid = $self->one_of($self->workers());

    kill('KILL', $pid) if $pid;

    return $pid;
}

sub kill_workers {
    my ($self) = @_;
    my @pids = $self->workers();

    kill('KILL', @pids) if @pids;

    return "@pids";
}

sub stop_worker {
    my ($self) = @_;
    my $pid = $self->one_of($self->workers()) or return;

    kill('STOP', $pid);

    $self->later(0.1 + $self->random(700) / 1000, "continue $pid", sub {
        kill('CONT', $pid);
        return undef;
    });

    return $pid;
}

# The master and all workers, whose sockets are free then.

sub kill_nginx {
    my ($self) = @_;
    my @pids = $self->workers();

    kill_all($self->{t});

    wait_until(sub { !grep { readlink("/proc/$_/exe") } @pids }, 10);

    return undef;
}

# Once more, with what it says of broken files in its log alone.

sub start {
    my ($self) = @_;

    open(my $stderr, '>&', \*STDERR) or die "Can't dup: $!\n";
    open(STDERR, '>', '/dev/null') or die "Can't open /dev/null: $!\n";

    eval { $self->{t}->run(); 1 } or $self->{failed} = $@;

    open(STDERR, '>&', $stderr) or die "Can't dup: $!\n";

    die $self->{failed} if $self->{failed};

    return undef;
}

sub reload {
    my ($self) = @_;

    $self->{t}->reload();

    return undef;
}

# An origin is gone for a while, or hangs.

sub kill_origin {
    my ($self, $o) = @_;

    return "$o->{name}: is away" if $o->{away}++;

    $o->kill();

    $self->later(0.1 + $self->random(1000) / 1000, "start $o->{name}", sub {
        delete $o->{away};
        $o->start();
        return undef;
    });

    return $o->{name};
}

sub stop_origin {
    my ($self, $o) = @_;

    return "$o->{name}: is away" if $o->{away}++;

    $o->signal('STOP');

    $self->later(0.1 + $self->random(2500) / 1000, "continue $o->{name}", sub {
        delete $o->{away};
        $o->signal('CONT');
        return undef;
    });

    return $o->{name};
}


###############################################################################
# what has to hold
###############################################################################

# Empty once everyone is at work: sessions are up and media moves, requests
# are answered; otherwise who is not, after so many seconds.

sub settled {
    my ($self, $timeout) = @_;
    my ($since, @not) = (time());

    wait_until(sub {
        @not = ();

        for my $name (sort keys %{$self->{load}}) {
            my $report = $self->report($name);

            push @not, "$name died: $report->{died}" if $report->{died};

            if (!$report->{sessions}) {
                push @not, "$name: " . ($report->{what_failed}
                    || $report->{what_cut} || 'no answers')
                    unless $report->{up} && $report->{moved} > $since;
                next;
            }

            for my $s (sort keys %{$report->{sessions}}) {
                my $r = $report->{sessions}{$s};

                push @not, "$s: " . ($r->{up} ? 'no media' : $r->{why}
                    || 'not opened') unless $r->{up} && $r->{moved} > $since;
            }
        }

        return !@not;
    }, $timeout || 15);

    return join("\n", @not);
}

# "8 publishers, 8 players" as the table of a route has them in its sessions,
# in those of its streams, and in the counters of its servers; or how these
# differ.  Waits until it is as wanted.

sub counted {
    my ($self, $route, $want, $timeout) = @_;
    my $text;

    wait_until(sub {
        ($text = $self->count($route)) eq $want;
    }, $timeout || 10);

    return $text;
}

sub count {
    my ($self, $route) = @_;
    my (@servers, $streams, %n, $check);

    %n = map { $_ => 0 } qw/ publish play publishers players conns setup /;

    for my $s (sessions($route)) {
        $n{$s->{type}}++;
        $n{setup}++ if $s->{state} ne 'relay';
    }

    $streams = api('GET', "$route/streams/") || {};

    for my $s (values %$streams) {
        $n{$_} += $s->{$_} for qw/ publishers players /;
    }

    $n{conns} += $_->{conns} for servers($route);
    $check = $self->check("routes/$route");

    return "fault: $check->{fault}" if $check->{fault};

    return "$n{publish} publishers, $n{play} players"
        . ($n{setup} ? ", $n{setup} not set up" : '')
        . ($n{publishers} != $n{publish} || $n{players} != $n{play}
            ? ", $n{publishers} and $n{players} in streams" : '')
        . ($n{conns} != $n{publish} + $n{play}
            ? ", $n{conns} of servers" : '')
        . (($check->{sessions} // -1) != $n{publish} + $n{play}
            ? ', ' . ($check->{sessions} // 'none') . ' in all' : '');
}

sub check {
    my ($self, $what) = @_;
    my $reply;

    ($reply) = hls_get("/api/1/$what/check", port => port($self->{http}),
        timeout => 15);

    return eval { $json->decode($reply->{body}) } || {};
}

# Empty once nothing of the load is left in the table of the route and in the
# cache, if there is one.

sub quiet {
    my ($self, $route, $cache, $timeout) = @_;
    my @left;

    wait_until(sub {
        my ($r, $streams);

        $r = $self->check("routes/$route");

        @left = $r->{consistent} ? () : ('table: ' . ($r->{fault}
            || 'no answer'));
        push @left, map { "table: $r->{$_} $_" } grep { $r->{$_} }
            qw/ sessions conns waiters /;

        push @left, map { "$_->{id}: $_->{conns} conns" }
            grep { $_->{conns} } servers($route);

        $streams = api('GET', "$route/streams/") || {};

        push @left, grep { $streams->{$_}{publishers}
            || $streams->{$_}{players} } sort keys %$streams;

        return !@left unless $cache;

        $r = $self->check("caches/$cache");

        push @left, 'cache: ' . ($r->{fault} || 'no answer')
            unless $r->{consistent};
        push @left, map { "cache: $r->{$_} $_" } grep { $r->{$_} }
            qw/ filling references leaving /;

        return !@left;
    }, $timeout || 10);

    return join("\n", @left);
}

# Cells of the table that belong to no stream: forgets all streams, and sees
# what is left.

sub cells {
    my ($self, $route) = @_;
    my $streams = api('GET', "$route/streams/") || {};

    for my $key (keys %$streams) {
        unpin($route, $key);
    }

    return $self->check("routes/$route")->{cells};
}

# Empty if the cache can be emptied: a stream keeps a page, its register of
# viewers.

sub emptied {
    my ($self, $cache) = @_;
    my $r;

    request('DELETE', "/api/1/caches/$cache/");

    wait_until(sub {
        $r = $self->check("caches/$cache");
        return $r->{consistent} && !$r->{entries} && !$r->{objects}
            && $r->{used} <= 4096 * $r->{streams};
    }) and return '';

    return $json->encode($r);
}

# Lines of the log above "error" that are not to be expected.

sub logged {
    my ($self) = @_;

    return join("\n", grep { $_ !~ $self->{allowed} }
        $self->{t}->read_file('error.log')
            =~ /^.*\[(?:crit|alert|emerg)\].*$/mg);
}

# Open files of a process, its own memory in kilobytes, connections of all
# workers as nginx counts them.

sub fds {
    my ($self, $pid) = @_;

    return scalar(my @list = glob("/proc/$pid/fd/*"));
}

sub memory {
    my ($self, $pid) = @_;

    # AddressSanitizer keeps what is freed
    return 0 if $ENV{ASAN_OPTIONS};

    open(my $fh, '<', "/proc/$pid/status") or return 0;
    local $/;

    return <$fh> =~ /^RssAnon:\s+(\d+)/m ? $1 : 0;
}


package Test::Nginx::Chaos::Origin;

use Test::Nginx::Media;


sub start {
    my ($self) = @_;

    unlink($self->{t}->testdir() . "/$self->{name}.pid");

    nginx_rtmp($self->{t}, @$self{qw/ name conf /})
        or die "Can't start $self->{name}\n";

    $self->{pid} = $self->{t}{_daemons}[-1];

    return $self;
}

sub kill {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    CORE::kill('KILL', $pid);
    waitpid($pid, 0);

    my $daemons = $self->{t}{_daemons};
    @$daemons = grep { $_ != $pid } @$daemons;
}

sub signal {
    my ($self, $signal) = @_;

    CORE::kill($signal, $self->{pid}) if $self->{pid};
}


package Test::Nginx::Chaos::HLS;

use Test::Nginx::HLS;


sub start {
    my ($self) = @_;

    $self->{origin} = hls_origin($self->{t}, $self->{port}, life => 10000,
        host => $self->{host},
        control => $self->{t}->testdir() . "/$self->{name}.sock");
    $self->{origin}->live($_, auto => 1, duration => 0.5, delay => 0.05,
        piece => 4000, pause => 0.05) for @{$self->{streams}};

    return $self;
}

sub kill {
    my ($self) = @_;
    my $pid = $self->{origin}{pid} or return;

    CORE::kill('KILL', $pid);
    waitpid($pid, 0);

    my $daemons = $self->{t}{_daemons};
    @$daemons = grep { $_ != $pid } @$daemons;
}

sub signal {
    my ($self, $signal) = @_;

    $self->{origin}->signal($signal);
}


1;
