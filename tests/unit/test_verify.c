/*
 * test_verify.c - changes to the log: each is found by verify alone, and
 * placed; keys and heads that somebody kept elsewhere find the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "line.h"
#include "tree.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;

/* A closed log of `entries` entries, one a group, about three records. */
static void make(unsigned entries, uint64_t segment_size)
{
    char id[20], record[4];
    world_make(&w, PLOG_ARRIVAL, segment_size);
    for (unsigned i = 2; i <= entries; i++) {
        snprintf(id, sizeof id, "id-%u", i);
        snprintf(record, sizeof record, "%u", i % 3);
        CHECK_INT(world_put(&w, id, record, id, NULL), 0);
    }
    world_close(&w);
}

static bool finds(const struct world_found *f, unsigned i, int verdict,
                  enum plog_leg leg, uint64_t seq)
{
    bool ok = CHECK(i < f->count);
    ok &= CHECK_TEXT(plog_code_word(f->first[i].verdict),
                     plog_code_word(verdict));
    ok &= CHECK_TEXT(plog_leg_name(f->first[i].leg), plog_leg_name(leg));
    ok &= CHECK_UINT(f->first[i].seq, seq);
    ok &= CHECK(f->first[i].next[0] != '\0');
    return ok;
}

/* ---- The log ------------------------------------------------------------ */

struct file {
    char *bytes;
    size_t n;
};

static struct file load(const char *name)
{
    struct file f;
    f.bytes = world_read(world_path(&w, name), &f.n);
    return f;
}

static void save(struct file *f, const char *name)
{
    world_write(world_path(&w, name), f->bytes, f->n);
    free(f->bytes);
}

static uint64_t line_start(const struct file *f, const char *at)
{
    while (at > f->bytes && at[-1] != '\n')
        at--;
    return (uint64_t)(at - f->bytes);
}

/* The attack on the log: an entry is changed, and the root in its commit line
 * is computed anew; only the signature cannot be.  Every group that the
 * change reaches is found to be TAMPERED, the first one first. */
static void recompute_attack(void)
{
    struct plog_tree tree;
    struct plog_commit c;
    struct plog_buf out;
    struct world_found f;
    make(6, 0);
    struct file log = load(SEGMENT_1);
    plog_tree_init(&tree);
    plog_buf_init(&out, plog_io_posix());
    memcpy(strstr(log.bytes, "\"v\":\"id-4\""), "\"v\":\"id-x\"", 10);
    for (char *at = log.bytes, *end; (end = strchr(at, '\n')); at = end + 1) {
        unsigned char leaf[PLOG_HASH_SIZE];
        struct plog_span line = {at, (size_t)(end - at)};
        if (!strncmp(at, "{\"seq\"", 6)) {
            plog_hash_leaf(line.p, line.n, leaf);
            CHECK_INT(plog_tree_add(&tree, leaf), 0);
        }
        if (plog_commit_parse(line, &c)) {
            CHECK_INT(plog_buf_add_span(&out, line), 0);
        } else {
            plog_tree_root(&tree, c.root);
            CHECK_INT(plog_commit_format(&out, &c), 0);
        }
        CHECK_INT(plog_buf_add_char(&out, '\n'), 0);
    }
    CHECK_UINT(out.len, log.n);
    memcpy(log.bytes, out.data, log.n);
    plog_buf_fini(&out);
    save(&log, SEGMENT_1);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TAMPERED);
    finds(&f, 0, PLOG_E_TAMPERED, PLOG_LEG_LOG, 4);
    CHECK_TEXT(f.first[0].file, SEGMENT_1);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_TAMPERED);
    finds(&f, 0, PLOG_E_TAMPERED, PLOG_LEG_LOG, 4);
    CHECK(world_open(&w) < 0); /* nobody signs on it */
}

/* A delta in a spelling that the quick reader of lines leaves alone is judged
 * as a delta, whatever control entries stand beside it. */
