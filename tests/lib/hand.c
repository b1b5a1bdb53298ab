/* hand.c - see hand.h. */
#include "hand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "compaction.h"

struct hand hand = {.allocations = -1, .reads_left = -1};

/* ---- A file in memory ---------------------------------------------------- */

/* Beyond what is in memory stands x, with an LF now and then. */
static void fill(char *buf, size_t n, uint64_t at)
{
    memset(buf, 'x', n);
    uint64_t lf = (at / HAND_FAR_LINE + 1) * HAND_FAR_LINE - 1;
    if (hand.with_lines && lf < at + n)
        buf[lf - at] = '\n';
}

static int64_t from_memory(void *ctx, int fd, void *buf, size_t n, uint64_t at)
{
    (void)ctx, (void)fd;
    if (hand.reads_left >= 0 && hand.reads_left-- == 0) {
        hand.shows = hand.later_shows;
        hand.fails_at = hand.later_fails_at;
    }
    if (hand.fails_at && at + n > hand.fails_at)
        return -EIO;
    if (at >= hand.shows)
        return 0;
    if (n > hand.shows - at)
        n = (size_t)(hand.shows - at);
    fill(buf, n, at);
    if (at < hand.file.len)
        memcpy(buf, hand.file.data + at,
               n < hand.file.len - at ? n : hand.file.len - at);
    return (int64_t)n;
}

static void *memory(void *ctx, void *p, size_t n)
{
    const struct plog_io *real = plog_io_posix();
    (void)ctx;
    if (n && hand.allocations == 0)
        return NULL;
    hand.allocations -= n && hand.allocations > 0;
    return real->alloc(real->ctx, p, n);
}

/* ---- A log --------------------------------------------------------------- */

void hand_add(const char *text)
{
    CHECK_INT(plog_buf_add_text(&hand.file, text), 0);
}

void hand_add_many(char c, size_t n)
{
    CHECK_INT(plog_buf_reserve(&hand.file, n), 0);
    memset(hand.file.data + hand.file.len, c, n);
    hand.file.len += n;
}

/* Ends the line that starts at `from`, as an entry of the tree. */
static void end_entry(size_t from)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    plog_hash_leaf(hand.file.data + from, hand.file.len - from, leaf);
    CHECK_INT(plog_tree_add(&hand.tree, leaf), 0);
    hand_add("\n");
}

void hand_entry(enum plog_control control, const char *args, bool opens)
{
    size_t from = hand.file.len;
    CHECK_INT(plog_control_format(
                  &hand.file, hand.tree.size + 1, control, plog_span_text(args),
                  opens ? plog_span_text(HAND_AT) : plog_span(NULL, 0)),
              0);
    end_entry(from);
}

void hand_text_entry(const char *text)
{
    size_t from = hand.file.len;
    hand_add(text);
    end_entry(from);
}

void hand_commit(const struct plog_signer *by)
{
    hand.last.size = hand.tree.size;
    plog_tree_root(&hand.tree, hand.last.root);
    memcpy(hand.last.key, by->vkey.id_text, sizeof hand.last.key);
    CHECK_INT(plog_signer_sign(by, by->vkey.name, hand.last.size,
                               hand.last.root, hand.last.sig),
              0);
    CHECK_INT(plog_commit_format(&hand.file, &hand.last), 0);
    hand_add("\n");
}

void hand_good_group(void)
{
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    hand_commit(&hand.a);
}

void hand_header(const char *origin)
{
    CHECK_INT(plog_header_format(&hand.file, origin, &hand.tree, &hand.last),
              0);
    hand_add("\n");
}

void hand_restore(uint64_t size, const struct plog_signer *old)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_buf args;
    plog_buf_init(&args, plog_io_posix());
    plog_tree_root(&hand.tree, root);
    CHECK_INT(plog_restore_make(&args, size, root, &old->vkey, &hand.copy), 0);
    CHECK_INT(plog_buf_add_char(&args, '\0'), 0);
    hand_entry(PLOG_CONTROL_RESTORE, args.data, true);
    plog_buf_fini(&args);
}

void hand_set(const char *what, const char *to)
{
    char *at = memmem(hand.file.data, hand.file.len, what, strlen(what));
    REQUIRE(at != NULL);
    memcpy(at, to, strlen(to));
}

void hand_begin(void)
{
    static bool made;
    hand.io = *plog_io_posix();
    hand.io.pread = from_memory;
    hand.io.alloc = memory;
    hand.fails_at = 0;
    hand.allocations = -1;
    if (!made) {
        made = true;
        CHECK_INT(plog_signer_generate(&hand.a, plog_io_posix(), "log", NULL),
                  0);
        CHECK_INT(plog_signer_generate(&hand.b, plog_io_posix(), "log", NULL),
                  0);
        CHECK_INT(
            plog_signer_generate(&hand.copy, plog_io_posix(), "copy", NULL), 0);
    }
    plog_buf_init(&hand.file, plog_io_posix());
    plog_tree_init(&hand.tree);
    memset(&hand.last, 0, sizeof hand.last);
    memset(&hand.ring, 0, sizeof hand.ring);
    hand.ring.count = 1;
    hand.ring.keys[0] = hand.a.vkey;
    plog_chain_init(&hand.chain, &hand.ring);
    hand_header("log");
    hand_entry(PLOG_CONTROL_INIT,
               "{\"strategy\":\"arrival\",\"max_line\":4096,\"segment_size\":"
               "1000000}",
               true);
    hand_commit(&hand.a);
}

/* ---- A scan -------------------------------------------------------------- */

void hand_open(bool is_last)
{
    hand.shows = hand.file.len;
    plog_scan_open(&hand.s, &hand.io, 99, hand.file.len, is_last, &hand.chain);
}

int hand_read_all(bool is_last)
{
    hand_open(is_last);
    int rc = plog_scan_header(&hand.s, 1);
    while (!rc)
        rc = plog_scan_group(&hand.s, &hand.group);
    return rc;
}

void hand_next_segment(void)
{
    CHECK_INT(hand_read_all(false), PLOG_END);
    plog_scan_close(&hand.s);
    hand.file.len = 0;
    hand_header("log");
}

int hand_read_next(uint64_t first)
{
    hand_open(false);
    int rc = plog_scan_header(&hand.s, first);
    return rc ? rc : plog_scan_group(&hand.s, &hand.group);
}

bool hand_says(const char *what)
{
    if (CHECK(strstr(hand.s.fault.what, what) != NULL))
        return true;
    printf("# it says: %s\n", hand.s.fault.what);
    return false;
}

void hand_end(void)
{
    hand.fails_at = hand.later_fails_at = 0;
    hand.reads_left = -1;
    hand.with_lines = false;
    hand.allocations = -1;
    plog_scan_close(&hand.s);
    plog_buf_fini(&hand.file);
}

void hand_forget(void)
{
    plog_signer_fini(&hand.a);
    plog_signer_fini(&hand.b);
    plog_signer_fini(&hand.copy);
}
