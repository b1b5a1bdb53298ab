/*
 * test_scan.c - a segment read from memory: groups that only a holder of the
 * key can write, headers, lines and files of any length, and reads that fail.
 *
 * The scan alone is asked, as walk.c asks it; what a check says of whole logs
 * is in test_damage.c and test_rotate.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "compaction.h"
#include "scan_window.h"

#define AT "2026-01-02T03:04:05.000000Z"
#define ARRIVAL "{\"strategy\":\"arrival\"}"
#define LONGEST (PLOG_LINE_MAX + PLOG_LINE_SLACK)

/* ---- A file in memory -------------------------------------------------------
 */

static struct plog_io io;
static struct plog_buf file;
static uint64_t shows;        /* bytes of it that reading gives */
static uint64_t fails_at;     /* reading beyond it is an error; 0: never */
static long allocations = -1; /* that succeed; < 0: all */
static long reads_left = -1;  /* then `shows` becomes `later_shows` */
static uint64_t later_shows, later_fails_at;
static bool with_lines; /* beyond what is in memory */

#define FAR_LINE ((size_t)16 << 20)

/* Beyond what is in memory stands x, with an LF now and then. */
static void fill(char *buf, size_t n, uint64_t at)
{
    memset(buf, 'x', n);
    uint64_t lf = (at / FAR_LINE + 1) * FAR_LINE - 1;
    if (with_lines && lf < at + n)
        buf[lf - at] = '\n';
}

static int64_t from_memory(void *ctx, int fd, void *buf, size_t n, uint64_t at)
{
    (void)ctx, (void)fd;
    if (reads_left >= 0 && reads_left-- == 0) {
        shows = later_shows;
        fails_at = later_fails_at;
    }
    if (fails_at && at + n > fails_at)
        return -EIO;
    if (at >= shows)
        return 0;
    if (n > shows - at)
        n = (size_t)(shows - at);
    fill(buf, n, at);
    if (at < file.len)
        memcpy(buf, file.data + at, n < file.len - at ? n : file.len - at);
    return (int64_t)n;
}

static void *memory(void *ctx, void *p, size_t n)
{
    const struct plog_io *real = plog_io_posix();
    (void)ctx;
    if (n && allocations == 0)
        return NULL;
    allocations -= n && allocations > 0;
    return real->alloc(real->ctx, p, n);
}

/* ---- A log by hand ----------------------------------------------------------
 */

static struct plog_signer a, b, copy;
static struct plog_tree tree;
static struct plog_commit last;
static struct plog_keyring ring;
static struct plog_chain chain;
static struct plog_scan s;
static struct plog_log_group group;

static void add(const char *text)
{
    CHECK_INT(plog_buf_add_text(&file, text), 0);
}

static void add_many(char c, size_t n)
{
    CHECK_INT(plog_buf_reserve(&file, n), 0);
    memset(file.data + file.len, c, n);
    file.len += n;
}

/* Ends the line that starts at `from`, as an entry of the tree. */
static void end_entry(size_t from)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    plog_hash_leaf(file.data + from, file.len - from, leaf);
    CHECK_INT(plog_tree_add(&tree, leaf), 0);
    add("\n");
}

static void entry(enum plog_control control, const char *args, bool opens)
{
    size_t from = file.len;
    CHECK_INT(
        plog_control_format(&file, tree.size + 1, control, plog_span_text(args),
                            opens ? plog_span_text(AT) : plog_span(NULL, 0)),
        0);
    end_entry(from);
}

static void text_entry(const char *text)
{
    size_t from = file.len;
    add(text);
    end_entry(from);
}

static void commit(const struct plog_signer *by)
{
    last.size = tree.size;
    plog_tree_root(&tree, last.root);
    memcpy(last.key, by->vkey.id_text, sizeof last.key);
    CHECK_INT(
        plog_signer_sign(by, by->vkey.name, last.size, last.root, last.sig), 0);
    CHECK_INT(plog_commit_format(&file, &last), 0);
    add("\n");
}

static void good_group(void)
{
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
    commit(&a);
}

static void header(const char *origin)
{
    CHECK_INT(plog_header_format(&file, origin, &tree, &last), 0);
    add("\n");
}

/* The first segment up to its first group, which is init. */
static void begin(void)
{
    static bool made;
    io = *plog_io_posix();
    io.pread = from_memory;
    io.alloc = memory;
    fails_at = 0;
    allocations = -1;
    if (!made) {
        made = true;
        CHECK_INT(plog_signer_generate(&a, plog_io_posix(), "log", NULL), 0);
        CHECK_INT(plog_signer_generate(&b, plog_io_posix(), "log", NULL), 0);
        CHECK_INT(plog_signer_generate(&copy, plog_io_posix(), "copy", NULL),
                  0);
    }
    plog_buf_init(&file, plog_io_posix());
    plog_tree_init(&tree);
    memset(&last, 0, sizeof last);
    memset(&ring, 0, sizeof ring);
    ring.count = 1;
    ring.keys[0] = a.vkey;
    plog_chain_init(&chain, &ring);
    header("log");
    entry(PLOG_CONTROL_INIT,
          "{\"strategy\":\"arrival\",\"max_line\":4096,\"segment_size\":"
          "1000000}",
          true);
    commit(&a);
}

