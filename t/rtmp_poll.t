#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream with an event method that is level-triggered: sessions
# that wait take no CPU time.

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

plan(skip_all => 'no process times') unless -r '/proc/self/stat';

my $t = Test::Nginx->new()->has(qw/stream poll/)->plan(9);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
    use poll;
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen       127.0.0.1:8080;
        osp_upstream live;
    }
}

EOC

# sends more to a player than sockets hold

my $o = rtmp_origin($t, port(8081), media => 2000, media_size => 20000);

$t->run();

###############################################################################

my @media = media_messages(10);
my $c = rtmp_client(port(8080));

$c->handshake();
ok(idle($t), 'commands');
$c->close();

$c = rtmp_publish(port(8080), 'live', 'cam1');

is($c->{code}, 'NetStream.Publish.Start', 'publish');
ok(idle($t), 'publish idle');

$c->send_media(@media);

is($o->wait_media(media_digest(@media)), media_digest(@media), 'media');
ok(idle($t), 'publish idle again');

$c->close();
$c = rtmp_play(port(8080), 'live', 'cam1');

is($c->{code}, 'NetStream.Play.Start', 'play');
ok(idle($t), 'player that does not read');

is(media_digest($c->read_media(2003)), $o->wait(event => 'sent')->{digest},
    'read at last');
ok(idle($t), 'player idle');

$c->close();

###############################################################################

# half of the time at most

sub idle {
    my ($t) = @_;
    my ($before, $after);

    select(undef, undef, undef, 0.2);
    $before = ticks($t);
    select(undef, undef, undef, 0.5);
    $after = ticks($t);

    return $after - $before < 25;
}

# of all workers, 100 a second

sub ticks {
    my ($t) = @_;
    my ($master, $ticks);

    $master = $t->read_file('nginx.pid') + 0;
    $ticks = 0;

    for my $pid (split(' ', slurp("/proc/$master/task/$master/children"))) {
        my @stat = split(' ', slurp("/proc/$pid/stat") =~ s/^.*\)//r);
        $ticks += $stat[11] + $stat[12];
    }

    return $ticks;
}

sub slurp {
    my ($file) = @_;

    open(my $fh, '<', $file) or die "Can't open $file: $!\n";
    local $/;

    return <$fh>;
}

###############################################################################
