#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for osp_upstream_limit_conn: what is refused, and a full zone.

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

my $key = 'osp_upstream_limit_conn $remote_addr';

my @refused = (
    # directives, message
    ["$key;", 'invalid number of arguments in "osp_upstream_limit_conn"'],
    ["$key 1 publish play;", 'invalid number of arguments'],
    ["$key 0;", 'invalid number of connections "0"'],
    ["$key -1;", 'invalid number of connections "-1"'],
    ["$key many;", 'invalid number of connections "many"'],
    ["$key 9999999999;", 'invalid number of connections "9999999999"'],
    ["$key 1 watch;", 'invalid parameter "watch", it must be "publish" or'],
    ["$key 1; $key 2;", 'directive is duplicate'],
    ["$key 1 play; $key 2 play;", 'directive is duplicate'],
    ['osp_upstream_limit_conn $nobody 1;', 'unknown "nobody" variable'],
    ['osp_upstream_limit_conn_log_level debug;', 'invalid value "debug"'],
    ['osp_upstream_limit_conn_dry_run maybe;', 'invalid value "maybe"'],
    ['osp_upstream_limit_conn_zone_size 4k;', ' 4096 is too small'],
    ['osp_upstream_limit_conn_zone_size big;', 'invalid value'],
    ['server { osp_upstream_limit_conn_zone_size 1m; }',
        'directive is not allowed here'],
);

my @allowed = (
    "$key 1; $key 1 play; $key 1 publish;",
    "$key 1; server { listen 127.0.0.1:8089; return ''; $key 2; }",
    'osp_upstream_limit_conn_zone_size 1m;',
);

my $t = Test::Nginx->new()->has(qw/stream stream_return/)
    ->plan(@refused + @allowed + 6);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
    worker_connections 2048;
}

rtmp_route live {
    zone   live 4m;
    server 127.0.0.1:8081;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    osp_upstream_limit_conn_zone_size 32k;

    server {
        listen                  127.0.0.1:8091;
        osp_upstream            live;
        osp_upstream_limit_conn $rtmp_stream 1;
    }
}

EOF

rtmp_origin($t, port(8081), media => 1);

$t->run();

###############################################################################

my $playing = 'NetStream.Play.Start';
my $rejected = 'NetConnection.Connect.Rejected';

# whoever does not fit in is not counted

my @c = map { play($_) } 1 .. 320;

is(scalar(grep { $_->{code} eq $playing } @c), 320, 'all are served');
is(play(1)->{code}, $rejected, 'who is counted is limited');
push @c, play(320);
is($c[-1]{code}, $playing, 'who is not is not');

my @logged = $t->read_file('error.log') =~ /(\[error\] .*no room to count.*)/g;

is(scalar(@logged), 1, 'is logged once');
like($logged[0], qr/no room to count connections, they are not limited in zone/,
    'what this means');

(shift @c)->close() for 1 .. 20;

ok(wait_until(sub {
    push @c, play('new');
    return $c[-1]{code} eq $rejected;
}), 'there is room again');

$_->close() for @c;

# what is refused

for my $case (@refused) {
    like(check($case->[0]), qr/\[emerg\] .*\Q$case->[1]\E/, $case->[0]);
}

like(check($_), qr/syntax is ok/, $_) for @allowed;

###############################################################################

sub play {
    return rtmp_play(port(8091), 'live', "cam$_[0]");
}

sub check {
    my ($text) = @_;
    my $dir = $t->testdir();

    $t->write_file_expand('refused.conf', <<EOF);

%%TEST_GLOBALS%%

events {
}

stream {
    $text
}

EOF

    return `$Test::Nginx::NGINX -t -p $dir/ -c refused.conf -e stderr 2>&1`;
}

###############################################################################