static void open_scan(bool is_last)
{
    shows = file.len;
    plog_scan_open(&s, &io, 99, file.len, is_last, &chain);
}

/* Reads header and groups; the first code that is not 0. */
static int read_all(bool is_last)
{
    open_scan(is_last);
    int rc = plog_scan_header(&s, 1);
    while (!rc)
        rc = plog_scan_group(&s, &group);
    return rc;
}

static bool says(const char *what)
{
    if (CHECK(strstr(s.fault.what, what) != NULL))
        return true;
    printf("# it says: %s\n", s.fault.what);
    return false;
}

static void end(void)
{
    fails_at = later_fails_at = 0;
    reads_left = -1;
    with_lines = false;
    allocations = -1;
    plog_scan_close(&s);
    plog_buf_fini(&file);
}

/* ---- Groups -----------------------------------------------------------------
 */

static void by_rule(void)
{
    static const struct {
        enum plog_control control;
        const char *args; /* NULL: `text` is the whole line */
        const char *text;
        bool opens;
        int code;
        const char *what;
    } all[] = {
        {PLOG_CONTROL_STRATEGY, ARRIVAL, NULL, true, PLOG_END, ""},
        {PLOG_CONTROL_STRATEGY, ARRIVAL, NULL, false, PLOG_E_CORRUPT,
         "the group's first entry has no logged_at"},
        {PLOG_CONTROL_STRATEGY, "{\"strategy\":\"none\"}", NULL, true,
         PLOG_E_CORRUPT, "control `strategy` makes no sense"},
        {PLOG_CONTROL_INIT,
         "{\"strategy\":\"arrival\",\"max_line\":4096,\"segment_size\":65536}",
         NULL, true, PLOG_E_CORRUPT, "init is the first entry, and only that"},
        {PLOG_CONTROL_NONE, NULL,
         "{\"seq\":2,\"control\":\"strategy\",\"args\":" ARRIVAL
         ",\"logged_at\":\"" AT "\",\"new\":1}",
         true, PLOG_E_FORMAT, ""},
        {PLOG_CONTROL_NONE, NULL,
         "{\"seq\":3,\"control\":\"strategy\",\"args\":" ARRIVAL
         ",\"logged_at\":\"" AT "\"}",
         true, PLOG_E_CORRUPT, "out of order"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        begin();
        if (all[i].args)
            entry(all[i].control, all[i].args, all[i].opens);
        else
            text_entry(all[i].text);
        commit(&a);
        bool ok = CHECK_INT(read_all(false), all[i].code);
        ok &= all[i].code < 0 && *all[i].what ? says(all[i].what) : true;
        if (!ok)
            printf("# case %zu: %s\n", i, s.fault.what);
        CHECK_UINT(chain.last.size, all[i].code == PLOG_END ? 2 : 1);
        end();
    }
    begin(); /* a log that begins with something else */
    file.len = 0;
    plog_tree_init(&tree);
    memset(&last, 0, sizeof last);
    header("log");
    good_group();
    CHECK_INT(read_all(false), PLOG_E_CORRUPT);
    says("init is the first entry, and only that");
    end();
}

/* A fault in a line explains more than what is then wrong with the commit, but
 * not whose commit it is. */
static void a_line_and_the_commit(void)
{
    begin();
    entry(PLOG_CONTROL_STRATEGY, "{\"strategy\":\"none\"}", true);
    commit(&b);
    CHECK_INT(read_all(false), PLOG_E_UNKNOWN_KEY);
    end();
    begin();
    ring.keys[1] = copy.vkey;
    ring.count = 2;
    entry(PLOG_CONTROL_STRATEGY, "{\"strategy\":\"none\"}", true);
    commit(&copy); /* trusted, and by another name */
    chain.chain.unsettled = true;
    open_scan(false);
    CHECK_INT(plog_scan_header(&s, 1), 0);
    CHECK_INT(plog_scan_group(&s, &group), 0);
    chain.chain.unsettled = true;
    CHECK_INT(plog_scan_group(&s, &group), PLOG_E_FOREIGN);
    end();
    begin(); /* unknown members that the key does not vouch for */
    size_t at = file.len;
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
    commit(&a);
    char *to = strstr(file.data + at, "strategy");
    memcpy(to, "strategie", 8);
    CHECK_INT(read_all(false), PLOG_E_TAMPERED);
    end();
}

/* A redacted line, where nobody holds the orders. */
static void redacted(void)
{
    begin();
    text_entry("{\"seq\":2,\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
               "\"upsert\",\"occurred_at\":\"" AT
               "\",\"provenance\":{\"source\":\"s\",\"confidence\":1},"
               "\"logged_at\":\"" AT
               "\",\"redacted\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
               "\"}");
    commit(&a);
    chain.orders = NULL;
    CHECK_INT(read_all(false), PLOG_E_TAMPERED);
    says("a redacted line, and no order that makes it this one");
    CHECK_UINT(s.fault.seq, 2);
    end();
}

/* ---- A restored copy goes on
 * -------------------------------------------------- */

static void restore(uint64_t size, const struct plog_signer *old)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_buf args;
    plog_buf_init(&args, plog_io_posix());
    plog_tree_root(&tree, root);
    CHECK_INT(plog_restore_make(&args, size, root, &old->vkey, &copy), 0);
    CHECK_INT(plog_buf_add_char(&args, '\0'), 0);
    entry(PLOG_CONTROL_RESTORE, args.data, true);
    plog_buf_fini(&args);
}

