#!/usr/bin/perl

# Copyright (C) The nginx-osp authors

# Tests for the status page in a browser.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; push @INC, "$FindBin::Bin/lib"; }

use Test::Nginx qw/ :DEFAULT http_content /;
use Test::Nginx::Page;
use Test::Nginx::Route qw/ :DEFAULT register /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite/);

need_page($t)->plan(35);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

rtmp_route live {
    zone      live 1m;
    register  timeout=1h open allow=127.0.0.0/8;
}

rtmp_route other {
    zone    other 1m;
    server  127.0.0.1;
}

http {
    %%TEST_GLOBALS_HTTP%%

    hls_cache_zone hls 16m;

    server {
        listen 127.0.0.1:8080;

        location / {
            hls_cache  hls;
        }

        location /api/ {
            rtmp_route_api write=on;
        }

        location /status {
            rtmp_route_status write=on;
        }

        location /read {
            rtmp_route_status;
        }

        location /refused {
            rtmp_route_status write=on;

            if ($request_method = PATCH) {
                return 403;
            }
        }
    }
}

EOC

$t->run();

###############################################################################

my $hostile = 'a-very-long-name-of-a-server<script>alert(1)</script>"\'&amp;';

register('live', 8081, 'origin1');
register('live', 8082, $hostile);

my $r = http_get('/status');

unlike(http_content($r) =~ s!"http://www\.w3\.org/2000/svg"!!r,
    qr!https?://|src=|url\(!, 'nothing from elsewhere');
like($r, qr/^Content-Security-Policy: default-src 'none';/m, 'policy');
unlike($r, qr/unsafe/, 'strict');

my $p = page($t, 'http://127.0.0.1:' . port(8080) . '/status');

ok($p->wait(rows() . ' == 3'), 'servers are there');
is($p->js(state('origin1')), 'up', 'state');
is($p->js('document.querySelectorAll("tr [role=cell] b")[1].textContent'),
    $hostile, 'a hostile name is text');
is($p->js('document.querySelectorAll("main script").length'), 0, 'only that');

# as it changes

patch('live', 'origin1', down => JSON::PP::true);
ok($p->wait(state('origin1') . ' == "down"'), 'a server goes down');
ok($p->wait('document.querySelector(".events .chip.bad")'), 'an event');
like($p->js('document.title'), qr/1 not up/, 'in the title');

patch('live', 'origin1', down => JSON::PP::false);
ok($p->wait(state('origin1') . ' == "up"'), 'and comes back');

# buttons

$p->js('document.querySelector("tr[data-server=origin1] button").focus()');
click($p, 'tr[data-server=origin1] button');
ok($p->wait(state('origin1') . ' == "drained"'), 'drained by a button');
is($p->js('document.activeElement.getAttribute("aria-label")'),
    'Undrain origin1', 'which keeps the focus in another row');
is((grep { $_->{id} eq 'origin1' } servers('live'))[0]{state}, 'draining',
    'really');

click($p, 'tr[data-server=origin1] button');
ok($p->wait(state('origin1') . ' == "up"'), 'and no more');

click($p, '#drain');
ok(!$p->js('document.querySelector("#draining").offsetParent'),
    'one click is not enough for the proxy');
click($p, '#drain');
ok($p->wait('document.querySelector("#draining").offsetParent != null'),
    'the proxy drains');

# many, and one that is looked for

register('live', 9000 + $_, "vid-$_") for 1 .. 20;
ok($p->wait(rows() . ' == 23'), 'many servers');

$p->js('(() => { const i = document.querySelector("input"); i.value = "ID-17";'
    . 'i.dispatchEvent(new Event("input")) })()');
ok($p->wait(rows() . ' == 1'), 'filtered');
is($p->js('[...document.querySelectorAll("input")].map((i) => i.value)+""'),
    'ID-17,ID-17', 'all lists, which say so');

# a phone

for my $width (360, 320) {
    $p->size($width, 640);
    is($p->js('document.documentElement.scrollWidth'), $width,
        "no scrolling sideways at $width px");
}

is($p->complaints(), '', 'nothing in the console');

# nobody looks: that is no fault, then or when somebody does again

$p->js('(() => { let hidden = true; const now = performance.now;'
    . 'window.look = (on) => { hidden = !on;'
    . 'document.dispatchEvent(new Event("visibilitychange")) };'
    . 'Object.defineProperty(document, "hidden", { get: () => hidden });'
    . 'look(false); performance.now = () => now.call(performance) + 9e4;'
    . 'window.told = ""; new MutationObserver(() => { told += '
    . 'document.querySelector("#error").textContent }).observe('
    . 'document.querySelector("#error"), { childList: true }) })()');
ok($p->wait('document.querySelector("#live").className == "paused"'),
    'paused');
$p->js('look(true)');
ok($p->wait('document.querySelector("#live").textContent == "live"'),
    'and goes on');
is($p->js('told'), '', 'without an alarm');

# events of names that are cut to the same

register('live', 9100 + $_, 'x' x 70 . $_) for 1, 2;
ok($p->wait('[...document.querySelectorAll(".events span")].filter('
    . '(s) => s.textContent.includes("xxx")).length == 2'), 'two events');

# read only, by an address with a password and two slashes

my $read = page($t, 'http://me:secret@127.0.0.1:' . port(8080) . '//read',
    dark => 1);

ok($read->wait(rows() . ' == 25'), 'read only');
is($read->js('[...document.querySelectorAll("button")]'
    . '.filter((b) => b.offsetParent).length'), 0, 'no buttons');
is($read->complaints(), '', 'no complaint either');

# what is refused is told for a while, and once for those who listen

$read->go('http://127.0.0.1:' . port(8080) . '/refused');
ok($read->wait('document.querySelector("tr[data-server=origin1] button")'),
    'a button');
click($read, 'tr[data-server=origin1] button');
ok($read->wait(told() . ' == "That was refused: status 403."'), 'refused');
ok(!$read->wait(told() . ' == ""', 3), 'and not gone at once');

# nobody answers any more

$t->stop();
ok($p->wait('document.querySelector("#error").offsetParent != null '
    . '&& document.querySelector("#live").className == "old"'),
    'it tells that data is old');
is($p->js('document.querySelector("#error").textContent'),
    'The server cannot be reached. What is shown is old.', 'by the same text');

###############################################################################

sub rows {
    return 'document.querySelectorAll("tbody tr").length';
}

sub state {
    my ($id) = @_;

    return "document.querySelector('tr[data-server=$id] .chip').textContent";
}

sub told {
    return 'document.querySelector("#error").textContent';
}

sub click {
    my ($page, $selector) = @_;

    $page->js("document.querySelector('$selector').click()");
}

###############################################################################
