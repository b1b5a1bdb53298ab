/*
 * orders_dir.h - a folder in the shape of a log's directory, made by hand, for
 * tests of orders.h by itself; and what they put into it.
 */
#ifndef ORDERS_DIR_H
#define ORDERS_DIR_H

#include "orders.h"

/* A new one, with an empty log/.  `io` is the real table, which the caller may
 * change; `ring` has no key. */
void orders_dir_begin(struct plog_dir *d, struct plog_io *io,
                      struct plog_keyring *ring, struct plog_orders *o);
void orders_dir_end(struct plog_dir *d, struct plog_orders *o);
/* Makes a file hold that. */
void orders_dir_put(int dir, const char *name, const char *p, size_t n);

/* Arguments of a compact entry that lets the log begin behind `to`; they lie in
 * `b`. */
struct plog_span orders_floor_args(uint64_t to, struct plog_buf *b);
/* Adds the line of that entry. */
void orders_floor_line(struct plog_buf *b, uint64_t to, uint64_t at);

/* For io.open_at and io.list: -EIO for one name, and for one folder. */
extern const char *orders_unreadable; /* NULL: none */
extern int orders_unlisted;           /* -1: none */
int orders_failing_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode);
int orders_failing_list(void *ctx, int dir,
                        int (*each)(void *arg, const char *name), void *arg);

#endif
