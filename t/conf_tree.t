#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the tree in conf/, in place of OSP-Proxy: the core of OSP, two RTMP
# nodes with nginx-rtmp, and ffmpeg as encoder and viewer.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Media;
use Test::Nginx::OSPCore;
use Test::Nginx::RTMP;
use Test::Nginx::Tree;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_realip proxy access rewrite stream pcre/);

need_media($t)->plan(48);

my $dir = $t->testdir();
my $core = osp_core($t, port(8082));

$core->site(siteAddress => '127.0.0.2');
$core->server($_) for '127.0.0.1', '127.0.0.3';

# the file of the user as OSP installs it, behind a balancer

tree($t, '', rtmp => 8081, route => 'osp_core http://127.0.0.1:8082
    interval=300ms rtmp=%%PORT_8090%% http=%%PORT_8091%%;',
    listen => <<'EOF_CONF');
listen 127.0.0.1:8080 default_server;
### Comment Above and Uncomment/Edit Below for OSP-Proxy TLS ###
# listen 443 ssl http2 default_server;
valid_referers server_names example.com ~.;

set_real_ip_from 127.0.0.1;
real_ip_header X-Forwarded-For;
EOF_CONF

my $node = <<'EOF_CONF';

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:NODE;
        LISTEN

        hls                 on;
        hls_fragment        400ms;
        hls_playlist_length 30s;
        hls_nested          on;
        hls_fragment_naming sequential;

        application stream {
            live            on;
            hls             off;
            on_publish      http://127.0.0.1:8082/node/ADDRESS/auth-key;
            on_publish_done http://127.0.0.1:8082/node/ADDRESS/deauth-user;
        }

        application stream-data {
            live                  on;
            on_publish            http://127.0.0.1:8082/node/ADDRESS/auth-user;
            hls_path              ROOT/live;
            hls_keys              on;
            hls_key_path          ROOT/keys;
            hls_fragments_per_key 4;
            hls_key_url           /keys/;
        }

        application plain {
            live       on;
            on_publish http://127.0.0.1:8082/node/ADDRESS/auth-user;
            hls_path   ROOT/plain;
        }

        application show {
            live                  on;
            hls_path              ROOT/live-adapt;
            hls_keys              on;
            hls_key_path          ROOT/keys-adapt;
            hls_fragments_per_key 4;
            hls_key_url           /keys-adapt/;

            hls_variant _480 BANDWIDTH=1200000;
            hls_variant _720 BANDWIDTH=2048000;
            hls_variant _src BANDWIDTH=4096000;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    access_log ROOT/access.log;

    server {
        include custom/osp-rtmp-custom-server.conf;

        location /live-adapt {
            include custom/osp-rtmp-custom-authorizeproxy.conf;
            alias ROOT/live-adapt;
        }

        location /live/open {
            include custom/osp-rtmp-custom-authorizeproxy.conf;
            alias ROOT/plain/open;
        }

        location /live {
            include custom/osp-rtmp-custom-authorizeproxy.conf;
            deny all;
            alias ROOT/live;
        }

        location /keys {
            include custom/osp-rtmp-custom-authorizeproxy.conf;
            deny all;
            alias ROOT/keys;
        }

        location /keys-adapt {
            include custom/osp-rtmp-custom-authorizeproxy.conf;
            deny all;
            alias ROOT/keys-adapt;
        }
    }
}

EOF_CONF

node($_) for 2, 3;

$core->user('some_one', 'stored');
$core->user('stranger', 'other');
$core->channel('cam1');
$core->channel('open');
$core->channel('vip', protected => 1, owner => 'some_one');
$core->channel('multi', type => 'adaptive', protected => 1,
    owner => 'some_one');

$t->run();

###############################################################################

like(http_get('/ping'), qr/ 200 .*\{"results":\{"message":"pong"\}\}/s, 'ping');
like(http_get('/'), qr/ 404 /, 'nothing else');
like(http_get('/live/cam1/index.m3u8'), qr/ 404 /, 'off the air');

my @files = map {
    media_file($t, "$_.flv", hue => $_ * 40, seconds => 6)
} 0 .. 3;

my @frames = map { [ file_frames($t, $_) ] } @files;

is(scalar(grep { @$_ == 150 } @frames), 4, 'sources');

# broadcasts; one through the proxy, which chooses the node

my %on;

air('cam1', 0, 'rtmp://127.0.0.1:' . port(8081) . '/stream/key-cam1');
air('open', 1, node_url(2, 'plain/open'));
air('vip', 2, node_url(3, 'stream/key-vip'));

for my $variant (qw/ 480 720 src /) {
    air("multi_$variant", 3, node_url(2, "show/multi_$variant"));
}

$core->channel('multi', live => 1, server => '127.0.0.1');

my $token = $core->header('vip', 'some_one');
my $multi = $core->header('multi', 'some_one');

for my $name (qw! live/cam1/index live/open/index live/vip/index
    live-adapt/multi_480/index live-adapt/multi_720/index
    live-adapt/multi_src/index !)
{
    ok(wait_until(sub { segments("/$name.m3u8") >= 6 }, 20), "on air: $name");
}

