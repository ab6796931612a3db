package Test::Nginx::HLS::Live;

# Copyright (C) The nginx-osp authors

# Live streams as origins serve them, for hls_origin() of Test::Nginx::HLS.
#
#     $o->live('cam1', layout => 'nested', base => '/hls', target => 1);
#     $o->advance('cam1', 2);
#
# Layouts, with BASE and NAME as given:
#
#   nested    BASE/NAME/index.m3u8, BASE/NAME/12.ts
#   flat      BASE/NAME.m3u8, BASE/NAME-12.ts
#   variants  BASE/NAME.m3u8 lists NAME_480/index.m3u8 ..., as nginx-rtmp does
#   srs       BASE/NAME.m3u8 gives a master that lists itself with an hls_ctx;
#             with one that is known it gives NAME-12.ts?hls_ctx=...; with one
#             that is not, a new master
#   ome       BASE/NAME/llhls.m3u8, chunklist_0_video_llhls.m3u8?session=...,
#             parts, blocking reload, Cache-Control: no-store
#   ant       BASE/streams/NAME_adaptive.m3u8, NAME_480p.m3u8, NAME_480p0012.ts
#   fmp4      BASE/NAME/index.m3u8, init.mp4, 12.m4s
#   dash      BASE/NAME/index.mpd, init.m4s, 12.m4s
#
# Options of live() and change():
#
#   base        '/live'
#   duration    of a segment, seconds; target: rounded up
#   window      segments in the playlist, 6; 0: all of them (EVENT)
#   keep        so many older ones can still be had, 6
#   start       number of the first segment, 0
#   initial     segments there are at the beginning, window
#   size        bytes of a segment, 20000
#   auto        1: a new segment each duration; else advance() makes them
#   variants    [480, 720, 'src']
#   keys        1: encrypted, in words; a key each key_every (3) segments, its
#               URI made of key_uri, '/keys/%s/%d.key'
#   discontinuity  1: an EXT-X-DISCONTINUITY before the first of a broadcast
#   pdt         1: EXT-X-PROGRAM-DATE-TIME
#   frozen      no new segments
#   endlist     an EXT-X-ENDLIST
#   gone        a status: that is the answer to everything
#   playlist_gone  the same for playlists
#   missing     a list of numbers that are listed and 404
#   headers     for all answers; playlist_type, segment_type: Content-Type
#   tags        lines at the beginning of playlists
#   prefix      in front of the URIs of segments: an absolute address
#   delay, piece, pause  of segments, as in set(): pieces => [piece, pause]
#   playlist_delay  of playlists
#   stamp       1: playlists have the time they were made at, in a comment
#   arguments   appended to each URI, with "?"
#
# restart(NAME, start => 0, initial => 1) begins another broadcast, with the
# same names and other bytes.

use strict;
use warnings;

use Digest::MD5 qw/ md5 md5_hex /;
use POSIX qw/ ceil strftime /;
use Time::HiRes qw/ time /;


my %types = (
    m3u8 => 'application/vnd.apple.mpegurl', mpd => 'application/dash+xml',
    ts => 'video/mp2t', m4s => 'video/iso.segment', mp4 => 'video/mp4',
    key => 'application/octet-stream',
);

use constant PARTS => 4;


sub new {
    my ($class, $name, %opt) = @_;
    my $self;

    $self = bless {
        name => $name, layout => 'nested', base => '/live', duration => 1,
        window => 6, keep => 6, start => 0, size => 20000, broadcast => 0,
        variants => [480, 720, 'src'], key_every => 3, parts => 0,
        key_uri => '/keys/%s/%d.key', contexts => {}, missing => [],
        %opt,
    }, $class;

    $self->{target} = ceil($self->{duration}) unless defined $self->{target};

    $self->begin($self->{start}, $self->{initial});

    return $self;
}

