/*
 * test_queue.c - the writer thread of a handle, which a forked child has not:
 * closing there waits for nobody.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

static struct world w;

/* Submits a delta and waits for it, so that there is a writer thread. */
static void submit(void)
{
    char text[300];
    struct plog_ticket *t = NULL;
    struct world_delta d = {.id = "a", .record = "1"};
    struct plog_span s = {text, 0};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = &s, .delta_count = 1};
    s.n = strlen(world_text(text, sizeof text, &d));
    CHECK_INT(plog_submit(w.p, &g, &t, NULL), 0);
    CHECK_INT(plog_wait(t, NULL, NULL), 0);
}

static void closed_in_a_child(void)
{
    int status = -1;
    world_make(&w, PLOG_ARRIVAL, 0);
    submit();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(5); /* it would be for ever */
        plog_close(w.p);
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    CHECK_INT(world_put(&w, "b", "1", "x", NULL), 0);
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"closed in a child", closed_in_a_child},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
