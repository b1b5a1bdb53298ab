/* again.c - see again.h. */
#include "again.h"

#include "err.h"

#define TRIES 20

static void look(struct plog_again *a)
{
    struct plog_status s;
    struct plog_options o = {
        .struct_size = sizeof o, .io = a->io, .wait_seconds = -1};
    bool known = plog_read_status(a->dir, &o, &s, NULL) == 0;
    a->floor = known ? s.floor : 0;
    a->redactions = known ? s.redactions : 0;
    a->below = known ? s.below_floor : 0;
    a->compaction = known ? s.compaction : 0;
    a->pending = known ? s.pending : 0;
}

void plog_again_begin(struct plog_again *a, const struct plog_io *io,
                      const char *dir)
{
    a->io = io;
    a->dir = dir;
    a->tries = 0;
    a->gave_up = false;
    look(a);
}

static bool may_come_of_it(int code)
{
    return code == PLOG_E_CORRUPT || code == PLOG_E_TAMPERED ||
           code == PLOG_E_PRUNED || code == PLOG_E_NOT_FOUND ||
           code == PLOG_E_DIVERGED;
}

bool plog_again(struct plog_again *a, int code)
{
    struct plog_again was = *a;
    if (!may_come_of_it(code))
        return false;
    look(a);
    /* The floor moves before the first segment below it is removed: a reader
     * that began between the two sees only that these become fewer; and an undo
     * sets it back. */
    bool moved = a->floor != was.floor || a->redactions != was.redactions ||
                 a->below != was.below || a->compaction != was.compaction ||
                 a->pending != was.pending;
    a->gave_up = moved && ++a->tries >= TRIES;
    return moved && !a->gave_up;
}

int plog_again_end(const struct plog_again *a, int code, struct plog_error *err)
{
    if (!a->gave_up)
        return code;
    plog_fail(err, PLOG_E_LOCKED,
              "the log was compacted or redacted each of %d times that it was"
              " read",
              TRIES);
    plog_err_hint(err, "run it again when that is done; nothing is known to be"
                       " wrong");
    return PLOG_E_LOCKED;
}
