#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the state file of a route: files that are damaged, of something
# else, or of a newer version, and directories that cannot be written to.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx;
use Test::Nginx::Route;
use Test::Nginx::RTMP;
use Test::Nginx::State;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(49);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 1;

events {
}

rtmp_route live {
    zone      live 1m;
    state     live.json;
    register  open allow=10.0.0.0/8;
    server    10.1.1.1;
    inactive  10m;
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

EOC

my $d = $t->testdir();
my $file = "$d/live.json";

###############################################################################

# a good one, made by nginx

$t->run();

register('live', server => 'origin-a', ip => '10.0.0.1', service => 's',
    pid => 'p', rtmp => ['1935']);
api('POST', 'live/servers/', { server => '10.2.0.1', id => 'api-a' });
pin('live', "live/pin$_", 'api-a') for 1 .. 20;
api('POST', 'live/access/', { action => 'deny', cidr => '10.0.0.0/8' });
api('POST', 'live/access/', { action => 'allow', cidr => 'all' });

$t->stop();

my $good = $t->read_file('live.json');

is(what($t, $good), '3 servers, 20 streams, 2 rules', 'good file');
ok(!-e "$file.bad", 'good file is not kept');

# truncated, anywhere

my $cut = index($good, '"live/pin7"');

is(what($t, substr($good, 0, $cut)), '3 servers, 6 streams, 2 rules',
    'truncated');
is(errors($t), 1, 'one line');
like(said($t), qr/(?x) is[ ]truncated,[ ]route[ ]"live"[ ]goes[ ]on[ ]
    with[ ]3[ ]servers[ ]and[ ]6[ ]streams,[ ]the[ ]file[ ]is[ ]kept[ ]as[ ]
    ".*live\.json\.bad"/, 'reason');
is($t->read_file('live.json.bad'), substr($good, 0, $cut), 'kept aside');

$cut = index($good, '"api-a"');

is(what($t, substr($good, 0, $cut)), '2 servers, 0 streams, 2 rules',
    'truncated in servers');

# a part of an access list is none

$cut = index($good, ']');

is(what($t, substr($good, 0, $cut)), '1 servers, 0 streams, 0 rules',
    'truncated in the access list');
like(said($t), qr/without its access list/, 'said so');

is(what($t, ''), '1 servers, 0 streams, 0 rules', 'empty');
is(what($t, '{'), '1 servers, 0 streams, 0 rules', 'nearly empty');
is(errors($t), 1, 'one line');

# damaged

my $bad = $good;
substr($bad, index($bad, '"live/pin9"') + 2, 1) = "\0";

is(what($t, $bad), '3 servers, 19 streams, 2 rules', 'a wrong byte');
like(said($t), qr/1 entries of state file ".*" are damaged/, 'reason');
is($t->read_file('live.json.bad'), $bad, 'kept aside');

($bad = $good) =~ s/"live\/pin5"/"live\/pin5/;

like(what($t, $bad), qr/^3 servers, 4 streams, 2 rules$/, 'a lost quote');
like(said($t), qr/is (?:truncated|damaged)/, 'reason');

($bad = $good) =~ s/("live\/pin5".*?)\}/$1]/;

is(what($t, $bad), '3 servers, 4 streams, 2 rules', 'a wrong bracket');
like(said($t), qr/is damaged/, 'reason');

($bad = $good) =~ s/10\.2\.0\.1:1935/10.2.0.1:193500/;

is(what($t, $bad), '2 servers, 0 streams, 2 rules', 'a wrong port');

($bad = $good) =~ s/"deny"/"dony"/;

is(what($t, $bad), '3 servers, 20 streams, 0 rules', 'a wrong rule');
like(said($t), qr/without its access list/, 'said so');

# what is hostile

is(what($t, '[' x 100000), '1 servers, 0 streams, 0 rules', 'brackets');
is(what($t, '{"format":"nginx-osp route","x":' . '[' x 100000),
    '1 servers, 0 streams, 0 rules', 'deep');

($bad = $good) =~ s/"live\/pin5"/'"' . 'x' x 100000 . '"'/e;

is(what($t, $bad), '3 servers, 19 streams, 2 rules', 'a long name');

open(my $fh, '>', "$d/large.json");
print $fh '{"format":"nginx-osp route","x":"';
truncate($fh, 1024 * 1024 * 1024);
close($fh);
rename("$d/large.json", $file);

is(what($t), '1 servers, 0 streams, 0 rules', 'large');
like(said($t), qr/is damaged/, 'reason');
unlink("$file.bad");

# of something else