/* Reads the second segment with the chain of the first. */
static int read_next(uint64_t first)
{
    open_scan(false);
    int rc = plog_scan_header(&s, first);
    return rc ? rc : plog_scan_group(&s, &group);
}

static void next_segment(void)
{
    CHECK_INT(read_all(false), PLOG_END);
    plog_scan_close(&s);
    file.len = 0;
    header("log");
}

static void restored(void)
{
    begin();
    next_segment();
    restore(1, &a);
    commit(&copy);
    CHECK_INT(read_next(2), 0);
    CHECK_TEXT(chain.origin, "copy");
    end();
    begin(); /* in the middle of a segment */
    next_segment();
    good_group();
    restore(2, &a);
    commit(&copy);
    CHECK_INT(read_next(2), 0);
    CHECK_INT(plog_scan_group(&s, &group), PLOG_E_CORRUPT);
    says("a restore entry that begins no segment");
    CHECK_TEXT(chain.origin, "log");
    CHECK_UINT(chain.chain.count, 1);
    end();
    begin(); /* from a key that was never in force */
    next_segment();
    restore(1, &b);
    commit(&copy);
    CHECK_INT(read_next(2), PLOG_E_CORRUPT);
    says("a rotation away from a key that is not in force");
    CHECK_TEXT(chain.origin, "log");
    end();
    begin(); /* the new name, and then the old key's commit: nothing moved */
    next_segment();
    restore(1, &a);
    commit(&a);
    CHECK(read_next(2) < 0);
    CHECK_TEXT(chain.origin, "log");
    CHECK_UINT(chain.chain.count, 1);
    CHECK_UINT(chain.last.size, 1);
    end();
    begin(); /* with another entry in its group */
    next_segment();
    restore(1, &a);
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, false);
    commit(&a);
    CHECK_INT(read_next(2), PLOG_E_CORRUPT);
    says("a key rotation is the only entry of its group");
    CHECK_TEXT(chain.origin, "log");
    end();
}

/* ---- As many keys as there may be
 * --------------------------------------------- */

static void fill_chain(void)
{
    struct plog_vkey k = b.vkey;
    chain.chain.count = 0;
    for (unsigned i = 0; i < PLOG_KEYS_MAX; i++) {
        snprintf(k.id_text, sizeof k.id_text, "key-%04u", i);
        CHECK_INT(plog_keychain_add(&chain.chain, &k, i), 0);
    }
    chain.chain.unsettled = true;
}

static void too_many_keys(void)
{
    begin();
    open_scan(false);
    CHECK_INT(plog_scan_header(&s, 1), 0);
    fill_chain();
    CHECK_INT(plog_scan_group(&s, &group), PLOG_E_CORRUPT);
    says("more keys than a log may have");
    plog_scan_close(&s);
    open_scan(false); /* the next commit that holds */
    s.offset = 1;
    fill_chain();
    struct plog_commit c;
    CHECK_INT(plog_scan_resync(&s, &c), PLOG_E_CORRUPT);
    says("more keys than a log may have");
    plog_scan_close(&s);
    file.len = 0; /* a header that names one */
    header("log");
    plog_chain_init(&chain, &ring);
    fill_chain();
    open_scan(false);
    CHECK_INT(plog_scan_header(&s, 2), PLOG_E_CORRUPT);
    says("more keys than a log may have");
    end();
}

/* ---- Headers
 * ------------------------------------------------------------------ */

static void set(const char *what, const char *to)
{
    char *at = memmem(file.data, file.len, what, strlen(what));
    REQUIRE(at != NULL);
    memcpy(at, to, strlen(to));
}

