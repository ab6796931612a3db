#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for conf/install.sh: what it reads, writes, keeps, and puts back.

###############################################################################

use warnings;
use strict;

use Digest::MD5 qw/ md5_hex /;
use File::Basename qw/ basename dirname /;
use File::Copy qw/ copy /;
use File::Find;
use File::Path qw/ make_path remove_tree /;
use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http proxy rewrite access stream pcre http_v2/);

my $dir = $t->testdir();
my $script = "$FindBin::Bin/../conf/install.sh";
my ($modules) = $t->test_globals_modules()
    =~ m!load_module (\S+)/ngx_rtmp_route_module\.so!;

plan(skip_all => 'modules are inside of nginx') unless defined $modules;

# an nginx that says how it was built

my $osp = '--prefix=/usr/local/nginx --with-http_ssl_module';

my @good = (
    ['ospCoreAPI = "https://osp.example.com"', 'https://osp.example.com'],
    ["ospCoreAPI='http://10.0.0.1:8080/'", 'http://10.0.0.1:8080'],
    ["\xef\xbb\xbfospCoreAPI=\"http://[2001:db8::1]:5000\"\r\n",
        'http://[2001:db8::1]:5000'],
    ['ospCoreAPI = "http://a.example/x/y" # "comment"', 'http://a.example/x/y'],
    ["# ospCoreAPI = 'http://b.example'\nospCoreAPI = 'http://a.example'",
        'http://a.example'],
    ["ospCoreAPI = 'http://a.example'\nforceDestination = None\n",
        'http://a.example'],
);

my $core = "ospCoreAPI = 'http://a.example'\n";

my @bad = (
    ['no value', 'debugMode = False', qr/no ospCoreAPI/],
    ['never set', 'ospCoreAPI = "#CHANGEMETOOSPCORE"', qr/was never set/],
    ['no URL', 'ospCoreAPI = "osp.example.com"', qr/is not a URL/],
    ['other scheme', 'ospCoreAPI = "file:///etc/passwd"', qr/is not a URL/],
    ['no host', 'ospCoreAPI = "http://"', qr/is not a URL/],
    ['user', 'ospCoreAPI = "http://u:p@a.example"', qr/is not a URL/],
    ['port', 'ospCoreAPI = "http://a.example:65536"', qr/is not a URL/],
    ['arguments', 'ospCoreAPI = "http://a.example/?a"', qr/is not a URL/],
    ['directive', 'ospCoreAPI = "http://a.example; } include /etc/passwd;"',
        qr/is not a URL/],
    ['variable', 'ospCoreAPI = "http://$host"', qr/is not a URL/],
    ['dollar', 'ospCoreAPI = "http://a.example/$(id)"', qr/is not a URL/],
    ['backquote', 'ospCoreAPI = "http://a.example/`id`"', qr/is not a URL/],
    ['space', 'ospCoreAPI = "http://a.example/ x"', qr/is not a URL/],
    ['tab', "ospCoreAPI = \"http://a.example/\tx\"", qr/is not a URL/],
    ['not ASCII', "ospCoreAPI = \"http://\xc3\xa4.example\"", qr/is not a URL/],
    ['newline', 'ospCoreAPI = "http://a.example\n}"', qr/:1: .*plain string/],
    ['sum', 'ospCoreAPI = "http://" + host', qr/:1: .*plain string/],
    ['two strings', 'ospCoreAPI = "http://" "a.example"', qr/plain string/],
    ['call', 'ospCoreAPI = os.environ["CORE"]', qr/plain string/],
    ['format', 'ospCoreAPI = f"http://{x}"', qr/plain string/],
    ['not closed', 'ospCoreAPI = "http://a.example', qr/plain string/],
    ['many lines', "ospCoreAPI = \"\"\"\nhttp://a.example\"\"\"", qr/several/],
    ['within a string', "x = '''\nospCoreAPI = 'http://a.example'\n'''",
        qr/:1: .*several/],
    ['continued', "ospCoreAPI = \\\n'http://a.example'", qr/continued/],
    ['indented', "if 1:\n  ospCoreAPI = 'http://a.example'", qr/:2: only/],
    ['added to', "${core}ospCoreAPI += ';'", qr/:2: only/],
    ['second statement', "debugMode = 0; ospCoreAPI = 'http://a.example'",
        qr/:1: only/],
    ['twice', "$core$core", qr/:2: ospCoreAPI is set twice/],
    ['binary', "$core\0", qr/not a text file/],
    ['no type', "${core}forceDestination = 'b.example'", qr/must be edge or/],
    ['wrong type', "${core}forceDestination = 'b.example'\n"
        . "forceDestinationType = 'edge;'", qr/must be edge or proxy/],
    ['wrong host', "${core}forceDestination = 'b.example type=edge; }'\n"
        . "forceDestinationType = 'edge'", qr/is not a host like/],
    ['host with a path', "${core}forceDestination = 'b.example/x'\n"
        . "forceDestinationType = 'edge'", qr/is not a host like/],
);