static void an_escaped_name(void)
{
    char text[400];
    struct world_found f;
    struct world_delta d = {.record = "1", .payload = "{\"\\u0061\":1}"};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
    CHECK_TEXT(world_record(&w, "1"), "{\"\\u0061\":1} v1");
    CHECK_INT(plog_set_strategy(w.p, PLOG_LAST_WRITE_WINS, NULL, NULL), 0);
    CHECK_INT(world_verify(&w, NULL, &f), 0);
    CHECK_UINT(f.report.entries, 3);
    world_end(&w, 3);
}

/* ---- Roots -------------------------------------------------------------- */

static char expected[96], found[96]; /* of the first finding */
static unsigned findings;

static int keep_roots(void *arg, const struct plog_finding *f)
{
    (void)arg;
    CHECK_INT(f->verdict, PLOG_E_TAMPERED);
    if (findings++)
        return 0;
    snprintf(expected, sizeof expected, "%s", f->expected);
    snprintf(found, sizeof found, "%s", f->found);
    return 0;
}

static void show_root(const unsigned char *root, char *out, size_t cap)
{
    struct plog_buf b;
    plog_buf_init(&b, plog_io_posix());
    CHECK_INT(plog_buf_add_base64(&b, root, PLOG_HASH_SIZE), 0);
    snprintf(out, cap, "root %.*s", (int)b.len, b.data);
    plog_buf_fini(&b);
}

/* A log of three entries, the second one changed: the root that was signed and
 * the one that its lines have. */
static void change_the_second(char *was, char *is, size_t cap)
{
    struct plog_tree tree;
    struct plog_commit c;
    make(3, 0);
    struct file log = load(SEGMENT_1);
    plog_tree_init(&tree);
    memcpy(strstr(log.bytes, "\"v\":\"id-2\""), "\"v\":\"id-x\"", 10);
    for (char *at = log.bytes, *end; (end = strchr(at, '\n')); at = end + 1) {
        unsigned char hash[PLOG_HASH_SIZE];
        struct plog_span line = {at, (size_t)(end - at)};
        if (!strncmp(at, "{\"seq\"", 6)) {
            plog_hash_leaf(line.p, line.n, hash);
            CHECK_INT(plog_tree_add(&tree, hash), 0);
        }
        if (plog_commit_parse(line, &c) || c.size != 2)
            continue;
        show_root(c.root, was, cap);
        plog_tree_root(&tree, hash);
        show_root(hash, is, cap);
    }
    save(&log, SEGMENT_1);
}

static long left = -1; /* allocations that succeed; < 0: all */

static void *one_fails(void *ctx, void *p, size_t n)
{
    if (n && left >= 0 && left-- == 0)
        return NULL;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* Both are told, and where there is no memory for them, neither. */
static void both_roots_are_told(void)
{
    char was[96] = "", is[96] = "";
    struct plog_io io = *plog_io_posix();
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = &io, .finding = keep_roots};
    struct plog_check_report report;
    unsigned silent = 0;
    bool failed = true;
    change_the_second(was, is, sizeof was);
    io.alloc = one_fails;
    CHECK_INT(plog_verify(w.dir, &o, &report, NULL), 0);
    CHECK_INT(report.verdict, PLOG_E_TAMPERED);
    CHECK_TEXT(expected, was);
    CHECK_TEXT(found, is);
    CHECK(strcmp(was, is) != 0);
    for (long n = 0; failed && n < 400 && !check_failing(); n++) {
        left = n;
        findings = 0;
        int rc = plog_verify(w.dir, &o, &report, NULL);
        failed = left < 0;
        left = -1;
        if (rc) {
            CHECK_INT(rc, PLOG_E_NOMEM);
            continue;
        }
        CHECK_TEXT(expected, expected[0] ? was : "");
        CHECK_TEXT(found, expected[0] ? is
                                      : "the lines of entries 2 to 2 do not"
                                        " hash to their signed root");
        silent += !expected[0];
    }
    CHECK(!failed);
    CHECK_UINT(silent, 2); /* each of the two */
}

/* ---- The end ------------------------------------------------------------ */

