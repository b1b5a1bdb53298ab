/* witness.c - see witness.h. */
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

#include "paritylog_recovery.h"

/* ---- Reading ------------------------------------------------------------ */

/* Where the five lines at `p` end; NULL when there are not so many. */
static const char *five_lines(const char *p, const char *end)
{
    for (int i = 0; i < 5 && p; i++) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    return p;
}

/* A key with the note's name tells a foreign log from an unknown key. */
static int judge(const struct plog_keyring *keys, const struct plog_note *n)
{
    bool named = false;
    for (unsigned i = 0; i < keys->count; i++) {
        const struct plog_vkey *k = &keys->keys[i];
        if (strcmp(k->name, n->origin) != 0)
            continue;
        named = true;
        if (memcmp(k->id, n->key_id, sizeof k->id) == 0)
            return plog_checkpoint_verify(k, n->origin, n->size, n->root,
                                          n->sig)
                       ? 0
                       : PLOG_E_TAMPERED;
    }
    return named ? PLOG_E_UNKNOWN_KEY : PLOG_E_FOREIGN;
}

static int read_text(const struct plog_io *io, const char *path,
                     struct plog_buf *b, struct plog_error *err)
{
    int rc = plog_io_read_all(io, AT_FDCWD, path, PLOG_WITNESS_MAX, b);
    if (rc == -ENOENT)
        return plog_fail(err, PLOG_E_NOTHING, "there is no witness file %s",
                         path);
    if (rc == -EFBIG || rc == -EINVAL || rc == -EISDIR || rc == -EMLINK)
        return plog_fail(err, PLOG_E_INPUT,
                         "the witness file is longer than %u MiB, or not a"
                         " regular file with one link",
                         PLOG_WITNESS_MAX >> 20);
    return rc ? plog_fail_io(err, rc, path, "reading the witness file") : 0;
}

int plog_witness_read(const struct plog_io *io, const char *path,
                      const struct plog_keyring *keys,
                      int (*each)(void *arg, const struct plog_witness_note *n),
                      void *arg, struct plog_witness_file *file,
                      struct plog_error *err)
{
    struct plog_buf b;
    struct plog_witness_note n = {.line = 1};
    struct plog_witness_odd odd = {.keys = keys};
    memset(file, 0, sizeof *file);
    plog_buf_init(&b, io);
    int rc = read_text(io, path, &b, err);
    const char *p = b.data, *end = b.data ? b.data + b.len : NULL;
    while (!rc && p < end) {
        const char *next = five_lines(p, end);
        if (next &&
            !plog_note_parse(plog_span(p, (size_t)(next - p)), &n.note)) {
            plog_witness_odd_end(&odd, &file->changed);
            snprintf(odd.name, sizeof odd.name, "%s", n.note.origin);
            n.code = judge(keys, &n.note);
            file->notes++;
            rc = each(arg, &n);
            if (rc == PLOG_E_NOMEM)
                plog_fail(err, rc, "out of memory");
            else if (rc)
                rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
            n.line += 5;
            p = next;
            continue;
        }
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        const char *stop = lf ? lf : end;
        plog_witness_odd_line(&odd, plog_span(p, (size_t)(stop - p)), n.line,
                              lf == NULL);
        if (file->odd++ == 0)
            file->first_odd = n.line;
        p = lf ? lf + 1 : end;
        n.line++;
    }
    plog_witness_odd_end(&odd, &file->changed);
    plog_buf_fini(&b);
    return rc;
}

/* ---- Appending ---------------------------------------------------------- */

