/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PrivateUsersOwnership=chown: all files of a root directory are given to the container's range, on disk and for good. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/error.h"

#define OWNER_RANGE_SIZE 65536U
/* The range that the top directory belongs to while the rest is being changed: systemd-nspawn's mark, so that either finishes what the other one has
 * begun. */
#define OWNER_BUSY_BASE 0xFFFE0000U

/* Is something of it left to be done? */
static inline bool owner_is_busy(uid_t uid) {
        return (uid & 0xFFFF0000U) == OWNER_BUSY_BASE;
}

/* 65536 IDs, of which the first is a multiple of that. */
static inline bool owner_range_is_valid(uint32_t base, uint32_t count) {
        return (base & 0xFFFFU) == 0 && count == OWNER_RANGE_SIZE && !owner_is_busy(base);
}

/* Gives every file below fd (O_PATH, a directory) to the range that begins with base, a multiple of 65536: an ID keeps its lower 16 bits. Access lists
 * and file capabilities follow, modes and set-user-ID bits stay. Nothing is done if the directory belongs to the range: it comes last. Links are
 * not followed; what is mounted in the directory is left alone. The service manager hears of it meanwhile. Who was interrupted is continued by the next call.
 * path: for sentences. ERROR_INVALID_SETTING: not such a range. */
int owner_change(int fd, uint32_t base, uint32_t count, const char *path, Error *reterr);
