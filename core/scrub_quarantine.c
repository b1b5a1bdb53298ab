/*
 * scrub_quarantine.c - copies of redacted payloads in quarantine/, also in
 * folders that somebody moved there, such as a copy of the whole directory.
 *
 * A file of lines keeps all but the lines of the targets, also one that is
 * compressed.  In a database the payload may lie in freed pages and be cut by
 * page borders, so one that ever held it goes as a whole, with its WAL and
 * shared memory.
 *
 * What takes a file's place is made as DIR/scrub.new, so no name in quarantine/
 * is ours to remove, and none is too long.  What cannot be searched is left and
 * told, and stops nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "schema.h"
#include "scrub.h"

#define SCRATCH "scrub.new"
#define CHUNK (256u << 10)
#define TYPE 0170000u
#define FOLDER 0040000u
#define REGULAR 0100000u
#define DEEPEST 16 /* folders in each other, and none of ours has one */

struct sweep {
    struct plog_legs *l;
    const struct plog_io *io;
    struct plog_scrub_search search;
    struct plog_scrub_report *report;
    int dir; /* the folder at hand */
    unsigned depth;
    /* Below the directory, of what is at hand or failed. */
    char path[(DEEPEST + 2) * 256];
};

/* A path that is too long to be told loses its middle, and not the file. */
static void shorten(const char *path, char *out, size_t cap)
{
    static const char begin[] = "quarantine/...";
    size_t n = strlen(path), room = cap - sizeof begin;
    const char *tail = n < cap ? NULL : path + n - room;
    const char *folder = tail ? strchr(tail, '/') : NULL;
    snprintf(out, cap, "%s%s", tail ? begin : path,
             folder ? folder
             : tail ? tail
                    : "");
}

/* ---- Databases ---------------------------------------------------------- */

/* Immutable: SQLite makes no file beside it.  Its WAL is not applied then, but
 * searched as any file. */
static void write_uri(const struct sweep *s, char *out)
{
    const char *parts[] = {s->l->dir.path, "/", s->path};
    memcpy(out, "file:", 5);
    out += 5;
    for (int i = 0; i < 3; i++)
        for (const char *p = parts[i]; *p; p++)
            if (strchr("?#%", *p))
                out += sprintf(out, "%%%02X", (unsigned char)*p);
            else
                *out++ = *p;
    memcpy(out, "?immutable=1", 13);
}

/* Whether a database says that it holds the line of a target.  One that
 * cannot be read says nothing, nor does one that is no store: a view of that
 * name might never end. */
static bool database_holds(const struct sweep *s)
{
    char uri[3 * (PLOG_DIR_PATH_MAX + sizeof s->path) + 20];
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    bool found = false;
    write_uri(s, uri);
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                        NULL) == SQLITE_OK &&
        plog_schema_has(db, "events") &&
        !plog_sql_prepare(db, "SELECT line FROM events WHERE seq=?1", &q, NULL))
        for (size_t i = 0; !found && i < s->search.count; i++) {
            const struct plog_scrub_target *t = &s->search.targets[i];
            plog_sql_bind_u64(q, 1, t->seq);
            found = plog_sql_row(q, NULL) == 0 &&
                    !plog_span_equal(plog_sql_text(q, 0), t->redacted);
            sqlite3_reset(q);
        }
    sqlite3_finalize(q);
    sqlite3_close(db);
    return found;
}

/* store.db-TIME-N, or as somebody moved it there, and the same with -wal or
 * -shm; under another name the first bytes tell. */
static bool is_database(const char *name, bool packed, const char *begin,
                        size_t n)
{
    static const char db[] = "SQLite format 3";
    static const char wal[] = {0x37, 0x7f, 0x06};
    return (!packed &&
            strncmp(name, PLOG_STORE_FILE, sizeof PLOG_STORE_FILE - 1) == 0) ||
           (n >= sizeof db && memcmp(begin, db, sizeof db) == 0) ||
           (n >= sizeof wal && memcmp(begin, wal, sizeof wal) == 0);
}

static int remove_one(struct sweep *s, const char *name)
{
    int rc = s->io->unlink_at(s->io->ctx, s->dir, name);
    s->report->quarantine += rc == 0;
    return rc == -ENOENT ? 0 : rc;
}

/* @name  of a part of it, any; of one that is packed, the only one */
static int remove_database(struct sweep *s, const char *name, size_t base,
                           bool packed)
{
    static const char *const ends[] = {"-wal", "-shm", ""};
    char part[264]; /* as long as one may be, and an end */
    int rc = packed ? remove_one(s, name) : 0;
    for (int i = 0; !rc && !packed && i < 3; i++) {
        snprintf(part, sizeof part, "%.*s%s", (int)base, name, ends[i]);
        rc = strlen(part) < 256 ? remove_one(s, part) : 0;
    }
    return rc ? rc : s->io->fsync(s->io->ctx, s->dir);
}

