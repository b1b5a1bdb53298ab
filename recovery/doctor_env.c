/* doctor_env.c - what log and store stand on, and when a restore was tried
 * last; see doctor.h. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

#include "doctor.h"
#include "fs.h"

/* ---- File system and space ---------------------------------------------- */

/* The lock is what every writer opens first, and opening it changes nothing.
 * Where it is not there yet, nothing can be told. */
void plog_doctor_writing(struct plog_doctor *d)
{
    const struct plog_io *io = d->io;
    int fd = io->open_at(io->ctx, d->reader.dir.dir, "lock", O_RDWR, 0);
    struct plog_stat st;
    if (fd >= 0)
        io->close(io->ctx, fd);
    if (fd == -EROFS)
        plog_doctor_say(d, "file system", PLOG_HEALTH_BAD,
                        "see why (a disk that fails makes the kernel do it),"
                        " then mount it for writing",
                        "mounted read-only: nothing can be appended");
    if ((fd == -EACCES || fd == -EPERM) &&
        !io->stat_at(io->ctx, d->reader.dir.dir, "lock", &st))
        plog_doctor_say(d, "directory", PLOG_HEALTH_WARN,
                        "to append, be the user to whom it belongs",
                        "lock is not for user %u, it belongs to user %u:"
                        " nothing can be appended",
                        plog_io_effective_user(), st.owner);
}

void plog_doctor_file_system(struct plog_doctor *d)
{
    static const char name[] = "file system";
    struct plog_fs fs;
    char type[32];
    const struct plog_dir *dir = &d->reader.dir;
    if (!d->io->file_system || d->io->file_system(d->io->ctx, dir->dir, &fs)) {
        plog_doctor_say(d, name, PLOG_HEALTH_UNKNOWN, NULL, "not known");
        return;
    }
    switch (plog_fs_kind_of(fs.type, type)) {
    case PLOG_FS_NETWORK:
        plog_doctor_say(
            d, name,
            plog_fs_is_allowed(dir) ? PLOG_HEALTH_WARN : PLOG_HEALTH_BAD,
            "move it to a local disk",
            "%s, over a network: SQLite's WAL is not safe there%s", type,
            plog_fs_is_allowed(dir) ? ", and was allowed" : "");
        break;
    case PLOG_FS_MEMORY:
        plog_doctor_say(d, name, PLOG_HEALTH_WARN, "move it to a disk",
                        "%s: in memory, nothing outlives a power cut", type);
        break;
    case PLOG_FS_USER:
        plog_doctor_say(d, name, PLOG_HEALTH_WARN,
                        "find out what is behind it; a network is not safe",
                        "%s: what it does with a sync is not known", type);
        break;
    case PLOG_FS_LOCAL:
        plog_doctor_say(d, name, PLOG_HEALTH_OK, NULL, "%s", type);
        break;
    case PLOG_FS_UNKNOWN:
        plog_doctor_say(d, name, PLOG_HEALTH_NOTE, NULL,
                        "%s, which is not known here", type);
        break;
    }
}

#define MIB (1ull << 20)

/* Below this an append may be refused any moment: a tenth of the log, but a
 * log of terabytes does not need it all. */
static uint64_t least(uint64_t log_bytes)
{
    uint64_t tenth = log_bytes / 10;
    return 16 * MIB + (tenth < 1024 * MIB ? tenth : 1024 * MIB);
}

void plog_doctor_space(struct plog_doctor *d)
{
    static const char name[] = "free space";
    const struct plog_status *s = &d->status;
    struct plog_fs fs;
    if (!d->io->file_system ||
        d->io->file_system(d->io->ctx, d->reader.dir.dir, &fs)) {
        plog_doctor_say(d, name, PLOG_HEALTH_UNKNOWN, NULL, "not known");
        return;
    }
    unsigned long long room = fs.free_bytes / MIB;
    /* What a drill, replay --fresh or redact takes beside what is there. */
    uint64_t both = s->log_bytes + 2 * s->store_bytes;
    if (fs.free_bytes < least(s->log_bytes))
        plog_doctor_say(d, name, PLOG_HEALTH_BAD, "make room on this disk",
                        "%llu MiB: appends will soon be refused", room);
    else if (!d->has_status)
        plog_doctor_say(d, name, PLOG_HEALTH_UNKNOWN, NULL,
                        "%llu MiB; how much both legs take is not known", room);
    else if (fs.free_bytes < both)
        plog_doctor_say(d, name, PLOG_HEALTH_WARN, "make room on this disk",
                        "%llu MiB, less than a second copy of both legs takes"
                        " (%llu MiB): drill, replay --fresh and redact may not"
                        " end",
                        room, (unsigned long long)(both / MIB));
    else
        plog_doctor_say(d, name, PLOG_HEALTH_OK, NULL,
                        "%llu MiB; log and store have %.1f MiB", room,
                        (double)(s->log_bytes + s->store_bytes + s->wal_bytes) /
                            MIB);
}

/* ---- Libraries ---------------------------------------------------------- */

void plog_doctor_libraries(struct plog_doctor *d)
{
    bool resets = sqlite3_libversion_number() < 3051003;
    plog_doctor_say(
        d, "SQLite", resets ? PLOG_HEALTH_NOTE : PLOG_HEALTH_OK,
        resets ? "let no other program write to or checkpoint store.db" : NULL,
        resets ? "%s, which has the WAL-reset defect (mended in 3.51.3); one"
                 " connection at a time writes and checkpoints here, so it is"
                 " not met"
               : "%s",
        sqlite3_libversion());
    plog_doctor_say(d, "libsodium", PLOG_HEALTH_OK, NULL, "%s",
                    sodium_version_string());
}

