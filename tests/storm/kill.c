/*
 * kill.c - the storm of kill -9: real histories are appended by the command,
 * which is killed at random moments and continued from its last receipt.
 *
 * At the end the records are exactly the tree that git says (an outside
 * witness), parity is CLEAN, and so they are after store.db was deleted and
 * replayed.  Every receipt that was read stands in the log as it was given.
 *
 * STORM_SEED, STORM_KILLS (100 a history), PARITYLOG (the command),
 * STORM_DATA (tests/data).
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "paritylog_recovery.h"

#define LINES_MAX 20000

static char *lines[LINES_MAX];
static size_t line_count;
static char **receipts; /* by line */

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value ? value : otherwise;
}

/* ---- The history -------------------------------------------------------- */

static char *read_gz(const char *path)
{
    gzFile f = gzopen(path, "rb");
    size_t cap = 16 << 20, n = 0;
    char *text = malloc(cap);
    int got;
    if (!f || !text) {
        printf("# cannot read %s\n", path);
        exit(1);
    }
    while ((got = gzread(f, text + n, (unsigned)(cap - n - 1))) > 0)
        n += (size_t)got;
    gzclose(f);
    text[n] = '\0';
    return text;
}

static void load_lines(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.jsonl.gz",
             setting("STORM_DATA", "tests/data"), name);
    char *text = read_gz(path);
    line_count = 0;
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"))
        if (line_count < LINES_MAX)
            lines[line_count++] = at; /* stays until the program ends */
    receipts = calloc(line_count, sizeof *receipts);
}

/* ---- One run of the writer ---------------------------------------------- */

struct writer {
    pid_t pid;
    int in, out;
    char buffer[65536];
    size_t length;
};

