package Test::Nginx::OSPCore;

# Copyright (C) The nginx-osp authors

# The core of the Open Streaming Platform for the tests: its API as far as
# proxies and RTMP nodes use it, with the mistakes that the real one makes.
#
#     my $core = osp_core($t, port(8081));
#     $core->server('127.0.0.1');
#     $core->channel('cam1', live => 1, server => '127.0.0.1');
#     ...
#     $core->fault('rtmpCheck', status => 500, count => 1);
#     is($core->count('rtmpCheck'), 1, 'asked once');
#
# It is an HTTP/1.1 server with keepalive and a process for each connection.
# What the test sets is in a file and holds from the next request on.  Options
# of osp_core(): host (127.0.0.1), and ssl, a hash of arguments for
# IO::Socket::SSL or 1 for a certificate of its own, signed by itself, in
# osp-core-PORT.crt; it is for "localhost" and 127.0.0.1.
#
# State
#
#   site(NAME => VALUE, ...)   settings of /apiv1/server/; at first siteAddress
#                              is "localhost", siteProtocol "http://"
#   set_up(0)                  before the first-run set-up: server is 500
#   server(ADDRESS, ...)       adds or changes a server: id, active (1), hide;
#                              gives its id
#   delete_server(ADDRESS)     rows of streams go on pointing to it
#   channel(LOC, ...)          adds or changes a channel:
#     key                      stream key ("key-LOC")
#     type                     "standard" or "adaptive"
#     private, protected       flags
#     owner, invited           names of users; the latter is a list
#     live                     whether it has an active stream
#     server                   of the active stream, undef: it has none
#     first_server             of the first stream ever, if it is another one;
#                              rtmpCheck tells this one; undef: it has none
#   delete_channel(LOC)        as if it had never been
#   user(NAME, PASSWORD)       what stands for the stored hash of the password
#   token(LOC, NAME)           the hash of that user for that channel
#   header(LOC, NAME)          "X-Token-Session: ..." as the player sends it
#   state()                    all of it as a hash, with what stage2 and
#                              streamclose have changed
#   change(CODE)               changes that hash, as one step
#
# Endpoints
#
#   rtmpCheck      GET, POST   /rtmpCheck
#   server         GET         /apiv1/server/
#   rtmp           GET         /apiv1/server/rtmp
#   ping           GET         /apiv1/server/ping
#   stream         GET         /apiv1/stream/, /apiv1/stream/ID
#   playbackauth   POST        /apiv1/rtmp/playbackauth
#   stage1, stage2, streamclose, reccheck, recclose
#                  POST        /apiv1/rtmp/...
#   auth_key, auth_user, deauth_user
#                  POST        /node/ADDRESS:PORT/auth-key, ...: what the RTMP
#                              node of that address does for on_publish and
#                              on_publish_done; auth-key calls stage1 and sends
#                              the broadcast on to
#                              rtmp://ADDRESS:PORT/stream-data/LOC (or
#                              stream-data-adapt), auth-user calls stage2,
#                              deauth-user streamclose
#   other                      all else
#
# Faults
#
# fault(ENDPOINT, ...) makes an endpoint misbehave, "all" all of them;
# fault(ENDPOINT) ends it, clear() ends all.
#
#   count => N         only for the next N requests
#   delay => MS        the answer comes late; goes with all others
#   close => 1         closes without an answer
#   reset => 1         ... by a reset
#   hang => 1          never answers; "body": never after the header
#   status => CODE     an error of that status, in HTML
#   html => 1          a page with 200 instead of JSON
#   cut => 1           half of the body, then closed
#   cut_json => 1      half of the body, as if it was all
#   big => BYTES       the answer with that many spaces in it (1: 200 MB)
#   drip => SECONDS    a byte at a time, so many seconds in between
#   types => 1         values have other types
#   null => 1          the servers are null
#   empty => 1         no results: an empty list, object, or header
#   results => DATA    other results
#   headers => [...]   more header lines; they come first
#   body => BYTES      another body
#   raw => BYTES       all of the answer, then closed
#   chunked => 1       in chunked coding
#   keepalive => 0     closes after the answer
#
# down() closes the port, up() opens it; signal(STOP) and signal(CONT) are for
# its processes.
#
# What was asked
#
# requests(ENDPOINT, ...) gives a list of hashes, of all endpoints without one:
# endpoint, time, method, uri, headers (names in lower case), body, form (its
# arguments), c (number of the connection), n (of the request on it).
# count(ENDPOINT) gives their number, wait(ENDPOINT, N, SECONDS) waits for the
# Nth and gives it, forget() forgets them.

