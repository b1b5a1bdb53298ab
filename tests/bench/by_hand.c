/*
 * by_hand.c - N: what people write by hand in C to keep both legs: a chain of
 * hashes with a signature for each event, fsync, then SQLite with
 * synchronous=FULL.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"

#define ROOM 400 /* of a line beside its event */

struct by_hand {
    unsigned char public[32], secret[64], chain[32];
};

static size_t write_line(char *out, uint64_t seq, const struct bench_event *e,
                         struct by_hand *h, unsigned char *hash)
{
    crypto_hash_sha256_state st;
    unsigned char sig[64];
    char before[65], after[65], signature[129];
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, h->chain, 32);
    crypto_hash_sha256_update(&st, (const unsigned char *)e->text, e->n);
    crypto_hash_sha256_final(&st, hash);
    crypto_sign_detached(sig, NULL, hash, 32, h->secret);
    sodium_bin2hex(before, sizeof before, h->chain, 32);
    sodium_bin2hex(after, sizeof after, hash, 32);
    sodium_bin2hex(signature, sizeof signature, sig, 64);
    memcpy(h->chain, hash, 32);
    return (size_t)sprintf(out,
                           "{\"seq\":%llu,\"prev\":\"%s\",\"hash\":\"%s\","
                           "\"sig\":\"%s\",\"event\":%.*s}\n",
                           (unsigned long long)seq, before, after, signature,
                           (int)e->n, e->text);
}

static int open_log(const struct bench_task *t)
{
    char path[BENCH_PATH];
    snprintf(path, sizeof path, "%s/naive.jsonl", t->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        bench_die(path, strerror(errno));
    return fd;
}

static void commit_rows(const struct bench_task *t, struct base *b,
                        uint64_t first, unsigned char (*hashes)[32])
{
    base_sql(b, "BEGIN");
    for (unsigned i = 0; i < t->batch; i++) {
        const struct bench_event *e = bench_pooled(t->shape, first + i);
        base_put_event(b, first + i, e, hashes[i]);
        base_put_state(b, first + i, e);
    }
    base_sql(b, "COMMIT");
}

void bench_naive(const struct bench_task *t, struct bench_figures *f)
{
    struct base b;
    struct by_hand h = {0};
    char *group = malloc((size_t)t->batch * (bench_pooled(t->shape, 0)->n +
                                             BENCH_EVENT_MAX + ROOM));
    unsigned char(*hashes)[32] = malloc((size_t)t->batch * 32);
    if (!group || !hashes || crypto_sign_keypair(h.public, h.secret))
        bench_die("memory", "exhausted");
    int fd = open_log(t);
    base_open(&b, t->dir, BASE_FULL);
    double began = bench_seconds(), now = began;
    for (off_t at = 0; now - began < t->seconds;) {
        size_t n = 0;
        for (unsigned i = 0; i < t->batch; i++)
            n += write_line(group + n, f->events + i,
                            bench_pooled(t->shape, f->events + i), &h,
                            hashes[i]);
        if (pwrite(fd, group, n, at) != (ssize_t)n || fsync(fd))
            bench_die("writing", strerror(errno));
        at += (off_t)n;
        commit_rows(t, &b, f->events, hashes);
        f->events += t->batch;
        double then = now;
        now = bench_seconds();
        bench_commit(f, now - then);
    }
    f->seconds = now - began;
    free(group);
    free(hashes);
    close(fd);
    base_close(&b);
}
