package Test::Nginx;

# Copyright (C) The nginx-osp authors

# Runs nginx for the tests.
#
# The interface is that of the library of the nginx-tests suite, so that the
# tests run with either: the one that is first on -I is used.  What is more
# here: modules of this tree are loaded without TEST_NGINX_GLOBALS, ports are
# taken from a wide range, and waits are shorter.
#
# Environment:
#
#   TEST_NGINX_BINARY         nginx to run, the one from PATH by default
#   TEST_NGINX_GLOBALS        lines for the main context
#   TEST_NGINX_GLOBALS_HTTP   lines for http{}
#   TEST_NGINX_GLOBALS_STREAM lines for stream{}
#   TEST_NGINX_OSP_MODULES    where the modules under test are
#   TEST_NGINX_MODULES        where the modules of nginx itself are
#   TEST_NGINX_CATLOG         print the error log at the end
#   TEST_NGINX_LEAVE          keep the directory of the test
#   TEST_NGINX_VERBOSE        print requests and responses

use strict;
use warnings;

use Cwd qw/ abs_path /;
use Exporter qw/ import /;
use File::Basename qw/ dirname /;
use File::Path qw/ rmtree /;
use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::IP;
use POSIX qw/ WNOHANG /;
use Scalar::Util qw/ weaken /;
use Socket qw/ SOCK_DGRAM SOCK_STREAM SOMAXCONN /;
use Test::More qw//;
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/ log_in log_out http http_get http_head port /;
our @EXPORT_OK = qw/
    http_gzip_request http_gzip_like http_start http_end http_content
/;
our %EXPORT_TAGS = (gzip => [qw/ http_gzip_request http_gzip_like /]);

our $NGINX = find_binary($ENV{TEST_NGINX_BINARY} || 'nginx');

# in the order in which they have to be loaded

my @system_modules = qw/
    ngx_stream_module ngx_rtmp_module ngx_http_flv_live_module
/;
my @osp_modules = qw/
    ngx_rtmp_route_module
    ngx_stream_osp_upstream_module
    ngx_http_hls_cache_module
/;

# what nginx has unless it was built without it

my %standard = map { $_ => 1 } qw/
    http_charset http_gzip http_ssi http_userid http_access http_auth_basic
    http_mirror http_autoindex http_geo http_map http_split_clients
    http_referer http_rewrite http_proxy http_fastcgi http_uwsgi http_scgi
    http_grpc http_memcached http_limit_conn http_limit_req http_empty_gif
    http_browser http_upstream_hash http_upstream_ip_hash
    http_upstream_least_conn http_upstream_random http_upstream_keepalive
    http_upstream_zone
    stream_access stream_limit_conn stream_geo stream_map stream_return
    stream_set stream_split_clients stream_upstream_hash
    stream_upstream_least_conn stream_upstream_random stream_upstream_zone
/;

# what nginx itself says, in its master, of a process that was killed: that it
# has gone, that it had a lock, and that messages to it cannot be sent