use strict;
use warnings;

use Digest::SHA qw/ sha256_hex /;
use Exporter qw/ import /;
use Fcntl qw/ :flock /;
use JSON::PP;
use POSIX qw/ strftime /;
use Socket qw/ SOL_SOCKET SO_LINGER /;
use Storable qw/ retrieve store /;
use Test::Nginx::HTTPD;
use Time::HiRes qw/ sleep time /;


our @EXPORT = qw/ osp_core /;

my $json = JSON::PP->new()->canonical(1)->latin1(1)->allow_nonref(1);
my $wire = JSON::PP->new()->canonical(1)->ascii(1)->allow_nonref(1);

my @true = (JSON::PP::false(), JSON::PP::true());

my %paths = (
    '/rtmpCheck'               => 'rtmpCheck',
    '/apiv1/server'            => 'server',
    '/apiv1/server/'           => 'server',
    '/apiv1/server/rtmp'       => 'rtmp',
    '/apiv1/server/ping'       => 'ping',
    '/apiv1/stream'            => 'stream',
    '/apiv1/stream/'           => 'stream',
    '/apiv1/rtmp/playbackauth' => 'playbackauth',
    '/apiv1/rtmp/stage1'       => 'stage1',
    '/apiv1/rtmp/stage2'       => 'stage2',
    '/apiv1/rtmp/streamclose'  => 'streamclose',
    '/apiv1/rtmp/reccheck'     => 'reccheck',
    '/apiv1/rtmp/recclose'     => 'recclose',
);

my %get = map { $_ => 1 } qw/ rtmpCheck server rtmp ping stream other /;

my %answers = (
    rtmpCheck    => \&rtmp_check,
    server       => \&server_settings,
    rtmp         => \&server_list,
    ping         => \&ping,
    stream       => \&stream_list,
    playbackauth => \&playback_auth,
    stage1       => \&stage1,
    stage2       => \&stage2,
    streamclose  => \&stream_close,
    reccheck     => \&record,
    recclose     => \&record,
    auth_key     => \&auth_key,
    auth_user    => \&auth_user,
    deauth_user  => \&deauth_user,
    other        => sub { page(404) },
);

my %text = (
    200 => 'OK', 308 => 'PERMANENT REDIRECT', 404 => 'NOT FOUND',
    405 => 'METHOD NOT ALLOWED', 500 => 'INTERNAL SERVER ERROR',
);


sub osp_core {
    my ($t, $port, %opt) = @_;
    my $self;

    $self = bless {
        t     => $t,
        port  => $port,
        host  => '127.0.0.1',
        state => $t->testdir() . "/osp-core-$port.json",
        %opt,
    };

    $self->certificate() if $self->{ssl} && !ref($self->{ssl});

    write_state($self->{state}, {
        channels => {},
        faults   => {},
        next     => 1,
        servers  => [],
        set_up   => 1,
        site     => default_site(),
        users    => {},
    });

    return $self->up();
}

sub default_site {
    return {
        siteName => 'OSP', siteProtocol => 'http://',
        siteAddress => 'localhost', serverTimeZone => 'UTC',
        siteURI => 'http://localhost', siteLogo => '/static/img/logo.png',
        serverMessageTitle => '', serverMessage => '', version => '0.9.11',
        hubURL => '',
        (map { $_ => JSON::PP::true() } qw/ allowRecording allowUploads
            allowRestream allowComments protectionEnabled adaptiveStreaming /),
        (map { $_ => JSON::PP::false() } qw/ maintenanceMode hubEnabled
            webrtcPlaybackEnabled /),
        restreamMaxBitRate => 3500, maxClipLength => 90,
        (map { $_ => 0 } qw/ maxVideoRetention maxClipRetention /),
        maxVideoUploadFileSize => 4096, maxThumbnailUploadFileSize => 10,
        maxStickerUploadFileSize => 2,
    };
}

