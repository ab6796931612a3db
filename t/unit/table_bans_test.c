
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table_copy.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_stray.c ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_table_rules.c ngx_rtmp_route_table_conflict.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_core.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_zone.c */


/* Bans: who is refused, for how long, and how many there may be */


#include "table.h"

#include "ngx_rtmp_route_addr.h"


#define IS_CHECKED()  ok(ngx_rtmp_route_table_check(table) == NGX_OK,         \
                         "consistent")

#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY
#define BOTH      (NGX_RTMP_ROUTE_BAN_PUBLISH|NGX_RTMP_ROUTE_BAN_PLAY)

#define KICKED    (1 << NGX_RTMP_ROUTE_E_KICKED)

#define MODEL     200
#define NAMES     40


typedef struct {
    uint32_t    id;
    ngx_uint_t  ops;
    ngx_uint_t  name;       /* NAMES: any */
    ngx_uint_t  net;        /* 0: anybody */
    ngx_msec_t  expires;
} model_t;


static void test_match(void);
static void test_networks(void);
static void test_time(void);
static void test_same(void);
static void test_walk(void);
static void test_long(void);
static void test_full(void);
static void test_copy(void);
static void test_rebuild(void);
static void test_kick(void);
static void test_kick_all(void);
static void test_kick_race(void);
static void test_random(void);
static ngx_int_t kick(ngx_rtmp_route_session_t *session, ngx_msec_t time);
static ngx_int_t open_from(ngx_rtmp_route_session_t *session,
    const char *key, ngx_uint_t type, const char *client);
static ngx_uint_t told(ngx_rtmp_route_session_t *session);
static ngx_uint_t compare(model_t *model, ngx_uint_t n);
static ngx_int_t ban(const char *key, ngx_uint_t ops, const char *addr,
    ngx_uint_t bits, ngx_msec_t time);
static ngx_msec_t banned(const char *key, ngx_uint_t op, const char *addr);
static void make_name(char *buf, ngx_uint_t n);


static ngx_rtmp_route_table_t   zone, *table = &zone;
static ngx_rtmp_route_ban_t     last;


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;

    srandom((unsigned) time(NULL));

    table_make(table, 4 * 1024 * 1024);
    table_slot();

    server_add(table, "s1", 1, NULL);

    test_match();
    test_networks();
    test_time();
    test_same();
    test_walk();
    test_long();
    test_full();
    test_copy();
    test_rebuild();
    test_kick();
    test_kick_all();
    test_kick_race();
    test_random();

    return done();
}


static void
test_match(void)
{
    is_uint(banned("live/a", PUBLISH, "1.2.3.4"), 0, "nobody is banned");

    is_uint(ban("live/a", 1 << PUBLISH, "", 0, 5000), NGX_OK, "a publisher");
    is_uint(last.id, 1, "the first id");

    is_uint(banned("live/a", PUBLISH, "1.2.3.4"), 5000, "is banned");
    is_uint(banned("live/a", PUBLISH, ""), 5000, "whoever it is");
    is_uint(banned("live/a", PLAY, "1.2.3.4"), 0, "players are not");
    is_uint(banned("live/b", PUBLISH, "1.2.3.4"), 0, "nor other streams");
    is_uint(banned("live/", PUBLISH, "1.2.3.4"), 0, "nor shorter names");
    IS_CHECKED();

    is_uint(ban("live/b", 1 << PLAY, "1.2.3.4", 32, 7000), NGX_OK,
            "a player");
    is_uint(banned("live/b", PLAY, "1.2.3.4"), 7000, "from its address");
    is_uint(banned("live/b", PLAY, "1.2.3.5"), 0, "not from another one");
    is_uint(banned("live/b", PLAY, "::1"), 0, "of another kind");
    is_uint(banned("live/b", PLAY, ""), 0, "or without one");
    is_uint(banned("live/b", PUBLISH, "1.2.3.4"), 0, "nor to publish");

    is_uint(ban("", BOTH, "9.9.9.9", 32, 3000), NGX_OK, "an address");
    is_uint(banned("live/any", PLAY, "9.9.9.9"), 3000, "for all plays");
    is_uint(banned("x", PUBLISH, "9.9.9.9"), 3000, "and publishes");
    is_uint(banned("live/a", PUBLISH, "9.9.9.9"), 5000, "the longest counts");

    is_uint(ngx_rtmp_route_ban_delete(table, 1), NGX_OK, "deleted");
    is_uint(ngx_rtmp_route_ban_delete(table, 1), NGX_DECLINED, "once");
    is_uint(ngx_rtmp_route_ban_get(table, 1, &last), NGX_DECLINED, "gone");
    is_uint(banned("live/a", PUBLISH, "1.2.3.4"), 0, "may again");

    ngx_rtmp_route_bans_clear(table);
    is_uint(banned("live/b", PLAY, "1.2.3.4"), 0, "all are cleared");
    is_uint(table->sh->bans, 0, "none is left");
    IS_CHECKED();
}


