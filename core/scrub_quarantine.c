/*
 * scrub_quarantine.c - copies of redacted payloads in quarantine/, also in
 * folders that somebody moved there, such as a copy of the whole directory.
 *
 * A file of lines keeps all but the lines of the targets, also one that is
 * compressed.  In a database the payload may lie in freed pages and be cut by
 * page borders, so one that ever held it goes as a whole, with its WAL and
 * shared memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "scrub.h"

#define CHUNK (256u << 10)
#define HALF 12 /* of a salt: one of both is whole when a page cuts it */
#define TYPE 0170000u
#define FOLDER 0040000u
#define REGULAR 0100000u
#define DEEPEST 16 /* folders in each other, and none of ours has one */

struct sweep {
    struct plog_legs *l;
    const struct plog_io *io;
    const struct plog_scrub_target *t;
    size_t count;
    struct plog_scrub_report *report;
    int dir; /* the folder at hand */
    unsigned depth;
    char path[1200]; /* below the directory, of what is at hand or failed */
};

static bool holds(const struct sweep *s, const char *p, size_t n)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->t[i].salt[0] && (memmem(p, n, s->t[i].salt, HALF) ||
                                memmem(p, n, s->t[i].salt + HALF, HALF)))
            return true;
    return false;
}

/* Whether the bytes of a file hold half a salt. */
static int search(const struct sweep *s, const char *name, bool *found)
{
    int fd = s->io->open_at(s->io->ctx, s->dir, name, O_RDONLY | O_NOFOLLOW, 0);
    char *buf = plog_alloc(s->io, CHUNK);
    uint64_t at = 0;
    size_t got = CHUNK;
    int rc = fd < 0 ? fd : buf ? 0 : -ENOMEM;
    *found = false;
    while (!rc && !*found && got == CHUNK) {
        rc = plog_io_pread_full(s->io, fd, buf, CHUNK, at, &got);
        *found = !rc && holds(s, buf, got);
        at += CHUNK - 2 * HALF; /* one may lie across the border */
    }
    plog_free(s->io, buf);
    if (fd >= 0)
        s->io->close(s->io->ctx, fd);
    return rc;
}

/* Immutable: SQLite makes no file beside it.  Its WAL is not applied then, but
 * searched for the salt as any file. */
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
 * cannot be read says nothing. */
static bool database_holds(const struct sweep *s)
{
    char uri[3 * (PLOG_DIR_PATH_MAX + sizeof s->path) + 20];
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    bool found = false;
    write_uri(s, uri);
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                        NULL) == SQLITE_OK &&
        !plog_sql_prepare(db, "SELECT line FROM events WHERE seq=?1", &q, NULL))
        for (size_t i = 0; !found && i < s->count; i++) {
            plog_sql_bind_u64(q, 1, s->t[i].seq);
            found = plog_sql_row(q, NULL) == 0 &&
                    !plog_span_equal(plog_sql_text(q, 0), s->t[i].redacted);
            sqlite3_reset(q);
        }
    sqlite3_finalize(q);
    sqlite3_close(db);
    return found;
}

/* store.db-TIME-N, or as somebody moved it there, and the same with -wal or
 * -shm. */
static bool is_database(const char *name)
{
    return strncmp(name, PLOG_STORE_FILE, sizeof PLOG_STORE_FILE - 1) == 0;
}

static int remove_database(struct sweep *s, const char *base)
{
    static const char *const ends[] = {"-wal", "-shm", ""};
    char name[264]; /* as long as one may be, and an end */
    int rc = 0;
    for (int i = 0; !rc && i < 3; i++) {
        snprintf(name, sizeof name, "%.255s%s", base, ends[i]);
        rc = s->io->unlink_at(s->io->ctx, s->dir, name);
        s->report->quarantine += rc == 0;
        rc = rc == -ENOENT ? 0 : rc;
    }
    return rc ? rc : s->io->fsync(s->io->ctx, s->dir);
}

/* @name  of a database, so it is longer than those ends */
static int scrub_database(struct sweep *s, const char *name)
{
    char base[256];
    size_t n = strlen(name);
    bool found = false,
         part = !strcmp(name + n - 4, "-wal") || !strcmp(name + n - 4, "-shm");
    snprintf(base, sizeof base, "%.*s", (int)(part ? n - 4 : n), name);
    int rc = search(s, name, &found);
    if (rc == -ENOENT)
        return 0; /* it went with its database */
    if (!rc && (found || (!part && database_holds(s))))
        rc = remove_database(s, base);
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

static int scrub_one(struct sweep *s, const char *name)
{
    struct plog_stat st;
    uint64_t hits = 0;
    bool packed;
    int rc = s->io->stat_at(s->io->ctx, s->dir, name, &st);
    if (rc == -ENOENT)
        return 0;
    if (!rc && (st.mode & TYPE) == FOLDER)
        return enter(s, name);
    if (rc || (st.mode & TYPE) != REGULAR)
        return rc;
    if (is_database(name))
        return scrub_database(s, name);
    rc = plog_scrub_is_packed(s->io, s->dir, name, &packed);
    if (!rc)
        rc = packed
                 ? plog_scrub_packed(s->io, s->dir, name, s->t, s->count, &hits)
                 : plog_scrub_lines(s->io, s->dir, name, s->t, s->count, true,
                                    &hits);
    s->report->quarantine += hits > 0;
    return rc;
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
        rc = (size_t)snprintf(s->path + n, room, "/%s", name) >= room
                 ? -ENAMETOOLONG
                 : scrub_one(s, name);
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

int plog_scrub_quarantine(struct plog_legs *l,
                          const struct plog_scrub_target *t, size_t count,
                          struct plog_scrub_report *report,
                          struct plog_error *err)
{
    struct sweep s = {.l = l,
                      .io = l->io,
                      .t = t,
                      .count = count,
                      .report = report,
                      .path = "quarantine"};
    int dir, rc = open_it(l, &dir, err);
    if (rc || dir < 0)
        return rc;
    rc = scrub_folder(&s, dir);
    return rc ? plog_fail_io(err, rc, s.path,
                             "taking a redacted payload out of quarantine/")
              : 0;
}

static int note(void *any, const char *name)
{
    (void)name;
    *(bool *)any = true;
    return 0;
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