$t->plan(61 + 2 * @good + 2 * @bad);

###############################################################################

# what is there when OSP-Proxy is

my $root = new_root('root');
my $cron = '/var/spool/cron/crontabs/root';
my $wants = '/etc/systemd/system/multi-user.target.wants';
my $route = '/etc/nginx/custom/osp-proxy-custom-route.conf';
my $before = listing($root);

# only said

like(install('--dry-run'), qr/writes \S+\/nginx\.conf\n/, 'dry run');
is($?, 0, 'dry run, status');
is(listing($root), $before, 'dry run changes nothing');

# done

like(install(), qr/done; .*--uninstall/, 'install');
is($?, 0, 'status');

like(file('/etc/nginx/nginx.conf'),
    qr!^load_module /usr/lib/nginx/modules/ngx_rtmp_route_module\.so;!m,
    'nginx.conf');

for my $file (qw! cors.conf logs/hls.conf servers/osp-proxy-servers.conf
    locations/osp-proxy-locations.conf custom/osp-proxy-custom-rtmp.conf
    custom/osp-proxy-custom-tier.conf !)
{
    is(file("/etc/nginx/$file"), slurp("$FindBin::Bin/../conf/$file"), $file);
}

for my $name (qw/ ngx_rtmp_route_module ngx_stream_osp_upstream_module
    ngx_http_hls_cache_module /)
{
    is(md5_hex(file("/usr/lib/nginx/modules/$name.so")),
        md5_hex(slurp("$modules/$name.so")), $name);
}

