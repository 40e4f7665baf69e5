/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* StartDelaySec= */
#pragma once

#include "spec/spec.h"

/* Waits, as the main process of berth@NAME.service, which tells its service manager not to count that time. A stop of the unit ends it by
 * SIGTERM. Not when the unit is started again by itself (Restart=, a reboot inside). */
void start_delay(const ContainerSpec *spec);
