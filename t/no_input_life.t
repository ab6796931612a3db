#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_no_input: several servers, TLS, clients that do not
# read or go, sessions that end while they are moved, the configuration.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Fcntl qw/ O_CREAT O_EXCL O_WRONLY /;
use Time::HiRes qw/ sleep time /;

use Test::Nginx;
use Test::Nginx::RTMP;
use Test::Nginx::Route;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream stream_ssl/)
    ->has_daemon('openssl')->plan(34);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_shutdown_timeout 1s;

events {
}

rtmp_route live {
    zone   live 1m;
    server 127.0.0.1:8081 max_fails=0;
    server 127.0.0.1:8082 max_fails=0 backup;
    server 127.0.0.1:8083 max_fails=0 backup;
}

# the ids of its message streams are others from the beginning

rtmp_route ids {
    zone   ids 1m;
    server 127.0.0.1:8085 max_fails=0;
    server 127.0.0.1:8081 max_fails=0 backup;
}

rtmp_route checked {
    zone         checked 1m;
    health_check type=rtmp interval=300ms timeout=500ms fails=2;
    server       127.0.0.1:8086 max_fails=0;
    server       127.0.0.1:8081 max_fails=0 backup;
}

rtmp_route hangs {
    zone   hangs 1m;
    server 127.0.0.1:8081 max_fails=0;
    server 127.0.0.1:8084 max_fails=0 backup;
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

    log_format test '$status|$upstream_addr|$rtmp_reason|$rtmp_stream';
    access_log %%TESTDIR%%/stream.log test;

    ssl_certificate     localhost.crt;
    ssl_certificate_key localhost.key;

    osp_upstream_no_input 1s;

    server {
        listen       127.0.0.1:8090;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8091 ssl;
        osp_upstream live;
    }

    server {
        listen       127.0.0.1:8092;
        osp_upstream hangs;

        osp_upstream_resume_timeout  8s;
        osp_upstream_connect_timeout 8s;
    }

    server {
        listen       127.0.0.1:8093;
        osp_upstream ids;
    }

    server {
        listen                127.0.0.1:8094;
        osp_upstream          checked;
        osp_upstream_no_input 60s;
    }

    %%TEST%%
}
EOF_CONF

my ($dir, $c, $s, @c, @got, $one, $two, $three, $four, $five, $reply, $n);

$dir = $t->testdir();

system("openssl req -x509 -new -newkey rsa:2048 -nodes -subj /CN=localhost "
    . "-days 2 -keyout $dir/localhost.key -out $dir/localhost.crt "
    . ">$dir/openssl.out 2>&1") == 0
    or die "Can't make a certificate\n";

# what is wrong in the configuration is said

for my $test (
    ['500ms', 'must be at least 1s, or "off"'],
    ['0', 'must be at least 1s, or "off"'],
    ['often', 'invalid value'],
    ['2s; osp_upstream_no_input 3s', 'is duplicate'],
) {
    my ($value, $error) = @$test;
    my $text = $conf;

    $text =~ s/%%TEST%%/server { listen 127.0.0.1:8099;
        osp_upstream live; osp_upstream_no_input $value; }/;
    $t->write_file_expand('nginx.conf', $text);

    like(`$Test::Nginx::NGINX -t -p $dir/ -c nginx.conf -e stderr 2>&1`,
        qr/\[emerg\].*"osp_upstream_no_input" directive \Q$error\E/,
        "conf, $value");
}

$conf =~ s/%%TEST%%//;
$t->write_file_expand('nginx.conf', $conf);

$one = start('one', 8081);
$two = start('two', 8082);
$three = start('three', 8083);
start('ids', 8085, create => 5);
$five = start('checked', 8086);
$four = rtmp_origin($t, port(8084), handshake => 'silent', timeout => 60);

$t->run();

# two of three servers are silent; all of it over TLS for one

@c = (begin('third', 8090), begin('tls', 8091, ssl => 1));

for my $c (@c) {
    @got = $c->read_media(13, 6);
    is(scalar(@got), 13, "$c->{name}, goes on");
    ok($got[3][1] > 2100 && $got[3][1] < 8000, "$c->{name}, when")
        or diag("at $got[3][1]");
    isnt(place($c->{name}), port(8081), "$c->{name}, where it is");
    is(join(' ', map { $_->{type} } grep { $_->{type} != 1 }
        @{$c->{messages}}), '18 9 8' . ' 9 8' x 5, "$c->{name}, told");
    $c->close();
}

# what passes by chunks from the beginning, is watched all the same

$c = begin('ids', 8093);
is($c->{last}, '1 180', 'ids, as the client knows them');
@got = $c->read_media(13, 6);
is(scalar(@got), 13, 'ids, goes on');
is(place('ids', 'ids'), port(8081), 'ids, where it is');
is(join(' ', map { $_->{msid} } grep { $_->{type} =~ /^[89]$/ }
    @{$c->{messages}}), join(' ', (1) x 12), 'ids, then');
$c->close();

# a server that was marked down is left at once

$c = begin('checked', 8094);
is(place('checked', 'checked'), port(8086), 'checked, where it is');
$five->signal('STOP');
@got = $c->read_media(13, 10);
is(scalar(@got), 13, 'checked, goes on');
is(place('checked', 'checked'), port(8081), 'checked, where it is then');
$five->signal('CONT');
$c->close();

