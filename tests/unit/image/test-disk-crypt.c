/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the device-mapper for disk images: which are ours, and what says how they are made. */
#include "image/disk-crypt.h"

#include "basic/str.h"
#include "image/disk-key.h"
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

/* ---- LUKS ---- */

#define ROOT "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
#define HOME "933ac7e1-2eb4-4f13-b844-0e14e2aef915"
#define UUID "00000000-0000-0000-0000-000000000001"

static void decide(const char *policy, const char *first, const char *second, DiskPlan *ret,
                   DiskFacts *ret_facts, const char *error) {
        _cleanup_free_ char *text = strf("size=104857600 512 gpt\n"
                                         "partition=1 1048576 1048576 " ROOT " " UUID " 0 %s 0 \n"
                                         "partition=2 2097152 1048576 " HOME " " UUID " 0 %s 0 \n",
                                         first, second);
        _cleanup_error_ Error e = ERROR_NULL;
        DiskPolicy p;

        ASSERT_OK(disk_policy_parse(policy, &p, NULL));
        ASSERT_OK(disk_facts_parse(text, ret_facts));
        int r = disk_decide("/x.raw", ret_facts, &p, NULL, "x86-64", ret, &e);
        if (error && (r >= 0 || !strstr(error_message(&e), error)))
                TEST_FAIL("%s: '%s' lacks '%s'", policy, r < 0 ? error_message(&e) : "", error);
        if (!error && r < 0)
                TEST_FAIL("%s: %s", policy, error_message(&e));
}

TEST(encrypted_partitions) {
        static const struct {
                const char *policy, *root, *home;
                bool root_encrypted, home_encrypted, with_integrity;
                const char *error;
        } cases[] = {
                { NULL, "crypto_LUKS", "ext4", true, false, false, NULL },
                { NULL, "ext4", "crypto_LUKS", false, true, false, NULL },
                { "*", "crypto_LUKS", "crypto_LUKS", true, true, false, NULL },
                { "root=encrypted", "crypto_LUKS", "ext4", true, false, false, NULL },
                { "root=encrypted", "ext4", "ext4", .error = "is not encrypted" },
                { "root=encryptedwithintegrity", "ext4", "ext4", .error = "is not encrypted" },
                { "root=encryptedwithintegrity", "crypto_LUKS", "ext4", true, false, true, NULL },
                { "root=encrypted+encryptedwithintegrity", "crypto_LUKS", "-", true, false, false,
                  NULL },
                { "root=unprotected", "crypto_LUKS", "ext4", .error = "is encrypted" },
                { "root=verity+signed", "crypto_LUKS", "ext4", .error = "dm-verity" },
                { "root=unprotected:home=encrypted", "ext4", "ext4", .error = "(home)" },
                { "root=unprotected+encrypted:home=unused", "crypto_LUKS", "crypto_LUKS", true,
                  false, false, NULL },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(disk_facts_done) DiskFacts facts = { 0 };
                DiskPlan plan = { 0 };
                decide(cases[i].policy, cases[i].root, cases[i].home, &plan, &facts,
                       cases[i].error);
                if (cases[i].error)
                        continue;
                if (plan.mounts[DISK_ROOT].encrypted != cases[i].root_encrypted ||
                    plan.mounts[DISK_ROOT].with_integrity != cases[i].with_integrity ||
                    plan.mounts[DISK_HOME].encrypted != cases[i].home_encrypted)
                        TEST_FAIL("case %zu is decided otherwise", i);
        }
}

TEST(encrypted_and_protected_by_a_hash) {
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        DiskVerity v = DISK_VERITY_NULL;
        DiskPolicy policy;
        DiskPlan plan;

        v.hashes = (char *) "/x.verity";
        ASSERT_OK(disk_hash_parse(HASH, v.root_hash, &v.root_hash_size));
        ASSERT_OK(disk_policy_parse(NULL, &policy, NULL));
        ASSERT_OK(disk_facts_parse("size=1048576 512 none\nwhole=crypto_LUKS 0\n", &f));
        ASSERT_ERROR(disk_decide("/x", &f, &policy, &v, NULL, &plan, &e), EOPNOTSUPP);
        ASSERT_STREQ(e.message,
                     "Image '/x' is protected by dm-verity and encrypted, which is not supported");
        ASSERT_OK(disk_decide("/x", &f, &policy, NULL, NULL, &plan, NULL));
        ASSERT_TRUE(plan.mounts[DISK_ROOT].encrypted);
}

