/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth run`, and systemd-nspawn's command line: compile a spec, see to a cgroup, become the supervisor. */
#pragma once

#include "cli/compile.h"

/* The words behind the verb. Returns the exit status; after a start it does not return. */
int run_main(RunFace face, int argc, char **argv);
int run_show_help(RunFace face);
int verify_main(int argc, char **argv);
