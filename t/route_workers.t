#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for rtmp_route: more worker processes than processors.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(2);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

error_log  %%TESTDIR%%/errors.log error;

daemon off;

worker_processes 70;

events {
    worker_connections  16;
}

rtmp_route live {
    zone    live 1m;
    server  10.0.0.11;
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            rtmp_route_api;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

like(http_get('/1/routes/live'), qr/ 200 .*"servers":1/s, 'it works');

# workers write to the log before they answer the signal to leave

$t->stop();

is($t->read_file('errors.log'), '', 'each worker has a slot');

###############################################################################
