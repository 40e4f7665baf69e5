/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of values: from a key and a text to canonical lines, or to the message of the error. */
#pragma once

#include "basic/strv.h"
#include "spec/spec-draft.h"
#include "spec/spec-text.h"
#include "test.h"

#define _cleanup_draft_ _cleanup_(spec_draft_freep)

static _unused_ const SpecField *row(const char *key) {
        const SpecField *f = spec_field_by_name(key);

        ASSERT_NOT_NULL(f);
        return f;
}

static _unused_ const SpecField *option_row(const char *option) {
        const SpecField *f = spec_field_by_option(option, strlen(option));

        ASSERT_NOT_NULL(f);
        return f;
}

static _unused_ int set(SpecDraft *d, const char *key, const char *value, SpecSource source,
                        Error *e) {
        return spec_draft_set(d, row(key), value, source, "here", e);
}

/* Canonical lines of the key after it was set to `value`; the value is read back and must give the same. Allocated. */
static _unused_ char *printed(const char *key, const char *value) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_spec_ ContainerSpec *again = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL, *second = NULL;
        StrBuf b = { 0 };
        char *lines;

        ASSERT_NOT_NULL(d);
        if (set(d, key, value, SOURCE_COMMAND, &e) < 0)
                TEST_FAIL("%s=%s: %s", key, value, e.message);
        ASSERT_OK(spec_text_print(spec_draft_spec(d), true, &text));
        ASSERT_OK(spec_text_parse(text, &again, &e));
        ASSERT_OK(spec_text_print(again, true, &second));
        ASSERT_STREQ(second, text);
        ASSERT_OK(spec_field_print(row(key), spec_draft_spec(d), &b));
        ASSERT_OK(strbuf_finish(&b, &lines));
        return lines;
}

/* The message of the error that a value gives. Allocated. */
static _unused_ char *refused(const char *key, const char *value) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *before = NULL, *after = NULL;

        ASSERT_NOT_NULL(d);
        ASSERT_OK(spec_text_print(spec_draft_spec(d), true, &before));
        if (set(d, key, value, SOURCE_COMMAND, &e) >= 0)
                TEST_FAIL("%s=%s was accepted", key, value);
        ASSERT_OK(spec_text_print(spec_draft_spec(d), true, &after));
        ASSERT_STREQ(after, before);
        return TAKE_PTR(e.message);
}

#define ASSERT_PRINTS(key, value, lines)                               \
        do {                                                           \
                _cleanup_free_ char *_found = printed((key), (value)); \
                ASSERT_STREQ(_found, (lines));                         \
        } while (0)
#define ASSERT_REFUSED(key, value, words)                              \
        do {                                                           \
                _cleanup_free_ char *_found = refused((key), (value)); \
                ASSERT_CONTAINS(_found, (words));                      \
        } while (0)
