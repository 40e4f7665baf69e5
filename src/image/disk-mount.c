/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounting a disk's file systems on each other.
 *
 * Calls: for each one a loop device with the partition's offset (sys/loop.c), or none if the kernel can do without: erofs in a file (Linux 6.12),
 * a block device that is one file system; fsopen, fsmount; move_mount on its directory, which is looked up in the disk's own root; at last
 * open_tree(CLONE | RECURSIVE) of it all. Before Linux 6.15 a detached tree cannot be mounted on, so that it is put together in our namespace. */
#include "image/disk-mount.h"

#include <dirent.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "image/disk-crypt.h"
#include "image/disk-signature.h"
#include "sys/loop.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"

#define EXT4_RESIZE \
        _IOW('f', 16, uint64_t) /* EXT4_IOC_RESIZE_FS; the kernel's headers do not export it */
#define OPTIONS_MAX 8

#define PLAIN MOUNT_ATTR_NODEV
#define DATA (MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)
#define BOOT (MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW)

/* clang-format off */
static const struct {
        const char *path;
        uint64_t attributes;
        bool optional; /* a container does without: where there is no place for it, or no such file system in the kernel */
} places[_DISK_PLACE_MAX] = {
        [DISK_ROOT]     = { "/",        PLAIN, false },
        [DISK_USR]      = { "/usr",     PLAIN, false },
        [DISK_HOME]     = { "/home",    DATA,  false },
        [DISK_SRV]      = { "/srv",     DATA,  false },
        [DISK_VAR]      = { "/var",     PLAIN, false },
        [DISK_TMP]      = { "/var/tmp", DATA,  false },
        [DISK_XBOOTLDR] = { "/boot",    BOOT,  true },
        [DISK_ESP]      = { "/efi",     BOOT,  true }, /* or /boot, see find_esp() */
};

static const struct {
        const char *file_system;
        MountOption writable[4], read_only[4];
} options_of[] = {
        { "ext4",  { { "errors", "remount-ro" }, { "discard", NULL } }, { { "errors", "remount-ro" }, { "norecovery", NULL } } },
        /* the same file system may be mounted twice, from copies of an image */
        { "xfs",   { { "nouuid", NULL }, { "discard", NULL } },         { { "nouuid", NULL }, { "norecovery", NULL } } },
        { "btrfs", { { "discard", NULL } },                            { { "rescue", "nologreplay" } } },
        { "vfat",  { { "umask", "0077" }, { "discard", NULL } },        { { "umask", "0077" } } },
};
/* clang-format on */

typedef struct Mounting {
        const char *name;
        int fd;
        const DiskFacts *facts;
        const DiskPlan *plan;
        const DiskVerity *verity;
        bool read_only;
        int root_fd;       /* the root's file system, attached */
        bool root_written; /* it can be */
} Mounting;

/* ---- one file system ---- */

static void fill_options(const char *file_system, const char *source, bool read_only,
                         MountOption options[static OPTIONS_MAX]) {
        size_t n = 0;

        options[n++] = (MountOption){ "source", source };
        for (size_t i = 0; i < ELEMENTSOF(options_of); i++) {
                if (!streq(options_of[i].file_system, file_system))
                        continue;
                const MountOption *more =
                        read_only ? options_of[i].read_only : options_of[i].writable;
                for (; more->key; more++)
                        options[n++] = *more;
        }
        if (read_only)
                options[n++] = (MountOption){ "ro", NULL };
        options[n] = (MountOption){ 0 };
}

static int mount_source(const char *file_system, const char *source, uint64_t attributes,
                        bool read_only, char **ret_words) {
        MountOption options[OPTIONS_MAX];

        fill_options(file_system, source, read_only, options);
        return mount_new(file_system, options,
                         attributes | (read_only ? (uint64_t) MOUNT_ATTR_RDONLY : 0), ret_words);
}

static int mount_error(const Mounting *m, const DiskPartition *p, int code, const char *words,
                       Error *reterr) {
        const char *type = p->file_system;
        int r;

        if (code == -ENODEV) {
                r = error_set(reterr, code, ERROR_UNSUPPORTED,
                              "The kernel has no file system %s, which image '%s' has", type,
                              m->name);
                error_hint(reterr, "see 'modprobe %s'", type);
                return r;
        }
        if (words)
                r = error_set(reterr, code, ERROR_MOUNT_FAILED,
                              "Mounting partition %u (%s) of image '%s' failed: %s: %s", p->number,
                              type, m->name, errno_words(code), words);
        else
                r = error_set(reterr, code, ERROR_MOUNT_FAILED,
                              "Mounting partition %u (%s) of image '%s' failed: %s", p->number,
                              type, m->name, errno_words(code));
        if (IN_SET(code, -EUCLEAN, -EBADMSG, -EINVAL, -EIO))
                error_hint(reterr, "the file system may be damaged: check it with fsck.%s", type);
        if (code == -EEXIST)
                error_hint(reterr, "a file system of the same UUID is mounted: is it a copy? See "
                                   "'btrfstune -u'");
        return r;
}

