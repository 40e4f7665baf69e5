/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operation on disk images: opened, locked, looked at, decided upon, and mounted as one detached tree, which is the answer.
 *
 * What is mounted is held by the tree's descriptor alone: with whoever has it go the file systems, and with those the loop devices. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "image/disk-mount.h"
#include "image/disk-probe.h"
#include "image/disk-unlock.h"
#include "sys/lock-holder.h"
#include "sys/lock.h"
#include "sys/mount-api.h"
#include "worker/disk.h"

void disk_done(Disk *d) {
        d->fd = fd_close(d->fd);
        d->lock_fd = fd_close(d->lock_fd);
        d->tree_fd = fd_close(d->tree_fd);
}

/* ---- opening ---- */

static int open_error(const Disk *d, int code, Error *reterr) {
        if (code == -ENOENT)
                return error_set(reterr, code, ERROR_ROOT_NOT_FOUND, "Image '%s' does not exist",
                                 d->path);
        if (code == -EBUSY && S_ISBLK(d->st.st_mode)) {
                int r = error_set(
                        reterr, code, ERROR_ROOT_BUSY,
                        "Block device '%s' is in use: it is mounted, or part of another one",
                        d->path);
                error_hint(reterr, "see 'lsblk %s'", d->path);
                return r;
        }
        return error_set_errno(reterr, code, ERROR_FAILED, "Opening image '%s' failed", d->path);
}

/* By its descriptor: what was looked at, and no device or fifo that would act on being opened. */
static int open_for(const Disk *d, int path_fd, int flags) {
        char path[32];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd); /* it fits */
        int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

static int disk_open(Disk *d, Error *reterr) {
        _cleanup_close_ int path_fd = d->path_fd >= 0 ? fcntl(d->path_fd, F_DUPFD_CLOEXEC, 3)
                                                      : open(d->path, O_PATH | O_CLOEXEC);
        if (path_fd < 0 || fstat(path_fd, &d->st) < 0)
                return open_error(d, -errno, reterr);
        if (!S_ISREG(d->st.st_mode) && !S_ISBLK(d->st.st_mode)) {
                int r = error_set(reterr, -EINVAL, ERROR_NOT_A_ROOT,
                                  "Image '%s' is %s, not a file or a block device", d->path,
                                  S_ISDIR(d->st.st_mode) ? "a directory" : "something else");
                if (S_ISDIR(d->st.st_mode))
                        error_hint(reterr, "start directories with --directory=");
                return r;
        }
        /* nobody may write it: root, whom that does not stop, is not to either */
        if (S_ISREG(d->st.st_mode) && !(d->st.st_mode & 0222))
                d->read_only = true;
        /* only to see whether somebody else has it; the file systems take it for themselves */
        if (S_ISBLK(d->st.st_mode)) {
                int r = open_for(d, path_fd, O_RDONLY | O_EXCL);
                if (r < 0)
                        return open_error(d, r, reterr);
                fd_close(r);
        }
        d->fd = open_for(d, path_fd, d->read_only ? O_RDONLY : O_RDWR);
        if (!d->read_only && IN_SET(d->fd, -EROFS, -EACCES, -EPERM, -ETXTBSY)) {
                d->read_only = true;
                d->fd = open_for(d, path_fd, O_RDONLY);
        }
        return d->fd < 0 ? open_error(d, d->fd, reterr) : 0;
}

/* ---- its lock ---- */

static int busy_error(const Disk *d, const char *own_name, Error *reterr) {
        char path[LOCK_INODE_PATH_MAX];
        LockHolder holder;
        int r;

        lock_inode_path(&d->st, path);
        if (lock_find_holder(path, &holder) >= 0 && holder.container &&
            streq(holder.name, own_name)) {
                r = error_set(reterr, -EBUSY, ERROR_NAME_IN_USE,
                              "A container named '%s' is already running", own_name);
                error_hint(reterr,
                           "stop it with 'berth stop %s', or choose another name with -M NAME",
                           own_name);
                return r;
        }
        _cleanup_free_ char *who = lock_describe_holder(path, "another container");
        if (!who)
                return error_oom(reterr);
        r = error_set(reterr, -EBUSY, ERROR_ROOT_BUSY, "Image '%s' is in use by %s", d->path, who);
        error_hint(reterr, "stop that container first; containers that do not change an image "
                           "(--read-only, --ephemeral) can share it");
        return r;
}

