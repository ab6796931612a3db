package Test::Nginx::Browser;

# Copyright (C) The nginx-osp authors

# A browser that plays HLS with hls.js, and tells how it went.
#
#     need_browser($t);
#     my $b = browser($t, 'http://127.0.0.1:' . port(8080) . '/cam1.m3u8');
#     $b->wait(sub { $_[0]{time} > 2 });
#     my $before = $b->report();
#     ...
#     is($b->errors($before), '', 'no errors');
#
# Options: cors => 0 (the browser does not look at CORS), config (a hash for
# hls.js), port (of the page, port(8095)), name (of the log).  The page comes
# from another port, so a playlist needs Access-Control-Allow-Origin.
#
# A report has, in seconds since the page was there: at, started (when it began
# to play); time (currentTime), start (where it began), played (how far it
# came), stalls (a list of [at, seconds], those of 0.3 s and more, with the one
# that goes on), longest; errors (a list of at, type, details, fatal, code,
# url, reason), events (counts by name), fragments (a list of the last 50: at,
# sn, cc, url), levels, latency, buffer (seconds ahead), ended, resolution.

use strict;
use warnings;

use Exporter qw/ import /;
use File::Path qw/ rmtree /;
use IO::Select;
use IO::Socket::IP;
use JSON::PP;
use POSIX qw/ WNOHANG /;
use Scalar::Util qw/ weaken /;
use Test::More qw//;
use Test::Nginx ();
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/ need_browser browser /;

my $json = JSON::PP->new()->canonical(1)->latin1(1);

# without those about the network Chromium asks Google's hosts at each start

my @flags = qw/
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --disable-default-apps --disable-extensions --disable-dev-shm-usage
    --disable-background-timer-throttling --disable-renderer-backgrounding
    --disable-backgrounding-occluded-windows --no-default-browser-check
    --autoplay-policy=no-user-gesture-required --mute-audio
    --no-proxy-server --password-store=basic
/;

my %running;

END {
    $_->stop() for grep { defined } values %running;
}


sub chromium {
    for (qw/ chromium chromium-browser google-chrome chrome /) {
        my $path = Test::Nginx::find_binary($_);
        return $path if defined $path;
    }

    return undef;
}

sub flags {
    return @flags;
}

# TEST_NGINX_HLS_JS names hls.js; tools/sources fetches it.

sub hls_js {
    my $dir = __FILE__ =~ s![^/]*$!../../../..!r;
    my ($file) = grep { defined && -s } $ENV{TEST_NGINX_HLS_JS},
        glob("$dir/build/src/hls.js-*/hls.min.js");

    return $file;
}

sub need_browser {
    my ($t) = @_;

    Test::More::plan(skip_all => 'no chromium found')
        unless defined chromium();
    Test::More::plan(skip_all => 'no hls.js found') unless defined hls_js();

    return $t;
}

sub browser {
    my ($t, $url, %opt) = @_;
    my ($self, $listen);

    $self = bless {
        url => $url, config => {}, port => Test::Nginx::port(8095),
        dir => $t->testdir(), name => 'browser', owner => $$, cors => 1, %opt,
    };

    $self->{file} = "$self->{dir}/$self->{name}.json";
    $self->{profile} = "$self->{dir}/$self->{name}.profile";
    unlink($self->{file});

    $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1',
        LocalPort => $self->{port}, Listen => 16, ReuseAddr => 1)
        or die "Can't listen on $self->{port}: $@\n";

    $self->{server} = child(sub { $self->serve($listen) });
    close($listen);

    $self->{pid} = child(sub { $self->run_chromium() });

    $running{$self} = $self;
    weaken($running{$self});

    return $self;
}

sub child {
    my ($code) = @_;
    my $pid = fork();

    die "Can't fork: $!\n" unless defined $pid;
    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM PIPE /;
    setpgrp(0, 0);
    eval { $code->(); 1 } or print STDERR $@;
    POSIX::_exit(127);
}

