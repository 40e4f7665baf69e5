/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From words to a spec: names, directories, settings files, consoles. */
#include "cli/compile.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "spec/spec-text.h"

#include "test.h"

/* A directory "place/web" with a settings file "place/web.nspawn" beside it. */
typedef struct Place {
        char top[32];
        char *root, *settings;
} Place;

static void place_begin(Place *p, const char *settings) {
        *p = (Place){ .top = "/tmp/test-compile.XXXXXX" };
        ASSERT_NOT_NULL(mkdtemp(p->top));
        p->root = path_join(p->top, "web");
        p->settings = path_join(p->top, "web.nspawn");
        ASSERT_OK(mkdir(p->root, 0755));
        if (settings) {
                int fd = open(p->settings, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
                ASSERT_OK(fd);
                ASSERT_OK(fd_write_full(fd, settings, strlen(settings)));
                fd_close(fd);
        }
}

static void place_end(Place *p) {
        (void) unlink(p->settings); /* may not be there */
        ASSERT_OK(rmdir(p->root));
        ASSERT_OK(rmdir(p->top));
        free(p->root);
        free(p->settings);
}

/* words: one string; %s in it is the root. Returns the spec or NULL and the error. */
static ContainerSpec *compile(RunFace face, const Place *p, const char *line, Error *e) {
        _cleanup_(run_request_done) RunRequest q = RUN_REQUEST_NULL(face);
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_strv_free_ char **words = NULL;
        ContainerSpec *spec = NULL;

        ASSERT_NOT_NULL(d);
        ASSERT_OK(strv_split(&words, line, NULL, WORD_UNQUOTE));
        for (char **w = words; w && *w; w++)
                if (streq(*w, "ROOT"))
                        ASSERT_OK(free_and_strdup(w, p->root));
        int r = compile_arguments((int) strv_length(words), words, &q, d, e);
        if (r >= 0)
                r = compile_settings(&q, d, /* ret_files= */ NULL, e);
        if (r >= 0)
                r = compile_finish(&q, d, /* resolve_console= */ true, &spec, e);
        ASSERT_EQ(r < 0, spec == NULL);
        return spec;
}

static ContainerSpec *compile_ok(RunFace face, const Place *p, const char *line) {
        Error e = ERROR_NULL;
        ContainerSpec *s = compile(face, p, line, &e);
        if (!s)
                TEST_FAIL("'%s' gave: %s", line, e.message);
        return s;
}

static void expect_error(RunFace face, const Place *p, const char *line, ErrorId id,
                         const char *message) {
        Error e = ERROR_NULL;
        ContainerSpec *s = compile(face, p, line, &e);
        ASSERT_NULL(s);
        ASSERT_CONTAINS(e.message, message);
        ASSERT_STREQ(error_id_to_string(e.id), error_id_to_string(id));
        error_done(&e);
}

static void expect_argv(const ContainerSpec *s, const char *expected) {
        _cleanup_free_ char *argv = strv_join(s->payload.argv, "|");
        ASSERT_STREQ(argv, expected);
}

TEST(commands) {
        Place p;
        place_begin(&p, NULL);

        ContainerSpec *s = compile_ok(FACE_RUN, &p, "-D ROOT -- ls -l 'a b' ''");
        expect_argv(s, "ls|-l|a b|");
        ASSERT_STREQ(s->name, "web");
        ASSERT_STREQ(s->root.directory, p.root);
        ASSERT_EQ(s->payload.start, START_COMMAND);
        spec_free(s);

        s = compile_ok(FACE_RUN, &p, "-D ROOT ls --help");
        expect_argv(s, "ls|--help");
        spec_free(s);

        s = compile_ok(FACE_RUN, &p, "-D ROOT");
        expect_argv(s, "");
        spec_free(s);

        s = compile_ok(FACE_NSPAWN, &p, "-D ROOT -- --weird");
        expect_argv(s, "--weird");
        spec_free(s);
        place_end(&p);
}

/* The sentence about a property that systemd does not know says where it stands. */
TEST(properties) {
        Place p;
        place_begin(&p, "[Resources]\nProperty=Foo=1\n");
        _cleanup_free_ char *where =
                strjoin("Unknown unit property 'Foo' (Property= at ", p.settings, ":2)");
        expect_error(FACE_RUN, &p, "--settings=trusted -D ROOT true", ERROR_INVALID_SETTING, where);
        expect_error(FACE_RUN, &p, "--settings=no --property=Bar=1 -D ROOT true",
                     ERROR_INVALID_SETTING, "Unknown unit property 'Bar'");
        place_end(&p);
}

/* A link whose owner named its target so that it reads as settings. */
TEST(directory_behind_a_link) {
        Place p;
        place_begin(&p, NULL);
        _cleanup_free_ char *target = path_join(p.top, "x\n\n[Files]\nBind=\\etc:\\mnt"),
                            *link = path_join(p.top, "link"), *line = strjoin("-D ", link, " true");

        ASSERT_OK(mkdir(target, 0755));
        ASSERT_OK(symlink(target, link));
        expect_error(FACE_RUN, &p, line, ERROR_INVALID_SETTING, "leads to '");
        ASSERT_OK(unlink(link));
        ASSERT_OK(symlink(p.root, link));
        ContainerSpec *s = compile_ok(FACE_RUN, &p, line);
        ASSERT_STREQ(s->root.directory, p.root);
        spec_free(s);
        ASSERT_OK(unlink(link));
        ASSERT_OK(rmdir(target));
        place_end(&p);
}

TEST(clusters) {
        Place p;
        place_begin(&p, NULL);

        ContainerSpec *s = compile_ok(FACE_RUN, &p, "-qbU -D ROOT 3");
        ASSERT_TRUE(s->console.quiet);
        ASSERT_EQ(s->payload.start, START_BOOT);
        ASSERT_EQ(s->users.mode, USERNS_PICK);
        expect_argv(s, "3");
        spec_free(s);

        s = compile_ok(FACE_RUN, &p, "-bqMdb -D ROOT");
        ASSERT_STREQ(s->name, "db");
        ASSERT_TRUE(s->console.quiet);
        spec_free(s);
        place_end(&p);
}

TEST(names) {
        Place p;
        place_begin(&p, NULL);

        ContainerSpec *s = compile_ok(FACE_RUN, &p, "-D ROOT -M other true");
        ASSERT_STREQ(s->name, "other");
        expect_argv(s, "true");
        spec_free(s);
        expect_error(FACE_RUN, &p, "", ERROR_USAGE, "What shall be run?");
        expect_error(FACE_RUN, &p, "-- true", ERROR_USAGE, "What shall be run?");
        expect_error(FACE_RUN, &p, "web -b", ERROR_USAGE, "'-b' behind the name 'web'");
        expect_error(FACE_RUN, &p, "no-such-image-anywhere", ERROR_ROOT_NOT_FOUND,
                     "There is no image 'no-such-image-anywhere' in /etc/machines");
        expect_error(FACE_RUN, &p, "-M no-such-image-anywhere true", ERROR_ROOT_NOT_FOUND,
                     "There is no image 'no-such-image-anywhere'");
        expect_error(FACE_RUN, &p, "../x", ERROR_INVALID_NAME,
                     "'../x' is not a valid container name");
        expect_error(FACE_RUN, &p, "'' true", ERROR_INVALID_NAME,
                     "'' is not a valid container name");
        expect_error(FACE_RUN, &p, "--in-unit=", ERROR_INVALID_NAME, "'' is not a valid");
        expect_error(FACE_RUN, &p, "--in-unit=a\\\\x00b", ERROR_INVALID_NAME, "'a\\x00b' is not");
        expect_error(FACE_RUN, &p, "--in-unit=a\\\\x-1b", ERROR_INVALID_NAME, "'a\\x-1b' is not");
        expect_error(FACE_RUN, &p, "--in-unit=no\\\\x2dimage", ERROR_ROOT_NOT_FOUND, "'no-image'");
        expect_error(FACE_RUN, &p, "-D /nonexistent/x", ERROR_ROOT_NOT_FOUND, "'/nonexistent/x'");
        expect_error(FACE_RUN, &p, "-D /dev/null", ERROR_NOT_A_ROOT,
                     "'/dev/null' is not a directory");
        place_end(&p);
}

TEST(links_are_resolved) {
        Place p;
        place_begin(&p, NULL);
        _cleanup_free_ char *link = path_join(p.top, "link"), *line = strf("-D %s/link", p.top);

        ASSERT_OK(symlink("web", link));
        ContainerSpec *s = compile_ok(FACE_RUN, &p, line);
        ASSERT_STREQ(s->root.directory, p.root);
        spec_free(s);
        ASSERT_OK(unlink(link));
        place_end(&p);
}

/* A name of its own for each ephemeral container, even where the image's is cut at the end of a label. */
TEST(ephemeral_names) {
        static const char *const images[] = {
                "web",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbb",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa---bbbbbbbbb",
        };

        for (size_t i = 0; i < ELEMENTSOF(images); i++) {
                Place p;
                place_begin(&p, NULL);
                _cleanup_free_ char *root = path_join(p.top, images[i]);
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_OK(rename(p.root, root));
                ASSERT_OK(free_and_strdup(&p.root, root));
                _cleanup_spec_ ContainerSpec *a =
                        compile(FACE_RUN, &p, "--ephemeral -D ROOT -- x", &e);
                if (!a)
                        TEST_FAIL("'%s': %s", images[i], e.message);
                _cleanup_spec_ ContainerSpec *b =
                        compile(FACE_RUN, &p, "--ephemeral -D ROOT -- x", &e);
                ASSERT_NOT_NULL(b);
                ASSERT_TRUE(!streq(a->name, b->name));
                const size_t kept = MIN(strlen(images[i]), (size_t) 52);
                ASSERT_EQ(strncmp(a->name, images[i], kept), 0);
                place_end(&p);
        }
}

TEST(current_directory_of_nspawn) {
        Place p;
        place_begin(&p, NULL);
        _cleanup_close_ int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(here);

        ASSERT_OK(chdir(p.root));
        ContainerSpec *s = compile_ok(FACE_NSPAWN, &p, "ls -l");
        ASSERT_STREQ(s->root.directory, p.root);
        ASSERT_STREQ(s->name, "web");
        expect_argv(s, "ls|-l");
        spec_free(s);
        ASSERT_OK(fchdir(here));
        place_end(&p);
}

TEST(settings_modes) {
        Place p;
        /* Hostname= is harmless, Bind= is not */
        place_begin(&p, "[Exec]\nHostname=file\n[Files]\nBind=/usr\n");

        ContainerSpec *s = compile_ok(FACE_RUN, &p, "-D ROOT");
        ASSERT_STREQ(s->hostname, "file");
        ASSERT_EQ(s->n_mounts, 0);
        spec_free(s);

        s = compile_ok(FACE_RUN, &p, "-D ROOT --hostname=option");
        ASSERT_STREQ(s->hostname, "option");
        spec_free(s);

        s = compile_ok(FACE_RUN, &p, "-D ROOT --hostname=option --settings=override");
        ASSERT_STREQ(s->hostname, "file");
        ASSERT_EQ(s->n_mounts, 0);
        spec_free(s);

        s = compile_ok(FACE_RUN, &p, "-D ROOT --settings=no");
        ASSERT_NULL(s->hostname);
        spec_free(s);

        s = compile_ok(FACE_RUN, &p, "-D ROOT --settings=trusted");
        ASSERT_EQ(s->n_mounts, 1);
        spec_free(s);

        expect_error(FACE_RUN, &p, "-D ROOT --settings=maybe", ERROR_USAGE,
                     "yes, no, override or trusted");
        place_end(&p);
}

TEST(consoles) {
        /* the test's own stdin is no terminal */
        Place p;
        place_begin(&p, NULL);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        _cleanup_close_ int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
        ASSERT_OK(saved);
        ASSERT_OK(dup3(null, STDIN_FILENO, 0));
        fd_close(null);
        static const struct {
                RunFace face;
                const char *line;
                ConsoleMode mode;
        } rows[] = {
                { FACE_RUN, "-D ROOT true", CONSOLE_PIPE },
                { FACE_RUN, "-D ROOT -b", CONSOLE_READ_ONLY },
                { FACE_NSPAWN, "-D ROOT true", CONSOLE_READ_ONLY },
                { FACE_RUN, "-D ROOT --console=passive -b", CONSOLE_PASSIVE },
                { FACE_RUN, "-D ROOT --console=interactive", CONSOLE_INTERACTIVE },
                { FACE_NSPAWN, "-P -D ROOT true", CONSOLE_PIPE },
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                ContainerSpec *s = compile_ok(rows[i].face, &p, rows[i].line);
                ASSERT_EQ(s->console.mode, rows[i].mode);
                ASSERT_EQ(s->console.quiet, rows[i].mode == CONSOLE_PIPE);
                spec_free(s);
        }
        ASSERT_OK(dup3(saved, STDIN_FILENO, 0));
        place_end(&p);
}

TEST(templates) {
        Place p;
        Error e = ERROR_NULL;
        place_begin(&p, NULL);
        _cleanup_free_ char *new_one = strf("--template=%s -D %s/new/ true", p.root, p.top),
                            *expected = strf("%s/new", p.top),
                            *nowhere = strf("--template=%s -D %s/no/new true", p.root, p.top),
                            *image = strf("--template=%s -i %s true", p.root, "/dev/null"),
                            *ephemeral = strf("--template=%s -x -D %s/new true", p.root, p.top),
                            *missing = strf("--template=%s/none -D ROOT true", p.top),
                            *file = strf("--template=/etc/passwd -D ROOT true"),
                            *named = strf("--template=%s no-such-image-here true", p.root),
                            *link = path_join(p.top, "link"),
                            *dangling = strf("--template=%s -D %s true", p.root, link);
        ContainerSpec *s = compile_ok(FACE_RUN, &p, new_one);
        ASSERT_STREQ(s->root.directory, expected);
        ASSERT_STREQ(s->name, "new");
        spec_free(s);
        s = compile_ok(FACE_RUN, &p, named);
        ASSERT_STREQ(s->root.directory, "/var/lib/machines/no-such-image-here");
        spec_free(s);
        expect_error(FACE_RUN, &p, nowhere, ERROR_ROOT_NOT_FOUND, "is to be made, cannot be used");
        expect_error(FACE_RUN, &p, ephemeral, ERROR_CONFLICT, "--ephemeral keeps nothing");
        expect_error(FACE_RUN, &p, missing, ERROR_ROOT_NOT_FOUND, "cannot be used");
        expect_error(FACE_RUN, &p, file, ERROR_NOT_A_ROOT, "is not a directory");
        expect_error(FACE_NSPAWN, &p, "--template=/ true", ERROR_USAGE, "names no directory");
        ASSERT_NULL(compile(FACE_RUN, &p, image, &e));
        error_done(&e);
        ASSERT_OK(symlink("/nowhere", link));
        expect_error(FACE_RUN, &p, dangling, ERROR_ROOT_NOT_FOUND, "cannot be used");
        ASSERT_OK(unlink(link));
        place_end(&p);
}

TEST(refused_options) {
        Place p;
        place_begin(&p, NULL);
        expect_error(FACE_RUN, &p, "-D ROOT --network-veth", ERROR_UNSUPPORTED, "--network-veth");
        expect_error(FACE_RUN, &p, "-D ROOT -n", ERROR_UNSUPPORTED, "-n");
        expect_error(FACE_RUN, &p, "-D ROOT --privat-network", ERROR_USAGE,
                     "Unknown option '--privat-network' (did you mean '--private-network'?)");
        expect_error(FACE_RUN, &p, "-D ROOT --nonsense", ERROR_USAGE,
                     "Unknown option '--nonsense'");
        expect_error(FACE_RUN, &p, "-D", ERROR_USAGE, "-D");
        expect_error(FACE_VERIFY, &p, "--keep-unit -D ROOT", ERROR_USAGE,
                     "Unknown option '--keep-unit'");
        expect_error(FACE_RUN, &p, "-D ROOT --property=NoSuchThing=1", ERROR_INVALID_SETTING,
                     "NoSuchThing");
        expect_error(FACE_RUN, &p, "-D ROOT --register=perhaps", ERROR_USAGE,
                     "'perhaps' for '--register'");
        ContainerSpec *s = compile_ok(
                FACE_NSPAWN, &p,
                "--register=no --link-journal=try-guest --no-pager --keep-unit -D ROOT true");
        spec_free(s);
        place_end(&p);
}

TEST(unit) {
        Place p;
        place_begin(&p, "[Exec]\nHostname=file\nPrivateUsers=no\n");
        _cleanup_(run_request_done) RunRequest q = { 0 };
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_spec_ ContainerSpec *s = NULL;
        Error e = ERROR_NULL;

        ASSERT_OK(compile_unit_request("my\\x2dweb", &q, &e));
        const SpecField *f = spec_field_by_option("directory", strlen("directory"));
        ASSERT_NOT_NULL(f);
        ASSERT_OK(spec_draft_set(d, f, p.root, SOURCE_COMMAND, "test", &e));
        ASSERT_OK(compile_settings(&q, d, /* ret_files= */ NULL, &e));
        ASSERT_OK(compile_finish(&q, d, true, &s, &e));
        ASSERT_STREQ(s->name, "my-web");
        ASSERT_TRUE(q.keep_unit);
        ASSERT_EQ(s->payload.start, START_BOOT);
        ASSERT_EQ(s->users.mode, USERNS_PICK); /* no settings of that name */
        ASSERT_EQ(s->console.mode, CONSOLE_READ_ONLY);
        place_end(&p);
}

TEST(unit_check) {
        Error e = ERROR_NULL;
        ASSERT_ERROR(compile_check_unit("no-such-image-anywhere", &e), ENOENT);
        ASSERT_EQ(e.id, ERROR_ROOT_NOT_FOUND);
        error_done(&e);
        ASSERT_ERROR(compile_check_unit("a/b", &e), EINVAL);
        ASSERT_EQ(e.id, ERROR_INVALID_NAME);
        error_done(&e);
}

TEST(all_options_have_names) {
        char **names = NULL;
        ASSERT_OK(run_list_options(FACE_RUN, &names));
        ASSERT_TRUE(strv_contains(names, "--directory"));
        ASSERT_TRUE(strv_contains(names, "--settings"));
        ASSERT_FALSE(strv_contains(names, "--in-unit"));
        ASSERT_FALSE(strv_contains(names, "--network-veth"));
        strv_free(names);
}

TEST_MAIN
