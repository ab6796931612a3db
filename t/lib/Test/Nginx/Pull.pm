package Test::Nginx::Pull;

# Copyright (C) The nginx-osp authors

# What tests of pulls share: origins that are nginx-rtmp, publishers that go on
# by themselves, and where a player's media comes from.
#
#     pull_origin($t, 'a', '127.0.0.1:%%PORT_8081%%', '127.0.0.1:...');
#     my $pid = feeder($t, "127.0.0.1:$port", 'live', 'cam', 400);
#     is(source(rtmp_play($edge, 'live', 'cam')), 400, 'played');

use strict;
use warnings;

use Exporter qw/ import /;
use POSIX qw//;
use Test::Nginx qw/ http_get port /;
use Test::Nginx::Media qw/ nginx_rtmp /;
use Test::Nginx::RTMP;
use Time::HiRes qw/ sleep /;


our @EXPORT = qw/
    pull_origin feeder stop_feeder source clients kill_workers
/;


# One process of nginx-rtmp with its statistics.

sub pull_origin {
    my ($t, $name, $listen, $stat) = @_;

    return nginx_rtmp($t, $name, <<"EOF_CONF");
worker_processes 1;

rtmp {
    server {
        listen $listen;

        application live {
            live on;
        }

        application off {
            live on;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen $stat;
        location = /stat { rtmp_stat all; }
    }
}
EOF_CONF
}

# A process that publishes; its frames have that many bytes.

sub feeder {
    my ($t, $addr, $app, $name, $size) = @_;

    $t->run_daemon(sub {
        my ($c, $n);

        # players that the test closes are to be closed

        POSIX::close($_) for 3 .. 255;

        $c = rtmp_publish($addr, $app, $name) or return;
        $n = 0;

        while ($c->send_media(media_messages(2, first => $n, size => $size)))
        {
            $n += 2;
            sleep 0.04;
        }
    });

    return $t->{_daemons}[-1];
}

sub stop_feeder {
    my ($pid) = @_;

    kill('TERM', $pid);
    wait_until(sub { waitpid($pid, 1) != 0 });
}

# The size of the next frame that a player gets, 0: there is none.

sub source {
    my ($c, $timeout) = @_;
    my $m = $c->read_until(sub {
        $_[0]->{type} == 9 && length($_[0]->{payload}) > 100
    }, $timeout);

    return $m ? length($m->{payload}) - 5 : 0;
}

# Publishers and players that an origin shows.

sub clients {
    my ($port, $name) = @_;
    my ($xml, $stream, @clients, $publishers);

    $xml = http_get('/stat', PeerAddr => '127.0.0.1:' . port($port)) || '';
    ($stream) = $xml =~ m!<stream>\s*<name>$name</name>(.*?)</stream>!s;

    return 'none' unless defined $stream;

    @clients = $stream =~ m!<client>(.*?)</client>!gs;
    $publishers = grep { /<publishing/ } @clients;

    return "$publishers " . (@clients - $publishers);
}

# the workers of a master that was killed

sub kill_workers {
    my ($t, $name) = @_;
    my ($pid) = $t->read_file("$name.log") =~ /start worker process (\d+)/;

    kill('KILL', $pid);
}


1;
