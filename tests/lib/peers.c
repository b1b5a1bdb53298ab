/* peers.c - see peers.h. */
#include "peers.h"

#include <stdio.h>

#include "check.h"

void peers_put(struct world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        char id[16], record[16], value[24];
        snprintf(id, sizeof id, "i%d", i);
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(w, id, record, value, NULL), 0);
    }
}

void peers_make(struct world *w, enum plog_strategy strategy, int count)
{
    world_make(w, strategy, PEERS_SEGMENT);
    peers_put(w, 0, count);
    world_close(w);
}

int peers_add(const struct world *w, const char *name)
{
    struct plog_peer_report r;
    return plog_peer_add(w->dir, name, NULL, &r, NULL);
}

int peers_ack(const struct world *w, const char *name, uint64_t seq)
{
    struct plog_peer_report r;
    return plog_peer_ack(w->dir, name, seq, NULL, NULL, &r, NULL);
}

int peers_compact_with(const struct world *w, struct plog_compact_options o,
                       struct plog_compact_report *r)
{
    struct plog_compact_report own;
    struct plog_error err = {.code = 0};
    o.struct_size = sizeof o;
    o.wait_seconds = 0.5;
    int rc = plog_compact(w->dir, &o, r ? r : &own, &err);
    if (rc)
        printf("# compact: %s\n", err.message);
    return rc;
}

int peers_compact(const struct world *w, struct plog_compact_report *r)
{
    return peers_compact_with(
        w, (struct plog_compact_options){.struct_size = 0}, r);
}

int peers_trim(const struct world *w, struct plog_compact_report *r)
{
    return peers_compact_with(
        w, (struct plog_compact_options){.trim_store = true}, r);
}

int peers_undo(const struct world *w, struct plog_compact_report *r)
{
    return peers_compact_with(w, (struct plog_compact_options){.undo = true},
                              r);
}

int peers_parity(const struct world *w)
{
    struct world_found f;
    int rc = world_parity(w, NULL, &f);
    if (rc)
        printf("# %s seq %llu %s\n", plog_code_word(f.first[0].verdict),
               (unsigned long long)f.first[0].seq, f.first[0].file);
    return rc;
}

uint64_t peers_floor(const struct world *w)
{
    struct plog_status s;
    CHECK_INT(plog_read_status(w->dir, NULL, &s, NULL), 0);
    return s.floor;
}

int peers_count_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    uint64_t *last = arg;
    (void)line, (void)len;
    CHECK(*last == 0 || seq == *last + 1);
    *last = seq;
    return 0;
}
