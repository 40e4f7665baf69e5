/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries of stacks of layers.
 *
 * Calls: openat(O_PATH) of the entry, links followed; readlink(/proc/self/fd/N) says where that led: what is judged is what is used. */
#include "rootfs/mstack-entry.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "sys/version-pick.h"

static int refuse(const char *stack, const char *name, const char *why, Error *reterr) {
        return error_set(reterr, -EUCLEAN, ERROR_NOT_A_ROOT, "'%s' in the stack '%s' %s", name,
                         stack, why);
}

static int cannot_use(const char *stack, const char *name, int code, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_NOT_A_ROOT,
                               "'%s' in the stack '%s' cannot be used", name, stack);
}

void mstack_entry_done(MstackEntry *e) {
        free(e->name);
        *e = (MstackEntry){ 0 };
}

static bool cut_off(char *name, const char *end) {
        char *at = (char *) endswith(name, end);
        if (at)
                *at = '\0';
        return at;
}

int mstack_entry_parse(const char *stack, const char *name, MstackEntry *ret, Error *reterr) {
        static const struct {
                const char *prefix;
                MstackKind kind;
        } prefixes[] = {
                { "layer@", MSTACK_LAYER },
                { "bind@", MSTACK_BIND },
                { "robind@", MSTACK_ROBIND },
        };
        _cleanup_(mstack_entry_done) MstackEntry e = { .name = strdup(name), .id = "" };

        if (!e.name)
                return error_oom(reterr);
        e.versioned = cut_off(e.name, ".v");
        e.is_image = cut_off(e.name, ".raw");
        bool known = streq(e.name, "rw") || streq(e.name, "root");
        e.kind = streq(e.name, "rw") ? MSTACK_RW : MSTACK_ROOT;
        for (size_t i = 0; i < ELEMENTSOF(prefixes) && !known; i++) {
                const char *rest = startswith(e.name, prefixes[i].prefix);
                known = !isempty(rest);
                e.kind = prefixes[i].kind;
                e.id = known ? rest : "";
        }
        if (!known)
                return refuse(stack, name, "is nothing that a stack can have", reterr);
        *ret = e;
        e = (MstackEntry){ 0 };
        return 0;
}

static int path_of(int fd, char **ret) {
        char link[32], path[PATH_MAX];
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
        ssize_t n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return -errno;
        path[n] = '\0';
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

/* Is every name in it ours? */
static bool is_trusted(int directory_fd) {
        struct stat st;
        return fstat(directory_fd, &st) >= 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
               !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* Of a directory of versions the newest. */
static int open_version(int directory_fd, const char *name, const MstackEntry *e, int flags) {
        _cleanup_free_ char *picked = NULL;
        char path[32];
        _cleanup_close_ int fd =
                openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* fits */
        int r = version_pick(path, e->name, e->is_image ? ".raw" : "",
                             e->is_image ? S_IFREG : S_IFDIR, &picked);
        if (r < 0)
                return r == -ENOENT ? -ENOMSG : r;
        int opened = openat(fd, picked, flags);
        return opened < 0 ? -errno : opened;
}

static int check_place(const char *stack, int directory_fd, const char *name, const char *path,
                       Error *reterr) {
        _cleanup_free_ char *own = NULL;

        if (!path_is_valid(path))
                return refuse(stack, name, "leads to what has no valid path", reterr);
        if (is_trusted(directory_fd))
                return 0;
        int r = path_of(directory_fd, &own);
        if (r < 0)
                return cannot_use(stack, name, r, reterr);
        const char *rest = path_startswith(path, own);
        if (!isempty(rest))
                return 0;
        r = refuse(stack, name, "leads out of it, and others than root may have written that",
                   reterr);
        error_hint(reterr, "if you trust it: chown root '%s' && chmod go-w '%s'", stack, stack);
        return r;
}

int mstack_entry_open(const char *stack, int directory_fd, const char *name, const MstackEntry *e,
                      char **ret_path, Error *reterr) {
        const int flags = O_PATH | O_CLOEXEC;
        _cleanup_free_ char *path = NULL;
        struct stat st;

        _cleanup_close_ int fd = e->versioned ? open_version(directory_fd, name, e, flags)
                                              : openat(directory_fd, name, flags);
        if (fd == -ENOMSG)
                return refuse(stack, name, "has no version for this machine in it", reterr);
        int r = fd < 0 ? (e->versioned ? fd : -errno) : path_of(fd, &path);
        if (r < 0)
                return cannot_use(stack, name, r, reterr);
        if (fstat(fd, &st) < 0)
                return cannot_use(stack, name, -errno, reterr);
        if (S_ISDIR(st.st_mode) == e->is_image)
                return refuse(stack, name,
                              e->is_image ? "is a directory, not a disk image"
                                          : "is not a directory",
                              reterr);
        r = check_place(stack, directory_fd, name, path, reterr);
        if (r < 0)
                return r;
        *ret_path = TAKE_PTR(path);
        return TAKE_FD(fd);
}
