/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volatile=yes and Volatile=state: roots of which parts are in memory. (Volatile=overlay is ephemeral.h.) */
#pragma once

#include "rootfs/rootfs.h"

/* A detached root in memory like that of the directory tree_fd, but for what is in it: an empty usr, the links to it like /bin, /etc, /var, /root. */
int volatile_root_make(int tree_fd, const Rootfs *r, Error *reterr);
/* What is missing in a root beside this usr, and can be made: the links to it, /etc, /var, /root. As the container's root. */
int volatile_root_complete(int root_fd, int usr_fd, Error *reterr);
/* A file system in memory on the root's /var. */
int volatile_var_attach(const Rootfs *r, Error *reterr);
