#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for what a proxy believes of origins that register: players whose
# origin is gone, an origin that is killed and comes back, 50 streams at once,
# one that may not register, and a publisher whom nginx-rtmp accepts later.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HTTPD;
use Test::Nginx::Register;
use Test::Nginx::Route;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/);

need_register($t)->plan(27);

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    register  timeout=5s token=SECRET allow=127.0.0.1;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /api/ {
            rtmp_route_api  write=on;
        }
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen        127.0.0.1:8085;
        osp_upstream  live;
    }
}

EOF_CONF

$t->run();

# "on_publish" is answered when a file says so

my $asked = httpd($t, port(8091), sub {
    my ($r) = @_;
    my ($name) = $r->{body} =~ /\bname=(\w+)/;

    wait_until(sub { -e "$dir/may-$name" }, 20);
    return http_response(200, '');
});

###############################################################################

my $uri = 'http://127.0.0.1:' . port(8080) . '/api/v1/srs/register';

my ($a, $b) = map {
    my $id = $_;
    my $port = $id eq 'a' ? 8081 : 8082;

    register_origin($t, $id, <<"EOF_CONF");
worker_processes 1;

rtmp {
    rtmp_route_register $uri interval=1s token=SECRET id=$id;

    server {
        listen 127.0.0.1:%%PORT_$port%%;

        application live {
            live on;
            idle_streams off;
        }

        application asked {
            live on;
            on_publish http://127.0.0.1:%%PORT_8091%%/;
        }
    }
}
EOF_CONF
} qw/ a b /;

# not one of those that may register

my $c = register_origin($t, 'c', <<"EOF_CONF");
rtmp {
    rtmp_route_register $uri interval=1s token=SECRET id=c ip=10.0.0.1;

    server {
        listen %%PORT_8083%%;

        application live {
            live on;
        }
    }
}
EOF_CONF

ok(wait_until(sub { up('a') && up('b') }, 10), 'registered');

# who is not allowed to is no server, and what it has is nothing

my $other = rtmp_publish(port(8083), 'live', 'other');
ok(wait_until(sub { $c->log() =~ /registration with \S+ failed: status 4/ },
    10), 'refused');
is(stream('live/other'), 'none', 'streams of who was refused');
is(state_of('c'), 'none', 'no server');
$other->close();

# 50 streams at once

my @many = map { rtmp_publish(port(8081), 'live', "many$_") } 1 .. 50;
ok(wait_until(sub { count('a') == 50 }, 10), 'many');
is(stream('live/many50'), 'a list', 'the last one');
$_->close() for @many;
ok(wait_until(sub { count('a') == 0 }, 10), 'none');
is(stream('live/many50'), 'none', 'gone');

# a stream is where it is listed

my @lost = map { rtmp_publish(port(8081), 'live', "lost$_") } 1 .. 4;
ok(wait_until(sub { count('a') == 4 }), 'listed by the first');

my $pub = rtmp_publish(port(8081), 'live', 'cam');
ok(wait_until(sub { stream('live/cam') eq 'a list' }), 'listed');
ok(plays('cam'), 'played');

# the second that lists it is a conflict, in the API and in the log

my $same = rtmp_publish(port(8082), 'live', 'cam');
ok(wait_until(sub { conflict('live/cam') eq 'b' }, 10), 'conflict');
is(stream('live/cam'), 'a list', 'the first stays');
like($t->read_file('error.log'), qr/"b" lists streams that were not taken: 1/,
    'conflict is logged');

# the first is killed, the master and its workers, and no one tells

killed($a);
ok(wait_until(sub { stream('live/cam') eq 'b list' }, 15),
    'the second one has it');
ok(plays('cam'), 'played there');
$same->close();
$pub->close();

# a list that nobody stands for any more: the stream is looked for, and found
# at a server that lists nothing

api('POST', 'live/servers/', { id => 'd', server => '127.0.0.1',
    rtmp => ['' . port(8083)] });
$_->close() for @lost;
@lost = map { rtmp_publish(port(8083), 'live', "lost$_") } 1 .. 4;

ok(wait_until(sub { state_of('a') eq 'down' }, 15), 'down');
is(scalar(grep { plays("lost$_") } 1 .. 4), 4, 'found where nobody lists them');
$_->close() for @lost;

$a = register_origin($t, 'a');
ok(wait_until(sub { up('a') }, 10), 'back');

$pub = rtmp_publish(port(8081), 'live', 'sought');
ok(wait_until(sub { stream('live/sought') eq 'a list' }), 'listed again');

my $before = pid('a');
killed($a);

# ... and is back at once with another pid: what it had is gone

$a = register_origin($t, 'a');
ok(wait_until(sub { pid('a') ne $before }, 10), 'another pid');
is(stream('live/sought') . ' ' . state_of('a'), 'none up', 'a new entry');

# where its origin was killed and nobody lists it, others are asked

$pub = rtmp_publish(port(8081), 'live', 'moved');
ok(wait_until(sub { stream('live/moved') eq 'a list' }), 'listed by the first');

killed($a);
$same = rtmp_publish(port(8082), 'live', 'moved');
ok(plays('moved'), 'found at the other one');
$same->close();

# a publisher who is accepted later: it is told when its media come, and not
# when it is looked for once a second

my $soon = 0;

for my $n (1 .. 8) {
    last if $soon;

    my $late = rtmp_publish(port(8082), 'asked', "late$n", no_wait => 1);
    my $mark = rtmp_publish(port(8082), 'live', "mark$n");

    wait_until(sub { stream("live/mark$n") eq 'b list' });
    my $start = time();

    $t->write_file("may-late$n", '');

    wait_until(sub {
        $late->send_media(media_messages(1, first => 1));
        return stream("asked/late$n") eq 'b list';
    }, 5) or last;

    $soon = 1 if time() - $start < 0.6;
    $_->close() for $late, $mark;
}

ok($soon, 'accepted later');

# fast stop: no one is told, and it is down when its time is over

$b->signal('TERM');
ok($b->wait(), 'stopped');
ok(wait_until(sub { state_of('b') eq 'down' }, 15), 'expired');

###############################################################################

sub server_of {
    my ($id) = @_;

    return (grep { $_->{id} eq $id } servers('live'))[0];
}

sub state_of {
    my $s = server_of(@_);

    return $s ? $s->{state} : 'none';
}

sub up {
    return state_of(@_) eq 'up';
}

sub count {
    my $s = server_of(@_);

    return $s ? $s->{streams} : -1;
}

sub pid {
    my $s = server_of(@_);

    return $s && defined $s->{pid} ? $s->{pid} : '';
}

sub stream {
    my ($key) = @_;
    my $s = api('GET', "live/streams/$key");

    return ref $s ? "$s->{server} $s->{source}" : 'none';
}

sub conflict {
    my ($key) = @_;
    my $s = api('GET', "live/streams/$key");

    return ref $s ? "@{$s->{conflicts} || []}" : 'none';
}

sub plays {
    my ($name) = @_;
    my $p = rtmp_play(port(8085), 'live', $name);

    return 0 unless $p;

    my $ok = ($p->{code} || '') eq 'NetStream.Play.Start';
    $p->close();

    return $ok;
}

sub killed {
    my ($o) = @_;

    kill('KILL', $o->{pid}, $o->workers());
    $o->wait();
}

###############################################################################
