/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names ↔ images, in temporary search paths. */
#include "image/image-find.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"

#include "test.h"

/* Two places, "first" and "second", in a directory of the test's own. */
typedef struct Places {
        char top[32];
        char **list;
} Places;

static char *at(const Places *p, const char *rest) {
        return path_join(p->top, rest);
}

static void make_directory(const Places *p, const char *rest) {
        _cleanup_free_ char *path = at(p, rest);
        ASSERT_OK(mkdir_parents(path, 0755));
}

static void make_file(const Places *p, const char *rest) {
        _cleanup_free_ char *path = at(p, rest);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        ASSERT_OK(fd);
        fd_close(fd);
}

static void make_link(const Places *p, const char *target, const char *rest) {
        _cleanup_free_ char *path = at(p, rest);
        ASSERT_OK(symlink(target, path));
}

static void places_begin(Places *p) {
        *p = (Places){ .top = "/tmp/test-image.XXXXXX" };
        ASSERT_NOT_NULL(mkdtemp(p->top));
        make_directory(p, "first");
        make_directory(p, "second");
        ASSERT_OK(strv_consume(&p->list, at(p, "first")));
        ASSERT_OK(strv_consume(&p->list, at(p, "missing")));
        ASSERT_OK(strv_consume(&p->list, at(p, "second")));
}

static void remove_tree(int parent, const char *name) {
        if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
                return;
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
                static const char *const names[] = {
                        "first",    "second",     "web",   "db",           "real",
                        "link",     "dangling",   "plain", "disk.raw",     ".hidden",
                        "bad name", "versions.v", "zeta",  "stack.mstack",
                };
                for (size_t i = 0; i < ELEMENTSOF(names); i++)
                        remove_tree(fd, names[i]);
                fd_close(fd);
        }
        (void) unlinkat(parent, name, AT_REMOVEDIR); /* a test's leftovers are no failure */
}

static void places_end(Places *p) {
        remove_tree(AT_FDCWD, p->top);
        ASSERT_NE(access(p->top, F_OK), 0);
        strv_free(p->list);
}

TEST(finds_in_order) {
        Places p;
        Error e = ERROR_NULL;
        char *found = NULL;

        places_begin(&p);
        make_directory(&p, "second/web");
        ASSERT_OK(image_find_in(p.list, "web", &found, NULL, &e));
        ASSERT_NOT_NULL(endswith(found, "/second/web"));
        found = mfree(found);
        make_directory(&p, "first/web");
        ASSERT_OK(image_find_in(p.list, "web", &found, NULL, &e));
        ASSERT_NOT_NULL(endswith(found, "/first/web"));
        free(found);
        places_end(&p);
}

TEST(resolves_links) {
        Places p;
        Error e = ERROR_NULL;
        char *found = NULL;

        places_begin(&p);
        make_directory(&p, "real");
        make_link(&p, "../real", "first/link");
        ASSERT_OK(image_find_in(p.list, "link", &found, NULL, &e));
        ASSERT_NOT_NULL(endswith(found, "/real"));
        free(found);
        make_link(&p, "nowhere", "first/dangling");
        ASSERT_ERROR(image_find_in(p.list, "dangling", &found, NULL, &e), ENOENT);
        ASSERT_EQ(e.id, ERROR_ROOT_NOT_FOUND);
        ASSERT_CONTAINS(e.message, "/first/dangling' is a symbolic link that leads nowhere");
        error_done(&e);
        places_end(&p);
}

TEST(says_where_it_looked) {
        Places p;
        Error e = ERROR_NULL;
        char *found = NULL;

        places_begin(&p);
        ASSERT_ERROR(image_find_in(p.list, "web", &found, NULL, &e), ENOENT);
        ASSERT_EQ(e.id, ERROR_ROOT_NOT_FOUND);
        ASSERT_CONTAINS(e.message, "There is no image 'web' in /tmp/test-image.");
        ASSERT_CONTAINS(e.message, "/first, /tmp/");
        ASSERT_STREQ(e.hint,
                     "make /var/lib/machines/web, import one (berth import-tar FILE web), or run a "
                     "directory or a disk image (berth run -D DIRECTORY, --image=FILE)");
        ASSERT_NULL(found);
        error_done(&e);
        places_end(&p);
}

