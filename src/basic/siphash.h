/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SipHash-2-4 with 128 bits of result: a keyed hash, for ids that are derived from others and tell nothing of them. */
#pragma once

#include "basic/macros.h"

void siphash128(const uint8_t key[static 16], const void *bytes, size_t n, uint8_t ret[static 16]);