sub run_chromium {
    my ($self) = @_;

    open(STDIN, '<', '/dev/null');
    open(STDOUT, '>', "$self->{dir}/$self->{name}.log");
    open(STDERR, '>&', \*STDOUT);

    # nothing of it stays behind
    mkdir("$self->{profile}.tmp");
    $ENV{$_} = "$self->{profile}.tmp" for qw/ HOME TMPDIR XDG_RUNTIME_DIR /;
    delete $ENV{DBUS_SESSION_BUS_ADDRESS};

    exec(chromium(), @flags, "--user-data-dir=$self->{profile}",
        $self->{cors} ? () : '--disable-web-security',
        "http://127.0.0.1:$self->{port}/");
}

# The latest report, an empty one in the beginning.

sub report {
    my ($self) = @_;

    open(my $fh, '<', $self->{file}) or return { time => 0, played => 0,
        errors => [], stalls => [], fragments => [], events => {}, at => 0 };
    local $/;

    return $json->decode(<$fh>);
}

# Until the code finds a report good.

sub wait {
    my ($self, $code, $timeout) = @_;
    my ($end, $report);

    $end = time() + ($timeout || 20);

    while (1) {
        $report = $self->report();
        return $report if $code->($report);
        return undef if time() > $end || !$self->is_running();
        sleep(0.1);
    }
}

# Errors since a report as one text for is().

