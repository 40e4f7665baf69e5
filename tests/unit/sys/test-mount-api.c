/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/mount-api.c: detached file systems, clones, attributes, attaching by descriptor, and idmaps. */
#include "sys/mount-api.h"

#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "sandbox.h"
#include "sys/namespace.h"

static const MountOption small[] = {
        { "size", "1m" }, { "mode", "0750" }, { "nr_inodes", "100" }, { NULL, NULL }
};

static int count_mounts(void) {
        _cleanup_free_ char *text = NULL;
        int n = 0;

        if (file_read_all(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text, NULL) < 0)
                return -EIO;
        for (const char *p = text; (p = strchr(p, '\n')); p++)
                n++;
        return n;
}

TEST(new_file_system) {
        int mounts = count_mounts();
        char *words = (char *) "not touched";
        _cleanup_close_ int fd =
                mount_new("tmpfs", small, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, &words);
        struct statvfs v;
        struct statfs s;
        struct stat st;

        ASSERT_OK(fd);
        ASSERT_NULL(words);
        ASSERT_TRUE(fd_is_cloexec(fd));
        ASSERT_EQ(count_mounts(), mounts); /* nobody sees it */
        ASSERT_OK(fstatfs(fd, &s));
        ASSERT_EQ(s.f_type, TMPFS_MAGIC);
        ASSERT_EQ(s.f_files, 100);
        ASSERT_OK(fstat(fd, &st));
        ASSERT_EQ(st.st_mode & 07777, 0750);
        ASSERT_OK(fstatvfs(fd, &v));
        ASSERT_EQ(v.f_blocks * v.f_frsize, 1 << 20);
        ASSERT_TRUE((v.f_flag & ST_NOSUID) && (v.f_flag & ST_NODEV) && !(v.f_flag & ST_NOEXEC) &&
                    !(v.f_flag & ST_RDONLY));
        ASSERT_OK(write_file_at(fd, "x", "filled while detached"));
        _cleanup_close_ int ro =
                mount_new("tmpfs", NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, NULL);
        ASSERT_ERROR(write_file_at(ro, "x", ""), EROFS);
}

TEST(kernel_says_why) {
        static const MountOption unknown[] = { { "nosuchoption", "1" }, { NULL, NULL } };
        static const MountOption flag[] = { { "nosuchflag", NULL }, { NULL, NULL } };
        static const MountOption bad[] = { { "size", "much" }, { NULL, NULL } };
        const MountOption *const cases[] = { unknown, flag, bad };
        static const char *const expected[] = { "nosuchoption", "nosuchflag", "size" };
        int before = count_fds();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *words = NULL;
                ASSERT_ERROR(mount_new("tmpfs", cases[i], 0, &words), EINVAL);
                ASSERT_CONTAINS(words, expected[i]);
                ASSERT_CONTAINS(words, "tmpfs: ");
                ASSERT_NULL(strchr(words, '\n'));
                ASSERT_ERROR(mount_new("tmpfs", cases[i], 0, NULL), EINVAL);
        }
        char *words = (char *) "must be reset";
        ASSERT_ERROR(mount_new("nosuchfs", NULL, 0, &words), ENODEV);
        ASSERT_NULL(words);
        ASSERT_EQ(count_fds(), before);
}

TEST(attach_on_what_the_descriptor_is) {
        _cleanup_close_ int fd = mount_new("tmpfs", small, 0, NULL), base = sandbox_dir();
        struct stat st, root;

        ASSERT_OK(fstat(fd, &root));
        ASSERT_OK(mkdirat(base, "target", 0755));
        _cleanup_close_ int target = openat(base, "target", O_PATH | O_CLOEXEC);
        /* Its name is given to something else before the mount: the descriptor counts. */
        ASSERT_OK(renameat(base, "target", base, "moved"));
        ASSERT_OK(symlinkat("/etc", base, "target"));
        ASSERT_OK(mount_attach(fd, target));
        ASSERT_OK(fstatat(base, "moved", &st, 0));
        ASSERT_EQ(st.st_dev, root.st_dev);
        ASSERT_OK(write_file_at(fd, "inside", ""));
        ASSERT_OK(faccessat(base, "moved/inside", F_OK, 0));
        ASSERT_OK(mount_detach(fd));
        ASSERT_TRUE(faccessat(base, "moved/inside", F_OK, 0) < 0);
        /* Still usable by its descriptor until that is closed. */
        ASSERT_OK(faccessat(fd, "inside", F_OK, 0));
}

