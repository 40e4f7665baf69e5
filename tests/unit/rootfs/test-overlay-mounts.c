/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of rootfs/overlay.c and overlay-mounts.c: layers, where changes go, ids, and what is left behind. */
#include <sys/statvfs.h>

#include "basic/alloc.h"
#include "basic/strv.h"
#include "basic/time.h"
#include "fake-root.h"
#include "rootfs/overlay.h"
#include "sys/lock.h"
#include "sys/mount-api.h"

#define N_LAYERS 100U

static SpecMount *add(ContainerSpec *s, const char *target, const char *const *layers) {
        SpecMount *m = ARRAY_APPEND(s->mounts, s->n_mounts);

        if (!m || free_and_strdup(&m->target, target) < 0)
                abort();
        m->kind = MOUNT_OVERLAY;
        for (; *layers; layers++)
                if (strv_extend(&m->layers, *layers) < 0)
                        abort();
        return m;
}
#define ADD(s, target, ...) add(s, target, (const char *const[]){ __VA_ARGS__, NULL })

/* Fresh directories of "user 0" with a file each, named after them; one that is in all; one of user 1000. */
static void make_layers(void) {
        static const char *const names[] = { "low", "mid", "up" };

        if (access("/mnt/l", F_OK) >= 0 && umount2("/mnt/l", MNT_DETACH) < 0)
                abort();
        (void) mkdir("/mnt/l", 0755);
        if (mount("layers", "/mnt/l", "tmpfs", 0, "mode=755") < 0)
                abort();
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char path[64];
                snprintf(path, sizeof(path), "%s/%s", names[i], names[i]);
                if (mkdir(in_root("/mnt/l", names[i]), 0755) < 0 ||
                    put("/mnt/l", path, names[i]) < 0)
                        abort();
                snprintf(path, sizeof(path), "%s/all", names[i]);
                if (put("/mnt/l", path, names[i]) < 0)
                        abort();
        }
        if (put("/mnt/l", "low/his", "x") < 0 || chown("/mnt/l/low/his", 1000, 1001) < 0 ||
            chmod("/mnt/l/mid", 0711) < 0)
                abort();
}

static bool has(int fd, const char *path, const char *text) {
        _cleanup_free_ char *found = read_at(fd, path);

        return streq_ptr(found, text);
}

static void shift(ContainerSpec *s) {
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
}

#define SETUP                                              \
        _cleanup_free_ char *root = fake_root();           \
        _cleanup_spec_ ContainerSpec *s = fake_spec(root); \
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;     \
        _cleanup_error_ Error e = ERROR_NULL;              \
        make_layers()

TEST(changes_go_to_the_last) {
        for (int userns = 0; userns < 2; userns++) {
                SETUP;
                const uid_t first = userns ? RANGE : 0;
                struct stat st;

                if (userns)
                        shift(s);
                ADD(s, "/over", "/mnt/l/low", "/mnt/l/mid", "/mnt/l/up");
                ASSERT_OK(prepare(s, &r, &e));
                ASSERT_TRUE(has(r.root_fd, "over/all", "up"));
                ASSERT_TRUE(has(r.root_fd, "over/low", "low") && has(r.root_fd, "over/mid", "mid"));
                ASSERT_OK(fstatat(r.root_fd, "over/his", &st, 0));
                ASSERT_EQ(st.st_uid, first + 1000);
                ASSERT_EQ(st.st_gid, first + 1001);
                ASSERT_OK(fstatat(r.root_fd, "over", &st, 0));
                ASSERT_EQ(st.st_uid, first);
                /* as the container's root does it */
                uint64_t caps = 0;
                ASSERT_OK(caps_get_effective(&caps));
                ASSERT_OK(rootfs_become_owner(&r, caps, &e));
                ASSERT_OK(write_file_at(r.root_fd, "over/his", "changed"));
                ASSERT_OK(write_file_at(r.root_fd, "over/new", "new"));
                if (userns)
                        ASSERT_OK(unlinkat(r.root_fd, "over/mid", 0));
                ASSERT_OK(rootfs_resume_self(&r, &e));
                /* on disk nobody has other ids than before, and the lower layers are as they were */
                ASSERT_OK(stat("/mnt/l/up/his", &st));
                ASSERT_EQ(st.st_uid, 1000);
                ASSERT_OK(stat("/mnt/l/up/new", &st));
                ASSERT_EQ(st.st_uid, 0);
                ASSERT_TRUE(has(AT_FDCWD, "/mnt/l/low/his", "x") &&
                            has(AT_FDCWD, "/mnt/l/mid/mid", "mid"));
                ASSERT_OK(access("/mnt/l/.#up.work", F_OK));
                /* nothing but the overlay itself is mounted */
                _cleanup_free_ char *table = mount_table();
                ASSERT_NULL(strstr(table, "/layers"));
                ASSERT_OK(umount2(root, MNT_DETACH));
                rootfs_done(&r);
                /* overlayfs keeps a node for what was deleted, which we may not remove: it is used again */
                ASSERT_TRUE((access("/mnt/l/.#up.work", F_OK) < 0) == !userns);
        }
}

