/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network devices. Today: the loopback device of a fresh network namespace. */
#pragma once

/* Sets IFF_UP on "lo" of the calling process' network namespace: one socket, one ioctl; no allocation (the child uses it). */
int net_loopback_up(void);