TEST(inside) {
        static const struct {
                const char *facts, *error;
        } cases[] = {
                { "size=4096000 512 none\nwhole=ext4 1\n", NULL },
                { "size=4096000 512 none\nwhole=squashfs 0\n", NULL },
                { "size=4096000 512 none\nwhole=vfat 0\n",
                  "Partition 3 (home) of image '/x' holds the file system vfat, which is not mounted there" },
                { "size=4096000 512 none\nwhole=- 0\n",
                  "Partition 3 (home) of image '/x' holds no file system that is known" },
                { "size=4096000 512 none\nwhole=crypto_LUKS 0\n",
                  "Partition 3 (home) of image '/x' has another one below its encryption, not a file system" },
                { "size=104857600 512 gpt\nwhole=- 0\n",
                  "Partition 3 (home) of image '/x' has a partition table below its encryption, not a file system" },
        };
        const DiskPartition outside = { .number = 3,
                                        .offset = 7,
                                        .size = 8192000,
                                        .flags = DISK_FLAG_GROW,
                                        .file_system = "crypto_LUKS" };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(disk_facts_done) DiskFacts f = { 0 };
                _cleanup_error_ Error e = ERROR_NULL;
                DiskPartition p;
                ASSERT_OK(disk_facts_parse(cases[i].facts, &f));
                int r = disk_decide_inside("/x", DISK_HOME, &outside, &f, &p, &e);
                if (cases[i].error) {
                        ASSERT_TRUE(r < 0);
                        ASSERT_STREQ(e.message, cases[i].error);
                        continue;
                }
                ASSERT_OK(r);
                ASSERT_EQ(p.number, 3U);
                ASSERT_EQ(p.size, UINT64_C(4096000));
                ASSERT_EQ(p.flags, DISK_FLAG_GROW);
                ASSERT_STREQ(p.file_system, i == 0 ? "ext4" : "squashfs");
                ASSERT_EQ(p.needs_check, i == 0);
        }
}

TEST(memory_of_keys) {
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(crypt_check_memory("/x", 1, 0, NULL));
        ASSERT_OK(crypt_check_memory("/x", 1, 1U << 20, NULL));
        ASSERT_ERROR(crypt_check_memory("/x", 3, 4U << 20, &e), E2BIG);
        ASSERT_STREQ(
                e.message,
                "Key slot 3 of image '/x' takes 4096 MiB of memory to be tried, and at most 1024 are given");
}

TEST(ciphers) {
        static const char *const none[] = { NULL, "null", "cipher_null", "cipher_null-ecb",
                                            "capi:ecb(cipher_null)-plain64" };
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(crypt_check_cipher("/x", -1, "aes", NULL));
        ASSERT_OK(crypt_check_cipher("/x", 2, "aes-xts-plain64", NULL));
        for (size_t i = 0; i < ELEMENTSOF(none); i++)
                if (crypt_check_cipher("/x", -1, none[i], NULL) != -EOPNOTSUPP)
                        TEST_FAIL("'%s' is taken", strempty(none[i]));
        ASSERT_ERROR(crypt_check_cipher("/x", 2, "cipher_null-ecb", &e), EOPNOTSUPP);
        ASSERT_STREQ(
                e.message,
                "Image '/x' says that it is encrypted, but the cipher of its key slot 2 is none at all (cipher_null)");
}

TEST(outcomes) {
        _cleanup_error_ Error no = ERROR_NULL, wrong = ERROR_NULL;

        for (DiskUnlock u = 0; u < _DISK_UNLOCK_MAX; u++)
                ASSERT_EQ(disk_unlock_from_string(disk_unlock_to_string(u)), u);
        ASSERT_TRUE(disk_unlock_from_string("rw") < 0);
        ASSERT_ERROR(disk_key_error("/x", DISK_NO_KEY, &no), ENOKEY);
        ASSERT_STREQ(no.message, "Image '/x' is encrypted, and there is no key");
        ASSERT_NOT_NULL(strstr(no.hint, "--image-key-file="));
        ASSERT_ERROR(disk_key_error("/x", DISK_WRONG_KEY, &wrong), EACCES);
        ASSERT_STREQ(wrong.message, "The key that was given does not open image '/x'");
}

TEST_MAIN
