#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for what is in docker/, but for the image itself, which "make
# docker-test" is about: settings, metrics in alerts and in the dashboard,
# manifests.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use JSON::PP;
use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_realip http_ssl http_v2 proxy
    access rewrite pcre stream stream_ssl stream_map/)->has_daemon('bash')
    ->has_daemon('openssl');

eval { require YAML::XS; };
plan(skip_all => 'YAML::XS not installed') if $@;

my $docker = "$FindBin::Bin/../docker";
my $top = "$FindBin::Bin/..";
my $dir = $t->testdir();

# what is wrong: the setting, its value, and what is said about it

my @wrong = (
    [OSP_ROLE => 'both', 'OSP_ROLE is "both", but'],
    [OSP_ORIGINS => '10.0.0.1; } events {', 'OSP_ORIGINS is'],
    [OSP_ORIGINS => '10.0.0.1 # rtmp=1', 'OSP_ORIGINS is'],
    [OSP_ORIGINS => '10.0.0.1 $x', 'OSP_ORIGINS is'],
    [OSP_ORIGINS => "10.0.0.1 'x", 'OSP_ORIGINS is'],
    [OSP_RTMP => '99999', 'OSP_RTMP has the port 99999'],
    [OSP_RTMP => "1935\n;", 'OSP_RTMP is "1935?;"'],
    [OSP_RTMP => '1935 ssl', 'OSP_RTMP is'],
    [PROXY_HTTP_API => 'host:1985', 'PROXY_HTTP_API is'],
    [OSP_HTTP => 'off', 'cannot be off'],
    [OSP_API => '127.0.0.1:' . port(8080), 'OSP_HTTP and OSP_API are the same'],
    [OSP_HTTPS => '8443', 'need OSP_TLS_CERT and OSP_TLS_KEY'],
    [OSP_REGISTER_TOKEN => 'a;b', 'the token for registration'],
    [OSP_REGISTER_TOKEN_FILE => "/nonexistent\e[1m", 'cannot be read'],
    [OSP_REGISTER_FROM => '10.0.0.0/8 all', 'OSP_REGISTER_FROM is'],
    [OSP_REGISTER_OPEN => 'yes', '"on" or "off"'],
    [OSP_API_ALLOW => 'all; deny', 'OSP_API_ALLOW is'],
    [OSP_CORE => 'http://x; events', 'OSP_CORE is'],
    [OSP_CACHE => 'large', 'OSP_CACHE is'],
    [OSP_CORS => 'example.com', 'OSP_CORS is'],
    [OSP_HEALTH_CHECK => 'type=rtmp;', 'OSP_HEALTH_CHECK is'],
    [OSP_STATE => '/tmp/x;y', 'OSP_STATE is'],
    [OSP_LOG_LEVEL => 'all', 'OSP_LOG_LEVEL is'],
    [OSP_LOG_FORMAT => 'xml', 'OSP_LOG_FORMAT is'],
    [OSP_ORIGIN => '10.0.0.1', 'OSP_ORIGIN: there is no such setting'],
    [PROXY_DEFAULT_BACKEND_IP => '10.0.0.1;', 'PROXY_DEFAULT_BACKEND_IP is'],
    [PROXY_DEFAULT_BACKEND_HTTP => '0', 'PROXY_DEFAULT_BACKEND_HTTP is'],
    [PROXY_LOAD_BALANCER_TYPE => 'dns', 'PROXY_LOAD_BALANCER_TYPE is'],
);

# settings that make another configuration each

