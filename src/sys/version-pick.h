/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories of versions, systemd.v(7). */
#pragma once

#include <sys/types.h>

/* The newest entry BASE_VERSION[_ARCHITECTURE][+LEFT[-DONE]]SUFFIX of a directory, of this type (S_IFDIR, S_IFREG): for this machine, with tries left, the
 * highest version; then the more particular architecture, more tries left, fewer done. *ret_name: its name. -ENOENT: there is none. */
int version_pick(const char *directory, const char *base, const char *suffix, mode_t type,
                 char **ret_name);
