#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for path: servers of all kinds are asked for the name that a rule maps,
# whichever is asked next.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::RTMP::Origin;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream stream_ssl pcre/)
    ->has_daemon('openssl')->plan(55);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route strict {
    zone    strict 1m;
    server  127.0.0.1:8091;
    path    ~ ^/x/(.+)$  to=/another-app/name-of-$1;
}

rtmp_route many {
    zone    many 1m;
    server  127.0.0.1:8092 max_fails=0;
    server  127.0.0.2 rtmp=%%PORT_8093%% max_fails=0;
    server  127.0.0.3 rtmp=%%PORT_8094%% max_fails=0;

    path    ~ ^/x/(.+)$  to=/y/name-of-$1 servers=127.0.0.3,127.0.0.1;
    path    ~ ^/two/(.+)$  to=/y/name-of-$1 servers=127.0.0.1,127.0.0.2;
    path    ~ ^/one/(.+)$  to=/y/name-of-$1 servers=127.0.0.1;
}

rtmp_route moves {
    zone    moves 1m;
    server  127.0.0.1:8095 max_fails=0;
    server  127.0.0.2 rtmp=%%PORT_8096%% max_fails=0;
    server  127.0.0.3 rtmp=%%PORT_8097%% max_fails=0;

    path    ~ ^/x/(.+)$  to=/y/name-of-$1 stream=table/$1
                         servers=127.0.0.1,127.0.0.2;
}

rtmp_route v1 {
    zone    v1 1m;
    server  127.0.0.1:8098 proxy_protocol=v1;
    path    ~ ^/x/(.+)$  to=/y/name-of-$1;
}

rtmp_route v2 {
    zone    v2 1m;
    server  127.0.0.1:8098 proxy_protocol=v2;
    path    ~ ^/x/(.+)$  to=/y/name-of-$1;
}

rtmp_route srs {
    zone    srs 1m;
    server  127.0.0.1:8098 proxy_protocol=srs;
    path    ~ ^/x/(.+)$  to=/y/name-of-$1;
}

rtmp_route ssl {
    zone    ssl 1m;
    server  127.0.0.1 rtmps=%%PORT_8099%%;
    path    ~ ^/x/(.+)$  to=/y/name-of-$1;
}

rtmp_route keys {
    zone    keys 1m;
    server  127.0.0.1:8098;
    path    /a  stream=table to=/x;
    path    /b  stream=table to=/y;
}

