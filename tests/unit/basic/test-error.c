/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/error.c. */
#include "test.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <unistd.h>

#include "basic/error.h"
#include "basic/fd.h"
#include "basic/str.h"

TEST(set_and_done) {
        Error e = ERROR_NULL;

        ASSERT_FALSE(error_is_set(&e));
        ASSERT_FALSE(error_is_set(NULL));
        ASSERT_EQ(error_set(&e, -ENOENT, ERROR_ROOT_NOT_FOUND, "Cannot find '%s'", "web"), -ENOENT);
        ASSERT_TRUE(error_is_set(&e));
        ASSERT_EQ(e.code, -ENOENT);
        ASSERT_EQ(e.id, ERROR_ROOT_NOT_FOUND);
        ASSERT_STREQ(e.message, "Cannot find 'web'");
        ASSERT_NULL(e.hint);
        error_done(&e);
        ASSERT_FALSE(error_is_set(&e));
        ASSERT_NULL(e.message);
        error_done(&e);
        error_done(NULL);
}

TEST(the_first_error_stays) {
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_EQ(error_set(&e, -EBUSY, ERROR_ROOT_BUSY, "first"), -EBUSY);
        ASSERT_EQ(error_set(&e, -EIO, ERROR_FAILED, "second"), -EIO);
        ASSERT_STREQ(e.message, "first");
        ASSERT_EQ(e.code, -EBUSY);
}

TEST(without_an_object) {
        ASSERT_EQ(error_set(NULL, -EPERM, ERROR_FAILED, "unheard"), -EPERM);
        ASSERT_EQ(error_set_errno(NULL, -EPERM, ERROR_FAILED, "unheard"), -EPERM);
        ASSERT_EQ(error_oom(NULL), -ENOMEM);
        error_hint(NULL, "nothing");
}

TEST(words_and_errno) {
        _cleanup_error_ Error e = ERROR_NULL;

        errno = EXDEV;
        ASSERT_EQ(error_set_errno(&e, -ENOENT, ERROR_MOUNT_FAILED, "mounting '%s' failed", "/a"),
                  -ENOENT);
        ASSERT_STREQ(e.message, "mounting '/a' failed: No such file or directory");
        ASSERT_EQ(errno, EXDEV);
}

TEST(a_code_that_is_no_error_becomes_one) {
        _cleanup_error_ Error a = ERROR_NULL, b = ERROR_NULL;

        ASSERT_EQ(error_set(&a, ENOENT, ERROR_FAILED, "x"), -ENOENT);
        ASSERT_EQ(error_set(&b, 0, ERROR_FAILED, "x"), -EIO);
}

TEST(hint) {
        _cleanup_error_ Error e = ERROR_NULL;

        error_hint(&e, "too early");
        ASSERT_NULL(e.hint);
        (void) error_set(&e, -EINVAL, ERROR_USAGE, "x");
        error_hint(&e, "try '%s'", "--help");
        error_hint(&e, "another");
        ASSERT_STREQ(e.hint, "try '--help'");
}

TEST(hostile_names_are_made_harmless) {
        _cleanup_error_ Error e = ERROR_NULL;

        (void) error_set(&e, -EINVAL, ERROR_INVALID_NAME, "Bad name '%s'", "a\033[2J\n\xff");
        ASSERT_STREQ(e.message, "Bad name 'a\\x1b[2J\\x0a\\xff'");
        error_hint(&e, "not '%s'", "\r");
        ASSERT_STREQ(e.hint, "not '\\x0d'");
}

TEST(take) {
        Error src = ERROR_NULL, dst = ERROR_NULL;

        ASSERT_EQ(error_take(&dst, &src), 0);
        ASSERT_FALSE(error_is_set(&dst));
        (void) error_set(&src, -EBUSY, ERROR_ROOT_BUSY, "one");
        ASSERT_EQ(error_take(&dst, &src), -EBUSY);
        ASSERT_FALSE(error_is_set(&src));
        ASSERT_STREQ(dst.message, "one");
        (void) error_set(&src, -EIO, ERROR_FAILED, "two");
        ASSERT_EQ(error_take(&dst, &src), -EIO);
        ASSERT_STREQ(dst.message, "one");
        (void) error_set(&src, -EIO, ERROR_FAILED, "three");
        ASSERT_EQ(error_take(NULL, &src), -EIO);
        ASSERT_NULL(src.message);
        error_done(&dst);
}

TEST(every_id_has_a_complete_row) {
        for (size_t i = 0; i < _ERROR_MAX; i++) {
                const char *name = error_id_to_string((ErrorId) i),
                           *text = error_id_describe((ErrorId) i);
                int status = error_id_to_exit_status((ErrorId) i);

                ASSERT_NOT_NULL(name);
                ASSERT_TRUE(name[0] >= 'A' && name[0] <= 'Z');
                ASSERT_EQ(error_id_from_string(name), i);
                ASSERT_STREQ(startswith(error_id_to_dbus_name((ErrorId) i), "org.berth.Error."),
                             name);
                ASSERT_TRUE(status == 2 || (status >= 125 && status <= 127));
                ASSERT_NOT_NULL(endswith(text, "."));
                ASSERT_TRUE(text[0] >= 'A' && text[0] <= 'Z');
        }
}

