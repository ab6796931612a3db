package Test::Nginx::DNS;

# Copyright (C) The nginx-osp authors

# A name server for the tests, whose answers may change at any time:
#
#     write_names($t, 'one.example.com' => ['127.0.0.1'], ...);
#     $t->run_daemon(\&dns_daemon, $port, $t->testdir() . '/names');
#
# It answers over UDP, and over TCP if there is a socket, which port() has:
#
#     $t->run_daemon(\&dns_daemon, $port, $t->testdir() . '/names',
#         port(8980, udp => 1, socket => 1));
#
# What has no address does not exist.  Answers are good for a second.  Instead
# of the addresses, which may be of IPv4 and IPv6, a name may have
#
#     { addrs => [...],          its addresses
#       cname => 'two...',       another name, whose addresses follow
#       rcode => 2,              fails
#       rcode6 => 2,             fails for IPv6
#       empty => 1,              exists, and has no address
#       ttl => 60,
#       shuffle => 1,            another order in each answer
#       truncate => 1,           all of it by TCP only
#       drop => 1 }              no answer at all
#
# What was asked for stands in the file "names.log", a line for each question.

use strict;
use warnings;

use Exporter qw/ import /;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use List::Util qw/ shuffle /;
use Socket qw/ AF_INET AF_INET6 inet_pton /;


our @EXPORT = qw/ dns_daemon write_names /;


# replaced at once, as the daemon reads it for each question

sub write_names {
    my ($t, %names) = @_;

    $t->write_file('names.new', encode_json(\%names));
    rename($t->testdir() . '/names.new', $t->testdir() . '/names')
        or die "Can't rename: $!\n";
}

sub dns_daemon {
    my ($port, $file, $tcp) = @_;

    my $udp = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Proto => 'udp') or die "Can't listen: $!\n";

    my $select = IO::Select->new($udp, $tcp || ());

    while (my @ready = $select->can_read()) {

        for my $socket (@ready) {

            if ($socket == $udp) {
                $udp->recv(my $query, 512);
                my $answer = answer($file, $query, 0);
                $udp->send($answer) if defined $answer;
                next;
            }

            if ($tcp && $socket == $tcp) {
                my $client = $tcp->accept();
                $select->add($client) if $client;
                next;
            }

            # a question comes as a whole, on a connection that is kept

            my $query;

            if (!sysread($socket, $query, 514)) {
                $select->remove($socket);
                close $socket;
                next;
            }

            while (length($query) > 2) {
                my $length = unpack('n', $query);
                my $answer = answer($file, substr($query, 2, $length), 1);

                syswrite($socket, pack('n/a*', $answer)) if defined $answer;
                substr($query, 0, 2 + $length, '');
            }
        }
    }
}

sub answer {
    my ($file, $query, $tcp) = @_;

    my ($id, $flags, $count) = unpack('nnn', $query);
    my ($rest, @labels) = substr($query, 12);

    while (length $rest) {
        my $length = ord(substr($rest, 0, 1, ''));
        last if $length == 0;
        push @labels, substr($rest, 0, $length, '');
    }

    my ($type) = unpack('n', $rest);
    my $question = substr($query, 12, length($query) - 12 - length($rest))
        . substr($rest, 0, 4);
    my $name = join('.', @labels);

    open(my $fh, '<', $file) or return undef;
    my $names = decode_json(do { local $/; <$fh> });
    close $fh;

    if (open(my $log, '>>', "$file.log")) {
        print $log "$name $type\n";
        close $log;
    }

    my ($said, @records, %seen) = said($names, $name);

    while ($said->{cname} && !$seen{$said->{cname}}++) {
        push @records, record($name, 5, $said->{ttl}, name($said->{cname}));
        $name = $said->{cname};
        $said = said($names, $name);
    }

    return undef if $said->{drop};

    my $rcode = $type == 28 && defined $said->{rcode6} ? $said->{rcode6}
        : defined $said->{rcode} ? $said->{rcode} : 0;

    # NXDOMAIN without an address

    $rcode = 3 if !$rcode && !@{$said->{addrs}} && !$said->{empty}
        && !@records;

    my @addrs = $rcode ? () : grep { /:/ == ($type == 28) } @{$said->{addrs}};
    @addrs = shuffle(@addrs) if $said->{shuffle};

    push @records, map { record($name, $type, $said->{ttl}, inet_pton(
        $type == 28 ? AF_INET6 : AF_INET, $_)) } @addrs;
    @records = () if $rcode;

    my $bits = 0x8180 | $rcode;

    if (!$tcp && ($said->{truncate} || @records > 100)) {
        $bits |= 0x200;
        @records = ();
    }

    return pack('nnnnnn', $id, $bits, 1, scalar(@records), 0, 0) . $question
        . join('', @records);
}

sub said {
    my ($names, $name) = @_;

    my $said = $names->{$name} || [];
    $said = { addrs => $said } if ref($said) eq 'ARRAY';

    return { addrs => [], ttl => 1, %$said };
}

sub record {
    my ($name, $type, $ttl, $data) = @_;

    return name($name) . pack('nnNn/a*', $type, 1, $ttl, $data);
}

sub name {
    my ($name) = @_;

    return join('', map { pack('C/a*', $_) } split(/\./, $name)) . "\0";
}


1;
