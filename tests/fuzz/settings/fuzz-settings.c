/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings files, as trusted and as untrusted ones. */
#include "fuzz-spec.h"

static void parse(const char *text, SpecSource source) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        static char *const nowhere[] = { NULL };
        int r;

        FUZZ_REQUIRE(d);
        spec_draft_set_profile_directories(d, nowhere);
        r = spec_draft_set(d, spec_field_by_name("Name"), "web", SOURCE_COMMAND, NULL, &e);
        if (r >= 0)
                r = spec_draft_set(d, spec_field_by_name("Directory"), "/srv/web", SOURCE_DEFAULT,
                                   NULL, &e);
        FUZZ_REQUIRE(r >= 0);
        r = spec_settings_parse(d, text, source, "/etc/berth/web.berth", &e);
        fuzz_check_error(r, &e);
        if (source == SOURCE_IMAGE_FILE) {
                const ContainerSpec *s = spec_draft_spec(d);

                FUZZ_REQUIRE(s->n_mounts == 0 && s->security.capabilities == 0 &&
                             !s->resources.properties);
                FUZZ_REQUIRE(s->security.seccomp && s->users.mode == USERNS_NO &&
                             strcmp(s->root.directory, "/srv/web") == 0);
        }
        FUZZ_REQUIRE(strcmp(spec_draft_spec(d)->name, "web") == 0);
        fuzz_finish_draft(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        _cleanup_free_ char *text = fuzz_text(bytes, size);

        if (!text)
                return 0;
        parse(text, SOURCE_FILE);
        parse(text, SOURCE_IMAGE_FILE);
        return 0;
}
