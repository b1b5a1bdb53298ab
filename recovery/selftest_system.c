/* selftest_system.c - what it all stands on: file system, mount, kernel,
 * libraries, the clock; see selftest.h. */
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "delta.h"
#include "fs.h"
#include "selftest.h"

/* ---- File system -------------------------------------------------------- */

static void file_system(struct plog_selftest *t)
{
    static const char name[] = "file system";
    struct plog_fs fs;
    char type[32];
    if (!t->io->file_system || t->io->file_system(t->io->ctx, t->dir, &fs)) {
        plog_selftest_say(t, name, PLOG_TEST_SKIP, NULL,
                          "its kind is not known");
        return;
    }
    unsigned long long room = fs.free_bytes >> 20;
    plog_selftest_figure(t, "free_mib", (double)room);
    enum plog_fs_kind kind = plog_fs_kind_of(fs.type, type);
    t->memory = kind == PLOG_FS_MEMORY;
    if (kind == PLOG_FS_NETWORK)
        plog_selftest_say(
            t, name, t->o->allow_network_fs ? PLOG_TEST_WARN : PLOG_TEST_FAIL,
            "keep logs on a local disk",
            "%s, over a network: SQLite's WAL is not safe there", type);
    else if (kind == PLOG_FS_MEMORY)
        plog_selftest_say(t, name, PLOG_TEST_WARN, "keep logs on a disk",
                          "%s: in memory, nothing outlives a power cut", type);
    else if (kind == PLOG_FS_USER)
        plog_selftest_say(t, name, PLOG_TEST_WARN,
                          "find out what is behind it; a network is not safe",
                          "%s: what it does with a sync is not known", type);
    else
        plog_selftest_say(
            t, name, PLOG_TEST_OK, NULL, "%s, %s; %llu MiB free", type,
            kind == PLOG_FS_LOCAL ? "local" : "not known here", room);
}

/* ---- Mount -------------------------------------------------------------- */

struct mount {
    char point[PLOG_SELFTEST_PATH];
    struct plog_span kind, source, options, more;
};

/* The next word of a line; an empty one at its end. */
static struct plog_span word(struct plog_span *rest)
{
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ')
        n++;
    struct plog_span w = plog_span(rest->p, n);
    n += n < rest->n;
    *rest = plog_span(rest->p + n, rest->n - n);
    return w;
}

/* Blanks in names stand there as \040. */
static void decode(struct plog_span from, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < from.n && n + 1 < cap; i++) {
        if (from.p[i] == '\\' && i + 3 < from.n) {
            char octal[4] = {from.p[i + 1], from.p[i + 2], from.p[i + 3], 0};
            out[n++] = (char)strtol(octal, NULL, 8);
            i += 3;
        } else {
            out[n++] = from.p[i];
        }
    }
    out[n] = '\0';
}

/* id parent major:minor root point options [fields] - kind source more */
static bool read_mount(struct plog_span line, struct mount *m)
{
    struct plog_span w = line;
    for (int i = 0; i < 4; i++)
        word(&line);
    decode(word(&line), m->point, sizeof m->point);
    m->options = word(&line);
    do {
        w = word(&line);
    } while (w.n && !plog_span_is(w, "-"));
    m->kind = word(&line);
    m->source = word(&line);
    m->more = line;
    return m->point[0] == '/' && m->kind.n;
}

static bool is_below(const char *path, const char *point)
{
    size_t n = strlen(point);
    return strcmp(point, "/") == 0 || (strncmp(path, point, n) == 0 &&
                                       (path[n] == '/' || path[n] == '\0'));
}

/* The deepest one; of two on one place the later, which covers the other. */
static bool find_mount(const char *path, struct plog_span all,
                       struct mount *best)
{
    struct mount m;
    bool found = false;
    while (all.n) {
        const char *lf = memchr(all.p, '\n', all.n);
        size_t n = lf ? (size_t)(lf - all.p) : all.n;
        if (read_mount(plog_span(all.p, n), &m) && is_below(path, m.point) &&
            (!found || strlen(m.point) >= strlen(best->point))) {
            *best = m;
            found = true;
        }
        n += lf != NULL;
        all = plog_span(all.p + n, all.n - n);
    }
    return found;
}

static bool has_option(struct plog_span list, const char *option)
{
    size_t n = strlen(option);
    for (size_t at = 0; at + n <= list.n;) {
        if (!memcmp(list.p + at, option, n) &&
            (at + n == list.n || list.p[at + n] == ','))
            return true;
        while (at < list.n && list.p[at] != ',')
            at++;
        at++;
    }
    return false;
}

static const struct {
    const char *option;
    enum plog_test_result result;
    const char *what;
} telling[] = {
    {"volatile", PLOG_TEST_FAIL, "every sync is left out"},
    {"fsync=volatile", PLOG_TEST_FAIL, "every sync is left out"},
    {"nobarrier", PLOG_TEST_WARN, "a sync does not empty the disk's cache"},
    {"barrier=0", PLOG_TEST_WARN, "a sync does not empty the disk's cache"},
    {"nolock", PLOG_TEST_WARN, "locks do not hold between machines"},
    {"local_lock=all", PLOG_TEST_WARN, "locks do not hold between machines"},
    {"soft", PLOG_TEST_WARN, "a write may fail and be done later"},
};

