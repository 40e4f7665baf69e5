/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/resolve.c, opening: roots full of traps, none of which may lead outside, block, or touch a device. Each root
 * is a directory in the sandbox; "/mnt/outside" is what must never be reached. */
#include "sys/resolve.h"

#include <limits.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "basic/str.h"
#include "sandbox.h"
#include "sys/mount-api.h"

/* root/{etc/passwd, dir/sub/file, fifo, null, …} and /mnt/outside/secret; -1 on failure. */
static int make_root(void) {
        int root = sandbox_dir();

        (void) mkdir("/mnt/outside", 0755); /* there from the second time on */
        if (root < 0 || write_file_at(AT_FDCWD, "/mnt/outside/secret", "secret") < 0)
                return -1;
        if (mkdirat(root, "etc", 0755) < 0 || mkdirat(root, "dir", 0755) < 0 ||
            mkdirat(root, "dir/sub", 0755) < 0)
                return -1;
        if (write_file_at(root, "etc/passwd", "root:x:0:0\n") < 0 ||
            write_file_at(root, "dir/sub/file", "text") < 0)
                return -1;
        if (mkfifoat(root, "fifo", 0644) < 0 ||
            mknodat(root, "null", S_IFCHR | 0666, makedev(1, 3)) < 0)
                return -1;
        if (symlinkat("/etc/passwd", root, "absolute") < 0 ||
            symlinkat("dir/sub", root, "relative") < 0 ||
            symlinkat("/nowhere/at/all", root, "dangling") < 0 ||
            symlinkat("loop2", root, "loop1") < 0 || symlinkat("loop1", root, "loop2") < 0 ||
            symlinkat("/mnt/outside", root, "escape") < 0 ||
            symlinkat("../../../../../../../../mnt/outside", root, "climb") < 0 ||
            symlinkat("selfish", root, "selfish") < 0)
                return -1;
        return root;
}

static bool same_file(int fd, int dir_fd, const char *path) {
        struct stat a, b;

        return fd >= 0 && fstat(fd, &a) >= 0 &&
               fstatat(dir_fd, path, &b, AT_SYMLINK_NOFOLLOW) >= 0 && a.st_dev == b.st_dev &&
               a.st_ino == b.st_ino;
}

TEST(beneath_opens_plain_paths_only) {
        _cleanup_close_ int root = make_root(), fd = resolve_beneath(root, "dir/sub", O_DIRECTORY);
        char c;

        ASSERT_TRUE(same_file(fd, root, "dir/sub"));
        ASSERT_TRUE(fd_is_cloexec(fd));
        fd_close(fd);
        fd = resolve_beneath(root, "dir/sub/file", 0);
        ASSERT_TRUE(same_file(fd, root, "dir/sub/file"));
        ASSERT_TRUE(read(fd, &c, 1) < 0 && errno == EBADF); /* O_PATH */
        fd_close(fd);
        fd = resolve_beneath(root, "dir/../dir/./sub", 0);
        ASSERT_TRUE(same_file(fd, root, "dir/sub"));
}

TEST(beneath_refuses_every_symlink) {
        static const char *const links[] = { "absolute",      "relative", "relative/file",
                                             "dangling",      "loop1",    "escape",
                                             "escape/secret", "climb",    "climb/secret",
                                             "selfish" };
        _cleanup_close_ int root = make_root();

        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                ASSERT_ERROR(resolve_beneath(root, links[i], 0), ELOOP);
                ASSERT_ERROR(resolve_beneath(root, links[i], O_DIRECTORY), ELOOP);
                ASSERT_ERROR(resolve_beneath(root, links[i], O_NOFOLLOW), ELOOP);
        }
}

TEST(beneath_stays_beneath) {
        static const char *const paths[] = {
                "..", "../outside", "dir/../..", "dir/../../outside/secret", "/", "/etc", "/mnt"
        };
        _cleanup_close_ int root = make_root();

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                ASSERT_ERROR(resolve_beneath(root, paths[i], 0), EXDEV);
        ASSERT_ERROR(resolve_beneath(root, "nothing", 0), ENOENT);
        ASSERT_ERROR(resolve_beneath(root, "", 0), ENOENT);
        ASSERT_ERROR(resolve_beneath(root, "etc/passwd", O_DIRECTORY), ENOTDIR);
        ASSERT_ERROR(resolve_beneath(root, "etc/passwd/x", 0), ENOTDIR);
        ASSERT_ERROR(resolve_beneath(-EBADF, "etc", 0), EBADF);
}

TEST(opening_for_a_mount_never_blocks) {
        _cleanup_close_ int root = make_root();

        alarm(10);
        _cleanup_close_ int fifo = resolve_beneath(root, "fifo", 0),
                            null = resolve_in_root(root, "null", O_PATH);
        alarm(0);
        ASSERT_TRUE(same_file(fifo, root, "fifo"));
        ASSERT_TRUE(same_file(null, root, "null"));
}

