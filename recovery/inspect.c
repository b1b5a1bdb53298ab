/*
 * inspect.c - what is wrong with the lines of any JSONL file, also of those
 * that others wrote.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <zlib.h>

#include "connections.h"
#include "err.h"
#include "io.h"
#include "json.h"
#include "paritylog_recovery.h"
#include "store.h"

#define CHUNK ((size_t)256 << 10)
#define LINE_MAX_BYTES ((size_t)16 << 20)
#define SEEN_SLOTS ((size_t)1 << 21) /* half of them are filled at most */

struct inspect {
    const struct plog_inspect_options *o;
    struct plog_inspect_report *report;
    const struct plog_io *io;
    int fd;
    uint64_t at; /* bytes read from the file */
    unsigned char *raw;
    z_stream z;
    bool z_open, ended;
    struct plog_buf line, scratch;
    bool long_line;  /* its beginning was dropped */
    uint64_t length; /* of the line at hand */
    uint64_t offset; /* of its first byte */
    uint64_t *seen;  /* hashes of lines; 0: free */
    uint32_t *seen_line;
    unsigned char key[crypto_shorthash_KEYBYTES];
    struct plog_json json;
};

const char *plog_line_class_name(enum plog_line_class c)
{
    static const char *const names[PLOG_LINE_CLASSES] = {
        "ok",    "torn", "cut", "joined", "nul-bytes", "not-json", "not-utf8",
        "empty", "cr",   "bom", "strict", "duplicate", "conflict", "too-long"};
    return c < PLOG_LINE_CLASSES ? names[c] : "?";
}

/* ---- Bytes -------------------------------------------------------------- */

static int read_raw(struct inspect *s, void *out, size_t n, size_t *got,
                    struct plog_error *err)
{
    int rc = plog_io_pread_full(s->io, s->fd, out, n, s->at, got);
    s->at += *got;
    return rc ? plog_fail_io(err, rc, "", "reading the file") : 0;
}

/* The next inflated bytes; a stream that breaks ends there. */
static int inflate_some(struct inspect *s, unsigned char *out, size_t cap,
                        size_t *n, struct plog_error *err)
{
    s->z.next_out = out;
    s->z.avail_out = (unsigned)cap;
    while (s->z.avail_out == cap && !s->ended) {
        if (s->z.avail_in == 0) {
            size_t got;
            int rc = read_raw(s, s->raw, CHUNK, &got, err);
            if (rc)
                return rc;
            s->z.next_in = s->raw;
            s->z.avail_in = (unsigned)got;
            if (got == 0) { /* it ends before its stream does */
                s->report->broken_gzip = true;
                s->ended = true;
                break;
            }
        }
        int z = inflate(&s->z, Z_NO_FLUSH);
        if (z == Z_STREAM_END) {
            size_t got = s->z.avail_in;
            if (got == 0) {
                int rc = read_raw(s, s->raw, CHUNK, &got, err);
                if (rc)
                    return rc;
                s->z.next_in = s->raw;
                s->z.avail_in = (unsigned)got;
            }
            s->ended = got == 0;
            if (!s->ended) /* another member follows */
                inflateReset(&s->z);
        } else if (z != Z_OK) {
            s->report->broken_gzip = true;
            s->ended = true;
        }
    }
    *n = cap - s->z.avail_out;
    return 0;
}

static int refuse_store(const char *path, struct plog_error *err)
{
    plog_fail(err, PLOG_E_INPUT,
              "a file of the store, which is a database of SQLite and no JSON"
              " lines");
    plog_err_file(err, path);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_INPUT;
}

static bool is_named_so(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = sizeof PLOG_STORE_FILE - 1;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strncmp(name, PLOG_STORE_FILE, n) == 0 &&
            strcmp(name + n, ends[i]) == 0)
            return true;
    return false;
}

/* Where this process has a store open, a file of one is not opened, for closing
 * it would take the locks: not by its name, nor by a link, nor by a second
 * name. */
static int check_locks(const struct inspect *s, const char *path,
                       struct plog_error *err)
{
    char real[4096];
    struct plog_stat st;
    if (!plog_connections_any() ||
        s->io->real_path(s->io->ctx, path, real, sizeof real))
        return 0;
    if (is_named_so(real))
        return refuse_store(path, err);
    if (s->io->stat_at(s->io->ctx, AT_FDCWD, real, &st) || st.links < 2)
        return 0;
    plog_fail(err, PLOG_E_INPUT,
              "a file with a second name, which may be that of a store that"
              " this process has open");
    plog_err_file(err, path);
    plog_err_hint(err, "close the store first, or copy the file");
    return PLOG_E_INPUT;
}

