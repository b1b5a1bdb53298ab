/* again.c - see again.h. */
#include "again.h"

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
}

void plog_again_begin(struct plog_again *a, const struct plog_io *io,
                      const char *dir)
{
    a->io = io;
    a->dir = dir;
    a->tries = 0;
    look(a);
}

bool plog_again(struct plog_again *a, int code)
{
    struct plog_again was = *a;
    if (code != PLOG_E_CORRUPT && code != PLOG_E_TAMPERED &&
        code != PLOG_E_PRUNED && code != PLOG_E_NOT_FOUND)
        return false;
    look(a);
    /* The floor moves before the first segment below it is removed: a reader
     * that began between the two sees only that these become fewer. */
    bool moved = a->floor != was.floor || a->redactions != was.redactions ||
                 a->below != was.below;
    return moved && ++a->tries < TRIES;
}