static void
test_networks(void)
{
    ngx_uint_t  i;

    static struct {
        const char  *net;
        ngx_uint_t   bits;
        const char  *in;
        const char  *out;
    } nets[] = {
        { "10.0.0.0", 8, "10.255.0.1", "11.0.0.0" },
        { "10.1.2.128", 25, "10.1.2.200", "10.1.2.127" },
        { "10.1.2.3", 32, "10.1.2.3", "10.1.2.2" },
        { "0.0.0.0", 0, "8.8.8.8", "::1" },
        { "128.0.0.0", 1, "200.0.0.1", "127.0.0.1" },
        { "2001:db8::", 32, "2001:db8:ffff::1", "2001:db9::1" },
        { "2001:db8::8000", 113, "2001:db8::ffff", "2001:db8::7fff" },
        { "::", 0, "fe80::1", "1.2.3.4" },
        { "::1", 128, "::1", "::2" },
    };

    for (i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        (void) ban("live/n", 1 << PLAY, nets[i].net, nets[i].bits, 1000);

        is_uint(banned("live/n", PLAY, nets[i].in), 1000, "%s in %s/%lu",
                nets[i].in, nets[i].net, (unsigned long) nets[i].bits);
        is_uint(banned("live/n", PLAY, nets[i].out), 0, "%s not in %s/%lu",
                nets[i].out, nets[i].net, (unsigned long) nets[i].bits);

        ngx_rtmp_route_bans_clear(table);
    }

    (void) ban("live/n", 1 << PLAY, "1.2.3.0", 24, 1000);
    is_uint(banned("live/n", PLAY, "::ffff:1.2.3.9"), 1000, "a mapped one");
    ngx_rtmp_route_bans_clear(table);
}


static void
test_time(void)
{
    (void) ban("live/t", BOTH, "", 0, 3000);
    (void) ban("live/u", BOTH, "", 0, 9000);

    unit_tick(1000);
    is_uint(banned("live/t", PLAY, ""), 2000, "time passes");

    is_uint(ngx_rtmp_route_ban_get(table, last.id, &last), NGX_OK, "is there");
    is_uint(last.left, 8000, "so much is left");
    is_uint(last.age, 1000, "and has passed");

    unit_tick(1999);
    is_uint(banned("live/t", PLAY, ""), 1, "the last moment");
    unit_tick(1);
    is_uint(banned("live/t", PLAY, ""), 0, "over");
    is_uint(banned("live/u", PLAY, ""), 6000, "not the other one");
    is_uint(table->sh->bans, 2, "both have a place");
    is_uint(ngx_rtmp_route_ban_get(table, last.id - 1, &last), NGX_DECLINED,
            "but is shown no more");

    ngx_rtmp_route_table_sweep(table);
    is_uint(table->sh->bans, 1, "which is taken back");
    IS_CHECKED();

    ngx_rtmp_route_bans_clear(table);
}