my ($cam1) = map { $_->{rtmpServer} } grep { $_->{channelEndpointID} eq 'cam1' }
    @{Test::Nginx::OSPCore::stream_list(undef, { uri => '/apiv1/stream/' },
        $core->state())->{data}{results}};

like($cam1, qr/^127\.0\.0\.[13]$/, 'node of the broadcast through the proxy');

# watched

decode('plain', '/live/open/index.m3u8', 1);
decode('keyed', '/live/cam1/index.m3u8', 0);
decode('protected', '/live/vip/index.m3u8', 2, $token);
decode('adaptive', '/live-adapt/multi.m3u8', 3, $multi);

# as players had it of OSP-Proxy

decode('old address', '/127.0.0.2/live/cam1/index.m3u8', 0);

is(http_content(get($_)), http_content(get('/live-adapt/multi.m3u8')),
    "old form: $_") for (
    '/127.0.0.2/live-adapt/multi.m3u8', '/edge-adapt/multi.m3u8',
    '/edge.example.com/edge-adapt/multi.m3u8?a=b',
);

# without a right to it

for my $header (undef, $core->header('vip', 'stranger')) {
    my $player = player('/live/vip/index.m3u8', $header);

    # it tries again and again

    ok(wait_until(sub { $t->read_file('player.log') =~ /403|key file/ }, 10),
        'protected, refused');

    $player->stop('KILL');
    unlike($t->read_file('player.out'), qr/^\d/m, 'protected, no pictures');
}

my ($uri) = http_get('/live/vip/index.m3u8') =~ /URI="([^"]+)"/;
my ($n) = $uri =~ m!^/keys/vip/(\d+)\.key$!;
my $key = $t->read_file("3/keys/vip/$n.key");

is(length($key), 16, 'key');
like(get($uri, $token), qr/ 200 .*\x0d\x0a\x0d\x0a\Q$key\E\z/s, 'by token');

my @spelled = map { s!KEY!keys/vip/$n.key!r } (
    '/KEY', '//KEY', '/./KEY', '/KEY?', '/KEY?a=.ts', '/KEY/', '/KEY;a',
    '/KEY.', '/KEY%00', '/KEY%20', '/KEY%3f.ts', '/KEY%3fx', '/KEY%23',
    '/KEY%2f', '/KEY/index.m3u8', '/KEY/.ts', '/KEY/../1.ts', '/KEY%00.ts',
    "/keys//vip/$n.key", "/keys/./vip/$n.key", "/keys/x/../vip/$n.key",
    "/%6beys/vip/$n.key", "/keys/vip/$n%2ekey", "/keys/vip/$n.%6bey",
    "/keys/vip/$n.KEY", "/KEYS/vip/$n.key", "/keys%2fvip%2f$n.key",
    "/keys/vip%2f$n.key", "/keys/vip_480/$n.key", "/keys/cam1/../vip/$n.key",
    '/live/../KEY', '/live/open/../../KEY', '/live/KEY', '/edge/KEY',
    '/edge/../KEY', '/keys-adapt/../KEY', "/keys-adapt/vip/$n.key",
    '/127.0.0.3/KEY', '/127.0.0.2/KEY', '/127.0.0.3//KEY', '/x/KEY', '/%2f/KEY',
    "/127.0.0.3/%6beys/vip/$n.key", '/127.0.0.3/edge/../KEY',
    '/127.0.0.3/live/../KEY', '/127.0.0.3/live/KEY', '/127.0.0.3/x/KEY',
    '/127.0.0.3:5999/KEY', '/[::1]/KEY', '/127.0.0.3/127.0.0.3/KEY',
    '/127.0.0.3/KEY?', '/127.0.0.3/KEY;a', '/127.0.0.3/KEY%3f.ts',
    'http://127.0.0.3/KEY', 'http://127.0.0.3/127.0.0.3/KEY',
);

# it is in the cache now, and not for these

my @seen = grep { index(get($_) || '', $key) >= 0 } @spelled;
is("@seen", '', 'no spelling gives the key');

@seen = grep { index(get($_, $core->header('vip', 'stranger')) || '',
    $key) >= 0 } @spelled;
is("@seen", '', 'no spelling gives the key to a stranger');

my $refused = get($uri);

like($refused, qr/ 403 /, 'refused');
like($refused, qr/^Access-Control-Allow-Origin: \*/m, 'refused, CORS');
like($refused, qr/^Cache-Control: no-store/m, 'refused, not stored');

like(get("/127.0.0.3$uri", $token), qr/ 200 .*\Q$key\E\z/s,
    'old address, by token');

$core->down();
like(get($uri, undef, '198.51.100.99'), qr/ 503 /, 'nobody to ask');
$core->up();

# what browsers ask

my $preflight = http("OPTIONS $uri HTTP/1.1\x0d\x0aHost: a\x0d\x0a"
    . "Origin: https://osp.example.com\x0d\x0aConnection: close\x0d\x0a"
    . "Access-Control-Request-Headers: x-token-session\x0d\x0a\x0d\x0a");

