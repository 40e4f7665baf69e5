/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests for transfers. */
#include "ipc/transfer.h"

#include <unistd.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "test.h"

static void assert_name(const char *path, const char *expected) {
        _cleanup_free_ char *name = NULL;
        ASSERT_OK(transfer_name_of(path, &name));
        ASSERT_STREQ(name, expected);
}

TEST(names) {
        assert_name("/srv/web.tar", "web");
        assert_name("web.tar.xz", "web");
        assert_name("web.tgz", "web");
        assert_name("./web.raw.zst", "web");
        assert_name("debian-13.qcow2", "debian-13");
        assert_name("a.vmdk.gz", "a");
        assert_name("http://example.com/a/web-1.2.tar.gz?x=/y.tar#z", "web-1.2");
        assert_name("/srv/web/", "web");
        assert_name("/srv/web#1.tar", "web#1");
        _cleanup_free_ char *name = NULL;
        ASSERT_ERROR(transfer_name_of("/", &name), EINVAL);
        ASSERT_ERROR(transfer_name_of(".tar.gz", &name), EINVAL);
}

TEST(formats) {
        ASSERT_EQ(transfer_format_of_file("a.tar"), TRANSFER_UNCOMPRESSED);
        ASSERT_EQ(transfer_format_of_file("a.tar.gz"), TRANSFER_GZIP);
        ASSERT_EQ(transfer_format_of_file("a.tzst"), TRANSFER_ZSTD);
        ASSERT_EQ(transfer_format_of_file("a.raw.xz"), TRANSFER_XZ);
        ASSERT_EQ(transfer_format_of_file("a.gz.b"), TRANSFER_UNCOMPRESSED);
}

TEST(requests) {
        _cleanup_error_ Error e = ERROR_NULL;
        TransferRequest q;
        ASSERT_OK(
                transfer_request_parse((char *[]){ "TYPE=import-tar", "NAME=web", "REPLACE=yes",
                                                   "SIZE_MAX=17", "FORMAT=xz", "VERIFY=no", NULL },
                                       &q, &e));
        ASSERT_EQ(q.type, TRANSFER_IMPORT_TAR);
        ASSERT_STREQ(q.name, "web");
        ASSERT_TRUE(q.replace && !q.read_only);
        ASSERT_EQ(q.size_max, 17);
        ASSERT_EQ(q.format, TRANSFER_XZ);
        ASSERT_EQ(q.verify, TRANSFER_VERIFY_NO);
        /* signatures are verified unless somebody says otherwise */
        ASSERT_OK(transfer_request_parse((char *[]){ "TYPE=pull-tar", "NAME=web", NULL }, &q, &e));
        ASSERT_EQ(q.verify, TRANSFER_VERIFY_SIGNATURE);
        ASSERT_NULL(q.checksum);
        ASSERT_OK(transfer_request_parse(
                (char *[]){ "TYPE=pull-tar", "NAME=web", "REMOTE=http://h/a=b", "SHA256=aa", NULL },
                &q, &e));
        ASSERT_STREQ(q.remote, "http://h/a=b");
        ASSERT_STREQ(q.checksum, "aa");
        static char *bad[][3] = { { "TYPE=import-tar", NULL },
                                  { "NAME=web", NULL },
                                  { "TYPE=copy", "NAME=web", NULL },
                                  { "TYPE=import-tar", "NAME", NULL },
                                  { "TYPE=import-tar", "SIZE_MAX=x", NULL } };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                error_done(&e);
                ASSERT_ERROR(transfer_request_parse(bad[i], &q, &e), EINVAL);
                ASSERT_EQ(e.id, ERROR_PROTOCOL);
        }
}

/* berthd's way, by a descriptor. */
TEST(by_descriptor) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_strv_free_ char **words = NULL;
        const TransferRequest asked = { .type = TRANSFER_PULL_RAW,
                                        .name = "web",
                                        .remote = "http://me:secret@h/a=b,c d.raw",
                                        .checksum = "aa",
                                        .read_only = true,
                                        .size_max = 17,
                                        .format = TRANSFER_ZSTD,
                                        .verify = TRANSFER_VERIFY_NO };
        TransferRequest q;
        int fd;
        ASSERT_OK(transfer_request_new(&asked, &fd, &e));
        ASSERT_OK(transfer_request_read(fd, &words));
        close(fd);
        ASSERT_OK(transfer_request_parse(words, &q, &e));
        ASSERT_EQ(q.type, asked.type);
        ASSERT_STREQ(q.name, asked.name);
        ASSERT_STREQ(q.remote, asked.remote);
        ASSERT_STREQ(q.checksum, asked.checksum);
        ASSERT_TRUE(q.read_only && !q.replace);
        ASSERT_EQ(q.size_max, 17);
        ASSERT_EQ(q.format, asked.format);
        ASSERT_EQ(q.verify, asked.verify);
        ASSERT_ERROR(transfer_request_read(-1, &words), EBADMSG);

        _cleanup_free_ char *name = calloc(TRANSFER_REQUEST_MAX + 1, 1);
        memset(name, 'x', TRANSFER_REQUEST_MAX);
        const TransferRequest long_one = { .name = name };
        ASSERT_ERROR(transfer_request_new(&long_one, &fd, &e), E2BIG);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
}

TEST(answers) {
        static const char text[] = "NAME=web\0FILES=12\0BYTES=x\0PATH=";
        ASSERT_STREQ(transfer_answer_get(text, sizeof(text), "NAME"), "web");
        ASSERT_STREQ(transfer_answer_get(text, sizeof(text), "PATH"), "");
        ASSERT_STREQ(transfer_answer_get(text, sizeof(text), "FILE"), "");
        ASSERT_STREQ(transfer_answer_get(NULL, 0, "NAME"), "");
        ASSERT_EQ(transfer_answer_number(text, sizeof(text), "FILES"), 12);
        ASSERT_EQ(transfer_answer_number(text, sizeof(text), "BYTES"), 0);
}

TEST_MAIN
