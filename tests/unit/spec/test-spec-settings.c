/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings files: the grammar, and which file is taken. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "spec-helpers.h"

static int parse(SpecDraft *d, const char *text, Error *e) {
        return spec_settings_parse(d, text, SOURCE_FILE, "/etc/berth/web.berth", e);
}

TEST(grammar) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(parse(d, "\n# c\n; c\n [Exec] \n  User =\tbob \n[Files]\nBind=/a=b\n", &e));
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "bob");
        ASSERT_STREQ(spec_draft_spec(d)->mounts[0].target, "/a=b");
        ASSERT_ERROR(parse(d, "[Exec]\nHostname=a # b\n", &e), EINVAL);
        ASSERT_CONTAINS(e.message, "'a # b'"); /* no comments behind values */
}

TEST(continuation) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char **argv;

        ASSERT_OK(parse(d, "[Exec]\nParameters=a\\\n   # not this\nb \\\n c\nUser=bob\n", &e));
        argv = spec_draft_spec(d)->payload.argv;
        ASSERT_EQ(strv_length(argv), 3);
        ASSERT_STREQ(argv[1], "b");
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "bob");
        ASSERT_OK(parse(d, "[Exec]\nUser=eve\\", &e));
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "eve");
}

TEST(where_is_the_line) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const char *where;

        ASSERT_OK(parse(d, "[Exec]\n\nUser=\\\nbob\nHostname=h\n", &e));
        ASSERT_EQ(spec_draft_source(d, row("User"), &where), SOURCE_FILE);
        ASSERT_STREQ(where, "/etc/berth/web.berth:3");
        (void) spec_draft_source(d, row("Hostname"), &where);
        ASSERT_STREQ(where, "/etc/berth/web.berth:5");
}

TEST(bad_lines) {
        static const char *const cases[][2] = {
                { "[Exec]\nfoo\n", "Line 2 of '/etc/berth/web.berth' is not a 'Key=value' line" },
                { "[Exec]\n=foo\n", "Line 2 of '/etc/berth/web.berth' is not a 'Key=value' line" },
                { "[Exec\n", "Line 1 of '/etc/berth/web.berth' is not a '[Section]' line" },
                { "[]\n", "Line 1 of '/etc/berth/web.berth' is not a '[Section]' line" },
                { "[Exec]\n\xff=1\n", "Settings file '/etc/berth/web.berth' is not valid UTF-8" },
                { "[Exec]\nBoot=2\n",
                  "Invalid value '2' for Boot= at /etc/berth/web.berth:2: yes or no is expected" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_draft_ SpecDraft *d = spec_draft_new();
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_ERROR(parse(d, cases[i][0], &e), EINVAL);
                ASSERT_STREQ(e.message, cases[i][1]);
        }
}

TEST(unknown_is_warned_of) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(parse(
                d,
                "[Exec]\nFoo=1\nX-Foo=1\nBoot=yes\n[X-Mine]\na=b\n[Foo]\nBoot=no\n[Launch]\nQuiet=yes\n",
                &e));
        ASSERT_EQ(spec_draft_spec(d)->payload.start, START_BOOT);
        ASSERT_FALSE(spec_draft_spec(d)->console.quiet);
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 3);
        ASSERT_STREQ(spec_draft_warnings(d)[0],
                     "Ignoring the unknown setting Foo= at /etc/berth/web.berth:2");
}

TEST(name_is_not_a_setting) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(set(d, "Name", "web", SOURCE_COMMAND, &e));
        ASSERT_OK(spec_settings_parse(d, "[Container]\nName=web\n", SOURCE_OVERRIDE, "/x", &e));
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 0);
        ASSERT_OK(spec_settings_parse(d, "[Container]\nName=other\n", SOURCE_OVERRIDE, "/x", &e));
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 1);
        ASSERT_STREQ(spec_draft_spec(d)->name, "web");
}

TEST(limit) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = malloc(SPEC_TEXT_MAX + 2);

        memset(text, '\n', SPEC_TEXT_MAX + 1);
        text[SPEC_TEXT_MAX + 1] = '\0';
        ASSERT_ERROR(parse(d, text, &e), E2BIG);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
}

/* ---- which file ---- */

typedef struct Places {
        char root[32];
        char *first, *second, *image;
        char **trusted;
} Places;

static void places_done(Places *p) {
        _cleanup_free_ char *command = strf("rm -rf %s", p->root);
        FILE *f = popen(command, "re");

        if (f)
                (void) pclose(f);
        free(p->first);
        free(p->second);
        free(p->image);
        strv_free(p->trusted);
}

static void places_make(Places *p) {
        strcpy(p->root, "/tmp/berth-test.XXXXXX");
        ASSERT_NOT_NULL(mkdtemp(p->root));
        p->first = path_join(p->root, "etc");
        p->second = path_join(p->root, "run");
        p->image = path_join(p->root, "machines");
        p->trusted = strv_new(p->first, p->second);
        ASSERT_OK(mkdir(p->first, 0755));
        ASSERT_OK(mkdir(p->second, 0755));
        ASSERT_OK(mkdir(p->image, 0755));
}

static void put(const char *directory, const char *name, const char *text) {
        _cleanup_free_ char *path = path_join(directory, name);
        FILE *f = fopen(path, "we");

        ASSERT_NOT_NULL(f);
        ASSERT_TRUE(fputs(text, f) >= 0);
        ASSERT_EQ(fclose(f), 0);
}

static int load(const Places *p, bool trust, bool override, SpecDraft *d, char **path, Error *e) {
        return spec_settings_load_from(d, p->trusted, "web", p->image, trust, override, path, e);
}