/* ---- The last drill ----------------------------------------------------- */

struct drilled {
    struct plog_span verdict;
    struct plog_instant at;
};

/* A member's text without its quotes; `none` when it is no string. */
static struct plog_span text_of(struct plog_span value)
{
    return plog_json_kind(value) == 's' ? plog_span(value.p + 1, value.n - 2)
                                        : plog_span("", 0);
}

/* The members of the note that drill.c writes, an object.  One that does not
 * say what it is, or when it was, says nothing. */
static bool read_drill(struct plog_span note, struct drilled *out)
{
    struct plog_json_walk w;
    struct plog_span name, value, schema = plog_span("", 0), at = schema;
    out->verdict = schema;
    plog_json_walk(&w, note);
    while (plog_json_next(&w, &name, &value)) {
        if (plog_span_is(name, "schema"))
            schema = text_of(value);
        else if (plog_span_is(name, "at"))
            at = text_of(value);
        else if (plog_span_is(name, "verdict"))
            out->verdict = text_of(value);
    }
    return plog_span_is(schema, "paritylog/drill-note/1") && out->verdict.n &&
           plog_instant_parse(at, &out->at) == 0;
}

#define DRILL_DAYS 31 /* then it is time for another one */

static void judge_drill(struct plog_doctor *d, const struct drilled *last)
{
    static const char name[] = "last drill";
    static const char next[] = "paritylog drill DIR";
    int64_t now = d->io->clock_real_ns(d->io->ctx) / 1000000000;
    long long days = (now - last->at.seconds) / 86400;
    char at[40], verdict[24];
    plog_instant_format(last->at, at);
    snprintf(verdict, sizeof verdict, "%.*s",
             (int)(last->verdict.n < 24 ? last->verdict.n : 23),
             last->verdict.p);
    bool failed = strcmp(verdict, plog_code_word(0)) != 0;
    if (days < 0)
        plog_doctor_say(d, name, failed ? PLOG_HEALTH_BAD : PLOG_HEALTH_WARN,
                        failed ? "set this machine's clock, then: paritylog"
                                 " drill DIR"
                               : "set this machine's clock",
                        "%s, which is in the future: %s", at, verdict);
    else if (failed)
        plog_doctor_say(d, name, PLOG_HEALTH_BAD, next, "%s: %s, %lld days ago",
                        at, verdict, days);
    else
        plog_doctor_say(d, name,
                        days > DRILL_DAYS ? PLOG_HEALTH_WARN : PLOG_HEALTH_OK,
                        days > DRILL_DAYS ? next : NULL,
                        "%s: %s, %lld days ago", at, verdict, days);
}

void plog_doctor_drill(struct plog_doctor *d)
{
    struct plog_buf text;
    struct plog_json json;
    struct plog_json_fault fault;
    struct drilled last;
    plog_buf_init(&text, d->io);
    plog_json_init(&json, d->io);
    int rc =
        plog_io_read_all(d->io, d->reader.dir.dir, "drill.json", 4096, &text);
    while (!rc && text.len && text.data[text.len - 1] == '\n')
        text.len--;
    if (rc == -ENOENT)
        plog_doctor_say(d, "last drill", PLOG_HEALTH_WARN,
                        "paritylog drill DIR, and put it into cron",
                        "never: whether it can be restored was not tried");
    else if (rc ||
             plog_json_check(&json, plog_span(text.data, text.len), &fault) ||
             !read_drill(plog_span(text.data, text.len), &last))
        plog_doctor_say(d, "last drill", PLOG_HEALTH_UNKNOWN,
                        "paritylog drill DIR", "drill.json cannot be read");
    else
        judge_drill(d, &last);
    plog_json_fini(&json);
    plog_buf_fini(&text);
}

/* ---- The clock ---------------------------------------------------------- */

/* When the last group was logged, by the store. */
static bool last_logged(struct plog_doctor *d, struct plog_instant *out)
{
    struct plog_reader *r = &d->reader;
    sqlite3_stmt *q = NULL;
    struct plog_entry_parser parser;
    struct plog_entry e;
    bool found = false;
    if (!plog_doctor_open_store(d))
        return false;
    plog_entry_parser_init(&parser, d->io);
    if (!plog_sql_prepare(
            r->store.db,
            "SELECT line FROM main.events WHERE seq>coalesce(("
            "SELECT max(size) FROM main.checkpoints WHERE size<("
            "SELECT size FROM main.meta)),0) ORDER BY seq LIMIT 1",
            &q, NULL) &&
        plog_sql_row(q, NULL) == 0)
        found = !plog_entry_parse(&parser, plog_sql_text(q, 0), &e, NULL) &&
                e.logged_at.n && !plog_instant_parse(e.logged_at, out);
    sqlite3_finalize(q);
    plog_entry_parser_fini(&parser);
    return found;
}

void plog_doctor_clock(struct plog_doctor *d)
{
    struct plog_instant last;
    char text[40];
    int64_t now = d->io->clock_real_ns(d->io->ctx) / 1000000000;
    if (!last_logged(d, &last)) {
        plog_doctor_say(d, "clock", PLOG_HEALTH_UNKNOWN, NULL,
                        "when the last group was logged cannot be read");
        return;
    }
    plog_instant_format(last, text);
    if (last.seconds > now + 5)
        plog_doctor_say(d, "clock", PLOG_HEALTH_WARN,
                        "set this machine's clock",
                        "the last group was logged at %s, which is %lld s in"
                        " the future",
                        text, (long long)(last.seconds - now));
    else
        plog_doctor_say(d, "clock", PLOG_HEALTH_OK, NULL,
                        "the last group was logged at %s", text);
}