# a client that does not read is not moved, and gets all of it

$c = begin('slow', 8090);
$c->write_raw('');
go('slow');
sleep(1.5);
is(place('slow'), port(8081), 'slow, where it is');
$n = 0;

while (my @m = $c->read_media(1, 2)) {
    $n += length($m[0][2]);
    last if $n >= 400 * 60000;
}

is($n, 400 * 60000, 'slow, all of it');
$c->close();

# those who are moved to a server that does not answer

@c = map { begin($_, 8092) } qw/ gone again quit /;

ok(wait_until(sub { 3 == grep { $_->{stream} =~ /gone|again|quit/
    && $_->{upstream} =~ /:@{[port(8084)]}$/ } sessions('hangs') }),
    'being moved');

# by the client, with a word and without

$c[0]->write_raw($c[0]->command('deleteStream', 7, undef, amf_num(1),
    \{ csid => 3 }));
ok($c[0]->is_closed(3), 'gone, closed');
like(wait_log($t, 'stream.log', qr/^(.*\|gone)$/m), qr/^200\|.*\|ok\|gone$/,
    'gone, log');

$c[1]->close();
like(wait_log($t, 'stream.log', qr/^(.*\|again)$/m), qr/^200\|.*\|\w+\|again$/,
    'again, log');

# by a worker process that has to leave, with one that is not moved

$c = begin('plain', 8094);
kill('HUP', $t->read_file('nginx.pid'));
$reply = $c[2]->read_command('onStatus', timeout => 8);
is($reply && $reply->{args}[1]{code}, 'NetConnection.Connect.AppShutdown',
    'quit, told');
ok($c[2]->is_closed(5), 'quit, closed');
$reply = $c->read_command('onStatus', timeout => 8);
is($reply && $reply->{args}[1]{code}, 'NetConnection.Connect.AppShutdown',
    'plain, told');
ok($c->is_closed(5), 'plain, closed');
like(wait_log($t, 'stream.log', qr/^(.*\|quit)$/m),
    qr/^200\|.*\|shutdown\|quit$/, 'quit, log');

# the new ones do the same

$c = begin('new', 8090);
@got = $c->read_media(13, 6);
is(scalar(@got), 13, 'new, goes on');
$c->close();

# a publisher is not concerned

$c = rtmp_publish(port(8090), 'live', 'publisher');
$c->send_media(media_messages(5));
sleep(1.5);
is($c->is_closed(0) ? 'closed' : 'there', 'there', 'publisher stays');
$c->close();

ok(wait_conns('live', '0 0 0'), 'nothing is counted');
ok(wait_conns('hangs', '0 0'), 'nothing is counted there');

###############################################################################

sub start {
    my ($which, $port, %opt) = @_;

    return rtmp_origin($t, port($port), script => \&origin, which => $which,
        before => \&before, life => 60, %opt);
}

sub begin {
    my ($name, $port, %opt) = @_;
    my ($c) = rtmp_play(port($port), 'live', $name, %opt);

    $c->{name} = $name;

    return $c if $name eq 'slow';

    diag("$name: no media") unless $c->read_media(13) == 13;
    $c->{last} = "$c->{messages}[-1]{msid} $c->{messages}[-1]{ts}";
    $c->{messages} = [];

    return $c;
}

sub place {
    my ($stream, $route) = @_;
    my ($s) = grep { $_->{stream} eq "live/$stream" }
        sessions($route || 'live');

    return $s && $s->{upstream} =~ /:(\d+)$/ ? $1 : 'nowhere';
}

sub go {
    my ($name) = @_;

    $t->write_file("go-$name", '');
}

sub before {
    my ($c, $m, $o) = @_;

    return 0 unless $m->{name} eq 'play';

    $o->{playing} = $m->{args}[1];
    $o->status('Play.Start');

    return 1;
}

# The first one has something, and of the others the one that is asked last.

sub origin {
    my ($c, $o) = @_;
    my ($sent, $m);

    $o->handshake() or return;

    while (!$c->{eof} && !$c->{error}) {
        $m = $c->read_message(0.02);
        $o->handle($m) or last if $m;

        next unless $o->{playing};

        if ($o->{which} =~ /two|three/ && !$sent) {
            $sent = sysopen(my $fh, $t->testdir() . "/first-$o->{playing}",
                O_CREAT | O_EXCL | O_WRONLY);
        }

        next if $sent || ($o->{playing} eq 'slow'
            && !-e $t->testdir() . '/go-slow');

        $c->{msid} = $o->{created};
        $sent = 1;

        # more than all buffers hold
        if ($o->{playing} eq 'slow') {
            for (1 .. 400) {
                $c->write_raw($c->media_bytes([9, $_ * 10, "\x17\1\0\0\0"
                    . 'v' x 59995]), 30);
            }

            # it goes on
            while (1) {
                $c->write_raw($c->media_bytes([8, 5000, "\xaf\1a"]), 1)
                    or last;
                sleep(0.2);
            }

            last;
        }

        $c->write_raw($c->media_bytes(media_messages(10, play => 1)));
    }
}

###############################################################################
