/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of settings that berth writes. */
#include "cli/settings-write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "test.h"

TEST(paths) {
        _cleanup_free_ char *a = settings_path("web", NULL, false),
                            *b = settings_path("web", NULL, true),
                            *c = settings_path("web", "x.conf", false);

        ASSERT_STREQ(a, "/etc/berth/web.berth");
        ASSERT_STREQ(b, "/run/berth/settings/web.berth");
        ASSERT_STREQ(c, "/etc/berth/web.berth.d/x.conf");
}

TEST(staging) {
        char top[] = "/tmp/test-staging.XXXXXX";
        ASSERT_NOT_NULL(mkdtemp(top));
        _cleanup_free_ char *directory = path_join(top, "web.berth.d"),
                            *path = path_join(directory, "a.conf"), *text = NULL, *kept = NULL;
        Error e = ERROR_NULL;
        struct stat st;

        /* dropped: nothing is left, the directory included */
        {
                _cleanup_(staged_file_done) StagedFile f = { 0 };
                ASSERT_OK(staged_file_write(&f, path, path, "one\n", &e));
                ASSERT_EQ(access(path, F_OK), -1);
                ASSERT_EQ(access(f.temporary, F_OK), 0);
                ASSERT_EQ(path_last_component(f.temporary)[0], '.');
                ASSERT_NULL(endswith(f.temporary, ".conf"));
        }
        ASSERT_EQ(access(directory, F_OK), -1);
        {
                _cleanup_(staged_file_done) StagedFile f = { 0 };
                ASSERT_OK(staged_file_write(&f, path, path, "one\n", &e));
                ASSERT_OK(staged_file_commit(&f, &e));
        }
        ASSERT_OK(file_read_all(AT_FDCWD, path, 100, &text, NULL));
        ASSERT_STREQ(text, "one\n");
        ASSERT_OK(stat(path, &st));
        ASSERT_EQ(st.st_mode & 07777, 0644);
        {
                _cleanup_(staged_file_done) StagedFile f = { 0 };
                ASSERT_OK(staged_file_write(&f, path, path, "two\n", &e));
        }
        ASSERT_OK(file_read_all(AT_FDCWD, path, 100, &kept, NULL));
        ASSERT_STREQ(kept, "one\n");

        /* owner and mode are those of the file that is replaced ... */
        ASSERT_OK(chown(path, 12, 34));
        ASSERT_OK(chmod(path, 0660));
        {
                _cleanup_(staged_file_done) StagedFile f = { 0 };
                ASSERT_OK(staged_file_write(&f, path, path, "three\n", &e));
                ASSERT_OK(staged_file_commit(&f, &e));
        }
        ASSERT_OK(stat(path, &st));
        ASSERT_EQ(st.st_mode & 07777, 0660);
        ASSERT_EQ(st.st_uid, 12U);
        ASSERT_EQ(st.st_gid, 34U);
        /* ... of another one that it is made from only what does not widen it; and what is for an editor is root's alone */
        _cleanup_free_ char *other = path_join(directory, "b.conf");
        static const struct {
                mode_t before, after;
        } modes[] = { { 0600, 0600 }, { 0666, 0644 }, { 06777, 0644 } };
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                _cleanup_(staged_file_done) StagedFile f = { 0 }, shown = { 0 };
                ASSERT_OK(chmod(path, modes[i].before));
                ASSERT_OK(staged_file_write(&f, other, path, "x", &e));
                ASSERT_OK(stat(f.temporary, &st));
                ASSERT_EQ(st.st_mode & 07777, modes[i].after);
                ASSERT_EQ(st.st_uid, 0U);
                ASSERT_OK(staged_file_write(&shown, path, NULL, "x", &e));
                ASSERT_OK(stat(shown.temporary, &st));
                ASSERT_EQ(st.st_mode & 07777, 0600);
        }
        ASSERT_OK(unlink(path));
        ASSERT_OK(rmdir(directory));

        /* no place for it */
        int fd = open(directory, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        ASSERT_OK(fd);
        fd_close(fd);
        {
                _cleanup_(staged_file_done) StagedFile f = { 0 };
                ASSERT_TRUE(staged_file_write(&f, path, path, "x", &e) < 0);
                ASSERT_CONTAINS(e.message, "a.conf' cannot be written");
                error_done(&e);
        }
        ASSERT_OK(unlink(directory));
        ASSERT_OK(rmdir(top));
}

TEST_MAIN
