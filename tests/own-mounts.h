/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mount namespace with an empty /mnt and /run in memory: nothing of the machine's is changed. */
#pragma once

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/error.h"

/* 0, or the exit status of a test that is skipped; it has said why. */
static inline int own_mounts(void) {
        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root\n");
                return 77;
        }
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("sandbox", "/mnt", "tmpfs", 0, "mode=755") < 0 ||
            mount("run", "/run", "tmpfs", 0, "mode=755") < 0) {
                fprintf(stderr, "skipped: no mount namespace of our own: %s\n", errno_words(errno));
                return 77;
        }
        umask(022);
        return 0;
}

#define OWN_MOUNTS_MAIN                                       \
        int main(int argc, char **argv) {                     \
                int r = own_mounts();                         \
                return r != 0 ? r : test_run_all(argc, argv); \
        }
