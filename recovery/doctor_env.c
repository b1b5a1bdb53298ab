/* doctor_env.c - what log and store stand on; see doctor.h. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

#include "doctor.h"
#include "fs.h"

/* ---- The directory ------------------------------------------------------ */

struct listing {
    struct plog_doctor *d;
    int dir;
    uint64_t files, bytes;
    char odd[160];  /* names that are not ours */
    char loose[64]; /* a file that others may read */
    uint64_t left;  /* folders that a killed command left */
};

static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "log",          "keys",         "lock",       "store.db",
        "store.db-wal", "store.db-shm", "quarantine", "archive",
        "snapshots",    "orders",       "drill.json", PLOG_FS_MARKER};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

static int each_name(void *arg, const char *name)
{
    struct listing *l = arg;
    struct plog_stat st;
    size_t n = strlen(l->odd);
    if (l->d->io->stat_at(l->d->io->ctx, l->dir, name, &st))
        return 0;
    if (strncmp(name, "drill-", 6) == 0 || strcmp(name, "salvage") == 0)
        l->left++;
    else if (!is_ours(name) && n + strlen(name) + 3 < sizeof l->odd)
        snprintf(l->odd + n, sizeof l->odd - n, "%s%s", n ? ", " : "", name);
    if ((st.mode & 0170000) == 0100000 && (st.mode & 077) && !l->loose[0] &&
        strncmp(name, "store.db", 8) == 0)
        snprintf(l->loose, sizeof l->loose, "%.40s has mode %04o", name,
                 st.mode & 07777u);
    return 0;
}

void plog_doctor_directory(struct plog_doctor *d)
{
    static const char name[] = "directory";
    struct listing l = {.d = d, .dir = d->reader.dir.dir};
    struct plog_stat st;
    if (d->io->stat(d->io->ctx, l.dir, &st) ||
        d->io->list(d->io->ctx, l.dir, each_name, &l) < 0) {
        plog_doctor_say(d, name, PLOG_HEALTH_UNKNOWN, NULL,
                        "it cannot be listed");
        return;
    }
    if (st.mode & 077)
        plog_doctor_say(d, name, PLOG_HEALTH_WARN, "chmod 700 DIR",
                        "mode %04o: others may look into it, expected 0700",
                        st.mode & 07777u);
    if (l.loose[0])
        plog_doctor_say(d, name, PLOG_HEALTH_WARN, "chmod 600 DIR/store.db*",
                        "%s: others may read it, expected 0600", l.loose);
    if (l.odd[0])
        plog_doctor_say(d, name, PLOG_HEALTH_WARN,
                        "see what it is; paritylog has not made it",
                        "holds what is not ours: %s", l.odd);
    if (l.left)
        plog_doctor_say(d, name, PLOG_HEALTH_WARN,
                        "paritylog drill DIR, or salvage, takes them away",
                        "%llu folders of a command that was killed",
                        (unsigned long long)l.left);
    if (!(st.mode & 077) && !l.loose[0] && !l.odd[0] && !l.left)
        plog_doctor_say(d, name, PLOG_HEALTH_OK, NULL, "%s, mode 0700",
                        d->reader.dir.path);
}

/* ---- File system and space ---------------------------------------------- */

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

