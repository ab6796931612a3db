package Test::Nginx::Page;

# Copyright (C) The nginx-osp authors

# A page in a browser, as a person has it before him.
#
#     need_page($t);
#     my $page = page($t, 'http://127.0.0.1:' . port(8080) . '/');
#     $page->wait('document.querySelectorAll("tr").length > 2');
#     is($page->js('document.title'), 'status', 'title');
#     $page->size(360, 640);
#     $page->screenshot('/tmp/page.png');
#     is($page->complaints(), '', 'nothing in the console');
#
# js() has the value of an expression, a promise is waited for; wait() has it
# as soon as it is true, or undef after 20 seconds or those given.  Options of
# page(): width, height, dark => 1, scale (pixels of a screenshot).

use strict;
use warnings;

use Exporter qw/ import /;
use File::Path qw/ rmtree /;
use IO::Select;
use JSON::PP;
use MIME::Base64 qw/ decode_base64 /;
use POSIX qw/ WNOHANG dup2 /;
use Scalar::Util qw/ weaken /;
use Test::More qw//;
use Test::Nginx ();
use Test::Nginx::Browser ();
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/ need_page page /;

my $json = JSON::PP->new()->utf8(1)->allow_nonref(1);

my $count = 0;
my %running;

END {
    $_->stop() for grep { defined } values %running;
}


sub need_page {
    my ($t) = @_;

    Test::More::plan(skip_all => 'no chromium found')
        unless defined Test::Nginx::Browser::chromium();

    return $t;
}

sub page {
    my ($t, $url, %opt) = @_;
    my ($self, $dir);

    $dir = ref $t ? $t->testdir() : $t;

    $self = bless {
        width => 1280, height => 800, scale => 1, dark => 0, %opt,
        dir => "$dir/page" . ++$count, owner => $$, id => 0, in => '',
        complaints => [], answers => {},
    }, __PACKAGE__;

    mkdir($self->{dir});

    $self->start();
    $self->open_page($url);

    return $self;
}

# Chromium's protocol for tools, over a pair of pipes: 3 and 4 for it.

sub start {
    my ($self) = @_;

    pipe(my $theirs, $self->{to}) or die "Can't make a pipe: $!\n";
    pipe($self->{from}, my $write) or die "Can't make a pipe: $!\n";

    $self->{pid} = fork();
    die "Can't fork: $!\n" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM PIPE /;
        setpgrp(0, 0);

        # neither may be in the way of the other

        dup2(fileno($theirs), 100);
        dup2(fileno($write), 101);
        dup2(100, 3);
        dup2(101, 4);
        POSIX::close($_) for 100, 101;

        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>', "$self->{dir}/log");
        open(STDERR, '>&', \*STDOUT);

        $ENV{$_} = $self->{dir} for qw/ HOME TMPDIR XDG_RUNTIME_DIR /;
        delete $ENV{DBUS_SESSION_BUS_ADDRESS};

        exec(Test::Nginx::Browser::chromium(), Test::Nginx::Browser::flags(),
            '--hide-scrollbars', '--remote-debugging-pipe',
            "--user-data-dir=$self->{dir}/profile", 'about:blank')
            or POSIX::_exit(127);
    }

    $running{$self} = $self;
    weaken($running{$self});
}

sub open_page {
    my ($self, $url) = @_;
    my ($targets, $target);

    for (1 .. 100) {
        $targets = $self->call('Target.getTargets')->{targetInfos};
        ($target) = grep { $_->{type} eq 'page' } @$targets;
        last if defined $target;
        sleep(0.1);
    }

    $self->{session} = $self->call('Target.attachToTarget',
        targetId => $target->{targetId}, flatten => JSON::PP::true)
        ->{sessionId};

    $self->call("$_.enable") for qw/ Page Runtime Log /;
    $self->call('Emulation.setEmulatedMedia', features => [{
        name => 'prefers-color-scheme',
        value => $self->{dark} ? 'dark' : 'light' }]);
    $self->size(@$self{qw/ width height /});

    $self->go($url);
}

sub go {
    my ($self, $url) = @_;

    $self->call('Page.navigate', url => $url);
    $self->wait('document.readyState == "complete"');

    return $self;
}