static void put_long(const char *id, size_t n)
{
    static char payload[200000], text[sizeof payload + 400];
    struct world_delta d = {.id = id, .record = "1", .payload = payload};
    memset(payload, 'p', n);
    memcpy(payload, "{\"v\":\"", 6);
    memcpy(payload + n - 2, "\"}", 3);
    world_text(text, sizeof text, &d);
    CHECK_INT(world_append(&w, text, NULL, NULL), 0);
}

/* Two groups of one long line each; the first one's commit is damaged, the
 * second one ends where its line does, without the LF.  That there is a second
 * shows that the first was whole: damage, which nobody may cut off as what a
 * crash left, however long the lines are that tell. */
static void a_line_without_its_end(void)
{
    struct world_found f;
    static const size_t sizes[] = {1000, 70000, 150000};
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            world_make(&w, PLOG_ARRIVAL, 0);
            put_long("first", sizes[a]);
            put_long("second", sizes[b]);
            world_close(&w);
            world_remove(world_path(&w, "store.db"));
            world_remove(world_path(&w, "store.db-wal"));
            struct file log = load(SEGMENT_1);
            char *commit = strstr(log.bytes, "{\"commit\":{\"size\":2,");
            char *last = strstr(log.bytes, "{\"commit\":{\"size\":3,");
            REQUIRE(commit != NULL && last != NULL);
            commit[3] = 'X';
            log.n = (size_t)(last - log.bytes) - 1;
            CHECK(log.bytes[log.n] == '\n');
            save(&log, SEGMENT_1);
            CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_CORRUPT);
            CHECK(world_open(&w) < 0);
            CHECK(!world_has(&w, "quarantine"));
        }
}

/* Damage in the middle, the store whole: its very line is named, by seq and
 * by the offset at which it starts, and nothing else is. */
static void the_damaged_line_is_named(void)
{
    make(9, 0);
    for (unsigned seq = 2; seq < 9; seq++) {
        char what[24];
        struct world_found f;
        struct file log = load(SEGMENT_1);
        snprintf(what, sizeof what, "\"v\":\"id-%u\"", seq);
        char *at = strstr(log.bytes, what);
        REQUIRE(at != NULL);
        uint64_t offset = line_start(&log, at);
        at[5] ^= 1; /* the i of the value */
        save(&log, SEGMENT_1);
        CHECK(plog_exit_status(world_parity(&w, NULL, &f)) == 5);
        CHECK_UINT(f.count, 1);
        finds(&f, 0, f.report.verdict, PLOG_LEG_LOG, seq);
        CHECK(f.first[0].has_offset);
        CHECK_UINT(f.first[0].offset, offset);
        log = load(SEGMENT_1);
        char *back = strstr(log.bytes + offset, "\"v\":\"h");
        REQUIRE(back != NULL);
        back[5] = 'i'; /* as it was */
        save(&log, SEGMENT_1);
    }
    world_end(&w, 9);
}

static char ranges[400];

static int on_unchecked(void *arg, const struct plog_unchecked *u)
{
    size_t n = strlen(ranges);
    (void)arg;
    snprintf(ranges + n, sizeof ranges - n, "%" PRIu64 "-%" PRIu64 " %s; ",
             u->from, u->to, u->why);
    return 0;
}

/* Behind damage the signatures count yet, but not the hashes: which entries
 * that concerns is told, up to the header that gives the hashes again, or to
 * the end. */
static void what_is_left_unchecked(void)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .unchecked = on_unchecked};
    struct plog_check_report r;
    for (int more = 0; more < 2; more++) {
        uint64_t first = 0;
        make(6, 0);
        CHECK_INT(world_open(&w), 0);
        if (more) {
            CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
            CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
        }
        world_close(&w);
        struct file log = load(SEGMENT_1);
        memcpy(strstr(log.bytes, "\"v\":\"id-3\""), "\"v\":\"id-x\"", 10);
        save(&log, SEGMENT_1);
        memset(ranges, 0, sizeof ranges);
        CHECK_INT(plog_verify(w.dir, &o, &r, NULL), 0);
        CHECK_INT(r.verdict, PLOG_E_TAMPERED);
        CHECK_TEXT(ranges,
                   more ? "3-3 damaged: see the findings; 4-6 behind damage:"
                          " hashes follow again from the next segment header; "
                        : "3-3 damaged: see the findings; 4-6 behind damage:"
                          " no segment header follows that would give the"
                          " hashes again; ");
        CHECK_UINT(r.entries, more ? 3 : 2);
    }
}

