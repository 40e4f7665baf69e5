/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which source wins, who is trusted, where values came from. */
#include "spec-helpers.h"

static void assert_source(const SpecDraft *d, const char *key, SpecSource source,
                          const char *where) {
        const char *w;

        ASSERT_EQ(spec_draft_source(d, row(key), &w), source);
        ASSERT_STREQ(w, where);
}

TEST(stronger_source_wins) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        assert_source(d, "Hostname", SOURCE_DEFAULT, NULL);
        ASSERT_OK(spec_draft_set(d, row("Hostname"), "a", SOURCE_FILE, "/x:1", &e));
        ASSERT_OK(spec_draft_set(d, row("Hostname"), "b", SOURCE_COMMAND, "--hostname", &e));
        ASSERT_OK(spec_draft_set(d, row("Hostname"), "c", SOURCE_FILE, "/x:2", &e));
        ASSERT_STREQ(spec_draft_spec(d)->hostname, "b");
        assert_source(d, "Hostname", SOURCE_COMMAND, "--hostname");
        ASSERT_OK(spec_draft_set(d, row("Hostname"), "d", SOURCE_OVERRIDE, "/y:1", &e));
        assert_source(d, "Hostname", SOURCE_OVERRIDE, "/y:1");
        ASSERT_OK(spec_draft_set(d, row("Hostname"), "", SOURCE_OVERRIDE, "/y:2", &e));
        ASSERT_NULL(spec_draft_spec(d)->hostname);
        assert_source(d, "Hostname", SOURCE_OVERRIDE, "/y:2");
}

TEST(lists_are_replaced_as_a_whole) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char ***environment = &spec_draft_spec(d)->payload.environment;

        ASSERT_OK(set(d, "Environment", "A=1", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Environment", "B=1", SOURCE_FILE, &e));
        ASSERT_EQ(strv_length(*environment), 2);
        ASSERT_OK(set(d, "Environment", "C=1", SOURCE_COMMAND, &e));
        ASSERT_EQ(strv_length(*environment), 1);
        ASSERT_OK(set(d, "Environment", "D=1", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Environment", "E=1", SOURCE_COMMAND, &e));
        _cleanup_free_ char *all = strv_join(*environment, " ");
        ASSERT_STREQ(all, "C=1 E=1");
}

TEST(aliases_share_their_source) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(spec_draft_set(d, option_row("pipe"), "pipe", SOURCE_COMMAND, "-P", &e));
        assert_source(d, "Console", SOURCE_COMMAND, "-P");
        ASSERT_OK(set(d, "Console", "passive", SOURCE_FILE, &e));
        ASSERT_EQ(spec_draft_spec(d)->console.mode, CONSOLE_PIPE);
        /* all mounts are one field */
        ASSERT_OK(spec_draft_set(d, row("BindReadOnly"), "/a", SOURCE_COMMAND, "--bind-ro", &e));
        ASSERT_OK(set(d, "TemporaryFileSystem", "/b", SOURCE_FILE, &e));
        ASSERT_EQ(spec_draft_spec(d)->n_mounts, 1);
        assert_source(d, "Bind", SOURCE_COMMAND, "--bind-ro");
        assert_source(d, "TemporaryFileSystem", SOURCE_DEFAULT, NULL);
        /* an unsupported row has no source */
        ASSERT_EQ(spec_draft_source(d, row("Zone"), NULL), SOURCE_DEFAULT);
}

TEST(untrusted_files) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const ContainerSpec *s = spec_draft_spec(d);

        ASSERT_OK(
                spec_draft_set(d, row("Bind"), "/etc:/host", SOURCE_IMAGE_FILE, "/i.nspawn:3", &e));
        ASSERT_OK(spec_draft_set(d, row("Capability"), "all", SOURCE_IMAGE_OVERRIDE, "/i.nspawn:4",
                                 &e));
        ASSERT_OK(spec_draft_set(d, row("SystemCallFilter"), "bpf", SOURCE_IMAGE_FILE,
                                 "/i.nspawn:5", &e));
        ASSERT_OK(spec_draft_set(d, row("Property"), "MemoryMax=1G", SOURCE_IMAGE_FILE,
                                 "/i.nspawn:6", &e));
        ASSERT_OK(spec_draft_set(d, row("Ephemeral"), "yes", SOURCE_IMAGE_FILE, "/i.nspawn:7", &e));
        ASSERT_EQ(s->n_mounts, 0);
        ASSERT_EQ(s->security.capabilities, 0);
        ASSERT_NULL(s->security.system_call_filter);
        ASSERT_NULL(s->resources.properties);
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 5);
        ASSERT_STREQ(
                spec_draft_warnings(d)[0],
                "Ignoring Bind= at /i.nspawn:3: a file beside an image is not trusted with it; "
                "move the file to /etc/berth or use --settings=trusted");
        /* what only takes away, or concerns the payload alone */
        ASSERT_OK(set(d, "SystemCallFilter", "~bpf", SOURCE_IMAGE_FILE, &e));
        ASSERT_OK(set(d, "DropCapability", "CAP_MKNOD", SOURCE_IMAGE_FILE, &e));
        ASSERT_OK(set(d, "Boot", "yes", SOURCE_IMAGE_FILE, &e));
        ASSERT_EQ(strv_length(s->security.system_call_filter), 1);
        ASSERT_EQ(s->payload.start, START_BOOT);
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 5);
}

