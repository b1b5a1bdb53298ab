/*
 * check_kept.c - a log that was longer: archive/ and snapshots/ prove it.
 *
 * Each archived segment, and each snapshot, names the commit that it stands
 * behind, signed.  A compaction leaves the segment that follows in the log; so
 * where no segment of the log has that name or a higher one, and the log ends
 * below that commit, somebody put an older log there.  An archived segment
 * holds commits, too; in ordinary use each lies below the log's last segment,
 * and none is read.
 */
#include <errno.h>
#include <stdio.h>

#include "archive.h"
#include "check.h"
#include "gz.h"
#include "scan_window.h"
#include "snapshot.h"

#define HEADER_MOST 65536 /* of a segment, with its LF */

struct kept {
    const struct plog_dir *dir;
    const struct plog_chain *chain;      /* of the log, which ends ... */
    uint64_t size;                       /* ... here */
    struct plog_buf archived, snapshots; /* uint64_t: the first seq behind */
    uint64_t last;                       /* the last segment of log/ */
};

bool plog_check_is_folder(const struct plog_dir *d, const char *name)
{
    struct plog_stat st;
    int rc = d->io->stat_at(d->io->ctx, d->dir, name, &st);
    return rc || (st.mode & 0170000) == 0040000;
}

/* As the first seq behind each. */
static int list_snapshots(const struct plog_dir *d, struct plog_buf *list,
                          struct plog_error *err)
{
    uint64_t *all;
    int rc = plog_check_is_folder(d, PLOG_SNAPSHOT_DIR)
                 ? plog_snapshot_list(d, list, err)
                 : 0;
    all = (void *)list->data;
    for (size_t i = 0; i < plog_segment_count(list); i++)
        all[i]++;
    return rc;
}

/* The log last: what a compaction archives meanwhile lies below it. */
static int list_all(struct kept *k, struct plog_error *err)
{
    struct plog_dir d = *k->dir;
    struct plog_buf log;
    d.with_archive = false;
    plog_buf_init(&log, d.io);
    int rc = plog_check_is_folder(&d, PLOG_ARCHIVE_DIR)
                 ? plog_archive_segments(&d, &k->archived, err)
                 : 0;
    if (!rc)
        rc = list_snapshots(&d, &k->snapshots, err);
    bool any = k->archived.len || k->snapshots.len;
    if (!rc && any)
        rc = plog_dir_segments(&d, &log, err);
    size_t n = plog_segment_count(&log);
    k->last = n ? plog_segment_at(&log, n - 1) : UINT64_MAX;
    plog_buf_fini(&log);
    return plog_check_is_verdict(rc) ? 0 : rc; /* that is told already */
}

/* The highest below `below`; 0: none. */
static uint64_t highest(const struct plog_buf *list, uint64_t below)
{
    uint64_t best = 0;
    for (size_t i = 0; i < plog_segment_count(list); i++) {
        uint64_t first = plog_segment_at(list, i);
        if (first < below && first > best)
            best = first;
    }
    return best;
}

/* Its first line; damage further on is none of the header's. */
static int read_header(const struct plog_io *io, int fd, char *text,
                       struct plog_segment_header *out, struct plog_error *err)
{
    struct plog_json json;
    struct plog_gz g;
    size_t got = 0;
    int rc = plog_gz_open(&g, io, fd, err);
    if (!rc)
        rc = plog_gz_read(&g, text, HEADER_MOST, &got, err);
    plog_gz_close(&g);
    const char *lf = memchr(text, '\n', got);
    if ((rc && rc != PLOG_E_CORRUPT) || !lf)
        return rc ? rc : PLOG_E_CORRUPT;
    plog_json_init(&json, io);
    rc = plog_header_parse(&json, plog_span(text, (size_t)(lf - text)), out);
    plog_json_fini(&json);
    return rc == PLOG_E_NOMEM ? plog_fail(err, rc, "out of memory") : rc;
}

