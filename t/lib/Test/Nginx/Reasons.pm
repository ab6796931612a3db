package Test::Nginx::Reasons;

# Copyright (C) The nginx-osp authors

# How sessions end, as the README of the stream module says it: $rtmp_reason,
# $status, the line in the error log, and what the client is told.
#
#     reasons_conf('127.0.0.1:8081', 'live', 'osp_upstream_timeout 1s;')
#
#                     a server{} for a case, with port and route
#
#     ended($t, port, reason, options)
#
#                     the session at that port has ended with it.  Makes ENDED
#                     tests.  Options: name (of the test), client (who is told
#                     what the README says), told (what it is told instead, a
#                     code; '': nothing), upstream (port of the server; 0:
#                     there is none), named (0: it has not named a stream;
#                     1: not well),
#                     status, count (the session of that port that is meant)

###############################################################################

use warnings;
use strict;

use base qw/ Exporter /;

use FindBin;
use Test::More;

use Test::Nginx qw/ port /;
use Test::Nginx::RTMP;

our @EXPORT = qw/
    ENDED ended log_format read_log_formats read_reasons reasons_conf slurp told
/;

use constant ENDED => 5;

# all that README.md documents, but for who is not known before

my @variables = qw/
    server_port status rtmp_reason rtmp_command rtmp_app rtmp_stream
    rtmp_vhost rtmp_agent rtmp_stream_hash rtmp_route_server upstream_addr
    upstream_bytes_sent upstream_bytes_received upstream_connect_time
    upstream_first_byte_time upstream_session_time bytes_sent bytes_received
    session_time
/;


# The table of README.md: reason => { status, text, told }.

sub read_reasons {
    my %reasons;

    for (slurp("$FindBin::Bin/../ngx_stream_osp_upstream_module/README.md")
        =~ /^(.*)\n/mg)
    {
        next unless /^\|\s*`\$rtmp_reason`/ .. /^$/;
        next unless /^\| `(\w+)` \| ([\d, ]+) \| (.+?) \| (.+?) \| (.+) \|$/;

        die "$1 is there twice\n" if $reasons{$1};

        $reasons{$1} = { status => [split(/, /, $2)], text => $3, told => $4,
            todo => $5 };
    }

    return %reasons;
}

# A log of our own, and that of README.md.

sub log_format {
    my ($documented) = read_log_formats();

    return "log_format reasons '" . join('|', map { "\$$_" } @variables)
        . "';\naccess_log %%TESTDIR%%/reasons.log reasons;\n"
        . "$documented\naccess_log %%TESTDIR%%/rtmp.log rtmp;\n";
}

# In all places where it is.  The one to be included leaves out of the
# application what may be a name.

