#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for what README.md of the stream module says about the ends of sessions
# and lines in the log: it is what is in the sources, and all of it, and each
# reason is provoked by a test.

###############################################################################

use warnings;
use strict;

use Test::More tests => 10;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx::Reasons;

###############################################################################

my $module = "$FindBin::Bin/../ngx_stream_osp_upstream_module";

my $readme = slurp("$module/README.md");
my %documented = read_reasons();

# the table in the source, in the order of the numbers

my ($table) = slurp("$module/ngx_stream_osp_reason.c")
    =~ /ngx_stream_osp_reasons\[\] = \{(.*?)\n\};/s;

my @coded = $table =~ /\{ ngx_string\("(\w+)"\),\s*"([^"]+)" \}/g;
my %coded = @coded;
my @names = map { $coded[2 * $_] } 0 .. @coded / 2 - 1;

my ($numbers) = slurp("$module/ngx_stream_osp_session.h")
    =~ /why a session ends(.*?)\/\*/s;

my %numbers = $numbers =~ /#define NGX_STREAM_OSP_(\w+)\s+(\d+)/g;

delete $numbers{NONE};

is(lines(map { lc } sort { $numbers{$a} <=> $numbers{$b} } keys %numbers),
    lines(@names), 'numbers and names');

is(lines(sort values %numbers), lines(sort 1 .. @names), 'numbers');

is(lines(sort keys %documented), lines(sort @names), 'names');

is(lines(map { "$_ $documented{$_}{text}" } sort keys %documented),
    lines(map { "$_ $coded{$_}" } sort @names), 'what is in the log');

# what is told, and when: in some place of the sources

my $sources = join("\n", map { slurp($_) } glob("$module/ngx_stream_osp_*.c"));

$sources =~ s/"\s*\n\s*"//g;

my @told = map { $_->{told} =~ /[`"]([^`"]+)[`"]/g } values %documented;

is(lines(grep {
    my $text = join('%\w+', map { quotemeta } split(/\bN\b/, $_, -1));

    $sources !~ /"$text"/;
} @told), '', 'what is told');

my %seen = map { $_ => 1 } map { slurp($_) =~ /NGX_STREAM_OSP_([A-Z_]+)/g }
    grep { !/_reason\.c$/ } glob("$module/ngx_stream_osp_*.c");

$seen{$_} = 1 for slurp("$module/ngx_stream_osp_reason.c")
    =~ /reason = NGX_STREAM_OSP_(\w+)/g;

is(lines(grep { !$seen{$_} } sort keys %numbers), '', 'reasons that happen');

# the tests, but for this one

my $tests = join("\n", map { slurp($_) }
    grep { !/reasons_docs/ } glob("$FindBin::Bin/reasons*.t"));

is(lines(grep { $tests !~ /'$_'/ } sort @names), '', 'reasons provoked');

# lines of info and above, but for those of the configuration

my ($second) = $readme =~ /^\| message \|(.*?)\n\n/ms;

my %messages = map { $_ => 1 } map { /^\| (.*?) \|/ ? $1 =~ /`([^`]+)`/g : () }
    split(/\n/, $second);

my @lines = grep { !/^%/ && !/^\(/ } map { literals($_) }
    $sources =~ /ngx_(?:log|ssl)_error\((?!NGX_LOG_(?:EMERG|DEBUG))(.*?)\);/sg;

my %lines = map { $_ => 1 } @lines,

    # those that come in parts, from nginx, or of a level in the configuration

    'client sent', 'connect() failed', 'SSL_do_handshake() failed',
    'limiting connections',
    'upstream server "..." sends no media',
    map({ "no server takes the $_" } qw/ publisher player /),
    map { "$_, client waits" } 'no live upstreams',
        'no upstream server has room';

sub literals {
    my ($text) = @_;
    my @text = $text =~ /"((?:[^"\\]|\\.)*)"/g;

    $text = @text ? $text[0] : '';

    $text =~ s/\\"/"/g;
    $text =~ s/"%V" was/"..." was/;
    $text =~ s/\("%s"\) failed/(...) failed/;
    $text =~ s/^%ui clients/... clients/;
    $text =~ s/^upstream %s, (.*)/upstream timed out, $1/;

    return $text;
}

is(lines(grep {
    my $line = $_;

    $line !~ /^(?:no server takes|%|upstream server "%V")/
        && $line ne '' && !grep { index($line, $_) == 0 } keys %messages;
} sort keys %lines), '', 'lines documented');

is(lines(grep {
    my $message = $_;

    !grep { index($_, $message) == 0 } keys %lines;
} sort grep { !/upstream closed connection, / } keys %messages), '',
    'lines that are there');

# the format of an access log is the same everywhere

my @formats = read_log_formats();

is(lines(@formats), lines(($formats[0]) x @formats), 'log formats');

###############################################################################

sub lines {
    return join("\n", @_);
}

###############################################################################