sub errors {
    my ($self, $before) = @_;
    my @errors = @{$self->report()->{errors}};

    @errors = @errors[@{$before->{errors}} .. $#errors] if $before;

    return join("\n", map {
        my $e = $_;
        join(' ', map { "$_ $e->{$_}" } grep { defined $e->{$_} }
            qw/ at type details fatal code url reason /)
    } @errors);
}

# The longest stall since a report.

sub stalled {
    my ($self, $before) = @_;
    my $longest = 0;

    for (@{$self->report()->{stalls}}) {
        my ($at, $length) = @$_;
        next if $before && $at + $length < $before->{at};
        $longest = $length if $length > $longest;
    }

    return $longest;
}

sub is_running {
    my ($self) = @_;

    return 0 unless defined $self->{pid};
    return 1 unless waitpid($self->{pid}, WNOHANG) == $self->{pid};

    delete $self->{pid};
    return 0;
}

sub stop {
    my ($self) = @_;
    my $end;

    return $self if $self->{owner} != $$;

    for my $pid (delete @$self{qw/ pid server /}) {
        next unless defined $pid;

        kill('TERM', -$pid);
        $end = time() + 3;
        sleep(0.02) while waitpid($pid, WNOHANG) == 0 && time() < $end;
        kill('KILL', -$pid);
    }

    delete $running{$self};
    eval { rmtree([$self->{profile}, "$self->{profile}.tmp"]) };

    return $self;
}

sub DESTROY {
    my ($self) = @_;

    local ($@, $!, $?);

    $self->stop();
}


###############################################################################
# the page
###############################################################################

sub serve {
    my ($self, $listen) = @_;
    my ($parent, $select, %in, %answers, $hls);

    $hls = do { local (@ARGV, $/) = hls_js(); <> };
    $parent = getppid();
    $select = IO::Select->new($listen);

    local $SIG{PIPE} = 'IGNORE';

    %answers = ('/' => ['text/html', $self->page()],
        '/hls.min.js' => ['text/javascript', $hls]);

    while (getppid() == $parent) {
        for my $s ($select->can_read(0.5)) {
            if ($s == $listen) {
                my $c = $listen->accept() or next;
                $select->add($c);
                $in{$c} = '';
                next;
            }

            if (!sysread($s, $in{$s}, 65536, length($in{$s}))) {
                $select->remove($s);
                delete $in{$s};
                next;
            }

            while (my ($uri, $body) = request(\$in{$s})) {
                my $answer = $answers{$uri} || ['text/plain', ''];

                $self->keep($body) if $uri eq '/report';

                $s->print("HTTP/1.1 200 OK\r\nContent-Type: $answer->[0]\r\n"
                    . 'Content-Length: ' . length($answer->[1])
                    . "\r\n\r\n$answer->[1]");
                $s->flush();
            }
        }
    }
}

sub request {
    my ($in) = @_;
    my ($head, $uri, $length, $body);

    ($head, $uri) = $$in =~ /^(\S+ (\S+) .*?\r\n\r\n)/s or return;
    $length = $head =~ /^Content-Length: (\d+)/mi ? $1 : 0;

    return if length($$in) < length($head) + $length;

    $body = substr($$in, length($head), $length);
    substr($$in, 0, length($head) + $length, '');

    return ($uri, $body);
}

# Whoever reads sees a whole one.

sub keep {
    my ($self, $body) = @_;

    open(my $fh, '>', "$self->{file}.new") or return;
    print $fh $body;
    close($fh);
    rename("$self->{file}.new", $self->{file});
}

sub page {
    my ($self) = @_;
    my $args = $json->encode([$self->{url}, $self->{config}]);

    return <<"EOF" . <<'EOF';
<!DOCTYPE html>
<html>
<body>
<video id="video" muted autoplay playsinline></video>
<script src="hls.min.js"></script>
<script>
const [url, config] = $args;
EOF
const began = performance.now();
const now = () => Math.round(performance.now() - began) / 1000;
const video = document.getElementById('video');

const report = {
    at: 0, time: 0, played: 0, longest: 0, stalls: [], errors: [],
    fragments: [], events: {},
};

let moved = 0, stall = null;

function error(values) {
    if (report.errors.length < 200) {
        report.errors.push({ at: now(), ...values });
    }
}

function look() {
    const t = video.currentTime;

    report.at = now();

    if (report.started === undefined) {
        if (!(t > 0) || video.paused || video.seeking) {
            return;
        }

        report.started = report.at;
        report.start = t;
        moved = report.at;
    }

    if (t !== report.time || video.ended) {
        /* a jump over a hole is no playing */

        if (t > report.time && t - report.time < 1) {
            report.played += t - report.time;
        }

        report.time = t;
        moved = report.at;
        stall = null;

    } else if (report.at - moved >= 0.3) {
        if (!stall) {
            stall = [moved, 0];
            report.stalls.push(stall);
        }

        stall[1] = report.at - moved;
        report.longest = Math.max(report.longest, stall[1]);
    }
}

let posting = false;

function post() {
    if (posting) {
        return;
    }

    look();

    const b = video.buffered;

    report.buffer = b.length ? b.end(b.length - 1) - video.currentTime : 0;
    report.ended = video.ended;
    report.resolution = video.videoWidth + 'x' + video.videoHeight;
    report.levels = hls.levels.length;
    report.latency = hls.latency;

    posting = true;
    fetch('/report', { method: 'POST', body: JSON.stringify(report) })
        .catch(() => {}).finally(() => { posting = false; });
}

const hls = new Hls(config);

for (const name of Object.keys(Hls.Events)) {
    hls.on(Hls.Events[name], () => {
        report.events[name] = (report.events[name] || 0) + 1;
    });
}

hls.on(Hls.Events.ERROR, (event, data) => {
    error({
        type: data.type, details: data.details, fatal: data.fatal ? 1 : 0,
        code: data.response && data.response.code,
        url: data.url || data.frag && data.frag.url,
        reason: data.reason || data.error && data.error.message,
    });
});

hls.on(Hls.Events.FRAG_LOADED, (event, data) => {
    report.fragments.push({ at: now(), sn: data.frag.sn, cc: data.frag.cc,
                            url: data.frag.url });
    report.fragments.splice(0, report.fragments.length - 50);
});

video.addEventListener('error', () => {
    error({ type: 'video', details: video.error && video.error.message,
            fatal: 1 });
});

hls.loadSource(url);
hls.attachMedia(video);
video.play().catch(() => {});

setInterval(look, 50);
setInterval(post, 250);
</script>
</body>
</html>
EOF
}


1;