our $killed = qr/ process\ \d+\ exited\ on\ signal\ 9
    | shared\ memory\ zone\ "\w+"\ was\ locked\ by\ \d+
    | sendmsg\(\)\ failed\ \((?:32:\ Broken\ pipe|104:\ Connection\ reset)
    | kill\(\d+,\ \d+\)\ failed\ \(3:\ No\ such\ process\)/x;

my %ports;
my %objects;


###############################################################################
# life of a test
###############################################################################

sub new {
    my ($class) = @_;

    Test::More::BAIL_OUT('no nginx binary found') unless defined $NGINX;

    my $self = bless {
        _pid     => $$,
        _alerts  => 1,
        _daemons => [],
        _without => {},
        _testdir => tempdir('nginx-test-XXXXXXXXXX', TMPDIR => 1),
    }, $class;

    # let an interrupted test clean up

    for my $name (qw/ INT TERM HUP /) {
        $SIG{$name} = sub { exit 1 } unless $SIG{$name};
    }

    # a write to a closed connection is a plain error

    $SIG{PIPE} = 'IGNORE' unless $SIG{PIPE};

    $objects{$self} = $self;
    weaken($objects{$self});

    return $self;
}

sub DESTROY {
    my ($self) = @_;

    $self->finish();
}

# an object that a closure holds on to would otherwise outlive the plan

END {
    $_->finish() for grep { defined } values %objects;
}

sub finish {
    my ($self) = @_;
    my (@alerts, @errors, $log);

    return if $self->{_pid} != $$ || $self->{_finished}++;

    local ($@, $!, $?);

    delete $objects{$self};

    $self->stop();
    $self->stop_daemons();

    $log = -e "$self->{_testdir}/error.log"
        ? $self->read_file('error.log') : '';

    if (Test::More->builder->expected_tests) {
        local $Test::Nginx::TODO = 'alerts' unless $self->{_alerts};

        @alerts = $log =~ /^.*\[(?:alert|crit|emerg)\].*$/mg;
        @alerts = grep { $_ !~ ignored_alerts($self->{_ignore_alerts}) } @alerts
            if $self->{_ignore_alerts};

        Test::More::is(join("\n", @alerts), '', 'no alerts');
    }

    if (Test::More->builder->expected_tests) {
        local $Test::Nginx::TODO;

        @errors = $log =~ /^.*(?:Sanitizer|: runtime error: ).*$/mg;

        Test::More::is(join("\n", @errors), '', 'no sanitizer errors');
    }

    print STDERR $log if $ENV{TEST_NGINX_CATLOG};

    if ($ENV{TEST_NGINX_LEAVE}) {
        Test::More::diag("left: $self->{_testdir}");

    } else {
        eval { rmtree($self->{_testdir}) };
    }
}

sub plan {
    my ($self, $plan) = @_;

    # the two checks at the end
    Test::More::plan(tests => $plan + 2);

    return $self;
}

# Alerts do not fail the test.  Single messages that a test provokes may be
# named instead, by setting $t->{_ignore_alerts} to a regex; the library of
# nginx-tests looks for alerts only, and takes no notice of it.

sub todo_alerts {
    my ($self) = @_;

    $self->{_alerts} = 0;

    return $self;
}

# Where processes are killed all that nginx says of that is provoked, and not
# every time.

sub ignored_alerts {
    my ($re) = @_;

    return $re unless 'worker process 1 exited on signal 9' =~ $re;
    return qr/$re|$killed/;
}

sub testdir {
    my ($self) = @_;

    return $self->{_testdir};
}


###############################################################################
# what nginx and the system can do
###############################################################################

sub has {
    my ($self, @features) = @_;

    for my $feature (@features) {
        next if $self->has_module($feature) || $self->has_feature($feature);
        Test::More::plan(skip_all => "no $feature available");
    }

    return $self;
}

sub has_module {
    my ($self, $feature) = @_;
    my ($args, $loaded);

    $args = $self->configure_args();

    return $args !~ /--without-http(?!\S)/ if $feature eq 'http';
    return $args !~ /--without-http-cache/ if $feature eq 'cache';
    return $args =~ /TLS SNI support enabled/ if $feature eq 'sni';

    # it is looked for if something of nginx needs it

    return $args !~ /--without-pcre/
        && ($args =~ /--with-pcre(?![^\s=])/
            || $args !~ /--without-http(_rewrite_module)?(?!\S)/)
        if $feature eq 'pcre';

    for my $name ($feature, "http_$feature") {
        next unless $standard{$name};

        # one of the names is cut in nginx
        return $args !~ /--without-\Q@{[substr($name, 0, 30)]}\E/;
    }

    return $self->has_directive('rtmp') if $feature eq 'rtmp';

    $loaded = $self->test_globals();

    return 1 if $loaded =~ /load_module\s[^;]*ngx_(\w+_)?\Q$feature\E_module/;
    return $args =~ /--with-\Q$feature\E(?!\S)/
        if $feature =~ /^(stream|mail)$/;

    return $args =~ /$feature/;
}

# Whether nginx knows a directive, in a block or in none.  What was linked in
# has no other name than that of its folder, which may be any.

sub has_directive {
    my ($self, $name, $block) = @_;
    my ($dir, $loads);

    $dir = $self->{_testdir};
    $loads = join "\n", $self->test_globals() =~ /load_module\s[^;]+;/g;
    $name = "$block {\n$name" if defined $block;

    $self->write_file('directive.conf',
        "$loads\npid $dir/directive.pid;\nevents {}\n$name;\n");

    return `$NGINX -t -e stderr -p $dir/ -c directive.conf 2>&1`
        !~ /unknown directive "/;
}

sub has_feature {
    my ($self, $feature) = @_;

    return 1 if $feature =~ /^(unix|udp|symlink)$/;

    if ($feature eq 'ipv6') {
        return defined IO::Socket::IP->new(
            LocalHost => '::1', LocalPort => 0, Listen => 1);
    }

    if ($feature =~ /^socket_ssl(_(sni|alpn))?$/) {
        return 0 unless eval { require IO::Socket::SSL; 1 };
        return IO::Socket::SSL->can("can_client_sni") if $feature =~ /sni/;
        return IO::Socket::SSL->can("can_alpn") if $feature =~ /alpn/;
        return 1;
    }

    if ($feature =~ /^(openssl|libressl):([\d.]+)/) {
        my ($library, $need) = ($1, $2);

        return 0
            unless $self->configure_args() =~ /with $library ([\d.]+)/i;
        return compare_versions($1, $need) >= 0;
    }

    return 0;
}

sub has_version {
    my ($self, $need) = @_;

    return 0
        unless $self->configure_args() =~ m!nginx version: [^/]+/([\d.]+)!;
    return compare_versions($1, $need) >= 0;
}

sub has_daemon {
    my ($self, $daemon) = @_;

    Test::More::plan(skip_all => "$daemon not found")
        unless defined find_binary($daemon);

    return $self;
}

sub configure_args {
    my ($self) = @_;

    $self->{_configure_args} = `$NGINX -V 2>&1`
        unless defined $self->{_configure_args};

    return $self->{_configure_args};
}

sub compare_versions {
    my ($one, $two) = map { [split /\./] } @_;

    while (@$one || @$two) {
        my $rc = (shift @$one || 0) <=> (shift @$two || 0);
        return $rc if $rc;
    }

    return 0;
}

sub find_binary {
    my ($name) = @_;

    return -x $name ? $name : undef if $name =~ m!/!;

    for my $dir (split(/:/, $ENV{PATH}), qw! /usr/local/sbin /usr/sbin !) {
        return "$dir/$name" if -x "$dir/$name" && !-d _;
    }

    return undef;
}


###############################################################################
# files
###############################################################################

sub read_file {
    my ($self, $name) = @_;
    local $/;

    open(my $fh, '<', "$self->{_testdir}/$name")
        or die "Can't open $name: $!\n";
    binmode($fh);

    my $content = <$fh>;

    return defined $content ? $content : '';
}

sub write_file {
    my ($self, $name, $content) = @_;

    open(my $fh, '>', "$self->{_testdir}/$name")
        or die "Can't create $name: $!\n";
    binmode($fh);
    print $fh $content;
    close($fh) or die "Can't write $name: $!\n";

    return $self;
}

sub write_file_expand {
    my ($self, $name, $content) = @_;

    $self->{_own_user} = 1 if $content =~ /^\s*user\s/m;

    $content =~ s/%%TEST_GLOBALS%%/$self->test_globals()/ge;
    $content =~ s/%%TEST_GLOBALS_HTTP%%/$self->test_globals_http()/ge;
    $content =~ s/%%TEST_GLOBALS_STREAM%%/$self->test_globals_stream()/ge;
    $content =~ s/%%TESTDIR%%/$self->{_testdir}/g;

    $content =~ s/127\.0\.0\.1:(8\d\d\d)/'127.0.0.1:' . port($1)/ge;
    $content =~ s/%%PORT_(\d+)%%/port($1)/ge;
    $content =~ s/%%PORT_(\d+)_UDP%%/port($1, udp => 1)/ge;

    return $self->write_file($name, $content);
}

sub test_globals {
    my ($self) = @_;
    my ($s, $env);

    return $self->{_test_globals} if defined $self->{_test_globals};

    $env = $ENV{TEST_NGINX_GLOBALS} || '';

    $s = "pid $self->{_testdir}/nginx.pid;\n"
        . "error_log $self->{_testdir}/error.log debug;\n";
    $s .= "$env\n" if $env ne '';

    # the directory of the test is closed to others
    $s .= "user root;\n"
        if $> == 0 && !$self->{_own_user} && $env !~ /(^|[;\s])user\s/;

    $s .= $self->test_globals_modules() unless $env =~ /load_module/;

    return $self->{_test_globals} = $s;
}

sub test_globals_modules {
    my ($self) = @_;
    my ($args, $system, $own, $s);

    $args = $self->configure_args();

    $system = $ENV{TEST_NGINX_MODULES};
    ($system) = $args =~ /--modules-path=(\S+)/ unless defined $system;
    $system = dirname($NGINX) unless defined $system;

    $own = $ENV{TEST_NGINX_OSP_MODULES};
    $own = abs_path(dirname(__FILE__) . '/../../..') . '/build/modules'
        unless defined $own;

    $s = '';

    for my $name (@system_modules) {
        next if $self->{_without}{$name} || !-e "$system/$name.so";
        next if $name eq 'ngx_stream_module' && $args !~ /stream=dynamic/;

        # it has all that nginx-rtmp has

        next if $name eq 'ngx_http_flv_live_module' && $s =~ /ngx_rtmp_module/;

        $s .= "load_module $system/$name.so;\n";
    }

    for my $name (@osp_modules) {
        next if $self->{_without}{$name} || !-e "$own/$name.so";
        $s .= "load_module $own/$name.so;\n";
    }

    return $s;
}

# Leaves modules out, to be called before the configuration is written.

sub without {
    my ($self, @names) = @_;

    $self->{_without}{$_} = 1 for @names;
    delete $self->{_test_globals};

    return $self;
}

sub test_globals_http {
    my ($self) = @_;
    my ($s, $dir);

    $dir = $self->{_testdir};

    $s = "root $dir;\naccess_log $dir/access.log;\n"
        . "client_body_temp_path $dir/client_body_temp;\n";

    for my $name (qw/ proxy fastcgi uwsgi scgi /) {
        $s .= "${name}_temp_path $dir/${name}_temp;\n"
            if $self->has_module($name);
    }

    return $s . ($ENV{TEST_NGINX_GLOBALS_HTTP} || '');
}

sub test_globals_stream {
    my ($self) = @_;

    return $ENV{TEST_NGINX_GLOBALS_STREAM} || '';
}


###############################################################################
# processes
###############################################################################

sub run {
    my ($self, $conf) = @_;
    my ($dir, $pid);

    $dir = $self->{_testdir};

    if (defined $conf) {
        open(my $fh, '<', $conf) or die "Can't open $conf: $!\n";
        $self->write_file_expand('nginx.conf', do { local $/; <$fh> });
    }

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        # out of reach of a signal to the test's group, and killable as one
        setpgrp(0, 0);
        exec($self->command()) or POSIX::_exit(127);
    }

    # the pid file of a daemon comes from its child

    $self->waitforfile("$dir/nginx.pid", $pid) or die "Can't start nginx\n";

    # it may be there and still empty

    $self->{_master} = wait_for(sub { $self->pid_file() }, 1) || $pid;
    $self->{_started} = 1;

    return $self;
}

