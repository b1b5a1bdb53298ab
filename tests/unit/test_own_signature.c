/*
 * test_own_signature.c - a signing key that changes in memory: what is signed
 * with it is not acknowledged, and the log goes on without it.
 */
#include <sodium.h>
#include <string.h>

#include "check.h"
#include "engine.h"
#include "world.h"

#define COPY 64 /* bytes of one of the two copies of the secret */

static struct world w;
static struct plog_error err;

static void flip(unsigned at)
{
    unsigned char *secret = w.p->signer.secret;
    CHECK_INT(sodium_mprotect_readwrite(secret), 0);
    secret[at] ^= 4;
    CHECK_INT(sodium_mprotect_readonly(secret), 0);
}

static int put(const char *id)
{
    char text[600];
    struct world_delta d = {.id = id, .record = id};
    return world_append(&w, world_text(text, sizeof text, &d), NULL, &err);
}

/* A bit of the seed or of the public half of either copy, before the first
 * signature of the handle, or behind the first few. */
static void one_copy(void)
{
    static const unsigned at[] = {3, 40, COPY + 3, COPY + 40};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned before = 0; before < 3; before++) {
            /* The first is verified, and not made again. */
            bool later = before == 0 && at[i] >= COPY;
            world_make(&w, PLOG_ARRIVAL, 0);
            for (unsigned k = 0; k < before; k++)
                CHECK_INT(put(k ? "b" : "a"), 0);
            flip(at[i]);
            if (later)
                CHECK_INT(put("a"), 0);
            uint64_t size = world_size(&w);
            CHECK_UINT(size, 1 + before + later);
            CHECK_INT(put("c"), PLOG_E_INDETERMINATE);
            CHECK(strstr(err.message, "the signature just made does not hold:"
                                      " a fault of this machine") != NULL);
            CHECK_INT(put("d"), PLOG_E_POISONED);
            world_close(&w);
            CHECK_UINT(world_size(&w), size);
            CHECK_INT(world_open(&w), 0);
            CHECK_INT(put("c"), 0);
            CHECK_TEXT(world_record(&w, "c"), "{} v1");
            CHECK_TEXT(world_record(&w, "d"), "none");
            world_end(&w, size + 1);
        }
}

/* What befalls both is seen when one is verified. */
static void both_copies(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(put("a"), 0);
    struct plog_signer *s = &w.p->signer;
    unsigned char root[PLOG_HASH_SIZE] = {1}, sig[PLOG_SIG_SIZE];
    flip(5);
    flip(COPY + 5);
    CHECK_INT(plog_signer_make(s, w.p->origin, 9, root, sig), 0);
    CHECK(!plog_checkpoint_verify(&s->vkey, w.p->origin, 9, root, sig));
    unsigned held = 0;
    while (plog_signer_holds(s, w.p->origin, 9, root, sig) && held < 1000)
        held++;
    CHECK_UINT(held, PLOG_VERIFY_EVERY - 1);
    flip(5);
    flip(COPY + 5);
    CHECK_INT(put("b"), 0);
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"one copy", one_copy},
        {"both copies", both_copies},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
