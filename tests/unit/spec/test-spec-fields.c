/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table itself: each row is whole, and what loops over it can rely on. */
#include "spec-helpers.h"
#include "spec/spec-types.h"

static void check_row(const SpecField *f) {
        ASSERT_NOT_NULL(f->type);
        ASSERT_NOT_NULL(f->type->parse);
        ASSERT_NOT_NULL(f->type->print);
        ASSERT_NOT_NULL(f->type->clear);
        ASSERT_NOT_NULL(f->type->dbus_signature);
        ASSERT_TRUE(f->key || f->option || f->letter);
        ASSERT_EQ(!f->key, !f->section);
        ASSERT_TRUE(f->offset < sizeof(ContainerSpec));
        if (f->flags & FIELD_NO_ARG)
                ASSERT_TRUE(f->option_value && !f->argument);
        if (f->flags & FIELD_OPTIONAL_ARG)
                ASSERT_NOT_NULL(f->option_value);
        if (f->option && !(f->flags & (FIELD_HIDDEN | FIELD_UNSUPPORTED))) {
                ASSERT_TRUE(f->help && f->group);
                ASSERT_TRUE(strlen(f->help) <= 50);
                ASSERT_TRUE(strspn(f->option, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
                            strlen(f->option));
        }
        if (f->flags & FIELD_INTERNAL)
                ASSERT_TRUE(!f->option && !f->letter && streq(f->section, "Launch"));
}

static bool same_text(const char *a, const char *b) {
        return a && b && streq(a, b);
}

TEST(rows_are_whole) {
        for (size_t i = 0; i < spec_n_fields; i++)
                check_row(spec_fields + i);
        for (size_t i = 0; i < spec_n_fields_unsupported; i++) {
                check_row(spec_fields_unsupported + i);
                ASSERT_TRUE(spec_fields_unsupported[i].flags & FIELD_UNSUPPORTED);
        }
}

TEST(names_are_unique) {
        const size_t n = spec_n_fields + spec_n_fields_unsupported;

        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < i; k++) {
                        const SpecField *a = i < spec_n_fields
                                                     ? spec_fields + i
                                                     : spec_fields_unsupported + i - spec_n_fields;
                        const SpecField *b = k < spec_n_fields
                                                     ? spec_fields + k
                                                     : spec_fields_unsupported + k - spec_n_fields;

                        if (same_text(a->key, b->key) || same_text(a->option, b->option) ||
                            (a->letter && a->letter == b->letter))
                                TEST_FAIL("two rows are named %s", a->key ?: a->option);
                }
}

TEST(sections_stand_together) {
        for (size_t i = 1; i < spec_n_fields; i++) {
                const char *section = spec_fields[i].section;

                for (size_t k = 0; section && k + 1 < i; k++) {
                        bool broken = same_text(spec_fields[k].section, section);

                        for (size_t m = k + 1; broken && m < i; m++)
                                if (spec_fields[m].section &&
                                    !streq(spec_fields[m].section, section))
                                        TEST_FAIL("[%s] begins twice", section);
                }
        }
}

/* Clearing any row of a new spec leaves its text as it was. */
TEST(clearing_gives_the_default) {
        _cleanup_spec_ ContainerSpec *s = spec_new();
        _cleanup_free_ char *before = NULL, *after = NULL;

        ASSERT_OK(spec_text_print(s, true, &before));
        for (size_t i = 0; i < spec_n_fields; i++)
                spec_field_clear(spec_fields + i, s);
        ASSERT_OK(spec_text_print(s, true, &after));
        ASSERT_STREQ(after, before);
        ASSERT_STREQ(after, "");
}

TEST(letters_of_systemd_nspawn) {
        static const struct {
                char letter;
                const char *option;
        } letters[] = { { 'D', "directory" }, { 'b', "boot" },         { 'a', "as-pid2" },
                        { 'M', "machine" },   { 'u', "user" },         { 'E', "setenv" },
                        { 'S', "slice" },     { 'P', "pipe" },         { 'x', "ephemeral" },
                        { 'i', "image" },     { 'n', "network-veth" }, { 'p', "port" } };

        for (size_t i = 0; i < ELEMENTSOF(letters); i++)
                ASSERT_STREQ(spec_field_by_letter(letters[i].letter)->option, letters[i].option);
        ASSERT_STREQ(spec_field_by_letter('U')->option_value, "pick");
        ASSERT_STREQ(spec_field_by_letter('j')->option_value, "try-guest");
}

TEST_MAIN