for my $text ("hello\n", '{"servers":[{"id":"x"}]}', '[]', "\x00\xff\x80",
    '{"format":"nginx-osp cache","version":1,"servers":[{"id":"x"}]}',
    '{"format":1}')
{
    is(what($t, $text), '1 servers, 0 streams, 0 rules', 'something else');
}

like(said($t), qr/live.json" is not a state file of rtmp_route, route "live" /,
    'reason');
is($t->read_file('live.json.bad'), '{"format":1}', 'kept aside');

# of a newer version: what is not known is passed over

my $new = $good;
$new =~ s/"version":1/"version":7,"new":{"a":[1,{"b":"]}"}]},"more":[[[]]]/;
$new =~ s/"id":"api-a"/"id":"api-a","new":[{"x":1}],"newer":null/;
$new =~ s/"pin":"api-a"/"pin":"api-a","new":{"x":[1]}/g;
$new =~ s/,"streams":/,"strange":[{"id":"y"}],"streams":/;
$new =~ s/(.*)\}/$1,"end":1.5e3}/s;

is(what($t, $new), '3 servers, 20 streams, 2 rules', 'newer version');
is(errors($t), 0, 'no error');

# ... and of an older one, which has less

is(what($t, '{"format":"nginx-osp route","servers":[{"id":"old",'
    . '"source":"api","rtmp":["10.3.0.1:1935"]}]}'),
    '2 servers, 0 streams, 0 rules', 'less in it');
is(errors($t), 0, 'no error');

# nothing is taken twice, and a clock may have gone back

($bad = $good) =~ s/("id":"api-a".*\n)/$1,{$1/;
$bad =~ s/"(used|created|seen)":\d+/"$1":9000000000000000/g;

is(what($t, $bad), '3 servers, 20 streams, 2 rules', 'twice');

# a file that cannot be written

my $dir = "$d/sub";
mkdir($dir);
chmod(0500, $dir);

{
    my $conf = $t->read_file('nginx.conf');

    # root may write anywhere but here

    $conf =~ s/state     live.json/state     sub\/live.json/;
    $t->write_file('nginx.conf', $conf);

    my $locked = $> == 0 ? mkdir("$dir/live.json.tmp") : 1;

    $t->write_file('error.log', '');
    unlink("$dir/live.json");

    $t->run();

    ok(logged($t, qr/cannot be written/), 'not written');

    like(register('live', server => 'b', ip => '10.0.0.2', service => 's',
        pid => 'p', rtmp => ['1935']), qr/"code":0/, 'service goes on');
    is(scalar(servers('live')), 2, 'registered');

    sleep(1.5);

    is(errors($t), 1, 'said once');
    like(said($t), qr/live.json" of route "live" cannot be written, a restart /,
        'reason');

    # it is tried again, at the end too

    chmod(0700, $dir);
    rmdir("$dir/live.json.tmp");

    $t->stop();

    ok(wait_state("$dir/live.json", sub { /"b"/ }), 'written in the end');
}

# one that cannot be read: a directory takes the place of the next FILE.bad

$t->write_file('nginx.conf', do {
    my $conf = $t->read_file('nginx.conf');
    $conf =~ s/sub\/live.json/live.json/;
    $conf;
});

unlink("$file.bad");
mkdir("$file.bad");
mkdir("$file.bad/x");

is(what($t, 'x'), '1 servers, 0 streams, 0 rules', 'cannot be kept');
like($t->read_file('error.log'), qr/rename\(\) ".*live.json" to ".*bad" /,
    'said so');
unlike($t->read_file('error.log'), qr/\[(?:alert|crit|emerg)\]/, 'no alerts');

###############################################################################

# starts nginx with such a file, and says what it has then

sub what {
    my ($test, $text) = @_;
    my ($servers, $streams, $rules);

    $test->write_file('live.json', $text) if defined $text;
    $test->write_file('error.log', '');

    unlink("$file.old");

    # what is wrong with the file is said on the standard error, too

    open(my $stderr, '>&', \*STDERR) or die "Can't dup: $!\n";
    open(STDERR, '>', '/dev/null') or die "Can't open /dev/null: $!\n";

    $test->run();

    open(STDERR, '>&', $stderr) or die "Can't dup: $!\n";

    $servers = servers('live');
    $streams = keys %{api('GET', 'live/streams/?limit=1000') || {}};
    $rules = @{api('GET', 'live/access/') || []};

    kill_all($test);

    return "$servers servers, $streams streams, $rules rules";
}

sub errors {
    my ($test) = @_;

    return scalar(() = $test->read_file('error.log') =~ /\[error\]/g);
}

sub said {
    my ($test) = @_;

    return $test->read_file('error.log') =~ /(\[error\] .*)/ ? $1 : '';
}

###############################################################################