sub pid_file {
    my ($self) = @_;

    return undef unless -e "$self->{_testdir}/nginx.pid";
    return $self->read_file('nginx.pid') =~ /(\d+)/ ? $1 : undef;
}

sub try_run {
    my ($self, $message) = @_;
    my $rc;

    open(my $olderr, '>&', \*STDERR) or die "Can't dup: $!\n";
    open(STDERR, '>', '/dev/null') or die "Can't open /dev/null: $!\n";

    $rc = eval { $self->run(); 1 };

    open(STDERR, '>&', $olderr) or die "Can't dup: $!\n";

    return $self if $rc;

    log_in($self->read_file('error.log')) if $ENV{TEST_NGINX_VERBOSE};

    Test::More::plan(skip_all => $message);
}

sub args {
    my ($self, @args) = @_;

    $self->{_args} = [@args];

    return $self;
}

sub command {
    my ($self) = @_;
    my @command;

    @command = ($NGINX, '-p', "$self->{_testdir}/", '-c', 'nginx.conf',
        '-e', 'error.log', @{$self->{_args} || []});

    push @command, '-g', "pid $self->{_testdir}/nginx.pid; "
        . "error_log $self->{_testdir}/error.log debug;"
        unless defined $self->{_test_globals};

    return @command;
}