sub certificate {
    my ($self) = @_;
    my $base = $self->{t}->testdir() . "/osp-core-$self->{port}";

    $self->{t}->write_file("osp-core-$self->{port}.conf", <<'EOF_CONF');
[ req ]
distinguished_name = name
x509_extensions = ext
prompt = no
[ name ]
commonName = localhost
[ ext ]
subjectAltName = DNS:localhost, IP:127.0.0.1
basicConstraints = critical, CA:true
EOF_CONF

    system("openssl req -x509 -new -newkey rsa:2048 -nodes -days 2 "
        . "-config $base.conf -keyout $base.key -out $base.crt "
        . ">>$base.out 2>&1") == 0
        or die "Can't make a certificate for OSP core\n";

    $self->{ssl} = {
        SSL_cert_file => "$base.crt", SSL_key_file => "$base.key"
    };
}

sub up {
    my ($self) = @_;

    return $self if $self->{httpd};

    $self->{httpd} = httpd($self->{t}, $self->{port},
        sub { $self->answer(@_) }, host => $self->{host},
        ssl => $self->{ssl});

    return $self;
}

sub down {
    my ($self) = @_;

    # the log of requests is kept
    (delete $self->{httpd})->stop() if $self->{httpd};

    return $self;
}

sub signal {
    my ($self, $signal) = @_;

    $self->{httpd}->signal($signal);

    return $self;
}


###############################################################################
# state
###############################################################################

sub read_state {
    my ($file) = @_;

    # never seen half-written: it is renamed
    return retrieve($file);
}

sub write_state {
    my ($file, $state) = @_;

    store($state, "$file.tmp") or die "Can't write $file.tmp: $!\n";
    rename("$file.tmp", $file) or die "Can't rename $file.tmp: $!\n";
}

sub state {
    my ($self) = @_;

    return read_state($self->{state});
}

sub change {
    my ($self, $code) = @_;
    my ($state, $rc);

    open(my $lock, '>', "$self->{state}.lock")
        or die "Can't open the lock of OSP core: $!\n";
    flock($lock, LOCK_EX);

    $state = $self->state();
    $rc = $code->($state);
    write_state($self->{state}, $state);

    return $rc;
}

sub site {
    my ($self, %settings) = @_;

    $self->change(sub {
        my ($state) = @_;

        $state->{site}{$_} = $settings{$_} for keys %settings;
    });

    return $self;
}

sub set_up {
    my ($self, $done) = @_;

    $self->change(sub { $_[0]{set_up} = $done ? 1 : 0 });

    return $self;
}

sub server {
    my ($self, $address, %set) = @_;

    return $self->change(sub {
        my ($state) = @_;
        my ($server) = grep { $_->{address} eq $address } @{$state->{servers}};

        if (!$server) {
            $server = { id => $state->{next}++, address => $address,
                active => 1, hide => 0 };
            push @{$state->{servers}}, $server;
        }

        $server->{$_} = $set{$_} for keys %set;

        return $server->{id};
    });
}

sub delete_server {
    my ($self, $address) = @_;

    $self->change(sub {
        my ($state) = @_;

        @{$state->{servers}}
            = grep { $_->{address} ne $address } @{$state->{servers}};
    });

    return $self;
}

sub channel {
    my ($self, $loc, %set) = @_;

    $self->change(sub {
        my ($state) = @_;
        my $channel;

        $channel = $state->{channels}{$loc} ||= {
            id => $state->{next}++, loc => $loc, key => "key-$loc",
            type => 'standard', private => 0, protected => 0, owner => '',
            invited => [], live => 0, started => 0,
        };

        if (exists $set{server} || exists $set{first_server} || $set{live}) {
            $channel->{row} ||= $state->{next}++;
        }

        $channel->{$_} = $set{$_} for keys %set;
        $channel->{started} = int(time()) if $set{live};

        # the first broadcast stays the first
        $channel->{first_server} = $channel->{server}
            if $channel->{row} && !exists $channel->{first_server};
    });

    return $self;
}

sub delete_channel {
    my ($self, $loc) = @_;

    $self->change(sub { delete $_[0]{channels}{$loc} });

    return $self;
}

sub user {
    my ($self, $name, $password) = @_;

    $self->change(sub { $_[0]{users}{$name} = $password });

    return $self;
}

sub token {
    my ($self, $loc, $name) = @_;

    return sha256_hex($name . $loc . $self->state()->{users}{$name});
}

