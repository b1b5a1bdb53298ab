/*
 * doctor.h - private to doctor: what its parts share.
 *
 *   doctor.c       both legs, keys, the order of it all
 *   doctor_env.c   directory, file system, libraries, what lies about
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
    bool has_status;
    bool stopped;
};

/* Tells one check-up; `next` may be NULL.  `format` as printf. */
void plog_doctor_say(struct plog_doctor *d, const char *name,
                     enum plog_health health, const char *next,
                     const char *format, ...)
    __attribute__((format(printf, 5, 6)));

void plog_doctor_directory(struct plog_doctor *d);
void plog_doctor_file_system(struct plog_doctor *d);
void plog_doctor_space(struct plog_doctor *d);
void plog_doctor_libraries(struct plog_doctor *d);
void plog_doctor_quarantine(struct plog_doctor *d);
void plog_doctor_drill(struct plog_doctor *d);
void plog_doctor_clock(struct plog_doctor *d);

#endif
