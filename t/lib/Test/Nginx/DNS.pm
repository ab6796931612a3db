package Test::Nginx::DNS;

# Copyright (C) The nginx-osp authors

# A name server for the tests, over UDP, whose answers may change at any time:
#
#     write_names($t, 'one.example.com' => ['127.0.0.1'], ...);
#     $t->run_daemon(\&dns_daemon, $port, $t->testdir() . '/names');
#
# What has no address does not exist.  Answers are good for a second.

use strict;
use warnings;

use Exporter qw/ import /;
use IO::Socket::INET;
use JSON::PP;


our @EXPORT = qw/ dns_daemon write_names /;


# replaced at once, as the daemon reads it for each question

sub write_names {
    my ($t, %names) = @_;

    $t->write_file('names.new', encode_json(\%names));
    rename($t->testdir() . '/names.new', $t->testdir() . '/names')
        or die "Can't rename: $!\n";
}

sub dns_daemon {
    my ($port, $file) = @_;

    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'udp')
        or die "Can't listen: $!\n";

    while ($socket->recv(my $query, 512)) {
        my ($id, $flags, $count) = unpack('nnn', $query);
        my ($rest, @labels) = substr($query, 12);

        while (length $rest) {
            my $length = ord(substr($rest, 0, 1, ''));
            last if $length == 0;
            push @labels, substr($rest, 0, $length, '');
        }

        open(my $fh, '<', $file) or next;
        my $names = decode_json(do { local $/; <$fh> });
        my $addrs = $names->{join('.', @labels)} || [];

        # NXDOMAIN without an address

        my $answer = pack('nnnnnn', $id, @$addrs ? 0x8180 : 0x8183, 1,
            scalar(@$addrs), 0, 0)
            . substr($query, 12, length($query) - 12 - length($rest))
            . substr($rest, 0, 4);

        # question's name, A, IN, TTL of one second

        $answer .= pack('nnnNnC4', 0xc00c, 1, 1, 1, 4, split(/\./, $_))
            for @$addrs;

        $socket->send($answer);
    }
}


1;