sub dump_config {
    my ($self) = @_;
    my ($pid, $out);

    $pid = open(my $fh, '-|');
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDERR, '>&', \*STDOUT);
        exec($self->command(), '-T') or POSIX::_exit(127);
    }

    local $/;
    $out = <$fh>;
    close($fh);

    return $out;
}

sub reload {
    my ($self) = @_;

    kill('HUP', $self->{_master}) if $self->{_started};

    return $self;
}

sub stop {
    my ($self) = @_;
    my $pid;

    return $self unless delete $self->{_started};

    # the pid file may name the master of a binary upgrade

    $pid = $self->pid_file() || $self->{_master};

    stop_process($pid, ['QUIT', 5], ['TERM', 5])
        or Test::More::diag("nginx had to be killed");

    # workers of a master that died

    kill('KILL', -$self->{_master});

    return $self;
}

sub run_daemon {
    my ($self, $code, @args) = @_;
    my $pid;

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM /;

        if (ref($code) eq 'CODE') {
            eval { $code->(@args); 1 } or print STDERR $@;
            POSIX::_exit(0);
        }

        exec($code, @args) or POSIX::_exit(127);
    }

    push @{$self->{_daemons}}, $pid;

    return $self;
}

sub stop_daemons {
    my ($self) = @_;

    # one that was stopped hears of it when it goes on

    for my $signal (qw/ TERM CONT /) {
        kill($signal, @{$self->{_daemons}}) if @{$self->{_daemons}};
    }

    while (defined(my $pid = shift @{$self->{_daemons}})) {
        stop_process($pid, ['TERM', 5]);
    }

    return $self;
}