sub begin {
    my ($self, $start, $initial) = @_;

    $self->{start} = $start;
    $self->{next} = $start + (defined $initial ? $initial
        : $self->{window} || 1);
    $self->{since} = time();
    $self->{at} = $self->{next};
}

sub restart {
    my ($self, %opt) = @_;

    $self->{broadcast}++;
    $self->begin($opt{start} || 0, defined $opt{initial} ? $opt{initial} : 1);

    return $self->{broadcast};
}

sub change {
    my ($self, %opt) = @_;

    $self->now();
    @$self{keys %opt} = values %opt;
    @$self{qw/ at since /} = ($self->{next}, time());

    # as if SRS had forgotten all of them
    $self->{contexts} = {} if $opt{forget};

    return $self->{next};
}

sub advance {
    my ($self, $n) = @_;

    if ($n < 1) {
        # of a stream that has parts, a part of a segment

        $self->{parts} += int($n * PARTS + 0.5);
        $self->{next} += int($self->{parts} / PARTS);
        $self->{parts} %= PARTS;

    } else {
        $self->{next} += $n;
        $self->{parts} = 0;
    }

    return $self->{next};
}

# Number of the next segment.

sub now {
    my ($self) = @_;
    my $n;

    if ($self->{auto} && !$self->{frozen} && !$self->{endlist}) {
        $n = (time() - $self->{since}) / $self->{duration};
        $self->{next} = $self->{at} + int($n);
        $self->{parts} = int(($n - int($n)) * PARTS);
    }

    return $self->{next};
}

sub first {
    my ($self) = @_;
    my $first = $self->{window} ? $self->{next} - $self->{window} : 0;

    return $first > $self->{start} ? $first : $self->{start};
}


###############################################################################
# answers
###############################################################################

sub answer {
    my ($self, $r) = @_;
    my ($method, $base, $name, $path, $spec);

    ($base, $name) = @$self{qw/ base name /};
    $path = $r->{path};

    $self->now();

    if ($self->{keys} && $path eq sprintf($self->{key_uri}, $name,
        $path =~ m!(\d+)[^/\d]*$! ? $1 : 0))
    {
        return $self->gone() || $self->file('key', key($name,
            $self->{broadcast}, $path =~ m!(\d+)[^/\d]*$!));
    }

    return undef unless $path =~ m!^\Q$base\E/!;

    $method = "answer_$self->{layout}";
    $spec = $self->$method($r, substr($path, length($base) + 1)) or return;

    return $self->gone() || $spec;
}

sub gone {
    my ($self) = @_;

    return $self->{gone} && { status => $self->{gone}, type => 'text/html',
        body => "gone\n" };
}

sub answer_nested {
    my ($self, $r, $file) = @_;

    $file =~ s!^\Q$self->{name}\E/!! or return undef;

    return $self->media('', sub { "$_[0].ts" }) if $file eq 'index.m3u8';
    return $file =~ /^(\d+)\.ts$/ ? $self->part('ts', '', $1) : undef;
}

sub answer_fmp4 {
    my ($self, $r, $file) = @_;

    $file =~ s!^\Q$self->{name}\E/!! or return undef;

    return $self->media('', sub { "$_[0].m4s" }, '#EXT-X-MAP:URI="init.mp4"')
        if $file eq 'index.m3u8';
    return $self->file('mp4', segment($self->{name}, 'init',
        $self->{broadcast}, 0, 800)) if $file eq 'init.mp4';
    return $file =~ /^(\d+)\.m4s$/ ? $self->part('m4s', '', $1) : undef;
}

sub answer_flat {
    my ($self, $r, $file) = @_;
    my $name = $self->{name};

    return $self->media('', sub { "$name-$_[0].ts" })
        if $file eq "$name.m3u8";
    return $file =~ /^\Q$name\E-(\d+)\.ts$/ ? $self->part('ts', '', $1) : undef;
}

