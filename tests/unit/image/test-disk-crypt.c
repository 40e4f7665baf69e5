/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the device-mapper for disk images: which are ours, and what says how they are made. */
#include "image/disk-crypt.h"

#include "basic/str.h"
#include "image/disk-signature.h"

#include "test.h"

/* What a killed process has left is removed, nothing else that looks like it. */
TEST(devices_of_ours) {
#define OURS "berth-4711-0123456789abcdef"
        static const struct {
                const char *name, *uuid;
        } others[] = {
                { OURS, "" },
                { OURS, OURS },
                { OURS, "LVM-" OURS },
                { OURS, "CRYPT-PLAIN-" OURS },
                { OURS, "CRYPT-VERITY-00112233445566778899aabbccddeeff-other" },
                { "berth-4711-backup", "CRYPT-LUKS2-00-berth-4711-backup" },
                { "berth-4711-0123456789abcde", "CRYPT-LUKS2-00-berth-4711-0123456789abcde" },
                { OURS "0", "CRYPT-LUKS2-00-" OURS "0" },
                { "berth-4711-0123456789ABCDEF", "CRYPT-LUKS2-00-berth-4711-0123456789ABCDEF" },
                { "berth-1-0123456789abcdef", "CRYPT-LUKS2-00-berth-1-0123456789abcdef" },
                { "berth--0123456789abcdef", "CRYPT-LUKS2-00-berth--0123456789abcdef" },
                { "berth--5-0123456789abcdef", "CRYPT-LUKS2-00-berth--5-0123456789abcdef" },
                { "berth-+5-0123456789abcdef", "CRYPT-LUKS2-00-berth-+5-0123456789abcdef" },
                { "berth-99999999999-0123456789abcdef",
                  "CRYPT-LUKS2-00-berth-99999999999-0123456789abcdef" },
                { "x" OURS, "CRYPT-LUKS2-00-x" OURS },
        };
        static const char *const types[] = { "VERITY", "LUKS1", "LUKS2" };
        pid_t pid;

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (crypt_is_ours(others[i].name, others[i].uuid, &pid))
                        TEST_FAIL("'%s', '%s' is taken for ours", others[i].name, others[i].uuid);
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                _cleanup_free_ char *uuid =
                        strjoin("CRYPT-", types[i], "-00112233445566778899aabbccddeeff-" OURS);
                pid = 0;
                ASSERT_TRUE(crypt_is_ours(OURS, uuid, &pid));
                ASSERT_EQ(pid, 4711);
        }
}

#define HASH "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef"

TEST(signatures) {
        static const char *const bad[] = {
                "",
                "{",
                "{}",
                "[]",
                "{\"rootHash\":\"" HASH "\"}",
                "{\"rootHash\":\"" HASH "\",\"signature\":\"\"}",
                "{\"rootHash\":\"" HASH "\",\"signature\":\"QUJ\"}",
                "{\"rootHash\":\"" HASH "\",\"signature\":\"=UJD\"}",
                "{\"rootHash\":\"" HASH "0\",\"signature\":\"QUJD\"}",
                "{\"rootHash\":\"" HASH "\",\"signature\":\"QUJD\"} x",
                "{\"rootHash\":\"" HASH "\",\"signature\":\"QUJD\"",
                "{\"rootHash\":\"" HASH "\",\"signature\":\"QUJD\",}",
                "{\"rootHash\":\"" HASH "\",\"rootHash\":\"" HASH "\",\"signature\":\"QUJD\"}",
                "{\"rootHash\":\"" HASH "\",\"signature\":{\"a\":\"QUJD\"}}",
                "{\"rootHash\":\"" HASH "\",\"signature\":\"QU\\nJD\"}",
        };
        _cleanup_free_ char *hash = NULL, *signature = NULL, *bytes = NULL;
        size_t size;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (disk_signature_read(bad[i], &hash, &signature) != -EBADMSG)
                        TEST_FAIL("'%s' is taken", bad[i]);
        ASSERT_OK(disk_signature_read(" {\"rootHash\" : \"" HASH
                                      "\",\n\"certificateFingerprint\":\"ab\","
                                      "\"version\": 1, \"signature\":\"QUJDRA==\" }\n",
                                      &hash, &signature));
        ASSERT_STREQ(hash, HASH);
        ASSERT_OK(disk_base64_decode(signature, &bytes, &size));
        ASSERT_EQ(size, (size_t) 4);
        ASSERT_EQ(memcmp(bytes, "ABCD", 4), 0);
}

TEST_MAIN