like(file($route), qr!^    osp_core  https://osp\.example\.com;$!m, 'core');
like(file($route), qr/^    resolver  192\.0\.2\.53 \[2001:db8::53\];$/m,
    'resolver');
unlike(file($route), qr/osp_force/, 'nothing forced');

like(file('/etc/nginx/custom/osp-proxy-custom-servers.conf'), qr/^# mine/m,
    'a file of the user is kept');

is(file($cron), "# m h\n0 1 * * * /usr/bin/other\n"
    . "#nginx-osp# */5 * * * * /opt/osp-proxy/updateUpstream.sh\n", 'crontab');
ok(!-e "$root/etc/cron.d/osp-proxy-upstream", 'cron.d');
ok(!-l "$root$wants/osp-proxy.service", 'osp-proxy.service');
is(readlink("$root$wants/nginx-osp.service"),
    '/etc/systemd/system/nginx-osp.service', 'nginx-osp.service');
like(file('/etc/systemd/system/nginx-osp.service'),
    qr!^ExecStart=\Q$Test::Nginx::NGINX\E$!m, 'unit');
like(file('/opt/osp-proxy/updateUpstream.sh'), qr!/api/1/routes/osp/refresh!,
    'updateUpstream.sh');
ok(-x "$root/opt/osp-proxy/updateUpstream.sh", 'can be run');

SKIP: {
    skip 'no systemd-analyze', 3 unless Test::Nginx::find_binary(
        'systemd-analyze');

    my $unit = "$root/etc/systemd/system/nginx-osp.service";

    is(`systemd-analyze verify $unit 2>&1`, '', 'unit is verified');

    my $out = `systemd-analyze security --offline=yes $unit 2>&1`;
    my ($exposure) = $out =~ /exposure level for \S+: ([\d.]+)/;

    skip 'no systemd-analyze security', 2 unless defined $exposure;

    cmp_ok($exposure, '<', 4, 'exposure');

    # what OSP installs has 9.4
    unlike($out, qr/UNSAFE|EXPOSED/, 'not exposed');
}

is(file('/etc/logrotate.d/nginx-osp'),
    slurp("$FindBin::Bin/../conf/nginx-osp.logrotate"), 'logrotate');

SKIP: {
    my $logrotate = Test::Nginx::find_binary('logrotate')
        or skip 'no logrotate', 1;

    unlike(`$logrotate -d $root/etc/logrotate.d/nginx-osp 2>&1`,
        qr/nginx-osp:\d+/, 'logrotate takes it');
}

# again

my $after = listing($root);

unlike(install(), qr{writes|removes|disables|enables|comments},
    'nothing to do');
is(listing($root), $after, 'again changes nothing');

# what the user and others write stays

append('/etc/nginx/custom/osp-proxy-custom-tier.conf', "# mine too\n");
append($route, "# mine as well\n");
append('/etc/nginx/cors.conf', "# not mine\n");
append($cron, "5 5 * * * /usr/bin/new\n");

like(install(), qr/osp-proxy-custom-route\.conf is kept, it is not what/,
    'upgrade');
like(file('/etc/nginx/custom/osp-proxy-custom-tier.conf'), qr/# mine too/,
    'upgrade keeps what is changed');
like(file($route), qr/# mine as well/, 'upgrade keeps the route');
unlike(file('/etc/nginx/cors.conf'), qr/# not mine/, 'upgrade replaces');

# and back

like(install('--uninstall', '--dry-run'), qr/puts back .*nginx\.conf/,
    'uninstall, dry run');
ok(-e "$root/etc/nginx/locations/osp-proxy-locations.conf", 'still there');

like(install('--uninstall'), qr/keeps \S+tier\.conf, it was changed/,
    'uninstall');

unlink("$root$_") or die "no $_\n"
    for $route, '/etc/nginx/custom/osp-proxy-custom-tier.conf';

is(file($cron), "# m h\n0 1 * * * /usr/bin/other\n"
    . "*/5 * * * * /opt/osp-proxy/updateUpstream.sh\n5 5 * * * /usr/bin/new\n",
    'crontab is back');
put_file($root, $cron, "# m h\n0 1 * * * /usr/bin/other\n"
    . "*/5 * * * * /opt/osp-proxy/updateUpstream.sh\n");

is(listing($root), $before, 'all is as before');

like(install('--uninstall'), qr/nothing is kept/, 'nothing to uninstall');
isnt($?, 0, 'status of nothing to uninstall');

# what config.py says

for my $case (@good) {
    my ($text, $url) = @$case;

    config($text);
    install();
    is($?, 0, "good: $url");
    like(file($route), qr!^    osp_core  \Q$url\E;$!m, "core: $url");
    install('--uninstall');
}

for my $case (@bad) {
    my ($name, $text, $re) = @$case;

    config($text);

    my $was = listing($root);

    like(install(), $re, "bad: $name");
    is(listing($root), $was, "nothing changed: $name");
}

config("ospCoreAPI = 'https://a.example'\nforceDestination = 'b.example'\n"
    . "forceDestinationType = \"edge\"");
install();
like(file($route), qr/^    osp_force  b\.example type=edge scheme=https;$/m,
    'edge');
install('--uninstall');

config("${core}forceDestination = 'b.example:8080'\n"
    . "forceDestinationType = 'proxy'");
install();
like(file($route),
    qr/^    osp_force  b\.example type=proxy scheme=http port=8080;$/m,
    'proxy with a port');
install('--uninstall');

config("${core}forceDestination = '192.0.2.1'\nforceDestinationType = 'proxy'");
like(install(), qr/192\.0\.2\.1 has to let this proxy in on port 5999/,
    'proxy');
install('--uninstall');

# given by hand, in place of config.py

like(install("--core='http://a.example;}'"), qr/--core is not a URL/, '--core');
like(install("--core='http://a.example\n;}'"), qr/--core is not a URL/,
    '--core of two lines');
like(install('--prefix=conf'), qr/--prefix needs an absolute path/, '--prefix');
like(install("'--prefix=/a b'"), qr/odd characters in a path/, 'odd --prefix');
like(install('--foo'), qr/unknown option "--foo"/, 'unknown option');

put_file($root, '/srv/nginx/custom/osp-proxy-custom-servers.conf',
    'listen 127.0.0.1:' . port(8080) . ';');
put_file($root, '/etc/logrotate.d/nginx', "# of the distribution\n");
install('--core=https://a.example/', '--prefix=/srv/nginx');
ok(!-e "$root/etc/logrotate.d/nginx-osp", 'logrotate of the distribution');
like(file('/srv/nginx/custom/osp-proxy-custom-route.conf'),
    qr!^    osp_core  https://a\.example;$!m, '--core and --prefix');
install('--uninstall');
ok(!-e "$root/srv/nginx/nginx.conf", '--prefix, uninstall');

# what nginx does not take

put_file($root, '/etc/nginx/custom/osp-proxy-custom-servers.conf', 'foo bar;');
my $was = listing($root);

like(install(), qr!unknown directive "foo" in /etc/nginx/custom/.*nothing was!s,
    'nginx -t');
is(listing($root), $was, 'nginx -t, nothing changed');

# OSP's own nginx

$root = new_root('osp');
fake_nginx("$osp");

like(install('--nginx=/usr/local/nginx/sbin/nginx'), qr/without\ --with-compat.*
    --with-stream=dynamic\ --add-dynamic-module=.*no\ ngx_stream_module/xs,
    'nginx of OSP, to be built');

fake_nginx("$osp --with-stream");
put_file($root, '/usr/local/nginx/conf/mime.types', "types { }\n");
install();

is(file('/usr/local/nginx/conf/nginx.conf') =~ /^(load_module .*)/m && $1,
    'load_module /usr/local/nginx/modules/ngx_rtmp_route_module.so;',
    'nginx with stream inside');
like(file('/etc/systemd/system/nginx-osp.service'),
    qr!^ExecStart=/usr/local/nginx/sbin/nginx$!m, 'unit of OSP');
ok(-e "$root/usr/local/nginx/modules/ngx_http_hls_cache_module.so",
    'modules of OSP');

###############################################################################

sub install {
    my (@args) = @_;

    # not the modules of another build
    my $nginx = grep({ /^--nginx/ } @args) || -e "$root/usr/local/nginx/sbin"
        ? '' : "--nginx=$Test::Nginx::NGINX";

    return `DESTDIR=$root $script $nginx --modules=$modules @args 2>&1`;
}

sub new_root {
    my ($name) = @_;
    my $new = "$dir/$name";

    put_file($new, '/opt/osp-proxy/conf/config.py', <<'EOF_PY');
# Flask Secret Key
secretKey="CHANGEME"

# Enables Debug Mode
debugMode = False

# OSP Core API Site ex:http://osp.example.com
ospCoreAPI = "https://osp.example.com"

#forceDestination = "example.com"
#forceDestinationType = "edge" # Choices are "edge", "proxy"
EOF_PY

    put_file($new, '/opt/osp-proxy/updateUpstream.sh', "#!/bin/sh\n");
    put_file($new, '/etc/nginx/nginx.conf', "# old\n");
    put_file($new, '/etc/nginx/cors.conf', "# old\n");
    put_file($new, '/etc/nginx/mime.types',
        "types { application/vnd.apple.mpegurl m3u8; }\n");
    put_file($new, '/etc/nginx/custom/osp-proxy-custom-servers.conf',
        'listen 127.0.0.1:' . port(8080) . ";\n# mine\n"
        . "valid_referers server_names example.com ~.;\n");
    put_file($new, '/etc/systemd/system/nginx-osp.service', "[Unit]\n");
    put_file($new, '/etc/cron.d/osp-proxy-upstream', "# old\n");
    put_file($new, '/etc/resolv.conf', "search example.com\n"
        . "nameserver 192.0.2.53\nnameserver fe80::1%eth0\n"
        . "nameserver 192.0.2.54;}\nnameserver ;\n"
        . "nameserver 2001:db8::53\n");
    put_file($new, '/var/spool/cron/crontabs/root', "# m h\n"
        . "0 1 * * * /usr/bin/other\n"
        . "*/5 * * * * /opt/osp-proxy/updateUpstream.sh\n");

    make_path("$new/etc/systemd/system/multi-user.target.wants",
        "$new/var/log/nginx", "$new/var/lib/nginx",
        "$new/usr/lib/nginx/modules",
        map { "$new/etc/nginx/$_" } qw/ servers locations /);
    symlink('/etc/systemd/system/osp-proxy.service', "$new/etc/systemd/system/"
        . 'multi-user.target.wants/osp-proxy.service');

    return $new;
}

sub fake_nginx {
    my ($args) = @_;

    put_file($root, '/usr/local/nginx/sbin/nginx', "#!/bin/sh\n" . <<"EOF_SH");
[ "\$1" = -V ] && echo 'nginx version: nginx/1.22.1
configure arguments: $args'
exit 0
EOF_SH

    chmod(0755, "$root/usr/local/nginx/sbin/nginx");
}

sub config {
    my ($text) = @_;

    put_file($root, '/opt/osp-proxy/conf/config.py', "$text\n");
}

sub put_file {
    my ($base, $name, $text) = @_;

    make_path(dirname("$base$name"));

    open(my $fh, '>', "$base$name") or die "Can't create $name: $!\n";
    binmode($fh);
    print $fh $text;
    close($fh);
}

sub append {
    my ($name, $text) = @_;

    put_file($root, $name, file($name) . $text);
}

sub file {
    my ($name) = @_;

    return slurp("$root$name");
}

sub slurp {
    my ($name) = @_;
    local $/;

    open(my $fh, '<', $name) or return '';
    binmode($fh);

    return <$fh> // '';
}

# all files, what is in them, and links

sub listing {
    my ($base) = @_;
    my @list;

    find({ no_chdir => 1, wanted => sub {
        my $name = substr($File::Find::name, length($base));

        push @list, -l $File::Find::name ? "$name -> "
            . readlink($File::Find::name)
            : -d _ ? () : "$name " . md5_hex(slurp($File::Find::name));
    } }, $base);

    return join("\n", sort @list);
}

###############################################################################