TEST(attach_mismatches) {
        _cleanup_close_ int base = sandbox_dir(), fd = mount_new("tmpfs", small, 0, NULL);

        ASSERT_OK(write_file_at(base, "file", "below"));
        ASSERT_OK(write_file_at(base, "other", "above"));
        _cleanup_close_ int file = openat(base, "file", O_PATH | O_CLOEXEC),
                            other = openat(base, "other", O_PATH | O_CLOEXEC);
        ASSERT_TRUE(mount_attach(fd, file) < 0);
        ASSERT_ERROR(mount_attach(fd, -EBADF), EBADF);
        ASSERT_ERROR(mount_attach(-EBADF, base), EBADF);
        ASSERT_ERROR(mount_attach(base, file), EINVAL); /* not a mount */
        /* A file on a file is fine. */
        _cleanup_close_ int clone = mount_clone(other, false);
        ASSERT_OK(mount_attach(clone, file));
        _cleanup_free_ char *text = NULL;
        ASSERT_OK(file_read_all(base, "file", 100, &text, NULL));
        ASSERT_STREQ(text, "above");
}

/* base/{top, sub/(another tmpfs){below}} */
static int make_tree(int base) {
        int sub_mount = -EBADF, sub = -EBADF;

        if (write_file_at(base, "top", "top") < 0 || mkdirat(base, "sub", 0755) < 0)
                return -EIO;
        sub = openat(base, "sub", O_PATH | O_CLOEXEC);
        sub_mount = mount_new("tmpfs", NULL, 0, NULL);
        int r = sub_mount < 0 ? sub_mount : mount_attach(sub_mount, sub);
        if (r >= 0)
                r = write_file_at(base, "sub/below", "below");
        fd_close(sub_mount);
        fd_close(sub);
        return r;
}

TEST(clones) {
        _cleanup_close_ int base = sandbox_dir();

        ASSERT_OK(make_tree(base));
        _cleanup_close_ int path_fd = openat(base, ".", O_PATH | O_CLOEXEC);
        _cleanup_close_ int flat = mount_clone(path_fd, false), deep = mount_clone(base, true);
        ASSERT_OK(flat);
        ASSERT_OK(deep);
        ASSERT_TRUE(fd_is_cloexec(flat));
        ASSERT_OK(faccessat(flat, "top", F_OK, 0));
        ASSERT_TRUE(faccessat(flat, "sub/below", F_OK, 0) < 0);
        ASSERT_OK(faccessat(deep, "sub/below", F_OK, 0));
        /* Attributes are the clone's own. */
        ASSERT_OK(mount_set_attributes(deep, MOUNT_ATTR_RDONLY, 0, 0, false));
        ASSERT_ERROR(write_file_at(deep, "new", ""), EROFS);
        ASSERT_OK(write_file_at(deep, "sub/new", ""));
        ASSERT_OK(mount_set_attributes(deep, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, true));
        ASSERT_ERROR(write_file_at(deep, "sub/newer", ""), EROFS);
        ASSERT_OK(write_file_at(base, "sub/newer", ""));
        ASSERT_OK(mount_set_attributes(deep, 0, MOUNT_ATTR_RDONLY, 0, true));
        ASSERT_OK(write_file_at(deep, "new", ""));
        ASSERT_ERROR(mount_set_attributes(deep, 0, 0, MS_PRIVATE | MS_SHARED, false), EINVAL);
        ASSERT_ERROR(mount_clone(-EBADF, false), EBADF);
}

