package Test::Nginx::Tree;

# Copyright (C) The nginx-osp authors

# The tree in conf/ with ports and paths of a test.
#
#     tree($t, '', route => 'osp_core http://127.0.0.1:8082;');
#     $t->run();
#     tree($t, 'child', api => 8086, route => '...');
#     run_tree($t, 'child');
#
# It is written to the directory of the test, or one below, which stands for
# that of nginx's configuration.  Options:
#
#   route    directives of rtmp_route, osp_core among them
#   listen   custom/osp-proxy-custom-servers.conf; "listen 127.0.0.1:8080;"
#   api      port of the API (8085)
#   rtmp     port of RTMP, if there is one
#   tier     custom/osp-proxy-custom-tier.conf is put to use: its address

use strict;
use warnings;

use Cwd qw/ abs_path /;
use Exporter qw/ import /;
use File::Basename qw/ dirname /;
use File::Path qw/ make_path /;
use Test::Nginx qw//;


our @EXPORT = qw/ tree tree_file run_tree /;

my $conf = abs_path(dirname(__FILE__) . '/../../../..') . '/conf';


sub tree {
    my ($t, $name, %opt) = @_;
    my ($dir, $base, $text, $api);

    $base = $name eq '' ? '' : "$name/";
    $dir = $t->testdir() . "/$name";
    $api = $opt{api} || 8085;

    make_path(map { "$dir/$_" } qw/ servers locations custom logs /);

    $t->write_file("${base}mime.types", <<'EOF_TYPES');
types {
    text/html                      html;
    application/vnd.apple.mpegurl  m3u8;
    video/mp2t                     ts;
}
EOF_TYPES

    $text = tree_file('nginx.conf');

    $text =~ s/^(load_module|user|pid|error_log|worker_rlimit\w+)\s.*\n//mg;
    $text =~ s/^worker_processes .*/worker_processes 2;/m;
    $text =~ s/(worker_connections) .*/$1 512;/;
    $text =~ s/512m/32m/;
    $text =~ s!/var/log/nginx/!$dir/logs/!g;
    $text =~ s!^http \{!http {\n    proxy_temp_path $dir/proxy_temp;!m;

    $t->write_file_expand("${base}nginx.conf",
        "%%TEST_GLOBALS%%\ndaemon off;\n$text");

    if ($name ne '') {
        $text = $t->read_file("${base}nginx.conf");
        $text =~ s!^(pid|error_log) \Q@{[$t->testdir()]}\E!$1 $dir!mg;
        $t->write_file("${base}nginx.conf", $text);
    }

    $t->write_file("$base$_", tree_file($_)) for qw! cors.conf
        logs/hls.conf logs/rtmp.conf locations/osp-proxy-locations.conf !;

    $t->write_file_expand("${base}servers/osp-proxy-servers.conf",
        tree_file('servers/osp-proxy-servers.conf')
            =~ s/127\.0\.0\.1:6998/127.0.0.1:$api/r);

    $t->write_file_expand("${base}custom/osp-proxy-custom-servers.conf",
        $opt{listen} || 'listen 127.0.0.1:8080;');

    $text = tree_file('custom/osp-proxy-custom-route.conf');

    $text =~ s!osp_core .*;!$opt{route}!;
    $text =~ s!/var/lib/nginx/!$dir/!;
    $text =~ s/resolver .*;/resolver 127.0.0.1;/;

    $t->write_file_expand("${base}custom/osp-proxy-custom-route.conf", $text);

    # what is there to be uncommented

    $text = tree_file('custom/osp-proxy-custom-rtmp.conf');

    if ($opt{rtmp}) {
        $text =~ s/^# (stream \{\n(?:#.*\n)*)/uncomment($1)/me;
        $text =~ s!/var/log/nginx/!$dir/!;
        $text =~ s/listen +1935/listen 127.0.0.1:$opt{rtmp}/;
    }

    $t->write_file_expand("${base}custom/osp-proxy-custom-rtmp.conf", $text);

    $text = tree_file('custom/osp-proxy-custom-tier.conf');

    if ($opt{tier}) {
        $text =~ s/^# (.*[;{}])$/$1/mg;
        $text =~ s/listen +5999/listen $opt{tier}/;
        $text =~ s/192\.0\.2\.20/127.0.0.1/;
    }

    $t->write_file_expand("${base}custom/osp-proxy-custom-tier.conf", $text);

    return $t;
}

sub uncomment {
    my ($text) = @_;

    $text =~ s/^# ?//mg;

    return $text;
}

sub tree_file {
    my ($name) = @_;
    local $/;

    open(my $fh, '<', "$conf/$name") or die "Can't open $conf/$name: $!\n";

    return <$fh>;
}

# One below the directory of the test, beside the nginx of the test.

sub run_tree {
    my ($t, $name) = @_;
    my $dir = $t->testdir() . "/$name";

    $t->run_daemon($Test::Nginx::NGINX, '-p', "$dir/", '-c', "nginx.conf",
        '-e', 'error.log');

    return $t->waitforfile("$dir/nginx.pid");
}


1;
