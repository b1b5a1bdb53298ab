/* everything.c - see everything.h. */
#include "everything.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static void put(struct world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        char id[16], record[16], value[24];
        snprintf(id, sizeof id, "i%d", i);
        snprintf(record, sizeof record, "r%d", i % 5);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(w, i % 3 ? id : NULL, record, value, NULL), 0);
    }
}

static void set_cursor(struct world *w, const char *at)
{
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {at, strlen(at)}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    CHECK_INT(plog_append_group(w->p, &g, NULL, NULL), 0);
}

static void peer(const struct world *w, const char *name, uint64_t seq)
{
    struct plog_peer_report r;
    CHECK_INT(plog_peer_add(w->dir, name, NULL, &r, NULL), 0);
    CHECK_INT(plog_peer_ack(w->dir, name, seq, NULL, NULL, &r, NULL), 0);
}

static void redact(const struct world *w, uint64_t seq)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "test"};
    struct plog_redact_report r;
    CHECK_INT(plog_redact(w->dir, seq, &o, &r, NULL), 0);
}

static void write_note(const struct world *w, const char *note)
{
    char text[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;
    CHECK_INT(plog_reader_open(&r, w->dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    world_write(note, text, strlen(text));
}

void everything_make(struct world *w, const char *note)
{
    struct plog_compact_report cr;
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_rotate_report rr;
    struct plog_peer_report pr;
    struct plog_peer_options po = {.struct_size = sizeof po, .reason = "left"};
    world_make(w, PLOG_MERGE_JSON, 4096);
    put(w, 0, 12);
    set_cursor(w, "page 1");
    world_close(w);
    peer(w, "a", 10);
    peer(w, "gone", 10);
    CHECK_INT(plog_peer_evict(w->dir, "gone", &po, &pr, NULL), 0);
    redact(w, EVERYTHING_REDACTED_BELOW);
    CHECK_INT(plog_key_rotate(w->dir, &ro, &rr, NULL), 0);
    CHECK_INT(world_open(w), 0);
    put(w, 12, 40);
    world_close(w);
    CHECK_INT(plog_peer_ack(w->dir, "a", 35, NULL, NULL, &pr, NULL), 0);
    CHECK_INT(plog_compact(w->dir, NULL, &cr, NULL), 0);
    CHECK_INT(world_open(w), 0);
    put(w, 40, 55);
    CHECK_INT(plog_set_strategy(w->p, PLOG_LAST_WRITE_WINS, NULL, NULL), 0);
    CHECK_INT(plog_set_strategy(w->p, PLOG_MERGE_JSON, NULL, NULL), 0);
    write_note(w, note);
    put(w, 55, 75);
    set_cursor(w, "page 2");
    world_close(w);
    redact(w, 50);
    redact(w, EVERYTHING_REDACTED_ABOVE);
    peer(w, "b", 60);
    CHECK_INT(plog_peer_ack(w->dir, "a", 60, NULL, NULL, &pr, NULL), 0);
}
