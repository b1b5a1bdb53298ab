/*
 * doctor.h - private to doctor: what its parts share.
 *
 *   doctor.c        both legs, the order of it all
 *   doctor_files.c  the directory: names, modes, what lies about
 *   doctor_keys.c   the signing key, the trusted ones
 *   doctor_archive.c, doctor_snapshots.c  what was compacted away
 *   doctor_env.c    file system, space, libraries, the last drill, the clock
 */
#ifndef PLOG_DOCTOR_H
#define PLOG_DOCTOR_H

#include "paritylog_recovery.h"
#include "reader.h"

struct plog_doctor {
    const struct plog_doctor_options *o;
    struct plog_doctor_report *report;
    const struct plog_io *io;
    const char *path;
    struct plog_reader reader;
    struct plog_status status; /* when has_status */
    struct plog_error why;     /* when not */
    bool has_status;
    int legs_verdict, key_verdict; /* the former goes first */
    bool stopped;                  /* by the caller */
};

/* Tells one check-up; `next` may be NULL.  `format` as printf. */
void plog_doctor_say(struct plog_doctor *d, const char *name,
                     enum plog_health health, const char *next,
                     const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Whether the store is open, or could be. */
bool plog_doctor_open_store(struct plog_doctor *d);

void plog_doctor_signing_key(struct plog_doctor *d);
void plog_doctor_trusted_keys(struct plog_doctor *d);
void plog_doctor_directory(struct plog_doctor *d);
void plog_doctor_writing(struct plog_doctor *d);
void plog_doctor_file_system(struct plog_doctor *d);
void plog_doctor_space(struct plog_doctor *d);
void plog_doctor_libraries(struct plog_doctor *d);
void plog_doctor_quarantine(struct plog_doctor *d);
/* Reads all of archive/ up to the floor.  Returns 0; PLOG_E_INTERRUPTED;
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_doctor_archive(struct plog_doctor *d,
                                        struct plog_error *err);
void plog_doctor_snapshots(struct plog_doctor *d);
void plog_doctor_drill(struct plog_doctor *d);
void plog_doctor_clock(struct plog_doctor *d);

#endif