/* The kernel's name for what fd is. */
static void descriptor_path(int fd, char path[static 32]) {
        (void) snprintf(path, 32, "/proc/self/fd/%d", fd); /* it fits */
}

int disk_loop_error(const char *name, int code, Error *reterr) {
        int r;

        if (!IN_SET(code, -ENOENT, -ENODEV))
                return error_set_errno(reterr, code, ERROR_SETUP_FAILED,
                                       "Making a loop device of image '%s' failed", name);
        r = error_set(reterr, code, ERROR_UNSUPPORTED,
                      "Image '%s' cannot be mounted: there is no loop device", name);
        error_hint(reterr, "see 'modprobe loop', and whether /dev/loop-control and /dev/loop* are "
                           "there");
        return r;
}

/* ---- through the device-mapper ---- */

static int verity_loops(const Mounting *m, const DiskMount *d, LoopDevice *data, LoopDevice *hashes,
                        Error *reterr) {
        const DiskPartition *p = d->partition, *h = d->hashes;
        const int fd = h ? m->fd : m->verity->hashes_fd;
        off_t end = h ? 0 : lseek(fd, 0, SEEK_END);

        int r = end < 0 ? -errno
                        : loop_device_make(m->fd, p->offset, p->size, m->facts->sector_size,
                                           /* read_only= */ true, data);
        if (r >= 0)
                r = loop_device_make(fd, h ? h->offset : 0, h ? h->size : (uint64_t) end,
                                     h ? m->facts->sector_size : 512, /* read_only= */ true,
                                     hashes);
        return r < 0 ? disk_loop_error(m->name, r, reterr) : 0;
}

/* Who signed it may have said what: a hash on the disk is only taken together with a signature that the kernel knows. */
static int verity_of(const Mounting *m, const DiskMount *d, DiskVerity *ret, Error *reterr) {
        const DiskPartition *s = d->signature;

        if (m->verity->root_hash_size > 0) {
                memcpy(ret->root_hash, m->verity->root_hash, sizeof(ret->root_hash));
                ret->root_hash_size = m->verity->root_hash_size;
        } else if (!s || disk_hash_parse(s->root_hash, ret->root_hash, &ret->root_hash_size) < 0)
                return error_set(reterr, -EBADMSG, ERROR_NOT_A_ROOT, "Image '%s' has no root hash",
                                 m->name);
        if (m->verity->signature) {
                ret->signature = malloc(m->verity->signature_size + 1);
                if (!ret->signature)
                        return error_oom(reterr);
                memcpy(ret->signature, m->verity->signature, m->verity->signature_size);
                ret->signature_size = m->verity->signature_size;
                return 0;
        }
        int r = s ? disk_base64_decode(s->signature, &ret->signature, &ret->signature_size) : 0;
        return r < 0 ? error_set_errno(reterr, r, ERROR_NOT_A_ROOT,
                                       "Reading the signature on image '%s' failed", m->name)
                     : 0;
}

static int mount_verity(const Mounting *m, DiskPlace place, Error *reterr) {
        _cleanup_(loop_device_done) LoopDevice data = LOOP_DEVICE_NULL, hashes = LOOP_DEVICE_NULL;
        _cleanup_(disk_verity_done) DiskVerity v = DISK_VERITY_NULL;
        _cleanup_(crypt_closep) Crypt *crypt = NULL;
        const DiskMount *d = m->plan->mounts + place;
        _cleanup_free_ char *words = NULL;

        int r = verity_of(m, d, &v, reterr);
        if (r >= 0)
                r = verity_loops(m, d, &data, &hashes, reterr);
        if (r >= 0)
                r = crypt_open(m->name, &crypt, reterr);
        if (r >= 0)
                r = crypt_open_verity(crypt, data.path, hashes.path, &v, d->must_be_signed, reterr);
        if (r < 0)
                return r;
        r = mount_source(d->partition->file_system, crypt_path(crypt), places[place].attributes,
                         /* read_only= */ true, &words);
        if (r < 0 && crypt_is_corrupted(crypt)) {
                r = error_set(reterr, -EBADMSG, ERROR_NOT_A_ROOT,
                              "What is on image '%s' is not what the root hash says", m->name);
                error_hint(reterr, "it was changed or damaged, or it is another image's hash");
                return r;
        }
        return r < 0 ? mount_error(m, d->partition, r, words, reterr) : r;
}