sub size {
    my ($self, $width, $height) = @_;

    $self->call('Emulation.setDeviceMetricsOverride', width => $width,
        height => $height, deviceScaleFactor => $self->{scale},
        mobile => $width < 600 ? JSON::PP::true : JSON::PP::false);

    return $self;
}

sub js {
    my ($self, $text) = @_;

    my $answer = $self->call('Runtime.evaluate', expression => $text,
        returnByValue => JSON::PP::true, awaitPromise => JSON::PP::true,
        userGesture => JSON::PP::true);

    die "$answer->{exceptionDetails}{exception}{description}\n"
        if $answer->{exceptionDetails};

    return $answer->{result}{value};
}

sub wait {
    my ($self, $text, $timeout) = @_;
    my ($end, $value);

    $end = time() + ($timeout || 20);

    while (1) {
        $value = eval { $self->js($text) };
        return $value if $value;
        return undef if time() > $end;
        sleep(0.1);
    }
}

sub screenshot {
    my ($self, $file) = @_;

    open(my $fh, '>', $file) or die "Can't write $file: $!\n";
    binmode($fh);
    print $fh decode_base64($self->call('Page.captureScreenshot',
        captureBeyondViewport => JSON::PP::false)->{data});
    close($fh);
}

# Errors of scripts and of the console, refused by a policy included.

sub complaints {
    my ($self) = @_;

    $self->js('1');

    return join("\n", @{$self->{complaints}});
}


###############################################################################
# messages, a zero byte behind each
###############################################################################

sub call {
    my ($self, $method, %params) = @_;
    my ($id, $message, $end);

    $id = ++$self->{id};
    $message = { id => $id, method => $method, params => \%params };
    $message->{sessionId} = $self->{session} if defined $self->{session};

    local $SIG{PIPE} = 'IGNORE';
    syswrite($self->{to}, $json->encode($message) . "\0");

    $end = time() + 30;

    until (exists $self->{answers}{$id}) {
        $self->read_message($end - time(), $method);
    }

    $message = delete $self->{answers}{$id};
    die "$method: $message->{error}{message}\n" if $message->{error};

    return $message->{result};
}

sub read_message {
    my ($self, $left, $method) = @_;

    die "the browser does not answer to $method\n"
        unless $left > 0 && IO::Select->new($self->{from})->can_read($left);

    die "the browser is gone: $method\n"
        unless sysread($self->{from}, $self->{in}, 65536,
                       length($self->{in}));

    while ($self->{in} =~ s/^([^\0]*)\0//) {
        my $message = $json->decode($1);

        if (defined $message->{id}) {
            $self->{answers}{$message->{id}} = $message;
            next;
        }

        $self->listen($message->{method} || '', $message->{params});
    }
}

sub listen {
    my ($self, $method, $params) = @_;
    my $text;

    if ($method eq 'Runtime.exceptionThrown') {
        $text = $params->{exceptionDetails}{exception}{description}
            || $params->{exceptionDetails}{text};

    } elsif ($method eq 'Log.entryAdded'
             && $params->{entry}{level} =~ /error|warning/)
    {
        $text = "$params->{entry}{text} " . ($params->{entry}{url} || '');

    } elsif ($method eq 'Runtime.consoleAPICalled'
             && $params->{type} =~ /error|warning|assert/)
    {
        $text = join(' ', map {
            defined $_->{value} ? $_->{value} : $_->{description} || ''
        } @{$params->{args}});
    }

    push @{$self->{complaints}}, $text if defined $text;
}

sub stop {
    my ($self) = @_;
    my $end;

    return if $self->{owner} != $$;

    delete $running{$self};

    my $pid = delete $self->{pid};
    return unless defined $pid;

    kill('TERM', -$pid);
    $end = time() + 3;
    sleep(0.02) while waitpid($pid, WNOHANG) == 0 && time() < $end;
    kill('KILL', -$pid);

    eval { rmtree($self->{dir}) };
}

sub DESTROY {
    my ($self) = @_;

    local ($@, $!, $?);

    $self->stop();
}


1;
