/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removal of a tree of any depth and content: below a descriptor, never through a link, never beyond a mount. */
#pragma once

#include "sys/tree-copy.h"

/* Removes parent_fd/name, whatever it is. -ENOENT: it is not there; -EBUSY: something is mounted in it (and a part of it may be gone); what
 * tick returns. Immutable and append-only files go, too. */
int tree_delete(int parent_fd, const char *name, TreeTick tick, void *userdata);