/* Two lines swapped, a line doubled, a line or a group removed: never CLEAN
 * and never only a torn tail. */
static void lines_moved(void)
{
    static const char *const how[] = {"swapped", "doubled", "removed",
                                      "its group removed"};
    for (int i = 0; i < 4; i++) {
        struct world_found f;
        make(9, 0);
        struct file log = load(SEGMENT_1);
        char *a = log.bytes + line_start(&log, strstr(log.bytes, "\"id-4\""));
        char *b = log.bytes + line_start(&log, strstr(log.bytes, "\"id-5\""));
        size_t n = (size_t)(strchr(a, '\n') + 1 - a),
               after = log.n - (size_t)(b - log.bytes);
        struct file other = {malloc(log.n + n + 1), log.n};
        REQUIRE(other.bytes != NULL);
        memcpy(other.bytes, log.bytes, log.n + 1);
        char *to = other.bytes + (a - log.bytes);
        if (i == 0) { /* same length, so a plain exchange */
            memcpy(to, b, n);
            memcpy(other.bytes + (b - log.bytes), a, n);
        } else if (i == 1) {
            memcpy(to + n, a, log.n - (size_t)(a - log.bytes));
            other.n += n;
        } else if (i == 2) {
            memcpy(to, a + n, log.n - (size_t)(a - log.bytes) - n);
            other.n -= n;
        } else {
            memcpy(to, b, after);
            other.n -= (size_t)(b - a);
        }
        free(log.bytes);
        save(&other, SEGMENT_1);
        bool ok = CHECK_INT(plog_exit_status(world_verify(&w, NULL, &f)), 5);
        ok &= CHECK(f.first[0].seq == 0 || f.first[0].seq >= 4);
        ok &= CHECK_INT(plog_exit_status(world_parity(&w, NULL, &f)), 5);
        if (!ok)
            printf("#   %s\n", how[i]);
    }
}

/* Another log's files in the log's place are FOREIGN to this store; a pinned
 * key then says so first. */
static void the_log_of_another_directory(void)
{
    struct world other;
    struct world_found f;
    char path[700];
    make(4, 0);
    other = w;
    make(4, 0);
    world_remove(world_path(&w, "log"));
    snprintf(path, sizeof path, "%s/log", other.dir);
    world_copy(path, world_path(&w, "log"));
    CHECK(world_parity(&w, NULL, &f) != 0); /* their key is not in keys/ */
    world_remove(world_path(&w, "keys"));
    snprintf(path, sizeof path, "%s/keys", other.dir);
    world_copy(path, world_path(&w, "keys"));
    CHECK_INT(world_verify(&w, NULL, &f), 0);
    CHECK_INT(plog_exit_status(world_parity(&w, NULL, &f)), 5);
    CHECK_UINT(f.report.counts[-PLOG_E_FOREIGN], 1);
    struct plog_check_options pin = {.vkey = w.vkey};
    world_parity(&w, &pin, &f);
    CHECK(f.report.verdict != 0 && f.report.counts[-PLOG_E_UNKNOWN_KEY] > 0);
    CHECK(world_open(&w) < 0);
}

/* A pin that is not the log's key: nothing else is claimed of the log. */
/* A line that would lead to the trusted key, but is of no group that was
 * signed: the log is read with it, and at the end it is no way. */
