/* commit_at.c - see commit_at.h. */
#include "commit_at.h"

static bool same_commit(const struct plog_commit *a,
                        const struct plog_commit *b)
{
    return a->size == b->size && !memcmp(a->root, b->root, sizeof a->root) &&
           !strcmp(a->key, b->key) && !memcmp(a->sig, b->sig, sizeof a->sig);
}

/* No commit line and no header is longer. */
#define REACH 8192u

/* The last line that ends at `offset`, read from the file. */
static int line_before(const struct plog_io *io, int fd, uint64_t offset,
                       struct plog_buf *b, struct plog_span *line)
{
    size_t n = offset < REACH ? (size_t)offset : REACH;
    size_t got = 0;
    b->len = 0;
    int rc = plog_buf_reserve(b, n + 1);
    if (!rc)
        rc = plog_io_pread_full(io, fd, b->data, n, offset - n, &got);
    if (rc)
        return rc == PLOG_E_NOMEM ? rc : PLOG_E_IO;
    if (got < n || n < 2 || b->data[n - 1] != '\n')
        return PLOG_END;
    const char *lf = memrchr(b->data, '\n', n - 1);
    if (!lf && n < offset)
        return PLOG_END;
    const char *start = lf ? lf + 1 : b->data;
    *line = plog_span(start, (size_t)(b->data + n - 1 - start));
    return 0;
}

static int read_commit(const struct plog_io *io, struct plog_span line,
                       const struct plog_store_head *h, const char *origin,
                       struct plog_commit *c)
{
    struct plog_json json;
    struct plog_segment_header header;
    if (plog_line_kind(line) == PLOG_LINE_COMMIT)
        return plog_commit_parse(line, c) ? PLOG_END : 0;
    plog_json_init(&json, io);
    int rc = plog_header_parse(&json, line, &header);
    plog_json_fini(&json);
    if (rc)
        return rc == PLOG_E_NOMEM ? rc : PLOG_END;
    if (strcmp(header.origin, origin) != 0)
        return PLOG_E_FOREIGN;
    *c = header.last;
    return header.first == h->segment ? 0 : PLOG_END;
}

/* Whether the segment's header names the store's log. */
static int check_origin(const struct plog_io *io, int fd, const char *origin,
                        struct plog_buf *b)
{
    struct plog_buf want;
    size_t got = 0;
    plog_buf_init(&want, io);
    int rc = plog_buf_add_text(&want, "{\"segment\":{\"format\":1,\"origin\":");
    if (!rc)
        rc = plog_buf_add_json(&want, plog_span_text(origin));
    if (!rc)
        rc = plog_buf_add_char(&want, ',');
    b->len = 0;
    if (!rc)
        rc = plog_buf_reserve(b, want.len);
    if (!rc && plog_io_pread_full(io, fd, b->data, want.len, 0, &got))
        rc = PLOG_E_IO;
    if (!rc && (got < want.len || memcmp(b->data, want.data, want.len) != 0))
        rc = PLOG_END;
    plog_buf_fini(&want);
    return rc;
}

bool plog_commit_lies(const struct plog_dir *dir, int fd,
                      const struct plog_store_head *h)
{
    struct plog_buf b;
    struct plog_span line;
    struct plog_commit c;
    plog_buf_init(&b, dir->io);
    bool lies = line_before(dir->io, fd, h->offset, &b, &line) == 0 &&
                read_commit(dir->io, line, h, h->origin, &c) == 0 &&
                same_commit(&c, &h->commit);
    plog_buf_fini(&b);
    return lies;
}

static int cannot_read(uint64_t segment, int rc, struct plog_error *err)
{
    char shown[PLOG_SEGMENT_FILE];
    plog_segment_file(segment, false, shown);
    plog_fail(err, rc, "reading the log's last commit failed");
    plog_err_file(err, shown);
    return rc;
}

int plog_commit_reads(const struct plog_dir *dir,
                      const struct plog_keychain *keys, int fd,
                      const struct plog_store_head *h,
                      const struct plog_vkey **key, struct plog_error *err)
{
    struct plog_buf b;
    struct plog_span line;
    struct plog_commit c;
    /* A header has the name that the log had before it: the first one of a
     * restored copy that goes on is still by its old name. */
    const char *origin = plog_keychain_name(
        keys, h->segment > 1 ? h->segment - 1 : 1, h->origin);
    plog_buf_init(&b, dir->io);
    int rc = check_origin(dir->io, fd, origin, &b);
    if (!rc)
        rc = line_before(dir->io, fd, h->offset, &b, &line);
    if (!rc)
        rc = read_commit(dir->io, line, h, origin, &c);
    plog_buf_fini(&b);
    if (rc == PLOG_END)
        return rc;
    if (rc == PLOG_E_FOREIGN)
        return plog_fail(err, rc, "the segment belongs to another log");
    if (rc)
        return cannot_read(h->segment, rc, err);
    if (!same_commit(&c, &h->commit))
        return PLOG_END;
    *key = plog_keychain_at(keys, c.size);
    if (*key && strcmp((*key)->id_text, c.key) == 0)
        return 0;
    plog_fail(err, PLOG_E_UNKNOWN_KEY,
              "the head is signed by key %s, which is not trusted here", c.key);
    plog_err_hint(err, PLOG_KEY_TRUST);
    return PLOG_E_UNKNOWN_KEY;
}

int plog_commit_stands(const struct plog_dir *dir,
                       const struct plog_keychain *keys, int fd,
                       const struct plog_store_head *h, struct plog_error *err)
{
    const struct plog_vkey *key;
    const struct plog_commit *c = &h->commit;
    int rc = plog_commit_reads(dir, keys, fd, h, &key, err);
    if (rc)
        return rc;
    return plog_checkpoint_verify(key, h->origin, c->size, c->root, c->sig)
               ? 0
               : PLOG_END;
}
