/*
 * reader_whose.c - whether the store that a reader opened is that of the log
 * beside it.
 *
 * Readers answer from the store alone, so they must not take that of another
 * directory for this one's.  What is damaged, missing or cannot be read is no
 * reason to refuse: only a log that names itself otherwise is.
 */
#include "commit_at.h"
#include "reader.h"

struct whose {
    struct plog_reader *r;
    struct plog_store_head head;
    struct plog_keychain keys;       /* as far as the store tells them */
    bool has_keys;                   /* these were asked for */
    char other[PLOG_ORIGIN_MAX + 1]; /* a name that is not the store's; "" */
};

/* No header is longer. */
#define REACH 8192u

/* Of segment `first`; whether there is one that can be read. */
static bool read_header(struct plog_reader *r, uint64_t first,
                        struct plog_segment_header *out)
{
    struct plog_buf b;
    struct plog_json json;
    struct plog_stat st;
    size_t got = 0;
    bool good = false;
    int fd;
    if (plog_dir_open_segment(&r->dir, first, false, &fd, &st, NULL))
        return false;
    plog_buf_init(&b, r->io);
    plog_json_init(&json, r->io);
    if (!plog_buf_reserve(&b, REACH) &&
        !plog_io_pread_full(r->io, fd, b.data, REACH, 0, &got)) {
        const char *lf = memchr(b.data, '\n', got);
        good = lf && plog_header_parse(&json,
                                       plog_span(b.data, (size_t)(lf - b.data)),
                                       out) == 0;
    }
    plog_json_fini(&json);
    plog_buf_fini(&b);
    r->io->close(r->io->ctx, fd);
    return good;
}

bool plog_reader_segment_name(struct plog_reader *r, uint64_t first, char *name)
{
    struct plog_segment_header h;
    bool named = read_header(r, first, &h);
    if (named)
        memcpy(name, h.origin, sizeof h.origin);
    return named;
}

/* Once; those before a rotation that tells nothing count, trusted or not. */
static void read_keys(struct whose *w)
{
    if (w->has_keys)
        return;
    w->has_keys = true;
    int rc =
        plog_store_keys(&w->r->store, &w->head, &w->r->keys, &w->keys, NULL);
    (void)rc; /* of trust; those that it came to are in the chain */
}

/* A name that the log has or had, by its store. */
static bool is_ours(struct whose *w, const char *name)
{
    if (strcmp(name, w->head.origin) == 0)
        return true;
    read_keys(w);
    for (unsigned i = 0; i < w->keys.count; i++)
        if (strcmp(name, w->keys.keys[i].name) == 0)
            return true;
    return false;
}

/* Whether the store's head lies there, whatever the header says. */
static bool holds_head(struct whose *w, uint64_t first)
{
    struct plog_reader *r = w->r;
    struct plog_stat st;
    int fd;
    if (first != w->head.segment ||
        plog_dir_open_segment(&r->dir, first, false, &fd, &st, NULL))
        return false;
    bool holds = plog_commit_lies(&r->dir, fd, &w->head);
    r->io->close(r->io->ctx, fd);
    return holds;
}

/* Whether segment `first` has a name of ours, or the store's head. */
static bool is_segment(struct whose *w, uint64_t first)
{
    struct plog_segment_header h;
    bool named = read_header(w->r, first, &h);
    bool ours = (named && is_ours(w, h.origin)) || holds_head(w, first);
    if (named && !ours)
        memcpy(w->other, h.origin, sizeof w->other);
    return ours;
}

static bool is_in_log(struct whose *w)
{
    struct plog_buf list;
    bool ours = is_segment(w, w->head.segment); /* usually that is all */
    plog_buf_init(&list, w->r->io);
    int rc = ours ? 0 : plog_dir_segments(&w->r->dir, &list, NULL);
    /* An odd file among them hides none of the others. */
    ours |= rc != 0 && rc != PLOG_E_CORRUPT;
    for (size_t i = plog_segment_count(&list); !ours && i > 0; i--)
        ours = is_segment(w, plog_segment_at(&list, i - 1));
    plog_buf_fini(&list);
    return ours;
}

int plog_reader_check_log(struct plog_reader *r, struct plog_error *err)
{
    struct whose w = {.r = r};
    struct plog_error why = {0};
    if (plog_store_get_head(&r->store, &w.head, NULL) ||
        w.head.commit.size == 0 || is_in_log(&w))
        return 0;
    if (w.other[0]) {
        plog_fail(err, PLOG_E_FOREIGN,
                  "the log is `%s`, the store belongs to `%s`", w.other,
                  w.head.origin);
        plog_err_file(err, PLOG_STORE_FILE);
        plog_err_hint(err, "run: paritylog parity DIR");
        return PLOG_E_FOREIGN;
    }
    /* No log that tells: do the keys? */
    if (plog_store_keys(&r->store, &w.head, &r->keys, &w.keys, &why) !=
        PLOG_E_FOREIGN)
        return 0;
    if (err)
        *err = why;
    return PLOG_E_FOREIGN;
}
