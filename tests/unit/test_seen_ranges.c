/*
 * test_seen_ranges.c - a witness file that has grown for years: its old notes,
 * which the check passes by, are one range, and cost no second look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "said.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static char file[600], mark[600];
static unsigned begun;

static bool counts_looks(const char *call, const char *sql, bool busy)
{
    (void)busy;
    begun += !strcmp(call, "prepare") &&
             !strncmp(sql, "SELECT first FROM main.segments WHERE first>=", 45);
    return false;
}

static void note(const char *path)
{
    char text[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;
    REQUIRE(plog_reader_open(&r, w.dir, NULL, NULL) == 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    world_write(path, text, strlen(text));
}

/* Notes of 2, 12, 22, ... 72, and ten entries more. */
static void make(void)
{
    memset(&sql_calls, 0, sizeof sql_calls);
    peers_make(&w, PLOG_ARRIVAL, 1);
    snprintf(file, sizeof file, "%.500s/notes", check_dir());
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    remove(file);
    for (int i = 0; i < 8; i++) {
        struct plog_witness_report r;
        CHECK_INT(plog_witness(w.dir, file, NULL, &r, NULL), 0);
        CHECK_UINT(r.head.size, 2 + 10 * (uint64_t)i);
        CHECK_INT(world_open(&w), 0);
        peers_put(&w, 1 + 10 * i, 11 + 10 * i);
        world_close(&w);
    }
}

static unsigned lines(const char *text, const char *words)
{
    unsigned n = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        n++;
    return n;
}

/* `words`, and no other range of heads, in one look. */
static void says(said_check_fn *check, const struct plog_check_options *o,
                 const char *words)
{
    begun = 0;
    sql_calls.fails = counts_looks;
    const char *said = said_check(check, w.dir, o);
    sql_calls.fails = NULL;
    bool ok = CHECK(strstr(said, words) != NULL);
    ok &= CHECK(strstr(said, "CLEAN, head ") != NULL);
    ok &= CHECK_UINT(lines(said, "unchecked log "), lines(words, "unchecked"));
    if (!ok)
        printf("# %s", said);
    CHECK_UINT(begun, check == plog_parity);
}

static void below_the_floor(void)
{
    const struct plog_check_options o = {.witness = file};
    struct plog_compact_report r;
    size_t n;
    make();
    says(plog_verify, &o, "");
    says(plog_parity, &o, "");
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 42 && r.to < 52);
    static const char many[] =
        "unchecked log 2-42: heads that were seen lie below the floor\n";
    says(plog_verify, &o, many);
    says(plog_parity, &o, many);
    /* What a crash left of one more. */
    char both[300];
    char *notes = world_read(file, &n);
    world_write(file, notes, n - 60);
    free(notes);
    snprintf(both, sizeof both,
             "unchecked log 0-0: the witness file has a note that was cut"
             " off\n%s",
             many);
    says(plog_verify, &o, both);
    says(plog_parity, &o, both);
}

static void below_the_checkpoint(void)
{
    const struct plog_check_options o = {.witness = file, .since = mark};
    make();
    note(mark);
    says(plog_parity, &o, "unchecked log 2-62: heads that were seen lie below");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"below the floor", below_the_floor},
        {"below the checkpoint", below_the_checkpoint},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