sub read_log_formats {
    return map {
        my ($format) = slurp("$FindBin::Bin/../$_")
            =~ /^[# ]*(log_format +rtmp +'.*?;)/ms;

        $format = "none in $_" unless defined $format;

        $format =~ s/^#?\s+//mg;
        $format =~ s/^log_format +rtmp +/log_format rtmp /;
        $format =~ s/\$rtmp_log_app\b/\$rtmp_app/;

        $format;

    } 'ngx_stream_osp_upstream_module/README.md', 'conf/logs/rtmp.conf';
}

sub slurp {
    my ($file) = @_;

    open(my $fh, '<', $file) or die "Can't open $file: $!\n";
    local $/;

    return scalar(<$fh>);
}

sub reasons_conf {
    my ($listen, $route, @more) = @_;

    return join("\n        ", "    server {", "listen $listen;",
        "osp_upstream $route;", @more) . "\n    }\n";
}

sub ended {
    my ($t, $n, $reason, %want) = @_;
    my ($name, $port, $r, %log, %reasons, $line, $context, $upstream);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    %reasons = read_reasons();
    $r = $reasons{$reason} || { status => [0], text => '', told => '-' };

    $name = "$reason" . ($want{name} ? ", $want{name}" : '');
    $port = port($n);

    # in RTMP

    if (exists $want{told}) {
        is($want{client}{code}, $want{told}, "$name: told");

    } elsif ($want{client}) {
        ok(is_told($r->{told}, $want{client}), "$name: told as documented")
            or diag("$want{client}{code} \"$want{client}{description}\"");

    } else {
        is($r->{told}, '-', "$name: nothing to be told");
    }

    # who has been told goes, otherwise it takes a while

    $want{client}->close() if ref($want{client}) eq 'Test::Nginx::RTMP';

    # in the access log

    %log = access($t, $port, $want{count});
    $want{status} ||= $r->{status}[0];

    is("$log{status} $log{rtmp_reason}", "$want{status} $reason",
        "$name: logged");

    is(missing($n, \%log, %want), '', "$name: variables");

    # in the error log

    ($line) = error($t, $port, $want{count});
    $line = 'none' unless defined $line;

    $context = qr/client: 127\.0\.0\.1, server: \S+:$port/;
    $upstream = qr//;

    if ($want{upstream}) {
        my $addr = "127.0.0.[12]:" . port($want{upstream});
        $upstream = qr/, upstream: "$addr"/;
    }

    like($line, qr/\ (?:$log{rtmp_command}\ |\*\d+\ )session\ ended,
        \ $reason:\ \Q$r->{text}\E,\ after\ \d+\.\d{3}s
        (?:,\ upstream\ server\ "\S+")?(?:\ while\ [\w ]+)?,
        \ (?:udp\ )?$context/x, "$name: told in the log");

    like($line, $want{upstream} ? qr/s,\ upstream\ server\ "\S+"\ while\ .*
            $context$upstream,\ bytes\ from\/to\ client:\d+\/\d+,
            \ bytes\ from\/to\ upstream:\d+\/\d+$/x
        : qr/^(?!.*s, upstream server ")(?!.*, upstream: )/,
        "$name: and of what server");
}

sub is_told {
    my ($told, $c) = @_;
    my ($code, $text) = ($c->{code} || '', $c->{description} || '');

    return $code eq '' && $text eq '' if $told eq '-';

    $text =~ s/\d+/N/;
    $text =~ s/(the limit is N) (?:publish|play)ers?$/$1/;

    return $told =~ /`\Q$code\E`/
        && ($told =~ /"\Q$text\E"/ || $told =~ /with what the last/);
}

sub access {
    my ($t, $port, $count) = @_;
    my @lines;

    wait_until(sub {
        return 0 unless -e $t->testdir() . '/reasons.log';

        @lines = $t->read_file('reasons.log') =~ /^($port\|.*)\n/mg;
        return @lines >= ($count || 1);
    }, 10);

    my %log = map { $_ => 'none' } @variables;
    @log{@variables} = split(/\|/, $lines[-1]) if @lines;

    return %log;
}

sub error {
    my ($t, $port, $count) = @_;
    my @lines;

    wait_until(sub {
        @lines = $t->read_file('error.log')
            =~ /^(.*\[info\].*session ended, .*server: \S+:$port\b.*)$/mg;
        return @lines >= ($count || 1);
    });

    return $lines[-1];
}

# Variables that should have a value, and those that should not.

sub missing {
    my ($n, $log, %want) = @_;
    my (@some, @none, @upstream);

    @upstream = qw/ rtmp_route_server upstream_addr upstream_bytes_sent
        upstream_bytes_received upstream_session_time /;

    push @{$want{upstream} ? \@some : \@none}, @upstream;

    push @some, qw/ bytes_sent bytes_received session_time /;

    push @{defined $want{named} && !$want{named} ? \@none : \@some},
        'rtmp_command';

    push @{defined $want{named} ? \@none : \@some},
        qw/ rtmp_app rtmp_stream rtmp_vhost rtmp_stream_hash /;

    return join(' ', (grep { $log->{$_} =~ /^(?:-?|none)$/ } @some),
        map { "not $_" } grep { $log->{$_} ne '-' } @none);
}

# The last status of level error, or a request to reconnect, is kept as code
# and description.

sub told {
    my ($c, $timeout) = @_;
    my $info;

    $c->{code} = $c->{description} = '';

    $c->read_until(sub {
        my ($m) = @_;

        return 0 unless ($m->{name} || '') eq 'onStatus';

        $info = $m->{args}[-1];
        return 0 unless $info->{level} eq 'error'
            || $info->{code} =~ /Reconnect/;

        $c->{code} = $info->{code};
        $c->{description} = $info->{description};

        return 1;
    }, $timeout);

    return $c;
}


1;