static int open_file(struct inspect *s, const char *path,
                     struct plog_error *err)
{
    static const char database[] = "SQLite format 3";
    unsigned char magic[sizeof database];
    size_t got;
    int rc = check_locks(s, path, err);
    if (rc)
        return rc;
    s->fd =
        s->io->open_at(s->io->ctx, AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    if (s->fd < 0) {
        rc = plog_fail_io(err, s->fd, path, "opening the file");
        if (s->fd == -ENOENT || s->fd == -ENOTDIR)
            plog_err_hint(err, "see that the path is right");
        return rc;
    }
    rc = plog_io_check_regular(s->io, s->fd);
    if (rc && rc != -EMLINK) {
        bool folder = rc == -EISDIR;
        rc = plog_fail_io(err, rc, path, "looking at the file");
        if (folder)
            plog_err_hint(err, "name one file, of log/ say; all of a log:"
                               " paritylog verify DIR");
        return rc;
    }
    rc = read_raw(s, magic, sizeof magic, &got, err);
    s->at = 0;
    if (!rc && got == sizeof magic && !memcmp(magic, database, sizeof magic))
        return refuse_store(path, err);
    if (rc || got < 2 || magic[0] != 0x1f || magic[1] != 0x8b)
        return rc;
    s->report->gzip = true;
    s->z_open = inflateInit2(&s->z, 15 + 16) == Z_OK;
    return s->z_open ? 0 : plog_fail(err, PLOG_E_NOMEM, "out of memory");
}

/* ---- Lines -------------------------------------------------------------- */

static bool is_conflict(struct plog_span s)
{
    return plog_span_begins(s, "<<<<<<<") || plog_span_begins(s, ">>>>>>>") ||
           plog_span_begins(s, "|||||||") ||
           (plog_span_begins(s, "=======") && s.n == 7);
}

/* The scanner stops before a word that it does not know. */
static bool begins_a_word(struct plog_span rest)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (rest.n < strlen(words[i]) && memcmp(rest.p, words[i], rest.n) == 0)
            return true;
    return false;
}

/* What the scanner tripped over, as a class. */
static enum plog_line_class by_fault(struct plog_span line,
                                     const struct plog_json_fault *f)
{
    static const struct {
        const char *part;
        enum plog_line_class kind;
    } table[] = {
        {"stands behind", PLOG_LINE_NOT_JSON},
        {"byte order mark", PLOG_LINE_BOM},
        {"UTF-8", PLOG_LINE_NOT_UTF8},
        {"carriage return", PLOG_LINE_CR},
        {"twice in this object", PLOG_LINE_STRICT},
        {"brackets inside", PLOG_LINE_STRICT},
        {"surrogate", PLOG_LINE_STRICT},
        {"u0000", PLOG_LINE_STRICT},
        {"without its end", PLOG_LINE_CUT},
        {"text ends", PLOG_LINE_CUT},
        {"unfinished escape", PLOG_LINE_CUT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!strstr(f->what, table[i].part))
            continue;
        bool object = i == 0 && f->offset < line.n && line.p[f->offset] == '{';
        return object ? PLOG_LINE_JOINED : table[i].kind;
    }
    size_t at =
        f->offset < line.n ? f->offset : line.n; /* n: nothing follows */
    return begins_a_word(plog_span(line.p + at, line.n - at))
               ? PLOG_LINE_CUT
               : PLOG_LINE_NOT_JSON;
}

/* The number of an equal line before, or 0.  Beyond the table's room nothing
 * is looked up any more, and the report says how far it was. */
static uint64_t find_equal(struct inspect *s, struct plog_span line)
{
    uint64_t hash;
    struct plog_inspect_report *r = s->report;
    if (r->compared >= SEEN_SLOTS / 2 || r->lines >= UINT32_MAX)
        return 0;
    r->compared++;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)line.p,
                     line.n, s->key);
    hash |= hash == 0;
    size_t at = (size_t)hash & (SEEN_SLOTS - 1);
    while (s->seen[at] && s->seen[at] != hash)
        at = (at + 1) & (SEEN_SLOTS - 1);
    if (s->seen[at])
        return s->seen_line[at];
    s->seen[at] = hash;
    s->seen_line[at] = (uint32_t)r->lines;
    return 0;
}

static int classify(struct inspect *s, bool ended, struct plog_inspected *l)
{
    struct plog_span line = plog_span(s->line.data, s->line.len);
    struct plog_json_fault fault = {0, ""};
    l->what = "";
    l->same_as = 0;
    if (s->long_line) {
        l->kind = PLOG_LINE_LONG;
        return 0;
    }
    if (s->report->lines == 1)
        s->report->segment =
            plog_span_begins(line, "{\"segment\":{\"format\":");
    s->scratch.len = 0;
    if (line.n == 0)
        l->kind = PLOG_LINE_EMPTY;
    else if (memchr(line.p, '\0', line.n))
        l->kind = PLOG_LINE_NULS;
    else if (is_conflict(line))
        l->kind = PLOG_LINE_CONFLICT;
    else {
        int rc = plog_json_compact(&s->json, line, &s->scratch, &fault);
        if (rc == PLOG_E_NOMEM)
            return rc;
        l->kind = rc ? by_fault(line, &fault) : PLOG_LINE_OK;
        l->what = rc ? fault.what : "";
    }
    if (!ended && (l->kind == PLOG_LINE_CUT || l->kind == PLOG_LINE_OK))
        l->kind = PLOG_LINE_TORN;
    if (l->kind == PLOG_LINE_OK && (l->same_as = find_equal(s, line)) > 0)
        l->kind = PLOG_LINE_DUPLICATE;
    return 0;
}

