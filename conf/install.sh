#!/bin/sh

# Copyright (C) The nginx-osp authors

# Puts nginx-osp in place of OSP-Proxy, or takes it away again:
#
#     conf/install.sh [OPTION]...
#
#   --prefix=DIR    where nginx has its configuration, or the prefix that has
#                   it in conf/; that of the nginx found by default
#   --nginx=FILE    the nginx to be run; OSP's own one by default, or the
#                   distribution's
#   --modules=DIR   modules to be copied to where that nginx looks for them;
#                   build/modules by default, if it is there
#   --core=URL      of the core, if there is no config.py of OSP-Proxy
#   --config=FILE   config.py, /opt/osp-proxy/conf/config.py by default; it is
#                   read, not run
#   --no-start      starts and stops nothing
#   --dry-run       says what would be done
#   --uninstall     puts back what was there before
#
# With DESTDIR in the environment everything happens below that directory, and
# nothing is started or stopped.  Files in custom/ that are there already stay
# as they are.  A second run changes nothing, or upgrades.

set -eu

LC_ALL=C
export LC_ALL
umask 022

DESTDIR=${DESTDIR:-}
DESTDIR=${DESTDIR%/}
here=$(cd "$(dirname "$0")" && pwd)

saved=/var/lib/nginx-osp
osp=/opt/osp-proxy
units=/etc/systemd/system
wants=$units/multi-user.target.wants
mark='#nginx-osp# '

prefix=
nginx=
modules=
core=
config=
start=yes
dry=
action=install

# load_module lines in this order

names='ngx_rtmp_route_module
       ngx_stream_osp_upstream_module
       ngx_http_hls_cache_module'


say() {
    echo "install.sh: $*" >&2
}


die() {
    say "$@"
    exit 1
}


usage() {
    sed -n 's/^# \{0,1\}//; 5,23p' "$0"
}


