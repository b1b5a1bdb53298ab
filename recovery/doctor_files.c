/* doctor_files.c - what lies in the directory; see doctor.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "doctor.h"
#include "fs.h"

#define TYPE 0170000u
#define FOLDER 0040000u
#define REGULAR 0100000u

/* Names for one line; those that have no room are counted all the same. */
struct names {
    char text[200];
    uint64_t count, shown;
};

static void add(struct names *n, const char *place, const char *name)
{
    size_t at = strlen(n->text), room = sizeof n->text - at;
    n->count++;
    if (strlen(place) + strlen(name) + 3 > room)
        return;
    snprintf(n->text + at, room, "%s%s%s", at ? ", " : "", place, name);
    n->shown++;
}

/* What is to be said behind them. */
static const char *others(const struct names *n, char *out, size_t cap)
{
    out[0] = '\0';
    if (n->count > n->shown)
        snprintf(out, cap, "%s%llu %s", n->shown ? ", and " : "",
                 (unsigned long long)(n->count - n->shown),
                 n->shown ? "more" : "with long names");
    return out;
}

/* ---- Names and modes ---------------------------------------------------- */

enum whose { OURS, LEFT, ODD };

struct listing {
    struct plog_doctor *d;
    int dir;
    const char *place; /* "", "log/" or "keys/" */
    enum whose (*whose)(const char *name, bool folder);
    struct names odd, loose, left;
    bool failed;
};