static void headers(void)
{
    begin();
    next_segment();
    good_group();
    CHECK_INT(read_next(2), 0);
    end();
    begin(); /* of another log */
    next_segment();
    file.len = 0;
    header("lag");
    good_group();
    CHECK_INT(read_next(2), PLOG_E_FOREIGN);
    says("a segment of another log");
    end();
    begin(); /* the same, where the chain takes its place from the header */
    next_segment();
    file.len = 0;
    header("lag");
    chain.broken = true;
    CHECK_INT(read_next(2), PLOG_E_FOREIGN);
    end();
    begin(); /* behind another history that was signed, too */
    CHECK_INT(read_all(false), PLOG_END);
    plog_scan_close(&s);
    file.len = 0;
    plog_tree_init(&tree);
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
    commit(&a);
    file.len = 0;
    header("log");
    CHECK_INT(read_next(2), PLOG_E_FORK);
    says("the header follows another signed history");
    plog_scan_close(&s);
    memset(last.sig, 1, sizeof last.sig); /* which nobody signed */
    file.len = 0;
    header("log");
    CHECK_INT(read_next(2), PLOG_E_CORRUPT);
    says("not the header that follows entry 1");
    end();
    begin(); /* this history, and another signature or size */
    next_segment();
    memset(last.sig, 1, sizeof last.sig);
    file.len = 0;
    header("log");
    CHECK_INT(read_next(2), PLOG_E_CORRUPT);
    says("not the header that follows entry 1");
    plog_scan_close(&s);
    file.len = 0;
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
    commit(&a);
    file.len = 0;
    header("log");
    CHECK_INT(read_next(2), PLOG_E_CORRUPT);
    says("not the header that follows entry 1");
    plog_scan_close(&s);
    /* The name of the file says that entries are missing: it is believed as
     * far as the header does. */
    CHECK_INT(read_next(3), PLOG_END);
    CHECK_UINT(chain.last.size, 2);
    plog_scan_close(&s);
    CHECK_INT(read_next(4), PLOG_E_CORRUPT);
    says("the header names another place than the file");
    end();
}

/* Another number of the format: what follows says whose header it is. */
static void other_formats(void)
{
    static const struct {
        const char *what, *to;
        int code;
    } all[] = {
        {"\"format\":1", "\"format\":2", PLOG_E_CORRUPT},
        {"\"format\":1", "\"format\":9", PLOG_E_CORRUPT},
        {"\"format\":1,\"origin\"", "\"format\":2,\"origin\"", PLOG_E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int bare = 0; bare < 2; bare++) {
            begin();
            if (bare)
                file.len = (size_t)(strchr(file.data, '\n') + 1 - file.data);
            set(all[i].what, all[i].to);
            open_scan(true);
            CHECK_INT(plog_scan_header(&s, 1), all[i].code);
            says("and what follows verifies as format 1");
            CHECK_TEXT(chain.origin, "");
            CHECK_UINT(chain.last.size, 0);
            CHECK_UINT(s.offset, 0);
            end();
        }
    static const struct {
        const char *what, *to;
    } newer[] = {
        {"\"size\":1", "\"sise\":1"}, /* another spelling of a commit */
        {"\"strategy\":", "\"strategi\":"},
        {"\"origin\":\"log\"", "\"origin\":\"lag\""},
        {"\"first\":1", "\"first\":3"},
        {"\"first\":1", "\"fjrst\":1"},
    };
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++) {
        begin();
        set("\"format\":1", "\"format\":2");
        set(newer[i].what, newer[i].to);
        open_scan(true);
        CHECK_INT(plog_scan_header(&s, 1), PLOG_E_FORMAT);
        says("format 2; this program reads format 1");
        CHECK_TEXT(chain.origin, "");
        end();
    }
    /* Whoever cannot look, for want of memory, does not say that it is ours. */
    int rc = 0;
    for (long n = 0; rc != PLOG_E_CORRUPT && n < 50; n++) {
        begin();
        set("\"format\":1", "\"format\":2");
        open_scan(true);
        allocations = n;
        rc = plog_scan_header(&s, 1);
        if (rc != PLOG_E_NOMEM && rc != PLOG_E_CORRUPT)
            CHECK_INT(rc, PLOG_E_FORMAT);
        CHECK_INT(s.fault.code, rc);
        CHECK_TEXT(chain.origin, "");
        end();
    }
    CHECK_INT(rc, PLOG_E_CORRUPT);
}

/* ---- Long lines and groups
 * ---------------------------------------------------- */