sub answer_variants {
    my ($self, $r, $file) = @_;
    my $name = $self->{name};

    return $self->master(map { "${name}_$_/index.m3u8" } @{$self->{variants}})
        if $file eq "$name.m3u8";

    $file =~ s!^\Q$name\E_(\w+)/!! or return undef;
    my $variant = $1;

    return undef unless grep { $_ eq $variant } @{$self->{variants}};
    return $self->media($variant, sub { "$_[0].ts" }) if $file eq 'index.m3u8';
    return $file =~ /^(\d+)\.ts$/ ? $self->part('ts', $variant, $1) : undef;
}

sub answer_srs {
    my ($self, $r, $file) = @_;
    my ($name, $base) = @$self{qw/ name base /};
    my ($context) = ($r->{args} || '') =~ /(?:^|&)hls_ctx=([^&]*)/;

    if ($file eq "$name.m3u8") {
        if (!defined $context || !$self->{contexts}{$context}) {
            $context = $context || sprintf('%08x', rand(0xffffffff));
            $self->{contexts}{$context} = 1;

            return $self->master("$base/$name.m3u8?hls_ctx=$context");
        }

        return $self->media('', sub { "$name-$_[0].ts?hls_ctx=$context" });
    }

    return $file =~ /^\Q$name\E-(\d+)\.ts$/ ? $self->part('ts', '', $1) : undef;
}

sub answer_ant {
    my ($self, $r, $file) = @_;
    my $name = $self->{name};

    $file =~ s!^streams/!! or return undef;

    return $self->master(map { "${name}_${_}p.m3u8" } @{$self->{variants}})
        if $file eq "${name}_adaptive.m3u8";

    $file =~ s/^\Q$name\E_([a-z0-9]+?)p(?=\.m3u8$|\d{4}\.ts$)// or return undef;
    my $variant = $1;

    return $self->media($variant, sub {
        sprintf('%s_%sp%04d.ts', $name, $variant, $_[0])
    }) if $file eq '.m3u8';

    return $file =~ /^(\d{4})\.ts$/ ? $self->part('ts', $variant, $1) : undef;
}

sub answer_ome {
    my ($self, $r, $file) = @_;
    my ($session, $args, $spec);

    $file =~ s!^\Q$self->{name}\E/!! or return undef;

    ($session) = ($r->{args} || '') =~ /(?:^|&)session=([^&]*)/;
    $session = sprintf('%d_%08x', ++$self->{sessions}, rand(0xffffffff))
        unless defined $session;
    $args = "?session=$session";

    if ($file eq 'llhls.m3u8') {
        $spec = $self->master("chunklist_0_video_llhls.m3u8$args");

    } elsif ($file eq 'chunklist_0_video_llhls.m3u8') {
        $spec = $self->low_latency($r, $args);

    } elsif ($file eq 'init_0_video_llhls.m4s') {
        $spec = $self->file('mp4', segment($self->{name}, 'init',
            $self->{broadcast}, 0, 800));

    } elsif ($file =~ /^seg_0_(\d+)_video_llhls\.m4s$/) {
        $spec = $self->part('m4s', '', $1);

    } elsif ($file =~ /^part_0_(\d+)_(\d)_video_llhls\.m4s$/) {
        $spec = $self->low_latency_part($1, $2);
    }

    push @{$spec->{headers}}, 'Cache-Control: no-cache, no-store' if $spec;

    return $spec;
}

sub answer_dash {
    my ($self, $r, $file) = @_;

    $file =~ s!^\Q$self->{name}\E/!! or return undef;

    return $self->manifest() if $file eq 'index.mpd';
    return $self->file('mp4', segment($self->{name}, 'init',
        $self->{broadcast}, 0, 800)) if $file eq 'init.m4s';
    return $file =~ /^(\d+)\.m4s$/ ? $self->part('m4s', '', $1) : undef;
}


###############################################################################
# playlists
###############################################################################

