/*
 * test_doctor_well.c - what the doctor says of a log that is well, word by
 * word, but for what tells of the machine.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static char heard[4000];

static int hear(void *arg, const struct plog_checkup *c)
{
    size_t n = strlen(heard);
    (void)arg;
    snprintf(heard + n, sizeof heard - n, "%d %s: %s. %s\n", (int)c->health,
             c->name, c->found, c->next);
    return 0;
}

static void doctor(struct plog_doctor_options o)
{
    struct plog_doctor_report r;
    o.struct_size = sizeof o;
    o.checkup = hear;
    heard[0] = '\0';
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
}

/* The id of the key that signs, from `NAME+ID+KEY`. */
static const char *key_id(void)
{
    static char id[9];
    CHECK_INT(plog_key_show(w.dir, NULL, w.vkey, NULL), 0);
    snprintf(id, sizeof id, "%.8s", strchr(w.vkey, '+') + 1);
    return id;
}

/* Each line was said, as it stands, once. */
static void said(const char *line)
{
    char whole[600];
    snprintf(whole, sizeof whole, "%s\n", line);
    const char *at = strstr(heard, whole);
    if (!CHECK(at != NULL && (at == heard || at[-1] == '\n')) ||
        !CHECK(!strstr(at + 1, whole)))
        printf("# not said: %s# but:\n%s", whole, heard);
}

static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
}

static void said_of_all(void)
{
    char line[600];
    snprintf(line, sizeof line, "%d directory: %s, mode 0700. ", PLOG_HEALTH_OK,
             w.dir);
    said(line);
    snprintf(line, sizeof line,
             "%d signing key: %s, mode 0600, without a passphrase. ",
             PLOG_HEALTH_OK, key_id());
    said(line);
    snprintf(line, sizeof line, "%d quarantine: empty. ", PLOG_HEALTH_OK);
    said(line);
}

static void a_quick_look(void)
{
    char line[600];
    make();
    doctor((struct plog_doctor_options){.quick = true});
    said_of_all();
    snprintf(line, sizeof line,
             "%d log and store: heads are equal, at 5 entries. paritylog parity"
             " DIR compares their content",
             PLOG_HEALTH_NOTE);
    said(line);
}

static void all_of_it(void)
{
    char line[600];
    make();
    doctor((struct plog_doctor_options){.quick = false});
    said_of_all();
    snprintf(line, sizeof line,
             "%d log and store: CLEAN: 5 entries, 1 records. ", PLOG_HEALTH_OK);
    said(line);
    snprintf(line, sizeof line,
             "%d trusted keys: 1 in keys/, trusted only because they lie there."
             " keep the verifier key elsewhere, and give it with --key",
             PLOG_HEALTH_NOTE);
    said(line);
    snprintf(line, sizeof line,
             "%d last drill: never: whether it can be restored was not tried."
             " paritylog drill DIR, and put it into cron",
             PLOG_HEALTH_WARN);
    said(line);
}

/* Another key signs, and both are trusted. */
static void after_a_rotation(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    char line[600];
    make();
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    doctor((struct plog_doctor_options){.quick = false});
    said_of_all();
    snprintf(line, sizeof line,
             "%d trusted keys: 2 in keys/, trusted only because they lie there."
             " keep the verifier key elsewhere, and give it with --key",
             PLOG_HEALTH_NOTE);
    said(line);
    snprintf(line, sizeof line,
             "%d log and store: CLEAN: 6 entries, 1 records. ", PLOG_HEALTH_OK);
    said(line);
}

/* A compaction was undone: its snapshot, which stays, is one that nothing needs
 * any more; and of a store that lost what it knew of it nobody can say whose it
 * is. */
static void after_an_undo(void)
{
    struct plog_compact_report r;
    char line[600], sql[100];
    peers_make(&w, PLOG_ARRIVAL, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 36), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_undo(&w, NULL), 0);
    REQUIRE(world_has(&w, r.snapshot));
    doctor((struct plog_doctor_options){.quick = true});
    CHECK(strstr(heard, "snapshots:") == NULL);
    snprintf(sql, sizeof sql,
             "UPDATE meta SET base=%llu; DELETE FROM checkpoints WHERE"
             " size=%llu",
             (unsigned long long)r.to, (unsigned long long)r.to);
    world_sql(&w, sql);
    doctor((struct plog_doctor_options){.quick = true});
    snprintf(line, sizeof line,
             "%d snapshots: 1 that nothing needs, the first is %s; the store"
             " cannot tell whether it is of this log, and it may have payloads"
             " that went. move it out of DIR, unless you know what for it is"
             " there",
             PLOG_HEALTH_WARN, strchr(r.snapshot, '/') + 1);
    said(line);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a quick look", a_quick_look},
        {"all of it", all_of_it},
        {"after a rotation", after_a_rotation},
        {"after an undo", after_an_undo},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