TEST(other_kinds_are_named) {
        Places p;
        Error e = ERROR_NULL;
        char *found = NULL;

        places_begin(&p);
        make_file(&p, "first/disk.raw");
        const char *option = NULL;
        ASSERT_OK(image_find_in(p.list, "disk", &found, &option, &e));
        ASSERT_STREQ(option, "image");
        ASSERT_NOT_NULL(endswith(found, "/first/disk.raw"));
        found = mfree(found);
        make_directory(&p, "second/versions.v"); /* without any */
        ASSERT_ERROR(image_find_in(p.list, "versions", &found, NULL, &e), ENOENT);
        error_done(&e);
        make_directory(&p, "second/stack.mstack");
        ASSERT_OK(image_find_in(p.list, "stack", &found, &option, &e));
        ASSERT_STREQ(option, "mstack");
        ASSERT_NOT_NULL(endswith(found, "/second/stack.mstack"));
        found = mfree(found);
        make_file(&p, "first/plain");
        ASSERT_ERROR(image_find_in(p.list, "plain", &found, NULL, &e), EOPNOTSUPP);
        ASSERT_CONTAINS(e.message, "/first/plain' is neither a directory nor a disk image");
        error_done(&e);
        places_end(&p);
}

TEST(bad_names) {
        static const char *const names[] = {
                "",
                ".",
                "..",
                "a/b",
                "-x",
                ".web",
                "web.",
                "a..b",
                "w eb",
                "w\nb",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        };
        char *found = NULL;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                Error e = ERROR_NULL;
                ASSERT_ERROR(image_find(names[i], &found, NULL, &e), EINVAL);
                ASSERT_EQ(e.id, ERROR_INVALID_NAME);
                error_done(&e);
        }
}

TEST(lists_sorted_without_doubles) {
        Places p;
        Error e = ERROR_NULL;
        char **names = NULL;

        places_begin(&p);
        make_directory(&p, "first/zeta");
        make_directory(&p, "second/web");
        make_directory(&p, "first/web");
        make_directory(&p, "second/db");
        make_directory(&p, "first/.hidden");
        make_directory(&p, "first/bad name");
        make_file(&p, "first/plain");
        ASSERT_OK(image_list_in(p.list, &names, &e));
        _cleanup_free_ char *joined = strv_join(names, " ");
        ASSERT_STREQ(joined, "db web zeta");
        strv_free(names);
        places_end(&p);

        char *const nowhere[] = { NULL };
        ASSERT_OK(image_list_in(nowhere, &names, &e));
        ASSERT_EQ(strv_length(names), 0);
}

TEST(names_from_paths) {
        static const struct {
                const char *path, *name;
        } rows[] = {
                { "/srv/web", "web" },
                { "/srv/web/", "web" },
                { "/srv//web//", "web" },
                { "web", "web" },
                { "/srv/my web!", "myweb" },
                { "/srv/.hidden", "hidden" },
                { "/srv/-a-", "a" },
                { "/srv/a..b", "a.b" },
                { "/srv/debian_12.raw", "debian_12" },
                { "/srv/.raw", "raw" },
                { "/srv/f\xc3\xbcr", "fr" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *name = NULL;
                ASSERT_OK(image_name_from_path(rows[i].path, &name, NULL));
                ASSERT_STREQ(name, rows[i].name);
        }

        _cleanup_free_ char *host = NULL;
        ASSERT_OK(image_name_from_path("/", &host, NULL));
        ASSERT_TRUE(container_name_is_valid(host));

        char longest[200], *cut = NULL;
        memset(longest, 'a', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        ASSERT_OK(image_name_from_path(longest, &cut, NULL));
        ASSERT_EQ(strlen(cut), 64);
        free(cut);

        Error e = ERROR_NULL;
        ASSERT_ERROR(image_name_from_path("/srv/\xc3\xbc", &cut, &e), EINVAL);
        ASSERT_EQ(e.id, ERROR_INVALID_NAME);
        ASSERT_STREQ(e.hint, "give one with --machine=NAME");
        error_done(&e);
}

TEST_MAIN
