/*
 * scan_header.c - the header of a segment, and by which key a commit counts.
 */
#include <stdio.h>

#include "scan_window.h"

const struct plog_vkey *plog_scan_key(const struct plog_scan *s,
                                      const struct plog_commit *c,
                                      const struct plog_vkey **wrong)
{
    const struct plog_keychain *k = &s->chain->chain;
    const struct plog_vkey *now = plog_keychain_at(k, c->size);
    const struct plog_vkey *old = plog_keychain_find(k, c->key);
    const struct plog_vkey *trusted =
        plog_keyring_find(s->chain->keys, plog_span_text(c->key));
    *wrong = NULL;
    if (now && !strcmp(now->id_text, c->key))
        return now;
    if (!old && trusted && (!now || k->unsettled))
        return trusted;
    *wrong = old ? old : trusted;
    return NULL;
}

int plog_scan_settle(struct plog_scan *s, const struct plog_commit *c)
{
    struct plog_keychain *k = &s->chain->chain;
    const struct plog_vkey *wrong, *key = plog_scan_key(s, c, &wrong);
    if (key && !plog_keychain_find(k, c->key) &&
        plog_keychain_add(k, key, c->size))
        return PLOG_E_CORRUPT;
    k->unsettled = false;
    return 0;
}

/* Signed by a key that this log has, but not at that place: nothing that a
 * crash leaves. */
static int wrong_key(struct plog_scan *s, const struct plog_commit *c,
                     uint64_t offset)
{
    const struct plog_vkey *now = plog_keychain_at(&s->chain->chain, c->size);
    plog_scan_fault(s, PLOG_E_TAMPERED, offset, c->size,
                    "signed by a key that is not in force at size %llu",
                    (unsigned long long)c->size);
    snprintf(s->fault.expected, sizeof s->fault.expected, "key %s",
             now ? now->id_text : "?");
    snprintf(s->fault.found, sizeof s->fault.found, "key %s", c->key);
    return PLOG_E_TAMPERED;
}

int plog_scan_checkpoint(struct plog_scan *s, const char *origin,
                         const struct plog_commit *c, uint64_t offset)
{
    const struct plog_vkey *wrong, *key = plog_scan_key(s, c, &wrong);
    if (!key && wrong)
        return wrong_key(s, c, offset);
    if (!key) {
        plog_scan_fault(s, PLOG_E_UNKNOWN_KEY, offset, c->size,
                        "signed by a key that is not trusted here");
        snprintf(s->fault.found, sizeof s->fault.found, "key %s", c->key);
        return PLOG_E_UNKNOWN_KEY;
    }
    /* The origin is the key's name: a header that says otherwise is at fault,
     * not the signature. */
    if (strcmp(key->name, origin) != 0)
        return plog_scan_fault(s, PLOG_E_FOREIGN, 0, 0,
                               "the header's origin is"
                               " not the name of the key that signed");
    if (!plog_checkpoint_verify(key, origin, c->size, c->root, c->sig))
        return plog_scan_fault(s, PLOG_E_TAMPERED, offset, c->size,
                               "the signature over size %llu does not verify",
                               (unsigned long long)c->size);
    return 0;
}

static int foreign(struct plog_scan *s, const struct plog_segment_header *h)
{
    plog_scan_fault(s, PLOG_E_FOREIGN, 0, 0, "a segment of another log");
    snprintf(s->fault.expected, sizeof s->fault.expected, "a segment of %.100s",
             s->chain->origin);
    snprintf(s->fault.found, sizeof s->fault.found, "one of %.100s", h->origin);
    return PLOG_E_FOREIGN;
}

/* The chain takes its place from the header: at the log's first segment, or
 * behind damage, or where the files before are gone. */
static int adopt_header(struct plog_scan *s,
                        const struct plog_segment_header *h, uint64_t first)
{
    struct plog_chain *c = s->chain;
    if (h->first != first) {
        plog_scan_fault(s, PLOG_E_CORRUPT, 0, 0,
                        "the header names another place than the file");
        snprintf(s->fault.expected, sizeof s->fault.expected, "first %llu",
                 (unsigned long long)first);
        snprintf(s->fault.found, sizeof s->fault.found, "first %llu",
                 (unsigned long long)h->first);
        return PLOG_E_CORRUPT;
    }
    /* A name that is damaged, or that of a file which got in here, must not
     * make strangers of all the others. */
    if (c->origin[0] && !c->claimed && strcmp(c->origin, h->origin) != 0)
        return foreign(s, h);
    if (h->last.size) {
        int rc = plog_scan_checkpoint(s, h->origin, &h->last, 0);
        if (rc)
            return rc;
    }
    if (h->last.size) {
        /* That commit may be a rotation: the next one is by another key. */
        bool open = c->broken || !c->chain.count;
        if (plog_scan_settle(s, &h->last))
            return plog_scan_fault(s, PLOG_E_CORRUPT, 0, h->last.size,
                                   "more keys than a log may have");
        c->chain.unsettled = open;
    }
    c->claimed = !h->last.size && (c->claimed || !c->origin[0]);
    memcpy(c->origin, h->origin, sizeof c->origin);
    c->tree = h->tree;
    c->last = h->last;
    if (!h->last.size)
        plog_hash_empty(c->last.root);
    c->broken = false;
    return 0;
}