like($preflight, qr/ 204 /, 'preflight');
like($preflight, qr/^Access-Control-Allow-Headers:.*X-Token-Session/mi,
    'preflight, headers');

# nodes are for proxies

like(http("GET $uri HTTP/1.0\x0d\x0a\x0d\x0a", PeerAddr => '127.0.0.3:'
    . port(8091), LocalHost => '127.0.0.9'), qr/ 403 /, 'not a proxy');
like(http("GET /closeStream HTTP/1.0\x0d\x0a\x0d\x0a", PeerAddr => '127.0.0.3:'
    . port(8091)), qr/ 403 /, 'closeStream');

# the script that cron ran

SKIP: {
    skip 'no curl', 2 unless Test::Nginx::find_binary('curl');

    my $polls = $core->count('stream');
    my $url = 'http://127.0.0.1:' . port(8085) . '/api/1/routes/osp/refresh';

    my $script = "$FindBin::Bin/../conf/updateUpstream.sh";

    is(system($script, $url), 0, 'updateUpstream.sh');
    ok($core->wait('stream', $polls + 1), 'the core is asked');
}

# a channel that moves

my ($from, $to) = $cam1 eq '127.0.0.3' ? (3, 2) : (2, 3);

$on{cam1}->stop('KILL');

ok(wait_until(sub { !$core->state()->{channels}{cam1}{live} }, 10),
    'broadcast is over');

air('cam1', 3, node_url($to, 'stream/key-cam1'));

my $log = "$to/access.log";

ok(wait_until(sub {
    get('/live/cam1/index.m3u8');
    return $t->read_file($log) =~ m!/live/cam1/index\.m3u8 HTTP/1.1" 200!;
}, 10), 'asked at the other node');

ok(wait_until(sub { segments('/live/cam1/index.m3u8') >= 6 }, 20),
    'on air there');
decode('moved', '/live/cam1/index.m3u8', 3);

$_->stop('KILL') for values %on;

###############################################################################

# 127.0.0.N

sub node {
    my ($n) = @_;
    my ($text, $address);

    mkdir("$dir/$n");
    mkdir("$dir/$n/$_") for qw/ live live-adapt keys keys-adapt plain /;

    # the core calls the first one 127.0.0.1

    $address = ($n == 2 ? '127.0.0.1' : "127.0.0.$n") . ':%%PORT_8090%%';

    $text = $node =~ s/ROOT/$dir\/$n/gr;
    $text =~ s/ADDRESS/$address/g;
    $text =~ s/127\.0\.0\.1:NODE/127.0.0.$n:%%PORT_8090%%/;
    $text =~ s/LISTEN/$n == 2 ? "listen $address;" : ''/e;

    $text =~ s!include (custom/osp-rtmp-\S+);!tree_file($1)!ge;
    $text =~ s/listen 5999/listen 127.0.0.$n:%%PORT_8091%%/;
    $text =~ s/# allow .*;/allow 127.0.0.1;/g;

    nginx_rtmp($t, "node$n", $text) or die "Can't start nginx-rtmp\n";
}

sub node_url {
    my ($n, $name) = @_;

    return "rtmp://127.0.0.$n:" . port(8090) . "/$name";
}

# All but the last bit of a file is sent, so the broadcast goes on; not at once,
# since a node loses what comes before it has asked the core.

sub air {
    my ($name, $file, $url) = @_;
    my $publisher = publish($t, $name, '-', $url, qw/ -readrate 2 /);

    $t->run_daemon(sub {

        # there is a limit to how long each takes

        $publisher->feed($files[$file], $_ / 10, ($_ + 1) / 10) for 0 .. 8;
        sleep(120);
    });

    delete $publisher->{input};
    $on{$name} = $publisher;
}

sub get {
    my ($uri, $header, $addr) = @_;

    return http(join("\x0d\x0a", "GET $uri HTTP/1.1", 'Host: localhost',
        'Connection: close', 'X-Forwarded-For: ' . ($addr || '198.51.100.7'),
        defined $header ? $header : (), '', ''));
}

# Those of the present broadcast.

sub segments {
    my ($uri) = @_;
    my ($last) = reverse split(/^#EXT-X-DISCONTINUITY\n/m, get($uri) || '');

    return scalar(() = $last =~ /\.ts/g);
}

sub player {
    my ($uri, $header) = @_;
    my $url = 'http://127.0.0.1:' . port(8080) . $uri;

    $header = defined $header ? "$header\x0d\x0a" : '';

    return program($t, 'player', qw/ ffmpeg -v error -nostdin -xerror
        -headers /, "X-Forwarded-For: 198.51.100.7\x0d\x0a$header",
        qw/ -live_start_index -5 -i /, $url,
        qw/ -t 2 -map 0:v:0 -f framemd5 - /);
}

sub decode {
    my ($what, $uri, $file, $header) = @_;

    is(player($uri, $header)->wait() . $t->read_file('player.log'), '0',
        "$what: decoded");

    my @got = map { /^\d.*\s(\w{32})$/ ? $1 : () }
        split(/\n/, $t->read_file('player.out'));

    cmp_ok(frames_within(\@got, $frames[$file]), '>', 40, "$what: pictures");
}

###############################################################################
