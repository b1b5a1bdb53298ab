/* redacting.c - see redacting.h. */
#include "redacting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "files.h"

int redacting_order(const struct world *w, uint64_t seq,
                    struct plog_redact_report *r, struct plog_error *err)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "asked", .wait_seconds = 0.05};
    *err = (struct plog_error){.code = 0};
    return plog_redact(w->dir, seq, &o, r, err);
}

void redacting_copy(struct world *w)
{
    struct plog_redact_report r;
    struct plog_restore_report copied;
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = 40,
                                     .continue_as = "test.example/on"};
    struct plog_error err;
    char out[560];
    CHECK_INT(redacting_order(w, 2, &r, &err), 0);
    snprintf(out, sizeof out, "%.500s-copy", w->dir);
    CHECK_INT(plog_restore(w->dir, out, &o, &copied, NULL), 0);
    world_remove(w->dir);
    snprintf(w->dir, sizeof w->dir, "%.511s", out);
    REQUIRE(world_has(w, "orders"));
}

void redacting_killed(const struct world *w, uint64_t seq)
{
    struct world done = {.p = NULL};
    struct plog_redact_report r;
    struct plog_error err;
    char last[60];
    size_t n;
    snprintf(done.dir, sizeof done.dir, "%.500s-done", w->dir);
    world_copy(w->dir, done.dir);
    CHECK_INT(redacting_order(&done, seq, &r, &err), 0);
    snprintf(last, sizeof last, "log/%020d.jsonl",
             (int)world_number(&done, "SELECT segment FROM meta"));
    char *bytes = world_read(world_path(&done, last), &n);
    while (n > 1 && bytes[n - 2] != '\n')
        n--;
    REQUIRE(n > 1 && strncmp(bytes + n - 1, "{\"commit\"", 9) == 0);
    world_write(world_path(w, last), bytes, n - 1);
    world_remove(done.dir);
    free(bytes);
}

int64_t redacting_pending(const struct world *w)
{
    return world_number(w, "SELECT count(*) FROM redactions WHERE pending>0");
}

bool redacting_has(const struct world *w, const char *name, const char *text)
{
    size_t n;
    char *now = world_read(world_path(w, name), &n);
    bool there = memmem(now, n, text, strlen(text)) != NULL;
    free(now);
    return there;
}

int redacting_count(const struct world *w, const char *folder, const char *text)
{
    struct tree t;
    int count = 0;
    if (!world_has(w, folder))
        return 0;
    tree_read(&t, world_path(w, folder));
    for (size_t i = 0; i < t.count; i++) {
        char name[800];
        size_t n;
        snprintf(name, sizeof name, "%s/%s/%s", w->dir, folder,
                 t.files[i].name);
        char *bytes = S_ISDIR(t.files[i].mode) ? NULL : world_read(name, &n);
        count += bytes && memmem(bytes, n, text, strlen(text));
        free(bytes);
    }
    tree_free(&t);
    return count;
}

int redacting_fresh(const struct world *w)
{
    struct plog_replay_report r;
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    return plog_replay(w->dir, &o, &r, NULL);
}