static void say_mount(struct plog_selftest *t, const struct mount *m)
{
    static const char name[] = "mount";
    char about[300];
    snprintf(about, sizeof about, "%.*s at %.100s: %.*s; %.*s",
             (int)(m->source.n < 60 ? m->source.n : 60), m->source.p, m->point,
             (int)(m->options.n < 60 ? m->options.n : 60), m->options.p,
             (int)(m->more.n < 60 ? m->more.n : 60), m->more.p);
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
        if (!has_option(m->options, telling[i].option) &&
            !has_option(m->more, telling[i].option))
            continue;
        plog_selftest_say(t, name, telling[i].result,
                          "mount it without this option", "%s: %s; %s",
                          telling[i].option, telling[i].what, about);
        return;
    }
    plog_selftest_say(t, name, PLOG_TEST_OK, NULL, "%s", about);
}

static void mounted(struct plog_selftest *t)
{
    struct plog_buf all;
    struct mount *m = plog_alloc(t->io, sizeof *m);
    plog_buf_init(&all, t->io);
    if (m &&
        !plog_io_read_all(t->io, AT_FDCWD, "/proc/self/mountinfo", 4u << 20,
                          &all) &&
        find_mount(t->path, plog_span(all.data, all.len), m))
        say_mount(t, m);
    else
        plog_selftest_say(t, "mount", PLOG_TEST_SKIP, NULL,
                          "/proc/self/mountinfo does not tell");
    plog_buf_fini(&all);
    plog_free(t->io, m);
}

/* ---- Kernel and libraries ----------------------------------------------- */

static void kernel(struct plog_selftest *t)
{
    struct plog_buf text;
    plog_buf_init(&text, t->io);
    int rc = plog_io_read_all(t->io, AT_FDCWD, "/proc/sys/kernel/osrelease",
                              256, &text);
    while (!rc && text.len && text.data[text.len - 1] == '\n')
        text.len--;
    if (!rc && text.len)
        plog_selftest_say(t, "kernel", PLOG_TEST_OK, NULL, "Linux %.*s",
                          (int)text.len, text.data);
    else
        plog_selftest_say(t, "kernel", PLOG_TEST_SKIP, NULL,
                          "its version cannot be read");
    plog_buf_fini(&text);
}

static void libraries(struct plog_selftest *t)
{
    static const char name[] = "SQLite";
    bool resets = sqlite3_libversion_number() < 3051003;
    const char *lack =
        sqlite3_threadsafe() == 0 ? "without threads (THREADSAFE=0)"
        : sqlite3_compileoption_used("OMIT_WAL") ? "without its WAL (OMIT_WAL)"
        : sqlite3_compileoption_used("NO_SYNC")  ? "without syncs (NO_SYNC)"
                                                 : NULL;
    if (lack)
        plog_selftest_say(t, name, PLOG_TEST_FAIL, "build it in another way",
                          "%s, built %s", sqlite3_libversion(), lack);
    else if (sqlite3_compileoption_used("DISABLE_DIRSYNC"))
        plog_selftest_say(t, name, PLOG_TEST_WARN, "build it in another way",
                          "%s, built without syncs of directories"
                          " (DISABLE_DIRSYNC)",
                          sqlite3_libversion());
    else
        plog_selftest_say(
            t, name, PLOG_TEST_OK,
            resets ? "let no other program write to or checkpoint store.db"
                   : NULL,
            resets
                ? "%s, which has the WAL-reset defect (mended in 3.51.3); one"
                  " connection at a time writes and checkpoints here, so it"
                  " is not met"
                : "%s",
            sqlite3_libversion());
    plog_selftest_say(t, "libsodium", PLOG_TEST_OK, NULL, "%s",
                      sodium_version_string());
}

/* ---- The clock ---------------------------------------------------------- */

#define YEAR_2024 INT64_C(1704067200)
#define YEAR_2100 INT64_C(4102444800)

/* Goes back?  And the least step that it makes, in nanoseconds. */
static bool runs_back(const struct plog_io *io, int64_t *step)
{
    int64_t last = io->clock_mono_ns(io->ctx);
    *step = INT64_MAX;
    for (int i = 0; i < 2000; i++) {
        int64_t now = io->clock_mono_ns(io->ctx);
        if (now < last)
            return true;
        if (now > last && now - last < *step)
            *step = now - last;
        last = now;
    }
    return false;
}

static void clocks(struct plog_selftest *t)
{
    static const char name[] = "clock";
    int64_t now = t->io->clock_real_ns(t->io->ctx) / 1000000000, step;
    bool back = runs_back(t->io, &step);
    char at[40];
    plog_instant_format((struct plog_instant){.seconds = now}, at);
    if (back)
        plog_selftest_say(t, name, PLOG_TEST_FAIL, NULL,
                          "the monotonic clock goes back");
    else if (now < YEAR_2024 || now > YEAR_2100)
        plog_selftest_say(t, name, PLOG_TEST_WARN, "set this machine's clock",
                          "it is %s here", at);
    else
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "%s; monotonic, in steps of %lld ns", at,
                          (long long)(step == INT64_MAX ? 0 : step));
}

void plog_selftest_system(struct plog_selftest *t)
{
    file_system(t);
    mounted(t);
    kernel(t);
    libraries(t);
    clocks(t);
}
