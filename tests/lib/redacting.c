/* redacting.c - see redacting.h. */
#include "redacting.h"

#include <stdlib.h>
#include <string.h>

int redacting_order(const struct world *w, uint64_t seq,
                    struct plog_redact_report *r, struct plog_error *err)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "asked", .wait_seconds = 0.05};
    *err = (struct plog_error){.code = 0};
    return plog_redact(w->dir, seq, &o, r, err);
}

int64_t redacting_pending(const struct world *w)
{
    return world_number(w, "SELECT count(*) FROM redactions WHERE pending=1");
}

bool redacting_has(const struct world *w, const char *name, const char *text)
{
    size_t n;
    char *now = world_read(world_path(w, name), &n);
    bool there = memmem(now, n, text, strlen(text)) != NULL;
    free(now);
    return there;
}

int redacting_fresh(const struct world *w)
{
    struct plog_replay_report r;
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    return plog_replay(w->dir, &o, &r, NULL);
}
