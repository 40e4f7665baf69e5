/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of the root directory. */
#include "spec-helpers.h"

TEST(volatile_modes) {
        ASSERT_PRINTS("Volatile", "yes", "Volatile=yes\n");
        ASSERT_PRINTS("Volatile", "1", "Volatile=yes\n");
        ASSERT_PRINTS("Volatile", "state", "Volatile=state\n");
        ASSERT_PRINTS("Volatile", "overlay", "Volatile=overlay\n");
        ASSERT_PRINTS("Volatile", "no", "");
        ASSERT_REFUSED("Volatile", "maybe", "no, yes, state or overlay");
        ASSERT_REFUSED("Volatile", "State", "no, yes, state or overlay");
}

TEST(pivot_root) {
        ASSERT_PRINTS("PivotRoot", "/ostree//deploy/", "PivotRoot=/ostree/deploy\n");
        ASSERT_PRINTS("PivotRoot", "/a\\:b:/sysroot", "PivotRoot=/a\\:b:/sysroot\n");
        ASSERT_REFUSED("PivotRoot", "a", "absolute path");
        ASSERT_REFUSED("PivotRoot", "/", "below the container's root");
        ASSERT_REFUSED("PivotRoot", "/a:", "absolute path");
        ASSERT_REFUSED("PivotRoot", "/a:/", "below the container's root");
        ASSERT_REFUSED("PivotRoot", "/a/../..:/b", "absolute path");
        ASSERT_REFUSED("PivotRoot", "/a:/b:/c", "NEW[:OLD]");
}

TEST(the_last_one_counts) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const ContainerSpec *s = spec_draft_spec(d);

        ASSERT_OK(set(d, "PivotRoot", "/a:/b", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "PivotRoot", "/c", SOURCE_FILE, &e));
        ASSERT_STREQ(s->root.pivot, "/c");
        ASSERT_NULL(s->root.pivot_old);
        ASSERT_OK(set(d, "PivotRoot", "", SOURCE_FILE, &e));
        ASSERT_NULL(s->root.pivot);
}

TEST(a_file_beside_an_image_may_ask_for_both) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const ContainerSpec *s = spec_draft_spec(d);

        ASSERT_OK(set(d, "Volatile", "state", SOURCE_IMAGE_FILE, &e));
        ASSERT_OK(set(d, "PivotRoot", "/d:/e", SOURCE_IMAGE_FILE, &e));
        ASSERT_EQ(s->root.volatile_, VOLATILE_STATE);
        ASSERT_STREQ(s->root.pivot_old, "/e");
}

TEST_MAIN
