/*
 * test_tally_keys.c - records of which half a hash is the same: no hash that
 * anybody finds, so libsodium's stands aside here.  They are two records all
 * the same, and what is wrong about one of them is found.
 */
#include <dlfcn.h>
#include <sodium.h>
#include <string.h>

#include "check.h"
#include "parity_tally.h"

/* What the hash of the texts "0" and "1" in a resource "p" is from now on. */
static const uint64_t (*hashes)[2];

typedef int hash_fn(unsigned char *out, const unsigned char *in,
                    unsigned long long n, const unsigned char *key);
int crypto_shorthash_siphashx24(unsigned char *out, const unsigned char *in,
                                unsigned long long n, const unsigned char *key)
{
    static hash_fn *real;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "crypto_shorthash_siphashx24");
    if (!hashes)
        return real(out, in, n, key);
    memcpy(out, hashes[in[n - 1] == '1'], 16);
    return 0;
}

static sqlite3 *db;
static struct plog_tally tally;

static void add(uint64_t seq, const char *record, uint64_t previous)
{
    struct plog_tally_entry e = {.resource = plog_span_text("p"),
                                 .record_id = plog_span_text(record),
                                 .seq = seq,
                                 .previous = previous,
                                 .strategy = PLOG_ARRIVAL,
                                 .payload_at = 9,
                                 .payload_len = 2};
    CHECK_INT(plog_tally_add(&tally, &e, NULL), 0);
}

/* Two entries about each, in turn; the last one follows entry `previous`. */
static bool agrees(uint64_t previous)
{
    bool out = false;
    uint64_t records = 7;
    CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
    CHECK_INT(plog_tally_open(&tally, plog_io_posix(), db, NULL), 0);
    tally.without_rows = true;
    add(2, "0", 0);
    add(3, "1", 0);
    add(4, "0", 2);
    add(5, "1", previous);
    CHECK_INT(plog_tally_end(&tally, &out, &records, NULL), 0);
    CHECK_UINT(records, 0); /* whose rows were met */
    plog_tally_close(&tally);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    return out;
}

static void half_a_hash(void)
{
    static const uint64_t all[][2][2] = {
        {{128, 7}, {256, 7}},          /* the second half */
        {{128, 7}, {128, 8}},          /* the first half */
        {{128, 7}, {128, 7 + 65536}},  /* ... and the place to begin at */
        {{128, 7}, {UINT64_MAX, 711}}, /* none */
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        hashes = all[i];
        CHECK(agrees(3));
        CHECK(!agrees(2));
        CHECK(!agrees(4));
        CHECK(!agrees(0));
        hashes = NULL;
    }
    CHECK(agrees(3));
    CHECK(!agrees(4));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"half a hash", half_a_hash}};
    if (sodium_init() < 0)
        return 1;
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
