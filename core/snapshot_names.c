/* snapshot_names.c - see snapshot_names.h. */
#include "snapshot_names.h"

#include <errno.h>
#include <stdio.h>

void plog_snapshot_name(uint64_t floor, char out[PLOG_SNAPSHOT_NAME])
{
    snprintf(out, PLOG_SNAPSHOT_NAME, "%020llu.jsonl.gz",
             (unsigned long long)(floor & INT64_MAX));
}

bool plog_snapshot_parse(const char *name, uint64_t *floor)
{
    char segment[PLOG_SEGMENT_NAME];
    if (strlen(name) != 29 || strcmp(name + 26, ".gz") != 0)
        return false;
    memcpy(segment, name, 26);
    segment[26] = '\0';
    *floor = plog_segment_parse(segment);
    return *floor != 0;
}

int plog_snapshot_dir(const struct plog_dir *d, bool make, int *fd,
                      struct plog_error *err)
{
    return plog_dir_folder(d, PLOG_SNAPSHOT_DIR, make, fd, err);
}

static int each_name(void *arg, const char *name)
{
    uint64_t floor;
    if (!plog_snapshot_parse(name, &floor))
        return 0;
    return plog_buf_add(arg, &floor, sizeof floor) ? -ENOMEM : 0;
}

int plog_snapshot_list(const struct plog_dir *d, struct plog_buf *floors,
                       struct plog_error *err)
{
    int fd, rc = plog_snapshot_dir(d, false, &fd, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    rc = d->io->list(d->io->ctx, fd, each_name, floors);
    d->io->close(d->io->ctx, fd);
    return rc ? plog_fail_io(err, rc, PLOG_SNAPSHOT_DIR, "listing a folder")
              : 0;
}
