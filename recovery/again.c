/* again.c - see again.h. */
#include "again.h"

#define TRIES 20

static void look(struct plog_again *a, uint64_t *floor, uint64_t *redactions)
{
    struct plog_status s;
    struct plog_options o = {
        .struct_size = sizeof o, .io = a->io, .wait_seconds = -1};
    bool known = plog_read_status(a->dir, &o, &s, NULL) == 0;
    *floor = known ? s.floor : 0;
    *redactions = known ? s.redactions : 0;
}

void plog_again_begin(struct plog_again *a, const struct plog_io *io,
                      const char *dir)
{
    a->io = io;
    a->dir = dir;
    a->tries = 0;
    look(a, &a->floor, &a->redactions);
}

bool plog_again(struct plog_again *a, int code)
{
    uint64_t floor, redactions;
    if (code != PLOG_E_CORRUPT && code != PLOG_E_TAMPERED &&
        code != PLOG_E_PRUNED && code != PLOG_E_NOT_FOUND)
        return false;
    look(a, &floor, &redactions);
    bool moved = floor != a->floor || redactions != a->redactions;
    a->floor = floor;
    a->redactions = redactions;
    return moved && ++a->tries < TRIES;
}
