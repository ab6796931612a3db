#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: a stream to be played that is not where it was
# looked for first.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::RTMP::Origin;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(54);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1:8081;
    server  127.0.0.1:8082;
    server  127.0.0.1:8083;
    server  127.0.0.1:8084;
}

rtmp_route one {
    zone    one 1m;
    server  127.0.0.1:8081;
}

rtmp_route dead {
    zone    dead 1m;
    server  127.0.0.1:8081;
    server  127.0.0.1:8090 backup;
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

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status $rtmp_reason|$upstream_addr';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_connect_timeout 20s;

    server {
        listen       127.0.0.1:8085;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8086;
        osp_upstream live;
        osp_upstream_next_upstream off;
    }

    server {
        listen       127.0.0.1:8087;
        osp_upstream live;
        osp_upstream_next_upstream_tries 2;
    }

    server {
        listen       127.0.0.1:8088;
        osp_upstream one;
    }

    server {
        listen       127.0.0.1:8089;
        osp_upstream dead;
    }

    server {
        listen       127.0.0.1:8091;
        osp_upstream live;
        osp_upstream_connect_timeout 1s;
    }
}

EOC

# An origin has what its file names, with how it plays it if not as usual;
# a stream it has not is refused as the first part of its name says.

my $dir = $t->testdir();

my @origins = (undef, map {
    my $n = $_;
    rtmp_origin($t, port(8080 + $n), before => sub { before($n, @_) });
} 1 .. 4);

$t->run();

###############################################################################

my ($c, @c, @order, $n, $refused);
my $ended = 0;

# it is nowhere: three are asked, in the order of the stream's name

$c = play(8085, 'missing');
is($c->{code}, 'NetStream.Play.StreamNotFound', 'nowhere');
like($c->{description}, qr/^No such stream on \d$/, 'nowhere: an answer');
ok($c->is_closed(2), 'nowhere: closed');
done($c);
is(source('missing'), 'unknown', 'nothing is remembered');

@order = order();
is(scalar(@order), 3, 'three are asked');
is($c->{description}, "No such stream on $order[0]", 'what the first one said');
like(last_log(), qr/^403 refused\|/, 'nowhere: log');

push @order, grep { my $i = $_; !grep { $_ == $i } @order } 1 .. 4;

put($t, $order[3], 'missing');
is(play_again(8085, 'missing'), 'NetStream.Play.StreamNotFound',
    'the fourth one is not asked');

# for a moment that is known

ok(wait_until(sub {
    done(play(8085, 'missing'));
    done(play(8085, 'missing'));
    return order() == 1;
}, 20), 'not searched at once again');

# the first one has it

put($t, $order[0], 'missing');
put($t, $order[3]);

$c = play(8085, 'missing');
is($c->{code}, 'NetStream.Play.Start', 'the first one has it');
is(source('missing'), 'pick ' . id($order[0]), 'nothing to be remembered');
done($c);
is(scalar(order()), 1, 'the first one only');

# the next one has it

put($t, $order[0]);
@order = order_of($t, 'cam1');
put($t, $order[1], 'cam1');

$c = play(8085, 'cam1');
is($c->{code}, 'NetStream.Play.Start', 'found');
is(media_digest($c->read_media(23)), media_digest(media_messages(20,
    play => 1)), 'media');
unlike($c->seen(), qr/NotFound|onStatus.*Start.*onStatus.*Start/,
    'nothing noticed');
is(source('cam1'), 'found ' . id($order[1]), 'source');
is(sessions_on($order[1]), 1, 'the session has moved');
done($c);
is(join(' ', order()), "@order[0, 1]", 'found at the second one');

$c = play(8085, 'cam1');
done($c);
is(join(' ', order()), $order[1], 'not searched again');

# it has moved

put($t, $order[1]);
put($t, $order[2], 'cam1');

$c = play_again(8085, 'cam1', 'Play.Start');
is($c, 'NetStream.Play.Start', 'moved');
is(source('cam1'), 'found ' . id($order[2]), 'moved: source');

# it is gone

put($t, $order[2]);
$c = play_again(8085, 'cam1');
is($c, 'NetStream.Play.StreamNotFound', 'gone');
is(scalar(order()), 3, 'gone: three are asked');
api('DELETE', 'live/streams/live/cam1');

# other ways to refuse, and more of what was sent before it

