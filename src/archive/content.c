/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file is, by its first bytes. */
#include "archive/content.h"

#include <string.h>
#include <strings.h>

typedef struct Magic {
        unsigned offset, size;
        const char *bytes;
        Content content;
} Magic;

/* The first that fits. */
/* clang-format off */
static const Magic magics[] = {
        { 0,      8, "QFI\xfb\0\0\0\1",       { CONTENT_OTHER_DISK,    "a qcow image of version 1" } },
        { 0,      4, "QFI\xfb",               { CONTENT_QCOW2,         "a qcow2 image" } },
        { 0,      4, "KDMV",                  { CONTENT_VMDK,          "a vmdk image" } },
        { 0,      4, "COWD",                  { CONTENT_OTHER_DISK,    "a vmdk image of an old kind" } },
        { 0,     21, "# Disk DescriptorFile", { CONTENT_OTHER_DISK,    "a description of a vmdk image whose contents are in other files" } },
        { 64,     4, "\x7f\x10\xda\xbe",      { CONTENT_VDI,           "a vdi image" } },
        { 0,      8, "vhdxfile",              { CONTENT_VHDX,          "a vhdx image" } },
        { 0,      8, "conectix",              { CONTENT_VHD,           "a vhd image" } },
        { 0,      4, "QED\0",                 { CONTENT_OTHER_DISK,    "a qed image" } },
        { 0,     16, "WithoutFreeSpace",      { CONTENT_OTHER_DISK,    "a Parallels image" } },
        { 0,     16, "WithouFreSpacExt",      { CONTENT_OTHER_DISK,    "a Parallels image" } },
        { 0,      2, "\x1f\x8b",              { CONTENT_COMPRESSED,    "compressed with gzip" } },
        { 0,      3, "BZh",                   { CONTENT_COMPRESSED,    "compressed with bzip2" } },
        { 0,      6, "\xfd" "7zXZ\0",         { CONTENT_COMPRESSED,    "compressed with xz" } },
        { 0,      4, "\x28\xb5\x2f\xfd",      { CONTENT_COMPRESSED,    "compressed with zstd" } },
        { 0,      4, "\x04\x22\x4d\x18",      { CONTENT_OTHER_ARCHIVE, "compressed with lz4" } },
        { 0,      4, "LZIP",                  { CONTENT_OTHER_ARCHIVE, "compressed with lzip" } },
        { 0,      5, "\x89LZO\0",             { CONTENT_OTHER_ARCHIVE, "compressed with lzop" } },
        { 0,      4, "PK\3\4",                { CONTENT_OTHER_ARCHIVE, "a zip archive" } },
        { 0,      6, "7z\xbc\xaf\x27\x1c",    { CONTENT_OTHER_ARCHIVE, "a 7z archive" } },
        { 0,      6, "Rar!\x1a\7",            { CONTENT_OTHER_ARCHIVE, "a rar archive" } },
        { 510,    2, "\x55\xaa",              { CONTENT_DISK,          "a disk image" } }, /* MBR, and before GPT */
        { 512,    8, "EFI PART",              { CONTENT_DISK,          "a disk image" } },
        { 4096,   8, "EFI PART",              { CONTENT_DISK,          "a disk image" } },
        { 257,    5, "ustar",                 { CONTENT_TAR,           "a tar archive" } },
        { 0,      4, "XFSB",                  { CONTENT_DISK,          "a disk image with xfs" } },
        { 0,      4, "hsqs",                  { CONTENT_DISK,          "a disk image with squashfs" } },
        { 0,      6, "LUKS\xba\xbe",          { CONTENT_DISK,          "an encrypted disk image" } },
        { 1024,   4, "\xe2\xe1\xf5\xe0",      { CONTENT_DISK,          "a disk image with erofs" } },
        { 1080,   2, "\x53\xef",              { CONTENT_DISK,          "a disk image with ext4" } },
        { 32769,  5, "CD001",                 { CONTENT_DISK,          "an image of a CD" } },
        { 65600,  8, "_BHRfS_M",              { CONTENT_DISK,          "a disk image with btrfs" } },
};
/* clang-format on */

