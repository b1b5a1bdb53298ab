/*
 * scan_tail.c - what follows a fault: an unfinished group, or damage.
 *
 * A group is written only after the one before it was synced.  So a crash
 * leaves at most one unfinished group, at the very end; its bytes may have
 * reached the disk in any order, the commit line before its entries.  Any
 * sign of a second group proves that the first one was whole once, and what
 * is wrong with it is damage.  A group whose root and signature verify is whole
 * now: no crash left it, and what its lines say wrong their writer signed.
 */
#include "scan_window.h"

int plog_scan_content_end(struct plog_scan *s, uint64_t *end)
{
    char block[4096];
    uint64_t at = s->limit;
    while (at > 0) {
        size_t n = at < sizeof block ? (size_t)at : sizeof block, got = 0;
        int rc = plog_io_pread_full(s->io, s->fd, block, n, at - n, &got);
        if (rc || got != n)
            return plog_scan_fault(s, PLOG_E_IO, at - n, 0,
                                   "reading failed (%d)", -rc);
        while (n > 0 && block[n - 1] == '\n')
            n--, at--;
        if (n > 0)
            break;
    }
    /* The LF that ends the last line is content. */
    *end = at < s->limit ? at + 1 : at;
    if (at == 0)
        *end = 0;
    return 0;
}

/* Whether a line is a commit of this log that verifies.  `*other`, unless
 * NULL: whether it does so by a key that is not in force there. */
static bool commit_holds(struct plog_scan *s, struct plog_span line,
                         struct plog_commit *c, bool *other)
{
    const struct plog_vkey *wrong;
    if (plog_line_kind(line) != PLOG_LINE_COMMIT || plog_commit_parse(line, c))
        return false;
    const struct plog_vkey *key = plog_scan_key(s, c, &wrong);
    if (!key && wrong && other) {
        *other = s->chain->origin[0] &&
                 plog_checkpoint_verify(wrong, s->chain->origin, c->size,
                                        c->root, c->sig);
        return *other;
    }
    return key && s->chain->origin[0] &&
           plog_checkpoint_verify(key, s->chain->origin, c->size, c->root,
                                  c->sig);
}

/* What the lines of a tail tell about the number of groups in it. */
struct signs {
    unsigned opened; /* entries that begin a group */
    bool not_next;   /* one that begins a group further on */
    bool committed;  /* a commit that verifies */
    bool went_on;    /* content behind such a commit */
    bool other_key;  /* one by a key that is not in force */
    int failed;      /* a line could not be looked at */
};

static bool two_groups(const struct signs *t)
{
    return t->opened > 1 || t->not_next || t->went_on || t->other_key;
}

/* Whether the line is a sign by itself. */
static bool read_whole(struct plog_scan *s, struct plog_span line,
                       struct signs *t)
{
    struct plog_commit c;
    struct plog_entry e;
    if (commit_holds(s, line, &c, &t->other_key)) {
        t->committed = true;
        return true;
    }
    if (plog_line_kind(line) != PLOG_LINE_ENTRY)
        return false;
    int rc = plog_entry_parse(&s->parser, line, &e, NULL);
    if (rc == PLOG_E_NOMEM)
        t->failed = rc;
    if (rc)
        return false;
    if (e.logged_at.n == 0)
        return true;
    t->opened++;
    if (e.seq != s->chain->last.size + 1)
        t->not_next = true;
    return true;
}

/* One changed line end joins two lines: looks for the second one, and for a
 * commit with something behind it.  A line end may be all that a block has of
 * the group, and did not reach the disk. */
static void read_joined(struct plog_scan *s, struct plog_span line,
                        struct signs *t)
{
    static const char commit[] = "{\"commit\":{", entry[] = "{\"seq\":";
    const char *end = line.p + line.n, *at = line.p;
    struct plog_commit c;
    for (int tries = 0; tries < 4 && at < end; tries++, at++) {
        at = memmem(at, (size_t)(end - at), commit, sizeof commit - 1);
        const char *stop = at ? memmem(at, (size_t)(end - at), "}}", 2) : NULL;
        if (!stop)
            break;
        if (!commit_holds(s, plog_span(at, (size_t)(stop + 2 - at)), &c,
                          &t->other_key))
            continue;
        t->committed = true;
        if (end - stop > 3) /* one byte may be its own line end */
            t->went_on = true;
    }
    at = line.p + 1;
    for (int tries = 0; tries < 4 && at < end; tries++, at++) {
        at = memmem(at, (size_t)(end - at), entry, sizeof entry - 1);
        if (!at || read_whole(s, plog_span(at, (size_t)(end - at)), t))
            break;
    }
}

static void read_sign(struct plog_scan *s, struct plog_span line,
                      struct signs *t)
{
    if (line.n == 0)
        return;
    if (t->committed)
        t->went_on = true;
    if (!read_whole(s, line, t))
        read_joined(s, line, t);
}

int plog_scan_torn(struct plog_scan *s, bool *torn)
{
    struct plog_fault kept = s->fault;
    struct signs t = {0};
    struct plog_span line;
    uint64_t at = s->offset, end;
    *torn = false;
    if (s->as_signed)
        return 0;
    int rc = plog_scan_content_end(s, &end);
    if (rc)
        return rc;
    bool small = end <= at || end - at <= PLOG_GROUP_MAX + PLOG_LINE_SLACK;
    plog_window_jump(s, at);
    while (small && at < end && !two_groups(&t)) {
        rc =
            plog_window_line(s, at, at, PLOG_LINE_MAX + PLOG_LINE_SLACK, &line);
        if (rc < 0)
            return rc;
        if (rc == PLOG_END)
            break;
        if (rc == PLOG_WINDOW_LONG) {
            if (t.committed)
                t.went_on = true;
            rc = plog_window_skip(s, &at);
            if (rc < 0)
                return rc;
            if (rc == PLOG_END)
                break;
            continue;
        }
        read_sign(s, line, &t);
        if (t.failed)
            return plog_scan_fault(s, t.failed, at, 0, "out of memory");
        at += line.n + 1;
    }
    *torn = small && !two_groups(&t);
    s->fault = kept;
    return 0;
}

int plog_scan_resync(struct plog_scan *s, struct plog_commit *commit)
{
    struct plog_span line;
    uint64_t at = s->offset;
    s->chain->chain.unsettled = true; /* damage may hide a rotation */
    for (;;) {
        int rc = plog_window_next(s, &at, &line);
        if (rc)
            return rc;
        if (!commit_holds(s, line, commit, NULL) ||
            commit->size <= s->chain->last.size)
            continue;
        s->offset = at;
        s->chain->last = *commit;
        s->chain->claimed = false;
        s->chain->broken = true;
        if (plog_scan_settle(s, commit))
            return plog_scan_fault(s, PLOG_E_CORRUPT, at, commit->size,
                                   "more keys than a log may have");
        s->chain->chain.unsettled = true; /* a rotation may be passed over */
        return 0;
    }
}
