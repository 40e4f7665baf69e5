/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of SHA-256: what a processor that has instructions for it does faster. */
#pragma once

#include "basic/macros.h"

extern const uint32_t sha256_constants[64];
/* Adds n blocks of 64 bytes to the state. false: this processor cannot, nothing was done. */
bool sha256_add_blocks(uint32_t state[static 8], const uint8_t *p, size_t n);
