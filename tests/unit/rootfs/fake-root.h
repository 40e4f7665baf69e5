/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small roots for the tests of rootfs/: in the sandbox of the tests of sys/, with a /run of its own for the locks. */
#pragma once

#include <dirent.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "basic/str.h"
#include "rootfs/idmap.h"
#include "rootfs/rootfs.h"
#include "sys/caps.h"
#include "unit/sys/sandbox.h"

#define RANGE 1000013824U /* 15259 * 65536: where systemd's own containers live */

/* A root with a few files; its path is in /mnt. */
static inline char *fake_root(void) {
        static const char *const directories[] = { "usr", "usr/bin", "usr/lib", "etc", "bin",
                                                   "dev", "proc",    "sys",     "run", "tmp" };
        char *path = strdup("/mnt/root-XXXXXX");

        if (!path || !mkdtemp(path) || chmod(path, 0755) < 0)
                return NULL;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (mkdirat(fd, directories[i], 0755) < 0)
                        return NULL;
        if (write_file_at(fd, "usr/lib/os-release", "ID=fake\nPRETTY_NAME=\"A fake\"\n") < 0 ||
            write_file_at(
                    fd, "etc/passwd",
                    "root:x:0:0:root:/root:/bin/bash\nbob:x:1000:1001:Bob:/home/bob:/bin/sh\n") <
                    0 ||
            write_file_at(fd, "etc/group",
                          "root:x:0:\nbob:x:1001:\naudio:x:29:bob,eve\nvideo:x:44:eve\n") < 0 ||
            write_file_at(fd, "bin/init", "#!/bin/sh\n") < 0 ||
            fchmodat(fd, "bin/init", 0755, 0) < 0)
                return NULL;
        return path;
}

/* Path of something in a root; a few can be used at once. */
static inline const char *in_root(const char *root, const char *path) {
        static char bufs[8][512];
        static unsigned next;
        char *buf = bufs[next++ % ELEMENTSOF(bufs)];

        snprintf(buf, sizeof(bufs[0]), "%s/%s", root, path);
        return buf;
}

static inline int put(const char *root, const char *path, const char *text) {
        return write_file_at(AT_FDCWD, in_root(root, path), text);
}

/* A spec for it; nothing of the host is copied unless a test asks. */
static inline ContainerSpec *fake_spec(const char *root) {
        ContainerSpec *s = spec_new();

        if (!s || free_and_strdup(&s->name, "test") < 0 ||
            free_and_strdup(&s->root.directory, root) < 0)
                abort();
        s->files.resolv_conf = s->files.timezone = COPY_OFF;
        return s;
}

/* The whole way, as launch goes it. */
static inline int prepare(const ContainerSpec *spec, Rootfs *r, Error *e) {
        uint64_t caps = 0;

        int k = caps_get_effective(&caps);
        if (k >= 0)
                k = rootfs_open(spec, r, e);
        if (k >= 0)
                k = rootfs_choose_ids(spec, r, e);
        if (k >= 0)
                k = rootfs_attach(spec, r, e);
        if (k >= 0)
                k = rootfs_inspect(spec, r, e);
        if (k >= 0)
                k = rootfs_become_owner(r, caps, e);
        if (k >= 0)
                k = api_mounts_outer(spec, r, e);
        if (k >= 0)
                k = user_mounts(spec, r, e);
        if (k >= 0)
                k = host_files(spec, r, e);
        if (k >= 0)
                k = api_mounts_seal(r, e);
        return rootfs_resume_self(r, NULL) < 0 ? -ENOTRECOVERABLE : k;
}

static inline char *read_at(int dir_fd, const char *path) {
        char *text = NULL;

        return file_read_all(dir_fd, path, 1 << 20, &text, NULL) < 0 ? NULL : text;
}

/* mountinfo of this process. */
static inline char *mount_table(void) {
        return read_at(AT_FDCWD, "/proc/self/mountinfo");
}

static inline void sandbox_run(void) {
        sandbox_enter();
        umask(0); /* as launch has it */
        /* the locks of the tests are nobody else's */
        if (mount("sandbox-run", "/run", "tmpfs", MS_NOSUID, "mode=755") < 0)
                exit(77);
}

#define FAKE_ROOT_MAIN                           \
        int main(int argc, char **argv) {        \
                sandbox_run();                   \
                return test_run_all(argc, argv); \
        }