static void
test_same(void)
{
    uint32_t  id;

    is_uint(ban("live/s", BOTH, "10.0.0.0", 8, 3000), NGX_OK, "a ban");
    id = last.id;

    unit_tick(1000);

    is_uint(ban("live/s", BOTH, "10.0.0.0", 8, 60000), NGX_DONE, "again");
    is_uint(last.id, id, "keeps its id");
    is_uint(banned("live/s", PLAY, "10.1.1.1"), 60000, "a longer time");

    is_uint(ban("live/s", BOTH, "10.0.0.0", 8, 10), NGX_DONE, "and again");
    is_uint(banned("live/s", PLAY, "10.1.1.1"), 10, "a shorter one");

    is_uint(ban("live/s", BOTH, "10.0.0.0", 9, 10), NGX_OK, "another net");
    is_uint(ban("live/s", 1 << PLAY, "10.0.0.0", 8, 10), NGX_OK, "a type");
    is_uint(ban("live/s", BOTH, "", 0, 10), NGX_OK, "anybody");
    is_uint(ban("live/s", BOTH, "", 0, 10), NGX_DONE, "anybody again");
    is_uint(ban("", BOTH, "10.0.0.0", 8, 10), NGX_OK, "any stream");
    is_uint(ban("live/r", BOTH, "10.0.0.0", 8, 10), NGX_OK, "another stream");
    is_uint(table->sh->bans, 6, "all are there");
    IS_CHECKED();

    ngx_rtmp_route_bans_clear(table);
}


static void
test_walk(void)
{
    char         key[32];
    uint32_t     cursor, first;
    ngx_uint_t   i;

    first = 0;

    for (i = 0; i < 10; i++) {
        sprintf(key, "live/w%lu", (unsigned long) i);
        (void) ban(key, BOTH, "", 0, 1000 + i);

        if (i == 0) {
            first = last.id;
        }
    }

    /* its place is taken by another one, which comes last all the same */

    (void) ngx_rtmp_route_ban_delete(table, first + 3);
    (void) ban("live/new", BOTH, "", 0, 1000);

    cursor = 0;

    for (i = 0; i < 10; i++) {

        if (i == 3) {
            continue;
        }

        is_uint(ngx_rtmp_route_ban_walk(table, &cursor, &last), NGX_OK,
                "one more");
        is_uint(last.id, first + i, "in order");
        is_uint(cursor, last.id, "the cursor is its id");
    }

    is_uint(ngx_rtmp_route_ban_walk(table, &cursor, &last), NGX_OK, "last");
    is_str(&last.key, "live/new", "the new one");
    is_uint(ngx_rtmp_route_ban_walk(table, &cursor, &last), NGX_DONE, "end");

    cursor = 0xffffffff;
    is_uint(ngx_rtmp_route_ban_walk(table, &cursor, &last), NGX_DONE,
            "behind all");

    ngx_rtmp_route_bans_clear(table);
}


static void
test_long(void)
{
    char        key[NGX_RTMP_ROUTE_KEY_LEN + 1];
    uint32_t    cells;
    ngx_uint_t  i;

    static size_t  lens[] = { 1, 71, 72, 73, 191, 192, 193, 194, 1023, 1024 };

    cells = table->sh->top - table->sh->nfree;

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(key, 'x', lens[i]);
        key[lens[i]] = '\0';

        (void) ban(key, BOTH, "", 0, 1000);
        is_uint(banned(key, PLAY, ""), 1000, "a name of %lu",
                (unsigned long) lens[i]);

        is_uint(ngx_rtmp_route_ban_get(table, last.id, &last), NGX_OK, "got");
        is_str(&last.key, key, "the same");

        key[lens[i] - 1] = 'y';
        is_uint(banned(key, PLAY, ""), 0, "not one that ends otherwise");
    }

    IS_CHECKED();
    ngx_rtmp_route_bans_clear(table);
    is_uint(table->sh->top - table->sh->nfree, cells, "all is given back");
}


