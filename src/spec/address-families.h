/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of address families (address_families(7)) as 64-bit masks, and their names. */
#pragma once

#include "basic/macros.h"

#define FAMILY_MASK(family) (UINT64_C(1) << (family))
#define FAMILIES_OTHERS FAMILY_MASK(63) /* all families without a name */
#define FAMILIES_ALL UINT64_MAX

/* "AF_INET AF_UNIX", "none"; -EINVAL: one is unknown. */
int families_parse(const char *s, uint64_t *ret);
/* What families_parse() reads; allocated. Families without a name are left out. */
char *families_format(uint64_t families);