/* Of the file that has the name: it may go back to a snapshot before it is locked. */
static int disk_open_and_lock(Disk *d, const char *name, Error *reterr) {
        const bool read_only = d->read_only;
        d->lock_fd = -ESTALE;
        for (unsigned n = 0; n < LOCK_PATH_TRIES && d->lock_fd == -ESTALE; n++) {
                d->fd = fd_close(d->fd);
                d->read_only = read_only;
                int r = disk_open(d, reterr);
                if (r < 0)
                        return r;
                const LockMode mode = d->read_only ? LOCK_MODE_SHARED : LOCK_MODE_EXCLUSIVE;
                /* one that was handed in has no name of its own */
                d->lock_fd = d->path_fd >= 0 ? lock_take_inode(&d->st, mode)
                                             : lock_take_inode_at(d->path, /* follow= */ true,
                                                                  &d->st, mode);
        }
        if (d->lock_fd == -EBUSY)
                return busy_error(d, name, reterr);
        if (d->lock_fd == -ESTALE) {
                error_set(reterr, -ESTALE, ERROR_ROOT_BUSY, "Image '%s' was replaced meanwhile",
                          d->path);
                error_hint(reterr, "wait for the end of what is done with it, and try again");
                return -ESTALE;
        }
        if (d->lock_fd < 0)
                return error_set_errno(reterr, d->lock_fd, ERROR_SETUP_FAILED,
                                       "Locking image '%s' failed", d->path);
        return 0;
}

/* ---- what is on it ---- */

static int check_state(const Disk *d, const DiskPlan *plan, Error *reterr) {
        for (DiskPlace place = 0; place < _DISK_PLACE_MAX; place++) {
                const DiskPartition *p = plan->mounts[place].partition;
                if (!p || !p->needs_check || d->read_only || plan->mounts[place].read_only)
                        continue;
                int r = error_set(
                        reterr, -EUCLEAN, ERROR_NOT_A_ROOT,
                        "The %s file system (%s) of image '%s' has errors, and asks for a check",
                        disk_place_to_string(place), p->file_system, d->path);
                if (plan->mounts[place].encrypted)
                        error_hint(
                                reterr,
                                "open it with cryptsetup(8) and run fsck.%s -f, or start it with --read-only",
                                p->file_system);
                else if (p->number == 0)
                        error_hint(reterr, "run 'fsck.%s -f %s', or start it with --read-only",
                                   p->file_system, d->path);
                else
                        error_hint(
                                reterr,
                                "run fsck.%s -f on a loop device of partition %u, or start it with --read-only",
                                p->file_system, p->number);
                return r;
        }
        return 0;
}

int disk_enter_mount_namespace(Error *reterr) {
        int r = unshare(CLONE_NEWNS) < 0 ? -errno : mount_propagation_all(MS_SLAVE);
        return r < 0 ? error_set_errno(reterr, r, ERROR_NAMESPACE_FAILED,
                                       "Making a mount namespace failed")
                     : 0;
}

/* Nothing but the root partition. */
static int take_root(const Disk *d, DiskPlan *plan, Error *reterr) {
        if (!plan->mounts[DISK_ROOT].partition)
                return error_set(reterr, -ENOENT, ERROR_NOT_A_ROOT,
                                 "Image '%s' has no root partition", d->path);
        for (DiskPlace place = DISK_ROOT + 1; place < _DISK_PLACE_MAX; place++)
                plan->mounts[place] = (DiskMount){ 0 };
        return 0;
}

