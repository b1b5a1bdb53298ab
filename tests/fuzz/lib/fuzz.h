/*
 * fuzz.h - what a fuzz target of tests/fuzz/ is made of.
 *
 * A target is a function that takes any bytes and asserts what must hold for
 * all of them; libFuzzer calls it.  A broken assertion says which one and
 * aborts, so that libFuzzer keeps the input.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* libFuzzer's names. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

_Noreturn void fuzz_broken(const char *what, const char *file, int line);
#define MUST(x) ((x) ? (void)0 : fuzz_broken(#x, __FILE__, __LINE__))

/* splitmix64; fuzz_below gives 0 .. n - 1. */
uint64_t fuzz_random(uint64_t *state);
size_t fuzz_below(uint64_t *state, size_t n);

/* A table that has memory and nothing else. */
const struct plog_io *fuzz_memory(void);

/* `inner` lies inside `outer`, or is empty. */
bool fuzz_inside(struct plog_span inner, struct plog_span outer);
/* Strict UTF-8, by other means than the library's. */
bool fuzz_is_utf8(const char *p, size_t n);
/* What a message may hold: an end, strict UTF-8, no byte below a blank. */
bool fuzz_is_message(const char *text, size_t cap);

static inline struct plog_span fuzz_span(const struct plog_buf *b)
{
    return plog_span(b->data, b->len);
}

/* The key of every signature that a target makes: a fixed seed and `name`. */
struct plog_signer;
void fuzz_signer(struct plog_signer *s, const char *name, unsigned char seed);
/* Whether `sig` is what the signer gives for this checkpoint: as Ed25519 is
 * deterministic and nobody else has the key, no other can hold. */
bool fuzz_is_ours(const struct plog_signer *s, const char *origin,
                  uint64_t size, const unsigned char *root,
                  const unsigned char *sig);

#endif
