/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of NAME=value lines with shell quoting: os-release(5) and the like. */
#pragma once

#include "basic/macros.h"

/* Parses text into "NAME=value" strings; comments and malformed lines are skipped. At most 256 entries. 0 or -ENOMEM. */
int env_file_parse(const char *text, char ***ret);