sub header {
    my ($self, $loc, $name) = @_;

    return "X-Token-Session: ${name}_" . $self->token($loc, $name);
}

sub fault {
    my ($self, $name, %fault) = @_;

    die "No such endpoint: $name\n" unless $answers{$name} || $name eq 'all';

    $self->change(sub {
        my ($state) = @_;

        delete $state->{faults}{$name};
        $state->{faults}{$name} = { %fault } if %fault;
    });

    return $self;
}

sub clear {
    my ($self) = @_;

    $self->change(sub { $_[0]{faults} = {} });

    return $self;
}


###############################################################################
# what was asked
###############################################################################

sub requests {
    my ($self, @names) = @_;
    my ($log, %want, @list);

    %want = map { $_ => 1 } @names;
    $log = bless { file => $self->{t}->testdir() . "/httpd-$self->{port}.log" },
        'Test::Nginx::HTTPD';

    for my $r ($log->requests()) {
        $r->{endpoint} = endpoint($r->{uri});
        $r->{form} = form($r);

        push @list, $r if !@names || $want{$r->{endpoint}};
    }

    return @list;
}

sub count {
    my ($self, @names) = @_;

    return scalar(() = $self->requests(@names));
}

sub wait {
    my ($self, $name, $n, $timeout) = @_;
    my ($end, @list);

    $end = time() + ($timeout || 20);
    $n ||= 1;

    while ((@list = $self->requests($name)) < $n) {
        return undef if time() > $end;
        sleep(0.02);
    }

    return $list[$n - 1];
}

sub forget {
    my ($self) = @_;

    # it is written in append mode
    truncate($self->{t}->testdir() . "/httpd-$self->{port}.log", 0);

    return $self;
}

sub endpoint {
    my ($uri) = @_;
    my ($path) = $uri =~ m!^(?:http://[^/]*)?([^?]*)!;

    return 'stream' if $path =~ m!^/apiv1/stream/\d+$!;
    return $1 =~ tr/-/_/r
        if $path =~ m!^/node/[\w.-]+:\d+/(auth-key|auth-user|deauth-user)$!;
    return $paths{$path} || 'other';
}

# A form, JSON or the query: all that the parser of the core understands.

sub form {
    my ($r) = @_;
    my ($type, %form, $data);

    $type = $r->{headers}{'content-type'} || '';

    for my $text ($r->{uri} =~ /\?(.*)/s, $type =~ /urlencoded/
        ? $r->{body} : ())
    {
        for (split(/&/, $text)) {
            my ($name, $value) = map { tr/+/ /r } split(/=/, $_, 2);

            s/%([0-9a-f]{2})/chr(hex($1))/gie for grep { defined } $name,
                $value;
            $form{$name} = $value unless exists $form{$name};
        }
    }

    if ($type =~ /json/ && ($data = eval { $json->decode($r->{body}) })
        && ref($data) eq 'HASH')
    {
        %form = (%$data, %form);
    }

    return \%form;
}


###############################################################################
# answers
###############################################################################

# In the process of the connection.

sub answer {
    my ($self, $r) = @_;
    my ($name, $state, $fault, $answer);

    $name = endpoint($r->{uri});
    $fault = $self->next_fault($name);
    $state = $self->state();

    $r->{form} = form($r);

    if ($fault->{delay}) {
        Test::Nginx::HTTPD::pause($r->{socket}, $fault->{delay} / 1000)
            or return;
    }

    if ($fault->{close} || $fault->{reset}) {
        setsockopt($r->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0))
            if $fault->{reset};
        return;
    }

    return ('', [-1]) if $fault->{hang} && $fault->{hang} eq '1';

    if (defined $fault->{raw}) {
        $r->{socket}->print($fault->{raw});
        $r->{socket}->flush();
        return;
    }

    if ($fault->{status}) {
        $answer = page($fault->{status});

    } elsif ($fault->{html}) {
        $answer = page(200);

    } elsif (!method_allowed($name, $r->{method})) {
        $answer = result({ message => 'The method is not allowed for the '
            . 'requested URL.' }, 405);

    } else {
        $answer = $answers{$name}->($self, $r, $state);
    }

    spoil($answer, $fault);

    return send_answer($r, $answer, $fault);
}

sub method_allowed {
    my ($name, $method) = @_;

    return 1 if $name eq 'other';
    return 1 if $name eq 'rtmpCheck' && $method eq 'POST';
    return $method eq 'GET' || $method eq 'HEAD' if $get{$name};
    return $method eq 'POST';
}

