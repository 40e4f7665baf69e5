/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of the field table for Overlay= and OverlayReadOnly=, "LAYER[:LAYER…]:TARGET", as systemd-nspawn takes them. */
#include "basic/strv.h"
#include "spec/spec-types.h"

#define EXPECTED "LOWER[:LOWER…]:UPPER:TARGET with absolute paths, or LOWER:UPPER"

/* "/path" or "+/path"; "" where a temporary directory may be. */
static int layer_take(const char *layer, bool may_be_empty, char **ret, Error *reterr) {
        _cleanup_free_ char *path = NULL;
        const bool inside = *layer == '+';

        if (isempty(layer) && may_be_empty) {
                *ret = strdup("");
                return *ret ? 0 : error_oom(reterr);
        }
        int r = type_path_take(layer + inside, &path);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, EXPECTED);
        *ret = inside ? strjoin("+", path) : TAKE_PTR(path);
        return *ret ? 0 : error_oom(reterr);
}

/* With two parts alone the upper layer is the mount point as well. */
static int overlay_read(char *const *parts, SpecMount *m, Error *reterr) {
        const size_t n = strv_length(parts), n_layers = n > 2 ? n - 1 : n;

        if (n < 2)
                return type_expected(reterr, EXPECTED);
        for (size_t i = 0; i < n_layers; i++) {
                _cleanup_free_ char *layer = NULL;
                const bool upper = i > 0 && i == n_layers - 1 && n > 2;
                int r = layer_take(parts[i], upper && !m->read_only, &layer, reterr);
                if (r < 0)
                        return r;
                if (strv_extend(&m->layers, layer) < 0)
                        return error_oom(reterr);
        }
        const char *target = parts[n - 1];
        return type_target_take(target + (n == 2 && *target == '+'), &m->target, reterr);
}

static int overlay_add(const SpecField *f, const char *value, void *at, bool read_only,
                       Error *reterr) {
        _cleanup_(spec_mount_done) SpecMount m = { .kind = MOUNT_OVERLAY, .read_only = read_only };
        _cleanup_strv_free_ char **parts = NULL;

        int r = type_parts_split(value, SIZE_MAX, &parts);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, EXPECTED);
        if (strv_length(parts) > SPEC_LAYERS_MAX + 1)
                return type_too_many(reterr, SPEC_LAYERS_MAX, "directories");
        r = overlay_read(parts, &m, reterr);
        return r < 0 ? r : type_mount_append(type_spec(f, at), &m, reterr);
}

static int overlay_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        return overlay_add(f, value, at, /* read_only= */ false, reterr);
}

static int overlay_read_only_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        return overlay_add(f, value, at, /* read_only= */ true, reterr);
}

void type_overlay_print(const SpecMount *m, StrBuf *out) {
        strbuf_addf(out, "Overlay%s=", m->read_only ? "ReadOnly" : "");
        STRV_FOREACH(l, m->layers) {
                type_part_print(out, *l);
                strbuf_add(out, ":");
        }
        type_part_print(out, m->target);
        strbuf_add(out, "\n");
}

static int nothing_print(const SpecField *f, const void *at, StrBuf *out) {
        return 0;
}

static void overlay_clear(const SpecField *f, void *at) {
        type_mounts_remove(type_spec(f, at), MOUNT_OVERLAY, /* read_only= */ false);
}

static void overlay_read_only_clear(const SpecField *f, void *at) {
        type_mounts_remove(type_spec(f, at), MOUNT_OVERLAY, /* read_only= */ true);
}

const FieldType field_overlay = { "as", overlay_parse, nothing_print, overlay_clear };
const FieldType field_overlay_read_only = { "as", overlay_read_only_parse, nothing_print,
                                            overlay_read_only_clear };
