#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream: headers of the origin that rely on messages which
# the client does not get.

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

my $t = Test::Nginx->new()->has(qw/stream/);

###############################################################################

my $big = 0x01234567;

my %origins = (

    # relative to an onFCPublish that is held back

    held => sub {
        my ($c) = @_;
        $c->write_raw(command($c, 'onFCPublish', 0, msid => 1, csid => 5)
            . start($c, csid => 5, fmt => 1));
    },

    # relative to an onBWDone that is dropped; again, with the same length;
    # again, with the same time between

    dropped => sub {
        my ($c) = @_;
        $c->write_raw(command($c, 'onBWDone', 100, csid => 3, fmt => 1)
            . start($c, csid => 5)
            . command($c, 'onSecond', 140, csid => 3, fmt => 2)
            . command($c, 'on_Third', 180, csid => 3, fmt => 3)
            . command($c, 'onFourth', 220, csid => 3, fmt => 3));
    },

    # the same with a time that needs more than three bytes

    extended => sub {
        my ($c) = @_;
        $c->write_raw(command($c, 'onBWDone', $big, csid => 3, fmt => 1)
            . start($c, csid => 5)
            . command($c, 'onSecond', $big + 40, csid => 3, fmt => 2)
            . command($c, 'on_Third', $big + 80, csid => 3, fmt => 3)
            . command($c, 'onFourth', 2 * $big, csid => 3, fmt => 1));
    },

    # chunks of a dropped and of a passed message in turn, and a chunk size
    # that changes between them

    interleaved => sub {
        my ($c) = @_;

        $c->{out_chunk} = 20;

        my @dropped = $c->chunks(type => 20, csid => 7, payload =>
            amf_encode(amf_str('onBWDone'), amf_num(0), amf_str('x' x 50)));
        my @passed = $c->chunks(type => 20, csid => 8, payload =>
            amf_encode(amf_str('onFirst'), amf_num(0), amf_str('y' x 50)));

        $c->write_raw($c->message(type => 1, csid => 2,
            payload => pack('N', 20)));
        $c->{out_chunk} = 20;

        while (@dropped || @passed) {
            $c->write_raw(shift @dropped) if @dropped;
            $c->write_raw(shift @passed) if @passed;
        }

        $c->write_raw($c->message(type => 1, csid => 2,
            payload => pack('N', 4096)));
        $c->write_raw(start($c, csid => 5)
            . command($c, 'onSecond', 40, csid => 7, fmt => 1)
            . command($c, 'on_Third', 80, csid => 8, fmt => 1)
            . command($c, 'onFourth', 80, csid => 7, fmt => 3));
    },

    # chunk streams whose numbers take two and three bytes

    numbers => sub {
        my ($c) = @_;
        $c->write_raw(command($c, 'onBWDone', 5, csid => 70)
            . command($c, 'onBWDone', 6, csid => 65599)
            . start($c, csid => 400)
            . command($c, 'onSecond', 40, csid => 70, fmt => 2)
            . command($c, 'on_Third', 80, csid => 65599, fmt => 1)
            . command($c, 'onFourth', 120, csid => 400, fmt => 1));
    },

    # relative to an answer to createStream that is dropped, where something
    # else was passed between it and ours, which looks the same

    control => sub {
        my ($c) = @_;
        $c->write_raw(start($c, csid => 5) . join('', map {
            $c->command($_->[0], 0, undef, amf_str('12345'), \{ csid => 3,
                ts => $_->[1], fmt => 2 })
        } ['onSecond', 40], ['on_Third', 100], ['onFourth', 200]));
    },
);

my %early = (
    control => sub {
        my ($c) = @_;
        $c->send_message(type => 5, csid => 3, payload => pack('N', 5000000));
    },
);

my @names = sort keys %origins;
my ($routes, $servers) = ('', '');

for my $i (0 .. $#names) {
    my ($listen, $origin) = (8100 + $i, 8200 + $i);

    $routes .= "rtmp_route $names[$i] { zone r$i 256k; "
        . "server 127.0.0.1:$origin; }\n";
    $servers .= "server { listen 127.0.0.1:$listen; "
        . "osp_upstream $names[$i]; }\n";
}

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;

events {
}

$routes

stream {
    %%TEST_GLOBALS_STREAM%%

    $servers
}

EOC

for my $i (0 .. $#names) {
    rtmp_origin($t, port(8200 + $i), before => sub {
        my ($c, $m) = @_;

        $early{$names[$i]}->($c)
            if $m->{name} eq 'createStream' && $early{$names[$i]};

        return 0 if $m->{name} ne 'publish';

        $origins{$names[$i]}->($c);
        return 1;
    });
}

$t->plan(2 + 5 * 5)->run();

###############################################################################

my $c = published('held');

is($c->{code}, 'NetStream.Publish.Start', 'held');
is(scalar(grep { ($_->{name} || '') eq 'onFCPublish' }
    @{$c->{messages}}, $c->{answer} || ()), 1, 'held passed');

$c->close();

relayed('dropped', 140, 180, 220);
relayed('extended', $big + 40, $big + 80, 2 * $big);
relayed('interleaved', 40, 80, 80);
relayed('numbers', 40, 80, 120);
relayed('control', 40, 100, 200);

###############################################################################

sub published {
    my ($name) = @_;
    my ($i) = grep { $names[$_] eq $name } 0 .. $#names;

    return rtmp_publish(port(8100 + $i), 'live', 'cam1');
}

sub relayed {
    my ($name, @ts) = @_;

    my $c = published($name);
    my @words = qw/ onSecond on_Third onFourth /;

    is($c->{code}, 'NetStream.Publish.Start', "$name: start");

    for my $i (0 .. 2) {
        my $m = $c->read_command($words[$i]);

        is($m && $m->{ts}, $ts[$i], "$name: $words[$i]")
            or diag($c->{error});
    }

    ok(!$c->is_closed(0), "$name: open");

    $c->close();
}

sub command {
    my ($c, $name, $ts, %m) = @_;

    return $c->command($name, 0, undef, \{ ts => $ts, %m });
}

sub start {
    my ($c, %m) = @_;

    return $c->command('onStatus', 0, undef, amf_obj(level => 'status',
        code => 'NetStream.Publish.Start', description => 'start'),
        \{ msid => 1, %m });
}

###############################################################################
