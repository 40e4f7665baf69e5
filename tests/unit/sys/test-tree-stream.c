/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees from one process to another. */
#include "sys/tree-stream.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "basic/str.h"
#include "sandbox.h"
#include "sys/mount-api.h"

typedef struct Transfer {
        int pipe[2], from_fd, to_fd;
        const char *name;
        const TreeOwners *owners;
} Transfer;

static int send_in_child(void *userdata) {
        const Transfer *t = userdata;
        char *name = NULL;
        close(t->pipe[0]);
        (void) signal(SIGPIPE, SIG_IGN);
        const bool fifos = t->owners && t->owners->fifos;
        int r = tree_send_flags(t->pipe[1], t->from_fd, fifos ? TREE_SEND_FIFOS : 0, NULL, &name);
        free(name);
        return -r;
}

static void start_sender(Transfer *t, pid_t *ret) {
        fflush(NULL);
        *ret = fork();
        ASSERT_OK(*ret);
        if (*ret == 0) {
                alarm(30);
                _exit(send_in_child(t));
        }
}

/* Both results as negative errno. */
static int transfer(int from_fd, int to_fd, const char *name, const TreeOwners *owners,
                    int *ret_sender) {
        Transfer t = { .from_fd = from_fd, .to_fd = to_fd, .name = name, .owners = owners };
        int status = 0;
        pid_t pid;
        if (pipe2(t.pipe, O_CLOEXEC) < 0)
                return -errno;
        start_sender(&t, &pid);
        close(t.pipe[1]);
        int r = tree_receive(t.pipe[0], to_fd, name, owners, NULL);
        close(t.pipe[0]);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        *ret_sender = -WEXITSTATUS(status);
        return r;
}

static const TreeOwners as_they_are = { .keep = true };

