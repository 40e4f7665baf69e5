/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dependencies → drop-ins of units, and what is wrong with them. */
#include "spec/spec-order.h"

#include <dirent.h>
#include <stdlib.h>

#include "basic/alloc.h"
#include "basic/hashmap.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "spec/spec-files.h"

#define UNIT_NAME_MAX 255U

static const char *const wants_directories[] = {
        "/etc/systemd/system/machines.target.wants",
        "/etc/systemd/system/multi-user.target.wants",
        NULL,
};
static const char *const image_directories[] = {
        "/etc/machines",
        "/run/machines",
        "/var/lib/machines",
        "/var/lib/container",
        "/usr/local/lib/machines",
        "/usr/lib/machines",
        NULL,
};

static char *const *settings_of(const OrderPlaces *p) {
        return p && p->settings ? p->settings : settings_directories;
}

/* ---- names ---- */

static const char *unit_suffix(const char *word) {
        static const char *const suffixes[] = {
                ".service", ".target", ".mount", ".socket",    ".device", ".path",
                ".timer",   ".swap",   ".slice", ".automount", ".scope",
        };
        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                const char *suffix = endswith(word, suffixes[i]);
                if (suffix)
                        return suffix;
        }
        return NULL;
}

/* systemd.unit(5): characters of a name; a template needs an instance. */
static bool unit_is_valid(const char *word, const char *suffix) {
        const char *at = strchr(word, '@');
        for (const char *p = word; p < suffix; p++)
                if (!ascii_is_alnum(*p) && !strchr(":-_.\\@", *p))
                        return false;
        return suffix > word && strlen(word) <= UNIT_NAME_MAX && at != word && at != suffix - 1;
}

bool dependency_is_valid(const char *word) {
        const char *suffix = unit_suffix(word);
        return suffix ? unit_is_valid(word, suffix) : container_name_is_valid(word);
}

char *container_to_unit(const char *name) {
        return strjoin("berth@", name, ".service");
}

char *dependency_to_unit(const char *word) {
        return unit_suffix(word) ? strdup(word) : container_to_unit(word);
}

char *dependency_to_container(const char *word) {
        const char *begin = startswith(word, "berth@"), *end = endswith(word, ".service");
        if (!unit_suffix(word))
                return strdup(word);
        if (!begin || !end || end <= begin)
                return NULL;
        char *name = strndup(begin, (size_t) (end - begin));
        return name && !container_name_is_valid(name) ? mfree(name) : name;
}

/* ---- which containers there are ---- */

typedef char *(*NameOfFile)(const char *file);

static char *name_before(const char *file, const char *suffix) {
        const char *end = endswith(file, suffix);
        return end && end > file ? strndup(file, (size_t) (end - file)) : NULL;
}

/* "web.berth", "web.nspawn", "web.berth.d" */
static char *name_of_settings(const char *file) {
        return name_before(file, ".berth") ?: name_before(file, ".nspawn") ?: name_before(file, ".berth.d");
}

static char *name_of_link(const char *file) {
        return startswith(file, "berth@") ? name_before(file + STRLEN("berth@"), ".service") : NULL;
}

static char *name_of_image(const char *file) {
        return name_before(file, ".raw") ?: strdup(file);
}