TEST(in_memory) {
        SETUP;
        struct stat st;

        shift(s);
        ADD(s, "/over", "/mnt/l/low", "/mnt/l/mid", "");
        ADD(s, "/etc", "+/etc", "");
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_OK(fstatat(r.root_fd, "over", &st, 0));
        ASSERT_EQ(st.st_mode & 07777, 0711); /* of the topmost directory */
        ASSERT_EQ(st.st_uid, RANGE);
        uint64_t caps = 0;
        ASSERT_OK(caps_get_effective(&caps));
        ASSERT_OK(rootfs_become_owner(&r, caps, &e));
        ASSERT_OK(write_file_at(r.root_fd, "over/new", "new"));
        ASSERT_OK(write_file_at(r.root_fd, "etc/passwd", "changed"));
        ASSERT_OK(rootfs_resume_self(&r, &e));
        ASSERT_OK(umount2(root, MNT_DETACH));
        ASSERT_TRUE(access("/mnt/l/mid/new", F_OK) < 0);
        ASSERT_FALSE(has(AT_FDCWD, in_root(root, "etc/passwd"), "changed"));
        ASSERT_EQ(r.n_overlay_works, 0);
}

TEST(read_only) {
        SETUP;

        shift(s);
        ADD(s, "/over", "/mnt/l/low", "/mnt/l/mid")->read_only = true;
        ADD(s, "/more", "+/etc", "/mnt/l/up", "")->read_only = true;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(has(r.root_fd, "over/all", "mid"));
        ASSERT_ERROR(mkdirat(r.root_fd, "over/x", 0755) < 0 ? -errno : 0, EROFS);
        ASSERT_TRUE(has(r.root_fd, "more/all", "up"));
        ASSERT_OK(faccessat(r.root_fd, "more/passwd", F_OK, 0));
        ASSERT_ERROR(mkdirat(r.root_fd, "more/x", 0755) < 0 ? -errno : 0, EROFS);
}

TEST(an_upper_layer_inside) {
        SETUP;

        shift(s);
        ASSERT_OK(mkdir(in_root(root, "changes"), 0755));
        ADD(s, "/etc", "+/etc", "+/changes");
        ASSERT_OK(prepare(s, &r, &e));
        uint64_t caps = 0;
        ASSERT_OK(caps_get_effective(&caps));
        ASSERT_OK(rootfs_become_owner(&r, caps, &e));
        ASSERT_OK(write_file_at(r.root_fd, "etc/new", "new"));
        ASSERT_OK(rootfs_resume_self(&r, &e));
        ASSERT_TRUE(has(AT_FDCWD, in_root(root, "etc/new"), "new"));
        ASSERT_TRUE(has(r.root_fd, "changes/new", "new"));
        ASSERT_OK(umount2(root, MNT_DETACH));
        ASSERT_TRUE(has(AT_FDCWD, in_root(root, "changes/new"), "new"));
}