sub playlist {
    my ($self, @lines) = @_;
    my $body;

    return { status => $self->{playlist_gone}, type => 'text/html',
        body => "gone\n" } if $self->{playlist_gone};

    $body = join("\n", '#EXTM3U', @{$self->{tags} || []},
        $self->{stamp} ? sprintf('#stamp %.3f', time()) : (), @lines, '');

    return {
        type    => $self->{playlist_type} || $types{m3u8},
        body    => $body,
        delay   => $self->{playlist_delay},
        headers => [@{$self->{headers} || []}],
    };
}

sub master {
    my ($self, @uris) = @_;
    my $rate = 0;

    return $self->playlist('#EXT-X-VERSION:3', map {
        $rate += 800000;
        ("#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=$rate,"
            . 'CODECS="avc1.64001f,mp4a.40.2"', $_)
    } @uris);
}

sub media {
    my ($self, $variant, $uri, @tags) = @_;
    my ($first, @lines);

    $first = $self->first();

    @lines = (
        '#EXT-X-VERSION:' . (@tags ? 6 : 3),
        "#EXT-X-MEDIA-SEQUENCE:$first",
        "#EXT-X-TARGETDURATION:$self->{target}",
    );

    push @lines, '#EXT-X-PLAYLIST-TYPE:EVENT' unless $self->{window};
    push @lines, @tags;

    for my $n ($first .. $self->{next} - 1) {
        push @lines, $self->lines($n, $n == $first), $self->uri($uri->($n));
    }

    push @lines, '#EXT-X-ENDLIST' if $self->{endlist};

    return $self->playlist(@lines);
}

# What stands in front of the URI of a segment.

sub lines {
    my ($self, $n, $first) = @_;
    my ($every, @lines, $key, $time);

    $every = $self->{key_every};

    if ($self->{keys} && ($first || $n % $every == 0)) {
        $key = $n - $n % $every;
        push @lines, sprintf('#EXT-X-KEY:METHOD=AES-128,URI="%s",IV=0x%032x',
            sprintf($self->{key_uri}, $self->{name}, $key), $key);
    }

    push @lines, '#EXT-X-DISCONTINUITY'
        if $self->{discontinuity} && $n == $self->{start};

    if ($self->{pdt}) {
        $time = 1700000000 + $n * $self->{duration};
        push @lines, '#EXT-X-PROGRAM-DATE-TIME:'
            . strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime($time));
    }

    return (@lines, sprintf('#EXTINF:%.3f,', $self->{duration}));
}

sub uri {
    my ($self, $uri) = @_;

    $uri = ($self->{prefix} || '') . $uri;
    $uri .= ($uri =~ /\?/ ? '&' : '?') . $self->{arguments}
        if $self->{arguments};

    return $uri;
}

# A media playlist with parts, for the last two segments and the one to come.

