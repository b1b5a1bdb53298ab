/*
 * test_rehearse.c - a rehearsal refuses what the real thing would, in the same
 * words, and nothing else: also where the log goes on behind the store.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

#define SECRET "keys/signing.key"

static struct world w;
static char old[600]; /* a copy of the directory, as it was before */

static void make_old(void)
{
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
}

static void rotate(struct plog_rotate_report *r, bool dry_run)
{
    struct plog_rotate_options o = {.struct_size = sizeof o,
                                    .dry_run = dry_run};
    CHECK_INT(plog_key_rotate(w.dir, &o, r, NULL), 0);
}

/* Both say that, with the same words. */
static void both_say(int code)
{
    struct plog_error dry = {0}, real = {0};
    plog *p = NULL;
    CHECK_INT(plog_rehearse(w.dir, NULL, NULL, &dry), code);
    CHECK_INT(plog_open(&p, w.dir, NULL, &real), code);
    plog_close(p);
    CHECK_TEXT(dry.message, real.message);
    CHECK_TEXT(dry.hint, real.hint);
    CHECK(code == 0 || dry.hint[0]);
}

/* `log/` has a rotation that the store does not know of. */
static void make_behind(void)
{
    struct plog_rotate_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    make_old();
    rotate(&r, false);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 25);
    world_close(&w);
    world_take_store(&w, old);
}

static void behind_a_rotation(void)
{
    struct plog_rotate_report dry, real;
    make_behind();
    CHECK_INT(plog_rehearse(w.dir, NULL, NULL, NULL), 0);
    rotate(&dry, true);
    make_behind();
    rotate(&dry, true);
    rotate(&real, false);
    CHECK_TEXT(dry.old_vkey, real.old_vkey);
    CHECK_UINT(dry.size, real.size);
    CHECK_UINT(dry.keys, real.keys);
    world_end(&w, world_size(&w));
}

static void the_key_of_before(void)
{
    struct plog_error err = {0};
    make_behind();
    world_take(&w, old, SECRET);
    CHECK_INT(plog_rehearse(w.dir, NULL, NULL, &err), PLOG_E_KEY);
    CHECK(strstr(err.message, ", which it had before a rotation") != NULL);
    CHECK(strncmp(err.hint, "put key ", 8) == 0);
    both_say(PLOG_E_KEY);
}

static void no_key(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 3);
    unlink(world_path(&w, SECRET));
    both_say(PLOG_E_KEY);
}

static void behind_the_floor(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    CHECK_INT(peers_add(&w, "p"), 0);
    make_old();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 80);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 70), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    world_take_store(&w, old);
    both_say(PLOG_E_PRUNED);
}

static void an_empty_group(void)
{
    struct plog_group g = {.struct_size = sizeof g};
    struct plog_error err = {0};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 1);
    CHECK_INT(plog_rehearse(w.dir, NULL, &g, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "an empty group");
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "an empty group");
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"behind a rotation", behind_a_rotation},
        {"the key of before", the_key_of_before},
        {"no key", no_key},
        {"behind the floor", behind_the_floor},
        {"an empty group", an_empty_group},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