for my $name (qw/ close error large /) {
    @order = order_of($t, $name);

    put($t, $order[1], $name);
    $c = play(8085, $name);
    is($c->{code}, 'NetStream.Play.Start', $name);
    is(media_digest($c->read_media(23)), media_digest(media_messages(20,
        play => 1)), "$name: media");
    is(source($name), 'found ' . id($order[1]), "$name: source");
    done($c);
    put($t, $order[1]);
}

# an answer of another kind is an answer

$c = play(8085, 'denied');
done($c);
is($c->{code}, 'NetStream.Play.Denied', 'denied');
is(scalar(order()), 1, 'denied by the first one');

# who plays what it may not have is not said to have it

@order = order_of($t, 'quiet');
put($t, $order[1], 'quiet');
$c = play(8085, 'quiet');
done($c);
is($c->{code}, 'NetStream.Play.Start', 'accepted without a stream');
unlike(source('quiet'), qr/found/, 'accepted without a stream: source');
put($t, $order[1]);

# what is known is not searched

pin('live', 'live/missing', id(2));
$c = play(8085, 'missing');
done($c);
is($c->{code}, 'NetStream.Play.StreamNotFound', 'pinned');
is(join(' ', order()), 2, 'pinned: one is asked');
unpin('live', 'live/missing');

$c = rtmp_publish(port(8085), 'live', 'missing');
done($c);
is($c->{code}, 'NetStream.Publish.BadName', 'publish');
is(scalar(order()), 1, 'publish: one is asked');

# directives

done(play(8086, 'close'));
is(scalar(order()), 1, 'next server off');
done(play(8087, 'close'));
is(scalar(order()), 2, 'tries');
$c = play(8088, 'missing');
done($c);
is($c->{code} . ' ' . scalar(order()), 'NetStream.Play.StreamNotFound 1',
    'no other server');
$c = play(8089, 'missing');
done($c);
is($c->{code} . ' ' . last_log(), 'NetStream.Play.StreamNotFound 403 refused|'
    . join(', ', map { '127.0.0.1:' . port($_) } 8081, 8090),
    'another server is dead');

# one search for all

@order = order_of($t, 'many');

gate($t, $order[1], 1);
put($t, $order[2], 'many');
$n = plays($order[0], 'many');
@c = map { play(8085, 'many', no_wait => 1) } 1 .. 5;
ok(wait_refused($order[0], 'many', $n + 5), 'all have been refused');
is(plays($order[1], 'many'), $n + 1, 'one asks the second');
gate($t, $order[1], 0);
is(join(' ', map { $_->status(); $_->{code} } @c),
    join(' ', ('NetStream.Play.Start') x 5), 'all are played to');
is(plays($order[1], 'many'), $n + 1, 'one has asked the second');
done(@c);
put($t, $order[2]);
api('DELETE', 'live/streams/live/many');

# the one that searches goes away

gate($t, $order[1], 1);
put($t, $order[1], 'many');
$n = plays($order[1], 'many');
$refused = plays($order[0], 'many');
@c = play(8085, 'many', no_wait => 1);
wait_until(sub { plays($order[1], 'many') == $n + 1 });
push @c, play(8085, 'many', no_wait => 1);
ok(wait_refused($order[0], 'many', $refused + 2), 'another one waits');
done(shift @c);
ok(wait_until(sub { plays($order[1], 'many') == $n + 2 }), 'and goes on');
gate($t, $order[1], 0);
$c[0]->status();
is($c[0]->{code}, 'NetStream.Play.Start', 'and finds it');
done(@c);
put($t, $order[1]);

# or may not have it, which says nothing of others

@order = order_of($t, 'close');
gate($t, $order[1], 1);
$n = plays($order[1], 'close');
$refused = plays($order[0], 'close');
@c = map { play(8085, 'close', no_wait => 1) } 1 .. 3;
wait_refused($order[0], 'close', $refused + 3);
gate($t, $order[1], 0);
is(join(' ', map { $_->status(); $_->{code} } @c),
    join(' ', ('NetStream.Play.StreamNotFound') x 3), 'refused');
is(plays($order[1], 'close'), $n + 3, 'each has asked for itself');
done(@c);

# or does not get on: the others do not wait for long

