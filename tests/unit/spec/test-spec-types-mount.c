/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's mounts. */
#include "spec-helpers.h"

TEST(bind) {
        ASSERT_PRINTS("Bind", "/a", "Bind=/a:/a\n");
        ASSERT_PRINTS("Bind", "/a//b/:/c/./d", "Bind=/a/b:/c/d\n");
        ASSERT_PRINTS("Bind", "/a:", "Bind=/a:/a\n");
        ASSERT_PRINTS("Bind", ":/tmp", "Bind=:/tmp\n");
        ASSERT_PRINTS("Bind", "-+/a:/b", "Bind=-+/a:/b\n");
        ASSERT_PRINTS("Bind", "+-/a:/b", "Bind=-+/a:/b\n");
        ASSERT_PRINTS("Bind", "/a\\:b\\\\c:/d", "Bind=/a\\:b\\\\c:/d\n");
        ASSERT_PRINTS("Bind", "/a:/b:norbind,idmap,rbind", "Bind=/a:/b:idmap\n");
        ASSERT_PRINTS("Bind", "/a:/b:rootidmap,norbind", "Bind=/a:/b:norbind,rootidmap\n");
        ASSERT_PRINTS("Bind", "/a:/b:idmap,owneridmap", "Bind=/a:/b:owneridmap\n");
        ASSERT_REFUSED("Bind", "a", "as source");
        ASSERT_REFUSED("Bind", "+:/b", "as source");
        ASSERT_REFUSED("Bind", ":", "SOURCE[:TARGET");
        ASSERT_REFUSED("Bind", "/a:/../b", "as place in the container");
        ASSERT_REFUSED("Bind", "/", "below the container's root");
        ASSERT_REFUSED("Bind", "/a:/b:ro", "rbind, norbind");
        ASSERT_REFUSED("Bind", "/a\\", "SOURCE[:TARGET");
        ASSERT_REFUSED("Bind", "/a:/b:idmap:x", "SOURCE[:TARGET");
}

TEST(tmpfs) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(set(d, "TemporaryFileSystem", "/a\\:b:mode=0700,size=10%,ro", SOURCE_FILE, &e));
        ASSERT_EQ(spec_draft_spec(d)->n_mounts, 1);
        ASSERT_STREQ(spec_draft_spec(d)->mounts[0].target, "/a:b");
        ASSERT_STREQ(spec_draft_spec(d)->mounts[0].options, "mode=0700,size=10%,ro");
        ASSERT_REFUSED("TemporaryFileSystem", "/a:b:c", "PATH[:OPTIONS]");
        ASSERT_REFUSED("TemporaryFileSystem", "/a:dev", "options of tmpfs(5)");
        ASSERT_REFUSED("TemporaryFileSystem", "/a:size=", "options of tmpfs(5)");
        ASSERT_REFUSED("TemporaryFileSystem", "/a:context=x", "options of tmpfs(5)");
        ASSERT_REFUSED("TemporaryFileSystem", "/a:mode=1:uid=0", "PATH[:OPTIONS]");
        ASSERT_REFUSED("Inaccessible", "a", "absolute path");
}

/* The first row of mounts prints those of all. */
static void prints(const char *key, const char *value, const char *expected) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };

        ASSERT_OK(set(d, key, value, SOURCE_FILE, &e));
        ASSERT_OK(spec_field_print(row("Bind"), spec_draft_spec(d), &b));
        ASSERT_STREQ(b.text, expected);
}

