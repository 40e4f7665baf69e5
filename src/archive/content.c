/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file is, by its first bytes. */
#include "archive/content.h"

#include <string.h>

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
