/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Giving all files of a tree to a range of ids.
 *
 * Calls, of each file: openat2(O_PATH | BENEATH | NO_SYMLINKS | NO_XDEV), fchownat(AT_EMPTY_PATH), and by /proc/self/fd/N chmod, getxattr, setxattr. A change of
 * owner takes set-user-ID bits and capabilities away: of files that have such they are noted in an extended attribute before, which goes when they are
 * there again, so that a kill in between loses nothing. The top directory is marked first and gets its owner last. */
#include "rootfs/owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/time.h"
#include "ipc/notify.h"
#include "sys/syscalls.h"

#define DEPTH_MAX 2048U /* as deep as a path can be */
#define TELL_USEC (5 * USEC_PER_SEC)
#define NOTE "trusted.berth.owner"
#define CAPABILITY "security.capability"
#define ACL_VERSION 2U
#define ACL_TAG_USER 0x02U
#define ACL_TAG_GROUP 0x08U

/* As the kernel has it in a value, little-endian. */
typedef struct AclEntry {
        uint16_t tag, permissions;
        uint32_t id;
} AclEntry;

/* What a change of owner takes away. */
typedef struct Note {
        uint32_t mode;
        uint32_t capability_size; /* 0: it has none */
        struct vfs_ns_cap_data capability;
} Note;

typedef struct Change {
        uint32_t base;
        unsigned depth;
        const char *path;
        usec_t told_usec;
        char failed[256]; /* of the first failure: the name of the file */
} Change;

/* An open file, and the name that calls without AT_EMPTY_PATH take. */
typedef struct File {
        int fd;
        char path[32];
        struct stat st;
} File;

static uint32_t shift(const Change *c, uint32_t id) {
        return c->base | (id & 0xFFFFU);
}

/* ---- what files have besides ---- */

static int change_acl(const Change *c, const File *f, const char *name) {
        bool changed = false;

        ssize_t n = getxattr(f->path, name, NULL, 0);
        if (n < 0)
                return IN_SET(errno, ENODATA, EOPNOTSUPP) ? 0 : -errno;
        if (n < (ssize_t) sizeof(uint32_t))
                return 0;
        _cleanup_free_ uint32_t *value = calloc(1, (size_t) n);
        if (!value)
                return -ENOMEM;
        n = getxattr(f->path, name, value, (size_t) n);
        if (n < (ssize_t) sizeof(uint32_t) || value[0] != ACL_VERSION)
                return n < 0 ? -errno : 0;
        AclEntry *entries = (AclEntry *) (value + 1);
        for (size_t i = 0; i < ((size_t) n - sizeof(uint32_t)) / sizeof(AclEntry); i++) {
                AclEntry *e = entries + i;
                if (!IN_SET(e->tag, ACL_TAG_USER, ACL_TAG_GROUP) || e->id == shift(c, e->id))
                        continue;
                e->id = shift(c, e->id);
                changed = true;
        }
        return changed && setxattr(f->path, name, value, (size_t) n, 0) < 0 ? -errno : 0;
}

/* Capabilities that count in a user namespace say whose root they are for, who may be any user that has made one inside; to the host's root those are
 * that say nothing. */
static void shift_capability(const Change *c, Note *note) {
        struct vfs_ns_cap_data *d = &note->capability;

        if (note->capability_size < XATTR_CAPS_SZ_2)
                return; /* the first version of them, which nobody has any more */
        d->rootid = shift(c, note->capability_size >= XATTR_CAPS_SZ_3 ? d->rootid : 0);
        d->magic_etc = (d->rootid > 0 ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2) |
                       (d->magic_etc & VFS_CAP_FLAGS_MASK);
        note->capability_size = d->rootid > 0 ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2;
}

/* What a privileged payload writes there gives it nothing that it could not give itself. */
static bool read_note(const Change *c, const File *f, Note *note) {
        if (getxattr(f->path, NOTE, note, sizeof(*note)) != sizeof(*note) ||
            note->capability_size > sizeof(note->capability))
                return false;
        note->mode &= 07777;
        shift_capability(c, note);
        return true;
}

