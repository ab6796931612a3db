#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: what is refreshed and prefetched, is so whatever rules
# of rewrite and access viewers have to pass.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl proxy rewrite access auth_request limit_req
    hls_cache/)->has_daemon('openssl')->plan(29);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    limit_req_zone $server_name zone=req:1m rate=1r/m;

    ssl_certificate     localhost.crt;
    ssl_certificate_key localhost.key;

    add_header X-Status $hls_cache_status always;

    map $scheme $mapped {
        https    "";
        default  1;
    }

    server {
        listen      127.0.0.1:8080;
        listen      127.0.0.1:8443 ssl;
        server_name localhost;

        hls_cache           hls;
        hls_cache_prefetch  1;

        proxy_set_header  X-Forwarded-Proto  $scheme;
        proxy_set_header  X-Place            $place;

        set $place server;

        if ($uri ~ ^/tls/) {
            set $tls T$scheme;
        }

        if ($tls = Thttp) {
            return 301 https://$host$request_uri;
        }

        if ($uri ~ ^/port/) {
            set $tls P$server_port;
        }

        if ($tls = P%%PORT_8080%%) {
            return 403;
        }

        rewrite ^/old/(.*) /new/$1;

        location / {
            proxy_pass  http://127.0.0.1:8081;
        }

        location /map/ {
            if ($mapped) {
                return 301 https://$host$request_uri;
            }

            proxy_pass  http://127.0.0.1:8081;
        }

        location /agent/ {
            if ($http_user_agent = "") {
                return 403;
            }

            set $place location;

            proxy_pass  http://127.0.0.1:8081;
        }

        location /token/ {
            if ($arg_token != 1) {
                return 403;
            }

            proxy_pass  http://127.0.0.1:8081;
        }

        location /access/ {
            satisfy       all;
            allow         127.0.0.1;
            deny          all;
            auth_request  /auth;
            limit_req     zone=req burst=1000 nodelay;
            proxy_pass    http://127.0.0.1:8081;
        }

        location /pass/ {
            hls_cache_pass_header  X-Token;
            proxy_set_header       X-Token $http_x_token;
            proxy_pass             http://127.0.0.1:8081;
        }

        location = /auth {
            internal;
            hls_cache   off;
            proxy_pass  http://127.0.0.1:8081/auth;
        }

        location ~ ^/re/(?<name>\w+)/(.*)$ {
            if ($http_user_agent = "") {
                return 403;
            }

            proxy_pass  http://127.0.0.1:8081/re/$name/$2;
        }
    }
}

EOC

$t->write_file('openssl.conf', <<EOC);
[ req ]
default_bits = 2048
encrypt_key = no
distinguished_name = req_distinguished_name
[ req_distinguished_name ]
EOC

my $dir = $t->testdir();

system("openssl req -x509 -new -config $dir/openssl.conf -subj /CN=localhost "
    . "-out $dir/localhost.crt -keyout $dir/localhost.key "
    . ">>$dir/openssl.out 2>&1") == 0
    or die "Can't create a certificate\n";

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    # a key for all, that viewers have
    return $r->{uri} =~ m!^/pass/!
        && !grep({ "@$_" =~ /^x-token 1$/i } @{$r->{headers}})
        ? { status => 403 } : ();
});

$o->set('/auth', body => '');

my %streams = (
    tls    => [ssl => 1],
    port   => [ssl => 1],
    map    => [ssl => 1],
    agent  => [],
    token  => [],
    access => [],
    re     => [],
    new    => [],
    pass   => [],
);

$o->live("$_/cam", layout => 'nested', base => "/$_", name => 'cam',
    auto => 1, duration => 0.5, target => 1) for keys %streams;

$t->run();

###############################################################################

my (%uri, $r);

for my $name (sort keys %streams) {
    $uri{$name} = "/$name/cam/index.m3u8";
}

$uri{new} = '/old/cam/index.m3u8';
$uri{token} .= '?token=1';

# a viewer of each

for (1 .. 8) {
    view($_) for sort keys %streams;
    sleep(0.1);
}

# he looks again after a while: it is there, and as new as it can be

$o->forget();
hls_wait(sub {
    !grep { $o->count(qr!^/$_/.*m3u8!) == 0 } keys %streams
}, 2.5);

for my $name (sort keys %streams) {
    cmp_ok($o->count(qr!^/$name/.*m3u8!), '>=', 1, "$name: refreshed");
    like(view($name)->{headers}{'x-status'}, qr/^(?:HIT|UPDATING)$/,
        "$name: is there");
}

# segments as well, if rules do not look at the viewer

for my $name (qw/ tls port map access new pass /) {
    cmp_ok($o->count(qr!^/$name/.*ts!), '>=', 1, "$name: prefetched");
}

is(scalar(grep { $_->{uri} !~ m!^/auth! && $_->{uri} =~ m!^/(tls|port|map)!
    && ($o->header($_, 'X-Forwarded-Proto') || '') ne 'https' }
    $o->requests()), 0, 'scheme of the viewer');

$r = ($o->requests(qr!^/agent/.*m3u8!))[-1];
is($o->header($r, 'X-Place'), 'location', 'set');

is(join(' ', grep { $_ != 200 } map { $_->{status} }
    $o->requests(qr!^/pass/!)), '', 'headers of the viewer');

is($o->count('/auth'), 1, 'who refreshes needs no permission');

# viewers are asked

is(hls_get('/tls/cam/index.m3u8')->{status}, 301, 'viewer: redirect');

###############################################################################

sub view {
    my ($name) = @_;

    return hls_get($uri{$name}, headers => ['User-Agent: test', 'X-Token: 1'],
        @{$streams{$name}});
}

###############################################################################
