/* watermark.c - see watermark.h. */
#include "watermark.h"

#include <errno.h>
#include <fcntl.h>

#include "witness.h"

/* ---- Writing ------------------------------------------------------------ */

static int open_parent(const struct plog_io *io, const char *path,
                       const char **name)
{
    char parent[PLOG_DIR_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    *name = slash ? slash + 1 : path;
    if (n >= sizeof parent)
        return -ENAMETOOLONG;
    memcpy(parent, n ? path : ".", n ? n : 1);
    parent[n ? n : 1] = '\0';
    return io->open_at(io->ctx, AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
}

static int ignore(void *arg, const struct plog_witness_note *n)
{
    (void)arg;
    (void)n;
    return 0;
}

int plog_watermark_place(const struct plog_io *io, const char *dir,
                         const char *path, struct plog_error *err)
{
    static const struct plog_keyring none;
    struct plog_witness_file file;
    int rc = plog_witness_place(io, dir, path, "the watermark", err);
    if (rc)
        return rc;
    rc = plog_witness_read(io, path, &none, ignore, NULL, &file, err);
    if (rc == PLOG_E_NOTHING)
        return 0;
    if (rc == 0 && file.notes == 1 && file.odd == 0)
        return 0;
    if (rc == 0 || rc == PLOG_E_INPUT) {
        rc = plog_fail(err, PLOG_E_INPUT,
                       "it holds something else than one signed note, and is"
                       " not replaced");
        plog_err_hint(err, "name another file for --watermark, or move this"
                           " one away");
    }
    plog_err_file(err, path);
    return rc;
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

static int refuse(struct plog_error *err, const char *path, uint64_t line,
                  int code, const char *what)
{
    plog_fail(err, code, "%s", what);
    plog_err_file(err, path);
    if (line)
        plog_err_line(err, line);
    plog_err_hint(err, "check all of it: paritylog parity DIR");
    return code;
}

int plog_watermark_read(const struct plog_io *io, const char *path,
                        const struct plog_keyring *keys, struct plog_seen *out,
                        struct plog_error *err)
{
    struct plog_witness_note last = {.line = 0};
    struct plog_witness_file file = {.notes = 0};
    int rc = plog_witness_read(io, path, keys, keep_last, &last, &file, err);
    if (rc == PLOG_E_NOTHING) {
        refuse(err, path, 0, rc, "there is no such file yet");
        plog_err_hint(err, "the first time, without --since: paritylog parity"
                           " DIR --watermark FILE");
        return rc;
    }
    if (rc == PLOG_E_INPUT)
        return refuse(err, path, 0, rc,
                      "it is too long, or not a regular file with one link");
    if (rc)
        return rc;
    if (file.notes == 0 || file.odd)
        return refuse(err, path, file.odd ? file.first_odd : 1, PLOG_E_INPUT,
                      "it is not a signed note");
    if (last.code)
        return refuse(err, path, last.line, last.code,
                      last.code == PLOG_E_FOREIGN
                          ? "the checkpoint is of another log"
                      : last.code == PLOG_E_UNKNOWN_KEY
                          ? "the checkpoint is signed by a key that is not"
                            " trusted here"
                          : "the signature of the checkpoint does not verify");
    out->size = last.note.size;
    out->line = last.line;
    out->asked = true;
    memcpy(out->root, last.note.root, sizeof out->root);
    return 0;
}