TEST(in_root_follows_links_inside) {
        static const struct {
                const char *path, *target;
        } cases[] = {
                { "absolute", "etc/passwd" },
                { "/absolute", "etc/passwd" },
                { "//etc///passwd", "etc/passwd" },
                { "relative", "dir/sub" },
                { "relative/file", "dir/sub/file" },
                { "relative/../../etc", "etc" },
                { "../../../../etc/passwd", "etc/passwd" },
                { "/..", "." },
                { "/", "." },
                { "", "." },
                { "dir/../../../etc", "etc" },
                { "nested", "etc/passwd" },
        };
        _cleanup_close_ int root = make_root();

        ASSERT_OK(symlinkat("/relative/../../absolute", root, "nested"));
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_close_ int fd = resolve_in_root(root, cases[i].path, O_PATH);
                if (!same_file(fd, root, cases[i].target))
                        TEST_FAIL("'%s' did not lead to '%s' but to %d", cases[i].path,
                                  cases[i].target, fd);
                ASSERT_TRUE(fd_is_cloexec(fd));
        }
}

TEST(in_root_never_leaves) {
        static const char *const paths[] = { "escape",
                                             "escape/secret",
                                             "climb",
                                             "climb/secret",
                                             "/mnt/outside/secret",
                                             "../outside/secret",
                                             "dir/../../outside/secret",
                                             "dangling" };
        _cleanup_close_ int root = make_root();

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                ASSERT_ERROR(resolve_in_root(root, paths[i], O_PATH), ENOENT);
                ASSERT_ERROR(resolve_in_root(root, paths[i], O_RDONLY), ENOENT);
        }
        ASSERT_ERROR(resolve_in_root(root, "loop1", O_PATH), ELOOP);
        ASSERT_ERROR(resolve_in_root(root, "selfish/x", O_PATH), ELOOP);
        ASSERT_ERROR(resolve_in_root(root, "absolute", O_RDONLY | O_NOFOLLOW), ELOOP);
        ASSERT_ERROR(resolve_in_root(root, "etc/passwd", O_RDONLY | O_DIRECTORY), ENOTDIR);
        /* With the same path inside, that one is found. */
        ASSERT_OK(mkdirat(root, "mnt", 0755));
        ASSERT_OK(mkdirat(root, "mnt/outside", 0755));
        ASSERT_OK(write_file_at(root, "mnt/outside/secret", "harmless"));
        _cleanup_close_ int fd = resolve_in_root(root, "climb/secret", O_RDONLY);
        ASSERT_TRUE(same_file(fd, root, "mnt/outside/secret"));
}

TEST(magic_links) {
        static const char *const paths[] = { "proc/self/root",
                                             "proc/self/root/etc/passwd",
                                             "proc/self/cwd",
                                             "proc/self/exe",
                                             "proc/self/fd/0",
                                             "proc/self/root/..",
                                             "magic",
                                             "magic/etc/passwd",
                                             "proc/thread-self/fd/../root" };
        _cleanup_close_ int root = make_root(), proc = mount_new("proc", NULL, 0, NULL);

        ASSERT_OK(mkdirat(root, "proc", 0755));
        _cleanup_close_ int target = resolve_beneath(root, "proc", O_DIRECTORY);
        ASSERT_OK(mount_attach(proc, target));
        ASSERT_OK(symlinkat("/proc/self/root", root, "magic"));
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                ASSERT_ERROR(resolve_in_root(root, paths[i], O_PATH), ELOOP);
                ASSERT_ERROR(resolve_beneath(root, paths[i], 0), ELOOP);
        }
        _cleanup_close_ int fd =
                resolve_in_root(root, "proc/self/status", O_RDONLY); /* "self" is a plain symlink */
        ASSERT_OK(fd);
        ASSERT_OK(mount_detach(proc));
}

TEST(chains_of_links) {
        _cleanup_close_ int root = make_root();
        char name[16], target[16];

        for (int i = 0; i < 60; i++) {
                snprintf(name, sizeof(name), "chain%d", i);
                snprintf(target, sizeof(target), "/chain%d", i + 1);
                ASSERT_OK(symlinkat(target, root, name));
        }
        ASSERT_OK(symlinkat("etc/passwd", root, "chain60"));
        _cleanup_close_ int fd = resolve_in_root(root, "chain21", O_PATH);
        ASSERT_TRUE(same_file(fd, root, "etc/passwd"));
        ASSERT_ERROR(resolve_in_root(root, "chain20", O_PATH), ELOOP);
}

