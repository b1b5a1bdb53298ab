/*
 * kept.c - a log that was longer: archive/ and snapshots/ prove it.
 *
 * Each archived segment, and each snapshot, names the commit that it stands
 * behind, signed.  A compaction leaves the segment that follows in the log; so
 * where no segment of the log has that name or a higher one, and the log ends
 * below that commit, somebody put an older log there.  An archived segment
 * holds commits, too; in ordinary use each lies below the log's last segment,
 * and none is read.  What else lies there is read no further than it is of this
 * log.
 */
#include "kept.h"

#include <stdio.h>

#include "archive_lines.h"
#include "redact.h"
#include "snapshot_names.h"

struct kept {
    const struct plog_dir *dir;
    const struct plog_chain *chain;      /* of the log, which ends ... */
    uint64_t size;                       /* ... here */
    struct plog_buf archived, snapshots; /* uint64_t: the first seq behind */
    uint64_t last;                       /* the last segment of log/ */
};

/* A file that is damaged, or is gone, or ends there. */
static bool proves_nothing(int rc)
{
    return rc == PLOG_E_CORRUPT || rc == PLOG_END;
}

bool plog_kept_is_folder(const struct plog_dir *d, const char *name)
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
    int rc = plog_kept_is_folder(d, PLOG_SNAPSHOT_DIR)
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
    int rc = plog_kept_is_folder(&d, PLOG_ARCHIVE_DIR)
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
    plog_segments_sort(&k->archived);
    plog_segments_sort(&k->snapshots);
    return proves_nothing(rc) ? 0 : rc; /* that is told already */
}

/* Takes the highest one off; 0: none is above that. */
static uint64_t highest(struct plog_buf *list, uint64_t above)
{
    size_t n = plog_segment_count(list);
    uint64_t first = n ? plog_segment_at(list, n - 1) : 0;
    if (first <= above)
        return 0;
    list->len -= sizeof first;
    return first;
}

/* A snapshot's stands behind its first line. */
static int snapshot_header(const struct plog_dir *d, uint64_t first,
                           struct plog_segment_header *out,
                           struct plog_error *err)
{
    struct plog_archive_lines l;
    struct plog_span line;
    int rc = plog_snapshot_lines_open(&l, d, first - 1, err);
    if (!rc)
        rc = plog_archive_lines_next(&l, PLOG_HEADER_MOST, &line, err);
    if (!rc)
        rc = plog_archive_lines_header(&l, out, err);
    plog_archive_lines_close(&l);
    return rc;
}

/* ---- What they prove ---------------------------------------------------- */

/* Signed by a key of this log, for it. */
static bool is_signed(const struct kept *k, const char *origin,
                      const struct plog_commit *last)
{
    const struct plog_keyring *keys = k->chain->keys;
    if (strcmp(origin, k->chain->origin) != 0)
        return false;
    const struct plog_vkey *key =
        plog_keychain_find(&k->chain->chain, last->key);
    if (!key)
        key = plog_keyring_find(keys, plog_span_text(last->key));
    return key && plog_checkpoint_verify(key, origin, last->size, last->root,
                                         last->sig);
}

/* The header of a segment of this log, at its place. */
static bool is_ours(const struct kept *k, uint64_t first,
                    const struct plog_segment_header *h)
{
    return h->first == first && h->last.size == first - 1 &&
           (h->last.size ? is_signed(k, h->origin, &h->last)
                         : strcmp(h->origin, k->chain->origin) == 0);
}

/* The next group, if it is one of this log: entries that hash to the root which
 * it signs.  PLOG_E_CORRUPT when it is not. */
static int next_group(const struct kept *k, struct plog_archive_lines *l,
                      struct plog_tree *tree, struct plog_commit *commit,
                      struct plog_error *err)
{
    unsigned char hash[PLOG_HASH_SIZE];
    struct plog_span line;
    uint64_t before = tree->size, bytes = 0;
    for (;;) {
        int rc = plog_archive_lines_next(l, PLOG_LINE_LONGEST, &line, err);
        if (rc)
            return rc;
        bytes += line.n;
        if (plog_line_kind(line) != PLOG_LINE_ENTRY)
            break;
        plog_line_leaf(line, hash);
        if (bytes > (uint64_t)PLOG_GROUP_MAX + PLOG_LINE_LONGEST ||
            plog_tree_add(tree, hash))
            return PLOG_E_CORRUPT;
    }
    if (tree->size == before || plog_commit_parse(line, commit))
        return PLOG_E_CORRUPT;
    plog_tree_root(tree, hash);
    bool good = commit->size == tree->size &&
                memcmp(commit->root, hash, sizeof hash) == 0 &&
                is_signed(k, k->chain->origin, commit);
    return good ? 0 : PLOG_E_CORRUPT;
}

/* What an archived segment proves: by the last commit in it, as far as it is of
 * this log, or by its header.  A file that is not, is not read on. */