/* 1: there is something to be put back. */
static int take_note(const Change *c, const File *f, Note *note) {
        if (read_note(c, f, note))
                return 1; /* of who was killed */
        *note = (Note){ .mode = f->st.st_mode & 07777 };
        ssize_t n = getxattr(f->path, CAPABILITY, &note->capability, sizeof(note->capability));
        if (n < 0 && !IN_SET(errno, ENODATA, EOPNOTSUPP))
                return -errno;
        note->capability_size = n > 0 ? (uint32_t) n : 0;
        shift_capability(c, note);
        if (note->capability_size == 0 && !(note->mode & (S_ISUID | S_ISGID)))
                return 0;
        /* where that cannot be written, only a kill at the worst moment matters */
        if (setxattr(f->path, NOTE, note, sizeof(*note), 0) < 0 && errno != EOPNOTSUPP)
                return -errno;
        return 1;
}

static int put_back(const File *f, const Note *note) {
        if (chmod(f->path, note->mode) < 0)
                return -errno;
        if (note->capability_size > 0 &&
            setxattr(f->path, CAPABILITY, &note->capability, note->capability_size, 0) < 0)
                return -errno;
        return removexattr(f->path, NOTE) < 0 && !IN_SET(errno, ENODATA, EOPNOTSUPP) ? -errno : 0;
}

/* ---- files ---- */