static int sync_parent(const struct plog_io *io, const char *path)
{
    char parent[4096];
    if (strlen(path) >= sizeof parent)
        return -ENAMETOOLONG;
    memcpy(parent, path, strlen(path) + 1);
    char *slash = strrchr(parent, '/');
    if (!slash)
        memcpy(parent, ".", 2);
    else
        slash[slash == parent] = '\0';
    int fd = io->open_at(io->ctx, AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    int rc = io->fsync(io->ctx, fd);
    io->close(io->ctx, fd);
    return rc;
}

/* Adds the note at the end; a line that was cut off is ended first.  What has
 * no space is taken back, as far as the disk lets us. */
static int append(const struct plog_io *io, int fd, const char *note)
{
    struct plog_stat st;
    char last = '\n';
    size_t got;
    int rc = io->stat(io->ctx, fd, &st);
    if (!rc && st.size)
        rc = plog_io_pread_full(io, fd, &last, 1, st.size - 1, &got);
    if (rc)
        return rc;
    bool ends = last == '\n';
    if (!ends)
        rc = plog_io_write_full(io, fd, "\n", 1, st.size, NULL);
    if (!rc)
        rc = plog_io_write_full(io, fd, note, strlen(note), st.size + !ends,
                                NULL);
    if (rc && io->truncate(io->ctx, fd, st.size))
        return rc; /* it stays, and the next one ends it */
    return rc ? rc : io->fsync(io->ctx, fd);
}

struct newest {
    uint64_t size;
};

static int keep_newest(void *arg, const struct plog_witness_note *n)
{
    struct newest *newest = arg;
    if (n->code == 0 && n->note.size > newest->size)
        newest->size = n->note.size;
    return 0;
}

/* What FILE says already must hold of the log. */
static int check(const char *dir, const char *path, bool exists,
                 const struct plog_check_options *given,
                 struct plog_check_report *report, struct plog_error *err)
{
    struct plog_check_options o = *given;
    o.witness = exists ? path : NULL;
    int rc = plog_verify(dir, &o, report, err);
    if (rc || report->verdict == 0 || report->verdict == PLOG_E_TORN)
        return rc;
    plog_fail(err, report->verdict,
              report->verdict == PLOG_E_PRUNED
                  ? "whether the log has the newest head of the witness nothing"
                    " here tells any more; nothing was noted"
                  : "the log does not agree with the witness, or is damaged;"
                    " nothing was noted");
    plog_err_hint(err, "run: paritylog verify DIR --witness FILE");
    return report->verdict;
}

int plog_witness_place(const struct plog_io *io, const char *dir,
                       const char *path, const char *what,
                       struct plog_error *err)
{
    char parent[4096], real[4096], *slash;
    if (!dir || !path)
        return plog_fail(err, PLOG_E_ARG, "%s was given",
                         dir ? "no file" : "no directory");
    size_t n = strlen(path);
    int found = io->real_path(io->ctx, dir, real, sizeof real);
    if (found == -ENOENT || found == -ENOTDIR)
        return plog_fail(err, PLOG_E_NOTHING, "no directory %s", dir);
    if (found)
        return plog_fail_io(err, found, dir, "finding the directory");
    if (n >= sizeof parent)
        return plog_fail_io(err, -ENAMETOOLONG, path,
                            "finding the folder of the file");
    memcpy(parent, path, n + 1);
    slash = strrchr(parent, '/');
    if (!slash)
        memcpy(parent, ".", 2);
    else
        slash[slash == parent] = '\0';
    int rc = io->real_path(io->ctx, parent, real, sizeof real);
    if (rc)
        return plog_fail_io(err, rc, path, "finding the folder of the file");
    rc = plog_path_outside(io, dir, path, err);
    if (rc != PLOG_E_INPUT)
        return rc;
    plog_fail(err, rc, "%s lies in the directory of a log", what);
    plog_err_hint(err, "keep it out of reach of whoever may write there");
    return rc;
}

/* Whether a file without a note is what a crash leaves of a first one: its
 * first line is that of `note`, or a part of it. */
static bool is_begun(const struct plog_io *io, int fd, const char *note)
{
    char have[PLOG_ORIGIN_MAX + 1];
    size_t n = strcspn(note, "\n") + 1, got = 0;
    return n <= sizeof have &&
           plog_io_pread_full(io, fd, have, n, 0, &got) == 0 &&
           memcmp(have, note, got) == 0;
}

/* Whether the file is as long as when the log was compared with it: a note that
 * was added since may be of another history. */
static int has_not_grown(const struct plog_io *io, int fd, uint64_t size,
                         struct plog_error *err)
{
    struct plog_stat st;
    int rc = io->stat(io->ctx, fd, &st);
    if (rc)
        return plog_fail_io(err, rc, "the witness file", "looking at it");
    return st.size == size
               ? 0
               : plog_fail(err, PLOG_E_LOCKED,
                           "the witness file changed meanwhile; run it again");
}

/* Under the lock of the file: adds the note unless the file knows as much.
 * @size  of the file that was compared */
static int note_head(const struct plog_io *io, const char *path, uint64_t size,
                     const char *note, const struct plog_head *head,
                     const struct plog_keyring *keys, bool *appended,
                     struct plog_error *err)
{
    struct plog_witness_file file;
    struct newest newest = {0};
    int fd = io->open_at(io->ctx, AT_FDCWD, path, O_RDWR | O_CREAT, 0644);
    int rc = fd < 0 ? fd : 0;
    for (int i = 0;
         !rc && (rc = io->lock(io->ctx, fd, 2)) == -EAGAIN && i < 1000; i++) {
        io->sleep_ns(io->ctx, 10000000);
        rc = 0;
    }
    if (rc) {
        if (fd >= 0)
            io->close(io->ctx, fd);
        return plog_fail_io(err, rc, path, "opening the witness file");
    }
    int read =
        plog_witness_read(io, path, keys, keep_newest, &newest, &file, err);
    if (!read && file.notes == 0 && file.odd &&
        (file.changed || !is_begun(io, fd, note)))
        read = plog_fail(err, PLOG_E_INPUT, "%s is no witness file", path);
    if (!read && newest.size < head->size)
        read = has_not_grown(io, fd, size, err);
    if (!read && newest.size < head->size) {
        rc = append(io, fd, note);
        if (!rc)
            rc = sync_parent(io, path);
        *appended = rc == 0;
    }
    io->close(io->ctx, fd);
    return rc ? plog_fail_io(err, rc, path, "noting the head") : read;
}

static int count_only(void *arg, const struct plog_witness_note *n)
{
    (void)arg, (void)n;
    return 0;
}

/* Whether there is something to compare the log with, before the first note is
 * added; or something is wrong with the file, which the check tells. */
static bool may_hold_notes(const struct plog_io *io, const char *path)
{
    const struct plog_keyring none = {.count = 0};
    struct plog_witness_file file;
    return plog_witness_read(io, path, &none, count_only, NULL, &file, NULL) ||
           file.notes || file.changed;
}

/* The head that was verified, whatever writers have added since. */
static int spell_head(const struct plog_check_report *checked,
                      struct plog_buf *note, struct plog_error *err)
{
    const struct plog_head *h = &checked->head;
    unsigned char id[4];
    if (h->size == 0)
        return plog_fail(err, PLOG_E_NOT_FOUND, "the log has no commit yet");
    int rc =
        sodium_hex2bin(id, sizeof id, h->key, strlen(h->key), NULL, NULL, NULL)
            ? PLOG_E_CORRUPT
            : plog_note_format(note, checked->origin, h->size, h->root, id,
                               h->sig);
    if (!rc)
        rc = plog_buf_add_char(note, '\0');
    return rc ? plog_fail(err, rc, "making the note failed") : 0;
}

int plog_witness(const char *dir, const char *path,
                 const struct plog_check_options *given,
                 struct plog_witness_report *report, struct plog_error *err)
{
    struct plog_check_options own;
    struct plog_check_report checked;
    struct plog_keyring keys = {.count = 0};
    struct plog_stat st = {.size = 0};
    struct plog_buf note;
    memset(report, 0, sizeof *report);
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    own.struct_size = sizeof own;
    const struct plog_io *io = own.io ? own.io : plog_io_posix();
    plog_buf_init(&note, io);
    int rc = plog_witness_place(io, dir, path, "the witness file", err);
    int found = rc ? 0 : io->stat_at(io->ctx, AT_FDCWD, path, &st);
    bool exists = !rc && !found && may_hold_notes(io, path);
    if (found && found != -ENOENT)
        rc = plog_fail_io(err, found, path, "looking at the witness file");
    if (!rc)
        rc = check(dir, path, exists, &own, &checked, err);
    if (!rc)
        rc = spell_head(&checked, &note, err);
    if (!rc &&
        plog_vkey_parse(plog_span_text(checked.vkey), &keys.keys[0]) == 0)
        keys.count = 1;
    if (!rc)
        rc = note_head(io, path, st.size, note.data, &checked.head, &keys,
                       &report->appended, err);
    if (!rc)
        report->head = checked.head;
    plog_buf_fini(&note);
    return plog_done(err, rc);
}