options() {
    for arg; do
        case $arg in
        --prefix=/*)   prefix=${arg#*=} ;;
        --nginx=/*)    nginx=${arg#*=} ;;
        --modules=/*)  modules=${arg#*=} ;;
        --core=?*)     core=${arg#*=} ;;
        --config=/*)   config=${arg#*=} ;;
        --no-start)    start= ;;
        --dry-run)     dry=yes ;;
        --uninstall)   action=uninstall ;;
        --help|-h)     usage; exit 0 ;;
        --prefix=*|--nginx=*|--modules=*|--config=*)
                       die "${arg%%=*} needs an absolute path" ;;
        *)             die "unknown option \"$arg\", see --help" ;;
        esac
    done

    if [ -n "$DESTDIR" ]; then
        case $DESTDIR in
        /*) ;;
        *)  die "DESTDIR must be an absolute path" ;;
        esac

        start=

    elif [ "$(id -u)" != 0 ] && [ -z "$dry" ]; then
        die "must be run by root, or with DESTDIR"
    fi

    if [ -z "$modules" ] && [ -d "$here/../build/modules" ]; then
        modules=$(cd "$here/../build/modules" && pwd)
    fi

    # they come into sed and into nginx's configuration

    case $DESTDIR$prefix$nginx$modules${TMPDIR:-} in
    *[!A-Za-z0-9_./+-]*)  die "there are odd characters in a path" ;;
    esac
}


# step TEXT COMMAND...: one that --dry-run only tells of

step() {
    say "$1"
    shift

    if [ -z "$dry" ]; then
        "$@"
    fi
}


###############################################################################
# the nginx that is here
###############################################################################

option() {
    printf '%s\n' "$built" | tr ' ' '\n' | sed -n "s/^--$1=//p" | tail -n 1
}


find_nginx() {
    if [ -z "$nginx" ]; then
        for file in ${prefix:+"$prefix/sbin/nginx"} \
                    /usr/local/nginx/sbin/nginx /usr/sbin/nginx
        do
            if [ -x "$DESTDIR$file" ] || [ -x "$file" ]; then
                nginx=$file
                break
            fi
        done
    fi

    [ -n "$nginx" ] || die "no nginx found, name it by --nginx="

    # in a new root it may not be installed yet

    run=$DESTDIR$nginx
    [ -x "$run" ] || run=$nginx
    [ -x "$run" ] || die "$nginx can't be run"

    built=$("$run" -V 2>&1) || die "$nginx does not tell how it was built"

    home=$(option prefix)
    home=${home:-/usr/local/nginx}
    conf=$(option conf-path)
    conf=$(dirname "${conf:-$home/conf/nginx.conf}")
    lib=$(option modules-path)
    lib=${lib:-$home/modules}

    if [ -n "$prefix" ]; then
        conf=$prefix

        if [ -d "$DESTDIR$prefix/conf" ] || [ -x "$DESTDIR$prefix/sbin/nginx" ]
        then
            conf=$prefix/conf
        fi
    fi

    case $home$conf$lib$nginx in
    *[!A-Za-z0-9_./+-]*)  die "there are odd characters in nginx's paths" ;;
    esac

    stream=none

    case " $built " in
    *\ --with-stream=dynamic\ *)  stream=dynamic ;;
    *\ --with-stream\ *)          stream=static ;;
    esac

    say "$nginx, configuration in $conf, modules in $lib"
}


# what is missing, before anything is touched

find_modules() {
    need=$names

    # a module that was built apart from an nginx without it

    if [ "$stream" != static ]; then
        need="ngx_stream_module $need"
    fi

    for name in $need; do
        if [ -z "$(module_file "$name")" ]; then
            build_note
            die "no $name.so in $lib${modules:+ or $modules}"
        fi
    done
}


module_file() {
    for file in ${modules:+"$modules/$1.so"} "$DESTDIR$lib/$1.so" \
                "$lib/$1.so"
    do
        if [ -e "$file" ]; then
            printf '%s\n' "$file"
            return
        fi
    done
}


build_note() {
    case " $built " in
    *\ --with-compat\ *)
        say "build the modules by \"make\", for $nginx"
        ;;

    *)  say "$nginx was built without --with-compat: it loads only modules"
        say "that were built with its source and its options (nginx -V):"
        say "    ./configure OPTIONS --with-stream=dynamic" \
            "--add-dynamic-module=$(dirname "$here")"
        say "    make modules"
        say "then name objs/ by --modules=; or use the distribution's nginx:" \
            "--nginx=/usr/sbin/nginx"
        ;;
    esac
}


###############################################################################
# config.py
###############################################################################

# Prints NAME=VALUE for what matters.  Only what has one meaning is taken: a
# plain string on a line of its own; all else that touches these names is an
# error, and nothing is ever run.

read_python() {
    if ! tr -d '\11\12\15\40-\176\200-\377' <"$1" | cmp -s - /dev/null; then
        die "$1: not a text file"
    fi

    awk -v file="$1" '
    function fail(text) {
        print "install.sh: " file ":" NR ": " text | "cat >&2"
        bad = 1
        exit 1
    }

    BEGIN {
        names = "ospCoreAPI|forceDestination|forceDestinationType"
        word = "(^|[^A-Za-z0-9_])(" names ")([^A-Za-z0-9_]|$)"
    }

    { sub(/\r$/, "") }

    NR == 1 { sub(/^\357\273\277/, "") }

    /^[ \t]*(#.*)?$/ { next }

    /"""|\047\047\047/ { fail("strings of several lines are not understood") }

    /\\$/ { fail("continued lines are not understood") }

    $0 !~ word { next }

    {
        if ($0 !~ ("^(" names ")[ \t]*=[^=]")) {
            fail("only NAME = \"value\" is understood here")
        }

        name = value = $0
        sub(/[ \t]*=.*$/, "", name)
        sub(/^[^=]*=[ \t]*/, "", value)

        if (name in seen) {
            fail(name " is set twice")
        }

        seen[name] = 1

        if (value ~ /^None[ \t]*(#.*)?$/) {
            next
        }

        if (value !~ /^"[^"\\]*"[ \t]*(#.*)?$/ \
            && value !~ /^\047[^\047\\]*\047[ \t]*(#.*)?$/)
        {
            fail("the value of " name " is not a plain string")
        }

        quote = substr(value, 1, 1)
        value = substr(value, 2)
        print name "=" substr(value, 1, index(value, quote) - 1)
    }

    END { exit bad }' "$1"
}