# Tries the signals one after the other, each for so many seconds.

sub stop_process {
    my ($pid, @signals) = @_;

    for my $try (@signals) {
        my ($signal, $timeout) = @$try;

        kill($signal, $pid);

        return 1 if wait_for(sub { process_gone($pid) }, $timeout);
    }

    kill('KILL', $pid);
    wait_for(sub { process_gone($pid) }, 5);

    return 0;
}

sub process_gone {
    my ($pid) = @_;

    # a daemonized one is no child of ours
    return 1 if waitpid($pid, WNOHANG) > 0;
    return !kill(0, $pid);
}

sub waitforfile {
    my ($self, $file, $pid) = @_;
    my $exited;

    return wait_for(sub {
        return 1 if -e $file;
        return -1 if $exited;

        # a look at the file after the process has gone
        if (defined $pid && waitpid($pid, WNOHANG) > 0) {
            $exited = $? != 0;
            undef $pid;
        }

        return 0;
    }, 10) == 1 ? 1 : undef;
}

sub waitforsocket {
    my ($self, $peer) = @_;

    return wait_for(sub {
        defined IO::Socket::IP->new(PeerAddr => $peer, Timeout => 1);
    }, 10) ? 1 : undef;
}

sub wait_for {
    my ($code, $timeout) = @_;
    my ($end, $rc);

    $end = time() + $timeout;

    while (!($rc = $code->())) {
        return 0 if time() > $end;
        sleep(0.02);
    }

    return $rc;
}


###############################################################################
# ports
###############################################################################

# Gives a free port for the number that a test uses.  The port is free for TCP
# and UDP, IPv4 and IPv6.  As long as the test runs, the protocol that it does
# not use is bound, which keeps other tests off; socket gives that socket.

sub port {
    my ($num, %opts) = @_;
    my ($port, $used, $lock);

    if (!defined $ports{$num}) {
        for (1 .. 100) {
            $port = 10000 + int(rand(20000));

            $used = $opts{udp} ? 'udp' : 'tcp';

            $lock = bind_port('127.0.0.1', $port, $opts{udp} ? 'tcp' : 'udp')
                or next;

            last if bind_port('0.0.0.0', $port, $used)
                && (bind_port('::', $port, $used) || !has_ipv6());

            undef $lock;
        }

        die "No free port for $num\n" unless defined $lock;

        $ports{$num} = { port => $port, socket => $lock };
    }

    return $opts{socket} ? $ports{$num}{socket} : $ports{$num}{port};
}

sub bind_port {
    my ($addr, $port, $proto) = @_;

    return IO::Socket::IP->new(
        LocalHost => $addr,
        LocalPort => $port,
        Type      => $proto eq 'udp' ? SOCK_DGRAM : SOCK_STREAM,
        $proto eq 'udp' ? () : (Listen => SOMAXCONN, ReuseAddr => 1),
        $addr =~ /:/ ? (V6Only => 1) : (),
    );
}

