/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the device-mapper over others, by libcryptsetup(3). For a process that may wait, and ends soon.
 *
 * A device is for one mount: it has a name that nobody else uses, and is released once it is mounted, so that it goes with the mount. */
#pragma once

#include "image/disk.h"
#include "sys/secret.h"

typedef struct Crypt Crypt;
Crypt *crypt_close(Crypt *c);
DEFINE_TRIVIAL_CLEANUP_FUNC(Crypt *, crypt_close)

/* A device that a process of ours made, by the name and the UUID that the device-mapper has: *ret_pid is that process. */
bool crypt_is_ours(const char *name, const char *uuid, pid_t *ret_pid);
/* A key slot may take so much memory to be tried; *reterr: too much. */
int crypt_check_memory(const char *image, int slot, uint32_t max_memory_kib, Error *reterr);
/* What a header says of the data (slot -1), or of a key slot, is a cipher that encrypts; *reterr, ERROR_UNSUPPORTED: it is not. Nothing but the cipher
 * depends on the key where it is changed in the header of an image that is encrypted: the rest of it goes on opening, over data of anybody's. */
int crypt_check_cipher(const char *image, int slot, const char *cipher, Error *reterr);
/* Opens the library. What a killed process has left, and nobody uses, is removed. name: of the image, for sentences. */
int crypt_open(const char *name, Crypt **ret, Error *reterr);
/* Makes a device: path is what to mount. Until crypt_release() a signal of the parent's death does not end this process. */
int crypt_open_verity(Crypt *c, const char *data_path, const char *hashes_path,
                      const DiskVerity *verity, bool must_be_signed, Error *reterr);
/* The same of LUKS, as soon as the key is known to open it. 0; 1: it does not, *reterr is not set. with_integrity: only if it has that, too. */
int crypt_open_luks(Crypt *c, const char *data_path, const Secret *key, bool read_only,
                    bool with_integrity, Error *reterr);
const char *crypt_path(const Crypt *c);
/* The kernel has read what is not what the root hash says. */
bool crypt_is_corrupted(const Crypt *c);
/* The device goes when nobody has it mounted or open any more. */
void crypt_release(Crypt *c);