/* The optional fields ("shared:1") of the mount at a path in the sandbox, or NULL. */
static char *mount_fields(const char *path) {
        _cleanup_free_ char *text = NULL;
        char point[256], fields[256];

        if (file_read_all(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text, NULL) < 0)
                return NULL;
        for (char *line = text; line && *line;
             line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
                if (sscanf(line, "%*s %*s %*s %*s %255s %*s %255s", point, fields) == 2 &&
                    strcmp(point, path) == 0)
                        return strdup(fields);
        return NULL;
}

TEST(propagation) {
        _cleanup_close_ int fd = mount_new("tmpfs", small, 0, NULL);

        ASSERT_OK(mkdir("/mnt/prop", 0755));
        _cleanup_close_ int target = open("/mnt/prop", O_PATH | O_CLOEXEC);
        ASSERT_OK(mount_attach(fd, target));
        _cleanup_free_ char *private = mount_fields("/mnt/prop");
        ASSERT_STREQ(private, "-");
        ASSERT_OK(mount_set_attributes(fd, 0, 0, MS_SHARED, false));
        _cleanup_free_ char *shared = mount_fields("/mnt/prop"), *parent = mount_fields("/mnt");
        ASSERT_CONTAINS(shared, "shared:");
        ASSERT_STREQ(parent, "-");
        ASSERT_OK(mount_propagation_all(MS_SLAVE)); /* a slave of nobody is private */
        _cleanup_free_ char *slave = mount_fields("/mnt/prop");
        ASSERT_STREQ(slave, "-");
        ASSERT_OK(mount_propagation_all(MS_SHARED));
        _cleanup_free_ char *all = mount_fields("/mnt"), *below = mount_fields("/mnt/prop");
        ASSERT_CONTAINS(all, "shared:");
        ASSERT_CONTAINS(below, "shared:");
        ASSERT_OK(mount_propagation_all(MS_PRIVATE));
}

TEST(classic_mounts) {
        _cleanup_close_ int base = sandbox_dir();
        struct statfs s;
        struct stat etc, after;

        ASSERT_OK(stat("/etc", &etc));
        ASSERT_OK(mkdirat(base, "a", 0755));
        _cleanup_close_ int target = openat(base, "a", O_PATH | O_CLOEXEC);
        ASSERT_OK(renameat(base, "a", base, "b"));
        ASSERT_OK(symlinkat("/etc", base, "a"));
        ASSERT_OK(mount_classic("proc", "proc", target, MS_NOSUID | MS_NODEV, NULL));
        ASSERT_OK(stat("/etc", &after));
        ASSERT_EQ(etc.st_dev, after.st_dev);
        _cleanup_close_ int there = openat(base, "b", O_PATH | O_CLOEXEC);
        ASSERT_OK(fstatfs(there, &s));
        ASSERT_EQ(s.f_type, PROC_SUPER_MAGIC);
        /* Bind and remount, as the flags say. */
        _cleanup_close_ int spot = sandbox_dir();
        ASSERT_ERROR(mount_classic("tmpfs", "tmpfs", spot, 0, "nosuch=1"), EINVAL);
        ASSERT_OK(mount_classic("tmpfs", "tmpfs", spot, MS_RDONLY, "size=4k"));
        ASSERT_ERROR(mount_classic("x", "tmpfs", -EBADF, 0, NULL), EBADF);
        ASSERT_ERROR(mount_classic("x", "tmpfs", 1 << 20, 0, NULL), ENOENT);
        ASSERT_OK(mount_detach(there));
        ASSERT_ERROR(mount_detach(-EBADF), EBADF);
        ASSERT_ERROR(mount_detach(target), EINVAL); /* below the mount: no mount itself */
}

/* Owners 0, 5 and 70000 on the disk, seen and made through a clone that maps 0..65535 to 100000... */
static void check_idmap(int base) {
        static const IdMap map = { 0, 100000, 65536 };
        struct stat st;

        ASSERT_OK(write_file_at(base, "zero", "0"));
        ASSERT_OK(write_file_at(base, "five", "5"));
        ASSERT_OK(fchownat(base, "five", 5, 6, 0));
        ASSERT_OK(write_file_at(base, "far", "70000"));
        ASSERT_OK(fchownat(base, "far", 70000, 70000, 0));
        ASSERT_OK(fchmodat(base, ".", 0777, 0));

        _cleanup_close_ int userns = userns_new(&map, 1), tree = mount_clone(base, true);
        ASSERT_OK(userns);
        ASSERT_OK(mount_set_idmap(tree, userns, true));
        ASSERT_OK(fstatat(tree, "zero", &st, 0));
        ASSERT_EQ(st.st_uid, 100000);
        ASSERT_OK(fstatat(tree, "five", &st, 0));
        ASSERT_EQ(st.st_uid, 100005);
        ASSERT_EQ(st.st_gid, 100006);
        ASSERT_OK(fstatat(tree, "far", &st, 0));
        ASSERT_EQ(st.st_uid, 65534);
        /* Made by the container's root: 0 on the disk. The host's root has no id in there. */
        ASSERT_OK(fstatat(base, "zero", &st, 0));
        ASSERT_EQ(st.st_uid, 0);
        ASSERT_ERROR(write_file_at(tree, "byroot", ""), EOVERFLOW);
        ASSERT_OK(setresgid(-1, 100000, -1));
        ASSERT_OK(setresuid(-1, 100000, -1));
        int r = write_file_at(tree, "new", "");
        ASSERT_OK(setresuid(-1, 0, -1));
        ASSERT_OK(setresgid(-1, 0, -1));
        ASSERT_OK(r);
        ASSERT_OK(fstatat(base, "new", &st, 0));
        ASSERT_EQ(st.st_uid, 0);
        ASSERT_EQ(st.st_gid, 0);
        /* Once only, and never in use by others. */
        ASSERT_ERROR(mount_set_idmap(tree, userns, true), EPERM);
        ASSERT_ERROR(mount_set_idmap(tree, -EBADF, true), EBADF);
        ASSERT_ERROR(mount_set_idmap(tree, base, true), EINVAL);
}

TEST(idmap_on_tmpfs) {
        _cleanup_close_ int base = sandbox_dir();
        check_idmap(base);
}

TEST(idmap_on_the_disk) {
        char path[] = "/var/tmp/test-mount-api-XXXXXX";
        static const char *const files[] = { "zero", "five", "far", "new" };
        struct statfs s;

        ASSERT_OK(statfs("/var/tmp", &s));
        if (s.f_type != EXT4_SUPER_MAGIC)
                TEST_SKIP("/var/tmp is not on ext4");
        ASSERT_NOT_NULL(mkdtemp(path));
        _cleanup_close_ int base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        check_idmap(base);
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                ASSERT_OK(unlinkat(base, files[i], 0));
        ASSERT_OK(rmdir(path));
}

TEST(idmap_that_cannot_be) {
        static const IdMap map = { 0, 100000, 65536 };
        _cleanup_close_ int userns = userns_new(&map, 1), proc = mount_new("proc", NULL, 0, NULL);
        _cleanup_close_ int dir = sandbox_dir(), tmpfs = mount_new("tmpfs", NULL, 0, NULL);

        ASSERT_OK(proc);
        ASSERT_ERROR(mount_set_idmap(proc, userns, false), EINVAL);
        ASSERT_OK(mount_attach(tmpfs, dir));
        ASSERT_ERROR(mount_set_idmap(tmpfs, userns, false), EINVAL); /* attached: others see it */
}

SANDBOX_MAIN
