/*
 * one_shot.c - one delta from a hook: `paritylog append` from the start of the
 * process to its end, beside `paritylog --version` and an append to a file
 * with its fdatasync, in turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

/* Seconds from its start to its end. */
static double run_command(const char *command, char *const argv[],
                          const char *input)
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status = 1;
    if (posix_spawn_file_actions_init(&files) ||
        posix_spawn_file_actions_addopen(&files, 0, input, O_RDONLY, 0) ||
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0))
        bench_die("memory", "exhausted");
    double began = bench_seconds();
    if (posix_spawn(&pid, command, &files, NULL, argv, environ))
        bench_die(command, "does not start");
    if (waitpid(pid, &status, 0) != pid || status)
        bench_die(command, "failed");
    double seconds = bench_seconds() - began;
    posix_spawn_file_actions_destroy(&files);
    return seconds;
}

static void write_delta(const struct bench_task *t, uint64_t i,
                        const char *path)
{
    const struct bench_event *e = bench_pooled(t->shape, i);
    FILE *out = fopen(path, "w");
    if (!out || fprintf(out, "%.*s\n", (int)e->n, e->text) < 0 || fclose(out))
        bench_die(path, strerror(errno));
}

static double append_raw(const struct bench_task *t, int fd, uint64_t i)
{
    const struct bench_event *e = bench_pooled(t->shape, i);
    double began = bench_seconds();
    if (write(fd, e->text, e->n) != (ssize_t)e->n || fdatasync(fd))
        bench_die("writing", strerror(errno));
    return bench_seconds() - began;
}

/* The figures are those of append; RATIO is to the other two together. */
void bench_one_shot(const struct bench_task *t, struct bench_figures *f)
{
    char delta[BENCH_PATH], raw[BENCH_PATH];
    struct bench_figures version = {0}, append = {0};
    char *words = strdup(t->command), *log = strdup(t->large);
    char *show[] = {words, "--version", NULL};
    char *put[] = {words, "append", log, "--quiet", NULL};
    snprintf(delta, sizeof delta, "%s/delta", t->dir);
    snprintf(raw, sizeof raw, "%s/raw", t->dir);
    int fd = open(raw, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0)
        bench_die(raw, strerror(errno));
    double began = bench_seconds();
    for (uint64_t i = 0; i < 5 || bench_seconds() - began < t->seconds; i++) {
        write_delta(t, i, delta);
        bench_commit(&version, run_command(t->command, show, "/dev/null"));
        bench_commit(&append, append_raw(t, fd, i));
        bench_commit(f, run_command(t->command, put, delta));
    }
    close(fd);
    bench_settle(f);
    bench_settle(&version);
    bench_settle(&append);
    f->m[BENCH_MS] = f->m[BENCH_P50] / 1e3;
    f->m[BENCH_RATIO] =
        f->m[BENCH_P50] / (version.m[BENCH_P50] + append.m[BENCH_P50]);
    free(version.commits);
    free(append.commits);
    free(words);
    free(log);
}