static void start(struct writer *w, const char *dir, const char *group)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        abort();
    w->pid = fork();
    if (w->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(setting("PARITYLOG", "build/paritylog"), "paritylog", "append",
              dir, "--group", group, "--receipts", "--quiet", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    w->in = in[1];
    w->out = out[0];
    w->length = 0;
    fcntl(w->in, F_SETFL, O_NONBLOCK);
}

/* Takes whole receipts out of the buffer. */
static void take_receipts(struct writer *w, size_t *done)
{
    char *at = w->buffer, *end;
    while ((end = memchr(at, '\n', w->length - (size_t)(at - w->buffer)))) {
        *end = '\0';
        if (*done < line_count)
            receipts[(*done)++] = strdup(at);
        at = end + 1;
    }
    w->length -= (size_t)(at - w->buffer);
    memmove(w->buffer, at, w->length);
}

static bool read_some(struct writer *w, size_t *done)
{
    ssize_t n =
        read(w->out, w->buffer + w->length, sizeof w->buffer - w->length);
    if (n <= 0)
        return false;
    w->length += (size_t)n;
    take_receipts(w, done);
    return true;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t pump(struct writer *w, size_t sent, size_t upto, size_t *at)
{
    while (sent < upto) {
        size_t n = strlen(lines[sent]);
        lines[sent][n] = '\n'; /* give the LF back for the write */
        ssize_t wrote = write(w->in, lines[sent] + *at, n + 1 - *at);
        lines[sent][n] = '\0';
        if (wrote < 0)
            return sent;
        *at += (size_t)wrote;
        if (*at <= n)
            return sent;
        *at = 0;
        sent++;
    }
    return sent;
}

/* Feeds lines from `*done` up to `upto`.  Kills the writer after `after_us`,
 * with its input still open; 0: lets it finish.  Returns whether it died of
 * the kill. */
static bool run(const char *dir, size_t *done, size_t upto, int64_t after_us,
                const char *group)
{
    struct writer w;
    size_t sent = *done, part = 0;
    int status;
    int64_t until = now_us() + after_us;
    start(&w, dir, group);
    for (;;) {
        struct pollfd fds[2] = {{w.out, POLLIN, 0}, {w.in, POLLOUT, 0}};
        int64_t left = after_us ? until - now_us() : 1000000;
        if (left <= 0)
            break;
        poll(fds, sent < upto ? 2 : 1, (int)(left / 1000) + 1);
        if (sent < upto && fds[1].revents)
            sent = pump(&w, sent, upto, &part);
        if (sent == line_count && !after_us && w.in >= 0) {
            close(w.in);
            w.in = -1;
        }
        if (fds[0].revents && !read_some(&w, done))
            break;
    }
    kill(w.pid, SIGKILL);
    if (w.in >= 0)
        close(w.in);
    while (read_some(&w, done)) /* what it had acknowledged counts */
        ;
    close(w.out);
    waitpid(w.pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* ---- What must hold at the end ------------------------------------------ */

struct tree {
    FILE *want;
    size_t rows, wrong;
};

/* Rows come in the order of record_id, as the witness lists them. */
static int compare_row(void *arg, const struct plog_row *row)
{
    struct tree *t = arg;
    char want[4096], got[4096];
    if (!row->values)
        return 0;
    snprintf(got, sizeof got, "%.*s\t%.*s\n", (int)row->values[0].n,
             row->values[0].p, (int)row->values[1].n, row->values[1].p);
    if (!fgets(want, sizeof want, t->want) || strcmp(want, got) != 0)
        t->wrong++;
    t->rows++;
    return 0;
}

static void check_tree(const char *dir, const char *name)
{
    char path[512], command[600], rest[64];
    struct tree t = {0};
    plog_reader *r = NULL;
    snprintf(path, sizeof path, "%s/%s.tree",
             setting("STORM_DATA", "tests/data"), name);
    snprintf(command, sizeof command, "LC_ALL=C sort -t '\t' -k 2 '%s'", path);
    t.want = popen(command, "r");
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_query(
                  r,
                  "SELECT json_extract(payload,'$.blob'),record_id FROM"
                  " records WHERE resource='files' AND payload IS NOT NULL"
                  " ORDER BY record_id",
                  compare_row, &t, NULL),
              0);
    CHECK(t.rows > 0);
    CHECK_UINT(t.wrong, 0);
    CHECK(!fgets(rest, sizeof rest, t.want)); /* and no row is missing */
    pclose(t.want);
    plog_reader_close(r);
}

static void check_parity(const char *dir)
{
    struct plog_check_report report;
    struct plog_error err = {0};
    CHECK_INT(plog_parity(dir, NULL, &report, &err), 0);
    CHECK_TEXT(plog_code_word(report.verdict), "CLEAN");
}

/* The seq in each receipt names the line with the delta's id. */
static int find_id(void *arg, uint64_t seq, const char *line, size_t len)
{
    char id[32];
    snprintf(id, sizeof id, "{\"seq\":%llu,\"id\":", (unsigned long long)seq);
    const char *want = arg;
    size_t n = strlen(id);
    CHECK(len > n && !memcmp(line, id, n));
    CHECK(!strncmp(line + n, want, strcspn(want, ",")));
    return 0;
}

static void check_receipts(const char *dir)
{
    plog_reader *r = NULL;
    REQUIRE(plog_reader_open(&r, dir, NULL, NULL) == 0);
    for (size_t i = 0; i < line_count; i += 1 + line_count / 97) {
        unsigned long long seq = 0;
        char *id = strstr(lines[i], "\"id\": ") + 6;
        REQUIRE(receipts[i] && sscanf(receipts[i], "{\"seq\":%llu", &seq) == 1);
        CHECK_INT(plog_reader_log(r, seq, seq, find_id, id, NULL), 0);
    }
    plog_reader_close(r);
}

static void storm(const char *name)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = PLOG_ARRIVAL,
                                  .segment_size_bytes = 128 << 10};
    struct plog_replay_report replayed;
    char vkey[PLOG_VKEY_MAX], dir[512], path[600];
    uint64_t seed = check_seed();
    size_t done = 0, kills = 0, cut = 0, idle = 0;
    size_t want = strtoul(setting("STORM_KILLS", "100"), NULL, 10);
    const char *const groups[] = {"1", "3", "7", "20"};
    load_lines(name);
    snprintf(dir, sizeof dir, "%s/log", check_dir());
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    int64_t started = now_us();
    while (kills < want) {
        size_t share = 2 * (line_count - done) / (want - kills) + 2;
        size_t upto = done + 1 + (size_t)(check_random(&seed) % share);
        int64_t after = 500 + (int64_t)(check_random(&seed) % 10000);
        size_t before = done;
        if (upto > line_count)
            upto = line_count;
        if (!CHECK(
                run(dir, &done, upto, after, groups[check_random(&seed) % 4])))
            break;
        kills++;
        cut += done < upto;
        idle += done == before;
    }
    run(dir, &done, line_count, 0, "100");
    CHECK_UINT(done, line_count);
    CHECK_UINT(kills, want);
    check_parity(dir);
    check_tree(dir, name);
    check_receipts(dir);
    snprintf(path, sizeof path, "%s/store.db", dir);
    unlink(path);
    CHECK_INT(plog_replay(dir, NULL, &replayed, NULL), 0);
    check_parity(dir);
    check_tree(dir, name);
    printf("# %s: %zu deltas, %zu kills (%zu with lines on their way, %zu"
           " before a first receipt), seed %llu, %.1f s\n",
           name, line_count, kills, cut, idle, (unsigned long long)check_seed(),
           (double)(now_us() - started) / 1e6);
}

static void raft(void)
{
    storm("raft");
}

static void bfs(void)
{
    storm("bfs");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"raft", raft}, {"bfs", bfs}};
    signal(SIGPIPE, SIG_IGN);
    return check_main(argc, argv, cases, 2);
}
