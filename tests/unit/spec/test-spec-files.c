/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which settings files are taken, in which order; drop-ins and profiles. */
#include "spec/spec-files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "spec-helpers.h"

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
        const SettingsSearch search = { .directories = p->trusted,
                                        .image_directory = p->image,
                                        .trust_image = trust,
                                        .override = override };
        _cleanup_(settings_files_done) SettingsFiles files = { 0 };
        int r = spec_settings_load(d, "web", &search, &files, e);

        if (path)
                *path = TAKE_PTR(files.main);
        return r;
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
        const SettingsSearch search = { .directories = places };

        ASSERT_NOT_NULL(mkdtemp(top));
        _cleanup_free_ char *link = path_join(top, "web.berth");
        ASSERT_OK(symlink("/nonexistent/web.berth", link));
        ASSERT_ERROR(spec_settings_load(d, "web", &search, NULL, &e), ENOENT);
        ASSERT_CONTAINS(e.message, "is a symbolic link that leads nowhere");
        ASSERT_OK(unlink(link));
        ASSERT_EQ(spec_settings_load(d, "web", &search, NULL, &e), 0);
        ASSERT_OK(rmdir(top));
}

TEST(names_are_checked) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        const SettingsSearch search = { 0 };
        ASSERT_ERROR(spec_settings_load(d, "../../etc/passwd", &search, NULL, &e), EINVAL);
        ASSERT_EQ(e.id, ERROR_INVALID_NAME);
}

/* ---- drop-ins ---- */

static void put_in(const char *place, const char *directory, const char *name, const char *text) {
        _cleanup_free_ char *path = path_join(place, directory);

        if (mkdir(path, 0755) < 0)
                ASSERT_EQ(errno, EEXIST);
        put(path, name, text);
}

/* Last components of the directory and name of each drop-in, "web.berth.d/a.conf …". Allocated. */
static char *drop_ins_of(const Places *p, const char *name, SpecDraft *d) {
        const SettingsSearch search = { .directories = p->trusted, .image_directory = p->image };
        _cleanup_(settings_files_done) SettingsFiles files = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        StrBuf b = { 0 };
        char *text;

        if (spec_settings_load(d, name, &search, &files, &e) < 0)
                TEST_FAIL("%s", e.message);
        STRV_FOREACH(path, files.drop_ins)
                strbuf_addf(&b, "%s%s", b.size > 0 ? " " : "", *path + strlen(p->root) + 1);
        ASSERT_OK(strbuf_finish(&b, &text));
        return text;
}

TEST(drop_ins_go_by_name_over_all_directories) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_free_ char *found = NULL, *link = NULL;
        const char *where;

        places_make(&p);
        put(p.second, "web.berth", "[Exec]\nUser=main\nHostname=main\nEnvironment=A=main\n");
        put_in(p.first, "web.berth.d", "20-b.conf", "[Exec]\nUser=b\nEnvironment=B=b\n");
        put_in(p.second, "web.berth.d", "10-a.conf", "[Exec]\nUser=a\nEnvironment=A=a\n");
        put_in(p.second, "web.berth.d", "20-b.conf", "[Exec]\nHostname=hidden\n");
        put_in(p.second, "web.berth.d", "30-masked.conf", "[Exec]\nHostname=masked\n");
        put_in(p.second, "web.berth.d", ".hidden.conf", "[Exec]\nHostname=hidden\n");
        put_in(p.second, "web.berth.d", "no-suffix", "[Exec]\nHostname=hidden\n");
        link = path_join(p.first, "web.berth.d/30-masked.conf");
        ASSERT_OK(symlink("/dev/null", link));

        found = drop_ins_of(&p, "web", d);
        ASSERT_STREQ(
                found,
                "run/web.berth.d/10-a.conf etc/web.berth.d/20-b.conf etc/web.berth.d/30-masked.conf");
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "b");
        ASSERT_STREQ(spec_draft_spec(d)->hostname, "main");
        /* a list goes on from file to file */
        ASSERT_EQ(strv_length(spec_draft_spec(d)->payload.environment), 2);
        ASSERT_STREQ(spec_draft_spec(d)->payload.environment[0], "A=a");
        (void) spec_draft_source(d, row("User"), &where);
        ASSERT_TRUE(endswith(where, "/etc/web.berth.d/20-b.conf:2"));
}

