/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root hashes of dm-verity and their signatures, as text. */
#pragma once

#include "image/disk.h"

#define DISK_HASH_MIN 16U             /* bytes */
#define DISK_SIGNATURE_MAX (8U << 10) /* bytes */
#define DISK_BASE64_MAX (11U << 10)   /* of a signature */
#define DISK_SIGNATURES_MAX 4U        /* of one disk; more are not looked at */
#define DISK_SIGNATURE_JSON_MAX (64U << 10)

/* Hexadecimal digits. -EINVAL */
int disk_hash_parse(const char *text, uint8_t ret[static DISK_HASH_MAX], size_t *ret_size);
/* *ret: allocated. -EINVAL, -ENOMEM */
int disk_base64_decode(const char *text, char **ret, size_t *ret_size);
/* {"rootHash": HEX, "signature": BASE64, …}; what is returned can be decoded. -EBADMSG, -ENOMEM */
int disk_signature_read(const char *json, char **ret_hash, char **ret_signature);
