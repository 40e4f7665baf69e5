/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What files are by their first bytes. */
#include "archive/content.h"

#include "basic/str.h"
#include "test.h"

/* So many bytes of a file of zeros that has these at an offset. */
static const Content *content_with(size_t offset, const char *bytes, size_t size, size_t n) {
        static char file[CONTENT_SIZE];
        memset(file, 0, sizeof(file));
        memcpy(file + offset, bytes, size);
        return content_of(file, n);
}

TEST(kinds) {
        static const struct {
                size_t offset, size;
                const char *bytes;
                ContentKind kind;
        } files[] = {
                { 0, 8, "QFI\xfb\0\0\0\3", CONTENT_QCOW2 },
                { 0, 8, "QFI\xfb\0\0\0\1", CONTENT_OTHER_DISK },
                { 0, 4, "KDMV", CONTENT_VMDK },
                { 0, 24, "# Disk DescriptorFile\nve", CONTENT_OTHER_DISK },
                { 64, 4, "\x7f\x10\xda\xbe", CONTENT_VDI },
                { 0, 8, "vhdxfile", CONTENT_VHDX },
                { 0, 3, "\x1f\x8b\x08", CONTENT_COMPRESSED },
                { 0, 4, "\x28\xb5\x2f\xfd", CONTENT_COMPRESSED },
                { 0, 4, "PK\3\4", CONTENT_OTHER_ARCHIVE },
                { 257, 8, "ustar\00000", CONTENT_TAR },
                { 257, 8, "ustar  \0", CONTENT_TAR },
                { 510, 2, "\x55\xaa", CONTENT_DISK },
                { 4096, 8, "EFI PART", CONTENT_DISK },
                { 1080, 2, "\x53\xef", CONTENT_DISK },
                { 65600, 8, "_BHRfS_M", CONTENT_DISK },
                { 100, 4, "KDMV", CONTENT_UNKNOWN },
        };
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                const Content *c =
                        content_with(files[i].offset, files[i].bytes, files[i].size, CONTENT_SIZE);
                ASSERT_EQ(c->kind, files[i].kind);
                ASSERT_FALSE(isempty(c->words));
        }
}

TEST(short_files) {
        ASSERT_EQ(content_of("", 0)->kind, CONTENT_EMPTY);
        ASSERT_STREQ(content_of("", 0)->words, "empty");
        ASSERT_EQ(content_of("x", 1)->kind, CONTENT_UNKNOWN);
        /* each cut before the end of what would tell */
        ASSERT_EQ(content_with(510, "\x55\xaa", 2, 511)->kind, CONTENT_UNKNOWN);
        ASSERT_EQ(content_with(510, "\x55\xaa", 2, 512)->kind, CONTENT_DISK);
        ASSERT_EQ(content_with(65600, "_BHRfS_M", 8, 65607)->kind, CONTENT_UNKNOWN);
        ASSERT_EQ(content_with(65600, "_BHRfS_M", 8, 65608)->kind, CONTENT_DISK);
}

TEST(formats) {
        ASSERT_STREQ(content_format(CONTENT_QCOW2), "qcow2");
        ASSERT_STREQ(content_format(CONTENT_VHD), "vpc");
        ASSERT_NULL(content_format(CONTENT_DISK));
        ASSERT_NULL(content_format(_CONTENT_MAX));
}

/* A header with one field that is not zero: a number of so many bytes. */
static const char *refusal_with(ContentKind kind, const char *header, size_t offset,
                                const char *bytes, size_t size) {
        static char file[CONTENT_SIZE];
        memset(file, 0, sizeof(file));
        memcpy(file, header, 8);
        memcpy(file + 12, "\0\0\0\0\0\0\0\1", 8); /* of vmdk: a size */
        file[76] = 1;                             /* of vdi: what it is */
        if (kind == CONTENT_QCOW2)
                memset(file + 12, 0, 8);
        if (kind == CONTENT_QCOW2)
                file[76] = 0;
        memcpy(file + offset, bytes, size);
        return content_refusal(kind, file, sizeof(file));
}