static void make_tree(int dir) {
        ASSERT_OK(mkdirat(dir, "d", 0750));
        ASSERT_OK(mkdirat(dir, "d/empty", 01777));
        ASSERT_OK(fchmodat(dir, "d/empty", 01777, 0));
        ASSERT_OK(write_file_at(dir, "d/file", "hello"));
        ASSERT_OK(write_file_at(dir, "d/none", ""));
        ASSERT_OK(write_file_at(dir, "d/new\nline\xff", "odd"));
        ASSERT_OK(fchmodat(dir, "d/file", 06755, 0));
        ASSERT_OK(fchownat(dir, "d/none", 100007, 33, 0));
        ASSERT_OK(fchownat(dir, "d/empty", 7, 7, 0));
        ASSERT_OK(symlinkat("../../../etc/passwd", dir, "d/link"));
        ASSERT_OK(mkfifoat(dir, "d/fifo", 0600));
        ASSERT_OK(mknodat(dir, "d/null", S_IFCHR | 0666, 0x103));
        int fd = openat(dir, "d/holes", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ASSERT_EQ(pwrite(fd, "x", 1, 1 << 20), 1);
        ASSERT_OK(ftruncate(fd, 3 << 20));
        const struct timespec times[] = { { 0, 0 }, { 1234567, 89 } };
        ASSERT_OK(futimens(fd, times));
        close(fd);
}

TEST(a_tree) {
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        struct stat st;
        char text[64];
        int sender;
        make_tree(from);
        _cleanup_close_ int source = openat(from, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(transfer(source, to, "copy", &as_they_are, &sender));
        ASSERT_OK(sender);
        ASSERT_OK(fstatat(to, "copy", &st, 0));
        ASSERT_EQ(st.st_mode, S_IFDIR | 0750);
        ASSERT_OK(fstatat(to, "copy/file", &st, 0));
        ASSERT_EQ(st.st_mode, S_IFREG | 06755);
        ASSERT_EQ(st.st_size, 5);
        ASSERT_OK(fstatat(to, "copy/none", &st, 0));
        ASSERT_TRUE(st.st_size == 0 && st.st_uid == 100007 && st.st_gid == 33);
        ASSERT_OK(fstatat(to, "copy/new\nline\xff", &st, 0));
        ASSERT_OK(fstatat(to, "copy/empty", &st, 0));
        ASSERT_TRUE(st.st_mode == (S_IFDIR | 01777) && st.st_uid == 7);
        ssize_t n = readlinkat(to, "copy/link", text, sizeof(text));
        ASSERT_EQ(n, 19);
        ASSERT_TRUE(faccessat(to, "copy/fifo", F_OK, 0) < 0 && errno == ENOENT);
        ASSERT_TRUE(faccessat(to, "copy/null", F_OK, 0) < 0 && errno == ENOENT);
        ASSERT_OK(fstatat(to, "copy/holes", &st, 0));
        ASSERT_EQ(st.st_size, 3 << 20);
        ASSERT_TRUE(st.st_blocks < 1024); /* they still are holes */
        ASSERT_EQ(st.st_mtim.tv_sec, 1234567);
        ASSERT_EQ(st.st_mtim.tv_nsec, 89);
        _cleanup_close_ int fd = openat(to, "copy/holes", O_RDONLY | O_CLOEXEC);
        ASSERT_EQ(pread(fd, text, 2, (1 << 20) - 1), 2);
        ASSERT_TRUE(text[0] == '\0' && text[1] == 'x');
        ASSERT_OK(tree_remove(to, "copy"));
        ASSERT_TRUE(faccessat(to, "copy", F_OK, 0) < 0);
}

TEST(owners_and_modes) {
        static const struct TreeRange ids[] = { { 100000, 0, 65536 } };
        const TreeOwners mapped = { .keep = true, .mapped = true, .uids = ids, .n_uids = 1 };
        const TreeOwners own = { .safe_modes = true };
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        struct stat st;
        int sender;
        make_tree(from);
        _cleanup_close_ int source = openat(from, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(transfer(source, to, "mapped", &mapped, &sender));
        ASSERT_OK(fstatat(to, "mapped/none", &st, 0)); /* one of the range, and a group of none */
        ASSERT_TRUE(st.st_uid == 7 && st.st_gid == 0);
        ASSERT_OK(fstatat(to, "mapped/empty", &st, 0));
        ASSERT_TRUE(st.st_uid == 0 && st.st_gid == 0);
        ASSERT_OK(transfer(source, to, "own", &own, &sender));
        ASSERT_OK(fstatat(to, "own/file", &st, 0));
        ASSERT_EQ(st.st_mode, S_IFREG | 0755);
        ASSERT_OK(fstatat(to, "own/none", &st, 0));
        ASSERT_EQ(st.st_uid, 0);
        ASSERT_OK(fstatat(to, "own/empty", &st, 0));
        ASSERT_EQ(st.st_mode, S_IFDIR | 01777);
}

/* From here on no mode and no owner can be changed by name: that may be another file's by then. */
static int forbid_names(void) {
        const struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchmodat, 3, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchownat, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, AT_EMPTY_PATH, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTNAM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = { ELEMENTSOF(filter), (struct sock_filter *) filter };
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                               prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0
                       ? -errno
                       : 0;
}

TEST(a_fifo_by_descriptor) {
        static const TreeOwners fifos = { .keep = true, .fifos = true };
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        struct stat st;
        int sender, status;
        ASSERT_OK(mkdirat(from, "d", 0750));
        ASSERT_OK(mkfifoat(from, "d/fifo", 0600));
        ASSERT_OK(fchmodat(from, "d/fifo", 0666, 0));
        ASSERT_OK(fchownat(from, "d/fifo", 7, 8, 0));
        _cleanup_close_ int source = openat(from, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fflush(NULL);
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                int r = forbid_names();
                _exit(-(r < 0 ? r : transfer(source, to, "copy", &fifos, &sender)));
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_EQ(fstatat(to, "copy/fifo", &st, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT_EQ(st.st_mode, S_IFIFO | 0666);
        ASSERT_TRUE(st.st_uid == 7 && st.st_gid == 8);
}

TEST(one_file) {
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        struct stat st;
        int sender;
        make_tree(from);
        _cleanup_close_ int source = openat(from, "d/file", O_RDONLY | O_CLOEXEC);
        ASSERT_OK(transfer(source, to, "f", &as_they_are, &sender));
        ASSERT_OK(fstatat(to, "f", &st, 0));
        ASSERT_EQ(st.st_size, 5);
        /* what is there stays as it is */
        ASSERT_OK(write_file_at(to, "g", "old"));
        ASSERT_ERROR(transfer(source, to, "g", &as_they_are, &sender), EEXIST);
        ASSERT_OK(fstatat(to, "g", &st, 0));
        ASSERT_EQ(st.st_size, 3);
        ASSERT_ERROR(transfer(source, to, "a/b", &as_they_are, &sender), EINVAL);
        ASSERT_ERROR(transfer(source, to, "..", &as_they_are, &sender), EINVAL);
        _cleanup_close_ int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ASSERT_ERROR(transfer(null_fd, to, "n", &as_they_are, &sender), ECANCELED);
        ASSERT_ERROR(sender, EINVAL);
}

static int count_entries(int dir_fd) {
        int n = 0;
        DIR *d = fdopendir(fcntl(dir_fd, F_DUPFD_CLOEXEC, 3));
        rewinddir(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n - 2;
}

TEST(deep_trees_end) {
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        int sender, at = fcntl(from, F_DUPFD_CLOEXEC, 3);
        for (int i = 0; i < TREE_DEPTH_MAX + 5; i++) {
                ASSERT_OK(mkdirat(at, "d", 0755));
                int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close(at);
                at = next;
        }
        close(at);
        ASSERT_ERROR(transfer(from, to, "copy", &as_they_are, &sender), ECANCELED);
        ASSERT_ERROR(sender, ELOOP);
        ASSERT_EQ(count_entries(to), 0); /* nothing stays */
}

TEST(nothing_stays_of_half_a_tree) {
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        char bytes[4096];
        int whole[2], half[2], sender;
        make_tree(from);
        _cleanup_close_ int source = openat(from, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        /* the first bytes only, as of a sender that was killed */
        Transfer t = { .from_fd = source };
        pid_t pid;
        ASSERT_OK(pipe2(whole, O_CLOEXEC));
        ASSERT_OK(pipe2(half, O_CLOEXEC));
        memcpy(t.pipe, whole, sizeof(whole));
        start_sender(&t, &pid);
        close(whole[1]);
        size_t n = 0;
        for (ssize_t k = 1; k > 0 && n < sizeof(bytes); n += (size_t) k) {
                k = read(whole[0], bytes + n, sizeof(bytes) - n);
                ASSERT_OK(k);
        }
        ASSERT_TRUE(n > 300);
        close(whole[0]);
        waitpid(pid, &sender, 0);
        ASSERT_EQ(write(half[1], bytes, 300), 300);
        close(half[1]);
        ASSERT_ERROR(tree_receive(half[0], to, "copy", &as_they_are, NULL), ECANCELED);
        close(half[0]);
        ASSERT_EQ(count_entries(to), 0);
}

/* What is at `from` is mounted over `to`, which is in "tree": that is no longer removed. */
static void expect_busy(int dir, const char *from, const char *to) {
        _cleanup_close_ int source = openat(dir, from, O_PATH | O_CLOEXEC),
                            place = openat(dir, to, O_PATH | O_CLOEXEC),
                            fd = mount_clone(source, true);
        ASSERT_OK(fd);
        ASSERT_OK(mount_attach(fd, place));
        ASSERT_ERROR(tree_check_remove(dir, "tree"), EBUSY);
        ASSERT_ERROR(tree_remove(dir, "tree"), EBUSY);
        ASSERT_OK(mount_detach(fd));
        ASSERT_OK(tree_check_remove(dir, "tree"));
        ASSERT_OK(tree_remove(dir, "tree"));
}

TEST(what_is_mounted_stays) {
        _cleanup_close_ int dir = sandbox_dir();
        ASSERT_OK(mkdirat(dir, "kept", 0755));
        ASSERT_OK(write_file_at(dir, "kept/file", "precious"));
        ASSERT_OK(tree_check_remove(dir, "nosuch"));
        ASSERT_OK(mkdirat(dir, "tree", 0700));
        ASSERT_OK(mkdirat(dir, "tree/sub", 0700));
        ASSERT_OK(mkdirat(dir, "tree/sub/mounted", 0700));
        expect_busy(dir, "kept", "tree/sub/mounted");
        ASSERT_OK(mkdirat(dir, "tree", 0700));
        ASSERT_OK(write_file_at(dir, "tree/file", "below"));
        expect_busy(dir, "kept/file", "tree/file");
        ASSERT_OK(mkdirat(dir, "tree", 0700));
        expect_busy(dir, "kept", "tree");
        ASSERT_OK(faccessat(dir, "kept/file", F_OK, 0));
}

/* Whatever is sent, nothing is made elsewhere. */
TEST(garbage) {
        _cleanup_close_ int outer = sandbox_dir();
        ASSERT_OK(mkdirat(outer, "to", 0755));
        _cleanup_close_ int to = openat(outer, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        srandom(1);
        for (unsigned i = 0; i < 500; i++) {
                char bytes[512];
                int p[2];
                for (size_t k = 0; k < sizeof(bytes); k++)
                        bytes[k] = (char) (k % 4 == 0 ? random() % 6 : random() % 7 ? 0 : random());
                memset(bytes, 0, 4 * (i % 3));
                ASSERT_OK(pipe2(p, O_CLOEXEC));
                ASSERT_EQ(write(p[1], bytes, sizeof(bytes)), (ssize_t) sizeof(bytes));
                close(p[1]);
                const int r = tree_receive(p[0], to, "copy", &as_they_are, NULL);
                close(p[0]);
                if (r >= 0) /* it happened to be a file */
                        ASSERT_OK(tree_remove(to, "copy"));
                ASSERT_EQ(count_entries(to), 0);
        }
        ASSERT_EQ(count_entries(outer), 1);
}

/* Names that would lead out of the directory. */
TEST(names_are_components) {
        static const char *const bad[] = { "..", ".", "a/b", "/etc", "" };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_close_ int to = sandbox_dir();
                int p[2];
                /* a directory, then a file of this name in it */
                const Record directory = { .type = RECORD_DIRECTORY, .mode = 0755 }, file = {
                        .type = RECORD_FILE, .mode = 0644, .name_size = (uint32_t) strlen(bad[i])
                };
                ASSERT_OK(pipe2(p, O_CLOEXEC));
                ASSERT_EQ(write(p[1], &directory, sizeof(directory)), (ssize_t) sizeof(directory));
                ASSERT_EQ(write(p[1], &file, sizeof(file)), (ssize_t) sizeof(file));
                ASSERT_EQ(write(p[1], bad[i], strlen(bad[i])), (ssize_t) strlen(bad[i]));
                close(p[1]);
                ASSERT_ERROR(tree_receive(p[0], to, "copy", &as_they_are, NULL), EBADMSG);
                close(p[0]);
                ASSERT_EQ(count_entries(to), 0);
        }
}

TEST(merging) {
        const TreeOwners merge = { .keep = true, .merge = true };
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        struct stat st;
        int sender;
        make_tree(from);
        ASSERT_OK(mkdirat(to, "copy", 0700));
        ASSERT_OK(write_file_at(to, "copy/kept", "x"));
        ASSERT_OK(write_file_at(to, "copy/file", "old and longer"));
        _cleanup_close_ int source = openat(from, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(transfer(source, to, "copy", &merge, &sender));
        ASSERT_OK(fstatat(to, "copy/kept", &st, 0));
        ASSERT_OK(fstatat(to, "copy/file", &st, 0));
        ASSERT_EQ(st.st_size, 5);
        ASSERT_OK(fstatat(to, "copy", &st, 0));
        ASSERT_EQ(st.st_mode, S_IFDIR | 0750);
        /* a file does not take the place of a directory, and what was there stays when something fails */
        ASSERT_OK(unlinkat(to, "copy/file", 0));
        ASSERT_OK(mkdirat(to, "copy/file", 0700));
        ASSERT_ERROR(transfer(source, to, "copy", &merge, &sender), EISDIR);
        ASSERT_OK(fstatat(to, "copy/kept", &st, 0));
        /* nor is a link followed */
        ASSERT_OK(symlinkat(".", to, "link"));
        ASSERT_TRUE(transfer(source, to, "link", &merge, &sender) < 0);
        ASSERT_TRUE(faccessat(to, "holes", F_OK, 0) < 0);
}

/* ---- what else files have ---- */

static void set_xattr(int dir, const char *file, const char *name, const void *value, size_t size) {
        _cleanup_close_ int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
        ASSERT_OK(fd);
        ASSERT_OK(fsetxattr(fd, name, value, size, 0));
}

/* -errno, or the size */
static ssize_t get_xattr(int dir, const char *file, const char *name, void *value, size_t size) {
        _cleanup_close_ int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
        ASSERT_OK(fd);
        ssize_t n = fgetxattr(fd, name, value, size);
        return n < 0 ? -errno : n;
}

#define ACL_HEADER "\2\0\0\0"
#define ACL_ENTRY(tag, permissions, id) tag "\0" permissions "\0" id
#define ACL_NO_ID "\xff\xff\xff\xff"
/* user::rw, user 100007 (0x186a7), user 7, group::r, mask::rw, other::- */
static const char acl[] =
        ACL_HEADER ACL_ENTRY("\1", "\6", ACL_NO_ID) ACL_ENTRY("\2", "\6", "\7\0\0\0")
                ACL_ENTRY("\2", "\4", "\xa7\x86\1\0") ACL_ENTRY("\4", "\4", ACL_NO_ID)
                        ACL_ENTRY("\x10", "\6", ACL_NO_ID) ACL_ENTRY("\x20", "\0", ACL_NO_ID);
#define ACL_SIZE (sizeof(acl) - 1)

/* VFS_CAP_REVISION_2, permitted: CAP_NET_RAW */
static const char capability[20] = { 0, 0, 0, 2, 0, 0x20 };

TEST(extended_attributes) {
        static const struct TreeRange ids[] = { { 100000, 0, 65536 } };
        const TreeOwners mapped = { .keep = true, .mapped = true, .uids = ids, .n_uids = 1 };
        const TreeOwners own = { .safe_modes = true };
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        struct stat st;
        char text[256];
        int sender;
        make_tree(from);
        set_xattr(from, "d", "user.on-directory", "x", 1);
        set_xattr(from, "d/file", "user.color", "blue\0green", 10);
        set_xattr(from, "d/file", "user.empty", "", 0);
        set_xattr(from, "d/file", "user.overlay.opaque", "y", 1);
        set_xattr(from, "d/file", "trusted.mine", "z", 1);
        set_xattr(from, "d/file", "security.capability", capability, sizeof(capability));
        set_xattr(from, "d/none", "system.posix_acl_access", acl, ACL_SIZE);
        set_xattr(from, "d", "system.posix_acl_default", acl, ACL_SIZE);
        _cleanup_close_ int source = openat(from, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ASSERT_OK(transfer(source, to, "as-is", &as_they_are, &sender));
        ASSERT_OK(sender);
        ASSERT_EQ(get_xattr(to, "as-is", "user.on-directory", text, sizeof(text)), 1);
        ASSERT_EQ(get_xattr(to, "as-is/file", "user.color", text, sizeof(text)), 10);
        ASSERT_TRUE(memcmp(text, "blue\0green", 10) == 0);
        ASSERT_EQ(get_xattr(to, "as-is/file", "user.empty", text, sizeof(text)), 0);
        ASSERT_EQ(get_xattr(to, "as-is/file", "user.overlay.opaque", text, 9), -ENODATA);
        ASSERT_EQ(get_xattr(to, "as-is/file", "trusted.mine", text, 9), -ENODATA);
        ASSERT_TRUE(get_xattr(to, "as-is/file", "security.capability", text, sizeof(text)) > 0);
        ASSERT_EQ(get_xattr(to, "as-is/none", "system.posix_acl_access", text, sizeof(text)),
                  (ssize_t) ACL_SIZE);
        ASSERT_TRUE(memcmp(text, acl, ACL_SIZE) == 0);
        ASSERT_OK(fstatat(to, "as-is/none", &st, 0));
        ASSERT_EQ(st.st_mode, S_IFREG | 0660);
        /* what is in the directory was made before it had its list */
        ASSERT_EQ(get_xattr(to, "as-is", "system.posix_acl_default", text, sizeof(text)),
                  (ssize_t) ACL_SIZE);
        ASSERT_EQ(get_xattr(to, "as-is/file", "system.posix_acl_access", text, 99), -ENODATA);

        /* one named user has another number there, the other one none */
        ASSERT_OK(transfer(source, to, "mapped", &mapped, &sender));
        ASSERT_EQ(get_xattr(to, "mapped/none", "system.posix_acl_access", text, sizeof(text)),
                  (ssize_t) ACL_SIZE - 8);
        ASSERT_TRUE(memcmp(text + 4 + 8, ACL_ENTRY("\2", "\4", "\7\0\0\0"), 8) == 0);

        /* what would give rights is left out */
        ASSERT_OK(transfer(source, to, "own", &own, &sender));
        ASSERT_EQ(get_xattr(to, "own/file", "user.color", text, sizeof(text)), 10);
        ASSERT_EQ(get_xattr(to, "own/file", "security.capability", text, sizeof(text)), -ENODATA);
        ASSERT_EQ(get_xattr(to, "own/none", "system.posix_acl_access", text, 99), -ENODATA);
}

TEST(too_many_attributes) {
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        _cleanup_free_ char *value = calloc(1, XATTR_VALUE_MAX);
        char name[32];
        int sender;
        ASSERT_OK(write_file_at(from, "bomb", ""));
        for (unsigned i = 0; i <= TREE_XATTRS_MAX / XATTR_VALUE_MAX; i++) {
                (void) snprintf(name, sizeof(name), "user.%u", i);
                _cleanup_close_ int fd = openat(from, "bomb", O_RDONLY | O_CLOEXEC);
                if (fsetxattr(fd, name, value, XATTR_VALUE_MAX, 0) < 0)
                        TEST_SKIP("this file system has no room for so many attributes");
        }
        ASSERT_ERROR(transfer(from, to, "copy", &as_they_are, &sender), ECANCELED);
        ASSERT_ERROR(sender, E2BIG);
        ASSERT_EQ(count_entries(to), 0);
}

TEST(hard_links) {
        _cleanup_close_ int from = sandbox_dir(), to = sandbox_dir();
        struct stat a, b;
        int sender;
        make_tree(from);
        ASSERT_OK(mkdirat(from, "d/x", 0755));
        ASSERT_OK(linkat(from, "d/file", from, "d/x/same", 0));
        ASSERT_OK(linkat(from, "d/file", from, "d/second", 0));
        ASSERT_OK(linkat(from, "d/none", from, "outside", 0)); /* not all of its names are in it */
        _cleanup_close_ int source = openat(from, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(transfer(source, to, "copy", &as_they_are, &sender));
        ASSERT_OK(sender);
        ASSERT_OK(fstatat(to, "copy/file", &a, 0));
        ASSERT_OK(fstatat(to, "copy/x/same", &b, 0));
        ASSERT_TRUE(a.st_ino == b.st_ino && a.st_nlink == 3 && a.st_size == 5);
        ASSERT_EQ(a.st_mode, S_IFREG | 06755);
        ASSERT_OK(fstatat(to, "copy/second", &b, 0));
        ASSERT_EQ(a.st_ino, b.st_ino);
        ASSERT_OK(fstatat(to, "copy/none", &b, 0));
        ASSERT_EQ(b.st_nlink, 1);
}

static int receive_records(int to, const Record *records, const char *const *texts, size_t n) {
        int p[2];
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        for (size_t i = 0; i < n; i++) {
                ASSERT_EQ(write(p[1], records + i, sizeof(Record)), (ssize_t) sizeof(Record));
                ASSERT_EQ(write(p[1], texts[i], strlen(texts[i])), (ssize_t) strlen(texts[i]));
        }
        close(p[1]);
        int r = tree_receive(p[0], to, "copy", &as_they_are, NULL);
        close(p[0]);
        return r;
}

/* Links to files elsewhere, and through links. */
TEST(hard_links_stay_inside) {
        static const char *const bad[] = { "../secret", "/etc/passwd", "l/secret", "a/../../secret",
                                           "./f",       "f/",          "..",       "missing",
                                           "l/../f",    "a//b" };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_close_ int to = sandbox_dir();
                struct stat st;
                ASSERT_OK(write_file_at(to, "secret", "x"));
                const Record records[] = {
                        { .type = RECORD_DIRECTORY, .mode = 0755 },
                        { .type = RECORD_LINK, .name_size = 1, .size = 2 }, /* l → .. */
                        { .type = RECORD_FILE, .name_size = 1, .mode = 0644 },
                        { .type = RECORD_END },
                        { .type = RECORD_HARD_LINK, .name_size = 1, .size = strlen(bad[i]) },
                };
                char link[32];
                (void) snprintf(link, sizeof(link), "h%s", bad[i]);
                const char *const texts[] = { "", "l..", "f", "", link };
                ASSERT_TRUE(receive_records(to, records, texts, ELEMENTSOF(records)) < 0);
                ASSERT_OK(fstatat(to, "secret", &st, 0));
                ASSERT_EQ(st.st_nlink, 1);
                ASSERT_EQ(count_entries(to), 1); /* nothing stays of the copy */
        }
}

TEST(names_that_come_twice) {
        const Record records[] = {
                { .type = RECORD_DIRECTORY, .mode = 0755 },
                { .type = RECORD_FILE, .name_size = 1, .mode = 0644 },
                { .type = RECORD_END },
                { .type = RECORD_FILE, .name_size = 1, .mode = 0644 },
                { .type = RECORD_END },
                { .type = RECORD_END },
        };
        static const char *const texts[] = { "", "f", "", "f", "", "" };
        _cleanup_close_ int to = sandbox_dir();
        ASSERT_ERROR(receive_records(to, records, texts, ELEMENTSOF(records)), EEXIST);
        ASSERT_EQ(count_entries(to), 0);
}

/* As archives have them: directories that come again, files that replace others. */
TEST(what_may_be_there) {
        const Record again = { .type = RECORD_DIRECTORY,
                               .flags = RECORD_MAY_EXIST | RECORD_NO_ATTRIBUTES,
                               .name_size = 1 };
        const Record records[] = {
                { .type = RECORD_DIRECTORY, .mode = 0755 },
                { .type = RECORD_DIRECTORY, .mode = 0711, .name_size = 1 },
                { .type = RECORD_FILE, .name_size = 1, .mode = 0600 },
                { .type = RECORD_END },
                { .type = RECORD_END },
                again,
                { .type = RECORD_FILE,
                  .flags = RECORD_MAY_EXIST,
                  .name_size = 1,
                  .mode = 0644,
                  .size = 100 }, /* and nothing but a hole */
                { .type = RECORD_END },
                { .type = RECORD_END },
                { .type = RECORD_END },
        };
        static const char *const texts[] = { "", "d", "f", "", "", "d", "f", "", "", "" };
        _cleanup_close_ int to = sandbox_dir();
        struct stat st;
        ASSERT_OK(receive_records(to, records, texts, ELEMENTSOF(records)));
        ASSERT_OK(fstatat(to, "copy/d", &st, 0));
        ASSERT_EQ(st.st_mode, S_IFDIR | 0711);
        ASSERT_OK(fstatat(to, "copy/d/f", &st, 0));
        ASSERT_EQ(st.st_mode, S_IFREG | 0644);
        ASSERT_EQ(st.st_size, 100);
}

SANDBOX_MAIN