my @good = (
    { OSP_ORIGINS => "10.0.0.1 rtmp=1935 http=80; [::1] rtmp=1\n10.0.0.2;\n" },
    { OSP_REGISTER_TOKEN => 'abc def', OSP_BALANCE => 'least_conn',
        OSP_REGISTER_FROM => '10.0.0.0/8, fd00::/8',
        OSP_REGISTER_ALLOW => '10.0.0.0/8', OSP_RESUME => 'off',
        OSP_NO_INPUT => 'off', OSP_HEALTH_CHECK => 'off', OSP_CORS => 'off' },
    { OSP_CORE => 'http://127.0.0.1:9 interval=10s',
        OSP_RESOLVER => '127.0.0.1', OSP_STATE => "$dir/live.json",
        OSP_LOG_FORMAT => 'off', OSP_SHUTDOWN_TIMEOUT => '1m' },
    { OSP_REGISTER_OPEN => 'on', OSP_RTMPS => 'RTMPS', OSP_HTTPS => 'HTTPS',
        OSP_WHIP => 'WHIP', OSP_TLS_CERT => "$dir/cert.pem",
        OSP_TLS_KEY => "$dir/key.pem", OSP_REAL_IP_FROM => '10.0.0.0/8 ::1',
        OSP_CORS => 'https://a.example.com https://b.example.com:8443' },
    { PROXY_DEFAULT_BACKEND_ENABLED => 'on', PROXY_DEFAULT_BACKEND_HTTP => 80,
        PROXY_DEFAULT_BACKEND_IP => '::1', PROXY_LOAD_BALANCER_TYPE => 'redis',
        PROXY_REDIS_PASSWORD => 'hidden', PROXY_FORCE_QUIT_TIMEOUT => '30s',
        OSP_RTMP => 'off', OSP_SERVICE_HOST => '10.0.0.1',
        PROXY_PORT_1935_TCP => 'x' },
);

plan(tests => 34 + 2 * @wrong + @good);

###############################################################################
# settings
###############################################################################

system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost "
    . "-keyout $dir/key.pem -out $dir/cert.pem 2>/dev/null");

mkdir("$dir/bin");
$t->write_file('bin/nginx', "#!/bin/sh\nexit 0\n");
chmod(0755, "$dir/bin/nginx");

# the same files stand where the configuration is

mkdir("$dir/conf");
mkdir("$dir/conf/osp");
symlink("$top/conf/logs", "$dir/conf/osp/logs");
$t->write_file('conf/mime.types', "types {\n    text/html html;\n}\n");

my %usual = (OSP_RTMP => '127.0.0.1:' . port(8081),
    OSP_HTTP => '127.0.0.1:' . port(8080), OSP_API => '127.0.0.1:' . port(8082),
    OSP_CACHE => '8m', OSP_ZONE => '1m');

for (@wrong) {
    my ($name, $value, $message) = @$_;
    my ($rc, $said) = entrypoint(%usual, OSP_REGISTER_TOKEN => 'abc',
        $name => $value);

    like($said, qr/^nginx-osp: [^\n]*\Q$message\E/m, "$name wrong");
    ok($rc == 1 && !-e "$dir/run/nginx.conf", "$name wrong, not started")
        or diag("$rc: $said");
}

for my $good (@good) {
    my %set = (%usual, %$good);

    for (values %set) {
        s/^RTMPS$/'127.0.0.1:' . port(8083)/e;
        s/^HTTPS$/'127.0.0.1:' . port(8084)/e;
        s/^WHIP$/'127.0.0.1:' . port(8085)/e;
    }

    my ($rc, $said) = entrypoint(%set);
    my $result = $rc ? $said : nginx_t();

    is($result, '', join(' ', 'nginx -t:', sort keys %$good));
}

my ($rc, $said) = entrypoint(%usual);
like($said, qr/no origin can be known/, 'no origin');

($rc, $said) = entrypoint(%usual, OSP_REGISTER_TOKEN => 'abc',
    PROXY_SRT_SERVER => 10080, PROXY_REDIS_PASSWORD => 'hidden',
    PROXY_WHATEVER => 1);
is($rc, 0, 'settings of SRS');
like($said, qr/PROXY_SRT_SERVER has no meaning here.*PROXY_WHATEVER has no/s,
    'settings of SRS, warnings');
unlike($said . conf(), qr/hidden|abc/, 'no secrets');
is((stat("$dir/run/tokens"))[2] & 0777, 0600, 'file of tokens');

($rc, $said) = entrypoint(%usual, OSP_REGISTER_OPEN => 'on',
    OSP_API_ALLOW => '10.9.0.0/16,fd00::/8');
like(conf(), qr!rtmp_route_api\ \ write=on;\n\s+allow\ \ 127\.0\.0\.1;\n
    \s+allow\ \ 10\.9\.0\.0/16;\n\s+allow\ \ fd00::/8;\n
    \s+deny\ \ all;!x, 'networks of the API');

# an origin

