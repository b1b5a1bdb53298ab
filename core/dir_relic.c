/*
 * dir_relic.c - a directory without a log, and what is left of one: who lost
 * his log must not be told to make another.
 */
#include "dir.h"

#include <errno.h>

static int look_for(const struct plog_dir *d, const char *name, bool *is)
{
    struct plog_stat st;
    int rc =
        d->dir < 0 ? -ENOENT : d->io->stat_at(d->io->ctx, d->dir, name, &st);
    *is = rc == 0;
    return rc == -ENOENT ? 0 : rc;
}

int plog_dir_relic(const struct plog_dir *d, const char **name)
{
    static const char *const relics[] = {"store.db", "store.db-wal", "archive",
                                         "snapshots", "quarantine"};
    bool is = false;
    int rc = 0;
    *name = NULL;
    for (size_t i = 0; !rc && !is && i < sizeof relics / sizeof *relics; i++) {
        rc = look_for(d, relics[i], &is);
        if (rc || is)
            *name = relics[i];
    }
    return rc;
}

static int store_alone(const char *what, struct plog_error *err)
{
    plog_fail(err, PLOG_E_ROLLBACK,
              "the log is gone: %s, but store.db is there", what);
    plog_err_hint(err, "bring log/ back from a copy, or make it from the store:"
                       " paritylog salvage DIR --from-store");
    return PLOG_E_ROLLBACK;
}

int plog_dir_no_log(const struct plog_dir *d, const char *what,
                    struct plog_error *err)
{
    const char *relic, *last = "";
    bool has_key, has_log;
    int rc = plog_dir_relic(d, &relic);
    if (!rc && relic && strcmp(relic, "store.db") == 0)
        return store_alone(what, err);
    if (rc)
        return plog_fail_io(err, rc, relic ? relic : ".", "looking for a log");
    if (!relic && look_for(d, "keys/signing.key", &has_key) == 0 && has_key) {
        relic = "keys/signing.key";
        if (look_for(d, "log", &has_log) == 0 && has_log)
            last = "; an init that was cut off goes on by `paritylog init DIR`";
    }
    plog_fail(err, PLOG_E_NOTHING, "there is no log here: %s%s%s%s", what,
              relic ? ", but " : "", relic ? relic : "",
              relic ? " is there" : "");
    if (relic)
        plog_err_hint(err,
                      "if there was a log, bring it back from a copy or a"
                      " peer before anything else%s",
                      last);
    else
        plog_err_hint(err, "see that the path is right; paritylog init DIR"
                           " makes a new log");
    return PLOG_E_NOTHING;
}
