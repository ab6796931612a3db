#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for each configuration in the documentation: nginx takes it.
#
# A block of ```nginx is a part of one that stands in any of the contexts
# below, beside what a part may name without defining it: routes, the cache
# "hls", the groups "origin" and "origin_api".  A rtmp_route{} that
# stands beside other directives is taken to the main context.  What nginx
# would not take has no ```nginx.  Other than that, files and addresses are
# those of the test, and nobody listens.  Blocks of ```haproxy are for HAProxy.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;

###############################################################################

my $t = Test::Nginx->new()->has(qw/http http_ssl http_v2 proxy access realip
    rewrite stream stream_ssl stream_ssl_preread stream_realip/);

my $dir = $t->testdir();
my $conf = "$FindBin::Bin/../conf";
my (%sockets, %hosts);

# where a part may stand, each around the one behind it

my %around = (
    main => '%s',
    http => "http {\n%%TEST_GLOBALS_HTTP%%\n%%HTTP%%\n%s\n}\n",
    server => "http {\n%%TEST_GLOBALS_HTTP%%\n%%HTTP%%\n"
        . "server {\nlisten unix:%%TESTDIR%%/s;\n%s\n}\n}\n",
    location => "http {\n%%TEST_GLOBALS_HTTP%%\n%%HTTP%%\n"
        . "server {\nlisten unix:%%TESTDIR%%/s;\nlocation / {\n%s\n}\n}\n}\n",
    stream => "stream {\n%%STREAM%%\n%s\n}\n",
    session => "stream {\n%%STREAM%%\nserver {\nlisten unix:%%TESTDIR%%/s;\n"
        . "osp_upstream live;\n%s\n}\n}\n",
    route => "rtmp_route live {\n%s\nserver 127.0.0.1 http=8080;\n}\n",
    rtmp => "rtmp {\n%s\n}\n",
    published => "rtmp {\nserver {\nlisten 127.0.0.1:8999;\n%s\n}\n}\n",
);

my @order = qw/ main server location http session stream route rtmp
    published /;

# where an nginx of its own source puts logs

mkdir("$dir/logs");

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . "-keyout $dir/key -out $dir/crt >/dev/null 2>&1") == 0
    or plan(skip_all => 'no openssl');

# it may be built without headers of nginx-rtmp

my $rtmp = $t->has_module('rtmp')
    && nginx_says("rtmp { rtmp_route_register http://127.0.0.1/; }")
       !~ /unknown directive/;

my @pages = glob('../README.md ../*/README.md ../*/*/README.md ../docs/*.md');
my @parts = map { parts($_, 'nginx') } @pages;
my @others = map { parts($_, 'haproxy') } @pages;

# what nginx does not take in one context it may take in another

$t->{_ignore_alerts} = qr/\[emerg\]/;
$t->plan(2 + @parts + @others);

cmp_ok(scalar @parts, '>', 40, 'configurations');

for my $part (@parts) {
    my ($where, $text) = @$part;

    SKIP: {
        skip 'no rtmp', 1
            if $text =~ /^(?:rtmp|application \w+) \{/m && !$rtmp;

        is(refusal($text), '', $where);
    }
}

for my $part (@others) {
    my ($where, $text) = @$part;

    SKIP: {
        my $haproxy = Test::Nginx::find_binary('haproxy');
        skip 'no haproxy', 1 unless defined $haproxy;

        $text =~ s!(ssl crt )\S+!$1$dir/pem!g;
        $t->write_file('pem', $t->read_file('crt') . $t->read_file('key'));
        $t->write_file('haproxy.cfg', $text);

        my $said = `$haproxy -c -f $dir/haproxy.cfg 2>&1`;
        is($? ? $said : '', '', $where);
    }
}

# the test sees what is wrong

like(refusal("location /x {\n    hls_cache_valid sometimes;\n}\n"),
    qr/sometimes/, 'a wrong one');

###############################################################################

sub parts {
    my ($file, $language) = @_;
    my @found;

    open(my $fh, '<', $file) or die "Can't open $file: $!\n";
    my $text = do { local $/; <$fh> };

    (my $name = $file) =~ s!^\.\./!!;

    while ($text =~ /^```$language\n(.*?)^```$/msg) {
        my $block = $1;
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);

        push @found, ["$name:$line", $block];
    }

    return @found;
}

# what nginx says, in the context where it is content, or comes furthest