static void
test_full(void)
{
    char        key[32];
    ngx_uint_t  i, n, max;

    max = table->sh->nbans;

    for (i = 0; i < max; i++) {
        sprintf(key, "live/f%lu", (unsigned long) i);

        if (ban(key, BOTH, "", 0, i == 7 ? 1000 : 5000) != NGX_OK) {
            break;
        }
    }

    is_uint(i, max, "so many fit");
    is_uint(ban("live/more", BOTH, "", 0, 1000), NGX_BUSY, "no more");
    is_uint(banned("live/more", PLAY, ""), 0, "nothing of it stays");
    is_uint(ban("live/f9", BOTH, "", 0, 6000), NGX_DONE, "but the same");
    IS_CHECKED();

    unit_tick(1000);
    is_uint(ban("live/more", BOTH, "", 0, 9000), NGX_OK, "one has gone");
    is_uint(banned("live/more", PLAY, ""), 9000, "the new one counts");
    IS_CHECKED();

    n = 0;

    for (i = 0; i < max; i++) {
        sprintf(key, "live/f%lu", (unsigned long) i);
        n += (banned(key, PUBLISH, "") != 0);
    }

    is_uint(n, max - 1, "each counts");

    ngx_rtmp_route_bans_clear(table);
    IS_CHECKED();
}


static void
test_copy(void)
{
    char                     key[400];
    ngx_rtmp_route_table_t   other, *old;

    memset(key, 'k', 399);
    key[399] = '\0';

    (void) ban("live/c", 1 << PLAY, "10.0.0.0", 8, 9000);
    (void) ban(key, 1 << PUBLISH, "", 0, 9000);
    (void) ban("live/over", BOTH, "", 0, 500);

    unit_tick(1000);

    table_make(&other, 64 * 1024);
    is_uint(ngx_rtmp_route_table_copy(&other, table), NGX_OK, "copied");

    old = table;
    table = &other;

    is_uint(banned("live/c", PLAY, "10.9.9.9"), 8000, "with its time");
    is_uint(banned(key, PUBLISH, ""), 8000, "a long name");
    is_uint(table->sh->bans, 2, "but not what is over");
    is_uint(table->sh->ban, old->sh->ban, "ids go on");
    IS_CHECKED();

    unit_zone_free(other.shpool);
    table = old;

    while (ban(key, BOTH, "", 0, 9000) == NGX_OK && table->sh->bans < 40) {
        key[0]++;
    }

    table_make(&other, 12 * ngx_pagesize);
    ok(other.sh->nbans < 40, "a small one");
    is_uint(ngx_rtmp_route_table_copy(&other, table), NGX_DECLINED,
            "they do not fit");
    unit_zone_free(other.shpool);

    ngx_rtmp_route_bans_clear(table);
}


static void
test_rebuild(void)
{
    uint64_t  rebuilt;

    rebuilt = table->sh->rebuilt;

    (void) ban("live/r", BOTH, "", 0, 9000);

    /* a process was killed behind the mark and before the number */

    table->sh->bans = 0;
    table->sh->dirty = 1;

    is_uint(banned("live/r", PLAY, ""), 9000, "still banned");
    is_uint(table->sh->rebuilt, rebuilt + 1, "it was made anew");
    is_uint(table->sh->bans, 1, "the number, too");
    IS_CHECKED();

    /* one whose text is not its own */

    ngx_rtmp_route_ban(table->sh, 0)->key_len = 500;
    table->sh->dirty = 1;

    is_uint(banned("live/r", PLAY, ""), 0, "damaged");
    is_uint(table->sh->bans, 0, "left out");
    IS_CHECKED();
}


/* a session is ended, and with a ban both is done or nothing */