@order = order_of($t, 'slow');
gate($t, $order[1], 1);
$n = plays($order[1], 'slow');
@c = map { play(8091, 'slow', no_wait => 1) } 1 .. 2;
ok(wait_until(sub { plays($order[1], 'slow') == $n + 2 }), 'waited enough');
gate($t, $order[1], 0);
done(@c);

$t->stop();

###############################################################################

sub before {
    my ($n, $c, $m, $origin) = @_;
    my ($name, $code);

    return 0 unless $m->{name} =~ /^(play|publish)$/;

    $name = $m->{args}[1];

    if ($1 eq 'publish') {
        $origin->status('Publish.BadName') if $name eq 'missing';
        return $name eq 'missing';
    }

    wait_until(sub { !-e "$dir/gate$n" }, 30);

    if (grep { $_ eq $name } split(/\n/, slurp("$dir/on$n"))) {
        return 0 if $name ne 'quiet';

        $origin->status('Play.Start');
        return 1;
    }

    # what comes before a refusal is of no use to the client, but harmless

    $c->write_raw($c->message(type => 18, csid => 5, msid => 1,
        payload => 'x' x 3000)) if $name eq 'large';

    if ($name eq 'close' || -e "$dir/learn") {

        # nothing is said

    } elsif ($name eq 'error') {
        $origin->refuse($m->{tid}, 'NetStream.Play.Failed', 'no');

    } elsif ($name eq 'denied') {
        $origin->status('Play.Denied', 'go away');

    } else {
        $origin->status('Play.StreamNotFound', "No such stream on $n");
    }

    shutdown($c->{socket}, 2);

    return 1;
}

sub slurp {
    my ($file) = @_;

    open(my $fh, '<', $file) or return '';
    local $/;
    return <$fh>;
}

sub put {
    my ($t, $n, @streams) = @_;

    $t->write_file("on$n.new", join('', map { "$_\n" } @streams));
    rename("$dir/on$n.new", "$dir/on$n") or die "Can't rename: $!\n";
}

sub gate {
    my ($t, $n, $closed) = @_;

    return unlink("$dir/gate$n") unless $closed;

    $t->write_file("gate$n", '');
}

# the first server has no port in its id

sub id {
    my ($n) = @_;

    return (map { $_->{id} } grep { $_->{rtmp}[0] eq '127.0.0.1:'
        . port(8080 + $n) } servers('live'))[0];
}

sub source {
    my ($name) = @_;
    my $stream = api('GET', "live/streams/live/$name");

    return $stream ? "$stream->{source} $stream->{server}" : 'unknown';
}

sub sessions_on {
    my ($n) = @_;

    return scalar(grep { $_->{server} eq id($n) } sessions('live'));
}

sub play {
    my ($port, $name, %opt) = @_;

    return rtmp_play(port($port), 'live', $name, %opt);
}

# closes, and waits for the lines in the log

sub done {
    my @clients = @_;

    $_->close() for @clients;
    $ended += @clients;

    wait_until(sub { log_lines() == $ended });
}

sub log_lines {
    return split(/\n/, slurp("$dir/stream.log"));
}

sub last_log {
    return (log_lines())[-1] =~ /^\d+\|(.*)/ ? $1 : '';
}

# which servers the last session has asked

sub order {
    return map { my $p = $_; grep { port(8080 + $_) == $p } 1 .. 4 }
        last_log() =~ /:(\d+)/g;
}

sub order_of {
    my ($t, $name) = @_;
    my @list;

    # of a stream that is refused in this way nothing is known

    $t->write_file('learn', '');
    done(play(8085, $name));
    @list = order();
    unlink("$dir/learn");

    return @list;
}

# it is known for a moment that a stream is nowhere

sub play_again {
    my ($port, $name, $want) = @_;
    my ($c, $end);

    wait_until(sub {
        $c = play($port, $name);
        done($c);
        return $want ? $c->{code} =~ /$want/ : order() > 1;
    }, 10);

    return $c->{code};
}

sub plays {
    my ($n, $name) = @_;

    return grep { $_->{args}[1] eq $name } $origins[$n]->events(event =>
        'command', name => 'play');
}

# the relay has left the connections of all that were refused

sub wait_refused {
    my ($n, $name, $count) = @_;

    return wait_until(sub {
        my %closed = map { $_->{c} => 1 } $origins[$n]->events(event =>
            'close');
        my @list = plays($n, $name);

        return @list == $count && !grep { !$closed{$_->{c}} } @list;
    });
}

###############################################################################