static void long_lines(void)
{
    struct plog_commit c;
    bool torn;
    begin();
    size_t at = file.len;
    add_many('x', LONGEST + 1);
    add("\n");
    good_group();
    CHECK_INT(read_all(true), PLOG_E_CORRUPT);
    says("a line longer than any may be");
    CHECK_UINT(s.offset, at);
    CHECK_UINT(s.fault.offset, at);
    /* No sign of a second group is in it, and one is behind it. */
    CHECK_INT(plog_scan_torn(&s, &torn), 0);
    CHECK(torn);
    CHECK_INT(plog_scan_resync(&s, &c), 0);
    CHECK_UINT(c.size, 2);
    CHECK_UINT(s.offset, file.len);
    CHECK_INT(plog_scan_group(&s, &group), PLOG_END);
    end();
    begin(); /* behind a commit: what was whole once is no torn end */
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
    commit(&a);
    set("arrival\"},\"logged_at\"", "brrival\"},\"logged_at\"");
    add_many('x', LONGEST + 1);
    CHECK(read_all(true) < 0);
    CHECK_INT(plog_scan_torn(&s, &torn), 0);
    CHECK(!torn);
    end();
    begin(); /* nothing but a long end */
    at = file.len;
    add_many('x', LONGEST + 1);
    CHECK_INT(read_all(true), PLOG_E_CORRUPT);
    CHECK_INT(plog_scan_torn(&s, &torn), 0);
    CHECK(torn);
    CHECK_INT(plog_scan_resync(&s, &c), PLOG_END);
    CHECK_UINT(s.offset, at);
    end();
}

/* More than a group can have is not torn, whatever it is. */
static void a_long_tail(void)
{
    bool torn;
    begin();
    open_scan(true);
    CHECK_INT(plog_scan_header(&s, 1), 0);
    CHECK_INT(plog_scan_group(&s, &group), 0);
    for (unsigned more = 0; more < 2; more++) {
        s.limit = s.offset + PLOG_GROUP_MAX + PLOG_LINE_SLACK + more;
        shows = s.limit;
        CHECK_INT(plog_scan_torn(&s, &torn), 0);
        CHECK(torn == (more == 0));
    }
    end();
}

/* Many lines, none too long, and no commit: it ends where a group must. */
static void a_long_group(void)
{
    begin();
    open_scan(false);
    CHECK_INT(plog_scan_header(&s, 1), 0);
    CHECK_INT(plog_scan_group(&s, &group), 0);
    with_lines = true;
    s.limit = shows = 8 * FAR_LINE;
    CHECK_INT(plog_scan_group(&s, &group), PLOG_E_CORRUPT);
    says("a group longer than any may be");
    CHECK_UINT(s.fault.offset, file.len);
    CHECK_UINT(s.fault.seq, 2);
    CHECK_UINT(chain.last.size, 1);
    end();
}

/* The lines of a group stay what they are while the window moves on. */
static void a_group_over_windows(void)
{
    char cursor[4200], want[100];
    memset(cursor, 'c', sizeof cursor);
    begin();
    for (unsigned g = 0; g < 2; g++) {
        for (unsigned i = 0; i < 150; i++) {
            struct plog_buf args;
            struct plog_cursor c = {{"s", 1}, {"r", 1}, {cursor, 4000}};
            snprintf(cursor, 9, "%08u", g * 1000 + i);
            cursor[8] = 'c';
            plog_buf_init(&args, plog_io_posix());
            CHECK_INT(plog_cursor_args_format(&args, &c), 0);
            CHECK_INT(plog_buf_add_char(&args, '\0'), 0);
            entry(PLOG_CONTROL_CURSOR, args.data, i == 0);
            plog_buf_fini(&args);
        }
        commit(&a);
    }
    open_scan(false);
    CHECK_INT(plog_scan_header(&s, 1), 0);
    CHECK_INT(plog_scan_group(&s, &group), 0);
    for (unsigned g = 0; g < 2; g++) {
        CHECK_INT(plog_scan_group(&s, &group), 0);
        CHECK_UINT(group.count, 150);
        for (size_t i = 0; i < group.count; i++) {
            struct plog_span line = plog_scan_text(&s, i);
            snprintf(want, sizeof want, "\"cursor\":\"%08zu", g * 1000u + i);
            if (!CHECK(memmem(line.p, line.n, want, strlen(want)) != NULL))
                break;
            CHECK_BYTES(line.p, line.n,
                        file.data + plog_scan_line(&s, i)->offset, line.n);
        }
    }
    CHECK_INT(plog_scan_group(&s, &group), PLOG_END);
    end();
}

/* ---- The window
 * ----------------------------------------------------------------- */