static void
test_kick(void)
{
    char                      key[32];
    ngx_uint_t                i;
    ngx_rtmp_route_session_t  one, two, three, local;

    (void) open_from(&one, "live/k", PUBLISH, "1.2.3.4:1000");
    (void) open_from(&two, "live/k", PLAY, "1.2.3.4:1001");
    (void) open_from(&three, "live/k", PLAY, "[2001:db8::1]:1002");
    (void) open_from(&local, "live/k", PLAY, "unix:");

    is_uint(kick(&one, 0), NGX_OK, "without a ban");
    is_uint(told(&one), KICKED, "told");
    is_uint(told(&two), 0, "not another one");
    is_uint(table->sh->bans, 0, "no ban");

    is_uint(kick(&one, 5000), NGX_OK, "a publisher");
    is_uint(told(&one), KICKED, "told again");
    is_uint(banned("live/k", PUBLISH, "9.9.9.9"), 5000, "from anywhere");
    is_uint(banned("live/k", PLAY, "1.2.3.4"), 0, "no player");

    is_uint(kick(&two, 6000), NGX_OK, "a player");
    is_uint(told(&two), KICKED, "told, too");
    is_uint(banned("live/k", PLAY, "1.2.3.4"), 6000, "from there");
    is_uint(banned("live/k", PLAY, "1.2.3.5"), 0, "not the next one");

    is_uint(kick(&three, 7000), NGX_OK, "over IPv6");
    is_uint(told(&three), KICKED, "told as well");
    is_uint(banned("live/k", PLAY, "2001:db8::1"), 7000, "from that address");
    is_uint(banned("live/k", PLAY, "2001:db8::2"), 0, "and no other");

    is_uint(kick(&local, 8000), NGX_ABORT, "from no address");
    is_uint(told(&local), 0, "nothing was done");
    is_uint(kick(&local, 0), NGX_OK, "but for the end alone");
    IS_CHECKED();

    ngx_rtmp_route_table_close(table, &three);
    is_uint(kick(&three, 5000), NGX_DECLINED, "it has gone");

    /* no room for a ban */

    for (i = 0; table->sh->bans < table->sh->nbans; i++) {
        sprintf(key, "live/f%lu", (unsigned long) i);
        (void) ban(key, BOTH, "", 0, 5000);
    }

    (void) open_from(&three, "live/k2", PUBLISH, "1.2.3.4:1000");

    is_uint(kick(&three, 5000), NGX_BUSY, "no room");
    is_uint(told(&three), 0, "so it goes on");
    is_uint(kick(&one, 9000), NGX_OK, "the same once more");
    is_uint(banned("live/k", PUBLISH, ""), 9000, "needs no room");
    IS_CHECKED();

    ngx_rtmp_route_bans_clear(table);

    ngx_rtmp_route_table_close(table, &one);
    ngx_rtmp_route_table_close(table, &two);
    ngx_rtmp_route_table_close(table, &three);
    ngx_rtmp_route_table_close(table, &local);
    IS_CHECKED();
}


/* all that a ban is about */