static int archived_header(const struct plog_dir *d, uint64_t first,
                           struct plog_segment_header *out,
                           struct plog_error *err)
{
    int fd, rc = plog_archive_open_packed(d, first, &fd, err);
    if (rc)
        return rc;
    char *text = plog_alloc(d->io, HEADER_MOST);
    rc = text ? read_header(d->io, fd, text, out, err)
              : plog_fail(err, PLOG_E_NOMEM, "out of memory");
    plog_free(d->io, text);
    d->io->close(d->io->ctx, fd);
    return rc;
}

static int snapshot_header(const struct plog_dir *d, uint64_t first,
                           struct plog_segment_header *out,
                           struct plog_error *err)
{
    struct plog_snapshot s;
    int rc = plog_snapshot_peek(&s, d, first - 1, err);
    *out = s.header;
    plog_snapshot_close(&s);
    return rc;
}

/* ---- What they prove ---------------------------------------------------- */

/* A commit that somebody kept, and the file: named by the seq behind it. */
struct proof {
    struct plog_commit last; /* size 0: none */
    uint64_t first;
};

/* Signed by a key of this log, for it, and longer than it is. */
static bool is_longer(const struct kept *k, const char *origin,
                      const struct plog_commit *last)
{
    const struct plog_keyring *keys = k->chain->keys;
    if (last->size <= k->size || strcmp(origin, k->chain->origin) != 0)
        return false;
    const struct plog_vkey *key =
        plog_keychain_find(&k->chain->chain, last->key);
    if (!key)
        key = plog_keyring_find(keys, plog_span_text(last->key));
    return key && plog_checkpoint_verify(key, origin, last->size, last->root,
                                         last->sig);
}

static bool proves(const struct kept *k, uint64_t first,
                   const struct plog_segment_header *h)
{
    return h->first == first && h->last.size == first - 1 &&
           is_longer(k, h->origin, &h->last);
}

/* The last commit in an archived segment that does. */
static int commits_of(const struct kept *k, uint64_t first, struct proof *out,
                      struct plog_error *err)
{
    struct plog_stat id;
    struct plog_span line;
    struct plog_commit commit;
    struct plog_scan s;
    uint64_t at = 0;
    int fd, rc = plog_archive_open(k->dir, first, &fd, &id, err);
    if (rc)
        return rc;
    plog_scan_open(&s, k->dir->io, fd, id.size, false, NULL);
    while ((rc = plog_window_next(&s, &at, &line)) == 0)
        if (plog_line_kind(line) == PLOG_LINE_COMMIT &&
            !plog_commit_parse(line, &commit) && commit.size >= first &&
            is_longer(k, k->chain->origin, &commit)) {
            out->last = commit;
            out->first = first;
        }
    plog_scan_close(&s);
    k->dir->io->close(k->dir->io->ctx, fd);
    return rc == PLOG_END
               ? 0
               : plog_fail(err, rc, "reading an archived segment failed");
}

/* The highest that does: by what it holds, and by its header. */
static int find_archived(const struct kept *k, struct proof *out,
                         struct plog_error *err)
{
    struct plog_segment_header h;
    uint64_t at = UINT64_MAX;
    while (out->last.size == 0 && (at = highest(&k->archived, at)) >= k->last) {
        int rc = commits_of(k, at, out, err);
        if (rc && !plog_check_is_verdict(rc))
            return rc;
        if (out->last.size || at == k->last)
            break;
        rc = archived_header(k->dir, at, &h, err);
        if (rc && !plog_check_is_verdict(rc))
            return rc;
        if (!rc && proves(k, at, &h))
            *out = (struct proof){h.last, at};
    }
    return 0;
}

