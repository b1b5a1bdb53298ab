/* selftest_rates.c - how many deltas the library makes durable here in a
 * second; see selftest.h. */
#include <stdio.h>

#include "buf.h"
#include "selftest.h"

#define GROUP 100
#define DELTAS_MAX 20000 /* that bounds the space */
#define LEAST 3          /* commits */

struct rate {
    uint64_t commits, deltas;
    double seconds;
};

/* Appends groups of `size` until the share is over. */
static int append(struct plog_selftest *t, plog *p, size_t size, double share,
                  struct rate *r, uint64_t *next, struct plog_error *err)
{
    char(*texts)[PLOG_LIFE_TEXT] = plog_alloc(t->io, size * sizeof *texts);
    struct plog_span spans[GROUP];
    struct plog_group group = {
        .struct_size = sizeof group, .deltas = spans, .delta_count = size};
    int rc = texts ? 0 : plog_fail(err, PLOG_E_NOMEM, "out of memory");
    double began = plog_selftest_clock(t);
    while (!rc && r->deltas < DELTAS_MAX &&
           plog_selftest_has_time(t, "append", share, r->commits, LEAST)) {
        for (size_t i = 0; i < size; i++)
            spans[i] = plog_span(texts[i], plog_life_text(texts[i], (*next)++));
        rc = plog_append_group(p, &group, NULL, err);
        r->commits++;
        r->deltas += size;
    }
    r->seconds = plog_selftest_clock(t) - began;
    plog_free(t->io, texts);
    return rc;
}

static void say(struct plog_selftest *t, const char *name, const struct rate *r,
                int rc, const struct plog_error *err)
{
    double seconds = r->seconds > 0 ? r->seconds : 1e-9;
    if (rc) {
        plog_selftest_say(t, name, PLOG_TEST_FAIL, err->hint, "%s: %s",
                          plog_code_word(rc), err->message);
        return;
    }
    plog_selftest_figure(t, "commits_count", (double)r->commits);
    plog_selftest_figure(t, "commits_per_second", (double)r->commits / seconds);
    plog_selftest_figure(t, "deltas_per_second", (double)r->deltas / seconds);
    plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                      "%.0f durable deltas a second (%llu commits, %.2f ms"
                      " each)",
                      (double)r->deltas / seconds,
                      (unsigned long long)r->commits,
                      1e3 * seconds / (double)(r->commits ? r->commits : 1));
}

static int make(struct plog_selftest *t, const char *path, plog **p,
                struct plog_error *err)
{
    char vkey[PLOG_VKEY_MAX];
    struct plog_init_options init = {.struct_size = sizeof init,
                                     .io = t->io,
                                     .wait_seconds = PLOG_SELFTEST_WAIT,
                                     .allow_network_fs = true};
    struct plog_options open = {.struct_size = sizeof open,
                                .io = t->io,
                                .wait_seconds = PLOG_SELFTEST_WAIT,
                                .allow_network_fs = true,
                                .allow_loose_modes = true};
    int rc = plog_init(path, &init, vkey, err);
    return rc ? rc : plog_open(p, path, &open, err);
}

void plog_selftest_rates(struct plog_selftest *t)
{
    char path[PLOG_SELFTEST_PATH + 80];
    struct rate one = {0}, many = {0};
    struct plog_error err = {0};
    plog *p = NULL;
    uint64_t next = 1;
    snprintf(path, sizeof path, "%s/rates", t->path);
    int rc = make(t, path, &p, &err);
    if (!rc)
        rc = append(t, p, 1, 0.24, &one, &next, &err);
    say(t, "appends, 1 a commit", &one, rc, &err);
    if (!rc) {
        rc = append(t, p, GROUP, 0.3, &many, &next, &err);
        say(t, "appends, 100 a commit", &many, rc, &err);
    }
    plog_close(p);
    rc = plog_selftest_remove(t->io, t->dir, "rates");
    (void)rc; /* the end tries again, and tells */
}
