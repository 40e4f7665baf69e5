/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container's life in the journal. */
#pragma once

#include "manager/container.h"

void container_log_start(const Container *c);
void container_log_end(const Container *c);