TEST(long_paths) {
        _cleanup_close_ int root = make_root();
        char path[PATH_MAX + 16];

        for (size_t i = 0; i < sizeof(path); i++)
                path[i] = i % 2 ? '/' : '.';
        path[PATH_MAX - 1] = '\0'; /* the longest that the kernel takes */
        _cleanup_close_ int fd = resolve_in_root(root, path, O_PATH);
        ASSERT_TRUE(same_file(fd, root, "."));
        path[PATH_MAX - 1] = '/';
        path[PATH_MAX] = '\0';
        ASSERT_ERROR(resolve_in_root(root, path, O_PATH), ENAMETOOLONG);
        ASSERT_ERROR(resolve_beneath(root, path, 0), ENAMETOOLONG);
        memset(path, 'x', NAME_MAX + 1);
        path[NAME_MAX + 1] = '\0';
        ASSERT_ERROR(resolve_in_root(root, path, O_PATH), ENAMETOOLONG);
        path[NAME_MAX] = '\0';
        ASSERT_ERROR(resolve_in_root(root, path, O_PATH), ENOENT);
}

/* As somebody without privileges: what is closed stays closed. */
static int open_closed(void *arg) {
        int root = *(int *) arg;

        if (setresgid(1234, 1234, 1234) < 0 || setresuid(1234, 1234, 1234) < 0)
                return 1;
        if (resolve_in_root(root, "closed/file", O_PATH) != -EACCES)
                return 2;
        if (resolve_beneath(root, "closed/file", 0) != -EACCES)
                return 3;
        if (resolve_make_mount_point(root, "closed/new", S_IFREG, 0, 0) != -EACCES)
                return 4;
        return resolve_mkdir_beneath(root, "dir/new", 0, 0) == -EACCES ? 0 : 5;
}

TEST(closed_directories) {
        _cleanup_close_ int root = make_root();

        ASSERT_OK(mkdirat(root, "closed", 0755));
        ASSERT_OK(write_file_at(root, "closed/file", ""));
        ASSERT_OK(fchmodat(root, "closed", 0000, 0));
        _cleanup_close_ int fd = resolve_in_root(root, "closed/file", O_PATH); /* root may */
        ASSERT_OK(fd);
        ASSERT_EQ(in_child(open_closed, &root), 0);
}

static int open_terminal(void *arg) {
        int master = posix_openpt(O_RDWR | O_NOCTTY);
        char name[64];

        if (master < 0 || unlockpt(master) < 0 || grantpt(master) < 0 ||
            ptsname_r(master, name, sizeof(name)) != 0)
                return 77;
        if (setsid() < 0)
                return 1;
        int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd = resolve_in_root(dev, name + STRLEN("/dev/"), O_RDWR);
        if (fd < 0)
                return 2;
        return open("/dev/tty", O_RDWR) < 0 && errno == ENXIO ? 0 : 3;
}

TEST(a_terminal_does_not_become_ours) {
        int r = in_child(open_terminal, NULL);
        if (r == 77)
                TEST_SKIP("no ptys here");
        ASSERT_EQ(r, 0);
}

/* Exchanges a directory for a link to the outside, back and forth, and moves another one away under "..". */
static void exchange_forever(int root) {
        alarm(30);
        for (;;) {
                renameat2(root, "swap", root, "escape", RENAME_EXCHANGE);
                renameat(root, "dir/sub/deep", root, "deep");
                renameat(root, "deep", root, "dir/sub/deep");
        }
}