sub next_fault {
    my ($self, $name) = @_;
    my $faults = $self->state()->{faults};

    ($name) = grep { $faults->{$_} } $name, 'all' or return {};

    return $faults->{$name} unless exists $faults->{$name}{count};

    return $self->change(sub {
        my $fault = $_[0]{faults}{$name};

        return $fault && $fault->{count}-- > 0 ? $fault : {};
    });
}

sub result {
    my ($data, $status, @headers) = @_;

    return { status => $status || 200, data => $data, headers => [@headers],
        type => 'application/json' };
}

sub page {
    my ($status, @headers) = @_;
    my $text = $text{$status} || 'ERROR';

    return { status => $status, headers => [@headers],
        type => 'text/html; charset=utf-8',
        body => "<!DOCTYPE html>\n<html><head><title>$status</title></head>"
            . "<body><h1>$text</h1></body></html>\n" };
}

sub rtmp_check {
    my ($self, $r, $state) = @_;
    my ($loc, $channel, $address);

    $loc = $r->{headers}{'x-channel-id'};
    $channel = $state->{channels}{$loc} if defined $loc;

    # the first stream ever, whether it is active or not

    return page(404) if !$channel || !$channel->{row};
    return page(404) unless defined $channel->{first_server};

    $address = $channel->{first_server};
    return page(500) unless find_server($state, $address);

    return { status => 200, body => 'OK', type => 'text/html; charset=utf-8',
        headers => ["X_UpstreamHost: $address"], host => 1 };
}

sub find_server {
    my ($state, $address) = @_;

    return undef unless defined $address;
    return (grep { $_->{address} eq $address } @{$state->{servers}})[0];
}

sub server_settings {
    my ($self, $r, $state) = @_;

    return page(308, "Location: http://$r->{headers}{host}/apiv1/server/")
        if $r->{uri} !~ m!/server/!;

    return result({ message => 'Internal Server Error' }, 500)
        unless $state->{set_up};
    return result({ results => $state->{site} });
}

sub server_list {
    my ($self, $r, $state) = @_;

    return result({ results => [ map { {
        id => $_->{id}, address => $_->{address},
        active => $true[$_->{active} ? 1 : 0],
    } } @{$state->{servers}} ] });
}

sub ping {
    my ($self, $r, $state) = @_;

    return result({ results => { message => 'Pong', timestamp => now() } });
}

sub stream_list {
    my ($self, $r, $state) = @_;
    my ($id, @channels, @list);

    return page(308, "Location: http://$r->{headers}{host}/apiv1/stream/")
        if $r->{uri} !~ m!/stream/!;

    ($id) = $r->{uri} =~ m!/stream/(\d+)!;

    @channels = sort { $a->{id} <=> $b->{id} }
        grep { $_->{live} && (defined $id ? $_->{row} == $id : !$_->{private}) }
        values %{$state->{channels}};

    for my $channel (@channels) {

        # one of them without a server spoils the list
        return result({ message => 'Internal Server Error' }, 500)
            unless find_server($state, $channel->{server});

        push @list, stream($channel);
    }

    return result({ results => \@list });
}

sub stream {
    my ($channel) = @_;
    my $loc = $channel->{loc};

    return {
        id => $channel->{row}, uuid => "uuid-$loc", channelID => $channel->{id},
        startTimestamp => now($channel->{started}),
        channelEndpointID => $loc, owningUser => 1,
        streamPage => "/view/$loc/",
        streamURL => $channel->{type} eq 'adaptive' ? "/live-adapt/$loc.m3u8"
            : "/live/$loc/index.m3u8",
        streamName => "Stream of $loc", thumbnail => "/stream-thumb/$loc.png",
        gifLocation => "/stream-thumb/$loc.gif", topic => 1,
        rtmpServer => $channel->{server}, currentViewers => 0,
        totalViewers => 0, active => $true[1], upvotes => 0,
    };
}

