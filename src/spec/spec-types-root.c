/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of the field table for what becomes of the root directory: Volatile=, PivotRoot= and RootHash=. */
#include "basic/parse.h"
#include "basic/strv.h"
#include "spec/spec-types.h"

static int volatile_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        const int yes = parse_boolean(value);
        const VolatileMode mode = yes < 0    ? volatile_mode_from_string(value)
                                  : yes == 0 ? VOLATILE_NO
                                             : VOLATILE_YES;
        if (mode < 0)
                return type_expected(reterr, "no, yes, state or overlay");
        type_spec(f, at)->root.volatile_ = mode;
        return 0;
}

static int volatile_print(const SpecField *f, const void *at, StrBuf *out) {
        const VolatileMode mode = type_const_spec(f, at)->root.volatile_;

        if (mode != VOLATILE_NO)
                strbuf_addf(out, "%s=%s\n", f->key, volatile_mode_to_string(mode));
        return 0;
}

static void volatile_clear(const SpecField *f, void *at) {
        type_spec(f, at)->root.volatile_ = VOLATILE_NO;
}

const FieldType field_volatile = { "s", volatile_parse, volatile_print, volatile_clear, NULL };

static int pivot_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_free_ char *pivot = NULL, *old = NULL;
        _cleanup_strv_free_ char **parts = NULL;
        ContainerSpec *s = type_spec(f, at);

        int r = type_parts_split(value, /* max= */ 2, &parts);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, "NEW[:OLD], two absolute paths");
        r = type_target_take(parts[0], &pivot, reterr);
        if (r >= 0 && parts[1])
                r = type_target_take(parts[1], &old, reterr);
        if (r < 0)
                return r;
        free(s->root.pivot);
        free(s->root.pivot_old);
        s->root.pivot = TAKE_PTR(pivot);
        s->root.pivot_old = TAKE_PTR(old);
        return 0;
}

static int pivot_print(const SpecField *f, const void *at, StrBuf *out) {
        const ContainerSpec *s = type_const_spec(f, at);

        if (!s->root.pivot)
                return 0;
        strbuf_addf(out, "%s=", f->key);
        type_part_print(out, s->root.pivot);
        if (s->root.pivot_old) {
                strbuf_add(out, ":");
                type_part_print(out, s->root.pivot_old);
        }
        strbuf_add(out, "\n");
        return 0;
}

static void pivot_clear(const SpecField *f, void *at) {
        ContainerSpec *s = type_spec(f, at);

        s->root.pivot = mfree(s->root.pivot);
        s->root.pivot_old = mfree(s->root.pivot_old);
}

const FieldType field_pivot = { "s", pivot_parse, pivot_print, pivot_clear, NULL };

/* How long digests can be; which one it is of, the hash tree says. */
static int root_hash_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        const size_t n = strlen(value);

        if (n < 32 || n > 128 || n % 2 != 0 || strspn(value, "0123456789abcdefABCDEF") != n)
                return type_expected(reterr, "32 to 128 hexadecimal digits");
        return free_and_strdup(at, value) < 0 ? error_oom(reterr) : 0;
}

static int root_hash_print(const SpecField *f, const void *at, StrBuf *out) {
        const char *const *hash = at;

        if (*hash)
                strbuf_addf(out, "%s=%s\n", f->key, *hash);
        return 0;
}

static void root_hash_clear(const SpecField *f, void *at) {
        char **hash = at;
        *hash = mfree(*hash);
}

const FieldType field_root_hash = { "s", root_hash_parse, root_hash_print, root_hash_clear, NULL };