/* A new setting is not to be had by an image before somebody has thought of it: what is here takes something away, is of the payload alone, or says how it is
 * called. Paths among them are those inside. */
TEST(what_an_image_may_set) {
        static const char may[] =
                " Description Boot ProcessTwo Parameters Environment User WorkingDirectory KillSignal"
                " NotifyReady WatchdogSec Hostname DropCapability NoNewPrivileges SystemCallFilter(~)"
                " RestrictAddressFamilies SuppressSync Timezone ResolvConf TimeNamespace TimeOffsetMonotonic TimeOffsetBoottime PivotRoot"
                " ReadOnly Volatile HealthCommand HealthIntervalSec HealthTimeoutSec"
                " HealthStartPeriodSec HealthRetries HealthReady";
        _cleanup_(strbuf_done) StrBuf found = { 0 };
        for (size_t i = 0; i < spec_n_fields; i++) {
                const SpecField *f = spec_fields + i;
                if (f->key && !(f->flags & (FIELD_TRUSTED | FIELD_INTERNAL | FIELD_COMMAND)))
                        strbuf_addf(&found, " %s%s", f->key,
                                    f->flags & FIELD_TRUSTED_ADD ? "(~)" : "");
        }
        ASSERT_FALSE(found.failed);
        ASSERT_STREQ(found.text, may);
}

TEST(image_override_is_stronger_than_the_command) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(set(d, "User", "bob", SOURCE_COMMAND, &e));
        ASSERT_OK(set(d, "User", "eve", SOURCE_IMAGE_FILE, &e));
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "bob");
        ASSERT_OK(set(d, "User", "eve", SOURCE_IMAGE_OVERRIDE, &e));
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "eve");
}

TEST(raw_words) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        static const char *const words[] = { "a b", "", "'", "\"x\\", "new\nline", "\xff" };
        char ***argv = &spec_draft_spec(d)->payload.argv;

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                ASSERT_OK(spec_draft_set_raw(d, row("Parameters"), words[i], SOURCE_COMMAND, NULL,
                                             &e));
        ASSERT_EQ(strv_length(*argv), ELEMENTSOF(words));
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                ASSERT_STREQ((*argv)[i], words[i]);
        /* an empty element of a list is an element; of a single value, no value */
        ASSERT_ERROR(spec_draft_set_raw(d, row("Bind"), "", SOURCE_COMMAND, NULL, &e), EINVAL);
        ASSERT_OK(spec_draft_set_raw(d, row("Hostname"), "", SOURCE_COMMAND, NULL, NULL));
}

TEST(warnings_are_printable) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();

        ASSERT_OK(spec_draft_warn(d, "unknown %s", "\x1b[2Jkey"));
        ASSERT_STREQ(spec_draft_warnings(d)[0], "unknown \\x1b[2Jkey");
}

TEST(handing_over) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_spec_ ContainerSpec *s = NULL;

        ASSERT_OK(set(d, "User", "bob", SOURCE_COMMAND, &e));
        s = spec_draft_take_spec(d);
        ASSERT_NOT_NULL(s);
        ASSERT_NULL(spec_draft_spec(d));
        assert_source(d, "User", SOURCE_COMMAND, "here"); /* berth verify asks afterwards */
        ASSERT_NULL(spec_draft_free(NULL));
}

TEST_MAIN