static void
test_kick_all(void)
{
    uint32_t                   cursor;
    ngx_int_t                  rc;
    ngx_uint_t                 i, k, n, steps, wrong;
    ngx_rtmp_route_session_t   sessions[600];

    static struct {
        const char  *key;
        ngx_uint_t   ops;
        const char  *addr;
        ngx_uint_t   bits;
    } bans[] = {
        { "live/1", BOTH, "", 0 },
        { "", 1 << PLAY, "10.0.2.0", 24 },
        { "live/2", 1 << PLAY, "10.0.0.0", 8 },
        { "live/2", 1 << PUBLISH, "10.0.1.7", 32 },
        { "live/none", BOTH, "", 0 },
        { "", BOTH, "0.0.0.0", 0 },
    };

    for (i = 0; i < 600; i++) {
        char  key[32], client[32];

        sprintf(key, "live/%lu", (unsigned long) (i % 3));
        sprintf(client, "10.0.%lu.%lu:5000", (unsigned long) (i % 4),
                (unsigned long) (i % 10));

        (void) open_from(&sessions[i], key, (i % 5) ? PLAY : PUBLISH, client);
    }

    for (k = 0; k < sizeof(bans) / sizeof(bans[0]); k++) {
        (void) ban(bans[k].key, bans[k].ops, bans[k].addr, bans[k].bits, 5000);

        cursor = 0;
        n = 0;
        steps = 0;

        do {
            steps++;
            rc = ngx_rtmp_route_table_kick_banned(table, &last, &cursor, &n);
        } while (rc == NGX_AGAIN);

        wrong = 0;

        for (i = 0; i < 600; i++) {
            char        key[32], addr[32];
            ngx_uint_t  is_banned;

            sprintf(key, "live/%lu", (unsigned long) (i % 3));
            sprintf(addr, "10.0.%lu.%lu", (unsigned long) (i % 4),
                    (unsigned long) (i % 10));

            is_banned = (banned(key, (i % 5) ? PLAY : PUBLISH, addr) != 0);
            n -= is_banned;

            wrong += (told(&sessions[i]) != (is_banned ? KICKED : 0));
        }

        is_uint(rc, NGX_DONE, "all were looked at");
        ok(steps > 1, "in %lu steps", (unsigned long) steps);
        is_uint(wrong, 0, "those that it is about");
        is_uint(n, 0, "their number");

        ngx_rtmp_route_bans_clear(table);
    }

    IS_CHECKED();

    for (i = 0; i < 600; i++) {
        ngx_rtmp_route_table_close(table, &sessions[i]);
    }
}


/* somebody has asked, then the ban came and all were ended, then it began */

static void
test_kick_race(void)
{
    ngx_rtmp_route_session_t  one, two;

    (void) ban("live/race", 1 << PUBLISH, "1.2.3.0", 24, 5000);

    (void) open_from(&one, "live/race", PUBLISH, "1.2.3.4:5000");
    (void) open_from(&two, "live/race", PUBLISH, "1.2.4.4:5000");

    is_uint(told(&one), KICKED, "is ended at once");
    is_uint(told(&two), 0, "not another one");

    ngx_rtmp_route_table_close(table, &one);
    ngx_rtmp_route_table_close(table, &two);
    ngx_rtmp_route_bans_clear(table);
    IS_CHECKED();
}


static void
test_random(void)
{
    char         key[128], addr[32];
    ngx_int_t    rc;
    ngx_uint_t   i, k, n, name, net, ops, wrong;
    ngx_msec_t   time;
    model_t      model[MODEL];

    n = 0;
    wrong = 0;

    for (i = 0; i < 6000; i++) {

        switch (random() % 8) {

        case 0:
            unit_tick(random() % 40);

            if (random() % 2) {
                ngx_rtmp_route_table_sweep(table);
            }

            break;

        case 1:
            if (n) {
                k = random() % n;
                rc = ngx_rtmp_route_ban_delete(table, model[k].id);

                wrong += (rc == NGX_OK)
                         != ((ngx_msec_int_t) (model[k].expires
                                               - ngx_current_msec) > 0);
                model[k] = model[--n];
            }

            break;

        case 2:
            table->sh->dirty = 1;
            table->sh->bans = random() % 3;
            break;

        default:

            if (n == MODEL) {
                n = 0;
                ngx_rtmp_route_bans_clear(table);
            }

            name = random() % (NAMES + 1);
            net = random() % 4;
            ops = 1 + random() % 3;
            time = 1 + random() % 1000;

            make_name(key, name);
            sprintf(addr, net ? "10.%lu.0.0" : "", (unsigned long) net);

            rc = ban(key, ops, addr, net ? 16 : 0, time);

            for (k = 0; k < n; k++) {
                if (model[k].id == last.id) {
                    break;
                }
            }

            wrong += (rc != NGX_OK && (rc != NGX_DONE || k == n));

            model[k].id = last.id;
            model[k].name = name;
            model[k].net = net;
            model[k].ops = ops;
            model[k].expires = ngx_current_msec + time;

            n += (k == n);
        }

        wrong += compare(model, n);

        if (i % 500 == 0) {
            wrong += (ngx_rtmp_route_table_check(table) != NGX_OK);
        }
    }

    is_uint(wrong, 0, "as the model says");
    IS_CHECKED();
}


