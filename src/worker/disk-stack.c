/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operation on stacks of layers (rootfs/mstack.h) with disk images in them: each is mounted, as one that is a root would be, on a directory with the
 * name of its entry, in a tmpfs; that is the answer. Directories in the stack are the supervisor's.
 *
 * Any number of locks has to outlive the worker, and an answer has few descriptors: they are messages in a socket that nobody reads. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "image/disk-mount.h"
#include "rootfs/mstack-entry.h"
#include "sys/mount-api.h"
#include "worker/disk.h"

#define IMAGES_MAX 256U
#define LOCK_SIZE 2048U /* of a message with a lock in the kernel, at most */

typedef struct Stack {
        const char *path, *name; /* name: of the container */
        const DiskSettings *settings;
        const Secret *key; /* NULL: none */
        bool read_only;
        int directory_fd;
        int trees_fd;    /* the tmpfs */
        int locks_fd[2]; /* what is written to the second one stays in the first one */
        unsigned n_images;
} Stack;

static int setup_error(const Stack *s, int code, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_SETUP_FAILED,
                               "Mounting the disk images in the stack '%s' failed", s->path);
}

/* Attached, since before Linux 6.15 nothing can be mounted in a detached one. */
static int make_trees(Stack *s, Error *reterr) {
        static const MountOption options[] = { { "source", "tmpfs" }, { "mode", "0755" }, { 0 } };

        int r = mkdir_parents(DISK_MOUNT_POINT, 0700);
        _cleanup_close_ int at_fd =
                r < 0 ? r : open(DISK_MOUNT_POINT, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (at_fd < 0)
                return setup_error(s, r < 0 ? r : -errno, reterr);
        s->trees_fd = r = mount_new("tmpfs", options, MOUNT_ATTR_NODEV, NULL);
        if (r >= 0)
                r = mount_attach(s->trees_fd, at_fd);
        return r < 0 ? setup_error(s, r, reterr) : 0;
}

static int attach(const Stack *s, const char *entry, const Disk *d, Error *reterr) {
        if (mkdirat(s->trees_fd, entry, 0755) < 0)
                return setup_error(s, -errno, reterr);
        _cleanup_close_ int at_fd =
                openat(s->trees_fd, entry, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = at_fd < 0 ? -errno : mount_attach(d->tree_fd, at_fd);
        if (r >= 0)
                r = socket_send_now(s->locks_fd[1], "l", 1, &d->lock_fd, 1);
        return r < 0 ? setup_error(s, r, reterr) : 0;
}

/* A DiskUnlock. */
static int add_image(Stack *s, const char *entry, const MstackEntry *e, Error *reterr) {
        _cleanup_(disk_done) Disk d = DISK_NULL;
        _cleanup_free_ char *path = NULL;
        const bool written = !s->read_only && IN_SET(e->kind, MSTACK_RW, MSTACK_ROOT, MSTACK_BIND);

        if (s->n_images++ >= IMAGES_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "The stack '%s' has more than %u disk images", s->path,
                                 IMAGES_MAX);
        _cleanup_close_ int fd =
                mstack_entry_open(s->path, s->directory_fd, entry, e, &path, reterr);
        if (fd < 0)
                return fd;
        d.path = path;
        d.path_fd = fd;
        d.read_only = !written;
        d.root_only = true;
        int r = disk_make(&d, s->name, s->settings, s->key, reterr);
        if (r != 0)
                return r;
        if (written && d.read_only && e->kind == MSTACK_RW) {
                r = error_set(reterr, -EROFS, ERROR_NOT_A_ROOT,
                              "Image '%s', which would take the changes of the stack '%s', cannot "
                              "be written",
                              d.path, s->path);
                error_hint(reterr, "start it with --read-only");
                return r;
        }
        return attach(s, entry, &d, reterr);
}

/* A DiskUnlock. In the order of their names: what is wrong is said of the same one each time. */
static int add_images(Stack *s, Error *reterr) {
        struct dirent **names = NULL;
        char path[32];
        int r = 0;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", s->directory_fd); /* it fits */
        int n = scandir(path, &names, NULL, alphasort);
        if (n < 0)
                return error_set_errno(reterr, -errno, ERROR_NOT_A_ROOT,
                                       "Reading the stack '%s' failed", s->path);
        for (int i = 0; i < n; i++) {
                _cleanup_(mstack_entry_done) MstackEntry e = { 0 };
                const char *name = names[i]->d_name;
                if (r == 0 && name[0] != '.') {
                        r = mstack_entry_parse(s->path, name, &e, reterr);
                        if (r >= 0 && e.is_image)
                                r = add_image(s, name, &e, reterr);
                }
                free(names[i]);
        }
        free(names);
        return r;
}

static int hand_over(const Stack *s, Error *reterr) {
        _cleanup_close_ int tree_fd = mount_clone(s->trees_fd, /* recursive= */ true);
        int r = tree_fd;
        if (r >= 0)
                r = mount_set_attributes(tree_fd, MOUNT_ATTR_RDONLY, 0, 0, /* recursive= */ false);
        if (r >= 0)
                r = worker_answer(WORKER_LINK_FD, "rw", 2, (const int[]){ tree_fd, s->locks_fd[0] },
                                  2);
        return r < 0 ? setup_error(s, r, reterr) : 0;
}

int operation_disk_stack(Worker *w, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        const DiskSettings settings = { .policy = q->policy, .key_file = q->key_file };
        _cleanup_(secret_done) Secret key = SECRET_NULL;
        Stack s = { .path = q->source,
                    .name = w->request.name,
                    .settings = &settings,
                    .read_only = q->flags & OPERATION_READ_ONLY,
                    .directory_fd = -EBADF,
                    .trees_fd = -EBADF,
                    .locks_fd = PAIR_EBADF };

        if (!s.path)
                return error_set(reterr, -EBADMSG, ERROR_PROTOCOL, "The request names no stack");
        int r = disk_enter_mount_namespace(reterr);
        if (r >= 0) {
                s.directory_fd = open(s.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (s.directory_fd < 0)
                        r = error_set_errno(reterr, -errno, ERROR_ROOT_NOT_FOUND,
                                            "Opening the stack '%s' failed", s.path);
        }
        if (r >= 0) {
                r = socket_pair_seqpacket(s.locks_fd);
                if (r >= 0)
                        r = socket_set_send_buffer(s.locks_fd[1], IMAGES_MAX * LOCK_SIZE);
                if (r < 0)
                        r = setup_error(&s, r, reterr);
        }
        if (r >= 0)
                r = make_trees(&s, reterr);
        if (r >= 0)
                r = disk_receive_key(w, &key, reterr);
        s.key = key.bytes ? &key : NULL;
        if (r >= 0)
                r = add_images(&s, reterr);
        if (r == 0)
                r = hand_over(&s, reterr);
        fd_close(s.directory_fd);
        fd_close(s.trees_fd);
        fd_close(s.locks_fd[0]);
        fd_close(s.locks_fd[1]);
        return r > 0 ? disk_answer_locked(r, reterr) : r;
}
