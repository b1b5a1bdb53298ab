/*
 * test_ids_again.c - an id comes again after its entry was compacted away: what
 * is kept of it must still tell a repeat from a conflict.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sample.h"

static struct world w;
static struct plog_error err;

/* What sample.c wrote as `id`: the payload holds the id itself. */
static int again(const char *id, int record, const char *value,
                 struct plog_receipt *r)
{
    char text[400], payload[60], name[8];
    struct world_delta d = {.id = id, .record = name, .payload = payload};
    snprintf(name, sizeof name, "%d", record);
    snprintf(payload, sizeof payload, "{\"v\":\"%s\"}", value);
    err = (struct plog_error){.code = 0};
    return world_append(&w, world_text(text, sizeof text, &d), r, &err);
}

/* The events are gone from the store as well: `old_ids` is all there is. */
static void trimmed(void)
{
    struct plog_receipt r;
    sample_begin_compacted(&w);
    sample_compact(&w);
    uint64_t size = world_size(&w);
    CHECK_INT(world_open(&w), 0);
    CHECK(world_number(&w, "SELECT base FROM meta") >= 20);
    CHECK_INT(again("id-10", 10 % 7, "id-10", &r), 0);
    CHECK(r.duplicate);
    CHECK_UINT(r.seq, 13);
    CHECK_UINT(r.size, (uint64_t)world_number(&w, "SELECT floor FROM meta"));
    CHECK_INT(again("id-10", 10 % 7, "id-10", NULL), 0); /* nobody looks */
    CHECK_INT(again("id-10", 10 % 7, "other", &r), PLOG_E_CONFLICT);
    CHECK_UINT(err.seq, 13);
    CHECK_TEXT(err.member, "id");
    CHECK_INT(again("id-10", 1, "id-10", NULL), PLOG_E_CONFLICT);
    CHECK_UINT(world_size(&w), size);
    /* Of one that was redacted nobody knows the content any more. */
    world_sql(&w, "UPDATE old_ids SET content=NULL WHERE seq=13");
    CHECK_INT(again("id-10", 10 % 7, "whatever", &r), 0);
    CHECK(r.duplicate);
    CHECK_UINT(world_size(&w), size);
    CHECK_INT(again(NULL, 1, "new", &r), 0); /* without an id: always new */
    CHECK(!r.duplicate);
    CHECK_INT(again("id-new", 1, "new", &r), 0);
    CHECK(!r.duplicate);
    CHECK_UINT(r.seq, size + 2);
    /* The commit of the receipt, when it is lost. */
    world_sql(&w, "DELETE FROM checkpoints");
    CHECK_INT(again("id-10", 10 % 7, "id-10", &r), PLOG_E_DIVERGED);
    CHECK(strstr(err.message, "is missing") != NULL);
    CHECK_INT(again("id-10", 10 % 7, "id-10", NULL), 0);
    world_close(&w);
}

/* The log's line is gone, the store has the event yet. */
static void only_in_the_store(void)
{
    struct plog_peer_options peer = {.struct_size = sizeof peer};
    struct plog_peer_report acknowledged;
    struct plog_compact_options compact = {.struct_size = sizeof compact};
    struct plog_compact_report c;
    struct plog_receipt r;
    sample_begin_compacted(&w);
    CHECK_INT(plog_peer_ack(w.dir, "far", 30, NULL, &peer, &acknowledged, NULL),
              0);
    CHECK_INT(plog_compact(w.dir, &compact, &c, NULL), 0);
    CHECK(c.to >= 13);
    CHECK_INT(world_open(&w), 0);
    uint64_t size = world_size(&w);
    CHECK_INT(again("id-10", 10 % 7, "id-10", &r), 0);
    CHECK(r.duplicate);
    CHECK_UINT(r.seq, 13);
    CHECK_INT(again("id-10", 10 % 7, "id-10", NULL), 0);
    CHECK_INT(again("id-10", 10 % 7, "other", NULL), PLOG_E_CONFLICT);
    world_sql(&w, "UPDATE events SET line='{}' WHERE seq=13");
    int rc = again("id-10", 10 % 7, "id-10", &r);
    CHECK_INT(plog_exit_status(rc), 5);
    CHECK_INT(err.code, rc);
    CHECK_UINT(world_size(&w), size);
    world_close(&w);
}

/* A line that was cut in the store is another one: nothing is acknowledged by
 * it, as nothing is by one that goes on. */
static void cut_in_the_store(void)
{
    static const char *const all[] = {
        "UPDATE events SET line=substr(line,1,length(line)-1) WHERE seq=2",
        "UPDATE events SET line=substr(line,1,10) WHERE seq=2",
        "UPDATE events SET line=line||' ' WHERE seq=2",
        "UPDATE events SET line=replace(line,'value','valuf') WHERE seq=2",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_receipt r;
        world_make(&w, PLOG_ARRIVAL, 0);
        CHECK_INT(again("a", 1, "value", &r), 0);
        CHECK_INT(again("a", 1, "value", &r), 0);
        CHECK(r.duplicate);
        world_sql(&w, all[i]);
        if (!CHECK_INT(again("a", 1, "value", &r), PLOG_E_DIVERGED))
            printf("#   %s\n", all[i]);
        CHECK_TEXT(err.message, "entry 2: log and store differ");
        CHECK_UINT(err.seq, 2);
        CHECK_UINT(world_size(&w), 2);
        world_close(&w);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"trimmed", trimmed},
        {"cut in the store", cut_in_the_store},
        {"only in the store", only_in_the_store},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
