/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/lock.c: locks between processes, locks on files that vanish, and systemd's own names. */
#include "sys/lock.h"

#include <sys/sysmacros.h>

#include "basic/str.h"
#include "sandbox.h"

#define DIR_PATH "/mnt/locks"

/* What another process gets: the exit status is 0 for a lock, else the errno. */
static int take(void *arg) {
        int fd = lock_take(DIR_PATH, "a", *(LockMode *) arg);
        return fd < 0 ? -fd : 0;
}

static int take_as_other(LockMode mode) {
        return in_child(take, &mode);
}

TEST(excludes_other_processes) {
        struct stat st;

        _cleanup_close_ int fd = lock_take(DIR_PATH, "a", LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(fd);
        ASSERT_TRUE(fd_is_cloexec(fd));
        ASSERT_OK(stat(DIR_PATH, &st));
        ASSERT_EQ(st.st_mode & 07777, 0700);
        ASSERT_OK(fstat(fd, &st));
        ASSERT_EQ(st.st_mode & 07777, 0600);
        ASSERT_EQ(take_as_other(LOCK_MODE_EXCLUSIVE), EBUSY);
        ASSERT_EQ(take_as_other(LOCK_MODE_SHARED), EBUSY);
        /* Also this process itself: a lock belongs to its descriptor. */
        ASSERT_ERROR(lock_take(DIR_PATH, "a", LOCK_MODE_SHARED), EBUSY);
        _cleanup_close_ int b = lock_take(DIR_PATH, "b", LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(b);
        fd = fd_close(fd);
        ASSERT_EQ(take_as_other(LOCK_MODE_EXCLUSIVE), 0); /* and theirs ended with them */
        fd = lock_take(DIR_PATH, "a", LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(fd);
}

TEST(sharing) {
        _cleanup_close_ int fd = lock_take(DIR_PATH, "a", LOCK_MODE_SHARED);
        ASSERT_OK(fd);
        ASSERT_EQ(take_as_other(LOCK_MODE_SHARED), 0);
        ASSERT_EQ(take_as_other(LOCK_MODE_EXCLUSIVE), EBUSY);
}

TEST(heirs_keep_it) {
        _cleanup_close_ int fd = lock_take(DIR_PATH, "a", LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(fd);
        pid_t pid = child_paused();
        fd = fd_close(fd);
        ASSERT_EQ(take_as_other(LOCK_MODE_EXCLUSIVE), EBUSY);
        child_end(pid);
        ASSERT_EQ(take_as_other(LOCK_MODE_EXCLUSIVE), 0);
}

TEST(names_and_directories) {
        ASSERT_ERROR(lock_take(DIR_PATH, "", LOCK_MODE_SHARED), EINVAL);
        ASSERT_ERROR(lock_take(DIR_PATH, "x/y", LOCK_MODE_SHARED), EINVAL);
        ASSERT_ERROR(lock_take(DIR_PATH, "..", LOCK_MODE_SHARED), EISDIR);
        _cleanup_close_ int fd = lock_take("/mnt/some/where/deep", "x", LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(fd);
        ASSERT_OK(write_file_at(AT_FDCWD, "/mnt/precious", "text"));
        ASSERT_OK(symlink("/mnt/precious", "/mnt/some/link"));
        ASSERT_ERROR(lock_take("/mnt/some", "link", LOCK_MODE_EXCLUSIVE), ELOOP);
        ASSERT_ERROR(lock_take("/mnt/precious", "x", LOCK_MODE_EXCLUSIVE), ENOTDIR);
}

TEST(a_fifo_does_not_block) {
        alarm(10);
        ASSERT_OK(mkdir("/mnt/fifos", 0700));
        ASSERT_OK(mkfifo("/mnt/fifos/x", 0600));
        (void) fd_close(lock_take("/mnt/fifos", "x",
                                  LOCK_MODE_EXCLUSIVE)); /* whatever it says, it returns */
        alarm(0);
}

/* Takes, removes and gives back the lock as fast as it can: what systemd does with its lock files. */
static void remove_forever(void) {
        for (;;) {
                int fd = lock_take("/mnt/busy", "x", LOCK_MODE_EXCLUSIVE);
                if (fd < 0)
                        continue;
                unlink("/mnt/busy/x");
                fd_close(fd);
        }
}

TEST(removed_files_do_not_count) {
        struct stat held, there;
        unsigned got = 0;

        ASSERT_OK(mkdir("/mnt/busy", 0700));
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                alarm(30);
                remove_forever();
        }
        for (unsigned i = 0; i < 2000000 && got < 5000; i++) {
                _cleanup_close_ int fd = lock_take("/mnt/busy", "x", LOCK_MODE_EXCLUSIVE);
                if (fd < 0) {
                        if (fd != -EBUSY)
                                child_end(pid);
                        ASSERT_EQ(fd, -EBUSY);
                        continue;
                }
                got++;
                /* While we hold it nobody removes it: the file that we hold is the one that is there. */
                bool same = fstat(fd, &held) >= 0 && stat("/mnt/busy/x", &there) >= 0 &&
                            held.st_ino == there.st_ino;
                if (!same)
                        child_end(pid);
                ASSERT_TRUE(same);
        }
        child_end(pid);
        ASSERT_EQ(got, 5000);
}

/* What was looked at has given its name to something else before it was locked. */
TEST(lock_of_what_has_a_name) {
        char dir[] = "/tmp/test-lock.XXXXXX", a[64], b[64], path[LOCK_INODE_PATH_MAX];
        struct stat st, other;
        ASSERT_NOT_NULL(mkdtemp(dir));
        snprintf(a, sizeof(a), "%s/a", dir);
        snprintf(b, sizeof(b), "%s/b", dir);
        ASSERT_OK(mkdir(a, 0755));
        ASSERT_OK(mkdir(b, 0755));
        ASSERT_OK(stat(a, &st));
        ASSERT_OK(stat(b, &other));
        int fd = lock_take_inode_at(a, false, &st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(fd);
        ASSERT_ERROR(lock_take_inode_at(a, false, &st, LOCK_MODE_SHARED), EBUSY);
        ASSERT_OK(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
        ASSERT_ERROR(lock_take_inode_at(a, false, &st, LOCK_MODE_SHARED), ESTALE); /* not EBUSY */
        fd_close(fd);
        ASSERT_ERROR(lock_take_inode_at(a, false, &st, LOCK_MODE_EXCLUSIVE), ESTALE);
        lock_inode_path(&st, path);
        ASSERT_TRUE(access(path, F_OK) < 0);
        fd = lock_take_inode_at(a, false, &other, LOCK_MODE_SHARED);
        ASSERT_OK(fd);
        fd_close(fd);
        ASSERT_OK(rmdir(a));
        ASSERT_ERROR(lock_take_inode_at(a, false, &other, LOCK_MODE_EXCLUSIVE), ESTALE);
        ASSERT_OK(symlink(b, a));
        ASSERT_ERROR(lock_take_inode_at(a, false, &st, LOCK_MODE_EXCLUSIVE), ESTALE);
        fd = lock_take_inode_at(a, true, &st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(fd);
        fd_close(fd);
        ASSERT_OK(unlink(a));
        ASSERT_OK(rmdir(b));
        ASSERT_OK(rmdir(dir));
}

TEST(lock_of_a_root) {
        _cleanup_close_ int dir = sandbox_dir(), other = sandbox_dir();
        _cleanup_free_ char *path = NULL;
        struct stat st, st_other, st_disk;

        ASSERT_OK(mount("run", "/run", "tmpfs", 0, "mode=755"));
        ASSERT_OK(fstat(dir, &st));
        ASSERT_OK(fstat(other, &st_other));
        _cleanup_close_ int lock = lock_take_inode(&st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(lock);
        path = strf("/run/systemd/nspawn/locks/inode-%lu:%lu", (unsigned long) st.st_dev,
                    (unsigned long) st.st_ino);
        ASSERT_OK(access(path, F_OK));
        ASSERT_ERROR(lock_take_inode(&st, LOCK_MODE_SHARED), EBUSY);
        _cleanup_close_ int second = lock_take_inode(&st_other, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(second);
        /* The other side as systemd does it: an open-file-description lock on the whole file. */
        lock = fd_close(lock);
        _cleanup_close_ int theirs = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        ASSERT_OK(fcntl(theirs, F_OFD_SETLK, &fl));
        ASSERT_ERROR(lock_take_inode(&st, LOCK_MODE_EXCLUSIVE), EBUSY);
        theirs = fd_close(theirs);
        lock = lock_take_inode(&st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(lock);

        ASSERT_OK(mknodat(dir, "disk", S_IFBLK | 0600, makedev(7, 200)));
        ASSERT_OK(fstatat(dir, "disk", &st_disk, 0));
        _cleanup_close_ int disk_lock = lock_take_inode(&st_disk, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(disk_lock);
        ASSERT_OK(access("/run/systemd/nspawn/locks/block-7:200", F_OK));
        ASSERT_OK(umount2("/run", MNT_DETACH));
}

SANDBOX_MAIN
