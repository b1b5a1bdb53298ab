/*
 * fold_time.c - see fold_time.h.
 *
 * Folding an entry, and comparing the fold with the records at the end, are
 * two functions of the library, wrapped by the linker.  If one of them changes
 * its arguments, this no longer compiles; it is then to be changed with it.
 */
#include "fold_time.h"

#include "bench.h"
#include "parity.h"

static _Thread_local bool watching;
static double spent;

__typeof__(plog_fold_logged) __real_plog_fold_logged, __wrap_plog_fold_logged;
__typeof__(plog_parity_records) __real_plog_parity_records,
    __wrap_plog_parity_records;

void fold_watch(bool on)
{
    watching = on;
}

double fold_seconds(void)
{
    return spent;
}

int __wrap_plog_fold_logged(struct plog_fold *f, enum plog_strategy strategy,
                            const struct plog_entry *e, struct plog_span line,
                            bool *agrees, struct plog_current *before,
                            struct plog_error *err)
{
    double began = watching ? bench_seconds() : 0;
    int rc = __real_plog_fold_logged(f, strategy, e, line, agrees, before, err);
    if (watching)
        spent += bench_seconds() - began;
    return rc;
}

int __wrap_plog_parity_records(struct plog_parity *p, struct plog_error *err)
{
    double began = watching ? bench_seconds() : 0;
    int rc = __real_plog_parity_records(p, err);
    if (watching)
        spent += bench_seconds() - began;
    return rc;
}
