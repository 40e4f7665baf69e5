/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hostile payload, root or caller tries on the supervisor and on what is left of it inside. */
#include "start.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

static Running run; /* big */

static uint64_t mask_of(const char *text, const char *name) {
        const char *p = strstr(text, name);
        if (!p)
                TEST_FAIL("no %s in\n%s", name, text);
        return strtoull(p + strlen(name), NULL, 16);
}

/* Without a user namespace CAP_SYS_PTRACE opens PID 1 to the payload: nothing may be in it that the payload has not. */
TEST(stub_init_has_no_more_than_the_payload) {
        struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        const uint64_t used = CAP_MASK(CAP_KILL) | CAP_MASK(CAP_SYS_BOOT);
        _cleanup_close_ int filter = memfd_new_sealed("filter", &allow, sizeof(allow));
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("sleep 0.3; cat /proc/1/status"));
        ASSERT_OK(filter);
        s->payload.start = START_PID2;
        start_with(&run, s, -EBADF, filter);
        ASSERT_EQ(start_end(&run), 0);
        ASSERT_STREQ(run.err_text, "");
        ASSERT_EQ(mask_of(run.out_text, "\nCapPrm:\t"), used);
        ASSERT_EQ(mask_of(run.out_text, "\nCapEff:\t"), used);
        ASSERT_EQ(mask_of(run.out_text, "\nCapBnd:\t") & ~s->security.bounding, 0U);
        ASSERT_CONTAINS(run.out_text, "\nSeccomp:\t2\n");
        ASSERT_CONTAINS(run.out_text, "\nNoNewPrivs:\t1\n");
}
/* ---- file systems that do not answer ---- */

/* A FUSE file system that nobody serves, in a user's place: ^C and `systemctl stop` must not wait for it. */
TEST(root_that_never_answers) {
        char options[64];
        start_set_up();
        int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        if (fuse < 0)
                TEST_SKIP("there is no /dev/fuse");
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("true"));
        ASSERT_OK(mkdir("/run/hang", 0755));
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
        if (mount("hang", "/run/hang", "fuse", 0, options) < 0)
                TEST_SKIP("FUSE cannot be mounted");
        ASSERT_OK(free_and_strdup(&s->root.directory, "/run/hang"));
        start(&run, s);
        ASSERT_FALSE(wait_msec(&run.supervisor, 300));
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        bool ended = wait_msec(&run.supervisor, 3000);
        fd_close(fuse); /* it answers now: no */
        (void) start_end(&run);
        ASSERT_OK(umount2("/run/hang", MNT_DETACH));
        ASSERT_TRUE(ended);
}

TEST_MAIN
