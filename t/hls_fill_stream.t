#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for fills of the HLS cache alone: bodies that come piece by piece, and
# fills that are stopped, paused, late or left by their viewer.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::HTTPD;
use Test::Nginx::Module;

use IO::Select;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/);

test_module($t, 'ngx_http_hls_fill_test_module');

$t->plan(63)->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            fill_test;
            proxy_pass  http://127.0.0.1:8081;
        }

        location /buffered/ {
            fill_test;
            proxy_buffer_size  1k;
            proxy_buffers      4 1k;
            proxy_busy_buffers_size  2k;
            proxy_pass         http://127.0.0.1:8081/;
        }

        location /unbuffered/ {
            fill_test;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /pause/ {
            fill_test   pause=20ms;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /pause/unbuffered/ {
            fill_test        pause=20ms;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /pause/nofile/ {
            fill_test   pause=20ms;
            proxy_max_temp_file_size  0;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /pause/files/ {
            fill_test       pause=20ms;
            output_buffers  2 32k;
            alias           %%TESTDIR%%/;
        }

        location /pause/long/ {
            fill_test        pause=300ms;
            send_timeout     100ms;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /pause/long/buffered/ {
            fill_test        pause=300ms;
            send_timeout     100ms;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /pause/ever/ {
            fill_test        pause=30s timeout=400ms;
            send_timeout     100ms;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /stop/create/ {
            fill_test   stop=create;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /stop/start/ {
            fill_test   stop=start;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /stop/header/ {
            fill_test   stop=header;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /stop/body/ {
            fill_test        stop=body;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /stop/buffered/ {
            fill_test   stop=body;
            proxy_pass  http://127.0.0.1:8081/;
        }

        location /stop/timer/ {
            fill_test        stop=200ms;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /stop/error/ {
            fill_test   stop=header;
            proxy_pass  http://127.0.0.1:8089/;
        }

        location /stop/file/ {
            fill_test  stop=header;
            alias      %%TESTDIR%%/;
        }

        location /timeout/ {
            fill_test        timeout=300ms;
            proxy_buffering  off;
            proxy_pass       http://127.0.0.1:8081/;
        }

        location /timeout/read/ {
            fill_test           timeout=5s;
            proxy_buffering     off;
            proxy_read_timeout  200ms;
            proxy_pass          http://127.0.0.1:8081/;
        }

        location /timeout/read/buffered/ {
            fill_test           timeout=5s;
            proxy_read_timeout  200ms;
            proxy_pass          http://127.0.0.1:8081/;
        }

        location /refused/ {
            fill_test;
            proxy_pass  http://127.0.0.1:8089/;
        }
    }
}

EOF

my $dir = $t->testdir();

$t->write_file('big', 'f' x 700000);

httpd($t, port(8081), \&origin);
port(8089);

$t->run();

###############################################################################

# pieces as they come

my %r = fill($t, '/unbuffered/pieces');

is($r{answer}, '200 1', 'unbuffered');
is($r{pieces}, 8, 'unbuffered, each piece at once');
cmp_ok($r{times}[0], '<', 100, 'unbuffered, first');
cmp_ok($r{times}[7], '>=', 300, 'unbuffered, last');
is(gaps(@{$r{times}}), 7, 'unbuffered, gaps');
is($r{body}, join('', map { $_ x 1000 } 1 .. 8), 'unbuffered, body');

%r = fill($t, '/buffered/pieces');

is($r{answer}, '200 1', 'buffered');
cmp_ok($r{pieces}, '>=', 4, 'buffered, more than one piece');
cmp_ok($r{times}[0], '<', 200, 'buffered, first');
is($r{body}, join('', map { $_ x 1000 } 1 .. 8), 'buffered, body');

%r = fill($t, '/unbuffered/bytes');

is($r{answer}, '200 1', 'byte by byte');
is($r{pieces}, 5, 'byte by byte, pieces');
is($r{body}, 'abcde', 'byte by byte, body');

%r = fill($t, '/bytes');

is("$r{answer} $r{body}", '200 1 abcde', 'byte by byte, buffered');

%r = fill($t, '/late');

is("$r{answer} $r{body}", '200 1 late', 'late header');

%r = fill($t, '/buffered/huge');

is("$r{answer} " . length($r{body}), '200 1 5000000', 'huge');

# pause

for my $uri (qw! /pause/pieces /pause/unbuffered/pieces /pause/nofile/pieces !)
{
    %r = fill($t, $uri);

    is($r{answer}, '200 1', $uri);
    is($r{body}, join('', map { $_ x 1000 } 1 .. 8), "$uri, body");
}

%r = fill($t, '/pause/large');

is("$r{answer} " . length($r{body}), '200 1 60000', 'pause, buffers');
is(gaps(@{$r{times}}), $r{pieces} - 1, 'pause, each piece waits');

%r = fill($t, '/pause/nofile/large');

is("$r{answer} " . length($r{body}), '200 1 60000', 'pause, no file');
is(gaps(@{$r{times}}), $r{pieces} - 1, 'pause, no file, each piece waits');

%r = fill($t, '/pause/unbuffered/large');

is("$r{answer} " . length($r{body}), '200 1 60000', 'pause, unbuffered');
is(gaps(@{$r{times}}), $r{pieces} - 1, 'pause, unbuffered, each piece waits');

%r = fill($t, '/pause/files/big');

is("$r{answer} " . length($r{body}), '200 1 700000', 'pause, file');
is(gaps(@{$r{times}}), $r{pieces} - 1, 'pause, file, each piece waits');

%r = fill($t, '/pause/unbuffered/cut');

is("$r{answer} $r{body}", '200 0 abcde', 'pause, cut');

for my $uri (qw! /pause/long/bytes /pause/long/buffered/bytes !) {
    %r = fill($t, $uri);

    is("$r{answer} $r{body}", '200 1 abcde', "$uri, longer than send_timeout");
}

# what the origin has been asked for while it was paused is bounded

%r = fill($t, '/pause/ever/flood');

is("$r{answer} $r{pieces}", '200 0 1', 'paused until it timed out');
ok(gone(), 'pause, timed out, upstream closed');
cmp_ok(-s "$dir/sent", '<', 30000000, 'pause stops the origin');

# stop

for my $how (qw/ create start /) {
    %r = fill($t, "/stop/$how/endless");

    is($r{answer}, '599 0', "stop, $how");
}

ok(!-e "$dir/sent", 'stopped before anything was asked for');

%r = fill($t, '/stop/header/endless');

is($r{answer}, '200 0', 'stop, header');
ok(gone(), 'stop, header, upstream closed');

%r = fill($t, '/stop/body/endless');

is($r{answer}, '200 0', 'stop, body');
is($r{pieces}, 1, 'stop, body, one piece');
ok(gone(), 'stop, body, upstream closed');

%r = fill($t, '/stop/buffered/endless');

is($r{answer}, '200 0', 'stop, body, buffered');
is($r{pieces}, 1, 'stop, body, buffered, one piece');
ok(gone(), 'stop, body, buffered, upstream closed');

%r = fill($t, '/stop/timer/endless');

is($r{answer}, '200 0', 'stop, timer');
cmp_ok($r{time}, '<', 4, 'stop, timer, at once');
ok(gone(), 'stop, timer, upstream closed');

%r = fill($t, '/stop/error/');
is($r{answer}, '502 0', 'stop, header of an error page');

%r = fill($t, '/stop/file/big');
is($r{answer}, '200 0', 'stop, header of a file');

# time-outs

%r = fill($t, '/timeout/endless');

is("$r{answer} $r{timedout}", '200 0 1', 'timeout');
cmp_ok($r{time}, '<', 4, 'timeout, at once');
ok(gone(), 'timeout, upstream closed');

%r = fill($t, '/timeout/never');

is("$r{answer} $r{timedout}", '504 0 1', 'timeout before the header');

%r = fill($t, '/timeout/read/never');

is("$r{answer} $r{timedout}", '504 1 0', 'read timeout');

%r = fill($t, '/timeout/read/stuck');

is("$r{answer} $r{body}", '200 0 abcde', 'read timeout in the body');

%r = fill($t, '/timeout/read/buffered/stuck');

is($r{answer}, '200 0', 'read timeout in the body, buffered');

%r = fill($t, '/refused/');

is($r{answer}, '502 1', 'refused');

# the viewer leaves

for my $uri (qw! /pieces /unbuffered/pieces /unbuffered/late !) {

    my $n = ended($t);

    my $s = http_get($uri, start => 1);
    sleep(0.05);
    close($s);

    for (1 .. 100) {
        last if ended($t) > $n;
        sleep(0.02);
    }

    like((ended($t))[-1],
        qr!status:200 complete:1 size:(8000|4) viewer:gone!,
        "viewer left, $uri");
}

###############################################################################

sub fill {
    my ($t, $uri) = @_;
    my (%r, $start);

    unlink("$dir/gone", "$dir/sent");

    $start = time();

    my $r = http_get($uri) || '';

    $r{time} = time() - $start;

    $r{answer} = join(' ', $r =~ m!^HTTP/1.1 (\d+)!,
        $r =~ m!^X-Fill-Complete: (\d)!m);
    ($r{pieces}) = $r =~ m!^X-Fill-Pieces: (\d+)!m;
    ($r{times}) = $r =~ m!^X-Fill-Times: (\S+)!m;
    $r{times} = [split(/,/, $r{times} || '')];
    $r{body} = http_content($r);

    ($r{timedout}) = (ended($t))[-1] =~ /timedout:(\d)/;

    return %r;
}

# those that are long enough to be told from none

sub gaps {
    my ($last, @times) = @_;
    my $n = 0;

    for (@times) {
        $n++ if $_ - $last >= 10;
        $last = $_;
    }

    return $n;
}

sub ended {
    my ($t) = @_;

    return grep { index($_, 'fill test: uri') >= 0 }
        split(/\n/, $t->read_file('error.log'));
}

sub gone {
    for (1 .. 100) {
        return 1 if -e "$dir/gone";
        sleep(0.02);
    }

    return 0;
}

sub origin {
    my ($r) = @_;

    local $_ = $r->{uri};

    return http_chunked([], map { ($_ x 1000, [0.05]) } 1 .. 8)
        if m!/pieces!;
    return http_chunked([], map { ($_, [0.05]) } 'a' .. 'e') if m!/bytes!;
    return ([0.3], http_response(200, 'late')) if m!/late!;
    return http_response(200, 'x' x 5000000) if m!/huge!;
    return http_response(200, 'x' x 60000) if m!/large!;
    return ([-1]) if m!/never!;
    return "HTTP/1.0 200 OK\x0d\x0aContent-Length: 10\x0d\x0a"
        . "Connection: close\x0d\x0a\x0d\x0aabcde"
        if m!/cut!;
    return ("HTTP/1.0 200 OK\x0d\x0aContent-Length: 10\x0d\x0a\x0d\x0aabcde",
        [-1]) if m!/stuck!;

    # endless, as fast as it is read

    my $s = $r->{socket};
    my $n = 0;

    $s->syswrite("HTTP/1.0 200 OK\x0d\x0a\x0d\x0a");
    mark('sent', '');

    for my $i (1 .. 3000) {
        my $rc = $s->syswrite('e' x 20000);

        last unless defined $rc;

        mark('sent', 'x' x $rc);
        sleep(0.005) unless m!/flood!;
    }

    mark('gone', '1');

    return ();
}

sub mark {
    my ($name, $content) = @_;

    open(my $fh, '>>', "$dir/$name") or return;
    print $fh $content;
}

###############################################################################
