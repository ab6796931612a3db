
# Copyright (C) The nginx-osp authors

# Everything is made in build/.  What is missing on the machine is installed
# by apt-get first; SETUP=no leaves the machine as it is.
#
#   make                    modules for the distribution's nginx
#   make NGINX_SRC=/path    nginx of this source, and modules for it
#   make STATIC=1           the same, with the modules inside
#   make run                a demo on loopback: proxy, two origins, encoder
#   make test               unit tests, then t/*.t; or TESTS="t/api.t ..."
#   make soak               storms and players for half an hour, or SOAK=2m
#   make unit               unit tests alone
#   make fuzz               fuzzing, SECS=60 of each target
#   make bench              measurements beside other relays
#   make bench-hls          ... and beside other caches
#   make bench-osp          ... and beside OSP's own proxy, OSP_SRC=/path
#   make bench-failover     how long it takes when an origin dies
#   make bench-api          long lists of the API, and what they hold up
#   make bench-fleet        many origins that register, and the first viewer
#   make lint               style, warnings of two compilers, static analysis
#   make matrix             every way to build it, a few tests with each
#   make sanitize           t/*.t with AddressSanitizer; or TESTS="..."
#   make docker-test        the image of docker/, needs root
#   make deb                packages for Debian, into build/packages
#   make deb-test           ... tried in a Debian of their own, needs root
#   make install            modules into MODULES_PATH
#   make clean
#   make help               this text


BUILD =		$(CURDIR)/build
SETUP ?=	yes
SECS ?=	60

MODULES_PATH ?=	/usr/lib/nginx/modules

export BUILD NGINX_SRC NGINX_RTMP_SRC OSP_SRC STATIC


build:		setup-build
	@tools/build

test:		setup-test setup-browser build
	@tools/unit
	@tools/test $(TESTS)

soak:		setup-test setup-browser build
	@tools/soak $(SOAK)

unit:		setup-test
	@tools/unit
	@tools/test t/unit.t

fuzz:		setup-fuzz
	@tools/fuzz $(SECS)

bench:		setup-bench build
	@bench/run $(BENCH)

bench-hls:	setup-bench-hls build
	@bench/hls $(BENCH)

bench-osp:	setup-bench-osp build
	@bench/osp $(BENCH)

bench-failover:	setup-bench-failover build
	@bench/failover $(BENCH)

bench-api:	setup-bench-api build
	@bench/api $(BENCH)

bench-fleet:	setup-bench-fleet build
	@bench/fleet $(BENCH)

lint:		setup-lint
	@tools/lint

matrix:
	@[ $(SETUP) = no ] || NGINX_SRC= tools/setup test lint
	@tools/matrix

sanitize:	setup-test
	@tools/sanitize $(TESTS)

run:		setup-run build
	@tools/run

docker-test:	setup-docker
	@tools/docker-test

deb:		setup-deb
	@tools/deb

deb-test:	setup-deb setup-deb-test deb
	@tools/deb-test

install:	build
	install -d $(DESTDIR)$(MODULES_PATH)
	install -m 644 $(BUILD)/modules/*.so $(DESTDIR)$(MODULES_PATH)

setup:		setup-build
	@rm -f $(BUILD)/src/*.failed

setup-%:
	@[ $(SETUP) = no ] || tools/setup $*

clean:
	rm -rf $(BUILD)

# the comment at the head of this file

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile


.DEFAULT_GOAL =	build

.PHONY:		build test soak unit fuzz bench bench-hls bench-osp \
		bench-failover bench-api bench-fleet lint run docker-test \
		deb deb-test install setup clean help

.NOTPARALLEL:
