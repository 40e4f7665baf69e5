/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is on a disk → what is mounted where; facts and policies as text. */
#include "image/disk.h"

#include "image/disk-signature.h"
#include "image/disk-types.h"

#include "test.h"

#define MIB UINT64_C(1048576)
#define ROOT "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
#define ROOT_X86 "44479540-f297-41b2-9af7-d131d5f0458a"
#define ROOT_ARM64 "b921b045-1df0-41c3-af44-4c6f280d3fae"
#define ROOT_SIGNATURE "41092b05-9fc8-4523-994f-2def0408b176"
#define USR_VERITY "77ff5f63-e7b6-4633-acf4-1565b864c0e6"
#define ROOT_VERITY "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"
#define USR "8484680c-9521-48c6-9c11-b0720656f69e"
#define USR_ARM64 "b0e01050-ee5f-4390-949a-9101b17104e9"
#define HOME "933ac7e1-2eb4-4f13-b844-0e14e2aef915"
#define VAR "4d21b016-b534-45c2-a9fb-5c16e091fd2d"
#define TMP "7ec6f557-3bc5-4aca-b293-16ef5df639d1"
#define ESP "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define XBOOTLDR "bc13c2ff-59e6-4262-a352-b275fd6f7172"
#define SWAP "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
#define LINUX "0fc63daf-8483-4772-8e79-3d69d8477de4"
#define READ_ONLY "1152921504606846976"
#define NO_AUTO "9223372036854775808"
#define GROW "576460752303423488"

/* "TYPE FLAGS FILESYSTEM LABEL", each a partition of 1 MiB behind the one before. */
static void make_disk(const char *table, char *const *partitions, DiskFacts *ret) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL;

        strbuf_addf(&b, "size=104857600 512 %s\nwhole=- 0\n", table);
        for (unsigned i = 0; partitions[i]; i++) {
                char type[64], flags[32], fs[32], label[64] = "";
                ASSERT_TRUE(sscanf(partitions[i], "%63s %31s %31s %63s", type, flags, fs, label) >=
                            3);
                strbuf_addf(
                        &b,
                        "partition=%u %llu 1048576 %s 00000000-0000-0000-0000-%012u %s %s 0 %s\n",
                        i + 1, (i + 1) * (unsigned long long) MIB, type, i, flags, fs, label);
        }
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_OK(disk_facts_parse(text, ret));
}

typedef struct Case {
        const char *table, *partitions[6], *policy;
        const char *plan;  /* "root=1 home=2:ro"; NULL: it fails, */
        const char *error; /* with these words */
} Case;

static const char *describe_luks(const DiskMount *m) {
        return !m->encrypted ? "" : m->with_integrity ? ":luks+integrity" : ":luks";
}

static char *describe(const DiskPlan *plan) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        char *text = NULL;

        for (DiskPlace p = 0; p < _DISK_PLACE_MAX; p++) {
                const DiskMount *m = plan->mounts + p;
                if (m->partition)
                        strbuf_addf(&b, "%s%s=%u%s%s%s", b.size > 0 ? " " : "",
                                    disk_place_to_string(p), m->partition->number,
                                    m->read_only ? ":ro" : "", m->grow ? ":grow" : "",
                                    describe_luks(m));
        }
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}

static void check(const Case *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const Case *c = cases + i;
                _cleanup_(disk_facts_done) DiskFacts facts = { 0 };
                _cleanup_error_ Error e = ERROR_NULL;
                DiskPolicy policy;
                DiskPlan plan;

                make_disk(c->table, (char *const *) c->partitions, &facts);
                ASSERT_OK(disk_policy_parse(c->policy, &policy, NULL));
                int r = disk_decide("/x.raw", &facts, &policy, NULL, "x86-64", &plan, &e);
                if (c->plan) {
                        if (r < 0)
                                TEST_FAIL("case %zu: %s", i, error_message(&e));
                        _cleanup_free_ char *text = describe(&plan);
                        ASSERT_STREQ(text, c->plan);
                        continue;
                }
                if (r >= 0)
                        TEST_FAIL("case %zu works", i);
                if (!strstr(error_message(&e), c->error))
                        TEST_FAIL("case %zu: '%s' lacks '%s'", i, error_message(&e), c->error);
                ASSERT_NOT_NULL(strstr(error_message(&e), "/x.raw"));
        }
}

TEST(gpt) {
        static const Case cases[] = {
                { "gpt", { ROOT " 0 ext4" }, NULL, "root=1", NULL },
                /* each kind in its place; swap is not used */
                { "gpt",
                  { HOME " 0 xfs", ROOT " 0 ext4", VAR " 0 btrfs", TMP " 0 ext4", SWAP " 0 swap",
                    NULL },
                  NULL,
                  "root=2 home=1 var=3 tmp=4",
                  NULL },
                { "gpt",
                  { ESP " 0 vfat", XBOOTLDR " 0 vfat", ROOT " 0 ext4", USR " 0 erofs" },
                  NULL,
                  "root=3 usr=4:ro xbootldr=2 esp=1",
                  NULL },
                /* the first of a kind, but the newest of a system */
                { "gpt",
                  { ROOT " 0 ext4 os_1.9", ROOT " 0 ext4 os_1.10", ROOT " 0 ext4 os_1.2",
                    HOME " 0 ext4 a", HOME " 0 ext4 b" },
                  NULL,
                  "root=2 home=4",
                  NULL },
                { "gpt", { ROOT " 0 ext4", ROOT " 0 ext4" }, NULL, "root=1", NULL },
                { "gpt", { ROOT " 0 ext4 _empty", ROOT " 0 ext4 x" }, NULL, "root=2", NULL },
                /* the better architecture, and then the label */
                { "gpt",
                  { ROOT_ARM64 " 0 ext4 9", ROOT_X86 " 0 ext4 5", ROOT " 0 ext4 1" },
                  NULL,
                  "root=3",
                  NULL },
                { "gpt", { ROOT_ARM64 " 0 ext4 9", ROOT_X86 " 0 ext4 5" }, NULL, "root=2", NULL },
                { "gpt", { ROOT_ARM64 " 0 ext4 9" }, NULL, "root=1", NULL },
                { "gpt",
                  { ROOT_ARM64 " 0 ext4", USR " 0 ext4" },
                  NULL,
                  NULL,
                  "root partition for arm64 and a /usr partition for x86-64" },
                /* flags */
                { "gpt",
                  { ROOT " " READ_ONLY " ext4", HOME " " NO_AUTO " ext4", VAR " " GROW " ext4" },
                  NULL,
                  "root=1:ro var=3:grow",
                  NULL },
                { "gpt", { ROOT " 0 ext4", ESP " 2 vfat" }, NULL, "root=1", NULL },
                { "gpt", { ROOT " 0 ext4", ESP " " NO_AUTO " vfat" }, NULL, "root=1 esp=2", NULL },
                /* what protects others is not asked for */
                { "gpt",
                  { ROOT " 0 ext4", ROOT_VERITY " 0 DM_verity_hash" },
                  NULL,
                  "root=1",
                  NULL },
                /* no root: the one Linux partition */
                { "gpt", { ESP " 0 vfat", LINUX " 0 ext4" }, NULL, "root=2 esp=1", NULL },
                { "gpt", { LINUX " " NO_AUTO " ext4", LINUX " 0 ext4" }, NULL, "root=2", NULL },
                { "gpt", { LINUX " 0 ext4", ROOT " 0 ext4" }, NULL, "root=2", NULL },
                { "gpt", { LINUX " 0 ext4", LINUX " 0 ext4" }, NULL, NULL, "2 Linux partitions" },
                { "gpt", { ESP " 0 vfat" }, NULL, NULL, "no partition that a system could be on" },
                { "gpt", { NULL }, NULL, NULL, "no partition" },
                /* /usr alone: nothing else is kept, even if a policy leaves it so */
                { "gpt",
                  { USR " 0 ext4", VAR " 0 ext4", LINUX " 0 ext4" },
                  NULL,
                  "usr=1:ro",
                  NULL },
                { "gpt", { USR_ARM64 " 0 erofs 9", USR " 0 erofs 1" }, NULL, "usr=2:ro", NULL },
                { "gpt",
                  { ROOT " 0 ext4", USR " 0 ext4" },
                  "root=unused:usr=unprotected",
                  "usr=2:ro",
                  NULL },
                { "gpt", { USR " 0 ext4" }, "root=unprotected", NULL, "no root partition" },
                { "gpt", { USR " 0 ext4" }, "-", NULL, "leaves the root" },
        };
        check(cases, ELEMENTSOF(cases));
}

TEST(mbr) {
        static const Case cases[] = {
                { "mbr", { "83 0 ext4" }, NULL, "root=1", NULL },
                { "mbr", { "0c 0 vfat", "83 0 ext4" }, NULL, "root=2", NULL },
                { "mbr", { "83 0 ext4", "83* 0 ext4" }, NULL, "root=2", NULL },
                { "mbr", { "ea 0 vfat", "83* 0 ext4" }, NULL, "root=2 xbootldr=1", NULL },
                { "mbr", { "83 0 ext4", "83 0 ext4" }, NULL, NULL, "none is marked as the root" },
                { "mbr", { "83* 0 ext4", "83* 0 ext4" }, NULL, NULL, "2 Linux partitions" },
                { "mbr", { "07 0 -" }, NULL, NULL, "no partition" },
        };
        check(cases, ELEMENTSOF(cases));
}

TEST(file_systems) {
        static const Case cases[] = {
                { "gpt", { ROOT " 0 squashfs" }, NULL, "root=1:ro", NULL },
                { "gpt", { ROOT " 0 btrfs" }, NULL, "root=1", NULL },
                { "gpt",
                  { ROOT " 0 vfat" },
                  NULL,
                  NULL,
                  "file system vfat, which is not mounted there" },
                { "gpt", { ROOT " 0 ext2" }, NULL, NULL, "file system ext2" },
                { "gpt",
                  { ROOT " 0 -" },
                  NULL,
                  NULL,
                  "Partition 1 (root) of image '/x.raw' holds no file system" },
                { "gpt", { ROOT " 0 ?" }, NULL, NULL, "signatures of several" },
                { "gpt", { ESP " 0 crypto_LUKS", ROOT " 0 ext4" }, "*", NULL, "crypto_LUKS" },
                { "gpt", { ROOT " 0 ext4", ESP " 0 ext4" }, NULL, NULL, "Partition 2 (esp)" },
                { "gpt", { ROOT " 0 ext4", SWAP " 0 ?" }, NULL, "root=1", NULL },
        };
        check(cases, ELEMENTSOF(cases));
}

TEST(policies) {
        static const Case cases[] = {
                { "gpt", { ROOT " 0 ext4", HOME " 0 ext4" }, "*", "root=1 home=2", NULL },
                { "gpt", { ROOT " 0 ext4", HOME " 0 ext4" }, "root=unprotected", "root=1", NULL },
                { "gpt", { ROOT " 0 ext4", HOME " 0 ext4" }, "-", NULL, "leaves the root" },
                { "gpt", { ROOT " 0 ext4", HOME " 0 ext4" }, "~", NULL, "Partition 1 (root)" },
                { "gpt",
                  { ROOT " 0 ext4", HOME " 0 ext4" },
                  "root=unprotected:home=absent",
                  NULL,
                  "Partition 2 (home) of image '/x.raw' is there" },
                { "gpt",
                  { ROOT " 0 ext4" },
                  "root=unprotected:home=unprotected",
                  NULL,
                  "no home partition" },
                { "gpt",
                  { ROOT " 0 ext4" },
                  "root=unprotected:=unprotected+absent",
                  "root=1",
                  NULL },
                { "gpt", { ROOT " 0 ext4" }, "root=encrypted", NULL, "not encrypted" },
                { "gpt", { ROOT " 0 ext4" }, "root=verity+signed", NULL, "dm-verity" },
                { "gpt", { ROOT " 0 ext4" }, "root=verity+unprotected", "root=1", NULL },
                { "gpt", { ROOT " 0 crypto_LUKS" }, "root=unprotected", NULL, "is encrypted" },
                { "gpt",
                  { ROOT " 0 ext4" },
                  "root=unprotected+read-only-on",
                  NULL,
                  "lacks its read-only flag" },
                { "gpt",
                  { ROOT " " READ_ONLY " ext4" },
                  "root=unprotected+read-only-on",
                  "root=1:ro",
                  NULL },
                { "gpt",
                  { ROOT " " GROW " ext4" },
                  "root=unprotected+growfs-off",
                  NULL,
                  "has its growfs flag" },
                { "gpt",
                  { ROOT " " GROW " ext4" },
                  "root=unprotected+growfs-off+growfs-on",
                  "root=1:grow",
                  NULL },
                { "none", { NULL }, "root=absent", NULL, "Image '/x.raw'" },
        };
        check(cases, ELEMENTSOF(cases));
}

/* ---- dm-verity ---- */

#define HASH "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef"
#define FIRST "00112233-4455-6677-8899-aabbccddeeff"
#define LAST "01234567-89ab-cdef-0123-456789abcdef"

typedef struct VerityCase {
        const char *facts; /* of partitions of 1 MiB, "TYPE UUID FILESYSTEM[ signature]" by "|" */
        const char *policy;
        bool hash, usr, signature, file;
        const char *plan;  /* "root=1 hashes=2 signed" */
        const char *error; /* … or with these words */
} VerityCase;

static void make_verity_disk(const char *text, DiskFacts *ret) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *facts = NULL, *copy = strdup(text);
        char *rest = copy;
        unsigned i = 0;

        strbuf_addf(&b, "size=104857600 512 gpt\nwhole=- 0\n");
        for (char *p = strsep(&rest, "|"); p; p = strsep(&rest, "|")) {
                char type[64], uuid[64], fs[32], more[32] = "";
                ASSERT_TRUE(sscanf(p, "%63s %63s %31s %31s", type, uuid, fs, more) >= 3);
                i++;
                strbuf_addf(&b, "partition=%u %llu 1048576 %s %s 0 %s 0 %s\n", i,
                            i * (unsigned long long) MIB, type, uuid, fs,
                            streq(more, "empty") ? "_empty" : "");
                if (more[0])
                        strbuf_addf(&b, "signature=" HASH " QUJD\n");
        }
        ASSERT_OK(strbuf_finish(&b, &facts));
        ASSERT_OK(disk_facts_parse(facts, ret));
}

static void check_verity_case(const VerityCase *c, size_t i) {
        _cleanup_(disk_facts_done) DiskFacts facts = { 0 };
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        DiskVerity v = DISK_VERITY_NULL;
        DiskPolicy policy;
        DiskPlan plan;

        v.place = c->usr ? DISK_USR : DISK_ROOT;
        v.signature = c->signature ? (char *) "x" : NULL;
        v.hashes = c->file ? (char *) "/x.verity" : NULL;
        if (c->hash)
                ASSERT_OK(disk_hash_parse(HASH, v.root_hash, &v.root_hash_size));
        make_verity_disk(c->facts, &facts);
        ASSERT_OK(disk_policy_parse(c->policy, &policy, NULL));
        int r = disk_decide("/x.raw", &facts, &policy, &v, "x86-64", &plan, &e);
        if (!c->plan) {
                if (r >= 0 || !strstr(error_message(&e), c->error))
                        TEST_FAIL("case %zu: '%s' lacks '%s'", i, error_message(&e), c->error);
                return;
        }
        if (r < 0)
                TEST_FAIL("case %zu: %s", i, error_message(&e));
        for (DiskPlace p = 0; p <= DISK_USR; p++) {
                const DiskMount *m = plan.mounts + p;
                if (m->partition)
                        strbuf_addf(&b, "%s%s=%u", b.size > 0 ? " " : "", disk_place_to_string(p),
                                    m->partition->number);
                ASSERT_TRUE(!m->verity || m->read_only);
                if (m->verity)
                        strbuf_addf(&b, " hashes=%u%s%s", m->hashes ? m->hashes->number : 0,
                                    m->signature ? " json" : "",
                                    m->must_be_signed ? " signed" : "");
        }
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_STREQ(text, c->plan);
}

TEST(verity) {
#define DATA ROOT " " FIRST " squashfs"
#define TREE "|" ROOT_VERITY " " LAST " DM_verity_hash"
#define SIGNED "|" ROOT_SIGNATURE " " LAST " - signature"
#define EMPTY "|" ROOT_SIGNATURE " " LAST " - empty"
#define OTHER ROOT " " LAST " ext4"
        static const VerityCase cases[] = {
                { DATA TREE, NULL, true, .plan = "root=1 hashes=2" },
                { OTHER "|" DATA TREE, NULL, true, .plan = "root=2 hashes=3" },
                /* not asked for */
                { DATA TREE, NULL, false, .plan = "root=1" },
                { DATA TREE SIGNED, "root=unprotected", false, .plan = "root=1" },
                { DATA TREE SIGNED, "root=verity", false, .error = "there is no root hash" },
                /* another image's hash, or only half of what it takes */
                { OTHER TREE, NULL, true, .error = "no root partition that the root hash is of" },
                { DATA "|" ROOT_VERITY " " FIRST " DM_verity_hash", NULL, true,
                  .error = "no root-verity partition" },
                { DATA, NULL, true, .error = "no root-verity partition" },
                { DATA "|" ROOT_VERITY " " LAST " ext4", NULL, true,
                  .error = "holds no hash tree" },
                { DATA "|" LINUX " " LAST " DM_verity_hash", NULL, true, .error = "root-verity" },
                { DATA TREE "|" USR " " LAST " ext4", NULL, true, .error = "does not protect" },
                /* /usr */
                { USR " " FIRST " erofs|" USR_VERITY " " LAST " DM_verity_hash", NULL, true,
                  .usr = true, .plan = "usr=1 hashes=2" },
                { OTHER "|" USR " " FIRST " erofs|" USR_VERITY " " LAST " DM_verity_hash", NULL,
                  true, .usr = true, .plan = "root=1 usr=2 hashes=3" },
                { DATA TREE, NULL, true, .usr = true, .error = "no usr partition" },
                { DATA, NULL, true, .usr = true, .file = true, .error = "no usr partition" },
                /* the hash tree in a file: any root */
                { OTHER, NULL, true, .file = true, .plan = "root=1 hashes=0" },
                { LINUX " " LAST " ext4", NULL, true, .file = true, .plan = "root=1 hashes=0" },
                /* policies */
                { DATA TREE, "root=unprotected", true, .error = "protected by dm-verity" },
                { DATA TREE, "root=encrypted", true, .error = "protected by dm-verity" },
                { DATA TREE, "root=signed", true, .error = "without a signature" },
                { DATA TREE, "root=signed", true, .signature = true,
                  .plan = "root=1 hashes=2 signed" },
                { DATA TREE, "root=verity+signed", true, .signature = true,
                  .plan = "root=1 hashes=2" },
                { DATA TREE, "root=signed+unprotected", true, .error = "without a signature" },
                { DATA TREE SIGNED, "root=signed", true, .plan = "root=1 hashes=2 json signed" },
                /* a hash that the disk itself says: only together with its signature */
                { DATA TREE SIGNED, "root=signed", false, .plan = "root=1 hashes=2 json signed" },
                { DATA TREE SIGNED, "root=signed+verity", false,
                  .plan = "root=1 hashes=2 json signed" },
                { OTHER TREE SIGNED, "root=signed", false, .error = "no root partition that" },
                /* one that is to be filled says nothing */
                { DATA TREE EMPTY, "root=signed", false, .error = "there is no root hash" },
                { DATA TREE EMPTY, "root=signed", true, .error = "without a signature" },
                { DATA TREE EMPTY SIGNED, "root=signed", false,
                  .plan = "root=1 hashes=2 json signed" },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_verity_case(cases + i, i);
}

TEST(verity_without_partitions) {
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        DiskVerity v = DISK_VERITY_NULL;
        DiskPolicy policy;
        DiskPlan plan;

        ASSERT_OK(disk_policy_parse(NULL, &policy, NULL));
        ASSERT_OK(disk_hash_parse(HASH, v.root_hash, &v.root_hash_size));
        ASSERT_OK(disk_facts_parse("size=1048576 512 none\nwhole=squashfs 0\n", &f));
        ASSERT_ERROR(disk_decide("/x", &f, &policy, &v, NULL, &plan, &e), ENXIO);
        ASSERT_STREQ(e.message, "Image '/x' has no partition for the hash tree of its root hash");
        v.hashes = (char *) "/x.verity";
        ASSERT_OK(disk_decide("/x", &f, &policy, &v, NULL, &plan, NULL));
        ASSERT_TRUE(plan.mounts[DISK_ROOT].verity);
        ASSERT_NULL(plan.mounts[DISK_ROOT].hashes);
}

TEST(policy_text) {
        static const char *const bad[] = { "",
                                           "root",
                                           "root=",
                                           "root=bla",
                                           "disk=unprotected",
                                           "root=verity:root=open",
                                           "=open:=absent",
                                           ":",
                                           "root=verity=",
                                           "root==" };
        DiskPolicy p;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (disk_policy_parse(bad[i], &p, &e) >= 0)
                        TEST_FAIL("'%s' is taken", bad[i]);
                ASSERT_EQ(e.id, ERROR_INVALID_SETTING);
                ASSERT_NOT_NULL(e.message);
        }
        ASSERT_OK(disk_policy_parse("root-verity=unprotected:root=verity", &p, NULL));
        ASSERT_EQ(p.uses[DISK_ROOT], DISK_USE_VERITY);
        ASSERT_EQ(p.uses[DISK_HOME], DISK_USE_IGNORE);
        ASSERT_OK(disk_policy_parse("usr=read-only-on:=absent", &p, NULL));
        ASSERT_EQ(p.uses[DISK_USR], DISK_USE_OPEN | DISK_USE_READ_ONLY_ON);
        ASSERT_EQ(p.uses[DISK_ROOT], DISK_USE_ABSENT);
}

TEST(whole_disk) {
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };
        DiskPolicy policy;
        DiskPlan plan;

        ASSERT_OK(disk_policy_parse(NULL, &policy, NULL));
        ASSERT_OK(disk_facts_parse("size=1048576 512 none\nwhole=squashfs 0\n", &f));
        ASSERT_OK(disk_decide("/x", &f, &policy, NULL, NULL, &plan, NULL));
        ASSERT_TRUE(plan.mounts[DISK_ROOT].read_only);
        ASSERT_EQ(plan.mounts[DISK_ROOT].partition->size, 1048576);
        ASSERT_NULL(plan.mounts[DISK_USR].partition);
        disk_facts_done(&f);

        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(disk_facts_parse("size=1048576 512 none\nwhole=- 0\n", &f));
        ASSERT_ERROR(disk_decide("/x", &f, &policy, NULL, NULL, &plan, &e), EUCLEAN);
        ASSERT_STREQ(e.message, "Image '/x' holds no file system that is known");
}

TEST(overlapping) {
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        DiskPolicy policy;
        DiskPlan plan;

        ASSERT_OK(disk_policy_parse("*", &policy, NULL));
        ASSERT_OK(disk_facts_parse("size=104857600 512 gpt\n"
                                   "partition=1 1048576 2097152 " ROOT " " ROOT " 0 ext4 0 \n"
                                   "partition=2 2097152 2097152 " SWAP " " ROOT " 0 swap 0 \n",
                                   &f));
        ASSERT_ERROR(disk_decide("/x", &f, &policy, NULL, "x86-64", &plan, &e), EUCLEAN);
        ASSERT_STREQ(e.message, "Partitions 1 and 2 of image '/x' overlap");
}

TEST(facts_there_and_back) {
        static const char text[] =
                "size=104857600 4096 gpt\nwhole=- 0\n"
                "partition=1 1048576 8388608 " ROOT
                " 00000000-0000-0000-0000-000000000001 5 ext4 1 a\\x1bb c\n"
                "signature=00112233445566778899aabbccddeeff QUJD\n"
                "partition=7 16777216 4096 " ESP " 00000000-0000-0000-0000-000000000002 0 ? 0 \n";
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };
        _cleanup_free_ char *again = NULL;

        ASSERT_OK(disk_facts_parse(text, &f));
        ASSERT_EQ(f.n_partitions, 2);
        ASSERT_STREQ(f.partitions[0].label, "a\x1b"
                                            "b c");
        ASSERT_TRUE(f.partitions[0].needs_check);
        ASSERT_NULL(f.partitions[1].label);
        ASSERT_OK(disk_facts_print(&f, &again));
        DiskFacts g = { 0 };
        ASSERT_OK(disk_facts_parse(again, &g));
        ASSERT_EQ(g.n_partitions, 2);
        ASSERT_STREQ(g.partitions[0].label, f.partitions[0].label);
        disk_facts_done(&g);
}

#define GPT "size=104857600 512 gpt\n"
#define PART(offset, size) "partition=1 " offset " " size " " ROOT " " ROOT " 0 ext4 0 \n"

TEST(facts_that_no_disk_has) {
        static const char *const bad[] = {
                "",
                "size=1 512 gpt",
                "whole=- 0\n",
                "size=1048576 513 gpt\n",
                "size=1048576 512 bsd\n",
                "size=9223372036854775808 512 gpt\n",
                GPT GPT,
                GPT "whole=ext4\n",
                GPT "whole=../../x 0\n",
                GPT "whole=averylongfilesystemname 0\n",
                GPT "what=1\n",
                "size=104857600 512 none\n" PART("1048576", "4096"),
                GPT PART("0", "4096"),
                GPT PART("1048576", "0"),
                GPT PART("1048577", "4096"),
                GPT PART("1048576", "4095"),
                GPT PART("104857600", "4096"),
                GPT PART("104853504", "8192"),
                GPT PART("1048576", "18446744073709547520"),
                GPT PART("1048576", "4096") PART("2097152", "4096"),
                GPT "partition=1 1048576 4096 " ROOT " " ROOT " 0 ext4 2 \n",
                GPT "partition=1 1048576 4096 " ROOT " " ROOT " 0 ext4 0\n",
                GPT "partition=1 1048576 4096 83 " ROOT " 0 ext4 0 \n",
                "size=104857600 512 mbr\npartition=1 1048576 4096 8 " ROOT " 0 ext4 0 \n",
                "size=104857600 512 mbr\npartition=1 1048576 4096 83+ " ROOT " 0 ext4 0 \n",
                GPT "partition=1 1048576 4096 " ROOT " " ROOT " 0 ext4 0 \\q\n",
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                DiskFacts f = { 0 };
                int r = disk_facts_parse(bad[i], &f);
                if (r != -EBADMSG)
                        TEST_FAIL("'%s' gives %d", bad[i], r);
        }
}

TEST(facts_are_limited) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };
        _cleanup_free_ char *text = NULL;

        strbuf_add(&b, GPT);
        for (unsigned i = 1; i <= DISK_PARTITIONS_MAX + 1; i++)
                strbuf_addf(&b, "partition=%u %u 4096 " ROOT " " ROOT " 0 ext4 0 \n", i, i * 4096);
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_ERROR(disk_facts_parse(text, &f), EBADMSG);
}

TEST(types) {
        static const struct {
                const char *type, *architecture;
                DiskRole role;
        } cases[] = {
                { ROOT, "x86-64", DISK_ROLE_ROOT },
                { ROOT_ARM64, "arm64", DISK_ROLE_ROOT },
                { ROOT_VERITY, "x86-64", DISK_ROLE_ROOT_VERITY },
                { USR_ARM64, "arm64", DISK_ROLE_USR },
                { "c23ce4ff-44bd-4b00-b2d4-b41b3419e02a", "arm64", DISK_ROLE_USR_SIGNATURE },
                { ESP, NULL, DISK_ROLE_ESP },
                { LINUX, NULL, DISK_ROLE_LINUX },
                { "00000000-0000-0000-0000-000000000000", NULL, DISK_ROLE_NONE },
                { "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", NULL, DISK_ROLE_NONE }, /* of Windows */
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *architecture;
                Id128 id;
                ASSERT_OK(id128_parse(cases[i].type, &id));
                ASSERT_EQ(disk_role(id, &architecture), cases[i].role);
                ASSERT_TRUE(streq_ptr(architecture, cases[i].architecture));
        }
        ASSERT_EQ(disk_architecture_rank("x86-64", "x86-64"), 2);
        ASSERT_EQ(disk_architecture_rank("x86-64", "x86"), 1);
        ASSERT_EQ(disk_architecture_rank("x86", "x86-64"), 0);
        ASSERT_EQ(disk_architecture_rank("arm64", "x86"), 0);
}

TEST_MAIN