sub playback_auth {
    my ($self, $r, $state) = @_;
    my ($form, $channel, $user, $stored);

    $form = $r->{form};

    # what it takes from the form without a look
    return result({ message => 'Bad Request' }, 400)
        if !defined $form->{name} || !defined $form->{addr};

    return result('OK')
        if $form->{addr} eq '127.0.0.1' || $form->{addr} eq 'localhost';

    $channel = $state->{channels}{$form->{name}};

    return result({ results => $true[0] }, 400) unless $channel;
    return result({ results => $true[1] }) unless $channel->{protected};

    $user = defined $form->{username} ? $form->{username} : '';
    $stored = $state->{users}{$user};

    return result({ results => $true[1] })
        if defined $stored && defined $form->{hash}
            && $form->{hash} eq sha256_hex($user . $channel->{loc} . $stored)
            && grep { $_ eq $user } $channel->{owner}, @{$channel->{invited}};

    return result({ results => $true[0] }, 400);
}


###############################################################################
# answers for RTMP nodes
###############################################################################

# Who calls, and the server that it is.

sub caller_server {
    my ($r, $state) = @_;
    my ($from, @servers);

    ($from) = $r->{uri} =~ m!^/node/([\w.-]+):!;
    $from = $r->{headers}{'x-forwarded-for'} unless defined $from;
    $from = $r->{socket}->peerhost() unless defined $from;

    @servers = grep { $_->{active} } @{$state->{servers}};

    for my $address (split(/\s*,\s*/, $from)) {
        for my $server (@servers) {
            my $host = gethostbyname($server->{address});

            return $server->{address} if $server->{address} eq $address
                || $host && Socket::inet_ntoa($host) eq $address;
        }
    }

    return (undef, $from);
}

sub node_result {
    my ($r, $request, $channel, $message, %more) = @_;
    my $good = $message eq 'Success';

    return result({ results => {
        time => now(), request => $request, success => $true[$good ? 1 : 0],
        channelLoc => $channel ? $channel->{loc} : undef,
        ipAddress => $r->{form}{addr}, message => $message, %more,
    } }, $good ? 200 : 400);
}

sub unauthorized {
    my ($from) = @_;

    return result({ results => {
        message => "Unauthorized RTMP Server - $from" } }, 400);
}

sub by_key {
    my ($r, $state) = @_;
    my $name = $r->{form}{name};

    return undef unless defined $name;
    return (grep { $_->{key} eq $name } values %{$state->{channels}})[0];
}

sub stage1 {
    my ($self, $r, $state) = @_;
    my ($server, $from) = caller_server($r, $state);
    my $channel;

    return unauthorized($from) unless defined $server;

    # it fails when it writes its log of an unknown key

    $channel = by_key($r, $state)
        or return result({ message => 'Internal Server Error' }, 500);

    return node_result($r, 'Stage1', $channel, 'Success',
        type => $channel->{type});
}

sub stage2 {
    my ($self, $r, $state) = @_;
    my ($server, $from) = caller_server($r, $state);
    my $loc = $r->{form}{name};
    my $channel;

    return unauthorized($from) unless defined $server;

    $channel = $state->{channels}{$loc} if defined $loc;

    return node_result($r, 'Stage2', undef, 'Unauthorized User')
        unless $channel;

    $self->channel($loc, live => 1, server => $server);

    return node_result($r, 'Stage2', $channel, 'Success',
        adaptive => $true[$channel->{type} eq 'adaptive' ? 1 : 0]);
}

sub stream_close {
    my ($self, $r, $state) = @_;
    my ($server, $from) = caller_server($r, $state);
    my $channel;

    return unauthorized($from) unless defined $server;

    $channel = by_key($r, $state);

    return node_result($r, 'StreamClose', $channel, 'No Stream Active')
        unless $channel && $channel->{live};

    # the row stays

    $self->channel($channel->{loc}, live => 0);

    return node_result($r, 'StreamClose', $channel, 'Success');
}

sub record {
    my ($self, $r, $state) = @_;
    my ($server, $from) = caller_server($r, $state);

    return unauthorized($from) unless defined $server;
    return node_result($r, 'RecordCheck', by_key($r, $state), 'Not Recorded');
}

sub auth_key {
    my ($self, $r, $state) = @_;
    my ($answer, $node, $app, $results);

    $answer = stage1($self, $r, $state);
    return page(500) if $answer->{status} != 200;

    ($node) = $r->{uri} =~ m!^/node/([^/]+)!;
    $results = $answer->{data}{results};
    $app = $results->{type} eq 'adaptive' ? 'stream-data-adapt' : 'stream-data';

    return page(302, "Location: rtmp://$node/$app/$results->{channelLoc}");
}

