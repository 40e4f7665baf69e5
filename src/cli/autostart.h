/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which containers start with the host: links to berth@NAME.service in the directories of systemd, as systemctl(1) enable makes them. */
#pragma once

#include "basic/error.h"

/* Names of containers whose service a unit wants, requires or upholds, and that is not masked; sorted. All are found in a millisecond,
 * where asking systemd would take one call for each. */
int autostart_list(char ***ret_names, Error *reterr);
/* The same with other directories, for tests. */
int autostart_list_in(char *const *directories, char ***ret_names, Error *reterr);

/* In a list that is sorted as the one above. */
bool autostart_contains(char *const *names, const char *name);