/* Whether the bytes of a database, or of its WAL, have part of a line. */
static int search(const struct sweep *s, struct plog_scrub_source *source,
                  bool *found)
{
    const size_t overlap = PLOG_SCRUB_OVERLAP;
    char *buf = plog_alloc(s->io, overlap + CHUNK);
    size_t have = 0, got = CHUNK;
    int rc = buf ? 0 : -ENOMEM;
    *found = false;
    while (!rc && !*found && got == CHUNK) {
        size_t keep = have < overlap ? have : overlap;
        if (keep)
            memmove(buf, buf + have - keep, keep);
        rc = plog_scrub_source_read(source, buf + keep, CHUNK, &got);
        have = keep + got;
        *found = !rc && plog_scrub_find_bytes(&s->search, buf, have);
    }
    plog_free(s->io, buf);
    return rc;
}

/* Whether this is the WAL or the shared memory of a file that is a database,
 * or of none that is there. */
static int is_part(struct sweep *s, const char *name, bool *part)
{
    struct plog_scrub_source base;
    struct plog_stat st;
    char of[256], begin[16];
    size_t got, n = strlen(name);
    *part = n > 4 &&
            (!strcmp(name + n - 4, "-wal") || !strcmp(name + n - 4, "-shm"));
    if (!*part)
        return 0;
    snprintf(of, sizeof of, "%.*s", (int)(n - 4), name);
    int rc = s->io->stat_at(s->io->ctx, s->dir, of, &st);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    *part = (st.mode & TYPE) == REGULAR;
    if (!*part)
        return 0;
    rc = plog_scrub_source_open(&base, s->io, s->dir, of, false);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    rc = plog_scrub_source_read(&base, begin, sizeof begin, &got);
    *part = !rc && is_database(of, false, begin, got);
    plog_scrub_source_close(&base);
    return rc;
}

static int scrub_database(struct sweep *s, const char *name,
                          struct plog_scrub_source *source)
{
    size_t n = strlen(name);
    bool found = false, part;
    int rc = is_part(s, name, &part);
    if (!rc)
        rc = search(s, source, &found);
    if (!rc && !found && !part && !source->packed)
        found = database_holds(s);
    return rc || !found
               ? rc
               : remove_database(s, name, part ? n - 4 : n, source->packed);
}

/* ---- Files -------------------------------------------------------------- */

static int scrub_lines(struct sweep *s, const char *name,
                       struct plog_scrub_source *source)
{
    struct plog_scrub_file file = {s->io, s->dir, name, s->l->dir.dir, SCRATCH};
    uint64_t hits;
    int rc = plog_scrub_rewrite(&file, source, &s->search, true, &hits);
    s->report->quarantine += hits > 0;
    return rc;
}

static int scrub_file(struct sweep *s, const char *name)
{
    struct plog_scrub_source source;
    char begin[16];
    size_t got;
    int rc = plog_scrub_source_open(&source, s->io, s->dir, name, true);
    if (rc)
        return rc == -ENOENT ? 0 : rc; /* it went with its database */
    source.free += s->l->head.rules.segment_size;
    rc = plog_scrub_source_read(&source, begin, sizeof begin, &got);
    bool database = !rc && is_database(name, source.packed, begin, got);
    source.unpack = source.packed || !database;
    if (!rc)
        rc = plog_scrub_source_rewind(&source);
    if (!rc)
        rc = database ? scrub_database(s, name, &source)
                      : scrub_lines(s, name, &source);
    plog_scrub_source_close(&source);
    return rc;
}

/* ---- Folders ------------------------------------------------------------ */

static int scrub_folder(struct sweep *s, int dir);