sub refusal {
    my ($text) = @_;
    my (%said, @routes);

    $text = here($text);

    # whole blocks that can be in no other place

    if ($text !~ /^(?:http|stream|rtmp|events) \{/m) {
        push @routes, $1 while $text =~ s/^(rtmp_route \S+ \{\n.*?^\})\n//ms;
    }

    return '' if $text !~ /^\s*[^#\s]/m && !@routes;

    my @contexts = $text =~ /^\s*[^#\s]/m ? @order : 'main';

    # most are of one of these

    for my $likely ([server => qr/^location /m],
                    [stream => qr/^\s+(?:osp_upstream|ssl_preread)/m],
                    [http => qr/^server \{|^log_format/m],
                    [route => qr/^path /m],
                    [published => qr/^application /m],
                    [session => qr/^osp_/m],
                    [main => qr/^(?:http|stream|rtmp|events) /m])
    {
        @contexts = ($likely->[0], grep { $_ ne $likely->[0] } @contexts)
            if $text =~ $likely->[1];
    }

    for my $context (@contexts) {
        my $whole = $around{$context} =~ s/%s/$text/r;

        $said{$context} = nginx_says(join("\n", @routes, $whole));

        return '' if $said{$context} eq '';
    }

    my ($best) = grep { $said{$_} !~ /is not allowed here|unknown directive/ }
        @contexts;

    return defined $best ? "in $best: $said{$best}" : $said{$contexts[0]};
}

sub nginx_says {
    my ($text) = @_;
    my $all = "$text\n";

    # what parts name, and do not define

    my $http = $all =~ /hls_cache_zone\s/ ? '' : "hls_cache_zone hls 1m;\n";
    my $stream = '';

    for ('origin http', 'origin_api api') {
        my ($name, $protocol) = split / /;

        $http .= "upstream $name { rtmp_route live $protocol; }\n"
            if $all =~ m!://$name\b! && $all !~ /upstream $name \{/;
    }

    $stream = "upstream origin { rtmp_route live rtmp; }\n"
        if $all =~ /proxy_pass\s+origin;/ && $all !~ /upstream origin \{/;

    $text =~ s/^http \{\n\K(?!%%)/%%TEST_GLOBALS_HTTP%%\n/mg;
    $text =~ s/%%HTTP%%/$http/;
    $text =~ s/%%STREAM%%/$stream/;

    my $core = $all =~ /hls_cache_auth\s+osp/
        ? 'osp_core http://127.0.0.1; resolver 127.0.0.1;' : '';

    my %routes = map { $_ => 1 } 'live', grep { !/^(?:off|proxies)$/ }
        $all =~ /\b(?:rtmp_route(?:_acl)?|osp_upstream)\s+(\w+)\b[^{;]*;/g,
        $all =~ /\sroute=(\w+)/g;

    for my $name (sort keys %routes) {
        $text .= "\nrtmp_route $name { server 127.0.0.1 http=80 api=81; "
            . "$core }\n" if $all !~ /^rtmp_route $name \{/m;
    }

    $text .= "\nevents { }\n" if $all !~ /^events /m;

    $t->write_file_expand('nginx.conf', "%%TEST_GLOBALS%%\n$text");

    my $pid = open(my $fh, '-|');
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open(STDERR, '>&', \*STDOUT);
        exec($t->command(), '-t');
        exit 1;
    }

    my $said = do { local $/; <$fh> } || '';
    close($fh);

    return '' if $? == 0;

    return join("\n", $said =~ /\[emerg\] (.*)/g) || $said || 'nginx failed';
}

# files, sockets and hosts of the test

sub here {
    my ($text) = @_;

    $text =~ s/^(?:load_module|user|pid|error_log)\s[^;]*;.*\n//mg;
    $text =~ s/^(\s*include\s+)(logs\/)/$1$conf\/$2/mg;
    $text =~ s/^\s*include\s+(?![\/\s])[^;]*;.*\n//mg;
    $text =~ s/(ssl_\w*certificate\s+)[^;]+;/$1$dir\/crt;/g;
    $text =~ s/(ssl_\w*certificate_key\s+)[^;]+;/$1$dir\/key;/g;
    $text =~ s/(access_log\s+)\/\S+?([ ;])/$1$dir\/access.log$2/g;
    $text =~ s/(state\s+)\/[^;]+;/$1$dir\/state;/g;
    $text =~ s/(token=file:)\S+?([ ;])/$1$dir\/nginx.conf$2/g;

    # each name has an address of its own

    $text =~ s/\b((?:[\w-]+\.)+(?:example\.com|cluster\.local)|proxy-\w\b)
              /$hosts{$1} ||= '127.0.1.' . (1 + keys %hosts)/gex;

    # the ports of nginx-rtmp are numbers

    my @blocks = split /^(rtmp \{\n.*?^\})/ms, $text;

    for (@blocks) {
        if (/^rtmp \{/) {
            s/(listen\s+)[^;\s]*?(\d+)
             /"${1}127.0.0.1:" . port(8000 + $2 % 900)/gex;
            next;
        }

        s/(listen\s+)(?!unix:)([^;\s]+)([^;]*);/
            my ($listen, $at, $rest) = ($1, $2, $3);

            $sockets{$at} ||= "$dir\/s" . keys %sockets;
            $rest =~ s! (reuseport|ipv6only=\w+|udp)!!g;

            "${listen}unix:$sockets{$at}$rest;"/gex;
    }

    return join('', @blocks);
}

###############################################################################