TEST(first_hit_wins) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new(), *d2 = spec_draft_new(),
                                  *d3 = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *path = NULL, *expected = NULL;

        places_make(&p);
        ASSERT_EQ(load(&p, false, false, d, &path, &e), 0);
        ASSERT_NULL(path);
        put(p.image, "web.berth", "[Exec]\nUser=image\nCapability=all\n");
        put(p.second, "web.nspawn", "[Exec]\nUser=second\n");
        put(p.first, "web.nspawn", "[Exec]\nUser=nspawn\nCapability=CAP_BPF\n");
        put(p.first, "web.berth", "[Exec]\nUser=berth\n");
        ASSERT_EQ(load(&p, false, false, d, &path, &e), 1);
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "berth");
        ASSERT_EQ(spec_draft_spec(d)->security.capabilities, 0); /* one file alone */
        expected = path_join(p.first, "web.berth");
        ASSERT_STREQ(path, expected);
        ASSERT_OK(unlink(path));
        ASSERT_EQ(load(&p, false, false, d2, NULL, &e), 1);
        ASSERT_STREQ(spec_draft_spec(d2)->payload.user, "nspawn");
        ASSERT_TRUE(spec_draft_spec(d2)->security.capabilities != 0);

        /* a link to /dev/null hides all others */
        ASSERT_OK(symlink("/dev/null", expected));
        ASSERT_EQ(load(&p, false, false, d3, NULL, &e), 1);
        ASSERT_NULL(spec_draft_spec(d3)->payload.user);
}

TEST(beside_the_image) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new(), *d2 = spec_draft_new(),
                                  *d3 = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        places_make(&p);
        put(p.image, "web.nspawn", "[Exec]\nUser=bob\nPrivateUsers=no\nCapability=all\n");
        ASSERT_OK(set(d, "User", "root", SOURCE_COMMAND, &e));
        ASSERT_EQ(load(&p, false, false, d, NULL, &e), 1);
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "root");
        ASSERT_EQ(spec_draft_spec(d)->security.capabilities, 0);
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 2);

        ASSERT_OK(set(d2, "User", "root", SOURCE_COMMAND, &e));
        ASSERT_EQ(load(&p, false, true, d2, NULL, &e), 1);
        ASSERT_STREQ(spec_draft_spec(d2)->payload.user, "bob");
        ASSERT_EQ(spec_draft_spec(d2)->security.capabilities, 0);

        ASSERT_EQ(load(&p, true, false, d3, NULL, &e), 1);
        ASSERT_TRUE(spec_draft_spec(d3)->security.capabilities != 0);
}

/* Who owns the image's directory must not make us read elsewhere, or wait. */
TEST(hostile_file_beside_the_image) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *path = NULL;

        places_make(&p);
        put(p.root, "secret", "[Exec]\nUser=bob\n");
        path = path_join(p.image, "web.berth");
        ASSERT_OK(symlink("../secret", path));
        ASSERT_EQ(load(&p, false, false, d, NULL, &e), 0);
        ASSERT_CONTAINS(spec_draft_warnings(d)[0], "it is a symbolic link");
        ASSERT_OK(unlink(path));
        ASSERT_OK(mkfifo(path, 0666));
        ASSERT_EQ(load(&p, false, false, d, NULL, &e), 0);
        ASSERT_CONTAINS(spec_draft_warnings(d)[1], "it is not a regular file");
        ASSERT_OK(unlink(path));
        ASSERT_OK(mkdir(path, 0755));
        ASSERT_EQ(load(&p, false, false, d, NULL, &e), 0);
        ASSERT_NULL(spec_draft_spec(d)->payload.user);
}

TEST(unreadable_trusted_files) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL, e2 = ERROR_NULL, e3 = ERROR_NULL;
        _cleanup_free_ char *path = NULL;

        places_make(&p);
        path = path_join(p.first, "web.berth");
        ASSERT_OK(mkdir(path, 0755));
        ASSERT_ERROR(load(&p, false, false, d, NULL, &e), EINVAL);
        ASSERT_CONTAINS(e.message, "web.berth' is not a regular file");
        ASSERT_OK(rmdir(path));

        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        ASSERT_OK(fd_write_full(fd, "[Exec]\n\0\n", 9));
        ASSERT_OK(close(fd));
        ASSERT_ERROR(load(&p, false, false, d, NULL, &e2), EBADMSG);
        ASSERT_CONTAINS(e2.message, "has NUL bytes");
        ASSERT_OK(truncate(path, SPEC_TEXT_MAX + 1));
        ASSERT_ERROR(load(&p, false, false, d, NULL, &e3), E2BIG);
        ASSERT_EQ(e3.id, ERROR_LIMIT_EXCEEDED);
}

/* The limits in a file that went away are not to be forgotten without a word. */
TEST(link_that_leads_nowhere) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char top[] = "/tmp/test-settings.XXXXXX";
        char *places[] = { top, NULL };

        ASSERT_NOT_NULL(mkdtemp(top));
        _cleanup_free_ char *link = path_join(top, "web.berth");
        ASSERT_OK(symlink("/nonexistent/web.berth", link));
        ASSERT_ERROR(spec_settings_load_from(d, places, "web", NULL, false, false, NULL, &e),
                     ENOENT);
        ASSERT_CONTAINS(e.message, "is a symbolic link that leads nowhere");
        ASSERT_OK(unlink(link));
        ASSERT_EQ(spec_settings_load_from(d, places, "web", NULL, false, false, NULL, &e), 0);
        ASSERT_OK(rmdir(top));
}

TEST(names_are_checked) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_ERROR(spec_settings_load(d, "../../etc/passwd", NULL, false, false, NULL, &e),
                     EINVAL);
        ASSERT_EQ(e.id, ERROR_INVALID_NAME);
}

TEST_MAIN
