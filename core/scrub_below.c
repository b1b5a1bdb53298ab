/*
 * scrub_below.c - orders about entries that were compacted away; see scrub.h.
 *
 * A compaction waits until no redaction is pending, so log/ and archive/ have
 * such an entry without its payload.  It is pending below the floor where an
 * older store was put back and caught up.  A segment in archive/ that is whole
 * came from an older copy, or from an older version of this program, whose
 * snapshot may have the payload, too; no file is changed then, for the compact
 * entry signs the snapshot.
 */
#include "archive.h"
#include "compaction.h"
#include "find_line.h"
#include "scrub.h"

#include <stdio.h>

static int read_last(struct plog_legs *l, struct plog_entry_parser *parser,
                     struct plog_buf *line, struct plog_compaction *out)
{
    struct plog_span stored;
    uint64_t seq;
    bool pending;
    int rc = plog_store_compaction(&l->store, &seq, &pending, NULL);
    if (!rc)
        rc = plog_store_line(&l->store, seq, &stored, NULL, NULL);
    if (!rc)
        rc = plog_buf_add_span(line, stored);
    return rc ? rc
              : plog_compaction_read(parser, plog_span(line->data, line->len),
                                     out);
}

/* Whether an undo of the last compaction would bring the entry back. */
static bool can_undo(struct plog_legs *l, const struct plog_dir *all,
                     uint64_t seq)
{
    struct plog_entry_parser parser;
    struct plog_compaction last;
    struct plog_buf line;
    uint64_t first = 0;
    plog_entry_parser_init(&parser, l->io);
    plog_buf_init(&line, l->io);
    bool can = read_last(l, &parser, &line, &last) == 1 && last.archive &&
               last.to == l->head.rules.floor && seq > last.from &&
               plog_find_segment(all, last.from + 1, &first, NULL) == 0 &&
               first == last.from + 1;
    plog_buf_fini(&line);
    plog_entry_parser_fini(&parser);
    return can;
}

static int out_of_reach(struct plog_legs *l, const struct plog_dir *all,
                        uint64_t seq, struct plog_error *err)
{
    char name[PLOG_ARCHIVE_NAME], shown[sizeof name + 16];
    uint64_t first = 0;
    int rc = plog_find_segment(all, seq, &first, err);
    if (rc)
        return rc;
    plog_archive_name(first, name);
    snprintf(shown, sizeof shown, PLOG_ARCHIVE_DIR "/%s", name);
    plog_fail(err, PLOG_E_PRUNED,
              "entry %llu was compacted away, with its payload, which is in %s",
              (unsigned long long)seq, shown);
    plog_err_seq(err, seq);
    plog_err_file(err, shown);
    if (can_undo(l, all, seq))
        plog_err_hint(err,
                      "run: paritylog compact DIR --undo, then"
                      " paritylog redact DIR %llu --reason TEXT",
                      (unsigned long long)seq);
    else
        plog_err_hint(err,
                      "move %s out of DIR, then run: paritylog append DIR"
                      " /dev/null",
                      shown);
    return PLOG_E_PRUNED;
}

int plog_scrub_below(struct plog_legs *l, uint64_t seq, struct plog_error *err)
{
    struct plog_dir all = l->dir;
    bool whole;
    all.with_archive = true;
    int rc = plog_scrub_whole(l, &all, seq, &whole, err);
    return rc || !whole ? rc : out_of_reach(l, &all, seq, err);
}
