#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for "rtmp_route NAME push": servers that push to one another.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/);

# "a" is the one that has an API; its applications go different ways

need_register($t)->plan(17)->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route one {
    zone    one 1m;
    server  127.0.0.1 rtmp=%%PORT_8081%%;
    server  127.0.0.4 rtmp=%%PORT_8084%% down;
}

rtmp_route two {
    zone    two 1m;
    server  127.0.0.1 rtmp=%%PORT_8082%%;
}

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:%%PORT_8081%%;

        application one {
            live on;
            rtmp_route one push;
        }

        application two {
            live on;
            rtmp_route two push;
        }

        application three {
            live on;
            rtmp_route two push;
        }

        application chain {
            live on;
            rtmp_route two push;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api write=on;
        }
    }
}

EOF_CONF

my $b = register_origin($t, 'b', <<"EOF_CONF");
rtmp_route a {
    zone    a 1m;
    server  127.0.0.1 rtmp=%%PORT_8081%%;
}

rtmp_route c {
    zone    c 1m;
    server  127.0.0.1 rtmp=%%PORT_8083%%;
}

rtmp {
    server {
        listen 127.0.0.1:%%PORT_8082%%;

        application two {
            live on;
            rtmp_route a push;
        }

        application three {
            live on;
            rtmp_route c push;
        }

        application chain {
            live on;
            rtmp_route c push;
        }
    }
}
EOF_CONF

my $c = register_origin($t, 'c', <<"EOF_CONF");
rtmp_route a {
    zone    a 1m;
    server  127.0.0.1 rtmp=%%PORT_8081%%;
}

rtmp {
    server {
        listen 127.0.0.1:%%PORT_8083%%;

        application three {
            live on;
            rtmp_route a push;
        }

        application chain {
            live on;
        }
    }
}
EOF_CONF

my $d = register_origin($t, 'd', <<"EOF_CONF");
rtmp {
    server {
        listen 127.0.0.4:%%PORT_8084%%;

        application one {
            live on;
        }
    }
}
EOF_CONF

$t->run();

###############################################################################

# a server that is named to itself

my $p = rtmp_publish(port(8081), 'one', 'stream');
is($p->{code}, 'NetStream.Publish.Start', 'loop of one');
ok(wait_until(sub { loops('a', 'BadName') == 1 }), 'refused');
sleep 2.5;
is(connects('a'), 2, 'once');

my $q = rtmp_play(port(8081), 'one', 'stream');
$p->send_media(media_messages(20));
is(scalar($q->read_media(10, 5)), 10, 'stream is there');
$q->close();

# until the table names another one

my ($there) = grep { $_->{server} eq '127.0.0.4' } servers('one');

patch('one', $there->{id}, down => JSON::PP::false());
pin('one', 'one/stream', $there->{id});

ok(wait_until(sub { $d->log() =~ /publish: name='stream'/ }, 5),
    'goes on to another one');
$p->close();

# two

my $n = connects('a');

$p = rtmp_publish(port(8081), 'two', 'stream');
ok(wait_until(sub { loops('b', 'BadName') == 1 }), 'loop of two');
sleep 2.5;
is(connects('a') - $n, 2, 'one connection comes back');
is(connects('b'), 1, 'one came');

$q = rtmp_play(port(8082), 'two', 'stream');
$p->send_media(media_messages(20));
is(scalar($q->read_media(10, 5)), 10, 'stream is where it was pushed to');
$_->close() for $p, $q;

# three

$n = connects('a');

$p = rtmp_publish(port(8081), 'three', 'stream');
ok(wait_until(sub { loops('c', 'BadName') == 1 }), 'loop of three');
sleep 2.5;
is(connects('a') - $n, 2, 'one connection comes back');
is(connects('c'), 1, 'one came');

$q = rtmp_play(port(8083), 'three', 'stream');
$p->send_media(media_messages(20));
is(scalar($q->read_media(10, 5)), 10, 'stream is at the end');
$_->close() for $p, $q;

# a chain

$p = rtmp_publish(port(8081), 'chain', 'stream?a=b');
ok(wait_until(sub { $c->log() =~ /publish: name='stream' args='a=b'/ }, 5),
    'chain of three');
$q = rtmp_play(port(8083), 'chain', 'stream');

my @media = media_messages(30);

$p->send_media(@media);

my @got = $q->read_media(scalar @media, 5);
is(media_digest(@got[-20 .. -1]), media_digest(@media[-20 .. -1]),
    'media at the last one');
$_->close() for $p, $q;

# marks of another make: a client that says it has been everywhere

$p = rtmp_publish(port(8081), 'one', 'many', connect => [ pageUrl =>
    Test::Nginx::RTMP::amf_str('rtmp-route:' . join(',', ('0' x 16) x 9)) ]);
is($p->{code}, 'NetStream.Publish.BadName', 'too many marks');

$p = rtmp_publish(port(8081), 'one', 'few', connect => [ pageUrl =>
    Test::Nginx::RTMP::amf_str('rtmp-route:' . join(',', ('0' x 16) x 8)) ]);
is($p->{code}, 'NetStream.Publish.Start', 'some marks');

###############################################################################

sub loops {
    my ($name) = @_;

    return () = lines($name)
        =~ /refuses a stream that is pushed to it: .*been there before/g;
}

sub connects {
    my ($name) = @_;

    return () = lines($name) =~ /client connected '127/g;
}

sub lines {
    my ($name) = @_;
    my $file = $name eq 'a' ? 'error.log' : "$name.log";

    return join('', grep { !/ \[debug\] / } split(/^/m, $t->read_file($file)));
}

###############################################################################