/* Whether the header is exactly the one that follows the chain. */
static int follow_header(struct plog_scan *s, struct plog_span line,
                         const struct plog_segment_header *h)
{
    struct plog_chain *c = s->chain;
    struct plog_buf want;
    plog_buf_init(&want, s->io);
    int rc = plog_header_format(&want, c->origin, &c->tree, &c->last);
    bool same = !rc && plog_span_equal(line, plog_span(want.data, want.len));
    plog_buf_fini(&want);
    if (rc)
        return plog_scan_fault(s, PLOG_E_NOMEM, 0, 0, "out of memory");
    if (same)
        return 0;
    if (strcmp(h->origin, c->origin) != 0)
        return foreign(s, h);
    if (h->last.size == c->last.size &&
        memcmp(h->last.root, c->last.root, PLOG_HASH_SIZE) != 0 &&
        plog_scan_checkpoint(s, h->origin, &h->last, 0) == 0)
        return plog_scan_fault(s, PLOG_E_FORK, 0, h->last.size,
                               "the header follows another signed history");
    return plog_scan_fault(s, PLOG_E_CORRUPT, 0, c->last.size + 1,
                           "not the header that follows entry %llu",
                           (unsigned long long)c->last.size);
}

/* Takes a header that was parsed. */
static int take_header(struct plog_scan *s, struct plog_span line,
                       const struct plog_segment_header *h, uint64_t first)
{
    int rc = s->chain->origin[0] && !s->chain->broken &&
                     first == s->chain->last.size + 1
                 ? follow_header(s, line, h)
                 : adopt_header(s, h, first);
    if (!rc)
        s->offset = line.n + 1;
    return rc;
}

/* The same header with our number of the format. */
static int with_our_format(struct plog_buf *b, struct plog_span line)
{
    static const char start[] = "{\"segment\":{\"format\":";
    size_t n = sizeof start - 1, at = n;
    while (at < line.n && line.p[at] >= '0' && line.p[at] <= '9')
        at++;
    if (line.n < n || memcmp(line.p, start, n) != 0)
        return PLOG_E_CORRUPT;
    int rc = plog_buf_add(b, line.p, n);
    if (!rc)
        rc = plog_buf_add_u64(b, PLOG_FORMAT);
    return rc ? rc : plog_buf_add(b, line.p + at, line.n - at);
}

/* Whether only the number is another one: the header fits, and the group
 * behind it verifies.  Nothing moves. */
static bool is_ours(struct plog_scan *s, struct plog_span line, uint64_t first)
{
    struct plog_segment_header h;
    struct plog_log_group g;
    struct plog_buf ours;
    size_t length = line.n;
    struct plog_chain *before = plog_alloc(s->io, sizeof *before);
    plog_buf_init(&ours, s->io);
    int rc = before ? with_our_format(&ours, line) : PLOG_E_NOMEM;
    if (before)
        *before = *s->chain;
    line = plog_span(ours.data, ours.len);
    if (!rc)
        rc = plog_header_parse(&s->parser.json, line, &h);
    if (!rc)
        rc = take_header(s, line, &h, first);
    if (!rc) {
        s->offset = length + 1; /* in the file */
        rc = plog_scan_group(s, &g);
    }
    if (before)
        *s->chain = *before;
    s->offset = 0;
    plog_buf_fini(&ours);
    plog_free(s->io, before);
    return rc == 0 || rc == PLOG_END;
}

/* The signature says who is right: a newer program, or whoever changed the
 * number. */
static int other_format(struct plog_scan *s, struct plog_span line,
                        const struct plog_segment_header *h, uint64_t first)
{
    unsigned long long format = h->format;
    if (is_ours(s, line, first))
        return plog_scan_fault(s, PLOG_E_CORRUPT, 0, 0,
                               "the header says format %llu, and what follows"
                               " verifies as format %d",
                               format, PLOG_FORMAT);
    return plog_scan_fault(s, PLOG_E_FORMAT, 0, 0,
                           "format %llu; this program reads format %d", format,
                           PLOG_FORMAT);
}

int plog_scan_header(struct plog_scan *s, uint64_t first)
{
    struct plog_segment_header h;
    struct plog_span line;
    s->first = first;
    int rc = plog_window_line(s, 0, 0, PLOG_LINE_SLACK, &line);
    if (rc < 0)
        return rc;
    if (rc)
        return plog_scan_fault(s, PLOG_E_CORRUPT, 0, 0,
                               "the segment has no whole header");
    rc = plog_header_parse(&s->parser.json, line, &h);
    if (rc == PLOG_E_NOMEM)
        return plog_scan_fault(s, rc, 0, 0, "out of memory");
    if (rc == PLOG_E_FORMAT)
        return other_format(s, line, &h, first);
    if (rc)
        return plog_scan_fault(s, rc, 0, 0, "the header is not one");
    return take_header(s, line, &h, first);
}