sub low_latency {
    my ($self, $r, $args) = @_;
    my ($first, $part, $spec, @lines);
    my ($msn) = ($r->{args} || '') =~ /(?:^|&)_HLS_msn=(\d+)/;
    my ($want) = ($r->{args} || '') =~ /(?:^|&)_HLS_part=(\d+)/;

    return { wait => 1 } if defined $msn && ($self->{next} < $msn
        || $self->{next} == $msn && $self->{parts} <= ($want // PARTS));

    $first = $self->first();
    $part = $self->{duration} / PARTS;

    @lines = (
        '#EXT-X-VERSION:10',
        "#EXT-X-TARGETDURATION:$self->{target}",
        '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK='
            . sprintf('%.3f', 3 * $part),
        sprintf('#EXT-X-PART-INF:PART-TARGET=%.3f', $part),
        "#EXT-X-MEDIA-SEQUENCE:$first",
        "#EXT-X-MAP:URI=\"init_0_video_llhls.m4s$args\"",
    );

    for my $n ($first .. $self->{next}) {
        my $parts = $n == $self->{next} ? $self->{parts} : PARTS;

        if ($n >= $self->{next} - 2) {
            push @lines, map {
                sprintf('#EXT-X-PART:DURATION=%.3f,'
                    . 'URI="part_0_%d_%d_video_llhls.m4s%s"%s', $part, $n, $_,
                    $args, $_ ? '' : ',INDEPENDENT=YES')
            } 0 .. $parts - 1;
        }

        push @lines, sprintf('#EXTINF:%.3f,', $self->{duration}),
            "seg_0_${n}_video_llhls.m4s$args" if $n < $self->{next};
    }

    push @lines, $self->{endlist} ? '#EXT-X-ENDLIST'
        : "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part_0_$self->{next}_"
            . "$self->{parts}_video_llhls.m4s$args\"";

    return $self->playlist(@lines);
}

sub low_latency_part {
    my ($self, $n, $part) = @_;
    my ($spec, $size);

    # what was announced is waited for

    return { wait => 1 }
        if $n == $self->{next} && $part == $self->{parts};
    return undef
        if $n > $self->{next} || $n == $self->{next} && $part > $self->{parts};

    $spec = $self->part('m4s', '', $n, 1) or return undef;
    $size = int($self->{size} / PARTS);
    $spec->{body} = substr($spec->{body}, $part * $size, $size);

    return $spec;
}

sub manifest {
    my ($self) = @_;
    my ($first, $repeat, $type, $duration, $at);

    $first = $self->first();
    $repeat = $self->{next} - $first - 1;
    $type = $self->{endlist} ? 'static' : 'dynamic';
    $duration = $self->{duration} * 1000;
    $at = $first * $duration;

    return {
        type    => $types{mpd},
        headers => [@{$self->{headers} || []}],
        delay   => $self->{playlist_delay},
        body    => <<"EOF",
<?xml version="1.0"?>
<MPD type="$type" minimumUpdatePeriod="PT$self->{target}S"
    availabilityStartTime="2026-01-01T00:00:00Z"
    profiles="urn:mpeg:dash:profile:isoff-live:2011"
    xmlns="urn:mpeg:dash:schema:mpd:2011">
  <Period id="0" start="PT0S">
    <AdaptationSet mimeType="video/mp4">
      <SegmentTemplate timescale="1000" initialization="init.m4s"
          media="\$Number\$.m4s" startNumber="$first">
        <SegmentTimeline>
          <S t="$at" d="$duration" r="$repeat"/>
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="0" bandwidth="800000" codecs="avc1.64001f"/>
    </AdaptationSet>
  </Period>
</MPD>
EOF
    };
}


###############################################################################
# segments
###############################################################################

sub file {
    my ($self, $kind, $body) = @_;

    return {
        type    => $kind eq 'key' ? $types{key}
            : $self->{segment_type} || $types{$kind},
        body    => $body,
        headers => [@{$self->{headers} || []}],
    };
}

# A segment that there is, or 404.

sub part {
    my ($self, $kind, $variant, $n, $also_next) = @_;
    my ($spec, $oldest);

    $oldest = $self->first() - $self->{keep};

    return { status => 404, type => 'text/html', body => "no segment $n\n" }
        if $n >= $self->{next} + ($also_next ? 1 : 0) || $n < $self->{start}
            || $self->{window} && $n < $oldest
            || grep { $_ == $n } @{$self->{missing}};

    $spec = $self->file($kind, segment($self->{name}, $variant,
        $self->{broadcast}, $n + 0, $self->{size}));

    $spec->{delay} = $self->{delay};
    $spec->{pieces} = [$self->{piece}, $self->{pause}] if $self->{piece};

    return $spec;
}

sub segment {
    my ($name, $variant, $broadcast, $number, $size) = @_;
    my $head;

    $head = "$name/$variant/$broadcast/$number\n";

    return $head if length($head) >= $size;

    return $head . Test::Nginx::HLS::hls_bytes($head, $size - length($head));
}

sub key {
    my ($name, $broadcast, $number) = @_;

    return md5("$name/$broadcast/$number");
}


1;