/* Its list is this table, in this order. */
TEST(manual_has_the_same_list) {
        _cleanup_free_ char *self = strdup(__FILE__), *manual = NULL;
        _cleanup_free_ char *page = strjoin(dirname(self), "/../../../man/org.berth.Containers1.5");
        if (access(page, R_OK) < 0)
                TEST_SKIP("the manual's source is not beside the tests");
        ASSERT_OK(file_read_all(AT_FDCWD, page, 1 << 20, &manual, NULL));
        const char *p = strstr(manual, "\n.SH ERRORS\n");
        ASSERT_NOT_NULL(p);
        p = strstr(p, "\n.TP\n");
        for (size_t i = 0; i < _ERROR_MAX; i++) {
                _cleanup_free_ char *want =
                        strf("\n.TP\n.I %s\n%s", error_id_to_string((ErrorId) i),
                             error_id_describe((ErrorId) i));
                _cleanup_free_ char *is = strndup(strempty(p), strlen(want));
                ASSERT_STREQ(is, want);
                p += strlen(want);
        }
        ASSERT_NOT_NULL(startswith(p, "\n.SH ")); /* and no more */
}

TEST(ids_out_of_range) {
        ASSERT_EQ((int) error_id_from_string("NoSuchThing"), -EINVAL);
        ASSERT_EQ((int) error_id_from_string(""), -EINVAL);
        ASSERT_EQ((int) error_id_from_string(NULL), -EINVAL);
        ASSERT_STREQ(error_id_to_string(_ERROR_MAX), "Failed");
        ASSERT_STREQ(error_id_to_string((ErrorId) -EINVAL), "Failed");
}

TEST(exit_statuses) {
        ASSERT_EQ(error_id_to_exit_status(ERROR_USAGE), 2);
        ASSERT_EQ(error_id_to_exit_status(ERROR_INIT_NOT_FOUND), 127);
        ASSERT_EQ(error_id_to_exit_status(ERROR_NOT_EXECUTABLE), 126);
        ASSERT_EQ(error_id_to_exit_status(ERROR_MOUNT_FAILED), 125);
        ASSERT_STREQ(error_id_to_dbus_name(ERROR_ROOT_NOT_FOUND), "org.berth.Error.RootNotFound");
}

TEST(errno_names) {
        ASSERT_STREQ(errno_words(ENOENT), "No such file or directory");
        ASSERT_STREQ(errno_words(-ENOENT), "No such file or directory");
        ASSERT_STREQ(errno_words(99999), "Unknown error");
        ASSERT_STREQ(errno_words(INT_MIN), "Unknown error");
        ASSERT_STREQ(errno_symbol(-ENOENT), "ENOENT");
        ASSERT_STREQ(errno_symbol(4000), "EUNKNOWN");
}

TEST(serialize) {
        _cleanup_error_ Error e = ERROR_NULL, back = ERROR_NULL;
        _cleanup_free_ char *text = NULL;

        (void) error_set(&e, -EBUSY, ERROR_ROOT_BUSY, "a\\b \"c\" ü %s", "\n");
        error_hint(&e, "h'i");
        ASSERT_OK(error_serialize(&e, &text));
        ASSERT_STREQ(text,
                     "ERROR_ID=RootBusy\nERRNO=16\nMESSAGE=a\\\\b \\\"c\\\" ü \\\\x0a\nHINT=h'i");
        ASSERT_OK(error_deserialize(text, &back));
        ASSERT_EQ(back.code, -EBUSY);
        ASSERT_EQ(back.id, ERROR_ROOT_BUSY);
        ASSERT_STREQ(back.message, e.message);
        ASSERT_STREQ(back.hint, e.hint);
}

TEST(serialize_without_message) {
        Error e = { .code = -ENOMEM, .id = ERROR_FAILED };
        _cleanup_free_ char *text = NULL;
        _cleanup_error_ Error back = ERROR_NULL;

        ASSERT_STREQ(error_message(&e), "Cannot allocate memory");
        ASSERT_OK(error_serialize(&e, &text));
        ASSERT_OK(error_deserialize(text, &back));
        ASSERT_STREQ(back.message, "Cannot allocate memory");
        ASSERT_NULL(back.hint);
}

TEST(deserialize_hostile) {
        static const char *const bad[] = {
                "",
                "\n",
                "garbage",
                "ERROR_ID=Failed",
                "ERRNO=0",
                "ERRNO=-5",
                "ERRNO=4096",
                "ERRNO=99999999999",
                "ERRNO=5\nMESSAGE=\\",
                "ERRNO=5\nMESSAGE=\\x00",
                "ERRNO=5\nHINT=\\q",
                "ERRNO=5\nline",
                "ERRNO= 5",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Error e = ERROR_NULL;

                ASSERT_ERROR(error_deserialize(bad[i], &e), EBADMSG);
                ASSERT_FALSE(error_is_set(&e));
        }
}

TEST(deserialize_tolerates_newer_peers) {
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(error_deserialize(
                "ERROR_ID=FromTheFuture\nMORE=x\nERRNO=2\nMESSAGE=a\\nb\\x1b\nMESSAGE=last\n\n",
                &e));
        ASSERT_EQ(e.id, ERROR_FAILED);
        ASSERT_EQ(e.code, -ENOENT);
        ASSERT_STREQ(e.message, "last");
}

TEST(deserialized_text_is_harmless_too) {
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(error_deserialize("ERRNO=2\nMESSAGE=a\\n\\x1b\\xff\nHINT=raw\033", &e));
        ASSERT_STREQ(e.message, "a\\x0a\\x1b\\xff");
        ASSERT_STREQ(e.hint, "raw\\x1b");
}

TEST_MAIN
