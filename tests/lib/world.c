/* world.c - see world.h. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "order_shim.h"

/* ---- The log ------------------------------------------------------------ */

void world_make(struct world *w, enum plog_strategy strategy,
                uint64_t segment_size)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = strategy,
                                  .segment_size_bytes = segment_size};
    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "%.400s/log", check_dir());
    CHECK_INT(plog_init(w->dir, &o, w->vkey, NULL), 0);
    w->options.struct_size = sizeof w->options;
    w->options.io = order_io();
    CHECK_INT(world_open(w), 0);
}

int world_open(struct world *w)
{
    world_close(w);
    return plog_open(&w->p, w->dir, &w->options, NULL);
}

void world_close(struct world *w)
{
    plog_close(w->p);
    w->p = NULL;
}

char *world_text(char *out, size_t cap, const struct world_delta *d)
{
    char id[300] = "";
    if (d->id)
        snprintf(id, sizeof id, "\"id\":\"%s\",", d->id);
    int n = snprintf(
        out, cap,
        "{%s\"resource\":\"r\",\"record_id\":\"%s\",\"op\":\"%s\",\"payload\":"
        "%s,\"occurred_at\":\"%s\",\"provenance\":{\"source\":\"s\","
        "\"confidence\":%s}}",
        id, d->record ? d->record : "1", d->op ? d->op : "upsert",
        d->payload ? d->payload : "{}",
        d->time ? d->time : "2026-01-02T03:04:05Z",
        d->confidence ? d->confidence : "1");
    CHECK(n > 0 && (size_t)n < cap);
    return out;
}

int world_append(struct world *w, const char *text, struct plog_receipt *r,
                 struct plog_error *err)
{
    if (!CHECK(w->p != NULL))
        return PLOG_E_ARG;
    return plog_append(w->p, text, strlen(text), r, err);
}

int world_put(struct world *w, const char *id, const char *record,
              const char *value, struct plog_receipt *r)
{
    char text[3000], payload[2000];
    struct world_delta d = {.id = id, .record = record, .payload = payload};
    snprintf(payload, sizeof payload, "{\"v\":\"%s\"}", value);
    return world_append(w, world_text(text, sizeof text, &d), r, NULL);
}

void world_put_range(struct world *w, int from, int to)
{
    CHECK_INT(world_open(w), 0);
    for (int i = from; i < to; i++) {
        char record[16], value[16];
        snprintf(record, sizeof record, "r%d", i);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(w, NULL, record, value, NULL), 0);
    }
    world_close(w);
}

/* ---- Reading ------------------------------------------------------------ */

static plog_reader *reader_of(const struct world *w)
{
    plog_reader *r = NULL;
    CHECK_INT(plog_reader_open(&r, w->dir, NULL, NULL), 0);
    return r;
}

uint64_t world_size(const struct world *w)
{
    struct plog_head head = {0};
    plog_reader *r = reader_of(w);
    if (r)
        CHECK_INT(plog_reader_head(r, &head, NULL), 0);
    plog_reader_close(r);
    return head.size;
}

const char *world_record(const struct world *w, const char *record)
{
    static char text[4000];
    struct plog_record r;
    plog_reader *reader = reader_of(w);
    if (!reader)
        return "no reader";
    int rc =
        plog_reader_get(reader, (struct plog_span){"r", 1},
                        (struct plog_span){record, strlen(record)}, &r, NULL);
    if (rc == 0)
        snprintf(text, sizeof text, "%.*s v%" PRIu64, (int)r.payload.n,
                 r.payload.p, r.version);
    else if (r.version)
        snprintf(text, sizeof text, "deleted v%" PRIu64, r.version);
    else
        snprintf(text, sizeof text, "none");
    plog_reader_close(reader);
    return text;
}

struct line {
    char *text;
    size_t len;
};

static int keep_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    struct line *l = arg;
    (void)seq;
    free(l->text);
    l->text = malloc(len + 1);
    if (!l->text)
        abort();
    memcpy(l->text, line, len);
    l->text[len] = '\0';
    l->len = len;
    return 0;
}

char *world_line(const struct world *w, uint64_t seq, size_t *len)
{
    struct line l = {NULL, 0};
    plog_reader *r = reader_of(w);
    if (r)
        CHECK_INT(plog_reader_log(r, seq, seq, keep_line, &l, NULL), 0);
    plog_reader_close(r);
    if (!l.text)
        keep_line(&l, seq, "", 0);
    if (len)
        *len = l.len;
    return l.text;
}

/* ---- Checking ----------------------------------------------------------- */