/* A detached mount; -ENODEV without an error if it may be left out. */
static int mount_partition(const Mounting *m, DiskPlace place, bool read_only, Error *reterr) {
        const DiskPartition *p = m->plan->mounts[place].partition;
        _cleanup_(loop_device_done) LoopDevice loop = LOOP_DEVICE_NULL;
        _cleanup_free_ char *words = NULL;
        char path[32];
        struct stat st;
        int r = -ENOTBLK;

        if (m->plan->mounts[place].verity)
                return mount_verity(m, place, reterr);
        if (m->plan->mounts[place].device) { /* of what is encrypted */
                r = mount_source(p->file_system, m->plan->mounts[place].device,
                                 places[place].attributes, read_only, &words);
                return r < 0 ? mount_error(m, p, r, words, reterr) : r;
        }
        if (fstat(m->fd, &st) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Looking at image '%s' failed", m->name);
        if (p->number == 0 && (S_ISBLK(st.st_mode) || streq(p->file_system, "erofs"))) {
                descriptor_path(m->fd, path);
                r = mount_source(p->file_system, path, places[place].attributes, read_only, &words);
                if (r >= 0)
                        return r;
        }
        if (r == -ENOTBLK) { /* a file, and one that needs a device */
                r = loop_device_make(m->fd, p->offset, p->size, m->facts->sector_size, read_only,
                                     &loop);
                if (r < 0)
                        return disk_loop_error(m->name, r, reterr);
                words = mfree(words);
                r = mount_source(p->file_system, loop.path, places[place].attributes, read_only,
                                 &words);
        }
        if (r == -ENODEV && places[place].optional)
                return r;
        return r < 0 ? mount_error(m, p, r, words, reterr) : r;
}

/* As large as its partition. What fails is not lost, only smaller. */
static void grow(int mount_fd, const DiskPartition *p) {
        struct statx st;
        int r = -EOPNOTSUPP;
        _cleanup_close_ int fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0 && streq(p->file_system, "ext4") &&
            statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) >= 0 && st.stx_blksize > 0) {
                uint64_t blocks = p->size / st.stx_blksize;
                r = ioctl(fd, EXT4_RESIZE, &blocks) < 0 ? -errno : 0;
        } else if (fd >= 0 && streq(p->file_system, "btrfs")) {
                struct btrfs_ioctl_vol_args args = { .name = "1:max" };
                r = ioctl(fd, BTRFS_IOC_RESIZE, &args) < 0 ? -errno : 0;
        }
        if (r < 0)
                log_debug_errno(r, "Growing the %s file system of partition %u failed",
                                p->file_system, p->number);
}

/* ---- its place ---- */

static bool directory_is_empty(int fd) {
        int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = again < 0 ? NULL : fdopendir(again);
        bool empty = d;

        if (!d) {
                fd_close(again);
                return false;
        }
        for (struct dirent *e = readdir(d); e && empty; e = readdir(d))
                empty = streq(e->d_name, ".") || streq(e->d_name, "..");
        (void) closedir(d); /* was only read */
        return empty;
}

/* /efi, or /boot where nothing else is to be there: empty directories of the image. */
static int find_esp(const Mounting *m) {
        static const char *const paths[] = { "/efi", "/boot" };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                if (i > 0 && m->plan->mounts[DISK_XBOOTLDR].partition)
                        break;
                int fd = resolve_in_root(m->root_fd, paths[i], O_PATH | O_DIRECTORY);
                if (fd >= 0 && directory_is_empty(fd))
                        return fd;
                fd_close(fd);
        }
        return -ENOENT;
}

static int find_place(const Mounting *m, DiskPlace place) {
        if (place == DISK_ESP)
                return find_esp(m);
        int fd = resolve_in_root(m->root_fd, places[place].path, O_PATH | O_DIRECTORY);
        if (fd != -ENOENT || !m->root_written || places[place].optional)
                return fd;
        return resolve_make_mount_point(m->root_fd, places[place].path, S_IFDIR, 0, 0);
}