($rc, $said) = entrypoint(OSP_ROLE => 'origin', OSP_REGISTER_TOKEN => 'abc',
    OSP_PROXIES => 'http://proxy-a:12025 https://b/api/v1/srs/register',
    OSP_RTMP => port(8081), OSP_HTTP => '127.0.0.1:' . port(8080),
    OSP_REGISTER_IP => '10.0.0.9', OSP_ID => 'a-1', OSP_WEIGHT => 2,
    OSP_MAX_STREAMS => 10);
is($said, '', 'origin');
like(conf(), qr!^\ {4}rtmp_route_register\ \ http://proxy-a:12025/api/v1/srs/
    register\ interval=9s\ http=@{[port(8080)]}\ token=file:\S+\ ip=10\.0\.0\.9
    \ id=a-1\ weight=2\ max_streams=10;\n
    \ {4}rtmp_route_register\ \ https://b/api/v1/srs/register\ !mx,
    'origin, registration');

($rc, $said) = entrypoint(OSP_ROLE => 'origin', OSP_CORE => 'http://x');
like($said, qr/OSP_CORE: there is no such setting/, 'origin, other settings');

# both pages of documentation and the script know the same

my $script = slurp("$docker/nginx-osp");
my $readme = slurp("$docker/README.md");

my %known = map { $_ => 1 } $script =~
    /^ +(?:setting|address|flag|networks|port_number) (OSP_\w+|PROXY_\w+)/mg;
$known{$_} = 1 for $script =~ /^ +(?:setting|address) OSP_\w+ (PROXY_\w+)/mg;
$known{"OSP_REGISTER_$_"} = 1 for qw/ TOKEN TOKEN_FILE /;

my %documented = map { $_ => 1 } $readme =~ /`(OSP_[A-Z_]+)`/g;
$documented{$_} = 1 for $readme =~ /`(PROXY_[A-Z_]+)`/g;

for ($readme =~ /`(PROXY_[A-Z_]+`(?: `_[A-Z]+`)+)/g) {
    my ($first, @more) = /[A-Z_]+/g;
    (my $base = $first) =~ s/_[A-Z]+$//;
    $documented{$base . $_} = 1 for @more;
}

is(join(' ', grep { !$documented{$_} } sort keys %known), '',
    'settings that are not documented');
is(join(' ', grep { !$known{$_} && /^OSP/ } sort keys %documented), '',
    'settings that do not exist');

###############################################################################
# it runs
###############################################################################

($rc, $said) = entrypoint(%usual, OSP_REGISTER_TOKEN => 'abc',
    OSP_REGISTER_ALLOW => '127.0.0.0/8', OSP_LOG_LEVEL => 'info',
    OSP_REAL_IP_FROM => '127.0.0.1', OSP_API_ALLOW => '192.0.2.0/24',
    OSP_ORIGINS => '127.0.0.1 rtmp=' . port(8086) . ' http=' . port(8087));

my $conf = conf();
my $globals = $t->test_globals();

$conf =~ s/^load_module .*\n//mg;
$conf =~ s/^(?:error_log|pid) .*\n//mg;
$conf =~ s!/dev/stdout!$dir/access.log!g;
$conf =~ s!osp/!$dir/conf/osp/!g;
$conf =~ s!mime\.types!$dir/conf/mime.types!;
$t->write_file('nginx.conf', "$globals\ndaemon off;\n$conf");

rtmp_origin($t, port(8086));

$t->run();

like(http_get('/ping'), qr/ 200 .*pong/s, 'ping');
like(api('/alive'), qr/ 200 .*alive/s, 'alive');
like(api('/metrics'), qr/^nginx_rtmp_route_build_info\{.*\} 1$/m, 'metrics');
like(api('/status'), qr/ 200 .*<html/is, 'status');
like(api('/api/1/routes/live/servers/'), qr/"id":"127.0.0.1"/, 'api');

# what clients say of their address counts for viewers alone

like(api('/status', 'X-Forwarded-For: 192.0.2.1'), qr/ 200 /,
    'address of a client, status');