value_of() {
    printf '%s\n' "$values" | sed -n "s/^$1=//p"
}


matches() {
    case $1 in
    *[![:print:]]*)  return 1 ;;
    esac

    printf '%s\n' "$1" | grep -Eqx "$2"
}


# A name or an address, and a port: nothing that nginx could take for more

check_host() {
    host='([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*'
    host="${host}[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"

    [ ${#1} -le 253 ] || return 1
    matches "$1" "($host|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?" || return 1

    port=
    if matches "$1" '.*:[0-9]+'; then
        port=${1##*:}
        [ "$port" -ge 1 ] && [ "$port" -le 65535 ] || return 1
    fi
}


# sets core, force, force_port, type, scheme

settings() {
    file=${config:-$DESTDIR$osp/conf/config.py}
    values=
    source=--core

    if [ -z "$core" ] && [ -e "$file" ]; then
        values=$(read_python "$file") || exit 1
        source="ospCoreAPI of $file"
        core=$(value_of ospCoreAPI)

        [ -n "$core" ] || die "$file: no ospCoreAPI"

    elif [ -n "$config" ] && [ ! -e "$config" ]; then
        die "$config is not there"
    fi

    if [ -z "$core" ]; then
        if [ -e "$DESTDIR$conf/custom/osp-proxy-custom-route.conf" ]; then
            return
        fi

        die "no $file, so name the core by --core=URL"
    fi

    case $core in
    \#CHANGEME*)  die "$source was never set" ;;
    esac

    core=${core%/}
    rest=${core#*://}
    path=

    case $rest in
    */*)  path=/${rest#*/} ;;
    esac

    scheme=${core%%://*}

    if ! matches "$core" 'https?://.*' || ! check_host "${rest%%/*}" \
        || ! matches "$path" '[A-Za-z0-9._~/-]*'
    then
        die "$source is not a URL like https://osp.example.com"
    fi

    force=$(value_of forceDestination)
    type=$(value_of forceDestinationType)

    if [ -z "$force" ]; then
        if [ -n "$type" ]; then
            say "there is no forceDestination, so its type means nothing"
        fi

        return
    fi

    check_host "$force" \
        || die "forceDestination of $file is not a host like edge.example.com"

    case $type in
    edge|proxy)  ;;
    *)           die "forceDestinationType of $file must be edge or proxy" ;;
    esac

    if [ -n "$port" ]; then
        force=${force%:*}

    elif [ "$type" = proxy ]; then
        port=5999
    fi

    force_port=$port
}


# name servers as nginx wants them

name_servers() {
    file=$DESTDIR/etc/resolv.conf
    [ -e "$file" ] || file=/etc/resolv.conf
    [ -e "$file" ] || return 0

    awk '$1 == "nameserver" && n < 3 {
        if ($2 ~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/) {
            printf " %s", $2
            n++
        } else if ($2 ~ /^[0-9A-Fa-f:.]+$/ && $2 ~ /:/) {
            printf " [%s]", $2
            n++
        }
    }' "$file"
}


route() {
    echo
    echo '# Where the core of OSP is.'
    echo
    echo 'rtmp_route osp {'
    echo '    zone      osp 16m;'
    echo '    state     /var/lib/nginx/rtmp_route/osp.json;'
    echo "    osp_core  $core;"

    resolver=$(name_servers)

    if [ -n "$resolver" ]; then
        echo
        echo '    # name servers for the core and for RTMP nodes'
        echo
        echo "    resolver $resolver;"
    fi

    if [ -n "$force" ]; then
        echo
        echo '    # is asked instead of RTMP nodes'
        echo
        echo "    osp_force  $force type=$type scheme=$scheme" \
            "${force_port:+port=$force_port};" | sed 's/ *;$/;/'
    fi

    echo '}'
}


###############################################################################
# the new tree
###############################################################################

# What is to be there, in a directory of its own, with paths as they will be.

make_stage() {
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    trap 'exit 1' HUP INT TERM

    tree=$stage/root$conf

    mkdir -p "$tree/servers" "$tree/locations" "$tree/custom" "$tree/logs" \
        "$stage/root$units" "$stage/root$lib"

    cp "$here/cors.conf" "$tree/"
    cp "$here"/logs/*.conf "$tree/logs/"
    cp "$here/servers/osp-proxy-servers.conf" "$tree/servers/"
    cp "$here/locations/osp-proxy-locations.conf" "$tree/locations/"

    sed "s#^load_module modules/#load_module $lib/#" "$here/nginx.conf" \
        >"$tree/nginx.conf"

    if [ "$stream" = static ]; then
        sed '/^load_module .*ngx_stream_module/d' "$tree/nginx.conf" \
            >"$stage/conf"
        mv "$stage/conf" "$tree/nginx.conf"
    fi

    sed "s#/usr/sbin/nginx#$nginx#" "$here/nginx-osp.service" \
        >"$stage/root$units/nginx-osp.service"

    # that of the distribution has the same files

    if [ ! -e "$DESTDIR/etc/logrotate.d/nginx" ]; then
        mkdir -p "$stage/root/etc/logrotate.d"
        cp "$here/nginx-osp.logrotate" "$stage/root/etc/logrotate.d/nginx-osp"
    fi

    for name in $need; do
        file=$(module_file "$name")

        if [ "$file" != "$lib/$name.so" ]; then
            cp "$file" "$stage/root$lib/"
        fi
    done

    if [ -d "$DESTDIR$osp" ]; then
        mkdir -p "$stage/root$osp"
        cp "$here/updateUpstream.sh" "$stage/root$osp/"
        chmod 755 "$stage/root$osp/updateUpstream.sh"
    fi

    for file in servers route rtmp tier; do
        file=custom/osp-proxy-custom-$file.conf

        if [ -e "$DESTDIR$conf/$file" ]; then
            mine="$mine $file"
        elif [ $file = custom/osp-proxy-custom-route.conf ]; then
            route >"$tree/$file"
        elif [ -e "$DESTDIR/usr/local/nginx/conf/$file" ]; then
            cp "$DESTDIR/usr/local/nginx/conf/$file" "$tree/$file"
        else
            cp "$here/$file" "$tree/$file"
        fi
    done

    # one that was written by hand, or by an earlier run

    file=$conf/custom/osp-proxy-custom-route.conf

    if [ -n "$core" ] && [ -e "$DESTDIR$file" ]; then
        route >"$stage/route"

        cmp -s "$stage/route" "$DESTDIR$file" \
            || say "$file is kept, it is not what would be written:" \
                   "remove it to have it made anew"
    fi
}


# nginx -t before anything is in place

check_stage() {
    test=$stage/test
    mkdir -p "$test/logs" "$test/state"
    cp -R "$tree/." "$test/"

    for file in $mine; do
        cp "$DESTDIR$conf/$file" "$test/$file"
    done

    for file in "$DESTDIR$conf/mime.types" "$conf/mime.types" \
                /etc/nginx/mime.types
    do
        if [ -e "$file" ]; then
            cp "$file" "$test/mime.types"
            break
        fi
    done

    [ -e "$test/mime.types" ] || die "no mime.types in $conf"

    # nothing of the running one is touched

    for name in $need; do
        file=$(module_file "$name")
        sed "s#^load_module .*/$name.so;#load_module $file;#" \
            "$test/nginx.conf" >"$stage/conf"
        mv "$stage/conf" "$test/nginx.conf"
    done

    sed "s#/run/nginx.pid#$test/nginx.pid#; s#/var/log/nginx/#$test/logs/#" \
        "$test/nginx.conf" >"$stage/conf"
    mv "$stage/conf" "$test/nginx.conf"

    file=$test/custom/osp-proxy-custom-route.conf
    sed "s#/var/lib/nginx/rtmp_route/#$test/state/#" "$file" >"$stage/conf"
    mv "$stage/conf" "$file"

    if ! "$run" -t -q -e "$test/logs/error.log" -c "$test/nginx.conf" \
         >"$stage/out" 2>&1
    then
        sed "s#$test#$conf#g" "$stage/out" >&2

        if grep -q 'not binary compatible\|undefined symbol' "$stage/out"; then
            build_note
        fi

        die "nginx refuses the configuration, nothing was changed"
    fi

    # warnings, if any

    sed "s#$test#$conf#g" "$stage/out" >&2
}


###############################################################################
# in place
###############################################################################

# Files are kept the first time they are replaced.  The list has a line for
# each: "old", "new" or, where the user may have changed it since, "custom".

keep() {
    list=$DESTDIR$saved/list
    mkdir -p "$DESTDIR$saved/old"

    if [ -e "$list" ] && grep -q "^[a-z]* $1\$" "$list"; then
        return
    fi

    if [ -e "$DESTDIR$1" ] || [ -L "$DESTDIR$1" ]; then
        mkdir -p "$DESTDIR$saved/old$(dirname "$1")"
        cp -PRp "$DESTDIR$1" "$DESTDIR$saved/old$1"
        echo "old $1" >>"$list"

    else
        echo "${2:-new} $1" >>"$list"
    fi
}


# renamed into place: nginx may run with the old one

put() {
    kind=new

    case $1 in
    */custom/*)  kind=custom ;;
    esac

    keep "$1" $kind
    mkdir -p "$(dirname "$DESTDIR$1")"
    cp -p "$stage/root$1" "$DESTDIR$1.new"
    mv "$DESTDIR$1.new" "$DESTDIR$1"

    if [ $kind = custom ]; then
        mkdir -p "$DESTDIR$saved/made$(dirname "$1")"
        cp "$stage/root$1" "$DESTDIR$saved/made$1"
    fi
}


remove() {
    keep "$1"
    rm -f "$DESTDIR$1"
}


link_unit() {
    keep "$wants/$1"
    mkdir -p "$DESTDIR$wants"
    ln -sf "$units/$1" "$DESTDIR$wants/$1"
}


put_tree() {
    find "$stage/root" -type f | sed "s#^$stage/root##" | sort >"$stage/files"

    while read -r file; do
        if cmp -s "$stage/root$file" "$DESTDIR$file"; then
            continue
        fi

        step "writes $DESTDIR$file" put "$file"
    done <"$stage/files"

    for file in $mine; do
        say "keeps $DESTDIR$conf/$file"
    done

    for dir in /var/log/nginx /var/lib/nginx; do
        if [ ! -d "$DESTDIR$dir" ]; then
            step "makes $DESTDIR$dir" mkdir -p "$DESTDIR$dir"
        fi
    done
}


# root's crontab: a file in a new root, otherwise by its program

cron_read() {
    if [ -n "$DESTDIR" ]; then
        cat "$DESTDIR/var/spool/cron/crontabs/root" 2>/dev/null || :
    elif command -v crontab >/dev/null; then
        crontab -u root -l 2>/dev/null || :
    fi
}


cron_write() {
    if [ -n "$DESTDIR" ]; then
        cat >"$stage/cron.new"
        cat "$stage/cron.new" >"$DESTDIR/var/spool/cron/crontabs/root"
    else
        crontab -u root -
    fi
}


# cron SED TEXT: the lines of OSP-Proxy, and no others

cron() {
    cron_read >"$stage/cron"
    sed "$1" "$stage/cron" >"$stage/cron.edited"

    if ! cmp -s "$stage/cron" "$stage/cron.edited"; then
        step "$2 the line of updateUpstream.sh in root's crontab" \
            cron_write <"$stage/cron.edited"
    fi
}


services() {
    cron "s,^[^#].*/updateUpstream\.sh.*,$mark&," "comments out"

    if [ -e "$DESTDIR/etc/cron.d/osp-proxy-upstream" ]; then
        step "removes /etc/cron.d/osp-proxy-upstream" \
            remove /etc/cron.d/osp-proxy-upstream
    fi

    for unit in osp-proxy.service nginx.service; do
        if [ -L "$DESTDIR$wants/$unit" ]; then
            step "disables $unit" remove "$wants/$unit"
        fi
    done

    if [ ! -L "$DESTDIR$wants/nginx-osp.service" ]; then
        step "enables nginx-osp.service" link_unit nginx-osp.service
    fi

    if [ -n "$start" ] && command -v systemctl >/dev/null; then
        step "systemctl daemon-reload" systemctl daemon-reload
        step "stops osp-proxy" stop_unit osp-proxy
        step "stops nginx" stop_unit nginx
        step "starts nginx-osp" start_unit
    fi
}


start_unit() {
    systemctl restart nginx-osp \
        || die "it does not start; \"$0 --uninstall\" puts back what was there"
}


stop_unit() {
    systemctl stop "$1" 2>/dev/null || :
}


install() {
    find_nginx
    find_modules
    settings
    make_stage
    check_stage
    put_tree
    services

    if [ -z "$dry" ]; then
        say "done; \"$0 --uninstall\" puts back what is kept in $DESTDIR$saved"

        if [ "${type:-}" = proxy ] && [ -n "$force" ]; then
            say "$force has to let this proxy in on port $force_port:" \
                "see custom/osp-proxy-custom-tier.conf there"
        fi
    fi
}


###############################################################################
# and back
###############################################################################

put_back() {
    rm -rf "$DESTDIR$1"
    mkdir -p "$(dirname "$DESTDIR$1")"
    cp -PRp "$DESTDIR$saved/old$1" "$DESTDIR$1"
}


uninstall() {
    list=$DESTDIR$saved/list

    [ -e "$list" ] || die "nothing is kept in $DESTDIR$saved"

    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT

    while read -r kind file; do
        case $kind in
        old)
            step "puts back $DESTDIR$file" put_back "$file"
            ;;

        custom)
            if [ -e "$DESTDIR$file" ] \
                && ! cmp -s "$DESTDIR$file" "$DESTDIR$saved/made$file"
            then
                say "keeps $DESTDIR$file, it was changed"
                continue
            fi

            step "removes $DESTDIR$file" rm -f "$DESTDIR$file"
            ;;

        new)
            step "removes $DESTDIR$file" rm -f "$DESTDIR$file"
            ;;
        esac
    done <"$list"

    cron "s,^$mark,," "puts back"

    step "removes $DESTDIR$saved" rm -rf "$DESTDIR$saved"

    if [ -n "$start" ] && command -v systemctl >/dev/null; then
        step "systemctl daemon-reload" systemctl daemon-reload

        if [ -L "$wants/osp-proxy.service" ]; then
            step "starts osp-proxy" systemctl restart osp-proxy
        fi

        if [ -e "$units/nginx-osp.service" ]; then
            step "starts nginx-osp" systemctl restart nginx-osp
        else
            step "stops nginx-osp" stop_unit nginx-osp
        fi

        if [ -L "$wants/nginx.service" ]; then
            step "starts nginx" systemctl restart nginx
        fi
    fi
}


force=
force_port=
type=
mine=

options "$@"
$action