static int look_into(const struct kept *k, uint64_t first,
                     struct plog_kept *out, struct plog_error *err)
{
    struct plog_archive_lines l;
    struct plog_segment_header h;
    struct plog_commit commit;
    int rc = plog_archive_lines_open(&l, k->dir, first, err);
    if (!rc)
        rc = plog_archive_lines_header(&l, &h, err);
    if (!rc && !is_ours(k, first, &h))
        rc = PLOG_E_CORRUPT;
    if (!rc && h.last.size > k->size)
        *out = (struct plog_kept){h.last, first, true};
    while (!rc && (rc = next_group(k, &l, &h.tree, &commit, err)) == 0)
        if (commit.size > k->size)
            *out = (struct plog_kept){commit, first, true};
    plog_archive_lines_close(&l);
    return proves_nothing(rc) ? 0 : rc;
}

/* The highest that proves it. */
static int find_archived(struct kept *k, struct plog_kept *out,
                         struct plog_error *err)
{
    uint64_t at;
    int rc = 0;
    while (!rc && out->last.size == 0 &&
           (at = highest(&k->archived, k->last - 1)) != 0)
        rc = look_into(k, at, out, err);
    return rc;
}

static int find_snapshot(struct kept *k, struct plog_kept *out,
                         struct plog_error *err)
{
    struct plog_segment_header h;
    uint64_t at;
    while (out->last.size == 0 && (at = highest(&k->snapshots, k->last)) != 0) {
        int rc = snapshot_header(k->dir, at, &h, err);
        if (rc && !proves_nothing(rc))
            return rc;
        if (!rc && is_ours(k, at, &h) && h.last.size > k->size)
            *out = (struct plog_kept){h.last, at, false};
    }
    return 0;
}

/* The file that proves it, and what to do about it. */
void plog_kept_name(const struct plog_kept *p, uint64_t size,
                    char file[PLOG_KEPT_FILE], char next[PLOG_KEPT_NEXT])
{
    char name[PLOG_SNAPSHOT_NAME];
    plog_snapshot_name(p->last.size, name);
    snprintf(file, PLOG_KEPT_FILE, "%s/%s", PLOG_SNAPSHOT_DIR, name);
    if (p->archived)
        plog_segment_file(p->first, true, file);
    snprintf(
        next, PLOG_KEPT_NEXT,
        "keep a copy of DIR; put back a newer log/ (a backup's, or archive/"
        " expanded), then paritylog replay DIR; or, to go on as it is,"
        " move files above %llu out of archive/ and snapshots/",
        (unsigned long long)size);
}

static void begin(struct kept *k, const struct plog_dir *dir)
{
    memset(k, 0, sizeof *k);
    k->dir = dir;
    plog_buf_init(&k->archived, dir->io);
    plog_buf_init(&k->snapshots, dir->io);
}

static void end(struct kept *k)
{
    plog_buf_fini(&k->snapshots);
    plog_buf_fini(&k->archived);
}

int plog_kept_any(const struct plog_dir *dir, bool *any, struct plog_error *err)
{
    struct kept k;
    begin(&k, dir);
    int rc = list_all(&k, err);
    *any = !rc &&
           (highest(&k.archived, k.last - 1) || highest(&k.snapshots, k.last));
    end(&k);
    return rc;
}

int plog_kept_find(const struct plog_dir *dir, const struct plog_chain *chain,
                   uint64_t size, struct plog_kept *out, struct plog_error *err)
{
    struct kept k;
    struct plog_kept snapshot = {.first = 0};
    struct plog_error why = {0};
    begin(&k, dir);
    k.chain = chain;
    k.size = size;
    memset(out, 0, sizeof *out);
    int rc = list_all(&k, err);
    int bad = rc ? 0 : find_archived(&k, out, &why);
    if (!rc && !bad)
        bad = find_snapshot(&k, &snapshot, &why);
    if (bad && err)
        *err = why;
    if (snapshot.last.size >= out->last.size)
        *out = snapshot;
    end(&k);
    return rc ? rc : bad;
}

int plog_kept_refuse(const struct plog_dir *dir, const struct plog_chain *chain,
                     uint64_t size, struct plog_error *err)
{
    struct plog_kept kept;
    char file[PLOG_KEPT_FILE], next[PLOG_KEPT_NEXT];
    int rc = plog_kept_find(dir, chain, size, &kept, err);
    if (rc || kept.last.size == 0)
        return rc;
    plog_kept_name(&kept, size, file, next);
    plog_fail(err, PLOG_E_ROLLBACK,
              "the log ends at entry %llu, and had %llu when this was kept",
              (unsigned long long)size, (unsigned long long)kept.last.size);
    plog_err_file(err, file);
    plog_err_hint(err, "%s", next);
    return PLOG_E_ROLLBACK;
}