TEST(refusals) {
        static const char v2[] = "QFI\xfb\0\0\0\2", v3[] = "QFI\xfb\0\0\0\3",
                          vmdk[] = "KDMV\1\0\0\0", vdi[] = "<<< QEMU";
        ASSERT_NULL(refusal_with(CONTENT_QCOW2, v3, 8, "", 1));
        ASSERT_STREQ(refusal_with(CONTENT_QCOW2, v3, 15, "\x68", 1), "is based on another image");
        ASSERT_STREQ(refusal_with(CONTENT_QCOW2, v2, 8, "\x80", 1), "is based on another image");
        ASSERT_STREQ(refusal_with(CONTENT_QCOW2, v3, 35, "\2", 1), "is encrypted");
        ASSERT_STREQ(refusal_with(CONTENT_QCOW2, v3, 79, "\4", 1), "has its data in another file");
        ASSERT_NULL(refusal_with(CONTENT_QCOW2, v2, 79, "\4", 1)); /* has no such field */
        ASSERT_NULL(refusal_with(CONTENT_QCOW2, v3, 79, "\x1b", 1));
        ASSERT_STREQ(refusal_with(CONTENT_QCOW2, v3, 36, "\xff\xff\xff\xff", 4),
                     "has a table that is larger than can be");
        ASSERT_STREQ(content_refusal(CONTENT_QCOW2, v3, 8), "is cut");

        ASSERT_NULL(refusal_with(CONTENT_VMDK, vmdk, 8, "", 1));
        ASSERT_STREQ(refusal_with(CONTENT_VMDK, vmdk, 12, "\0\0\0\0\0\0\0", 8),
                     "has its data in another file");
        /* the description is in the second sector */
        static char described[CONTENT_SIZE];
        memcpy(described, vmdk, 8);
        described[12] = described[28] = 1;
        strcpy(described + 512, "version=1\nparentCID=FFFFffff\n");
        ASSERT_NULL(content_refusal(CONTENT_VMDK, described, sizeof(described)));
        ASSERT_NULL(content_refusal(CONTENT_VMDK, described, 512));
        strcpy(described + 512, "version=1\nparentCID=0badcafe\n");
        ASSERT_STREQ(content_refusal(CONTENT_VMDK, described, sizeof(described)),
                     "is based on another image");
        memset(described + 28, 0xff, 8); /* beyond the end */
        ASSERT_NULL(content_refusal(CONTENT_VMDK, described, sizeof(described)));

        ASSERT_NULL(refusal_with(CONTENT_VDI, vdi, 76, "\2", 1));
        ASSERT_STREQ(refusal_with(CONTENT_VDI, vdi, 76, "\4", 1), "is based on another image");

        static char vhd[CONTENT_SIZE] = "conectix"; /* 2: fixed, 3: dynamic, 4: differencing */
        static const struct {
                const char *type, *refusal;
        } types[] = {
                { "\0\0\0\2", NULL },
                { "\0\0\0\3", NULL },
                { "\0\0\0\4", "is based on another image" },
                { "\0\0\0\0", "is of a kind that is not known" },
                { "\3\0\0\0", "is of a kind that is not known" },
        };
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                memcpy(vhd + 60, types[i].type, 4);
                const char *refusal = content_refusal(CONTENT_VHD, vhd, 512);
                if (types[i].refusal)
                        ASSERT_STREQ(refusal, types[i].refusal);
                else
                        ASSERT_NULL(refusal);
        }
        vhd[60] = 0;
        vhd[63] = 3;
        ASSERT_NULL(content_refusal(CONTENT_VHD, vhd, sizeof(vhd)));
        ASSERT_STREQ(content_refusal(CONTENT_VHD, vhd, 511), "is cut");
        ASSERT_NULL(content_refusal(CONTENT_DISK, "", 0));
}

TEST_MAIN