TEST(exchange_meanwhile) {
        static const char *const paths[] = { "swap/secret",
                                             "dir/sub/deep/../../../../../outside/secret",
                                             "swap/../../outside/secret" };
        _cleanup_close_ int root = make_root();
        struct stat secret, st;
        int outside = 0;

        ASSERT_OK(stat("/mnt/outside/secret", &secret));
        ASSERT_OK(mkdirat(root, "swap", 0755));
        ASSERT_OK(write_file_at(root, "swap/secret", "harmless"));
        ASSERT_OK(mkdirat(root, "dir/sub/deep", 0755));
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
                exchange_forever(root);
        for (int i = 0; i < 30000; i++) {
                _cleanup_close_ int a = resolve_in_root(root, paths[i % 3], O_PATH),
                                    b = resolve_beneath(root, paths[i % 3], 0);
                outside += a >= 0 && fstat(a, &st) >= 0 && st.st_ino == secret.st_ino &&
                           st.st_dev == secret.st_dev;
                outside += b >= 0 && fstat(b, &st) >= 0 && st.st_ino == secret.st_ino &&
                           st.st_dev == secret.st_dev;
        }
        child_end(pid);
        ASSERT_EQ(outside, 0);
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

TEST(read_regular_files) {
        _cleanup_close_ int root = make_root();
        _cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *d = NULL;
        size_t n = 99;

        ASSERT_OK(resolve_read_file(root, "/etc/passwd", 4096, &a, &n));
        ASSERT_STREQ(a, "root:x:0:0\n");
        ASSERT_EQ(n, 11);
        ASSERT_OK(resolve_read_file(root, "absolute", 11, &b, NULL)); /* exactly the limit */
        ASSERT_STREQ(b, "root:x:0:0\n");
        ASSERT_ERROR(resolve_read_file(root, "etc/passwd", 10, &c, NULL), E2BIG);
        ASSERT_NULL(c);
        ASSERT_OK(write_file_at(root, "empty", ""));
        ASSERT_OK(resolve_read_file(root, "empty", 0, &c, &n));
        ASSERT_STREQ(c, "");
        ASSERT_EQ(n, 0);
        ASSERT_OK(resolve_read_file(root, "etc/passwd", SIZE_MAX, &d, &n));
        ASSERT_EQ(n, 11);
}

TEST(read_larger_and_binary) {
        _cleanup_close_ int root = make_root(),
                            fd = openat(root, "large", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        _cleanup_free_ char *text = NULL, *other = NULL;
        char block[1000];
        size_t n;

        memset(block, 'x', sizeof(block));
        for (int i = 0; i < 300; i++)
                ASSERT_OK(fd_write_full(fd, block, sizeof(block)));
        ASSERT_OK(resolve_read_file(root, "large", 300000, &text, &n));
        ASSERT_EQ(n, 300000);
        ASSERT_EQ(strlen(text), 300000);
        ASSERT_EQ(pwrite(fd, "\0", 1, 150000), 1);
        ASSERT_ERROR(resolve_read_file(root, "large", 300000, &other, NULL), EBADMSG);
        ASSERT_NULL(other);
        ASSERT_OK(resolve_read_file(root, "large", 300000, &other, &n));
        ASSERT_EQ(other[150000], '\0');
}

TEST(read_sparse_monsters) {
        _cleanup_close_ int root = make_root(),
                            fd = openat(root, "huge", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        char *text = NULL;

        ASSERT_OK(ftruncate(fd, INT64_C(1) << 40));
        ASSERT_ERROR(resolve_read_file(root, "huge", 1 << 20, &text, NULL), E2BIG);
        ASSERT_NULL(text);
}

TEST(read_nothing_but_regular_files) {
        static const char *const paths[] = { "fifo", "null",   "zero",    "full",    "etc",
                                             "/",    "socket", "to-fifo", "watchdog" };
        _cleanup_close_ int root = make_root(), s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char *text = NULL;

        ASSERT_OK(mknodat(root, "zero", S_IFCHR | 0666, makedev(1, 5)));
        ASSERT_OK(mknodat(root, "full", S_IFBLK | 0666, makedev(7, 99)));
        ASSERT_OK(mknodat(root, "watchdog", S_IFCHR | 0666, makedev(10, 130)));
        ASSERT_OK(symlinkat("/fifo", root, "to-fifo"));
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/socket", root);
        ASSERT_OK(bind(s, (struct sockaddr *) &address, sizeof(address)));
        int before = count_fds();
        alarm(10);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                ASSERT_ERROR(resolve_read_file(root, paths[i], 4096, &text, NULL), EINVAL);
        alarm(0);
        ASSERT_ERROR(resolve_read_file(root, "escape/secret", 4096, &text, NULL), ENOENT);
        ASSERT_ERROR(resolve_read_file(root, "loop1", 4096, &text, NULL), ELOOP);
        ASSERT_ERROR(resolve_read_file(root, "nothing", 4096, &text, NULL), ENOENT);
        ASSERT_NULL(text);
        ASSERT_EQ(count_fds(), before);
}

/* Files of proc and sysfs have size 0 and grow while they are read. */
TEST(read_files_without_a_size) {
        _cleanup_close_ int proc = mount_new("proc", NULL, 0, NULL);
        _cleanup_free_ char *status = NULL, *cpuinfo = NULL, *tiny = NULL;
        size_t n;

        ASSERT_OK(proc);
        ASSERT_OK(resolve_read_file(proc, "self/status", 65536, &status, &n));
        ASSERT_CONTAINS(status, "\nCapBnd:");
        ASSERT_EQ(strlen(status), n);
        ASSERT_OK(resolve_read_file(proc, "cpuinfo", 16 << 20, &cpuinfo, &n));
        ASSERT_EQ(strlen(cpuinfo), n);
        ASSERT_ERROR(resolve_read_file(proc, "self/status", 100, &tiny, NULL), E2BIG);
        ASSERT_ERROR(resolve_read_file(proc, "self/status", 0, &tiny, NULL), E2BIG);
}

SANDBOX_MAIN