void plog_doctor_space(struct plog_doctor *d)
{
    static const char name[] = "free space";
    struct plog_fs fs;
    unsigned long long mib = 1u << 20;
    if (!d->io->file_system || !d->has_status ||
        d->io->file_system(d->io->ctx, d->reader.dir.dir, &fs)) {
        plog_doctor_say(d, name, PLOG_HEALTH_UNKNOWN, NULL, "not known");
        return;
    }
    /* What a drill, replay --fresh or redact takes beside what is there. */
    uint64_t both = d->status.log_bytes + 2 * d->status.store_bytes;
    if (fs.free_bytes < d->status.log_bytes / 10 + 16 * mib)
        plog_doctor_say(d, name, PLOG_HEALTH_BAD, "make room on this disk",
                        "%llu MiB: appends will soon be refused",
                        (unsigned long long)fs.free_bytes / mib);
    else if (fs.free_bytes < both)
        plog_doctor_say(d, name, PLOG_HEALTH_WARN, "make room on this disk",
                        "%llu MiB, less than a second copy of both legs takes"
                        " (%llu MiB): drill, replay --fresh and redact may not"
                        " end",
                        (unsigned long long)fs.free_bytes / mib,
                        (unsigned long long)both / mib);
    else
        plog_doctor_say(
            d, name, PLOG_HEALTH_OK, NULL,
            "%llu MiB; log and store have %llu MiB",
            (unsigned long long)fs.free_bytes / mib,
            (unsigned long long)(d->status.log_bytes + d->status.store_bytes) /
                mib);
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

/* ---- What lies about ---------------------------------------------------- */

static int add_up(void *arg, const char *name)
{
    struct listing *l = arg;
    struct plog_stat st;
    if (l->d->io->stat_at(l->d->io->ctx, l->dir, name, &st))
        return 0;
    l->files++;
    l->bytes += st.size;
    return 0;
}

void plog_doctor_quarantine(struct plog_doctor *d)
{
    struct listing l = {.d = d};
    l.dir = d->io->open_at(d->io->ctx, d->reader.dir.dir, "quarantine",
                           O_RDONLY | O_DIRECTORY, 0);
    if (l.dir >= 0) {
        (void)d->io->list(d->io->ctx, l.dir, add_up, &l);
        d->io->close(d->io->ctx, l.dir);
    }
    if (l.files)
        plog_doctor_say(d, "quarantine", PLOG_HEALTH_NOTE,
                        "look at it; nothing reads it any more",
                        "%llu files, %llu bytes that could not be used",
                        (unsigned long long)l.files,
                        (unsigned long long)l.bytes);
    else
        plog_doctor_say(d, "quarantine", PLOG_HEALTH_OK, NULL, "empty");
}

/* The members of the note that drill.c writes. */
static bool read_drill(struct plog_buf *text, struct plog_span *at,
                       struct plog_span *verdict)
{
    struct plog_json_walk w;
    struct plog_span name, value;
    *at = *verdict = plog_span("", 0);
    while (text->len && text->data[text->len - 1] == '\n')
        text->len--;
    plog_json_walk(&w, plog_span(text->data, text->len));
    while (plog_json_next(&w, &name, &value))
        if (plog_json_kind(value) == 's' && plog_span_is(name, "at"))
            *at = plog_span(value.p + 1, value.n - 2);
        else if (plog_json_kind(value) == 's' && plog_span_is(name, "verdict"))
            *verdict = plog_span(value.p + 1, value.n - 2);
    return at->n && verdict->n;
}

static void judge_drill(struct plog_doctor *d, struct plog_span at,
                        struct plog_span verdict)
{
    struct plog_instant then;
    int64_t now = d->io->clock_real_ns(d->io->ctx) / 1000000000;
    int64_t days =
        plog_instant_parse(at, &then) ? 0 : (now - then.seconds) / 86400;
    bool clean = plog_span_is(verdict, "CLEAN");
    plog_doctor_say(d, "last drill",
                    !clean      ? PLOG_HEALTH_BAD
                    : days > 31 ? PLOG_HEALTH_WARN
                                : PLOG_HEALTH_OK,
                    clean && days <= 31 ? NULL : "paritylog drill DIR",
                    "%.*s: %.*s, %lld days ago", (int)at.n, at.p,
                    (int)verdict.n, verdict.p, (long long)days);
}

void plog_doctor_drill(struct plog_doctor *d)
{
    struct plog_buf text;
    struct plog_json json;
    struct plog_json_fault fault;
    struct plog_span at, verdict;
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
             !read_drill(&text, &at, &verdict))
        plog_doctor_say(d, "last drill", PLOG_HEALTH_UNKNOWN,
                        "paritylog drill DIR", "drill.json cannot be read");
    else
        judge_drill(d, at, verdict);
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
    if (!r->store_open && plog_reader_open_store(r, 0, NULL))
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