http("GET /x.ts HTTP/1.0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
like(slurp("$dir/access.log"), qr/^192\.0\.2\.1 /m,
    'address of a client, viewer');
like(api('/api/v1/srs/register'), qr/ 405 /, 'register');

is(entrypoint_does('health'), 0, 'health');

my $c = rtmp_publish(port(8081), 'live', 'cam1');
is($c->{code}, 'NetStream.Publish.Start', 'publish');

like(`@{[command('drain 1')]} 2>&1`, qr/sessions are left/, 'drain');
like(http_get('/ping'), qr/ 503 /, 'ping while it drains');
is(entrypoint_does('health'), 0, 'health while it drains');

$c->close();
is(`@{[command('drain 20')]} 2>&1`, '', 'drained');

###############################################################################
# metrics
###############################################################################

my $page = slurp("$top/ngx_rtmp_route_module/README.md");
my %metrics = map { $_ => 1 } $page =~ /^\| `(nginx_\w+)` \|/mg;
my $rules = slurp("$docker/prometheus/alerts.yml");
my $dashboard = slurp("$docker/grafana/dashboard.json");

$dashboard = JSON::PP->new()->decode($dashboard);

my @exprs = map { $_->{expr} } map { @{$_->{targets} || []} }
    @{$dashboard->{panels}};

is(unknown_metrics($rules), '', 'metrics of alerts');
is(unknown_metrics(join("\n", @exprs)), '', 'metrics of the dashboard');

my %ids = map { $_->{id} => 1 } @{$dashboard->{panels}};
is(keys %ids, @{$dashboard->{panels}}, 'panels have ids');

SKIP: {
    skip 'no promtool', 1 unless Test::Nginx::find_binary('promtool');

    # expressions of the dashboard are rules, as far as their form goes

    s/\$__rate_interval/5m/g for @exprs;

    $t->write_file('dashboard.yml', JSON::PP->new()->encode({ groups => [{
        name => 'dashboard', rules => [map {
            { record => 'x:y', expr => $exprs[$_], labels => { n => "$_" } }
        } 0 .. $#exprs]
    }]}));

    my $out = `promtool check config $docker/prometheus/prometheus.yml 2>&1`
        . `promtool check rules $docker/prometheus/alerts.yml 2>&1`
        . `promtool check rules $dir/dashboard.yml 2>&1`
        . `promtool test rules $docker/prometheus/alerts_test.yml 2>&1`;

    is(() = $out =~ /SUCCESS/g, 6, 'promtool') or diag($out);
}

###############################################################################
# manifests
###############################################################################

my @objects = map { $_->{kind} eq 'List' ? @{$_->{items}} : $_ }
    map { YAML::XS::LoadFile($_) } glob("$docker/k8s/*.yaml");

is(bad_references(@objects), '', 'manifests refer to what is there');

my ($models) = glob(($ENV{BUILD} || "$top/build")
    . '/src/kubernetes-models-*/node_modules/kubernetes-models');

SKIP: {
    skip 'no node', 1 unless Test::Nginx::find_binary('node');
    skip 'no kubernetes-models', 1 unless defined $models;

    # numbers and strings are told apart by what YAML::XS has read

    no warnings 'once';
    local $YAML::XS::Boolean = 'JSON::PP';
    my @all = map { $_->{kind} eq 'List' ? @{$_->{items}} : $_ }
        map { YAML::XS::LoadFile($_) } glob("$docker/k8s/*.yaml");

    $t->write_file('objects.json', JSON::PP->new()->encode(\@all));
    is(`node $docker/k8s/check.mjs $models <$dir/objects.json 2>&1`, '',
        'manifests are of the schema');
}

# settings anywhere are known

my %used = map { $_ => 1 } map { slurp($_) =~ /\b(OSP_[A-Z_]+)/g }
    glob("$docker/k8s/*.yaml $docker/compose.yaml");

is(join(' ', grep { !$known{$_} } sort keys %used), '', 'settings in use');

###############################################################################

sub slurp {
    my ($file) = @_;

    open(my $fh, '<', $file) or return '';
    local $/;

    return <$fh>;
}

sub conf {
    return slurp("$dir/run/nginx.conf");
}

sub command {
    my ($args) = @_;

    return "env NGINX_OSP_RUN=$dir/run bash $docker/nginx-osp $args";
}

sub entrypoint_does {
    my ($args) = @_;

    return system(command($args) . ' >/dev/null 2>&1') >> 8;
}

# Nothing of the environment of the test is there.

sub entrypoint {
    my (%set) = @_;

    system('rm', '-rf', "$dir/run");

    my $pid = open(my $fh, '-|');
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        %ENV = (PATH => "$dir/bin:$ENV{PATH}", NGINX_OSP_RUN => "$dir/run",
            NGINX_OSP_SHARE => $docker, NGINX_OSP_ETC => $docker, %set);
        open(STDERR, '>&', \*STDOUT);
        exec('bash', "$docker/nginx-osp", 'nginx') or POSIX::_exit(127);
    }

    my $text = do { local $/; <$fh> };
    close($fh);

    return ($? >> 8, defined $text ? $text : '');
}

# What nginx has to say against it.

sub nginx_t {
    my $text = conf();
    my $globals = $t->test_globals();

    $text =~ s/^load_module .*\n//mg;
    $text =~ s!^pid .*\n!!m;

    $t->write_file('conf/nginx.conf', $globals . $text);

    my $test = "$Test::Nginx::NGINX -t -e stderr -p $dir -c conf/nginx.conf";
    my $out = `$test 2>&1`;

    return $? ? $out : join('', grep { /\[(?:warn|emerg|alert)\]/ }
        map { "$_\n" } split(/\n/, $out));
}

sub api {
    my ($uri, $header) = @_;

    $header = $header ? "$header\r\n" : '';

    return http("GET $uri HTTP/1.0\r\nHost: localhost\r\n$header\r\n",
        socket => IO::Socket::IP->new(PeerHost => '127.0.0.1',
            PeerPort => port(8082)));
}

sub unknown_metrics {
    my ($text) = @_;
    my %unknown;

    for ($text =~ /\b(nginx_\w+)/g) {
        (my $base = $_) =~ s/_(?:bucket|sum|count)$//;
        $unknown{$_} = 1 unless $metrics{$_} || $metrics{$base};
    }

    return join(' ', sort keys %unknown);
}

# Labels that are selected, ports, volumes and settings by name.

sub bad_references {
    my (@objects) = @_;
    my (@bad, %maps);

    my @pods = map { $_->{spec}{template} } grep { $_->{spec}{template} }
        @objects;

    $maps{$_->{metadata}{name}} = 1 for grep { $_->{kind} eq 'ConfigMap' }
        @objects;

    for my $o (@objects) {
        my $name = "$o->{kind} $o->{metadata}{name}";
        my $selector = $o->{spec}{selector} or next;

        $selector = $selector->{matchLabels} if $o->{kind} ne 'Service';

        my @found = grep {
            my $labels = $_->{metadata}{labels};
            !grep { ($labels->{$_} || '') ne $selector->{$_} } keys %$selector;
        } @pods;

        push @bad, "$name selects nothing" unless @found;

        for my $port (@{$o->{spec}{ports} || []}) {
            push @bad, "$name: port $port->{targetPort}"
                unless grep { $_->{name} eq $port->{targetPort} }
                    map { @{$_->{ports}} } map { @{$_->{spec}{containers}} }
                    @found;
        }
    }

    for my $pod (@pods) {
        my %volumes = map { $_->{name} => 1 } @{$pod->{spec}{volumes}};

        # a drain, and those who are still sent there for some seconds

        my $stop = join(' ', map { @{$_->{lifecycle}{preStop}{exec}{command}} }
            grep { $_->{lifecycle} } @{$pod->{spec}{containers}});
        my $time = 0;

        $time += $1 while $stop =~ / (\d+)/g;

        push @bad, 'no time to end'
            if $pod->{spec}{terminationGracePeriodSeconds} < $time + 20
            || $stop && $stop !~ /; sleep \d+$/;

        for my $c (@{$pod->{spec}{containers}}) {
            my %ports = map { $_->{name} => 1 } @{$c->{ports}};

            push @bad, map { "volume $_->{name}" }
                grep { !$volumes{$_->{name}} } @{$c->{volumeMounts}};
            push @bad, map { "map $_->{configMapRef}{name}" }
                grep { !$maps{$_->{configMapRef}{name}} }
                @{$c->{envFrom} || []};

            for (qw/ readinessProbe livenessProbe /) {
                push @bad, "$_" unless $c->{$_}
                    && $ports{$c->{$_}{httpGet}{port}};
            }
        }
    }

    return join(', ', @bad);
}

###############################################################################
