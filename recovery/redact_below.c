/*
 * redact_below.c - redacting what was compacted away: it is out of reach, and
 * not gone.  Where its payload may be, and what takes it from there.
 */
#include <stdio.h>

#include "compact.h"
#include "find_line.h"
#include "redact.h"
#include "redact_below.h"

/* ---- Where it is -------------------------------------------------------- */

static void name_snapshot(uint64_t at, struct plog_error *err)
{
    char name[PLOG_SNAPSHOT_NAME], shown[64];
    plog_snapshot_name(at, name);
    snprintf(shown, sizeof shown, PLOG_SNAPSHOT_DIR "/%s", name);
    plog_err_file(err, shown);
}

/* Whether a snapshot has the whole line of an entry.  One that is gone has
 * none; of one that cannot be read nobody may say so. */
static int ask_snapshot(const struct plog_reader *r, uint64_t seq, uint64_t at,
                        bool *has, struct plog_error *err)
{
    struct plog_snapshot s;
    struct plog_snapshot_item i;
    *has = false;
    int rc = plog_snapshot_peek(&s, &r->dir, at, err);
    while (!rc && !*has && (rc = plog_snapshot_next(&s, &i, err)) == 0 &&
           i.kind != PLOG_SNAPSHOT_ID) /* they are the last */
        *has = i.line.n && i.seq == seq && !plog_line_is_redacted(i.line);
    plog_snapshot_close(&s);
    if (rc == PLOG_E_CORRUPT) {
        name_snapshot(at, err);
        plog_snapshot_lost(&r->dir, at, err);
    }
    return rc == PLOG_END || rc == PLOG_E_PRUNED ? 0 : rc;
}

/* Whether any may; what cannot be looked at may. */
static bool in_a_snapshot(const struct plog_reader *r, uint64_t seq)
{
    struct plog_buf all;
    plog_buf_init(&all, r->io);
    bool may = plog_snapshot_list(&r->dir, &all, NULL) != 0;
    for (size_t i = 0; !may && i < plog_segment_count(&all); i++) {
        uint64_t at = plog_segment_at(&all, i);
        bool has = false;
        may = at >= seq && (ask_snapshot(r, seq, at, &has, NULL) || has);
    }
    plog_buf_fini(&all);
    return may;
}

static bool in_a_segment(const struct plog_reader *r, uint64_t seq)
{
    struct plog_dir all = r->dir;
    uint64_t first = 0;
    all.with_archive = true;
    return plog_find_segment(&all, seq, &first, NULL) || first != 0;
}

/* ---- What is said ------------------------------------------------------- */

static int pruned(struct plog_reader *r, uint64_t seq, uint64_t floor,
                  bool stored, bool ordered, struct plog_error *err)
{
    plog_fail_pruned(err, seq, floor);
    if (plog_compaction_can_undo(&r->store, &r->dir, seq, floor))
        plog_err_hint(err, "its payload may be in archive/ and in the snapshot:"
                           " bring it back first with paritylog compact DIR"
                           " --undo, and redact it then");
    else if (ordered)
        plog_err_hint(err, "no undo brings it back. It is redacted; while that"
                           " is pending, " PLOG_REDACT_LOOK_THROUGH);
    else if (stored || in_a_segment(r, seq) || in_a_snapshot(r, seq))
        plog_err_hint(err, "no undo brings it back. Its payload may be in"
                           " archive/ and, while the record stands on it, in"
                           " snapshots/ and the store: append a newer delta,"
                           " compact --trim-store, move archive/ out, append,"
                           " compact --trim-store again; move out what doctor"
                           " then names");
    else
        plog_err_hint(err, "no undo brings it back, and archive/ and snapshots/"
                           " do not have its line any more; freed pages of the"
                           " store lose it with the next redaction, and"
                           " quarantine/, backups and merged payloads may have"
                           " what was in it");
    return PLOG_E_PRUNED;
}

static int in_snapshot(struct plog_reader *r, uint64_t seq, uint64_t floor,
                       struct plog_error *err)
{
    plog_fail(err, PLOG_E_PRUNED,
              "entry %llu was compacted away, with its payload",
              (unsigned long long)seq);
    plog_err_seq(err, seq);
    if (plog_compaction_can_undo(&r->store, &r->dir, seq, floor))
        plog_err_hint(err,
                      "run: paritylog compact DIR --undo, then"
                      " paritylog redact DIR %llu --reason TEXT",
                      (unsigned long long)seq);
    else
        plog_err_hint(err, "%s", PLOG_COMPACT_PAST);
    return PLOG_E_PRUNED;
}

/* Of a line that an order redacts, no file below the floor is searched but the
 * snapshot there. */
int plog_redact_below(struct plog_reader *r, uint64_t seq, uint64_t floor,
                      bool stored, bool ordered, struct plog_error *err)
{
    bool has;
    if (!stored || !ordered)
        return pruned(r, seq, floor, stored, ordered, err);
    int rc = ask_snapshot(r, seq, floor, &has, err);
    return rc || !has ? rc : in_snapshot(r, seq, floor, err);
}
