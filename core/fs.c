/* fs.c - see fs.h.  Numbers are those of statfs(2). */
#include "fs.h"

#include <stdio.h>

static const struct {
    uint64_t type;
    enum plog_fs_kind kind;
    const char *name;
} known[] = {
    {0x6969, PLOG_FS_NETWORK, "nfs"},
    {0x517b, PLOG_FS_NETWORK, "smb"},
    {0xff534d42, PLOG_FS_NETWORK, "cifs"},
    {0xfe534d42, PLOG_FS_NETWORK, "smb2"},
    {0x01021997, PLOG_FS_NETWORK, "9p"},
    {0x00c36400, PLOG_FS_NETWORK, "ceph"},
    {0x5346414f, PLOG_FS_NETWORK, "afs"},
    {0x6b414653, PLOG_FS_NETWORK, "afs"},
    {0x73757245, PLOG_FS_NETWORK, "coda"},
    {0x564c, PLOG_FS_NETWORK, "ncp"},
    {0x01161970, PLOG_FS_NETWORK, "gfs2"},
    {0x7461636f, PLOG_FS_NETWORK, "ocfs2"},
    {0x0bd00bd0, PLOG_FS_NETWORK, "lustre"},
    {0x19830326, PLOG_FS_NETWORK, "beegfs"},
    {0x47504653, PLOG_FS_NETWORK, "gpfs"},
    {0x786f4256, PLOG_FS_NETWORK, "vboxsf"},
    {0x65735546, PLOG_FS_USER, "fuse"},
    {0x01021994, PLOG_FS_MEMORY, "tmpfs"},
    {0x858458f6, PLOG_FS_MEMORY, "ramfs"},
    {0xef53, PLOG_FS_LOCAL, "ext4"}, /* ext2 and ext3 have the same */
    {0x58465342, PLOG_FS_LOCAL, "xfs"},
    {0x9123683e, PLOG_FS_LOCAL, "btrfs"},
    {0x2fc12fc1, PLOG_FS_LOCAL, "zfs"},
    {0xf2f52010, PLOG_FS_LOCAL, "f2fs"},
    {0xca451a4e, PLOG_FS_LOCAL, "bcachefs"},
    {0x794c7630, PLOG_FS_LOCAL, "overlay"},
    {0x4d44, PLOG_FS_LOCAL, "vfat"},
    {0x2011bab0, PLOG_FS_LOCAL, "exfat"},
    {0x7366746e, PLOG_FS_LOCAL, "ntfs"},
};

enum plog_fs_kind plog_fs_kind_of(uint64_t type, char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type) {
            snprintf(name, 32, "%s", known[i].name);
            return known[i].kind;
        }
    snprintf(name, 32, "type 0x%llx", (unsigned long long)type);
    return PLOG_FS_UNKNOWN;
}

bool plog_fs_is_local(const struct plog_dir *d)
{
    struct plog_fs fs;
    char name[32];
    if (!d->io->file_system || d->io->file_system(d->io->ctx, d->dir, &fs))
        return false;
    enum plog_fs_kind kind = plog_fs_kind_of(fs.type, name);
    return kind == PLOG_FS_LOCAL || kind == PLOG_FS_MEMORY;
}

bool plog_fs_is_allowed(const struct plog_dir *d)
{
    struct plog_stat st;
    return d->io->stat_at(d->io->ctx, d->dir, PLOG_FS_MARKER, &st) == 0;
}

int plog_fs_check(const struct plog_dir *d, bool allowed,
                  struct plog_error *err)
{
    struct plog_fs fs;
    char name[32];
    if (allowed || !d->io->file_system ||
        d->io->file_system(d->io->ctx, d->dir, &fs) ||
        plog_fs_kind_of(fs.type, name) != PLOG_FS_NETWORK ||
        plog_fs_is_allowed(d))
        return 0;
    plog_fail(err, PLOG_E_IO,
              "the directory lies on a network file system (%s), where SQLite's"
              " WAL is not safe",
              name);
    plog_err_hint(err,
                  "put it on a local disk; or, at your own risk, give"
                  " --network-fs-ok (allow_network_fs), or for good make an"
                  " empty file DIR/" PLOG_FS_MARKER);
    return PLOG_E_IO;
}