static void windows(void)
{
    static const size_t lengths[] = {
        300 << 10, (212 << 10) - 2, 40, 700 << 10, 1, 0, 90 << 10};
    struct plog_span line;
    begin();
    file.len = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        add_many((char)('a' + i), lengths[i]);
        add("\n");
    }
    open_scan(false);
    uint64_t at = 0, third = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        third = i == 2 ? at : third;
        CHECK_INT(plog_window_line(&s, at, at, LONGEST, &line), 0);
        CHECK_BYTES(line.p, line.n, file.data + at, lengths[i]);
        at += line.n + 1;
    }
    CHECK_INT(plog_window_line(&s, at, at, LONGEST, &line), PLOG_END);
    plog_window_jump(&s, third); /* back */
    CHECK_INT(plog_window_line(&s, third, third, LONGEST, &line), 0);
    CHECK_BYTES(line.p, line.n, file.data + third, 40);
    plog_window_jump(&s, 0);
    CHECK_INT(plog_window_line(&s, 0, 0, 100, &line), PLOG_WINDOW_LONG);
    at = 0;
    CHECK_INT(plog_window_skip(&s, &at), 0);
    CHECK_UINT(at, lengths[0] + 1);
    plog_window_jump(&s, file.len - 1); /* and far ahead */
    CHECK_INT(plog_window_line(&s, file.len - 1, file.len - 1, 100, &line), 0);
    CHECK_UINT(line.n, 0);
    at = file.len;
    CHECK_INT(plog_window_skip(&s, &at), PLOG_END);
    end();
}

/* ---- What a tail tells
 * ---------------------------------------------------------- */

#define NOT_ONE "{\"commit\":{\"x\":1}}"
#define NO_ENTRY "{\"seq\":x,"

/* One changed byte may have joined two lines: a second group shows all the
 * same, up to four times that something looks like one. */
static void tails(void)
{
    static const struct {
        const char *before, *behind; /* of what it is put around */
        bool entry, commit;          /* that is there */
        bool further;                /* entries lie between */
        bool joined;                 /* entry and commit */
        bool torn;
    } all[] = {
        {"", "\n", true, false, false, false, true},
        {"", "\n", true, true, false, false, true},
        {"", "\n", true, true, false, true, true},
        {"", "x\n", true, true, false, true, false},
        {"", "\nx\n", true, true, false, true, false},
        {"", "\nx\n", true, true, false, false, false},
        {"x", "\n", true, true, false, false, true},
        {"x", "x\n", false, true, false, false, false},
        {"x", "\n", true, false, true, false, false},
        {NOT_ONE, "\n", false, true, false, false, true},
        {NOT_ONE, "x\n", false, true, false, false, false},
        {NOT_ONE NOT_ONE NOT_ONE, "x\n", false, true, false, false, false},
        {NOT_ONE NOT_ONE NOT_ONE NOT_ONE, "x\n", false, true, false, false,
         true},
        {NO_ENTRY, "\n", true, false, true, false, false},
        {"x" NO_ENTRY NO_ENTRY NO_ENTRY, "\n", true, false, true, false, false},
        {"x" NO_ENTRY NO_ENTRY NO_ENTRY NO_ENTRY, "\n", true, false, true,
         false, true},
        {"{\"commit\":{\"size\":7", "\n", false, false, false, false, true},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_buf kept;
        bool torn;
        begin();
        size_t at = file.len;
        if (all[i].further)
            good_group();
        size_t from = file.len;
        entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
        size_t commit_at = file.len;
        commit(&a);
        if (all[i].joined)
            file.data[commit_at - 1] = 'y';
        size_t to = all[i].commit ? file.len - 1 : commit_at - 1;
        if (!all[i].entry)
            from = all[i].commit ? commit_at : to;
        plog_buf_init(&kept, plog_io_posix());
        CHECK_INT(plog_buf_add(&kept, file.data + from, to - from), 0);
        file.len = at;
        add(all[i].before);
        CHECK_INT(plog_buf_add(&file, kept.data, kept.len), 0);
        add(all[i].behind);
        plog_buf_fini(&kept);
        open_scan(true);
        CHECK_INT(plog_scan_header(&s, 1), 0);
        CHECK_INT(plog_scan_group(&s, &group), 0);
        CHECK_INT(plog_scan_torn(&s, &torn), 0);
        if (!CHECK(torn == all[i].torn))
            printf("# case %zu: %.*s\n", i, (int)(file.len - at),
                   file.data + at);
        end();
    }
}

/* A commit by a key that is not in force there is no crash's doing, when it is
 * one of this log. */
static void by_another_key(void)
{
    static const struct {
        const char *origin;
        bool changed, torn;
    } all[] = {{"log", false, false}, {"log", true, true}, {"", false, true}};
    for (size_t i = 0; i < 3; i++) {
        bool torn;
        begin();
        size_t at = file.len;
        good_group();
        if (all[i].changed) {
            char *sig = memmem(file.data + at, file.len - at, "\"sig\":\"", 7);
            sig[20] = sig[20] == 'A' ? 'B' : 'A';
        }
        open_scan(true);
        CHECK_INT(plog_scan_header(&s, 1), 0);
        CHECK_INT(plog_scan_group(&s, &group), 0);
        chain.chain.count = 0; /* as if it had gone over to b */
        CHECK_INT(plog_keychain_add(&chain.chain, &b.vkey, 0), 0);
        snprintf(chain.origin, sizeof chain.origin, "%s", all[i].origin);
        CHECK_INT(plog_scan_torn(&s, &torn), 0);
        CHECK(torn == all[i].torn);
        end();
    }
}