/* web-1-a: its own, then web-1-, web-, and what is for all; the more specific one hides. */
TEST(drop_ins_for_many) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new(), *d2 = spec_draft_new();
        _cleanup_free_ char *found = NULL, *other = NULL;

        places_make(&p);
        put_in(p.first, "berth.d", "all.conf", "[Exec]\nUser=all\n");
        put_in(p.first, "berth.d", "same.conf", "[Exec]\nHostname=all\n");
        put_in(p.first, "web-.berth.d", "same.conf", "[Exec]\nHostname=prefix\n");
        put_in(p.second, "web-1-.berth.d", "zz.conf", "[Exec]\nNoNewPrivileges=yes\n");
        put_in(p.second, "web-1-a.berth.d", "same.conf", "[Exec]\nHostname=own\n");
        put_in(p.image, "berth.d", "image.conf", "[Exec]\nHostname=image\n");

        found = drop_ins_of(&p, "web-1-a", d);
        ASSERT_STREQ(
                found,
                "etc/berth.d/all.conf run/web-1-a.berth.d/same.conf run/web-1-.berth.d/zz.conf");
        ASSERT_STREQ(spec_draft_spec(d)->hostname, "own");
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "all");
        other = drop_ins_of(&p, "web", d2);
        ASSERT_STREQ(other, "etc/berth.d/all.conf etc/berth.d/same.conf");
}

TEST(drop_ins_beside_the_image) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new(), *d2 = spec_draft_new(),
                                  *d3 = spec_draft_new();
        _cleanup_free_ char *found = NULL, *link = NULL, *directory = NULL, *none = NULL,
                            *bad = NULL;

        places_make(&p);
        put(p.root, "secret", "[Exec]\nUser=root\n");
        put_in(p.image, "web.berth.d", "90-image.conf",
               "[Exec]\nUser=image\nCapability=all\nHostname=image\n");
        put_in(p.first, "web.berth.d", "10-admin.conf", "[Exec]\nUser=admin\n");
        link = path_join(p.image, "web.berth.d/95-link.conf");
        ASSERT_OK(symlink("../../secret", link));
        bad = path_join(p.image, "web.berth.d/a\nb.conf");
        ASSERT_OK(symlink("../../secret", bad));

        found = drop_ins_of(&p, "web", d);
        ASSERT_STREQ(found, "etc/web.berth.d/10-admin.conf machines/web.berth.d/90-image.conf");
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "admin"); /* the later one is weaker */
        ASSERT_STREQ(spec_draft_spec(d)->hostname, "image");
        ASSERT_EQ(spec_draft_spec(d)->security.capabilities, 0);
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 3);

        /* a main file elsewhere: the image's directory is not looked at */
        put(p.second, "web.nspawn", "");
        none = drop_ins_of(&p, "web", d2);
        ASSERT_STREQ(none, "etc/web.berth.d/10-admin.conf");
        ASSERT_NULL(spec_draft_spec(d2)->hostname);
        ASSERT_OK(unlink(link));
        ASSERT_OK(unlink(bad));

        /* nor behind a link */
        _cleanup_free_ char *file = path_join(p.second, "web.nspawn"),
                            *drop_in = path_join(p.image, "web.berth.d/90-image.conf");
        ASSERT_OK(unlink(file));
        ASSERT_OK(unlink(drop_in));
        directory = path_join(p.image, "web.berth.d");
        ASSERT_OK(rmdir(directory));
        ASSERT_OK(symlink("../etc/web.berth.d", directory));
        _cleanup_free_ char *again = drop_ins_of(&p, "web", d3);
        ASSERT_STREQ(again, "etc/web.berth.d/10-admin.conf");
        ASSERT_CONTAINS(spec_draft_warnings(d3)[0], "it is no directory");
}

TEST(too_many_drop_ins) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        places_make(&p);
        for (unsigned i = 0; i <= SPEC_DROP_INS_MAX; i++) {
                _cleanup_free_ char *name = strf("%u.conf", i);
                put_in(p.image, "web.berth.d", name, "");
        }
        ASSERT_ERROR(load(&p, false, false, d, NULL, &e), E2BIG);
        ASSERT_STREQ(e.message, "Container 'web' has more than 256 drop-ins");
}

/* What an editor is about to write: a file that is there, and one that is not yet. */
TEST(edited_text) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new(), *d2 = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        SettingsText edited = { .text = (char *) "[Exec]\nUser=new\n" };
        SettingsSearch search = { .edited = &edited };

        places_make(&p);
        search.directories = p.trusted;
        put(p.first, "web.berth", "[Exec]\nUser=old\n");
        edited.path = path_join(p.first, "web.berth");
        ASSERT_EQ(spec_settings_load(d, "web", &search, NULL, &e), 1);
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "new");
        free(edited.path);
        edited.path = path_join(p.second, "web.berth.d/override.conf");
        edited.text = (char *) "[Exec]\nUser=%x\n";
        ASSERT_ERROR(spec_settings_load(d2, "web", &search, NULL, &e), EINVAL);
        ASSERT_CONTAINS(e.message, "run/web.berth.d/override.conf:2");
        free(edited.path);
}

/* ---- profiles ---- */

