/* compaction_last.c - the last compact entry, by the store; see compaction.h.
 */
#include "archive.h"
#include "compaction.h"
#include "store.h"

int plog_compaction_last(struct plog_store *s, struct plog_entry_parser *parser,
                         struct plog_buf *line, struct plog_compaction *out,
                         bool *pending, struct plog_error *err)
{
    struct plog_span stored;
    uint64_t seq;
    int rc = plog_store_compaction(s, &seq, pending, err);
    if (!rc && seq == 0)
        return PLOG_END;
    if (!rc)
        rc = plog_store_line(s, seq, &stored, NULL, err);
    line->len = 0;
    if (!rc && plog_buf_add_span(line, stored))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int is = rc ? 0
                : plog_compaction_read(parser, plog_span(line->data, line->len),
                                       out);
    if (is < 0)
        return plog_fail(err, is, "out of memory");
    if (rc == PLOG_END || (!rc && !is))
        rc = plog_fail(err, PLOG_E_DIVERGED,
                       "store.db: the compact entry %llu is not one",
                       (unsigned long long)seq);
    return rc;
}

int plog_compaction_last_sets(struct plog_store *s, struct plog_compaction *out,
                              bool *pending, struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_buf line;
    plog_entry_parser_init(&parser, s->io);
    plog_buf_init(&line, s->io);
    int rc = plog_compaction_last(s, &parser, &line, out, pending, err);
    out->peers = out->rotations = plog_span("", 0);
    plog_buf_fini(&line);
    plog_entry_parser_fini(&parser);
    return rc;
}

bool plog_compaction_can_undo(struct plog_store *s, const struct plog_dir *d,
                              uint64_t seq, uint64_t floor)
{
    struct plog_compaction last;
    bool pending, there = false;
    return plog_compaction_last_sets(s, &last, &pending, NULL) == 0 &&
           last.archive && last.to == floor && seq > last.from &&
           plog_archive_has(d, last.from + 1, &there, NULL) == 0 && there;
}