const Content *content_of(const void *bytes, size_t n) {
        static const Content unknown = { CONTENT_UNKNOWN, "of a kind that is not known" },
                             empty = { CONTENT_EMPTY, "empty" };
        for (size_t i = 0; i < ELEMENTSOF(magics); i++) {
                const Magic *m = magics + i;
                if (n >= m->offset + m->size &&
                    memcmp((const char *) bytes + m->offset, m->bytes, m->size) == 0)
                        return &m->content;
        }
        return n == 0 ? &empty : &unknown;
}

const char *content_format(ContentKind kind) {
        static const char *const formats[_CONTENT_MAX] = {
                [CONTENT_QCOW2] = "qcow2", [CONTENT_VMDK] = "vmdk", [CONTENT_VDI] = "vdi",
                [CONTENT_VHDX] = "vhdx",   [CONTENT_VHD] = "vpc",
        };
        return kind < _CONTENT_MAX ? formats[kind] : NULL;
}

/* ---- what disk images say of themselves ---- */

static uint64_t number_be(const unsigned char *p, size_t size) {
        uint64_t n = 0;
        for (size_t i = 0; i < size; i++)
                n = n << 8 | p[i];
        return n;
}

static uint64_t number_le(const unsigned char *p, size_t size) {
        uint64_t n = 0;
        for (size_t i = size; i > 0; i--)
                n = n << 8 | p[i - 1];
        return n;
}

#define QCOW2_HEADER_SIZE 104U
#define QCOW2_DATA_FILE 4U /* of the incompatible features */
#define QCOW2_L1_MAX (4U << 20)
#define VMDK_SECTOR 512U
#define VHD_FOOTER_SIZE 512U
#define VMDK_DESCRIPTION_MAX (20U * VMDK_SECTOR)

static const char based[] = "is based on another image",
                  elsewhere[] = "has its data in another file";

static const char *refuse_qcow2(const unsigned char *p, size_t n) {
        if (n < QCOW2_HEADER_SIZE)
                return "is cut";
        if (number_be(p + 8, 8) != 0)
                return based;
        if (number_be(p + 32, 4) != 0)
                return "is encrypted";
        if (number_be(p + 36, 4) > QCOW2_L1_MAX)
                return "has a table that is larger than can be";
        return number_be(p + 4, 4) >= 3 && (number_be(p + 72, 8) & QCOW2_DATA_FILE) ? elsewhere
                                                                                    : NULL;
}

static const char *refuse_vmdk(const unsigned char *p, size_t n) {
        if (n < VMDK_SECTOR)
                return "is cut";
        const uint64_t sectors = number_le(p + 12, 8), at = number_le(p + 28, 8),
                       most = n / VMDK_SECTOR;
        if (sectors == 0)
                return elsewhere;
        if (at == 0 || at >= most) /* none, or none that is seen */
                return NULL;
        const char *text = (const char *) p + at * VMDK_SECTOR;
        const size_t size = strnlen(text, MIN(n - at * VMDK_SECTOR, (size_t) VMDK_DESCRIPTION_MAX));
        const char *parent = memmem(text, size, "parentCID=", 10);
        if (memmem(text, size, "parentFileNameHint", 18) ||
            (parent && (size_t) (text + size - parent) >= 18 &&
             strncasecmp(parent + 10, "ffffffff", 8) != 0))
                return based;
        return NULL;
}

/* A copy of its footer. */
static const char *refuse_vhd(const unsigned char *p, size_t n) {
        if (n < VHD_FOOTER_SIZE)
                return "is cut";
        switch (number_be(p + 60, 4)) {
        case 2:
        case 3:
                return NULL;
        case 4:
                return based;
        default:
                return "is of a kind that is not known";
        }
}

const char *content_refusal(ContentKind kind, const void *bytes, size_t n) {
        const unsigned char *p = bytes;
        switch (kind) {
        case CONTENT_QCOW2:
                return refuse_qcow2(p, n);
        case CONTENT_VMDK:
                return refuse_vmdk(p, n);
        case CONTENT_VDI: /* dynamic and static ones alone */
                return n < 80 ? "is cut" : IN_SET(number_le(p + 76, 4), 1, 2) ? NULL : based;
        case CONTENT_VHD:
                return refuse_vhd(p, n);
        default:
                return NULL;
        }
}