static int add_names(char *const *directories, NameOfFile name_of, char ***names, size_t *n) {
        int r = 0;
        STRV_FOREACH(path, directories) {
                DIR *d = opendir(*path);
                if (!d)
                        continue; /* nothing that can be seen */
                for (const struct dirent *e = readdir(d); e && r >= 0; e = readdir(d)) {
                        _cleanup_free_ char *name = e->d_name[0] == '.' ? NULL : name_of(e->d_name);
                        if (!name || !container_name_is_valid(name) || *n >= ORDER_CONTAINERS_MAX)
                                continue;
                        char **slot = realloc(*names, (*n + 2) * sizeof(char *));
                        if (!slot) {
                                r = -ENOMEM;
                                break;
                        }
                        *names = slot;
                        slot[(*n)++] = TAKE_PTR(name);
                        slot[*n] = NULL;
                }
                (void) closedir(d); /* was only read */
        }
        return r;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int order_list_containers(const OrderPlaces *p, char ***ret) {
        _cleanup_strv_free_ char **names = NULL;
        size_t n = 0, kept = 0;

        int r = add_names(settings_of(p), name_of_settings, &names, &n);
        if (r >= 0)
                r = add_names(p && p->wants ? p->wants : (char *const *) wants_directories,
                              name_of_link, &names, &n);
        if (r >= 0)
                r = add_names(p && p->images ? p->images : (char *const *) image_directories,
                              name_of_image, &names, &n);
        if (r < 0)
                return r;
        if (n > 0)
                qsort(names, n, sizeof(char *), compare_names);
        for (size_t i = 0; i < n; i++)
                if (kept > 0 && streq(names[kept - 1], names[i]))
                        free(names[i]);
                else
                        names[kept++] = names[i];
        if (names)
                names[kept] = NULL;
        *ret = TAKE_PTR(names);
        return 0;
}

/* ---- drop-ins ---- */

int order_load(const char *name, const OrderPlaces *p, SpecDraft **ret, Error *reterr) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        const SettingsSearch search = { .directories = settings_of(p), .override = true };

        if (!d || free_and_strdup(&spec_draft_spec(d)->name, name) < 0)
                return error_oom(reterr);
        int r = spec_settings_load(d, name, &search, NULL, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

int order_drop_in(const ContainerSpec *spec, char **ret) {
        _cleanup_free_ char *own = container_to_unit(spec->name);
        StrBuf b = { 0 };
        bool any = false;

        if (!own)
                return -ENOMEM;
        for (DependencyType t = 0; t < _DEPENDENCY_TYPE_MAX; t++) {
                bool first = true;
                STRV_FOREACH(word, spec->dependencies[t]) {
                        _cleanup_free_ char *unit = dependency_to_unit(*word);
                        if (!unit) {
                                strbuf_done(&b);
                                return -ENOMEM;
                        }
                        if (streq(unit, own)) /* order_check() tells */
                                continue;
                        if (!any)
                                strbuf_add(&b, "# Written by berth-generator, from the settings.\n"
                                               "[Unit]\n");
                        strbuf_addf(&b, "%s%s%s", first ? dependency_type_to_string(t) : "",
                                    first ? "=" : " ", unit);
                        any = true;
                        first = false;
                }
                if (!first)
                        strbuf_add(&b, "\n");
        }
        return strbuf_finish(&b, ret);
}

int order_drop_in_load(const char *name, const OrderPlaces *p, char **ret, Error *reterr) {
        _cleanup_(spec_draft_freep) SpecDraft *d = NULL;

        int r = order_load(name, p, &d, reterr);
        if (r < 0)
                return r;
        return order_drop_in(spec_draft_spec(d), ret) < 0 ? error_oom(reterr) : 0;
}

/* ---- what is wrong ---- */

/* A container, or any other unit, and what it starts after. */
typedef struct Node {
        char *unit;
        struct Node **after; /* borrowed */
        size_t n_after;
        struct Node *next;     /* towards where the search began: what starts after this one */
        struct Node *previous; /* in the list of all */
} Node;

typedef struct Graph {
        Hashmap *by_unit;
        Node *last;
} Graph;

static void graph_done(Graph *g) {
        for (Node *n = g->last, *previous; n; n = previous) {
                previous = n->previous;
                free(n->unit);
                free(n->after);
                free(n);
        }
        hashmap_free(g->by_unit);
}

/* unit: taken. NULL when out of memory. */
static Node *graph_node(Graph *g, char *take_unit) {
        _cleanup_free_ char *unit = take_unit;
        Node *n = unit ? hashmap_get(g->by_unit, unit) : NULL;

        if (n || !unit)
                return n;
        n = new0(Node, 1);
        if (!n || hashmap_put(g->by_unit, unit, n) < 0) {
                free(n);
                return NULL;
        }
        n->unit = TAKE_PTR(unit);
        n->previous = g->last;
        g->last = n;
        return n;
}

static int graph_add_edge(Node *later, Node *earlier) {
        if (later == earlier)
                return 0; /* told apart */
        Node **slot = ARRAY_APPEND(later->after, later->n_after);
        if (!slot)
                return -ENOMEM;
        *slot = earlier;
        return 0;
}

static int graph_add(Graph *g, const ContainerSpec *spec) {
        Node *own = graph_node(g, container_to_unit(spec->name));
        int r = own ? 0 : -ENOMEM;

        for (DependencyType t = DEPENDENCY_AFTER; t <= DEPENDENCY_BEFORE; t++)
                STRV_FOREACH(word, spec->dependencies[t]) {
                        Node *other = graph_node(g, dependency_to_unit(*word));
                        if (r < 0 || !other)
                                return -ENOMEM;
                        r = t == DEPENDENCY_AFTER ? graph_add_edge(own, other)
                                                  : graph_add_edge(other, own);
                }
        return r;
}

/* The shortest way from start back to itself: each node's `next` is the one that comes after it. NULL: there is none; else the node
 * that start comes after. */
static int graph_find_cycle(Graph *g, Node *start, Node **ret_last) {
        _cleanup_free_ Node **queue = new0(Node *, hashmap_size(g->by_unit) + 1);
        size_t n = 0;

        *ret_last = NULL;
        if (!queue)
                return -ENOMEM;
        queue[n++] = start;
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < queue[i]->n_after; k++) {
                        Node *earlier = queue[i]->after[k];
                        if (earlier == start) {
                                *ret_last = queue[i];
                                return 0;
                        }
                        if (earlier->next)
                                continue;
                        earlier->next = queue[i];
                        queue[n++] = earlier;
                }
        return 0;
}

static char *shown(const char *unit) {
        return dependency_to_container(unit) ?: strdup(unit);
}

/* last: the end of the way, which leads to start by `next`. "'web' after 'db', 'db' after 'web'" */
static int warn_cycle(SpecDraft *d, const Node *start, const Node *last) {
        _cleanup_free_ char *way = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };

        for (const Node *earlier = start, *later = last;;) {
                _cleanup_free_ char *first = shown(earlier->unit), *then = shown(later->unit);
                if (!first || !then)
                        return -ENOMEM;
                strbuf_addf(&b, "%s'%s' starts after '%s'", b.size > 0 ? ", " : "", then, first);
                if (later == start)
                        break;
                earlier = later;
                later = later->next;
        }
        if (strbuf_finish(&b, &way) < 0)
                return -ENOMEM;
        return spec_draft_warn(d,
                               "The order leads back to itself: %s; systemd will leave one of "
                               "them out, so take one back (After=, Before=)",
                               way);
}

