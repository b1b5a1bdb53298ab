/*
 * install.h - private to rebuild: a leg in the place of the one there.
 */
#ifndef PLOG_INSTALL_H
#define PLOG_INSTALL_H

#include "paritylog_recovery.h"

/* Either of the two below. */
typedef int plog_install(const char *dir, const struct plog_rebuild_options *o,
                         struct plog_rebuild_report *report,
                         struct plog_error *err);

/* A dry run of plog_rebuild_log for the place of the log that is there: a
 * snapshot that is lost may still be made anew from archive/. */
PLOG_MUST_CHECK int plog_rebuild_log_read(
    const char *dir, const char *out, const struct plog_rebuild_options *given,
    struct plog_rebuild_report *report, struct plog_error *err);

/* A dry run of plog_rebuild_store that reads the log alone: a snapshot that is
 * lost is made anew where the store is installed. */
PLOG_MUST_CHECK int plog_rebuild_store_read(
    const char *dir, const char *out, const struct plog_rebuild_options *given,
    struct plog_rebuild_report *report, struct plog_error *err);

/* Both return as plog_rebuild_log; with a verdict in the report nothing was
 * changed, or (of the log) not all of it could be mended. */
PLOG_MUST_CHECK int plog_install_log(const char *dir,
                                     const struct plog_rebuild_options *o,
                                     struct plog_rebuild_report *report,
                                     struct plog_error *err);
PLOG_MUST_CHECK int plog_install_store(const char *dir,
                                       const struct plog_rebuild_options *o,
                                       struct plog_rebuild_report *report,
                                       struct plog_error *err);

#endif