static int change_file(const Change *c, const File *f) {
        const uid_t uid = shift(c, f->st.st_uid);
        const gid_t gid = shift(c, f->st.st_gid);
        const bool done = uid == f->st.st_uid && gid == f->st.st_gid;
        Note note = { 0 };
        int r = 0, noted = 0;

        if (S_ISREG(f->st.st_mode))
                noted = done ? read_note(c, f, &note) : take_note(c, f, &note);
        if (noted < 0)
                return noted;
        if (!S_ISLNK(f->st.st_mode))
                r = change_acl(c, f, "system.posix_acl_access");
        if (r >= 0 && S_ISDIR(f->st.st_mode))
                r = change_acl(c, f, "system.posix_acl_default");
        if (r >= 0 && !done &&
            fchownat(f->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return r >= 0 && noted > 0 ? put_back(f, &note) : r;
}

/* The signals wait for who reads them: he hears of our end first, and then of them. */
static bool is_interrupted(void) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
        sigset_t set;

        if (sigpending(&set) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                if (sigismember(&set, signals[i]) > 0)
                        return true;
        return false;
}

/* A service manager waits for us; 0 or negative: we are to end. */
static int go_on(Change *c) {
        const usec_t now = now_usec(CLOCK_MONOTONIC);

        if (is_interrupted())
                return -EINTR;
        if (now < usec_add(c->told_usec, TELL_USEC))
                return 0;
        c->told_usec = now;
        _cleanup_free_ char *text =
                strf("STATUS=Giving the files in '%s' to the container\nEXTEND_TIMEOUT_USEC=%llu",
                     c->path, (unsigned long long) (10 * TELL_USEC));
        if (text)
                (void) notify_send(text); /* who does not hear it may lose patience */
        return 0;
}

static int change_entry(Change *c, int directory_fd, const char *name);

static int change_entries(Change *c, int fd) {
        int r = c->depth >= DEPTH_MAX ? -ELOOP : 0;
        int again = r < 0 ? r : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = again < 0 ? NULL : fdopendir(again);

        if (!d) {
                r = r < 0 ? r : -errno;
                fd_close(again);
                return r;
        }
        c->depth++;
        for (struct dirent *e; r >= 0 && (errno = 0, e = readdir(d));)
                if (!streq(e->d_name, ".") && !streq(e->d_name, "..") && (r = go_on(c)) >= 0)
                        r = change_entry(c, dirfd(d), e->d_name);
        if (r >= 0 && errno > 0)
                r = -errno;
        c->depth--;
        (void) closedir(d); /* was only read */
        return r;
}

static int open_file(int directory_fd, const char *name, File *f) {
        f->fd = sys_openat2(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
                            RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
        if (f->fd < 0)
                return -errno;
        (void) snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd); /* fits */
        return fstat(f->fd, &f->st) < 0 ? -errno : 0;
}

/* A directory after what is in it: an overlay in it, say, may depend on what it was. */
static int change_entry(Change *c, int directory_fd, const char *name) {
        File f = { .fd = -EBADF };

        int r = open_file(directory_fd, name, &f);
        if (IN_SET(r, -EXDEV, -ENOENT)) { /* a mount; or it has just gone */
                fd_close(f.fd);
                return 0;
        }
        if (r >= 0 && S_ISDIR(f.st.st_mode))
                r = change_entries(c, f.fd);
        if (r >= 0)
                r = change_file(c, &f);
        if (r < 0 && !c->failed[0])
                (void) snprintf(c->failed, sizeof(c->failed), "%s", name); /* may be cut */
        fd_close(f.fd);
        return r;
}

/* ---- the tree ---- */

static int failed(int code, const Change *c, const char *path, Error *reterr) {
        if (code == -EINTR) {
                (void) error_set(reterr, code, ERROR_FAILED,
                                 "stopped while the files in '%s' were given to the container",
                                 path);
                error_hint(reterr, "the next start goes on with it");
                return code;
        }
        code = error_set_errno(reterr, code, ERROR_SETUP_FAILED,
                               "giving the files in '%s' to the container failed%s%s%s", path,
                               c->failed[0] ? " at '" : "", c->failed, c->failed[0] ? "'" : "");
        if (code == -ELOOP)
                error_hint(reterr, "directories are nested there more than %u deep", DEPTH_MAX);
        if (IN_SET(code, -EROFS, -EPERM))
                error_hint(reterr, "is it read-only, or marked by chattr(1)? "
                                   "--private-users-ownership=map changes no file");
        return code;
}

int owner_change(int fd, uint32_t base, uint32_t count, const char *path, Error *reterr) {
        Change c = { .base = base, .path = path, .told_usec = now_usec(CLOCK_MONOTONIC) };
        File top = { .fd = fd };

        if (!owner_range_is_valid(base, count)) {
                int r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                  "the files in '%s' cannot be given to the user IDs %u:%u", path,
                                  base, count);
                error_hint(reterr, "--private-users-ownership=chown needs a range of 65536 IDs "
                                   "that begins with a multiple of 65536");
                return r;
        }
        (void) snprintf(top.path, sizeof(top.path), "/proc/self/fd/%d", fd); /* fits */
        if (fstat(fd, &top.st) < 0)
                return failed(-errno, &c, path, reterr);
        if (top.st.st_uid == shift(&c, top.st.st_uid) && top.st.st_gid == shift(&c, top.st.st_gid))
                return 0;
        const uid_t busy_uid = OWNER_BUSY_BASE | (top.st.st_uid & 0xFFFFU);
        const gid_t busy_gid = OWNER_BUSY_BASE | (top.st.st_gid & 0xFFFFU);
        struct rlimit before;
        int r = getrlimit(RLIMIT_NOFILE, &before) < 0 ? -errno : 0;
        if (r >= 0 && fchownat(fd, "", busy_uid, busy_gid, AT_EMPTY_PATH) < 0)
                r = -errno;
        if (r >= 0) { /* two descriptors a level */
                const struct rlimit limit = { before.rlim_max, before.rlim_max };
                (void) setrlimit(RLIMIT_NOFILE, &limit); /* else the tree may be less deep */
                r = change_entries(&c, fd);
                (void) setrlimit(RLIMIT_NOFILE, &before); /* as it was */
        }
        if (r >= 0)
                r = change_file(&c, &top);
        return r < 0 ? failed(r, &c, path, reterr) : 0;
}
