#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for names with several addresses: what comes, goes and is back while
# there are sessions.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::DNS;
use Test::Nginx::Route qw/ :DEFAULT server state /;
use Test::Nginx::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream/)->plan(30);
my $dns = port(8980, udp => 1);

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

rtmp_route live {
    zone      live 1m;
    resolver  127.0.0.1:$dns ipv6=off;
    resolver_timeout 1s;

    server    pods.example.com rtmp=%%PORT_8081%% weight=2;
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

    server {
        listen       127.0.0.1:8087;
        osp_upstream live;
        osp_upstream_takeover off;
    }
}

EOF_CONF

my @addrs = map { "127.0.0.$_" } 11 .. 14;

rtmp_origin($t, port(8081), host => $_, file => $t->testdir() . "/$_.log")
    for @addrs;

write_names($t, 'pods.example.com' => [@addrs[0 .. 2]]);

$t->run_daemon(\&dns_daemon, $dns, $t->testdir() . '/names');
$t->run();

###############################################################################

my $start = 'NetStream.Publish.Start';
my $proxy = port(8087);
my (%publisher, %player, $c);

sub id { return "pods.example.com#127.0.0.$_[0]"; }

ok(wait_until(sub { state(id(11)) eq 'up' && state(id(13)) eq 'up' }, 15),
    'three');

$publisher{"cam$_"} = rtmp_publish($proxy, 'live', "cam$_") for 1 .. 16;
is(codes(values %publisher), $start, 'published');

my %where = where();
my ($first, $second, @others)
    = grep { $where{$_} eq id(11) } sort keys %publisher;
ok($second, 'two streams at one of them');

$publisher{$_}->close() for @others;
delete @publisher{@others};

my $selected = server(id(11))->{selected};

# one goes, another one comes

write_names($t, 'pods.example.com' => [@addrs[1 .. 3]]);

ok(wait_until(sub { state(id(14)) eq 'up' }, 6), 'an address has come');
ok(wait_until(sub { state(id(11)) eq 'draining' }, 6), 'one has gone');

my $s = server(id(11));
is($s->{reason}, 'dns', 'that is said');
is_deeply($s->{rtmp}, ['127.0.0.11:' . port(8081)], 'its address is known');
is($s->{drained}, JSON::PP::false(), 'it is in use');
ok(wait_until(sub { server(id(11))->{conns} == 2 }), 'sessions there');

push @{$player{$first}}, rtmp_play($proxy, 'live', $first);
is($player{$first}[0]{code}, 'NetStream.Play.Start', 'a player');
is(place($first, 'play'), id(11), 'finds what is live there');

my @new = map { rtmp_publish($proxy, 'live', "new$_") } 1 .. 20;
is(codes(@new), $start, 'publishers');
is(scalar(grep { /^new/ && { where() }->{$_} eq id(11) } keys %{{ where() }}),
    0, 'none of them is sent there');
ok(scalar(grep { $_ eq id(14) } values %{{ where() }}), 'but to the new one');
$_->close() for @new;

# the same stream twice is for its server to refuse, and not lost elsewhere

$c = rtmp_publish($proxy, 'live', $first, timeout => 2);
is(scalar(grep { $_->{stream} eq "live/$first" && $_->{server} ne id(11) }
    sessions('live')), 0, 'a second publisher is not sent elsewhere');
$c->close();

# a publisher that comes back is not

$publisher{$second}->close();
wait_until(sub { !session($second) });
$publisher{$second} = rtmp_publish($proxy, 'live', $second);
is($publisher{$second}{code}, $start, 'published again');
isnt(place($second, 'publish'), id(11), 'elsewhere');

# an operator, of one that is gone and of one that is not

ok(patch('live', 'pods.example.com%23127.0.0.11', weight => 9), 'changed');
ok(patch('live', 'pods.example.com%23127.0.0.12', max_conns => 7), 'another');

# it is back

write_names($t, 'pods.example.com' => [@addrs]);

ok(wait_until(sub { state(id(11)) eq 'up' }, 6), 'back');
$s = server(id(11));
is($s->{weight}, 9, 'what was set meanwhile');
cmp_ok($s->{selected}, '>=', $selected, 'counters');
is(server(id(12))->{max_conns}, 7, 'the other has what was set');
is(server(id(14))->{weight}, 2, 'and a new one what the name has');
is(place($first, 'publish'), id(11), 'its stream is there');

# the operator's drain is another one

ok(patch('live', 'pods.example.com%23127.0.0.11', drain => JSON::PP::true()),
    'drained');

write_names($t, 'pods.example.com' => [@addrs[1 .. 3]]);
ok(wait_until(sub { server(id(11))->{reason} eq 'dns' }, 6), 'gone, too');

write_names($t, 'pods.example.com' => [@addrs[0 .. 3]]);
ok(wait_until(sub { server(id(11))->{reason} eq 'drain' }, 6), 'stays drained');

patch('live', 'pods.example.com%23127.0.0.11', drain => JSON::PP::false());

# what is deleted is there again, as DNS says so

ok(api('DELETE', 'live/servers/pods.example.com%23127.0.0.13'), 'deleted');
ok(wait_until(sub { state(id(13)) eq 'up' }, 6), 'there again');


###############################################################################

sub session {
    return grep { $_->{stream} eq "live/$_[0]" } sessions('live');
}

sub place {
    my ($name, $type) = @_;

    return (map { $_->{server} } grep { $_->{type} eq $type }
        session($name))[0];
}

sub where {
    return map { $_->{stream} =~ m!^live/(.*)! => $_->{server} }
        grep { $_->{type} eq 'publish' } sessions('live');
}

sub codes {
    my %codes = map { $_->{code} => 1 } @_;

    return join(' ', sort keys %codes);
}

###############################################################################
