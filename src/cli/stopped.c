/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images, settings files and failed services → names, and what there is to say about one. */
#include "cli/stopped.h"

#include <dirent.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/hashmap.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/systemd1-ending.h"
#include "bus/systemd1.h"
#include "cli/compile.h"
#include "image/image-find.h"

static int add_settings_name(int dir_fd, const char *file, char ***names) {
        static const char *const suffixes[] = { ".berth", ".nspawn" };
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                const char *end = endswith(file, suffixes[i]);
                _cleanup_free_ char *name = end ? strndup(file, (size_t) (end - file)) : NULL;
                if (end && !name)
                        return -ENOMEM;
                /* a link to /dev/null says that there are no settings */
                if (name && container_name_is_valid(name) && !strv_contains(*names, name) &&
                    fstatat(dir_fd, file, &st, 0) >= 0 && S_ISREG(st.st_mode))
                        return strv_extend(names, name);
        }
        return 0;
}

int stopped_settings_names(char *const *directories, char ***names) {
        int r = 0;

        STRV_FOREACH(path, directories) {
                DIR *d = opendir(*path);
                if (!d)
                        continue; /* nothing that this user could see */
                for (struct dirent *e = readdir(d); e && r >= 0; e = readdir(d))
                        r = add_settings_name(dirfd(d), e->d_name, names);
                (void) closedir(d); /* was only read */
        }
        return r;
}

/* Where the settings in force, or the search path, have its root; NULL if that cannot be told. */
static int find_root(const char *name, char **ret_root, char **ret_settings) {
        _cleanup_(run_request_done) RunRequest q = { 0 };
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_(settings_files_done) SettingsFiles files = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;

        if (!d)
                return -ENOMEM;
        int r = compile_unit_request(name, &q, &e);
        if (r >= 0)
                r = compile_settings(&q, d, &files, &e);
        *ret_settings = TAKE_PTR(files.main);
        return r == -ENOMEM ? r : free_and_strdup(ret_root, spec_root_path(spec_draft_spec(d)));
}

static int fill(ContainerInfo *i, const char *name, const char *state, char **ret_settings) {
        i->name = strdup(name);
        i->state = strdup(state);
        i->unit = systemd1_service_name(name);
        for (UsageField u = 0; u < _USAGE_MAX; u++)
                i->usage[u] = USAGE_UNKNOWN;
        return i->name && i->state && i->unit ? find_root(name, &i->root_directory, ret_settings)
                                              : -ENOMEM;
}

/* Those of the names that are not in the list yet. */
static int append(ContainerInfo **infos, size_t *n, char *const *names, const char *state) {
        _cleanup_(hashmap_freep) Hashmap *known = hashmap_new();
        int r = known ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < *n; i++) {
                r = hashmap_put(known, (*infos)[i].name, (*infos)[i].name);
                r = r == -EEXIST ? 0 : r;
        }
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *settings = NULL;
                if (r < 0 || hashmap_get(known, *name))
                        continue;
                ContainerInfo *i = ARRAY_APPEND(*infos, *n);
                r = i ? fill(i, *name, state, &settings) : -ENOMEM;
        }
        return r;
}

/* "berth@web.service" → "web"; those whose unit is in this state */
static int list_units(sd_bus *bus, const char *state, char ***names) {
        _cleanup_strv_free_ char **units = NULL;
        char *const states[] = { (char *) state, NULL }, *const patterns[] = {
                (char *) "berth@*.service", NULL
        };

        /* best effort: without systemd nothing has failed */
        if (!bus || systemd1_list_units(bus, states, patterns, &units, NULL) < 0)
                return 0;
        STRV_FOREACH(unit, units) {
                const char *begin = startswith(*unit, "berth@"), *end = endswith(*unit, ".service");
                if (!begin || !end || end < begin)
                        continue;
                _cleanup_free_ char *name = strndup(begin, (size_t) (end - begin));
                if (!name)
                        return -ENOMEM;
                if (container_name_is_valid(name) && strv_extend(names, name) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int stopped_list(sd_bus *bus, ContainerInfo **infos, size_t *n, Error *reterr) {
        _cleanup_strv_free_ char **failed = NULL, **starting = NULL, **names = NULL;

        int r = image_list(&names, reterr);
        if (r < 0)
                return r;
        r = list_units(bus, "failed", &failed);
        if (r >= 0)
                r = append(infos, n, failed, "failed");
        if (r >= 0)
                r = list_units(bus, "activating", &starting);
        if (r >= 0) /* berthd does not know of them yet: StartDelaySec=, PreStart= */
                r = append(infos, n, starting, "starting");
        if (r >= 0)
                r = stopped_settings_names(settings_directories, &names);
        if (r >= 0)
                r = append(infos, n, names, "stopped");
        return r < 0 ? error_oom(reterr) : 0;
}

/* ---- one ---- */

void stopped_container_done(StoppedContainer *c) {
        container_info_done(&c->info);
        c->settings_path = mfree(c->settings_path);
}

static bool exists(const StoppedContainer *c, const UnitEnding *ending) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *image = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        if (c->info.root_directory || c->settings_path || ending->ended_usec > 0 ||
            streq(strempty(ending->active_state), "failed"))
                return true;
        /* an image, or settings, that something is wrong with */
        if (image_find(c->info.name, &image, NULL, &e) >= 0 || e.id != ERROR_ROOT_NOT_FOUND)
                return true;
        return stopped_settings_names(settings_directories, &names) >= 0 &&
               strv_contains(names, c->info.name);
}

int stopped_describe(sd_bus *bus, const char *name, StoppedContainer *ret, Error *reterr) {
        _cleanup_(stopped_container_done) StoppedContainer c = { 0 };
        _cleanup_(unit_ending_done) UnitEnding ending = { 0 };

        if (fill(&c.info, name, "stopped", &c.settings_path) < 0)
                return error_oom(reterr);
        /* best effort: without systemd it has no service */
        (void) systemd1_get_ending(bus, c.info.unit, &ending, NULL);
        if (!exists(&c, &ending))
                return 0;
        c.ended_usec = ending.ended_usec;
        c.info.result = unit_ending_to_string(&ending);
        const char *active = strempty(ending.active_state);
        if ((streq(active, "failed") || streq(active, "activating")) &&
            free_and_strdup(&c.info.state, streq(active, "failed") ? active : "starting") < 0)
                return error_oom(reterr);
        if (free_and_strdup(&c.info.status_text, ending.status_text) < 0)
                return error_oom(reterr);
        *ret = c;
        c = (StoppedContainer){ 0 };
        return 1;
}
