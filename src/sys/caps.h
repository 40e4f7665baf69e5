/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capability sets as 64-bit masks, and their names (capabilities(7)). */
#pragma once

#include "basic/macros.h"

#define CAP_MASK(cap) (UINT64_C(1) << (cap))
#define CAP_ALL_MASK UINT64_MAX

int caps_last(void); /* highest capability of this kernel, from prctl(2) probes, cached nowhere */
const char *cap_to_name(int cap); /* "CAP_SYS_ADMIN" or NULL */
int cap_from_name(const char *s); /* with or without CAP_, any case, or a number; -EINVAL */
int caps_get_effective(uint64_t *ret);
/* Effective, permitted, inheritable of the calling thread, one capset(2). */
int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable);
/* Raises them, which are permitted and inheritable, in the ambient set (Linux 4.3): programs that are executed keep them. */
int caps_set_ambient(uint64_t ambient);
int caps_drop_bounding(uint64_t keep); /* drops all others; as few prctl calls as bits to drop */
/* "CAP_CHOWN CAP_KILL" (space or comma), "all"; and back. */
int caps_parse(const char *s, uint64_t *ret);
char *caps_format(uint64_t caps); /* allocated, names in numeric order, space-separated; "all" */