sub auth_user {
    my ($self, $r, $state) = @_;

    return page(stage2($self, $r, $state)->{status});
}

sub deauth_user {
    my ($self, $r, $state) = @_;

    return page(stream_close($self, $r, $state)->{status});
}

sub now {
    my ($time) = @_;

    return strftime('%Y-%m-%d %H:%M:%S', gmtime($time || time()));
}


###############################################################################
# faults
###############################################################################

sub spoil {
    my ($answer, $fault) = @_;
    my $data = $answer->{data};

    if ($answer->{host} && $fault->{null}) {
        $answer->{headers} = [];
    }

    if ($answer->{host} && $fault->{empty}) {
        $answer->{headers} = ['X_UpstreamHost: '];
    }

    if (ref($data) eq 'HASH' && exists $data->{results}) {
        for my $row (ref($data->{results}) eq 'ARRAY'
            ? @{$data->{results}} : $data->{results})
        {
            last unless $fault->{null} && ref($row) eq 'HASH';

            exists $row->{$_} and $row->{$_} = undef
                for qw/ address rtmpServer siteAddress siteProtocol /;
        }

        if ($fault->{empty}) {
            $data->{results} = ref($data->{results}) eq 'ARRAY' ? [] : {};
        }

        $data->{results} = $fault->{results} if exists $fault->{results};
        $data->{results} = other_types($data->{results}) if $fault->{types};
    }

    $answer->{body} = $wire->encode($data) . "\n"
        unless defined $answer->{body};
    $answer->{body} = $fault->{body} if defined $fault->{body};

    unshift @{$answer->{headers}}, @{$fault->{headers} || []};
}

# Numbers for strings, strings for numbers, lists for flags.

sub other_types {
    my ($value) = @_;

    return [ map { other_types($_) } @$value ] if ref($value) eq 'ARRAY';
    return { map { $_ => other_types($value->{$_}) } keys %$value }
        if ref($value) eq 'HASH';

    return [ 1 ] if JSON::PP::is_bool($value) || !defined $value;
    return "$value" if $json->encode($value) !~ /^"/;
    return 42;
}

sub send_answer {
    my ($r, $answer, $fault) = @_;
    my ($body, $len, $head, $fill);

    $body = $answer->{body};
    $body = substr($body, 0, length($body) / 2) if $fault->{cut_json};
    $fill = $fault->{big} || 0;
    $fill = 200 * 1024 * 1024 if $fill == 1;
    $len = length($body) + $fill;

    $head = join("\x0d\x0a",
        "HTTP/1.1 $answer->{status} " . ($text{$answer->{status}} || 'ERROR'),
        'Server: nginx', "Content-Type: $answer->{type}",
        @{$answer->{headers}},
        $fault->{chunked} ? 'Transfer-Encoding: chunked'
            : "Content-Length: $len",
        'Connection: ' . (defined $fault->{keepalive} && !$fault->{keepalive}
            ? 'close' : 'keep-alive'), '', '');

    return $head if $r->{method} eq 'HEAD';
    return ($head, [-1]) if $fault->{hang};
    return send_big($r->{socket}, $head, $body, $fill) if $fill;

    if ($fault->{cut}) {
        $r->{socket}->print($head . substr($body, 0, length($body) / 2));
        $r->{socket}->flush();
        return;
    }

    if ($fault->{chunked}) {
        $body = join('', map { sprintf("%x\x0d\x0a%s\x0d\x0a", length($_), $_) }
            grep { length } substr($body, 0, 10),
            length($body) > 10 ? substr($body, 10) : (), '')
            . "0\x0d\x0a\x0d\x0a";
    }

    return $head . $body unless $fault->{drip};

    return $head, map { ([ $fault->{drip} ], $_) } split(//, $body);
}

# The spaces come behind the first byte, where JSON may have them.

sub send_big {
    my ($socket, $head, $body, $fill) = @_;
    my $piece = ' ' x 65536;

    $socket->print($head . substr($body, 0, 1)) or return;

    for ( ; $fill > 0; $fill -= length($piece)) {
        $socket->print(substr($piece, 0, $fill)) or return;
    }

    $socket->print(substr($body, 1));
    $socket->flush();

    # closes the connection
    return;
}


1;
