/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which of two versions is the newer one: the order of the UAPI Group's Version Format Specification (UAPI.10), which systemd.v(7)
 * and others of systemd use. */
#pragma once

/* < 0: a is older; 0: the same; > 0: newer. "1.0~rc1" < "1.0" < "1.0-1" < "1.0^git" < "1.0.1" < "1.10". */
int version_compare(const char *a, const char *b);