static int end_line(struct inspect *s, bool ended, struct plog_error *err)
{
    struct plog_inspect_report *r = s->report;
    struct plog_inspected l = {.offset = s->offset, .length = s->length};
    l.line = ++r->lines;
    if (classify(s, ended, &l))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    r->counts[l.kind]++;
    if (l.kind != PLOG_LINE_OK && r->lines - 1 == r->counts[PLOG_LINE_OK])
        r->first_fault = s->offset;
    s->offset += s->length + 1;
    s->length = 0;
    s->line.len = 0;
    s->long_line = false;
    if (l.kind != PLOG_LINE_OK && s->o->line && s->o->line(s->o->arg, &l))
        return plog_fail(err, PLOG_E_INTERRUPTED, "stopped at line %llu",
                         (unsigned long long)l.line);
    struct plog_progress p = {r->lines, 0, r->bytes, "inspect"};
    if (r->lines % 1000 == 0 && s->o->progress && s->o->progress(s->o->arg, &p))
        return plog_fail(err, PLOG_E_INTERRUPTED, "stopped at line %llu",
                         (unsigned long long)l.line);
    return 0;
}

/* Bytes of the line at hand; of one that is too long only the beginning. */
static int add(struct inspect *s, const char *p, size_t n,
               struct plog_error *err)
{
    s->length += n;
    if (s->line.len + n > LINE_MAX_BYTES) {
        s->long_line = true;
        n = LINE_MAX_BYTES - s->line.len;
    }
    return plog_buf_add(&s->line, p, n)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

static int take(struct inspect *s, const char *p, size_t n,
                struct plog_error *err)
{
    int rc = 0;
    s->report->bytes += n;
    while (!rc && n) {
        const char *lf = memchr(p, '\n', n);
        size_t part = lf ? (size_t)(lf - p) : n;
        rc = add(s, p, part, err);
        if (!rc && lf)
            rc = end_line(s, true, err);
        p += part + (lf != NULL);
        n -= part + (lf != NULL);
    }
    return rc;
}

static int read_all(struct inspect *s, char *buf, struct plog_error *err)
{
    size_t n = 1;
    int rc = 0;
    while (!rc && n) {
        rc = s->report->gzip
                 ? inflate_some(s, (unsigned char *)buf, CHUNK, &n, err)
                 : read_raw(s, buf, CHUNK, &n, err);
        if (!rc)
            rc = take(s, buf, n, err);
    }
    if (!rc && s->length)
        rc = end_line(s, false, err);
    return rc;
}

int plog_inspect(const char *path, const struct plog_inspect_options *given,
                 struct plog_inspect_report *report, struct plog_error *err)
{
    struct plog_inspect_options own;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    memset(report, 0, sizeof *report);
    if (!path)
        return plog_fail(err, PLOG_E_ARG, "no file was given");
    struct inspect s = {.o = &own, .report = report, .fd = -1};
    s.io = own.io ? own.io : plog_io_posix();
    char *buf = plog_alloc(s.io, 2 * CHUNK);
    s.seen = calloc(SEEN_SLOTS, sizeof *s.seen); /* untouched pages cost none */
    s.seen_line = calloc(SEEN_SLOTS, sizeof *s.seen_line);
    plog_buf_init(&s.line, s.io);
    plog_buf_init(&s.scratch, s.io);
    plog_json_init(&s.json, s.io);
    int rc = buf && s.seen && s.seen_line
                 ? 0
                 : plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (!rc && s.io->random(s.io->ctx, s.key, sizeof s.key))
        rc = plog_fail(err, PLOG_E_IO, "no randomness");
    if (!rc)
        s.raw = (unsigned char *)buf + CHUNK;
    if (!rc)
        rc = open_file(&s, path, err);
    if (!rc)
        rc = read_all(&s, buf, err);
    if (s.fd >= 0)
        s.io->close(s.io->ctx, s.fd);
    if (s.z_open)
        inflateEnd(&s.z);
    plog_json_fini(&s.json);
    plog_buf_fini(&s.line);
    plog_buf_fini(&s.scratch);
    free(s.seen);
    free(s.seen_line);
    plog_free(s.io, buf);
    return plog_done(err, rc);
}