TEST(profiles) {
        _cleanup_(places_done) Places p = { 0 };
        _cleanup_draft_ SpecDraft *d = spec_draft_new(), *d2 = spec_draft_new(),
                                  *d3 = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const char *where;

        places_make(&p);
        spec_draft_set_profile_directories(d, p.trusted);
        spec_draft_set_profile_directories(d2, p.trusted);
        spec_draft_set_profile_directories(d3, p.trusted);
        put(p.first, "outer.conf", "[Container]\nProfile=inner\n[Exec]\nUser=outer\n");
        put(p.second, "outer.conf", "[Exec]\nUser=hidden\n");
        put(p.second, "inner.conf", "[Exec]\nUser=inner\nHostname=%i-inner\nNoNewPrivileges=yes\n");

        ASSERT_OK(set(d, "Name", "web", SOURCE_COMMAND, &e));
        ASSERT_OK(spec_settings_parse(
                d, "[Container]\nProfile=outer\nProfile=\n[Exec]\nNoNewPrivileges=no\n",
                SOURCE_FILE, "/etc/berth/web.berth", &e));
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "outer");
        ASSERT_STREQ(spec_draft_spec(d)->hostname, "web-inner");
        ASSERT_FALSE(spec_draft_spec(d)->security.no_new_privileges);
        ASSERT_EQ(spec_draft_source(d, row("Hostname"), &where), SOURCE_FILE);
        ASSERT_TRUE(endswith(where, "/run/inner.conf:3"));

        /* of the command line: weaker than other options, wherever these stand, stronger than files */
        char *words[] = { (char *) "--user=bob", (char *) "--profile=inner", (char *) "--profile",
                          (char *) "inner", NULL };
        int i = 0;
        while (i < 4)
                ASSERT_EQ(spec_args_parse_one(d2, 4, words, &i, &e), 1);
        ASSERT_OK(spec_settings_parse(d2, "[Exec]\nHostname=file\n", SOURCE_FILE, "/x", &e));
        ASSERT_OK(set(d2, "Name", "web", SOURCE_COMMAND, &e)); /* known only now */
        ASSERT_OK(spec_draft_read_profiles(d2, &e));
        ASSERT_STREQ(spec_draft_spec(d2)->payload.user, "bob");
        ASSERT_STREQ(spec_draft_spec(d2)->hostname, "web-inner");
        ASSERT_EQ(spec_draft_source(d2, row("Hostname"), NULL), SOURCE_PROFILE);

        /* a file beside the image names none */
        ASSERT_OK(spec_settings_parse(d3, "[Container]\nProfile=inner\n", SOURCE_IMAGE_FILE, "/x",
                                      &e));
        ASSERT_NULL(spec_draft_spec(d3)->payload.user);
        ASSERT_CONTAINS(spec_draft_warnings(d3)[0], "Ignoring Profile= at /x:2");
}

TEST(bad_profiles) {
        static const char *const cases[][2] = {
                { "nosuch", "There is no profile 'nosuch' (/etc/berth/web.berth:2)" },
                { "../etc/passwd",
                  "Invalid value '../etc/passwd' for Profile= (/etc/berth/web.berth:2)" },
                { "/etc/passwd", "Invalid value '/etc/passwd' for Profile=" },
                { "'x", "names are expected" },
                { "loop", "reads itself: 'loop' reads 'loop2' reads 'loop'" },
                { "deep0", "Profile 'deep8' (" },
                { "bad", "bad.conf:2" },
                { "directory", "directory.conf' is not a regular file" },
        };
        _cleanup_(places_done) Places p = { 0 };

        places_make(&p);
        put(p.first, "loop.conf", "[Container]\nProfile=loop2\n");
        put(p.first, "loop2.conf", "[Container]\nProfile=loop\n");
        put(p.first, "bad.conf", "[Exec]\nBoot=perhaps\n");
        _cleanup_free_ char *directory = path_join(p.first, "directory.conf");
        ASSERT_OK(mkdir(directory, 0755));
        for (unsigned i = 0; i < 10; i++) {
                _cleanup_free_ char *name = strf("deep%u.conf", i),
                                    *text = strf("[Container]\nProfile=deep%u\n", i + 1);
                put(p.first, name, text);
        }
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_draft_ SpecDraft *d = spec_draft_new();
                _cleanup_error_ Error e = ERROR_NULL;
                _cleanup_free_ char *text = strf("[Container]\nProfile=%s\n", cases[i][0]);

                spec_draft_set_profile_directories(d, p.trusted);
                if (spec_settings_parse(d, text, SOURCE_FILE, "/etc/berth/web.berth", &e) >= 0)
                        TEST_FAIL("Profile=%s was accepted", cases[i][0]);
                ASSERT_CONTAINS(e.message, cases[i][1]);
        }
}

TEST_MAIN