static int place_error(const Mounting *m, DiskPlace place, int code, Error *reterr) {
        return error_set_errno(
                reterr, code, ERROR_NOT_A_ROOT,
                "Image '%s' has a partition for %s, but no such directory in its root", m->name,
                places[place].path);
}

static int add_partition(Mounting *m, DiskPlace place, Error *reterr) {
        const DiskMount *d = m->plan->mounts + place;
        const bool read_only = m->read_only || d->read_only;

        _cleanup_close_ int target_fd = find_place(m, place);
        if (target_fd < 0) {
                if (!places[place].optional)
                        return place_error(m, place, target_fd, reterr);
                log_debug("Image '%s' has no directory for its %s partition", m->name,
                          disk_place_to_string(place));
                return 0;
        }
        _cleanup_close_ int mount_fd = mount_partition(m, place, read_only, reterr);
        if (mount_fd == -ENODEV && places[place].optional) {
                log_debug("The %s partition of image '%s' is left out: the kernel has no %s",
                          disk_place_to_string(place), m->name, d->partition->file_system);
                return 0;
        }
        if (mount_fd < 0)
                return mount_fd;
        int r = mount_attach(mount_fd, target_fd);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_MOUNT_FAILED,
                                       "Attaching the %s partition of image '%s' failed",
                                       disk_place_to_string(place), m->name);
        if (d->grow && !read_only)
                grow(mount_fd, d->partition);
        return 0;
}

/* What /usr can be attached to, where the disk has no root. */
static int mount_empty_root(const Mounting *m, Error *reterr) {
        const MountOption options[] = {
                { "source", "tmpfs" }, { "mode", "0755" }, { "size", "4k" }, { 0 }
        };
        int fd = mount_new("tmpfs", options, MOUNT_ATTR_NODEV, NULL);
        int r = fd < 0 ? fd : mkdirat(fd, "usr", 0755) < 0 ? -errno : 0;
        if (r >= 0)
                return fd;
        fd_close(fd);
        return error_set_errno(reterr, r, ERROR_MOUNT_FAILED,
                               "Making a root for the /usr of image '%s' failed", m->name);
}

static int mount_root(Mounting *m, Error *reterr) {
        const DiskMount *d = m->plan->mounts + DISK_ROOT;

        int r = mkdir_parents(DISK_MOUNT_POINT, 0700);
        _cleanup_close_ int target_fd =
                r < 0 ? r : open(DISK_MOUNT_POINT, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (target_fd < 0)
                return error_set_errno(reterr, r < 0 ? r : -errno, ERROR_SETUP_FAILED,
                                       "Making '%s' failed", DISK_MOUNT_POINT);
        m->root_written = !m->read_only && !d->read_only;
        int fd = d->partition ? mount_partition(m, DISK_ROOT, !m->root_written, reterr)
                              : mount_empty_root(m, reterr);
        if (fd < 0)
                return fd;
        m->root_fd = fd;
        r = mount_attach(fd, target_fd);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_MOUNT_FAILED,
                                       "Attaching the root of image '%s' failed", m->name);
        if (d->grow && m->root_written)
                grow(fd, d->partition);
        return 0;
}

int disk_mount(const char *name, int fd, const DiskFacts *facts, const DiskPlan *plan,
               const DiskVerity *verity, bool read_only, int *ret_tree_fd, bool *ret_read_only,
               Error *reterr) {
        Mounting m = { .name = name,
                       .fd = fd,
                       .facts = facts,
                       .plan = plan,
                       .verity = verity,
                       .read_only = read_only,
                       .root_fd = -EBADF };

        int r = mount_root(&m, reterr);
        for (DiskPlace place = DISK_ROOT + 1; r >= 0 && place < DISK_SWAP; place++)
                if (plan->mounts[place].partition)
                        r = add_partition(&m, place, reterr);
        _cleanup_close_ int tree_fd = r < 0 ? r : mount_clone(m.root_fd, /* recursive= */ true);
        if (r >= 0 && tree_fd < 0)
                r = error_set_errno(reterr, tree_fd, ERROR_MOUNT_FAILED,
                                    "Cloning the tree of image '%s' failed", name);
        (void) mount_detach(m.root_fd); /* fails where it was not attached */
        fd_close(m.root_fd);
        if (r < 0)
                return r;
        *ret_tree_fd = TAKE_FD(tree_fd);
        *ret_read_only = !m.root_written;
        return 0;
}