/* in the slot of this process */

static ngx_int_t
kick(ngx_rtmp_route_session_t *session, ngx_msec_t time)
{
    uint32_t              cursor;
    ngx_int_t             rc;
    ngx_rtmp_route_ban_t  with;

    ngx_memzero(&with, sizeof(ngx_rtmp_route_ban_t));
    with.left = time;
    cursor = 0;

    do {
        rc = ngx_rtmp_route_table_kick(table, ngx_rtmp_route_slot(),
                                       session->number, &cursor,
                                       time ? &with : NULL);
    } while (rc == NGX_AGAIN);

    return rc;
}


static ngx_int_t
open_from(ngx_rtmp_route_session_t *session, const char *key, ngx_uint_t type,
    const char *client)
{
    ngx_rtmp_route_peer_t          peer;
    ngx_rtmp_route_query_t         query;
    ngx_rtmp_route_session_info_t  info;

    query_init(&query, key, type);

    info.type = type;
    info.client = unit_str(client);
    info.agent = unit_str("FMLE/3.0 (compatible; FMSc/1.0)");

    ngx_memzero(session, sizeof(ngx_rtmp_route_session_t));

    return ngx_rtmp_route_table_open(table, &query, &info, session, &peer);
}


static ngx_uint_t
told(ngx_rtmp_route_session_t *session)
{
    return ngx_rtmp_route_table_told(table, session);
}


static ngx_uint_t
compare(model_t *model, ngx_uint_t n)
{
    char             key[128], addr[32];
    ngx_uint_t       k, name, net, op;
    ngx_msec_int_t   left, longest;

    name = random() % NAMES;
    net = 1 + random() % 3;
    op = random() % 2;

    longest = 0;

    for (k = 0; k < n; k++) {
        left = (ngx_msec_int_t) (model[k].expires - ngx_current_msec);

        if ((model[k].ops & (1 << op))
            && (model[k].name == NAMES || model[k].name == name)
            && (model[k].net == 0 || model[k].net == net))
        {
            longest = ngx_max(longest, left);
        }
    }

    make_name(key, name);
    sprintf(addr, "10.%lu.3.4", (unsigned long) net);

    return banned(key, op, addr) != (ngx_msec_t) longest;
}


static ngx_int_t
ban(const char *key, ngx_uint_t ops, const char *addr, ngx_uint_t bits,
    ngx_msec_t time)
{
    ngx_str_t  text;

    ngx_memzero(&last, sizeof(ngx_rtmp_route_ban_t));

    text = unit_str(addr);

    (void) ngx_rtmp_route_addr_parse(&text, &last.addr);

    last.key = unit_str(key);
    last.ops = ops;
    last.bits = bits;
    last.left = time;

    return ngx_rtmp_route_ban_add(table, &last);
}


static ngx_msec_t
banned(const char *key, ngx_uint_t op, const char *addr)
{
    ngx_str_t                  name, text;
    ngx_msec_t                 left;
    ngx_rtmp_route_endpoint_t  endpoint;

    name = unit_str(key);
    text = unit_str(addr);
    left = 0;

    (void) ngx_rtmp_route_addr_parse(&text, &endpoint);

    if (ngx_rtmp_route_table_banned(table, &name, op, &endpoint, &left)
        != NGX_OK)
    {
        return 0;
    }

    return left;
}


/* some of them are longer than what a ban holds by itself */

static void
make_name(char *buf, ngx_uint_t n)
{
    if (n == NAMES) {
        *buf = '\0';
        return;
    }

    sprintf(buf, "live/%0*lu", (int) (1 + n * 2), (unsigned long) n);
}
