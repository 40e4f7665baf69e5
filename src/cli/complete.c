/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth complete`: words for the shells' completions. */
#include <stdio.h>

#include "bus/bus.h"
#include "bus/manager1.h"
#include "bus/unit-change.h"
#include "cli/compile.h"
#include "cli/verbs.h"
#include "image/image-find.h"
#include "image/image.h"

static void print_verbs(void) {
        for (size_t i = 0; i < n_verbs; i++)
                if (!(verbs[i].flags & VERB_ALIAS))
                        printf("%s\t%s\n", verbs[i].name, verbs[i].help);
}

static int list_options(const char *name, char ***words) {
        const Verb *v = verb_by_name(name);

        if (v && (v->flags & VERB_ITSELF))
                return streq(name, "help")
                               ? 0
                               : run_list_options(streq(name, "verify") ? FACE_VERIFY : FACE_RUN,
                                                  words);
        const OptionTable t = verb_option_table(v ? v->scope : UINT64_MAX);
        return options_list_names(&t, words);
}

static int list_containers(char ***words) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        ContainerInfo *infos = NULL;
        size_t n = 0;

        /* no bus, no manager: nothing to complete with, and nothing to say in the middle of a command line */
        int r = bus_connect_system(&bus, NULL);
        if (r >= 0)
                r = manager1_list(bus, &infos, &n, NULL);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = strv_extend(words, infos[i].name);
        for (size_t i = 0; i < n; i++)
                container_info_done(infos + i);
        free(infos);
        return r == -ENOMEM ? r : 0;
}

static int list_pool(char ***words) {
        _cleanup_(image_list_done) ImageList l = { 0 };
        int r = image_enumerate(NULL, /* hidden= */ false, &l, NULL);
        for (size_t i = 0; r >= 0 && i < l.n; i++)
                r = strv_extend(words, l.images[i]->name);
        return r;
}

static int list_arguments(const char *name, char ***words) {
        const Verb *v = verb_by_name(name);

        if (v && (v->flags & VERB_IMAGES))
                return image_list(words, NULL);
        if (v && (v->flags & VERB_POOL))
                return list_pool(words);
        return v && (v->flags & VERB_CONTAINERS) ? list_containers(words) : 0;
}

int verb_complete(const Invocation *v, Error *reterr) {
        char *const *a = v->arguments;
        _cleanup_strv_free_ char **words = NULL;
        const size_t n = strv_length(a);
        int r = 0;

        if (n == 1 && streq(a[0], "verbs"))
                print_verbs();
        else if (n == 1 && streq(a[0], "changes"))
                r = unit_change_list_names(&words);
        else if (n >= 1 && streq(a[0], "options"))
                r = list_options(n > 1 ? a[1] : "", &words);
        else if (n == 2 && streq(a[0], "arguments"))
                r = list_arguments(a[1], &words);
        else
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "'berth complete' is for completion scripts: verbs, options VERB, arguments VERB, changes");
        if (r < 0)
                return error_oom(reterr);
        STRV_FOREACH(w, words)
                (void) puts(*w); /* main() checks the stream */
        return 0;
}
