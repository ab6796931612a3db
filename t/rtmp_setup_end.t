#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: what the origin sends around the end of the set-up.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/stream/)->plan(16);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route formats {
    zone   formats 1m;
    server 127.0.0.1:8090;
}

rtmp_route sizes {
    zone   sizes 1m;
    server 127.0.0.1:8091;
}

rtmp_route cut {
    zone   cut 1m;
    server 127.0.0.1:8092;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8080;
        osp_upstream formats;
    }

    server {
        listen       127.0.0.1:8081;
        osp_upstream sizes;
    }

    server {
        listen       127.0.0.1:8082;
        osp_upstream cut;
    }
}

EOC

my $ok = amf_obj(level => 'status', code => 'NetStream.Publish.Start');

# the messages behind onBWDone and onStatus have short headers

rtmp_origin($t, port(8090), before => sub {
    my ($c, $m, $o) = @_;
    my @one = (csid => 5, msid => 1);

    if ($m->{name} eq 'createStream') {
        $c->send_command('onBWDone', 0, undef, \{ @one, ts => 1000 });
        return 0;
    }

    return 0 if $m->{name} ne 'publish';

    $c->send_command('onStatus', 0, undef, $ok, \{ @one, fmt => 1,
        ts => 1010 });
    $c->send_message(type => 18, @one, fmt => 1, ts => 1030, payload => 'aaaa');
    $c->send_message(type => 18, @one, fmt => 2, ts => 1050, payload => 'bbbb');
    $c->send_message(type => 18, @one, fmt => 3, ts => 1070, payload => 'cccc');
    $c->send_message(type => 18, @one, fmt => 0, ts => 5000, payload => 'dddd');
    $c->send_message(type => 18, @one, fmt => 1, ts => 5020, payload => 'eeee');
    return 1;
});

# chunk sizes change between messages that the client gets and others

rtmp_origin($t, port(8091), before => sub {
    my ($c, $m, $o) = @_;
    my %size = (connect => 33, createStream => 17, publish => 300);

    if ($size{$m->{name}}) {
        $c->send_message(type => 1, csid => 2,
            payload => pack('N', $size{$m->{name}}));
    }

    if ($m->{name} eq 'publish') {
        $c->send_message(type => 18, csid => 6, msid => 1,
            payload => amf_encode('first', 'x' x 1000));
        $c->send_message(type => 1, csid => 2, payload => pack('N', 5));
    }

    return 0;
}, chunk => 50);

# the answer to publish comes while another message is half sent

rtmp_origin($t, port(8092), before => sub {
    my ($c, $m, $o) = @_;

    return 0 if $m->{name} ne 'publish';

    my @data = $c->chunks(type => 18, csid => 6, msid => 1, chunk => 100,
        payload => amf_encode('half', 'x' x 500));
    my @status = $c->chunks(type => 20, csid => 5, msid => 1, chunk => 100,
        payload => amf_encode('onStatus', 0, undef, $ok));

    $c->send_message(type => 1, csid => 2, payload => pack('N', 100));
    $c->write_raw(join('', @data[0, 1]) . $status[0] . $data[2]
        . join('', @status[1 .. $#status]) . $data[3]);
    select(undef, undef, undef, 0.2);
    $c->write_raw(join('', @data[4 .. $#data]));

    $o->{created} = 1;
    return 1;
});

$t->run();

###############################################################################

my $c = rtmp_publish(port(8080), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'formats');
is($c->{answer}{fmt}, 0, 'whole header');
is($c->{answer}{ts}, 1010, 'timestamp');
is($c->{answer}{msid}, 1, 'stream id');

for my $want (qw/ 1030:aaaa 1050:bbbb 1070:cccc 5000:dddd 5020:eeee /) {
    my $m = $c->read_message();

    is($m ? "$m->{ts}:$m->{payload}" : $c->{error}, $want, "message $want");
}

$c = rtmp_publish(port(8081), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'chunk sizes');

my ($m) = grep { defined $_->{name} && $_->{name} eq 'first' }
    @{$c->{messages}};

is($m ? $m->{args}[0] : '', 'x' x 1000, 'message with a new chunk size');
is($c->{in_chunk}, 5, 'chunk size in the end');

$c = rtmp_publish(port(8082), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'half a message');

$m = $c->read_command('half');
$m = (grep { defined $_->{name} && $_->{name} eq 'half' } @{$c->{messages}})[0]
    unless defined $m;

is($m ? $m->{args}[0] : '', 'x' x 500, 'other half');
is($c->{error}, undef, 'no error');

# the relay goes on

$c->send_media(media_messages(3));
$c->send_command('createStream', 9, undef);

ok(defined $c->answer('_result', 9, 'no answer'), 'relay');

###############################################################################