/* What a hostile root makes of names stays inside, or is refused. */
TEST(links_in_the_root) {
        static const char *const layers[] = { "+/link", "+/link/sub", "+/../../mnt/victim", "+/" };

        (void) mkdir("/mnt/victim", 0755);
        (void) mkdir("/mnt/victim/sub", 0755);
        for (size_t i = 0; i < ELEMENTSOF(layers); i++) {
                SETUP;
                ASSERT_OK(symlink("../../../../../mnt/victim", in_root(root, "link")));
                ADD(s, "/over", "/mnt/l/low", layers[i]);
                ASSERT_TRUE(prepare(s, &r, &e) < 0);
                ASSERT_CONTAINS(e.message, "/over");
                ASSERT_CONTAINS(e.message, layers[i] + 1);
                ASSERT_TRUE(access("/mnt/.#victim.work", F_OK) < 0 &&
                            access("/mnt/victim/.#sub.work", F_OK) < 0);
                _cleanup_free_ char *table = mount_table();
                ASSERT_NULL(strstr(table, "/layers"));
        }
        SETUP;
        ASSERT_OK(symlink("/mnt/victim", in_root(root, "target")));
        ADD(s, "/target/x", "/mnt/l/low", "");
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(access("/mnt/victim/x", F_OK) < 0);
}

TEST(what_cannot_be) {
        {
                SETUP;
                ADD(s, "/over", "/mnt/l/low", "/mnt/l/nothing", "/mnt/l/up");
                ASSERT_ERROR(prepare(s, &r, &e), ENOENT);
                ASSERT_STREQ(
                        e.message,
                        "using '/mnt/l/nothing' as a layer of the overlay on '/over' failed: No such file or directory");
                ASSERT_STREQ(e.hint, "create /mnt/l/nothing on the host");
        }
        {
                SETUP;
                ADD(s, "/over", "/mnt/l/low", "/mnt/l");
                ASSERT_ERROR(prepare(s, &r, &e), EXDEV);
                ASSERT_CONTAINS(e.message, "is the root directory of a file system");
        }
        {
                SETUP;
                ADD(s, "/over", "/mnt/l/low/low", "/mnt/l/up");
                ASSERT_ERROR(prepare(s, &r, &e), ENOTDIR);
        }
        {
                SETUP;
                ADD(s, "/over", "/mnt/l/low", "/mnt/l/low");
                ASSERT_TRUE(prepare(s, &r, &e) < 0);
                ASSERT_CONTAINS(e.message, "mounting an overlay on '/over' failed: ");
        }
        {
                SETUP;
                struct stat st;
                ASSERT_OK(stat("/mnt/l/up", &st));
                _cleanup_close_ int lock = lock_take_inode(&st, LOCK_MODE_SHARED);
                ADD(s, "/over", "/mnt/l/low", "/mnt/l/up");
                ASSERT_ERROR(prepare(s, &r, &e), EBUSY);
                ASSERT_EQ(e.id, ERROR_ROOT_BUSY);
                ASSERT_CONTAINS(e.message, "directory '/mnt/l/up', which would take the changes");
        }
        {
                SETUP;
                s->root.read_only = true;
                ADD(s, "/etc", "+/etc", "+/usr");
                ASSERT_ERROR(prepare(s, &r, &e), EROFS);
                ASSERT_CONTAINS(e.hint, "an empty one is in memory");
        }
        {
                SETUP;
                ADD(s, "/proc/x", "/mnt/l/low", "");
                ASSERT_ERROR(prepare(s, &r, &e), EOPNOTSUPP);
        }
}

/* Layers 0 … n-1, each with a file of its number and one that is in all. */
static void make_many(unsigned n) {
        char path[64], text[16];

        if (access("/mnt/many", F_OK) >= 0)
                return;
        if (mkdir("/mnt/many", 0755) < 0)
                abort();
        for (unsigned i = 0; i < n; i++) {
                snprintf(path, sizeof(path), "/mnt/many/%u", i);
                snprintf(text, sizeof(text), "%u", i);
                if (mkdir(path, 0755) < 0 || put(path, text, text) < 0 ||
                    put(path, "all", text) < 0)
                        abort();
        }
}