/* ---- Reads that fail
 * ------------------------------------------------------------ */

static void reads(void)
{
    struct plog_commit c;
    struct plog_span line;
    uint64_t where = 0;
    bool torn;
    begin();
    size_t at = file.len;
    add_many('x', 600 << 10);
    add("\n");
    good_group();
    open_scan(true);
    CHECK_INT(plog_scan_header(&s, 1), 0);
    CHECK_INT(plog_scan_group(&s, &group), 0);
    fails_at = 300 << 10; /* the end cannot be read */
    CHECK_INT(plog_scan_content_end(&s, &where), PLOG_E_IO);
    says("reading failed (5)");
    CHECK_INT(plog_scan_torn(&s, &torn), PLOG_E_IO);
    CHECK_INT(plog_scan_group(&s, &group), PLOG_E_IO);
    CHECK_UINT(chain.last.size, 1);
    CHECK_INT(plog_scan_resync(&s, &c), PLOG_E_IO);
    fails_at = 0;
    shows = 300 << 10; /* it is shorter than it was */
    CHECK_INT(plog_scan_content_end(&s, &where), PLOG_E_IO);
    says("reading failed (0)");
    CHECK_INT(plog_scan_resync(&s, &c), PLOG_END);
    plog_window_jump(&s, at);
    CHECK_INT(plog_window_line(&s, at, at, LONGEST, &line), PLOG_WINDOW_PART);
    CHECK_UINT(line.n, (300 << 10) - at);
    plog_window_jump(&s, 400 << 10);
    CHECK_INT(plog_window_line(&s, 400 << 10, 400 << 10, LONGEST, &line),
              PLOG_END);
    end();
    begin(); /* padding that cannot be read to its end */
    add_many('\n', 600 << 10);
    open_scan(true);
    CHECK_INT(plog_scan_header(&s, 1), 0);
    CHECK_INT(plog_scan_group(&s, &group), 0);
    fails_at = 300 << 10;
    CHECK_INT(plog_scan_group(&s, &group), PLOG_E_IO);
    fails_at = 0;
    CHECK_INT(plog_scan_group(&s, &group), PLOG_END);
    end();
    begin(); /* a long line that cannot be passed over */
    add_many('x', LONGEST + (1 << 20));
    add("\n");
    good_group();
    CHECK_INT(read_all(true), PLOG_E_CORRUPT);
    fails_at = LONGEST + (900 << 10);
    CHECK_INT(plog_scan_resync(&s, &c), PLOG_E_IO);
    fails_at = 0;
    s.window.len = 0; /* the end, the line up to its most, and one more */
    reads_left = 1 + LONGEST / (256 << 10) + 1;
    later_shows = shows;
    later_fails_at = 1;
    CHECK_INT(plog_scan_torn(&s, &torn), PLOG_E_IO);
    end();
    begin(); /* a tail that goes while it is looked at */
    at = file.len;
    add_many('x', 600 << 10);
    for (int fails = 0; fails < 2; fails++) {
        open_scan(true);
        CHECK_INT(plog_scan_header(&s, 1), 0);
        CHECK_INT(plog_scan_group(&s, &group), 0);
        reads_left = 1; /* the end is looked for first */
        later_shows = fails ? 300 << 10 : at;
        if (fails)
            allocations = 0;
        plog_window_jump(&s, file.len);
        plog_window_jump(&s, at);
        CHECK_INT(plog_scan_torn(&s, &torn), fails ? PLOG_E_NOMEM : 0);
        CHECK(fails || torn);
        allocations = reads_left = -1;
        plog_scan_close(&s);
    }
    end();
    begin(); /* a line that there is no memory to read */
    at = file.len;
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
    int rc = PLOG_E_NOMEM;
    for (long n = 0; rc == PLOG_E_NOMEM && n < 50; n++) {
        open_scan(true);
        snprintf(chain.origin, sizeof chain.origin, "log");
        s.offset = at;
        plog_window_jump(&s, at);
        CHECK_INT(plog_window_line(&s, at, at, LONGEST, &line), 0);
        allocations = n;
        rc = plog_scan_torn(&s, &torn);
        CHECK(n > 0 || rc == PLOG_E_NOMEM);
        CHECK(rc == 0 || s.fault.code == PLOG_E_NOMEM);
        CHECK(rc || torn == (chain.last.size == 1));
        allocations = -1;
        plog_scan_close(&s);
    }
    CHECK_INT(rc, 0);
    end();
}

/* ---- Ordinary lines ------------------------------------------------------ */

#define DELTA                                                                  \
    "\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\",\"payload\":{}," \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":"     \
    "\"s\",\"confidence\":1},\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\""

