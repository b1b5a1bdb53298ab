/* watermark.c - see watermark.h. */
#include "watermark.h"

#include <fcntl.h>
#include <stdio.h>

#include "witness.h"

/* ---- Writing ------------------------------------------------------------ */

static int open_parent(const struct plog_io *io, const char *path,
                       const char **name)
{
    char parent[PLOG_DIR_PATH_MAX];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash)
        memcpy(parent, ".", 2);
    else
        snprintf(parent, sizeof parent, "%.*s",
                 slash == path ? 1 : (int)(slash - path), path);
    return io->open_at(io->ctx, AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
}

int plog_watermark_write(const struct plog_io *io, const char *path,
                         const char *origin, const struct plog_vkey *key,
                         const struct plog_commit *c, struct plog_error *err)
{
    struct plog_buf note;
    const char *name;
    int dir = open_parent(io, path, &name);
    if (dir < 0)
        return plog_fail_io(err, dir, path, "opening the watermark's folder");
    plog_buf_init(&note, io);
    int rc = plog_note_format(&note, origin, c->size, c->root, key->id, c->sig);
    if (rc)
        plog_fail(err, rc, "making the watermark failed");
    else {
        rc = plog_io_write_file(io, dir, name, ".tmp", note.data, note.len,
                                0644, true);
        rc = rc ? plog_fail_io(err, rc, path, "writing the watermark") : 0;
    }
    plog_buf_fini(&note);
    io->close(io->ctx, dir);
    return rc;
}

/* ---- Reading ------------------------------------------------------------ */

static int keep_last(void *arg, const struct plog_witness_note *n)
{
    *(struct plog_witness_note *)arg = *n;
    return 0;
}

int plog_watermark_read(const struct plog_io *io, const char *path,
                        const struct plog_keyring *keys, struct plog_seen *out,
                        struct plog_error *err)
{
    struct plog_witness_note last = {.line = 0};
    struct plog_witness_file file = {.notes = 0};
    int rc = plog_witness_read(io, path, keys, keep_last, &last, &file, err);
    if (rc)
        return rc;
    if (file.notes == 0 || file.odd || file.changed)
        rc = plog_fail(err, PLOG_E_INPUT, "it is not a signed note");
    else if (last.code)
        rc = plog_fail(err, last.code, "%s",
                       last.code == PLOG_E_FOREIGN
                           ? "the checkpoint is of another log"
                       : last.code == PLOG_E_UNKNOWN_KEY
                           ? "the checkpoint is signed by a key that is not"
                             " trusted here"
                           : "the signature of the checkpoint does not verify");
    if (rc) {
        plog_err_file(err, path);
        plog_err_line(err, last.line ? last.line : 1);
        plog_err_hint(err, "check all of it: paritylog parity DIR");
        return rc;
    }
    out->size = last.note.size;
    out->line = last.line;
    memcpy(out->root, last.note.root, sizeof out->root);
    return 0;
}
