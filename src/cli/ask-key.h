/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys of encrypted disk images, from whoever has them: a credential of the unit's, the user at the terminal, a password agent of systemd's. */
#pragma once

#include "basic/error.h"
#include "sys/secret.h"

/* The credential DISK_KEY_CREDENTIAL of our unit, sealed. 1: it is there; 0: it is not. */
int key_from_credential(Secret *ret, Error *reterr);

/* Asks, on the terminal or, in a unit, by an agent; sealed. again: the last answer was wrong. 1: there is an answer; 0: there is nobody to ask. Waits, for
 * agents a minute and a half. ERROR_ACCESS_DENIED: there is no answer; ERROR_TIMEOUT. */
int key_ask(const char *image, bool in_unit, bool again, Secret *ret, Error *reterr);