static int note_finding(void *arg, const struct plog_finding *f)
{
    struct world_found *all = arg;
    if (all->count < WORLD_FINDINGS) {
        struct world_finding *one = &all->first[all->count];
        one->verdict = f->verdict;
        one->leg = f->leg;
        one->seq = f->seq;
        one->offset = f->offset;
        one->has_offset = f->has_offset;
        snprintf(one->file, sizeof one->file, "%.63s", f->file);
        snprintf(one->next, sizeof one->next, "%.150s", f->next);
    }
    all->count++;
    return 0;
}

static int note_unchecked(void *arg, const struct plog_unchecked *u)
{
    (void)u;
    ((struct world_found *)arg)->unchecked++;
    return 0;
}

typedef int check_fn(const char *, const struct plog_check_options *,
                     struct plog_check_report *, struct plog_error *);

static int run_check(check_fn *what, const struct world *w,
                     const struct plog_check_options *o, struct world_found *f)
{
    static unsigned runs;
    struct plog_check_options mine = {.wait_seconds = 0};
    struct plog_error err = {0};
    if (o)
        mine = *o;
    /* By turns with one thread and with two: it is all the same. */
    if (!mine.io && !mine.threads)
        mine.threads = 1 + runs++ % 2;
    mine.struct_size = sizeof mine;
    mine.finding = note_finding;
    mine.unchecked = note_unchecked;
    mine.arg = f;
    memset(f, 0, sizeof *f);
    if (!CHECK_INT(what(w->dir, &mine, &f->report, &err), 0))
        printf("#   %s\n", err.message);
    return f->report.verdict;
}

int world_parity(const struct world *w, const struct plog_check_options *o,
                 struct world_found *f)
{
    return run_check(plog_parity, w, o, f);
}

int world_verify(const struct world *w, const struct plog_check_options *o,
                 struct world_found *f)
{
    return run_check(plog_verify, w, o, f);
}

void world_end(struct world *w, uint64_t size)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report report;
    struct world_found f;
    world_close(w);
    CHECK_INT(world_parity(w, NULL, &f), 0);
    CHECK_UINT(f.count, 0);
    /* A base below the floor: the snapshot there is not read. */
    CHECK_INT(f.unchecked,
              world_number(w, "SELECT base>0 AND base<floor FROM meta"));
    CHECK_UINT(f.report.head.size, size);
    CHECK_INT(plog_replay(w->dir, &o, &report, NULL), 0);
    CHECK_INT(world_parity(w, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, size);
}

/* ---- SQL past the library ----------------------------------------------- */

static sqlite3 *open_store(const struct world *w)
{
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(world_path(w, "store.db"), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000); /* a handle that is closed locks it */
    return db;
}

void world_sql(const struct world *w, const char *sql)
{
    sqlite3 *db = open_store(w);
    if (!CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK))
        printf("#   %s: %s\n", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

int64_t world_number(const struct world *w, const char *sql)
{
    sqlite3_stmt *s = NULL;
    sqlite3 *db = open_store(w);
    CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

/* ---- Files -------------------------------------------------------------- */

const char *world_path(const struct world *w, const char *name)
{
    static char paths[2][700];
    static unsigned next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/%.150s", w->dir, name);
    return path;
}

bool world_has(const struct world *w, const char *name)
{
    return access(world_path(w, name), F_OK) == 0;
}

char *world_read(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = NULL;
    *len = 0;
    if (CHECK(fd >= 0) && fstat(fd, &st) == 0)
        bytes = malloc((size_t)st.st_size + 1);
    if (bytes && CHECK_INT(read(fd, bytes, (size_t)st.st_size), st.st_size))
        *len = (size_t)st.st_size;
    if (!bytes && !(bytes = malloc(1)))
        abort();
    bytes[*len] = '\0';
    if (fd >= 0)
        close(fd);
    return bytes;
}

void world_write(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    if (fd >= 0)
        close(fd);
}

static void run(const char *const argv[])
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    CHECK_INT(status, 0);
}

void world_copy(const char *from, const char *to)
{
    const char *const argv[] = {"cp", "-a", from, to, NULL};
    run(argv);
}

void world_remove(const char *path)
{
    const char *const argv[] = {"rm", "-rf", path, NULL};
    run(argv);
}

void world_drop_store(const struct world *w)
{
    static const char *const names[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    for (int i = 0; i < 3; i++)
        unlink(world_path(w, names[i]));
}

void world_take(const struct world *w, const char *from, const char *name)
{
    char path[700];
    snprintf(path, sizeof path, "%.600s/%s", from, name);
    unlink(world_path(w, name));
    if (access(path, F_OK) == 0)
        world_copy(path, world_path(w, name));
}

void world_take_store(const struct world *w, const char *from)
{
    world_take(w, from, "store.db");
    world_take(w, from, "store.db-wal");
    world_take(w, from, "store.db-shm");
}

double world_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
