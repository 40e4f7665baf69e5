/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests for transfers. */
#include "ipc/transfer.h"

#include "basic/str.h"
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

TEST_MAIN