static int check_cycles(SpecDraft *d, const OrderPlaces *p) {
        _cleanup_(graph_done) Graph g = { .by_unit = hashmap_new() };
        _cleanup_strv_free_ char **names = NULL;
        const ContainerSpec *spec = spec_draft_spec(d);
        Node *last;

        int r = g.by_unit ? order_list_containers(p, &names) : -ENOMEM;
        if (r >= 0)
                r = graph_add(&g, spec);
        STRV_FOREACH(name, names) {
                _cleanup_(spec_draft_freep) SpecDraft *other = NULL;
                if (r < 0)
                        return r;
                /* one that is wrong has no order */
                if (!streq(*name, spec->name) && order_load(*name, p, &other, NULL) >= 0)
                        r = graph_add(&g, spec_draft_spec(other));
        }
        Node *own = r >= 0 ? graph_node(&g, container_to_unit(spec->name)) : NULL;
        r = own ? graph_find_cycle(&g, own, &last) : -ENOMEM;
        return r >= 0 && last ? warn_cycle(d, own, last) : r;
}

static int check_own_words(SpecDraft *d, const char *own, DependencyType t) {
        const ContainerSpec *spec = spec_draft_spec(d);

        STRV_FOREACH(word, spec->dependencies[t]) {
                _cleanup_free_ char *unit = dependency_to_unit(*word);
                if (!unit)
                        return -ENOMEM;
                if (streq(unit, own) &&
                    spec_draft_warn(d, "Ignoring %s=%s: a container cannot wait for itself",
                                    dependency_type_to_string(t), *word) < 0)
                        return -ENOMEM;
                if (!streq(unit, own) && t == DEPENDENCY_REQUIRES &&
                    !strv_contains(spec->dependencies[DEPENDENCY_AFTER], *word) &&
                    !strv_contains(spec->dependencies[DEPENDENCY_BEFORE], *word) &&
                    spec_draft_warn(d,
                                    "Requires=%s without After=%s: '%s' does not wait for it, and "
                                    "starts even if it fails",
                                    *word, *word, spec->name) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int order_check(SpecDraft *d, const OrderPlaces *p) {
        const ContainerSpec *spec = spec_draft_spec(d);
        _cleanup_free_ char *own = container_to_unit(spec->name);
        int r = own ? 0 : -ENOMEM;

        for (DependencyType t = 0; r >= 0 && t < _DEPENDENCY_TYPE_MAX; t++)
                r = check_own_words(d, own, t);
        return r < 0 ? r : check_cycles(d, p);
}