/* A DiskUnlock. */
static int disk_tree(Disk *d, const DiskSettings *settings, const Secret *key, Error *reterr) {
        _cleanup_(disk_unlocked_freep) DiskUnlocked *unlocked = NULL;
        _cleanup_(disk_verity_done) DiskVerity verity = DISK_VERITY_NULL;
        _cleanup_(disk_facts_done) DiskFacts facts = { 0 };
        DiskPolicy policy;
        DiskPlan plan;

        int r = disk_policy_parse(settings->policy, &policy, reterr);
        if (r >= 0)
                r = disk_verity_read(d->path, settings, &verity, reterr);
        if (r >= 0)
                r = disk_probe(d->path, d->fd, &facts, reterr);
        if (r >= 0)
                r = disk_decide(d->path, &facts, &policy, &verity, /* architecture= */ NULL, &plan,
                                reterr);
        if (r >= 0 && d->root_only)
                r = take_root(d, &plan, reterr);
        if (r >= 0)
                r = disk_unlock(d->path, d->fd, &facts, settings->key_file, key, d->read_only,
                                &plan, &unlocked, reterr);
        if (r == DISK_UNLOCKED)
                r = check_state(d, &plan, reterr);
        if (r != 0)
                return r;
        d->usr_only = disk_plan_is_usr_only(&plan);
        return disk_mount(d->path, d->fd, &facts, &plan, &verity, d->read_only, &d->tree_fd,
                          &d->read_only, reterr);
}

int disk_make(Disk *d, const char *own_name, const DiskSettings *settings, const Secret *key,
              Error *reterr) {
        int r = disk_open_and_lock(d, own_name, reterr);
        return r < 0 ? r : disk_tree(d, settings, key, reterr);
}

int disk_receive_key(const Worker *w, Secret *ret, Error *reterr) {
        int fds[SOCKET_MAX_FDS];
        char text[8];

        if (!(w->request.operation.flags & OPERATION_WITH_KEY))
                return 0;
        ssize_t n = socket_receive(WORKER_LINK_FD, text, sizeof(text), fds);
        int r = n < 0 ? (int) n : fds[0] < 0 ? -EBADMSG : secret_take(&fds[0], ret);
        for (size_t i = 0; n >= 0 && i < SOCKET_MAX_FDS; i++)
                fd_close(fds[i]);
        return r < 0 ? error_set_errno(reterr, r, ERROR_PROTOCOL, "Receiving a key failed") : 0;
}

int disk_answer_locked(DiskUnlock outcome, Error *reterr) {
        const char *words = disk_unlock_to_string(outcome);
        int r = worker_answer(WORKER_LINK_FD, words, strlen(words), NULL, 0);
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED, "Answering failed") : 0;
}

int operation_disk(Worker *w, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        _cleanup_(disk_done) Disk d = DISK_NULL;
        const DiskSettings settings = { .policy = q->policy,
                                        .root_hash = q->root_hash,
                                        .root_hash_signature = q->root_hash_signature,
                                        .verity_data = q->verity_data,
                                        .key_file = q->key_file };
        _cleanup_(secret_done) Secret key = SECRET_NULL;

        if (!q->source)
                return error_set(reterr, -EBADMSG, ERROR_PROTOCOL, "The request names no image");
        d.path = q->source;
        d.read_only = q->flags & OPERATION_READ_ONLY;
        int r = disk_enter_mount_namespace(reterr);
        if (r >= 0)
                r = disk_receive_key(w, &key, reterr);
        if (r >= 0)
                r = disk_make(&d, w->request.name, &settings, key.bytes ? &key : NULL, reterr);
        if (r < 0)
                return r;
        if (r > 0) { /* who is asked tries again at once */
                disk_done(&d);
                return disk_answer_locked(r, reterr);
        }
        const char *words = d.usr_only ? "usr" : d.read_only ? "ro" : "rw";
        r = worker_answer(WORKER_LINK_FD, words, strlen(words),
                          (const int[]){ d.tree_fd, d.lock_fd }, 2);
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Handing image '%s' over failed", d.path)
                     : r;
}
