/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/caps.c: names and masks, and real sets in forked children. */
#include "sys/caps.h"

#include <linux/capability.h>
#include <sys/prctl.h>

#include "sandbox.h"

TEST(names_and_numbers) {
        for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
                ASSERT_NOT_NULL(cap_to_name(cap));
                ASSERT_EQ(cap_from_name(cap_to_name(cap)), cap);
        }
        ASSERT_STREQ(cap_to_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
        ASSERT_STREQ(cap_to_name(CAP_CHOWN), "CAP_CHOWN");
        ASSERT_STREQ(cap_to_name(CAP_CHECKPOINT_RESTORE), "CAP_CHECKPOINT_RESTORE");
        ASSERT_STREQ(cap_to_name(CAP_MAC_ADMIN), "CAP_MAC_ADMIN");
        ASSERT_NULL(cap_to_name(-1));
        ASSERT_NULL(cap_to_name(64));
        ASSERT_NULL(cap_to_name(63));
        ASSERT_EQ(cap_from_name("sys_admin"), CAP_SYS_ADMIN);
        ASSERT_EQ(cap_from_name("Cap_Sys_Admin"), CAP_SYS_ADMIN);
        ASSERT_EQ(cap_from_name("21"), CAP_SYS_ADMIN);
        ASSERT_EQ(cap_from_name("63"), 63);
        ASSERT_ERROR(cap_from_name("64"), EINVAL);
        ASSERT_ERROR(cap_from_name("-1"), EINVAL);
        ASSERT_ERROR(cap_from_name(""), EINVAL);
        ASSERT_ERROR(cap_from_name("CAP_"), EINVAL);
        ASSERT_ERROR(cap_from_name("CAP_CAP_CHOWN"), EINVAL);
        ASSERT_ERROR(cap_from_name("CAP_CHOWN "), EINVAL);
}

TEST(parse_lists) {
        uint64_t caps = 7;

        ASSERT_OK(caps_parse("CAP_CHOWN CAP_KILL", &caps));
        ASSERT_TRUE(caps == (CAP_MASK(CAP_CHOWN) | CAP_MASK(CAP_KILL)));
        ASSERT_OK(caps_parse("chown,kill,\tchown , 40", &caps));
        ASSERT_TRUE(caps == (CAP_MASK(CAP_CHOWN) | CAP_MASK(CAP_KILL) | CAP_MASK(40)));
        ASSERT_OK(caps_parse("all", &caps));
        ASSERT_TRUE(caps == CAP_ALL_MASK);
        ASSERT_OK(caps_parse("chown ALL kill", &caps));
        ASSERT_TRUE(caps == CAP_ALL_MASK);
        ASSERT_OK(caps_parse(" , ", &caps));
        ASSERT_TRUE(caps == 0);
        caps = 7;
        ASSERT_OK(caps_parse("", &caps));
        ASSERT_TRUE(caps == 0);
        caps = 7;
        ASSERT_ERROR(caps_parse("chown nonsense", &caps), EINVAL);
        ASSERT_TRUE(caps == 7); /* untouched on failure */
}

TEST(format_and_back) {
        _cleanup_free_ char *all = caps_format(CAP_ALL_MASK), *none = caps_format(0);
        _cleanup_free_ char *some =
                caps_format(CAP_MASK(CAP_KILL) | CAP_MASK(CAP_CHOWN) | CAP_MASK(63));
        const uint64_t known = CAP_MASK(CAP_LAST_CAP + 1) - 1;
        uint64_t back;

        ASSERT_STREQ(all, "all");
        ASSERT_STREQ(none, "");
        ASSERT_STREQ(some, "CAP_CHOWN CAP_KILL 63");
        ASSERT_OK(caps_parse(some, &back));
        ASSERT_TRUE(back == (CAP_MASK(CAP_KILL) | CAP_MASK(CAP_CHOWN) | CAP_MASK(63)));
        _cleanup_free_ char *every = caps_format(known);
        ASSERT_OK(caps_parse(every, &back));
        ASSERT_TRUE(back == known);
}

TEST(last_is_the_kernels) {
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(file_read_all(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", 64, &text, NULL));
        ASSERT_EQ(caps_last(), atoi(text));
}

static int set_and_lose(void *arg) {
        const uint64_t some =
                CAP_MASK(CAP_CHOWN) | CAP_MASK(CAP_CHECKPOINT_RESTORE); /* both words */
        uint64_t now;

        if (caps_set(some, some | CAP_MASK(CAP_KILL), CAP_MASK(CAP_KILL)) < 0)
                return 1;
        if (caps_get_effective(&now) < 0 || now != some)
                return 2;
        if (caps_set(some | CAP_MASK(CAP_SYS_ADMIN), some | CAP_MASK(CAP_SYS_ADMIN), 0) != -EPERM)
                return 3;
        if (caps_set(some | CAP_MASK(CAP_KILL), some | CAP_MASK(CAP_KILL), 0) < 0)
                return 4; /* what is permitted can be had again */
        if (caps_set(0, 0, 0) < 0 || caps_get_effective(&now) < 0 || now != 0)
                return 5;
        return caps_drop_bounding(0) == -EPERM ? 0 : 6; /* needs CAP_SETPCAP */
}

TEST(set_in_a_child) {
        ASSERT_EQ(in_child(set_and_lose, NULL), 0);
}

static uint64_t bounding_now(void) {
        uint64_t now = 0;

        for (int cap = 0; cap <= caps_last(); cap++)
                if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
                        now |= CAP_MASK(cap);
        return now;
}

static int drop_and_look(void *arg) {
        const uint64_t keep = *(uint64_t *) arg, before = bounding_now();

        if (caps_drop_bounding(CAP_ALL_MASK) < 0 || bounding_now() != before)
                return 1;
        if (caps_drop_bounding(keep) < 0)
                return 2;
        if (bounding_now() != (before & keep))
                return 3;
        if (caps_drop_bounding(keep) < 0) /* again: nothing to do */
                return 4;
        return bounding_now() == (before & keep) ? 0 : 5;
}

TEST(bounding_set) {
        const uint64_t last = CAP_MASK(caps_last());
        uint64_t sets[] = { 0,     CAP_MASK(0),
                            last,  CAP_MASK(CAP_KILL) | last,
                            ~last, CAP_ALL_MASK & ~CAP_MASK(0) };
        uint64_t now;

        ASSERT_OK(caps_get_effective(&now));
        if (!(now & CAP_MASK(CAP_SETPCAP)) || !(bounding_now() & CAP_MASK(CAP_KILL)))
                TEST_SKIP("too few capabilities to drop any");
        for (size_t i = 0; i < ELEMENTSOF(sets); i++)
                ASSERT_EQ(in_child(drop_and_look, &sets[i]), 0);
}

TEST_MAIN