TEST(a_hundred_layers) {
        SETUP;
        char path[64];

        make_many(N_LAYERS);
        shift(s);
        SpecMount *m = ADD(s, "/over", "/mnt/many/0");
        for (unsigned i = 1; i < N_LAYERS; i++) {
                snprintf(path, sizeof(path), "/mnt/many/%u", i);
                ASSERT_OK(strv_extend(&m->layers, path));
        }
        m->read_only = true;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(has(r.root_fd, "over/all", "99"));
        ASSERT_TRUE(has(r.root_fd, "over/0", "0") && has(r.root_fd, "over/57", "57"));
        struct stat st;
        ASSERT_OK(fstatat(r.root_fd, "over/0", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE);
}

/* However the kernel is told of them. */
TEST(every_way) {
        static const struct {
                OverlayWay way;
                unsigned n;
        } ways[] = {
                { OVERLAY_WAY_STRING, 5 },       { OVERLAY_WAY_ONE_BY_ONE, 5 },
                { OVERLAY_WAY_ONE_BY_ONE, 100 }, { OVERLAY_WAY_CLASSIC, 2 },
                { OVERLAY_WAY_CLASSIC, 100 },    { OVERLAY_WAY_AUTO, 100 },
                { OVERLAY_WAY_AUTO, 3 },
        };

        make_many(N_LAYERS);
        (void) mkdir("/mnt/place", 0755);
        (void) mkdir("/mnt/upper", 0755);
        (void) mkdir("/mnt/work", 0755);
        for (size_t i = 0; i < 2 * ELEMENTSOF(ways); i++) {
                const bool writable = i % 2 > 0;
                _cleanup_free_ char *words = NULL;
                int fds[N_LAYERS];
                char path[64];

                for (unsigned j = 0; j < ways[i / 2].n; j++) {
                        snprintf(path, sizeof(path), "/mnt/many/%u", j);
                        fds[j] = open(path, O_PATH | O_CLOEXEC);
                }
                _cleanup_close_ int place = open("/mnt/place", O_PATH | O_CLOEXEC),
                                    upper = open("/mnt/upper", O_PATH | O_CLOEXEC),
                                    work = open("/mnt/work", O_PATH | O_CLOEXEC);
                const Overlay o = {
                        .lower_fds = fds,
                        .n_lower = ways[i / 2].n,
                        .upper_fd = writable ? upper : -EBADF,
                        .work_fd = writable ? work : -EBADF,
                        .redirects = true,
                        .place_fd = place,
                };
                const usec_t before = now_usec(CLOCK_MONOTONIC);
                _cleanup_close_ int fd =
                        overlay_new(&o, ways[i / 2].way, MOUNT_ATTR_NOSUID, &words);
                printf("way %u, %u layers: %llu us\n", ways[i / 2].way, ways[i / 2].n,
                       (unsigned long long) (now_usec(CLOCK_MONOTONIC) - before));
                ASSERT_OK(fd);
                ASSERT_NULL(words);
                snprintf(path, sizeof(path), "%u", ways[i / 2].n - 1);
                ASSERT_TRUE(has(fd, "all", path) && has(fd, "0", "0"));
                ASSERT_ERROR(mkdirat(fd, "new", 0755) < 0 ? -errno : 0, writable ? 0 : EROFS);
                struct statvfs v;
                ASSERT_OK(fstatvfs(fd, &v));
                ASSERT_TRUE(v.f_flag & ST_NODEV && v.f_flag & ST_NOSUID);
                if (writable)
                        ASSERT_OK(rmdir("/mnt/upper/new"));
                (void) umount2("/mnt/place/made", MNT_DETACH);
                for (unsigned j = 0; j < ways[i / 2].n; j++)
                        fd_close(fds[j]);
                ASSERT_OK(chdir("/"));
        }
}

FAKE_ROOT_MAIN
