#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for what README.md of each module documents: the directives and the
# variables that its sources have, all of them and no others, directives with
# syntax, default, and the contexts that the sources say; for metrics that other
# pages name; and for the version, which stands in several places.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

###############################################################################

my @modules = map { m!([^/]+)$! } glob('../ngx_*_module');

plan(tests => 2 + 4 * @modules);

# the version is the same everywhere

my ($version) = slurp('../CHANGES') =~ /^Changes with nginx-osp ([\d.]+)/m;
my ($number) = slurp('../ngx_rtmp_route_module/ngx_rtmp_route_version.h')
    =~ /((?:#define\s+\w+_(?:MAJOR|MINOR|REVISION)\s+\d+\s+)+)/;
my ($package) = slurp('../docker/deb/changelog') =~ /\(([\d.]+)-/;

is(join(' ', join('.', $number =~ /(\d+)$/mg), $package),
    "$version $version", 'version');

# flags of nginx, and what they are called

my %contexts = (
    NGX_MAIN_CONF => 'main',
    NGX_RTMP_ROUTE_CONF => 'rtmp_route',
    NGX_HTTP_MAIN_CONF => 'http',
    NGX_HTTP_SRV_CONF => 'server',
    NGX_HTTP_LOC_CONF => 'location',
    NGX_HTTP_LIF_CONF => 'if in location',
    NGX_HTTP_LMT_CONF => 'limit_except',
    NGX_HTTP_UPS_CONF => 'upstream',
    NGX_STREAM_MAIN_CONF => 'stream',
    NGX_STREAM_SRV_CONF => 'server',
    NGX_STREAM_UPS_CONF => 'upstream',
    NGX_RTMP_MAIN_CONF => 'rtmp',
    NGX_RTMP_SRV_CONF => 'server of rtmp{}',
    NGX_RTMP_APP_CONF => 'application of rtmp{}',
);

# metrics that pages name are in the table

my ($table) = slurp('../ngx_rtmp_route_module/README.md')
    =~ /^## Metrics\n(.*?)(?=^## |\z)/ms;
my %metrics = map { $_ => 1 } $table =~ /^\| `(nginx_\w+)`/mg;

is(join("\n", grep { !$metrics{$_} }
    map { slurp($_) =~ /`(nginx_(?:rtmp_route|stream_osp|hls_cache)_\w+)`/g }
    glob('../README.md ../*/README.md ../docs/*.md')), '', 'metrics');

for my $module (@modules) {
    my $sources = join("\n", map { slurp($_) } glob("../$module/*.c"));
    my $readme = slurp("../$module/README.md");

    my %coded = coded_directives($sources);
    my ($documented, $incomplete) = documented_directives($readme);

    is(differences([keys %$documented], [keys %coded]), '',
        "$module directives");

    my @both = grep { exists $coded{$_} } keys %$documented;

    is(differences([map { "$_: $documented->{$_}" } @both],
        [map { "$_: $coded{$_}" } @both]), '', "$module contexts");

    is("@$incomplete", '', "$module syntax, default, context");

    is(differences([documented_variables($readme)],
        [coded_variables($sources)]), '', "$module variables");
}

###############################################################################

# name => contexts; one that several tables have is one

sub coded_directives {
    my ($text) = @_;
    my (%found, %macros);

    # what a macro adds to its arguments

    while ($text =~ /^#define (\w+_command)\(.*\n((?:.*\\\n)*.*)/mg) {
        my ($macro, $body) = ($1, $2);

        $macros{$macro} = $body;
    }

    while ($text =~ /ngx_command_t\s+\w+\[\] = \{(.*?)ngx_null_command/sg) {
        my $table = $1;

        while ($table =~ /(?:(\w+_command)\(|\{\sngx_string\()"(\w+)"\)?,
                          ([^,]*),/gx) {
            my ($macro, $name, $flags) = ($1, $2, $3);

            $flags = $macros{$macro} if defined $macro;

            $found{$name}{$_} = 1
                for grep { defined } map { $contexts{$_} }
                    $flags =~ /(NGX_\w+_CONF)\b/g;
        }
    }

    return map { $_ => join(', ', sort keys %{$found{$_}}) } keys %found;
}

sub coded_variables {
    my ($text) = @_;
    my %found;

    while ($text =~ /ngx_(?:http|stream)_variable_t\s+\w+\[\]\s=\s\{
                     (.*?)_null_variable/sgx) {
        my $table = $1;

        $found{$_} = 1 for $table =~ /\{ ngx_string\("(\w+)"\)/g;
    }

    return sort keys %found;
}

# Each is in a section with all three; some share a section.

sub documented_directives {
    my ($text) = @_;
    my (%found, @incomplete);

    for my $section (split /^#+ (?=\S)/m, $text) {
        my ($heading) = $section =~ /^(.*)/;
        my ($syntax) = $section =~ /^\*\*Syntax:\*\* (.*?)\n\n/ms;
        my ($context) = $section =~ /^\*\*Context:\*\* (.*?)\n\n/ms;

        my @names = defined $syntax ? $syntax =~ /\*\*`(\w+)`\*\*/g
            : $section =~ /^\| directive \|/m
              ? $section =~ /^\| `(\w+)/mg : ();

        next unless @names;

        push @incomplete, $heading if !defined $context
            || defined $syntax && $section !~ /^\*\*Default:\*\* \S/m;

        for my $name (@names) {
            $found{$name}{$_} = 1 for split(/,\s+/, $context || '');
        }
    }

    my %contexts = map { $_ => join(', ', sort keys %{$found{$_}}) }
        keys %found;

    return (\%contexts, \@incomplete);
}

sub documented_variables {
    my ($text) = @_;
    my ($section) = $text =~ /^## Embedded Variables\n(.*?)^## /ms;

    return unless defined $section;

    # those at the beginning of a paragraph or of a point, before a dash

    my %found;

    while ($section =~ /^(?:- )?((?:`\$\w+`(?:,\s+)?)+) - /mg) {
        my $names = $1;

        $found{$_} = 1 for $names =~ /\$(\w+)/g;
    }

    return sort keys %found;
}

sub differences {
    my ($documented, $coded) = @_;
    my %documented = map { $_ => 1 } @$documented;
    my %coded = map { $_ => 1 } @$coded;

    return join("\n",
        (map { "not documented: $_" } grep { !$documented{$_} } sort @$coded),
        (map { "not there: $_" } grep { !$coded{$_} } sort @$documented));
}

sub slurp {
    my ($file) = @_;

    open(my $fh, '<', $file) or die "Can't open $file: $!\n";

    return do { local $/; <$fh> };
}

###############################################################################
