/*
 * test_compaction.c - the keys that a compact entry carries: rotations that do
 * not follow each other are refused, whatever stands behind them.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "compaction.h"
#include "rotate.h"

static struct plog_signer a, b, c;
static struct plog_buf text;

static void add(uint64_t seq, const struct plog_signer *from,
                const struct plog_signer *to)
{
    const unsigned char root[PLOG_HASH_SIZE] = {1};
    char start[60];
    snprintf(start, sizeof start, "%s{\"seq\":%llu,\"rotate\":",
             text.len ? "," : "[", (unsigned long long)seq);
    CHECK_INT(plog_buf_add_text(&text, start), 0);
    CHECK_INT(plog_rotation_make(&text, seq, root, from, to), 0);
    CHECK_INT(plog_buf_add_char(&text, '}'), 0);
}

/* What the keys at `size` are, of rotations up to entry 20.  Returns the
 * code; `count`: of the keys */
static int keys_at(uint64_t size, unsigned count)
{
    static struct plog_keychain chain;
    struct plog_compaction k = {.from = 1, .to = 20};
    CHECK_INT(plog_buf_add_char(&text, ']'), 0);
    k.rotations = plog_span(text.data, text.len);
    int rc = plog_compaction_keys(&k, size, &chain);
    if (!rc)
        CHECK_UINT(chain.count, count);
    text.len = 0;
    return rc;
}

static void in_their_order(void)
{
    const struct plog_io *io = plog_io_posix();
    plog_buf_init(&text, io);
    CHECK_INT(plog_signer_generate(&a, io, "k", NULL), 0);
    CHECK_INT(plog_signer_generate(&b, io, "k", NULL), 0);
    CHECK_INT(plog_signer_generate(&c, io, "k", NULL), 0);
    add(3, &a, &b);
    add(7, &b, &c);
    CHECK_INT(keys_at(20, 3), 0);
    add(3, &a, &b);
    add(7, &b, &c);
    CHECK_INT(keys_at(6, 2), 0);
    add(3, &a, &b);
    add(7, &a, &c); /* a is not in force there */
    CHECK_INT(keys_at(20, 0), PLOG_E_CORRUPT);
    add(3, &a, &b);
    add(7, &a, &c);
    add(9, &b, &c); /* above the size, and so not looked at */
    CHECK_INT(keys_at(8, 0), PLOG_E_CORRUPT);
    add(3, &a, &b);
    add(7, &a, &c);
    add(9, &b, &c);
    CHECK_INT(keys_at(20, 0), PLOG_E_CORRUPT);
    add(7, &a, &b);
    add(7, &b, &c);
    add(9, &b, &c);
    CHECK_INT(keys_at(8, 0), PLOG_E_CORRUPT);
    add(3, &a, &b);
    add(21, &b, &c); /* above the compact entry's end */
    CHECK_INT(keys_at(8, 0), PLOG_E_CORRUPT);
    plog_signer_fini(&a);
    plog_signer_fini(&b);
    plog_signer_fini(&c);
    plog_buf_fini(&text);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"in their order", in_their_order},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