static int enter(struct sweep *s, const char *name)
{
    const struct plog_io *io = s->io;
    int outer = s->dir;
    int rc = s->depth == DEEPEST
                 ? -ENAMETOOLONG
                 : io->open_at(io->ctx, outer, name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    s->depth++;
    rc = scrub_folder(s, rc);
    s->depth--;
    s->dir = outer;
    return rc;
}

/* What cannot be searched, or changed, where it lies, though it is there and
 * the disk is well. */
static bool stays(int rc)
{
    return rc == -E2BIG || rc == -ENAMETOOLONG || rc == -EACCES ||
           rc == -EPERM || rc == -EROFS || rc == -EXDEV;
}

static int scrub_one(struct sweep *s, const char *name)
{
    struct plog_scrub_report *r = s->report;
    struct plog_stat st;
    int rc = s->io->stat_at(s->io->ctx, s->dir, name, &st);
    if (rc == -ENOENT)
        return 0;
    if (!rc && (st.mode & TYPE) == FOLDER)
        rc = enter(s, name);
    else if (!rc && (st.mode & TYPE) == REGULAR)
        rc = scrub_file(s, name);
    if (!stays(rc))
        return rc;
    if (r->left++ == 0) {
        r->left_why = rc;
        shorten(s->path, r->left_file, sizeof r->left_file);
    }
    return 0;
}

static int keep_name(void *names, const char *name)
{
    return plog_buf_add(names, name, strlen(name) + 1) ? -ENOMEM : 0;
}

/* @dir  its handle, which is closed; s->path is its name */
static int scrub_folder(struct sweep *s, int dir)
{
    const struct plog_io *io = s->io;
    struct plog_buf names; /* NUL-ended, one after the other */
    size_t n = strlen(s->path), room = sizeof s->path - n;
    s->dir = dir;
    plog_buf_init(&names, io);
    int rc = io->list(io->ctx, dir, keep_name, &names);
    for (size_t at = 0; rc >= 0 && at < names.len;
         at += strlen(names.data + at) + 1) {
        const char *name = names.data + at;
        snprintf(s->path + n, room, "/%s", name); /* there is room */
        rc = scrub_one(s, name);
    }
    if (rc >= 0)
        s->path[n] = '\0';
    io->close(io->ctx, dir);
    plog_buf_fini(&names);
    return rc < 0 ? rc : 0;
}

/* Returns 0 with *fd, -1 when there is none; PLOG_E_IO. */
static int open_it(struct plog_legs *l, int *fd, struct plog_error *err)
{
    int dir = l->io->open_at(l->io->ctx, l->dir.dir, "quarantine",
                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    *fd = dir < 0 ? -1 : dir;
    return dir < 0 && dir != -ENOENT
               ? plog_fail_io(err, dir, "quarantine", "opening quarantine/")
               : 0;
}

/* Of one that was cut off. */
static int clear_scratch(const struct sweep *s)
{
    struct plog_stat st;
    int dir = s->l->dir.dir;
    int rc = s->io->stat_at(s->io->ctx, dir, SCRATCH, &st);
    if (rc != -ENOENT)
        rc = s->io->unlink_at(s->io->ctx, dir, SCRATCH);
    return rc == -ENOENT ? 0 : rc;
}

int plog_scrub_quarantine(struct plog_legs *l,
                          const struct plog_scrub_target *t, size_t count,
                          struct plog_scrub_report *report,
                          struct plog_error *err)
{
    struct sweep s = {
        .l = l, .io = l->io, .report = report, .path = "quarantine"};
    char file[256];
    int dir, rc = open_it(l, &dir, err);
    int scratch = clear_scratch(&s);
    if (rc || dir < 0)
        return rc;
    rc = scratch ? scratch : plog_scrub_search_init(&s.search, l->io, t, count);
    if (rc) /* the handle goes there as well */
        l->io->close(l->io->ctx, dir);
    else
        rc = scrub_folder(&s, dir);
    plog_scrub_search_fini(&s.search);
    if (!rc)
        return 0;
    shorten(s.path, file, sizeof file);
    rc = plog_fail_io(err, rc, scratch ? SCRATCH : file,
                      "taking a redacted payload out of quarantine/");
    if (rc == PLOG_E_IO)
        plog_err_hint(err, "while it cannot be read or changed there, it"
                           " can be moved out of DIR");
    return rc;
}

int plog_scrub_say_left(const struct plog_scrub_report *report,
                        struct plog_error *err)
{
    char file[101];
    int why = report->left_why;
    if (report->left == 0)
        return 0;
    shorten(report->left_file, file, sizeof file);
    if (why == -E2BIG)
        plog_fail(err, PLOG_E_IO,
                  "%s was not searched: it expands to more than %d times"
                  " its size",
                  file, PLOG_SCRUB_RATIO);
    else if (why == -ENAMETOOLONG)
        plog_fail(err, PLOG_E_IO,
                  "%s was not searched: it lies more than %d folders deep",
                  file, DEEPEST);
    else
        plog_fail_io(err, why, NULL,
                     strncmp(file, "quarantine", 10) == 0
                         ? "looking through quarantine/"
                         : "removing what a killed command left");
    plog_err_file(err, report->left_file);
    if (strcmp(file, "archive") != 0) /* that stays where it is */
        plog_err_hint(err, "move it out of DIR%s, then run it again",
                      why == -E2BIG ? ", or expand it there by hand" : "");
    return PLOG_E_IO;
}

static int note(void *any, const char *name)
{
    (void)name;
    *(bool *)any = true;
    return 1; /* one is enough */
}

int plog_scrub_kept(struct plog_legs *l, bool *any, struct plog_error *err)
{
    int dir, rc = open_it(l, &dir, err);
    *any = false;
    if (rc || dir < 0)
        return rc;
    rc = l->io->list(l->io->ctx, dir, note, any);
    l->io->close(l->io->ctx, dir);
    return rc < 0 ? plog_fail_io(err, rc, "quarantine", "listing quarantine/")
                  : 0;
}
