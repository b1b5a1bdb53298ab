/* halves.c - see halves.h. */
#include "halves.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define PROCESSES_MAX 8

void *halves_shared(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
    if (p == MAP_FAILED)
        abort();
    return p;
}

unsigned halves_count(void)
{
    const char *text = getenv("STORM_JOBS");
    long n = text ? atol(text) : sysconf(_SC_NPROCESSORS_ONLN);
    long most = text ? PROCESSES_MAX : 2;
    return n < 1 ? 1 : (unsigned)(n < most ? n : most);
}

double halves_budget(void)
{
    const char *text = getenv("STORM_BUDGET");
    if (getenv("STORM_ALL"))
        return 0;
    return text && atof(text) > 0 ? atof(text) : 10;
}

bool halves_run(void (*work)(void *arg, unsigned k, unsigned n), void *arg,
                void (*where)(void *arg, unsigned k))
{
    pid_t pids[PROCESSES_MAX];
    unsigned n = halves_count();
    bool ok = true;
    fflush(stdout);
    for (unsigned k = 0; k < n; k++) {
        pids[k] = fork();
        if (pids[k] == 0) {
            work(arg, k, n);
            fflush(stdout);
            _exit(0);
        }
    }
    for (unsigned k = 0; k < n; k++) {
        int status = 1;
        while (pids[k] > 0 && waitpid(pids[k], &status, 0) < 0 &&
               errno == EINTR)
            ;
        if (CHECK_INT(status, 0))
            continue;
        ok = false;
        if (where)
            where(arg, k);
    }
    return ok;
}