/* What a line is by itself says nothing of its place. */
static void ordinary_lines_out_of_place(void)
{
    begin();
    file.len = 0;
    plog_tree_init(&tree);
    memset(&last, 0, sizeof last);
    header("log");
    text_entry("{\"seq\":1," DELTA ",\"logged_at\":\"" AT "\"}");
    commit(&a);
    CHECK_INT(read_all(false), PLOG_E_CORRUPT);
    says("init is the first entry, and only that");
    end();
    begin();
    next_segment();
    restore(1, &a);
    text_entry("{\"seq\":3," DELTA "}");
    commit(&a);
    CHECK_INT(read_next(2), PLOG_E_CORRUPT);
    says("a key rotation is the only entry of its group");
    end();
}

/* ---- What fails just once ------------------------------------------------ */

/* With each number of allocations, until it is `want`. */
static void without_memory(int (*read)(void), int want)
{
    const struct plog_chain before = chain;
    int rc = PLOG_E_NOMEM;
    for (long n = 0; n < 200; n++) {
        chain = before;
        allocations = n;
        rc = read();
        bool all = allocations != 0;
        allocations = -1;
        if (rc != want)
            CHECK_INT(rc, PLOG_E_NOMEM);
        if (rc == PLOG_E_NOMEM)
            CHECK_INT(s.fault.code, rc);
        plog_scan_close(&s);
        if (all)
            break;
    }
    CHECK_INT(rc, want);
    chain = before;
}

static int read_one(void)
{
    return read_all(false);
}

/* The second segment, behind the first group. */
static int read_second(void)
{
    return read_next(2);
}

static void compact_group(void)
{
    struct plog_compaction c = {.from = 1, .to = 0};
    struct plog_buf args;
    c.rules.strategy = PLOG_ARRIVAL;
    c.rules.line_max = PLOG_LINE_DEFAULT;
    c.rules.segment_size = PLOG_SEGMENT_DEFAULT;
    c.peers = c.rotations = plog_span_text("[]");
    plog_buf_init(&args, plog_io_posix());
    CHECK_INT(plog_compaction_format(&args, &c), 0);
    CHECK_INT(plog_buf_add_char(&args, '\0'), 0);
    entry(PLOG_CONTROL_COMPACT, args.data, true);
    commit(&a);
    plog_buf_fini(&args);
}

static void memory_runs_out(void)
{
    begin();
    compact_group();
    without_memory(read_one, PLOG_END);
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
    size_t at = file.len;
    commit(&a);
    file.data[at - 5]++; /* of the time: the line, but not its hash */
    without_memory(read_one, PLOG_E_TAMPERED);
    end();
    begin();
    next_segment();
    restore(1, &a);
    commit(&copy);
    without_memory(read_second, 0);
    end();
}

/* An empty line asks for the end of the content. */
static void reading_fails_once(void)
{
    bool over = false;
    begin();
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, true);
    add("\n");
    entry(PLOG_CONTROL_STRATEGY, ARRIVAL, false);
    commit(&a);
    for (long n = 0; !over && n < 50; n++) {
        plog_chain_init(&chain, &ring);
        later_shows = file.len;
        later_fails_at = 1;
        reads_left = n;
        int rc = read_all(false);
        over = reads_left >= 0;
        CHECK_INT(rc, over ? PLOG_E_CORRUPT : PLOG_E_IO);
        CHECK_INT(s.fault.code, rc);
        says(over ? "an empty line inside the log" : "reading failed");
        fails_at = 0;
        reads_left = -1;
        plog_scan_close(&s);
    }
    CHECK(over);
    end();
}

/* Behind what is longer than a line may be. */
static void a_long_tail_breaks_off(void)
{
    bool torn;
    begin();
    uint64_t at = file.len;
    CHECK_INT(read_all(true), PLOG_END);
    s.limit = shows = later_shows = at + (40u << 20);
    s.offset = at;
    reads_left = 1; /* the end is looked for first */
    later_fails_at = at + (24u << 20);
    CHECK_INT(plog_scan_torn(&s, &torn), PLOG_E_IO);
    CHECK(!torn);
    says("reading failed");
    end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"by rule", by_rule},
        {"a line and the commit", a_line_and_the_commit},
        {"redacted", redacted},
        {"restored", restored},
        {"too many keys", too_many_keys},
        {"headers", headers},
        {"other formats", other_formats},
        {"long lines", long_lines},
        {"a long tail", a_long_tail},
        {"a group over windows", a_group_over_windows},
        {"windows", windows},
        {"a long group", a_long_group},
        {"tails", tails},
        {"by another key", by_another_key},
        {"reads", reads},
        {"ordinary lines out of place", ordinary_lines_out_of_place},
        {"memory runs out", memory_runs_out},
        {"reading fails once", reading_fails_once},
        {"a long tail breaks off", a_long_tail_breaks_off},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    plog_signer_fini(&a);
    plog_signer_fini(&b);
    plog_signer_fini(&copy);
    return rc;
}
