#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for path: what a client says behind its first publish or play, under
# names that a rule maps.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route qw/ :DEFAULT is_live /;
use Test::Nginx::RTMP;
use Test::Nginx::RTMP::Origin;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream pcre/)->plan(42);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone    live 1m;
    server  127.0.0.1 rtmp=%%PORT_8091%%;
    server  127.0.0.2 rtmp=%%PORT_8092%% backup;

    path    ~ ^/x/away       to=/z/far-away;
    path    ~ ^/x/there      to=/y/there servers=127.0.0.2;
    path    ~ ^/x/bare       to=/y/bare args=off;
    path    ~ ^/x/(.+)$      to=/y/another-name-of-$1;
    path    ~ ^/plain/same(.+)$ to=/plain/renamed$1;
    path    ~ ^/plain/other  to=/elsewhere/other;
}

rtmp_route seven {
    zone    seven 1m;
    server  127.0.0.1:8093;

    path    ~ ^/x/(.+)$      to=/y/another-name-of-$1;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format test '$server_port|$status $rtmp_reason $rtmp_command '
                    '$rtmp_app $rtmp_stream';
    access_log %%TESTDIR%%/stream.log test;

    osp_upstream_buffer_size 4k;

    server {
        listen       127.0.0.1:8081;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8084;
        osp_upstream seven;
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

my $o = rtmp_origin($t, port(8091), messages => 1);
my $there = rtmp_origin($t, port(8092), host => '127.0.0.2');
my $seven = rtmp_origin($t, port(8093), create => 7, messages => 1);

$t->run();

###############################################################################

my ($c, $n, @media);

# streams one behind the other, all of the same app at the server

$c = rtmp_publish(port(8081), 'x', 'one');

again($c, 'x', 'two');
is(names($o), 'connect:1 releaseStream:another-name-of-one '
    . 'FCPublish:another-name-of-one createStream '
    . 'publish:another-name-of-one '
    . 'FCUnpublish:another-name-of-one deleteStream:1 '
    . 'releaseStream:another-name-of-two FCPublish:another-name-of-two '
    . 'createStream publish:another-name-of-two',
    'a stream behind another one');
is_live('live', 'x/two 1 0', 'the next one in the table');

@media = media_messages(50);
$c->send_media(@media);
is($o->wait_media(media_digest(@media)), media_digest(@media), 'media');

again($c, 'x', 'bare?token=x');
is(last_publish($o), 'bare', 'another rule, without arguments');
again($c, 'x', 'one?token=x');
is(last_publish($o), 'another-name-of-one?token=x', 'and with arguments');

$c->unpublish('one');
$o->wait(event => 'close', c => last_c($o));
is(last_line(8081, 'publish x one'), '200 ok publish x one',
    'what the client has said');

# beside the other

$c = rtmp_publish(port(8081), 'x', 'one');
$c->send_command('createStream', 6, undef, \{ csid => 3 });
$c->send_command('play', 0, undef, amf_str('screen'),
    \{ csid => 8, msid => 2 });
$o->wait(event => 'command', c => last_c($o), name => 'play');
like(names($o), qr/ createStream play:another-name-of-screen$/,
    'a stream beside another one');
$c->send_command('play2', 0, undef, amf_obj(streamName => amf_str('new'),
    oldStreamName => amf_str('screen'), len => 7),
    \{ csid => 8, msid => 2 });
is_deeply($o->wait(event => 'command', c => last_c($o), name => 'play2')
    ->{args}[1], { streamName => 'another-name-of-new', len => 7,
    oldStreamName => 'another-name-of-screen' }, 'play2');
$c->close();

# an app of its own, or another server, needs a connection

for my $case (['away', 'x', 'another app'], ['there', 'x', 'another server'],
    ['other', 'plain', 'another app, where none was renamed'])
{
    my ($stream, $app, $name) = @$case;

    $c = rtmp_publish(port(8081), $app, 'one');
    $n = last_c($o);
    again($c, $app, $stream, 0);

    $c->answer('onStatus', undef, 'no status');
    is($c->{code}, 'NetStream.Publish.Denied', $name);
    is($c->{description}, 'stream needs a connection of its own',
        "$name: told");
    is(last_line(8081, $stream),
        "403 refused_stream publish $app $stream", "$name: log");

    $o->wait(event => 'close', c => $n);
    is(scalar(() = names($o) =~ / publish:/g), 1, "$name: not passed");
    like(names($o), qr/ releaseStream:$stream FCPublish:$stream /,
        "$name: as it is");
    is_live('live', '', "$name: not in the table");
    $c->close();
}

$c = rtmp_publish(port(8081), 'x', 'there');
is($c->{code}, 'NetStream.Publish.Start', 'a connection of its own');
is(last_publish($there), 'there', 'at its server');
$c->close();

# a rule for the second one only

$c = rtmp_publish(port(8081), 'plain', 'one');
again($c, 'plain', 'same.1');
is(last_publish($o), 'renamed.1', 'the first one has kept its name');
like(names($o), qr/FCPublish:renamed.1 .*publish:renamed.1$/, 'all of it');
again($c, 'plain', 'one');
is(last_publish($o), 'one', 'and has it again');
$c->close();

# headers that rely on the length of a command that was another one: those of
# librtmp are as short as can be

for my $case ([8081, $o, 1], [8084, $seven, 7]) {
    my ($port, $origin, $id) = @$case;

    $c = Test::Nginx::RTMP::rtmp_start(port($port), 'x');

    $c->write_raw($c->command('FCPublish', 2, undef, amf_str('one'),
            \{ csid => 3, fmt => 1 })
        . $c->command('FCPublisH', 3, undef, amf_str('two'),
            \{ csid => 3, fmt => 2, ts => 5 })
        . $c->command('FCPublish', 4, undef, amf_str('two'),
            \{ csid => 3, fmt => 3, ts => 10 })
        . $c->command('createStream', 5, undef, \{ csid => 3, fmt => 1,
            ts => 10 })
        . $c->command('publish', 0, undef, amf_str('one'), amf_str('live'),
            \{ csid => 4, msid => 1 })
        . $c->message(type => 9, csid => 4, fmt => 1, payload => 'v' x 99)
        . $c->message(type => 9, csid => 4, fmt => 3, payload => 'w' x 99));

    $c->read_command('onStatus');

    # in the relay, in pieces, too

    my $bytes = $c->command('FCUnpublish', 6, undef, amf_str('one'),
            \{ csid => 3, fmt => 1, ts => 10 })
        . $c->command('FCUnpublisH', 7, undef, amf_str('two'),
            \{ csid => 3, fmt => 2, ts => 15 })
        . $c->command('FCUnpublish', 8, undef, amf_str('two'),
            \{ csid => 3, fmt => 3, ts => 20 })
        . $c->command('deleteStream', 9, undef, amf_num(1),
            \{ csid => 3, fmt => 1, ts => 20 })
        . $c->message(type => 9, csid => 4, fmt => 3, payload => 'x' x 99)
        . $c->message(type => 1, csid => 2, payload => pack('N', 16));

    # between the chunks of a command there is another message

    my @chunks = $c->chunks(type => 20, csid => 300, payload =>
        amf_encode(amf_str('FCUnpublish'), 10, undef, amf_str('three')));

    $bytes .= shift(@chunks)
        . $c->message(type => 9, csid => 4, fmt => 1, payload => 'y' x 40)
        . join('', @chunks)
        . $c->message(type => 9, csid => 4, fmt => 3, payload => 'z' x 40);

    $c->write_slowly($bytes, 0, 10);
    $c->close();

    $n = last_c($origin);
    $origin->wait(event => 'close', c => $n);

    is(names($origin), 'connect:1 FCPublish:another-name-of-one FCPublisH:two '
        . 'FCPublish:another-name-of-two createStream '
        . 'publish:another-name-of-one FCUnpublish:another-name-of-one '
        . 'FCUnpublisH:two FCUnpublish:another-name-of-two '
        . "deleteStream:$id FCUnpublish:another-name-of-three",
        "short headers, stream $id");
    is(join(' ', map { $_->{ts} } grep { $_->{csid} == 3 }
        $origin->events(event => 'message', c => $n)),
        '0 0 5 10 10 10 15 20 20', "short headers, stream $id: timestamps");
    is(join(' ', map { "$_->{len}:" . substr($_->{hex}, 0, 2) }
        grep { $_->{type} == 9 } $origin->events(event => 'message',
            c => $n)), '99:76 99:77 99:78 40:79 40:7a',
        "short headers, stream $id: media");
}

# a command that becomes too long

$c = rtmp_client(port(8081));
$c->handshake();
$c->write_raw($c->command('connect', 1, amf_obj(app => amf_str('x'),
    tcUrl => amf_str('rtmp://a/x'), x => amf_str('x' x 8100))));
$c->write_raw($c->command('createStream', 2, undef)
    . $c->command('publish', 3, undef, amf_str('one'), amf_str('x' x 8150),
        \{ msid => 1 }));
$c->answer('onStatus', undef, 'no status');
is($c->{code}, 'NetConnection.Connect.Rejected', 'too long');
is($c->{description}, 'too much data before publish or play',
    'too long: told');
is(last_line(8081, 'limit'), '400 limit_setup publish x one', 'too long: log');
$c->close();

# commands that are aborted

$c = Test::Nginx::RTMP::rtmp_start(port(8081), 'x');
$c->write_raw(($c->chunks(type => 20, csid => 9, payload =>
    amf_encode(amf_str('FCPublish'), 10, undef, amf_str('x' x 300))))[0]
    . $c->message(type => 2, csid => 2, payload => pack('N', 9)));
$c->publish('one');
is($c->{code}, 'NetStream.Publish.Start', 'aborted');
is(last_publish($o), 'another-name-of-one', 'aborted: the next one');
$c->close();

###############################################################################

# as an encoder does it, with a name for each command

sub again {
    my ($c, $app, $stream, $wait) = @_;
    my ($n, $count);

    $n = last_c($o);
    $count = () = $o->events(event => 'command', c => $n, name => 'publish');

    $c->write_raw($c->command('FCUnpublish', 6, undef, amf_str($c->{stream}
            || 'one'), \{ csid => 3, fmt => 1 })
        . $c->command('deleteStream', 7, undef, amf_num(1),
            \{ csid => 3, fmt => 1 })
        . $c->command('releaseStream', 8, undef, amf_str($stream),
            \{ csid => 3, fmt => 1 })
        . $c->command('FCPublish', 9, undef, amf_str($stream),
            \{ csid => 3, fmt => 1 })
        . $c->command('createStream', 10, undef, \{ csid => 3, fmt => 1 })
        . $c->command('publish', 11, undef, amf_str($stream), amf_str('live'),
            \{ csid => 8, msid => 1 }));

    $c->{stream} = $stream;

    $o->wait(event => 'command', c => $n, name => 'publish',
        count => $count + 1) unless defined $wait;
}

# commands of the last connection, with what they name

sub names {
    my ($o) = @_;
    my @names;

    for my $m ($o->events(event => 'command', c => last_c($o))) {
        my ($name) = grep { defined $_ && !ref($_) } @{$m->{args}};

        $name = $m->{tid} if $m->{name} eq 'connect';
        push @names, defined $name ? "$m->{name}:$name" : $m->{name};
    }

    return join(' ', @names);
}

sub last_publish {
    my ($o) = @_;

    return ($o->events(event => 'command', name => 'publish'))[-1]{args}[1];
}

sub last_c {
    my ($o) = @_;

    return ($o->events(event => 'accept'))[-1]{c};
}

# what is written of a session, once it is

sub last_line {
    my ($port, $text) = @_;

    $port = port($port);

    return wait_log($t, 'stream.log',
        qr/.*^$port\|([^\n]*$text[^\n]*)$/ms);
}

###############################################################################
