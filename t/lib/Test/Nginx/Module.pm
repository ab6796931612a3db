package Test::Nginx::Module;

# Copyright (C) The nginx-osp authors

# Builds a module that is there for tests alone, from t/modules, in the way in
# which the modules of this tree are built, and for the same nginx.
#
#     test_module($t, 'ngx_http_hls_fill_test_module');
#
# puts it into %%TEST_GLOBALS%%, in place of the modules of this tree.  The
# test is skipped if there is nothing to build the module with, or if it does
# not fit the nginx under test, and fails if it does not compile.  One that is
# ready is taken from TEST_NGINX_TEST_MODULES.

use strict;
use warnings;

use Cwd qw/ abs_path /;
use Exporter qw/ import /;
use File::Basename qw/ dirname /;
use Test::More qw//;


our @EXPORT = qw/ test_module /;


sub test_module {
    my ($t, $name) = @_;
    my ($file, $env, $out);

    $file = defined $ENV{TEST_NGINX_TEST_MODULES}
        ? "$ENV{TEST_NGINX_TEST_MODULES}/$name.so" : build($name);

    skip_all("no $name") unless defined $file && -e $file;

    $env = ($ENV{TEST_NGINX_GLOBALS} || '') . "\nload_module $file;";

    $t->write_file('module.conf', "$env\nevents {\n}\n");

    $out = `$Test::Nginx::NGINX -t -p @{[$t->testdir()]}/ \\
        -e stderr -c module.conf 2>&1`;

    skip_all("$name does not fit this nginx")
        if $out =~ /is not binary compatible|is already loaded|: version /;

    $ENV{TEST_NGINX_GLOBALS} = $env;
    delete $t->{_test_globals};
}

sub build {
    my ($name) = @_;
    my ($root, $build, $version, $dir, $out);

    $root = abs_path(dirname(__FILE__) . '/../../../..');
    $build = $ENV{BUILD} || "$root/build";

    ($version) = `$Test::Nginx::NGINX -v 2>&1` =~ m!nginx/([\d.]+)!;
    $dir = "test-$version-$name";

    local $ENV{BUILD} = $build;
    local $ENV{VARIANT} = $dir;
    local $ENV{MODULE} = "$root/t/modules/$name";
    local $ENV{STATIC} = '';

    $out = `'$root/tools/build' 2>&1 </dev/null`;

    if ($?) {
        return undef if $out =~ /no headers of nginx|not found/
            && $out !~ /make failed/;
        die "Can't build $name:\n$out";
    }

    return "$build/$dir/objs/$name.so";
}

sub skip_all {
    Test::More::plan(skip_all => $_[0]);
}


1;