my $ipv6;

sub has_ipv6 {
    $ipv6 = defined bind_port('::1', 0, 'tcp') unless defined $ipv6;

    return $ipv6;
}


###############################################################################
# log
###############################################################################

sub log_in {
    log_core('<<', @_);
}

sub log_out {
    log_core('>>', @_);
}

sub log_core {
    my ($prefix, $msg) = @_;

    return unless $ENV{TEST_NGINX_VERBOSE};

    $msg = '' unless defined $msg;
    $msg = substr($msg, 0, 2048) . '...' if length($msg) > 2048;

    $msg =~ s/([^\x20-\x7e\n])/sprintf('\\x%02x', ord($1))/ge;
    $msg =~ s/^/# $prefix /mg;
    $msg .= "\n" unless $msg =~ /\n\z/;

    print $msg;
}


###############################################################################
# http
###############################################################################

sub http_get {
    my ($url, %extra) = @_;

    return http("GET $url HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a\x0d\x0a",
        %extra);
}

sub http_head {
    my ($url, %extra) = @_;

    return http("HEAD $url HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a\x0d\x0a",
        %extra);
}

sub http_gzip_request {
    my ($url) = @_;

    return http("GET $url HTTP/1.1\x0d\x0aHost: localhost\x0d\x0a"
        . "Connection: close\x0d\x0aAccept-Encoding: gzip\x0d\x0a\x0d\x0a");
}

# Options: socket or whatever the socket's class takes (PeerAddr), SSL, body
# sent behind the request, sleep before it, aborted (closes without reading),
# start (returns the socket for http_end).

sub http {
    my ($request, %extra) = @_;
    my $s;

    $s = http_start($request, %extra);

    return $s if $extra{start} || !$s;
    return http_end($s, %extra);
}

sub http_start {
    my ($request, %extra) = @_;

    return in_time(sub {
        my ($s, $class);

        $class = $extra{SSL} ? 'IO::Socket::SSL' : 'IO::Socket::IP';
        eval "require $class" or die $@;

        $s = $extra{socket} || $class->new(
            PeerAddr => '127.0.0.1:' . port($extra{SSL} ? 8443 : 8080),
            $extra{SSL} ? (SSL_verify_mode => 0) : (),
            %extra
        )
            or die "Can't connect to nginx: $!\n";

        log_out($request);
        $s->print($request);

        sleep($extra{sleep}) if $extra{sleep};
        return '' if $extra{aborted};

        if (defined $extra{body}) {
            log_out($extra{body});
            $s->print($extra{body});
        }

        return $s;
    });
}

sub http_end {
    my ($s) = @_;

    return in_time(sub {
        local $/;
        my $reply = $s->getline();

        $s->close();
        log_in($reply);

        return $reply;
    });
}

sub http_content {
    my ($text) = @_;
    my ($headers, $body, $content, $len);

    return undef unless defined $text;
    return undef
        unless ($headers, $body) = $text =~ /^(.*?)\r?\n\r?\n(.*)\z/s;
    return $body unless $headers =~ /^Transfer-Encoding: chunked/mi;

    $content = '';

    while ($body =~ /\G(?:\r?\n)?([0-9a-f]+)[^\n]*\n/gci) {
        $len = hex($1);
        return $content if $len == 0;

        $content .= substr($body, pos($body), $len);
        last if pos($body) + $len > length($body);

        pos($body) += $len;
    }

    return $content . '[no-last-chunk]';
}

sub http_gzip_like {
    my ($text, $re, $name) = @_;
    my ($in, $out);

    SKIP: {
        Test::More::skip('IO::Uncompress::Gunzip not installed', 1)
            unless eval { require IO::Uncompress::Gunzip; 1 };

        $in = http_content($text);
        IO::Uncompress::Gunzip::gunzip(\$in => \$out);

        Test::More->builder->like($out, $re, $name);
    }
}

sub in_time {
    my ($code) = @_;
    my ($rc, $error);

    # a signal which is not restarted ends a blocking read as well

    eval {
        local $SIG{ALRM} = sub { die "timeout\n" };
        alarm(8);
        $rc = $code->();
        alarm(0);
        1;
    } or $error = $@;

    alarm(0);

    if (defined $error) {
        log_in("died: $error");
        return undef;
    }

    return $rc;
}


1;
