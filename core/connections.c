/* connections.c - see connections.h. */
#include "connections.h"

#include <stdatomic.h>

/* The process that has them, and how many: in one word, for a child must not
 * see one of them changed without the other. */
static _Atomic uint64_t held;

#define COUNT_MASK 0xffffffffu

static uint64_t process(void)
{
    const struct plog_io *io = plog_io_posix();
    return (uint64_t)io->process_id(io->ctx) << 32;
}

int plog_connections_begin(const struct plog_io *io, struct plog_error *err)
{
    uint64_t self = process(), now = atomic_load(&held), next;
    if (io->vfs_base)
        return 0;
    do {
        if ((now & COUNT_MASK) && (now & ~(uint64_t)COUNT_MASK) != self) {
            plog_fail(err, PLOG_E_ARG,
                      "this process was forked from one that had a store open,"
                      " whose locks it does not have");
            plog_err_hint(err, "close all handles before fork(), also those of"
                               " other directories, or start a program in the"
                               " child (exec)");
            return PLOG_E_ARG;
        }
        next = self | ((now & COUNT_MASK) + 1);
    } while (!atomic_compare_exchange_weak(&held, &now, next));
    return 0;
}

void plog_connections_end(const struct plog_io *io)
{
    uint64_t self = process(), now = atomic_load(&held);
    if (io->vfs_base)
        return;
    do {
        if ((now & ~(uint64_t)COUNT_MASK) != self) /* those of the parent */
            return;
    } while (!atomic_compare_exchange_weak(&held, &now, now - 1));
}

bool plog_connections_any(void)
{
    uint64_t now = atomic_load(&held);
    return (now & COUNT_MASK) && (now & ~(uint64_t)COUNT_MASK) == process();
}
