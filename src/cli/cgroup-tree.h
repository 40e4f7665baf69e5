/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processes of a control group and of those below it, as a tree for people. */
#pragma once

#include "basic/str.h"

/* Appends the tree, each line behind `indent` spaces; nothing if the group cannot be read. What a container has chosen (names of
 * groups and processes) is escaped and limited in number and length. */
void cgroup_tree_format(const char *path, unsigned indent, StrBuf *out);