static void a_rotation_that_is_not_signed(void)
{
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_rotate_report rr;
    struct world_found f;
    char kept[600];
    size_t n, size, end;
    make(4, 0);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    CHECK_INT(plog_key_rotate(w.dir, &ro, &rr, NULL), 0);
    char *line = world_line(&w, 5, &n);
    snprintf(w.dir, sizeof w.dir, "%.510s", kept);
    char *bytes = world_read(world_path(&w, SEGMENT_1), &size);
    for (end = size; end > 1 && bytes[end - 2] == '\n';)
        end--;
    char *more = realloc(bytes, end + n + 1);
    REQUIRE(more != NULL);
    memcpy(more + end, line, n);
    more[end + n] = '\n';
    world_write(world_path(&w, SEGMENT_1), more, end + n + 1);
    struct plog_check_options pin = {.vkey = rr.new_vkey};
    CHECK_INT(world_verify(&w, &pin, &f), PLOG_E_UNKNOWN_KEY);
    CHECK_UINT(f.count, 2);
    finds(&f, 0, PLOG_E_TORN, PLOG_LEG_LOG, 6);
    finds(&f, 1, PLOG_E_UNKNOWN_KEY, PLOG_LEG_LOG, 0);
    CHECK_UINT(f.report.from, 1);
    CHECK_UINT(f.report.to, 4);
    CHECK_UINT(f.report.entries, 4);
    free(line);
    free(more);
    world_remove(kept);
}

static void a_wrong_pin(void)
{
    struct world other;
    struct world_found f;
    make(2, 0);
    other = w;
    make(4, 0);
    struct plog_check_options pin = {.vkey = other.vkey};
    CHECK_INT(world_verify(&w, &pin, &f), PLOG_E_UNKNOWN_KEY);
    CHECK_INT(world_parity(&w, &pin, &f), PLOG_E_UNKNOWN_KEY);
    pin.vkey = w.vkey;
    CHECK_INT(world_parity(&w, &pin, &f), 0);
    CHECK(f.report.pinned);
    CHECK_TEXT(f.report.vkey, w.vkey);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK(!f.report.pinned);
}

/* What somebody saw earlier: at each size the right root passes, another is a
 * FORK, and a head above the end is a ROLLBACK. */
static void an_expected_head(void)
{
    struct world_found f;
    struct plog_receipt r[6];
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 6; i++)
        CHECK_INT(world_put(&w, NULL, "1", "x", &r[i]), 0);
    world_close(&w);
    for (int i = 0; i < 6; i++) {
        struct plog_check_options o = {.has_expect_head = true,
                                       .expect_size = r[i].size};
        memcpy(o.expect_root, r[i].root, sizeof o.expect_root);
        CHECK_INT(world_verify(&w, &o, &f), 0);
        CHECK_INT(world_parity(&w, &o, &f), 0);
        o.expect_root[31] ^= 1;
        CHECK_INT(world_verify(&w, &o, &f), PLOG_E_FORK);
        CHECK_INT(world_parity(&w, &o, &f), PLOG_E_FORK);
        CHECK_UINT(f.count, 1);
        CHECK_UINT(f.first[0].seq, r[i].size);
        o.expect_size = 8;
        CHECK_INT(world_verify(&w, &o, &f), PLOG_E_ROLLBACK);
        CHECK_INT(world_parity(&w, &o, &f), PLOG_E_ROLLBACK);
    }
}

/* Both legs set back together show only to whoever kept a head. */
static void both_legs_set_back(void)
{
    struct world_found f;
    struct plog_receipt r;
    char old[600];
    make(4, 0);
    snprintf(old, sizeof old, "%.500s/old", check_dir());
    world_copy(w.dir, old);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", &r), 0);
    world_close(&w);
    world_remove(w.dir);
    world_copy(old, w.dir);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    struct plog_check_options o = {.has_expect_head = true,
                                   .expect_size = r.size};
    memcpy(o.expect_root, r.root, sizeof o.expect_root);
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_ROLLBACK);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"recompute_attack", recompute_attack},
        {"an escaped name", an_escaped_name},
        {"both roots are told", both_roots_are_told},
        {"a line without its end", a_line_without_its_end},
        {"the_damaged_line_is_named", the_damaged_line_is_named},
        {"what is left unchecked", what_is_left_unchecked},
        {"lines_moved", lines_moved},
        {"the_log_of_another_directory", the_log_of_another_directory},
        {"a_rotation_that_is_not_signed", a_rotation_that_is_not_signed},
        {"a_wrong_pin", a_wrong_pin},
        {"an_expected_head", an_expected_head},
        {"both_legs_set_back", both_legs_set_back},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
