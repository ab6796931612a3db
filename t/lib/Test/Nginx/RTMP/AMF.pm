package Test::Nginx::RTMP::AMF;

# Copyright (C) The nginx-osp authors

# AMF0 for the tests.  Values are made by amf_num(), amf_str() and so on; a
# plain scalar becomes a number if it looks like one, undef is null, a hash is
# an object, an array a strict array.  amf_raw() takes any bytes.

use strict;
use warnings;

use Exporter qw/ import /;
use Scalar::Util qw/ blessed looks_like_number /;


our @EXPORT = qw/
    amf_num amf_str amf_long_str amf_bool amf_obj amf_ecma amf_strict amf_null
    amf_undef amf_raw amf_encode amf_decode
/;


sub amf_num      { return amf_value('num', @_) }
sub amf_str      { return amf_value('str', @_) }
sub amf_long_str { return amf_value('long', @_) }
sub amf_bool     { return amf_value('bool', @_) }
sub amf_obj      { return amf_value('obj', @_) }
sub amf_ecma     { return amf_value('ecma', @_) }
sub amf_strict   { return amf_value('strict', @_) }
sub amf_null     { return amf_value('null') }
sub amf_undef    { return amf_value('undef') }
sub amf_raw      { return amf_value('raw', @_) }

sub amf_value {
    return bless [@_];
}

sub amf_encode {
    return join('', map { amf_encode_value($_) } @_);
}

sub amf_encode_value {
    my ($v) = @_;
    my ($type, @v);

    if (!blessed($v)) {
        return "\x05" unless defined $v;
        $v = ref($v) eq 'HASH' ? amf_obj(map { $_ => $v->{$_} } sort keys %$v)
            : ref($v) eq 'ARRAY' ? amf_strict(@$v)
            : looks_like_number($v) ? amf_num($v) : amf_str($v);
    }

    ($type, @v) = @$v;

    return "\x00" . pack('d>', $v[0]) if $type eq 'num';
    return "\x01" . ($v[0] ? "\x01" : "\x00") if $type eq 'bool';
    return "\x02" . pack('n/a*', $v[0]) if $type eq 'str';
    return "\x03" . amf_encode_pairs(@v) if $type eq 'obj';
    return "\x05" if $type eq 'null';
    return "\x06" if $type eq 'undef';
    return "\x08" . pack('N', @v / 2) . amf_encode_pairs(@v)
        if $type eq 'ecma';
    return "\x0a" . pack('N', scalar @v) . amf_encode(@v)
        if $type eq 'strict';
    return "\x0c" . pack('N/a*', $v[0]) if $type eq 'long';
    return $v[0];
}

sub amf_encode_pairs {
    my (@pairs) = @_;
    my $out = '';

    while (my ($name, $value) = splice(@pairs, 0, 2)) {
        $out .= pack('n/a*', $name) . amf_encode($value);
    }

    return $out . "\x00\x00\x09";
}

# The values of a message; dies if it is no AMF0.

sub amf_decode {
    my ($bytes) = @_;
    my @values;

    push @values, amf_decode_value(\$bytes, 0) while length($bytes);

    return @values;
}

sub amf_decode_value {
    my ($in, $depth) = @_;
    my ($type, $n, @list);

    die "amf: too deep\n" if $depth > 64;

    $type = unpack('C', amf_take($in, 1));

    return unpack('d>', amf_take($in, 8)) if $type == 0;
    return unpack('C', amf_take($in, 1)) if $type == 1;
    return amf_take($in, unpack('n', amf_take($in, 2))) if $type == 2;
    return undef if $type == 5 || $type == 6;

    if ($type == 3 || $type == 8) {
        amf_take($in, 4) if $type == 8;

        for ( ;; ) {
            my $name = amf_take($in, unpack('n', amf_take($in, 2)));

            if ($name eq '' && substr($$in, 0, 1) eq "\x09") {
                amf_take($in, 1);
                return { @list };
            }

            push @list, $name, amf_decode_value($in, $depth + 1);
        }
    }

    if ($type == 10) {
        $n = unpack('N', amf_take($in, 4));
        push @list, amf_decode_value($in, $depth + 1) while $n--;
        return [ @list ];
    }

    if ($type == 11) {
        return unpack('d> x2', amf_take($in, 10));
    }

    return amf_take($in, unpack('N', amf_take($in, 4)))
        if $type == 12 || $type == 15;

    die "amf: type $type\n";
}

sub amf_take {
    my ($in, $len) = @_;

    die "amf: $len bytes wanted\n" if length($$in) < $len;

    return substr($$in, 0, $len, '');
}


1;
