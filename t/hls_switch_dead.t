#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for hls_cache: the origin of a stream that nobody publishes through
# this proxy hangs, or has gone, and another one has a playlist, too, which
# may be one that was left there.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(17);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:1 http=%%PORT_8081%% fail_timeout=60s;
    server  127.0.0.1:2 http=%%PORT_8082%% backup;
}

rtmp_route two {
    zone    two 1m;
    server  127.0.0.1:1 http=%%PORT_8083%%;
    server  127.0.0.1:2 http=%%PORT_8084%% backup;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 32m;
    hls_cache hls;

    upstream live { rtmp_route live http; keepalive 8; }
    upstream two  { rtmp_route two http; keepalive 8; }

    proxy_http_version 1.1;
    proxy_set_header   Connection "";

    add_header X-Status $hls_cache_status always;

    server {
        listen 127.0.0.1:8080;

        location / {
            rtmp_route  live;
            proxy_pass  http://live;
        }

        location /two/ {
            rtmp_route  two;
            proxy_pass  http://two;
        }

        location /api/ {
            hls_cache       off;
            rtmp_route_api;
        }
    }
}

EOF

my $a = hls_origin($t, port(8081));
my $b = hls_origin($t, port(8082));
my $c = hls_origin($t, port(8083));
my $d = hls_origin($t, port(8084));

$t->run();

###############################################################################

my ($p, $q, $at, @v);

$a->live('cam1', auto => 1, start => 100, target => 2);
$b->live('cam1', start => 7);

$c->live('cam2', base => '/two', auto => 1, start => 100);
$d->live('cam2', base => '/two', auto => 1, start => 50);

@v = (hls_viewer($t, '/live/cam1/index.m3u8', name => 'cam1', every => 0.2),
    hls_viewer($t, '/two/cam2/index.m3u8', name => 'cam2', every => 0.2));

ok(hls_wait(sub { $_->report()->{polls} > 4 }), $_->{name}) for @v;

# one has gone, and another one has what was left there; at a time when the
# viewers have all that was listed

my @n = map { segments($_) } $a, $c;

hls_wait(sub { segments($a) > $n[0] && segments($c) > $n[1] });

$p = playlist('/live/cam1');
$a->stop();
$c->signal('STOP');
$at = time();

ok(hls_wait(sub { $b->count('/live/cam1/index.m3u8') > 2 }),
    'the other one is asked');
$q = playlist('/live/cam1');
is("$q->{status} $q->{cache}", '200 STALE', 'stale');
unlike($q->{body}, qr/g=1/, 'what was left there is not seen');

# until it goes on there

$b->change('cam1', auto => 1);
ok(hls_wait(sub { ($q = playlist('/live/cam1'))->{body} =~ /g=1/ }, 4),
    'goes on there');
cmp_ok($q->{sequence}, '>=', $p->{sequence}, 'MEDIA-SEQUENCE');
is(scalar(grep { $_->{discontinuity} } @{$q->{segments}}), 1,
    'discontinuity');
is(source('live', 'live/cam1'), 'found 127.0.0.1:2', 'the table knows');

# one that hangs is left after a target duration

ok(hls_wait(sub { playlist('/two/cam2')->{body} =~ /g=1/ }, 8), 'hung');
is((servers('two'))[0]{fails}, 1, 'counts as a fail');
is((servers('two'))[0]{state}, 'unavail', 'so it is not chosen');
is(source('two', 'two/cam2'), 'found 127.0.0.1:2', 'stays there');

$_->stop() for @v;
is($_->faults(), '', "viewer $_->{name}") for @v;

cmp_ok($_->report()->{slow}, '<', 2, 'nobody waits') for @v;

###############################################################################

sub playlist {
    my ($dir) = @_;
    my ($r, $p);

    $r = hls_get("$dir/index.m3u8");
    $p = hls_parse($r->{body}) || {};

    return { %$p, body => $r->{body}, status => $r->{status},
        cache => $r->{headers}{'x-status'} };
}

sub segments {
    my ($origin) = @_;

    return scalar(grep { $_->{path} =~ /\.ts$/ } $origin->requests());
}

sub source {
    my ($route, $key) = @_;
    my $stream = api('GET', "$route/streams/$key");

    return $stream ? "$stream->{source} $stream->{server}" : 'unknown';
}

###############################################################################