rtmp_route search {
    zone    search 1m;
    server  127.0.0.1:8092 max_fails=0;
    server  127.0.0.2 rtmp=%%PORT_8093%% max_fails=0;
    path    /a  stream=table to=/gone servers=127.0.0.1,127.0.0.2;
    path    /b  stream=table to=/here servers=127.0.0.1,127.0.0.2;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status $rtmp_reason|$upstream_addr';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_takeover    on;
    osp_upstream_no_input    1s;

    ssl_certificate_key localhost.key;
    ssl_certificate     localhost.crt;

    server {
        listen       127.0.0.1:8081;
        osp_upstream strict;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream many;
    }

    server {
        listen       127.0.0.1:8083;
        osp_upstream moves;
        osp_upstream_resume on;
    }

    server {
        listen       127.0.0.1:8084;
        osp_upstream v1;
    }

    server {
        listen       127.0.0.1:8085;
        osp_upstream v2;
    }

    server {
        listen       127.0.0.1:8086;
        osp_upstream srs;
    }

    server {
        listen       127.0.0.1:8087;
        osp_upstream ssl;
    }

    server {
        listen       127.0.0.1:8088;
        osp_upstream keys;
    }

    server {
        listen       127.0.0.1:8089;
        osp_upstream search;
    }

    # in front of an origin

    server {
        listen     127.0.0.1:8099 ssl;
        proxy_pass 127.0.0.1:8098;
        access_log off;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOC

system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
    . '-keyout ' . $t->testdir() . '/localhost.key -out ' . $t->testdir()
    . '/localhost.crt >/dev/null 2>&1') == 0
    or die "Can't make a certificate\n";

my $names = 'releaseStream:name-of-cam1 FCPublish:name-of-cam1 createStream '
    . 'publish:name-of-cam1';

my ($c, $o, $p, $q, $n, @media);

# one that takes no more than a step, and has numbers of its own

$o = rtmp_origin($t, port(8091), handshake => 'strict', create => 7,
    messages => 1);
my $any = rtmp_origin($t, port(8098), messages => 1);

$t->run();

###############################################################################

for my $n (1, 2) {
    $c = rtmp_publish(port(8081), 'x', 'cam1', timeout => 20);
    is($c->{code}, 'NetStream.Publish.Start', "step by step, $n");

    @media = media_messages(9);
    $c->send_media(@media);
    is($o->wait_media(media_digest(@media)), media_digest(@media),
        "step by step, $n: media");
    $c->unpublish('cam1');
    $o->wait(event => 'close', c => last_c($o));

    is(names($o), "another-app $names FCUnpublish:name-of-cam1 deleteStream:7",
        "step by step, $n: names");
    is(join(' ', map { $_->{msid} } grep { $_->{type} == 20 }
        $o->events(event => 'message', c => last_c($o))), '0 0 0 0 7 0 0',
        "step by step, $n: ids");
}

# what comes in front of it

for my $case ([8084, 'v1'], [8085, 'v2'], [8086, 'srs'], [8087, 'ssl']) {
    my ($port, $type) = @$case;

    $c = rtmp_publish(port($port), 'x', 'cam1');
    is($c->{code}, 'NetStream.Publish.Start', $type);
    is(names($any), "y $names", "$type: names");

    is(($any->events(event => 'preamble', c => last_c($any)))[-1]{type}, $type,
        "$type: preamble") if $type ne 'ssl';
    $c->close();
}

# servers= in its order, and the next ones

$o = rtmp_origin($t, port(8092), messages => 1);
$p = rtmp_origin($t, port(8093), host => '127.0.0.2', messages => 1);
$q = rtmp_origin($t, port(8094), host => '127.0.0.3', messages => 1);

$c = rtmp_publish(port(8082), 'x', 'cam1');
is(names($q), "y $names", 'the first one that is named');
is($o->connections() + $p->connections(), 0, 'and no other');
$c->close();

$q->stop();

$c = rtmp_publish(port(8082), 'x', 'cam1');
is($c->{code}, 'NetStream.Publish.Start', 'the next one that is named');
is(names($o), "y $names", 'the next one: names');
is($p->connections(), 0, 'and not the third');
is(last_line(8082, sub { $c->close() }), '200 ok|127.0.0.3:' . port(8094)
    . ', 127.0.0.1:' . port(8092), 'both in the log');

$o->stop();

$c = rtmp_publish(port(8082), 'x', 'cam1');
is($c->{code}, 'NetConnection.Connect.Rejected', 'none is left');
is($p->connections(), 0, 'none but those that are named');
$c->close();

# a redirect

for my $case (['two', 1, 'NetStream.Publish.Start'],
    ['one', 0, 'NetConnection.Connect.Rejected'])
{
    my ($app, $more, $code) = @$case;

    $n = $p->connections();
    $o = rtmp_origin($t, port(8092), messages => 1,
        connect => 'redirect=rtmp://127.0.0.2:' . port(8093) . '/y');

    $c = rtmp_publish(port(8082), $app, 'cam1');
    is($c->{code}, $code, "redirect, $app");
    is($p->connections(), $n + $more, "redirect, $app: followed");
    is(names($p), "y $names", "redirect, $app: names");
    $c->close();

    $o->stop();
}

# a search

$o = rtmp_origin($t, port(8092), messages => 1, play => 'not_found');

$c = rtmp_play(port(8082), 'two', 'cam1');
is($c->{code}, 'NetStream.Play.Start', 'search');
is(names($o), names($p), 'search: names');
like(names($p), qr/ play:name-of-cam1$/, 'search: play');
$c->close();

# that one name was not found does not tell of another one for the same key

$p->stop();
$p = rtmp_origin($t, port(8093), host => '127.0.0.2', before => sub {
    my ($c, $m, $o) = @_;

    $o->{app} = $m->{args}[0]{app} if $m->{name} eq 'connect';

    return 0 if $m->{name} ne 'play' || $o->{app} ne 'gone';

    return $o->status('Play.StreamNotFound', 'No such stream');
});

$c = rtmp_play(port(8089), 'a', 'cam1');
is($c->{code}, 'NetStream.Play.StreamNotFound', 'search: not there');
$c->close();

$c = rtmp_play(port(8089), 'b', 'cam1');
is($c->{code}, 'NetStream.Play.Start', 'search: the same key is');
$c->close();

# moves

$o = rtmp_origin($t, port(8095), messages => 1);
$p = rtmp_origin($t, port(8096), host => '127.0.0.2', messages => 1);
$q = rtmp_origin($t, port(8097), host => '127.0.0.3', messages => 1);

@media = media_messages(45);

$c = rtmp_publish(port(8083), 'x', 'cam1');
$c->send_media(@media[0 .. 16]);
$o->wait_media(media_digest(@media[0 .. 16]));

my $player = rtmp_play(port(8083), 'x', 'cam1');

# only who has got media is moved

$player->read_media(5);

$o->signal('KILL');
$o->stop();

ok($p->wait(event => 'ready', op => 'publish', timeout => 15), 'resume');
ok($p->wait(event => 'command', name => 'play', timeout => 15), 'player');
$c->send_media(@media[17 .. $#media]);

is($p->wait(event => 'command', name => 'publish')->{args}[1], 'name-of-cam1',
    'resume: publish');
is($p->wait(event => 'command', name => 'play')->{args}[1], 'name-of-cam1',
    'player: play');
is(join(' ', map { $_->{args}[0]{app} } $p->events(name => 'connect')), 'y y',
    'both: app');
ok($p->wait(event => 'message', type => 9, ts => $media[-1][1]),
    'resume: media');

$c->unpublish('cam1');
ok($p->wait(event => 'command', name => 'FCUnpublish'), 'resume: end');
is($p->wait(event => 'command', name => 'FCUnpublish')->{args}[1],
    'name-of-cam1', 'resume: its name');
is($q->connections(), 0, 'moved to no other');
$player->close();

# what counts is the key

$c = rtmp_publish(port(8088), 'a', 'cam1');
is(names($any), 'x releaseStream:cam1 FCPublish:cam1 createStream '
    . 'publish:cam1', 'a name');
$p = rtmp_publish(port(8088), 'b', 'cam1');
is($p->{code}, 'NetStream.Publish.Start', 'another name for it');
is(names($any), 'y releaseStream:cam1 FCPublish:cam1 createStream '
    . 'publish:cam1', 'another name: at the server');
$c->answer('onStatus', undef, 'no status');
is($c->{code}, 'NetStream.Publish.BadName', 'the first one is replaced');
$c->close();

wait_sessions('keys', 1);
is((sessions('keys'))[0]{stream}, 'table/cam1', 'session');
ok(api('DELETE', 'keys/sessions/' . (sessions('keys'))[0]{id} . '?ban=5m'),
    'kicked');
$p->answer('onStatus', undef, 'no status');
$p->close();

$c = rtmp_publish(port(8088), 'a', 'cam1');
is($c->{code}, 'NetStream.Publish.Denied', 'banned under any name');
$c->close();

$c = rtmp_publish(port(8088), 'a', 'cam2');
is($c->{code}, 'NetStream.Publish.Start', 'another one is not');
$c->close();

###############################################################################

# the app, and what commands of the last connection name

sub names {
    my ($o) = @_;
    my @names;

    for my $m ($o->events(event => 'command')) {

        # the last connection begins here

        if ($m->{name} eq 'connect') {
            @names = ($m->{args}[0]{app});
            next;
        }

        my ($name) = grep { defined $_ && !ref($_) } @{$m->{args}};

        push @names, defined $name ? "$m->{name}:$name" : $m->{name};
    }

    return join(' ', @names);
}

sub last_c {
    my ($o) = @_;

    return ($o->events(event => 'handshake'))[-1]{c};
}

# what is written of a session once it has ended

sub last_line {
    my ($port, $end) = @_;
    my ($count, @lines);

    $port = port($port);
    $count = () = $t->read_file('stream.log') =~ /^$port\|/mg;

    $end->();

    wait_until(sub {
        @lines = $t->read_file('stream.log') =~ /^$port\|(.*)$/mg;
        return @lines > $count;
    });

    return $lines[-1];
}

###############################################################################