static int find_snapshot(const struct kept *k, struct proof *out,
                         struct plog_error *err)
{
    struct plog_segment_header h;
    uint64_t at = UINT64_MAX;
    while (out->last.size == 0 && (at = highest(&k->snapshots, at)) > k->last) {
        int rc = snapshot_header(k->dir, at, &h, err);
        if (rc && !plog_check_is_verdict(rc))
            return rc;
        if (!rc && proves(k, at, &h))
            *out = (struct proof){h.last, at};
    }
    return 0;
}

/* The file that proves it, and what to do about it. */
static void name_kept(const struct proof *p, bool archived, uint64_t size,
                      char file[64], char next[220])
{
    char name[PLOG_SNAPSHOT_NAME];
    if (archived)
        plog_archive_name(p->first, name);
    else
        plog_snapshot_name(p->last.size, name);
    snprintf(file, 64, "%s/%s", archived ? PLOG_ARCHIVE_DIR : PLOG_SNAPSHOT_DIR,
             name);
    snprintf(
        next, 220,
        "keep a copy of DIR; put back a newer log/ (a backup's, or archive/"
        " expanded), then paritylog replay DIR; or, to go on as it is,"
        " move files above %llu out of archive/ and snapshots/",
        (unsigned long long)size);
}

static void tell(struct plog_check *c, const struct proof *p, bool archived)
{
    const struct plog_commit *kept = &p->last, *last = &c->walk.chain.last;
    char file[64], want[100], got[100], hash[48], next[220];
    name_kept(p, archived, last->size, file, next);
    plog_check_hash(kept->root, hash);
    snprintf(want, sizeof want, "%llu:%s", (unsigned long long)kept->size,
             hash);
    plog_check_hash(last->root, hash);
    snprintf(got, sizeof got, "%llu:%s", (unsigned long long)last->size, hash);
    struct plog_finding f = {.verdict = PLOG_E_ROLLBACK,
                             .leg = PLOG_LEG_LOG,
                             .file = file,
                             .seq = kept->size,
                             .expected = want,
                             .found = got,
                             .next = next};
    plog_check_find(c, &f);
}

/* @out  what proves most; its size 0: nothing does */
static int look(const struct plog_dir *dir, const struct plog_chain *chain,
                uint64_t size, struct proof *out, bool *archived,
                struct plog_error *err)
{
    struct kept k = {.dir = dir, .chain = chain, .size = size};
    struct proof snapshot = {.first = 0};
    struct plog_error why = {0};
    plog_buf_init(&k.archived, dir->io);
    plog_buf_init(&k.snapshots, dir->io);
    memset(out, 0, sizeof *out);
    int rc = list_all(&k, err);
    int bad = rc ? 0 : find_archived(&k, out, &why);
    if (!rc && !bad)
        bad = find_snapshot(&k, &snapshot, &why);
    if (bad && err)
        *err = why;
    *archived = out->last.size > snapshot.last.size;
    if (!*archived)
        *out = snapshot;
    plog_buf_fini(&k.snapshots);
    plog_buf_fini(&k.archived);
    return rc ? rc : bad;
}

int plog_check_kept(struct plog_check *c, struct plog_error *err)
{
    struct proof kept;
    bool archived;
    int rc = look(&c->reader.dir, &c->walk.chain, c->walk.chain.last.size,
                  &kept, &archived, err);
    if (!rc && kept.last.size)
        tell(c, &kept, archived);
    return rc;
}

int plog_kept_refuse(const struct plog_dir *dir, const struct plog_chain *chain,
                     uint64_t size, struct plog_error *err)
{
    struct proof kept;
    char file[64], next[220];
    bool archived;
    int rc = look(dir, chain, size, &kept, &archived, err);
    if (rc || kept.last.size == 0)
        return rc;
    name_kept(&kept, archived, size, file, next);
    plog_fail(err, PLOG_E_ROLLBACK,
              "the log ends at entry %llu, and had %llu when this was kept",
              (unsigned long long)size, (unsigned long long)kept.last.size);
    plog_err_file(err, file);
    plog_err_hint(err, "%s", next);
    return PLOG_E_ROLLBACK;
}
