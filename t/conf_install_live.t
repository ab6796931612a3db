#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for conf/install.sh on a machine that runs: in a root of its own, with
# programs of this one, but for systemctl and crontab.

###############################################################################

use warnings;
use strict;

use File::Basename qw/ dirname /;
use File::Copy qw/ copy /;
use File::Path qw/ make_path /;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http proxy rewrite access stream pcre/)->has_daemon('ldd');

plan(skip_all => 'must be root') if $> != 0;

my ($modules) = $t->test_globals_modules()
    =~ m!load_module (\S+)/ngx_rtmp_route_module\.so!;

plan(skip_all => 'modules are inside of nginx') unless defined $modules;

my $nginx = $Test::Nginx::NGINX;
my $root = $t->testdir() . '/root';

my ($lib) = $t->configure_args() =~ /--modules-path=(\S+)/;

plan(skip_all => 'no dynamic stream module')
    unless defined $lib && -e "$lib/ngx_stream_module.so";

make_path(map { "$root/$_" } qw! dev etc tmp run conf/servers conf/locations
    conf/custom conf/logs mods usr/bin usr/share/nginx var/lib/nginx
    var/log/nginx
    opt/osp-proxy/conf etc/systemd/system/multi-user.target.wants !, $lib);

symlink(readlink("/$_"), "$root/$_") for grep { -l "/$_" } qw/ bin sbin /;

# the null device may be out of reach

system("mknod -m 666 $root/dev/null c 1 3 2>/dev/null") == 0
    && open(my $null, '>', "$root/dev/null")
    or plan(skip_all => 'no devices can be made');

my @programs = map { Test::Nginx::find_binary($_) } qw/ awk cat chmod cmp cp
    dirname find grep head id ln mkdir mktemp mv rm sed sh sort tail tr /;

program($_) for @programs, $nginx;
library($_) for glob("$modules/ngx_*.so"), "$lib/ngx_stream_module.so";

copy("$modules/$_.so", "$root/mods/") for qw/ ngx_rtmp_route_module
    ngx_stream_osp_upstream_module ngx_http_hls_cache_module /;
copy("$lib/ngx_stream_module.so", "$root$lib/");

for my $file (glob("$FindBin::Bin/../conf/*"),
    glob("$FindBin::Bin/../conf/{servers,locations,logs,custom}/*"))
{
    next if -d $file;

    my ($name) = $file =~ m!/\.\./(conf/.*)!;

    copy($file, "$root/$name");
    chmod((stat($file))[2] & 07777, "$root/$name");
}

write_to('/etc/passwd', "root:x:0:0::/:/bin/sh\n"
    . "www-data:x:33:33::/var/www:/bin/false\n");
write_to('/etc/group', "root:x:0:\nwww-data:x:33:\n");
write_to('/etc/hosts', "127.0.0.1 localhost osp.example.com\n");
write_to('/etc/resolv.conf', "nameserver 192.0.2.53\n");
write_to(dirname(conf_path($t)) . '/mime.types', "types { }\n");
write_to(dirname(conf_path($t)) . '/custom/osp-proxy-custom-servers.conf',
    'listen 127.0.0.1:' . port(8080) . ";\n");
write_to('/opt/osp-proxy/conf/config.py',
    "ospCoreAPI = 'https://osp.example.com'\n");
write_to('/etc/systemd/system/nginx-osp.service', "[Unit]\n# old\n");
symlink('../osp-proxy.service',
    "$root/etc/systemd/system/multi-user.target.wants/osp-proxy.service");

my $table = "# m h\n5 4 * * * /bin/true\n";
my $line = "*/5 * * * * /opt/osp-proxy/updateUpstream.sh\n";

write_to('/crontab', $table . $line);

script('/usr/bin/crontab', <<'EOF_SH');
[ "$1 $2" = "-u root" ] || exit 1
[ "$3" = -l ] && exec cat /crontab
[ "$3" = - ] && exec cat >/crontab
exit 1
EOF_SH

script('/usr/bin/systemctl', <<'EOF_SH');
echo "$*" >>/systemctl
[ "$1" != restart ] || [ ! -e /broken ]
EOF_SH

$t->plan(17);

###############################################################################

like(install('--dry-run'), qr/starts nginx-osp/, 'dry run');
is(systemctl(), '', 'dry run, nothing is done');
is(read_from('/crontab'), $table . $line, 'dry run, crontab');

my $out = install();

is($?, 0, 'status');
like($out, qr/done; /, 'install');
is(systemctl(), "daemon-reload\nstop osp-proxy\nstop nginx\n"
    . "restart nginx-osp\n", 'services');
is(read_from('/crontab'), "$table#nginx-osp# $line", 'crontab');
like(read_from('/etc/systemd/system/nginx-osp.service'), qr/SIGQUIT/, 'unit');

# it stands where nginx looks for it

is(`chroot $root $nginx -t 2>&1` =~ /test is successful/ && $?, 0, 'nginx -t');

install();
is(systemctl(), "daemon-reload\nstop osp-proxy\nstop nginx\n"
    . "restart nginx-osp\n", 'again, services');
is(read_from('/crontab'), "$table#nginx-osp# $line", 'again, crontab');

like(install('--no-start'), qr/done; /, 'without services');
is(systemctl(), '', 'without services, none');

write_to('/broken', '');
like(install(), qr/does not start; .*--uninstall/, 'it does not start');
unlink("$root/broken", "$root/systemctl");

install('--uninstall');
is(systemctl(), "daemon-reload\nrestart osp-proxy\nrestart nginx-osp\n",
    'uninstall, services');
is(read_from('/crontab'), $table . $line, 'uninstall, crontab');
like(read_from('/etc/systemd/system/nginx-osp.service'), qr/# old/,
    'uninstall, unit');

###############################################################################

sub install {
    my (@args) = @_;

    return `env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot $root \\
        /conf/install.sh --nginx=$nginx --modules=/mods @args 2>&1`;
}

sub systemctl {
    my $text = read_from('/systemctl');

    unlink("$root/systemctl");

    return $text;
}

sub conf_path {
    my ($t) = @_;
    my ($path) = $t->configure_args() =~ /--conf-path=(\S+)/;

    return $path;
}

# under the name by which it is called, and all that it is linked with

sub program {
    my ($file) = @_;

    make_path(dirname("$root$file"));
    copy($file, "$root$file") or die "Can't copy $file: $!\n";
    chmod(0755, "$root$file");
    library($file);
}

sub library {
    my ($file) = @_;

    for my $lib (`ldd $file 2>/dev/null` =~ m!(/\S+) \(0x!g) {
        next if -e "$root$lib";

        make_path(dirname("$root$lib"));
        copy($lib, "$root$lib");
        chmod(0755, "$root$lib");
    }
}

sub script {
    my ($name, $text) = @_;

    write_to($name, '#!' . Test::Nginx::find_binary('sh') . "\n$text");
    chmod(0755, "$root$name");
}

sub write_to {
    my ($name, $text) = @_;

    make_path(dirname("$root$name"));

    open(my $fh, '>', "$root$name") or die "Can't create $name: $!\n";
    print $fh $text;
    close($fh);
}

sub read_from {
    my ($name) = @_;
    local $/;

    open(my $fh, '<', "$root$name") or return '';

    return <$fh> // '';
}

###############################################################################