TEST(overlay) {
        prints("Overlay", "/a:/b:/c", "Overlay=/a:/b:/c\n");
        prints("Overlay", "/a:/b//x", "Overlay=/a:/b/x:/b/x\n");
        prints("Overlay", "/a:+/b", "Overlay=/a:+/b:/b\n");
        prints("Overlay", "+/var::/var", "Overlay=+/var::/var\n");
        prints("Overlay", "/a\\:1:/b\\\\:+/c/.:/d", "Overlay=/a\\:1:/b\\\\:+/c:/d\n");
        ASSERT_REFUSED("Overlay", "/a", "LOWER[:LOWER…]:UPPER:TARGET");
        ASSERT_REFUSED("Overlay", "/a:", "LOWER[:LOWER…]:UPPER:TARGET");
        ASSERT_REFUSED("Overlay", ":/a:/b", "LOWER[:LOWER…]:UPPER:TARGET");
        ASSERT_REFUSED("Overlay", "/a::/b:/c", "LOWER[:LOWER…]:UPPER:TARGET");
        ASSERT_REFUSED("Overlay", "/a:b:/c", "LOWER[:LOWER…]:UPPER:TARGET");
        ASSERT_REFUSED("Overlay", "-/a:/b:/c", "LOWER[:LOWER…]:UPPER:TARGET");
        ASSERT_REFUSED("Overlay", "/a:/b:/c\\", "LOWER[:LOWER…]:UPPER:TARGET");
        ASSERT_REFUSED("Overlay", "/a/../b:/b:/c", "LOWER[:LOWER…]:UPPER:TARGET");
        ASSERT_REFUSED("Overlay", "/a:/b:/", "below the container's root");
        ASSERT_REFUSED("Overlay", "/a:/b:c", "as place in the container");
        prints("OverlayReadOnly", "/a:/b:/c", "OverlayReadOnly=/a:/b:/c\n");
        ASSERT_REFUSED("OverlayReadOnly", "/a", "LOWER[:LOWER…]:UPPER:TARGET");
}

TEST(layers_have_a_limit) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        StrBuf b = { 0 };

        for (unsigned i = 0; i < SPEC_LAYERS_MAX; i++)
                strbuf_add(&b, "/l:");
        strbuf_add(&b, "/d");
        ASSERT_OK(set(d, "Overlay", b.text, SOURCE_FILE, &e));
        strbuf_add(&b, ":/d");
        ASSERT_ERROR(set(d, "Overlay", b.text, SOURCE_FILE, &e), E2BIG);
        ASSERT_STREQ(e.message,
                     "Too much for Overlay= in here: at most 500 directories are allowed");
        strbuf_done(&b);
}

/* One list, in the order given, whatever the kinds. */
TEST(order_and_clearing) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const ContainerSpec *s = spec_draft_spec(d);
        StrBuf b = { 0 };

        ASSERT_OK(set(d, "TemporaryFileSystem", "/t", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "BindReadOnly", "/r", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Bind", "/b", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Inaccessible", "/i", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "OverlayReadOnly", "/l:/m:/o", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Overlay", "/l:/m:/p", SOURCE_FILE, &e));
        ASSERT_OK(spec_field_print(row("Bind"), s, &b));
        ASSERT_STREQ(
                b.text,
                "TemporaryFileSystem=/t\nBindReadOnly=/r:/r\nBind=/b:/b\nInaccessible=/i\nOverlayReadOnly=/l:/m:/o\nOverlay=/l:/m:/p\n");
        strbuf_done(&b);

        ASSERT_OK(set(d, "Bind", "", SOURCE_FILE, &e)); /* its own kind alone */
        ASSERT_EQ(s->n_mounts, 5);
        ASSERT_OK(set(d, "Overlay", "", SOURCE_FILE, &e));
        ASSERT_EQ(s->n_mounts, 4);
        ASSERT_OK(set(d, "OverlayReadOnly", "", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "BindReadOnly", "", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Inaccessible", "", SOURCE_FILE, &e));
        ASSERT_EQ(s->n_mounts, 1);
        ASSERT_OK(set(d, "Bind", "/x", SOURCE_COMMAND,
                      &e)); /* a stronger source takes the whole list */
        ASSERT_EQ(s->n_mounts, 1);
        ASSERT_STREQ(s->mounts[0].target, "/x");
        ASSERT_OK(set(d, "Bind", "", SOURCE_COMMAND, &e));
        ASSERT_EQ(s->n_mounts, 0);
}

TEST(limit) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        for (unsigned i = 0; i < SPEC_MOUNTS_MAX; i++)
                ASSERT_OK(set(d, "Bind", "/b", SOURCE_FILE, &e));
        ASSERT_ERROR(set(d, "Bind", "/b", SOURCE_FILE, &e), E2BIG);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
        ASSERT_STREQ(e.message, "Too much for Bind= in here: at most 512 mounts are allowed");
}

TEST_MAIN
