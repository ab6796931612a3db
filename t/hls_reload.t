#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the HLS cache: reload, configurations that fail, another size, and
# worker processes that are killed.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::HLS;
use POSIX qw//;
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(32);

# what is provoked

$t->{_ignore_alerts} = qr/exited\ on\ signal\ 9|zone\ "absent"\ is\ unknown
    |directive\ is\ not\ allowed\ here|arguments\ in\ "proxy_pass"/x;

my $size = 100000;
my $all = hls_bytes('x', $size);

my $o = hls_origin($t, port(8081), code => sub {
    my ($r) = @_;

    return { size => $size, seed => 'x', type => 'video/mp2t',
        $r->{path} =~ /slow/ ? (pieces => [50000, 0.8]) : (),
        $r->{path} =~ /late/ ? (delay => 0.8) : () };
});

configure($t, '8m');

$t->run();

###############################################################################

my ($r, @r, @old, $fds);

is(hls_get('/a.ts')->{headers}{'x-status'}, 'MISS', 'miss');
is(hls_get('/a.ts')->{headers}{'x-status'}, 'HIT', 'hit');

$fds = windows($t);
is($fds, 1, 'one window');

# what is there stays, and so does who is on the way

@old = hls_workers($t);

@r = during(sub { reload($t) },
    { uri => '/slow1.ts' }, { uri => '/late1.ts' },
    map { { uri => $_, after => 0.4 } } '/slow1.ts', '/late1.ts', '/a.ts');

is(scalar(grep { $_->{complete} && $_->{body} eq $all } @r), 5,
    'reload on the way');
is($o->count('/slow1.ts'), 1, 'old and new ones share what comes');
is($o->count('/late1.ts'), 1, 'old and new ones share what is late');
is($r[4]{headers}{'x-status'}, 'HIT', 'hit after reload');
is($o->count('/a.ts'), 1, 'one request');
ok(hls_wait(sub { !grep { kill(0, $_) } @old }), 'old ones leave');
is(windows($t), 1, 'still one window');

renew($t) for 1 .. 5;
is(windows($t), 1, 'one window after many reloads');
is(hls_get('/a.ts')->{headers}{'x-status'}, 'HIT', 'hit after many reloads');

# a configuration that fails changes nothing

for my $wrong ('hls_cache absent;', 'hls_cache_zone more 8m; bogus;',
    'proxy_pass;')
{
    configure($t, '8m', $wrong);
    reload($t, 'emerg');
}

is(hls_get('/a.ts')->{headers}{'x-status'}, 'HIT', 'hit after failures');
is(windows($t), 1, 'one window after failures');

# another test of the configuration beside it

configure($t, '8m');

my $dir = $t->testdir();

system("$Test::Nginx::NGINX -p $dir/ -c $dir/nginx.conf -t -e $dir/test.log "
    . '2>/dev/null') == 0 or die 'nginx -t';

is(hls_get('/a.ts')->{headers}{'x-status'}, 'HIT', 'hit after a test');
is(windows($t), 1, 'one window after a test');

# another size is an empty cache, and the old one ends with its last reader

configure($t, '16m');

@old = hls_workers($t);

@r = during(sub { reload($t) }, { uri => '/slow2.ts' },
    { uri => '/a.ts', after => 1 });

is(scalar(grep { $_->{complete} && $_->{body} eq $all } @r), 2,
    'another size on the way');
is($r[1]{headers}{'x-status'}, 'MISS', 'another size is empty');
is(hls_get('/a.ts')->{headers}{'x-status'}, 'HIT', 'and is filled');
ok(hls_wait(sub { !grep { kill(0, $_) } @old }), 'old ones leave');
is(windows($t), 1, 'one window of another size');

# no cache at all, and one again

configure($t, '');
renew($t);
is(hls_get('/a.ts')->{headers}{'x-status'}, undef, 'no cache');
is(windows($t), 0, 'no window');

configure($t, '16m');
renew($t);
is(hls_get('/a.ts')->{headers}{'x-status'}, 'MISS', 'cache again');

# both workers are killed while others wait for their fills

$o->forget();

@r = during(sub { kill('KILL', $_) for hls_workers($t) },
    { uri => '/slow3.ts' }, { uri => '/late3.ts' },
    map { { uri => $_, after => 1 } } '/slow3.ts', '/late3.ts', '/a.ts');

is(scalar(grep { $_->{complete} && $_->{body} eq $all } @r[2 .. 4]), 3,
    'all killed: who comes later');
is($r[4]{headers}{'x-status'}, 'HIT', 'all killed: what was there');
cmp_ok(hls_max('last', @r[2 .. 4]), '<', 4, 'all killed: soon');

# one is killed, and the waiters of the other one go on

for my $n (1 .. 2) {
    my @workers = hls_workers($t);

    $o->forget();

    @r = during(sub { kill('KILL', $workers[$n - 1]) },
        map { { uri => "/late4-$n.ts" } } 1 .. 30);

    my @alive = grep { $_->{complete} && $_->{body} eq $all } @r;
    my @dead = grep { !$_->{status} } @r;

    is(@alive + @dead, 30, "$n killed: served, or gone with it");
    cmp_ok(hls_max('last', @alive), '<', 4, "$n killed: soon");
}

# nothing of theirs is left

$r = hls_get('/a.ts');
is("$r->{headers}{'x-status'} " . ($r->{body} eq $all), 'HIT 1',
    'in the end');

###############################################################################

# makes requests, and does something 0.2 seconds later

sub during {
    my ($code, @requests) = @_;
    my ($pid, @r);

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        sleep(0.2);
        $code->();
        POSIX::_exit(0);
    }

    @r = hls_gets(@requests);
    waitpid($pid, 0);

    return @r;
}

# the master logs when it has read the new configuration, or could not

sub reload {
    my ($t, $message) = @_;
    my ($re, $n);

    $re = $message ? qr/\[$message\]/ : qr/start worker process /;
    $n = () = $t->read_file('error.log') =~ /$re/g;

    kill('HUP', $t->read_file('nginx.pid'));

    hls_wait(sub {
        my $now = () = $t->read_file('error.log') =~ /$re/g;
        return $now >= $n + ($message ? 1 : 2);
    });
}

sub renew {
    my ($t) = @_;

    reload($t);
    hls_wait(sub { hls_workers($t) == 2 });
}

# how many windows the master has open

sub windows {
    my ($t) = @_;
    my $pid = $t->read_file('nginx.pid') + 0;

    return scalar(grep { (readlink($_) || '') =~ /memfd/ }
        glob("/proc/$pid/fd/*"));
}

sub configure {
    my ($t, $size, $wrong) = @_;

    my $zone = $size ? "hls_cache_zone hls $size; hls_cache hls; "
        . 'add_header X-Status $hls_cache_status;' : '';

    $wrong ||= '';

    $t->write_file_expand('nginx.conf', <<EOF);

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $zone

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            proxy_buffering off;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /wrong/ {
            $wrong
        }
    }
}

EOF
}

###############################################################################