static bool starts(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool ends(const char *name, const char *with)
{
    size_t n = strlen(name), w = strlen(with);
    return n > w && strcmp(name + n - w, with) == 0;
}

static enum whose in_dir(const char *name, bool folder)
{
    if (folder)
        return starts(name, "drill-") || strcmp(name, "salvage") == 0 ||
                       strcmp(name, PLOG_FRESH_DIR) == 0
                   ? LEFT
               : plog_dir_has_folder(name) ? OURS
                                           : ODD;
    return strcmp(name, "drill.json.tmp") == 0 ? LEFT
           : plog_dir_has_file(name)           ? OURS
                                               : ODD;
}

static enum whose in_log(const char *name, bool folder)
{
    if (!folder && plog_segment_parse(name))
        return OURS;
    return !folder && ends(name, ".jsonl.new") ? LEFT : ODD;
}

/* Exactly these: a copy of the secret under another name is not ours. */
static enum whose in_keys(const char *name, bool folder)
{
    static const char *const files[] = {"signing.key", "signing.key.new"};
    static const char *const temps[] = {"signing.key.tmp",
                                        "signing.key.new.tmp"};
    if (folder)
        return ODD;
    if (ends(name, ".vkey.tmp") || plog_dir_among(temps, 2, name))
        return LEFT;
    return ends(name, ".vkey") || plog_dir_among(files, 2, name) ? OURS : ODD;
}

/* Verifier keys are for everybody to read; who looks at the signing key tells
 * its mode; the marker is made by hand. */
static bool is_loose(const char *name, uint32_t mode)
{
    if (strcmp(name, "signing.key") == 0 || strcmp(name, PLOG_FS_MARKER) == 0)
        return false;
    return mode & (ends(name, ".vkey") ? 022u : 077u);
}

static int each_name(void *arg, const char *name)
{
    struct listing *l = arg;
    struct plog_stat st;
    if (l->d->io->stat_at(l->d->io->ctx, l->dir, name, &st))
        return 0; /* gone meanwhile */
    uint32_t type = st.mode & TYPE;
    enum whose whose = l->whose(name, type == FOLDER);
    if (type != FOLDER && type != REGULAR)
        whose = ODD; /* a link, a pipe: never made here */
    if (whose != OURS)
        add(whose == LEFT ? &l->left : &l->odd, l->place, name);
    else if (is_loose(name, st.mode))
        add(&l->loose, l->place, name);
    return 0;
}

static void list(struct listing *l, int dir, const char *place,
                 enum whose (*whose)(const char *name, bool folder))
{
    l->dir = dir;
    l->place = place;
    l->whose = whose;
    if (dir >= 0 && l->d->io->list(l->d->io->ctx, dir, each_name, l) < 0)
        l->failed = true;
}

static void say_names(struct plog_doctor *d, const struct names *n,
                      const char *what, const char *next)
{
    char more[60];
    if (n->count)
        plog_doctor_say(d, "directory", PLOG_HEALTH_WARN, next, "%s: %s%s",
                        what, n->text, others(n, more, sizeof more));
}

void plog_doctor_directory(struct plog_doctor *d)
{
    static const char name[] = "directory";
    const struct plog_dir *dir = &d->reader.dir;
    struct listing l = {.d = d};
    struct plog_stat st;
    list(&l, dir->dir, "", in_dir);
    list(&l, dir->log, "log/", in_log);
    list(&l, dir->keys, "keys/", in_keys);
    if (d->io->stat(d->io->ctx, dir->dir, &st) || l.failed) {
        plog_doctor_say(d, name, PLOG_HEALTH_UNKNOWN,
                        "see who owns it, and its modes",
                        "it cannot be listed");
        return;
    }
    if (st.mode & 077)
        plog_doctor_say(d, name, PLOG_HEALTH_WARN, "chmod 700 DIR",
                        "mode %04o: others may look into it, expected 0700",
                        st.mode & 07777u);
    say_names(d, &l.loose, "others may read or change",
              "chmod 600 what is a file there, chmod 700 what is a folder");
    say_names(d, &l.odd, "holds what is not ours",
              "see what it is; paritylog has not made it");
    say_names(
        d, &l.left, "of a command that was killed, or is under way",
        "if none is: paritylog drill DIR removes what a drill left, paritylog"
        " replay DIR store.new; nothing reads the rest, and a redaction removes"
        " all of it");
    if (!(st.mode & 077) && !l.loose.count && !l.odd.count && !l.left.count)
        plog_doctor_say(d, name, PLOG_HEALTH_OK, NULL, "%s, mode %04o",
                        dir->path, st.mode & 07777u);
}

/* ---- Quarantine --------------------------------------------------------- */

struct sum {
    struct plog_doctor *d;
    int dir;
    uint64_t files, bytes;
    bool failed;
};

/* Opens a folder and gives each name to `each`.  Returns 0, or -errno. */
static int visit(struct sum *s, int at, const char *name,
                 int (*each)(void *arg, const char *name))
{
    const struct plog_io *io = s->d->io;
    int up = s->dir;
    int fd =
        io->open_at(io->ctx, at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return fd;
    s->dir = fd;
    int rc = io->list(io->ctx, fd, each, s);
    s->dir = up;
    io->close(io->ctx, fd);
    return rc < 0 ? rc : 0;
}

static int add_file(void *arg, const char *name)
{
    struct sum *s = arg;
    struct plog_stat st;
    if (s->d->io->stat_at(s->d->io->ctx, s->dir, name, &st))
        return 0;
    s->files++;
    s->bytes += st.size;
    return 0;
}

/* What stood in log/ and was no segment may have been a folder. */
static int add_kept(void *arg, const char *name)
{
    struct sum *s = arg;
    struct plog_stat st;
    if (s->d->io->stat_at(s->d->io->ctx, s->dir, name, &st))
        return 0;
    if ((st.mode & TYPE) != FOLDER)
        return add_file(arg, name);
    if (visit(s, s->dir, name, add_file))
        s->failed = true;
    return 0;
}

void plog_doctor_quarantine(struct plog_doctor *d)
{
    struct sum s = {.d = d};
    int rc = visit(&s, d->reader.dir.dir, "quarantine", add_kept);
    if ((rc && rc != -ENOENT) || s.failed)
        plog_doctor_say(d, "quarantine", PLOG_HEALTH_UNKNOWN,
                        "see who owns it, and its modes",
                        "it cannot be listed");
    else if (s.files)
        plog_doctor_say(d, "quarantine", PLOG_HEALTH_NOTE,
                        "look at it; nothing reads it any more",
                        "%llu files, %llu bytes that could not be used",
                        (unsigned long long)s.files,
                        (unsigned long long)s.bytes);
    else
        plog_doctor_say(d, "quarantine", PLOG_HEALTH_OK, NULL, "empty");
}
