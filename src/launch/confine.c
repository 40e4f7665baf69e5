/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The supervisor's own system call filter, for the time when its payload runs: what its loop, the stop and the clean-up need, and no
 * more. No program can be executed, no process made or looked at, nothing mounted, no file written or made, no network reached.
 *
 * Only for a supervisor in a unit: filters outlive execve(2), and any other one executes itself anew, with all that a start needs,
 * when its payload reboots. What is not listed fails with EPERM; for tests $BERTH_CONFINE=kill makes it deadly.
 *
 * Calls: seccomp(SECCOMP_SET_MODE_FILTER), after PR_SET_NO_NEW_PRIVS. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "basic/str.h"
#include "launch/supervisor.h"
#include "sys/seccomp-load.h"

// clang-format off
static const SeccompAllowed allowed[] = {
        /* the loop */
#ifdef SYS_poll
        { SYS_poll,              0, 0, 0 },
#endif
        { SYS_ppoll,             0, 0, 0 },
        { SYS_read,              0, 0, 0 },
        { SYS_write,             0, 0, 0 },
        { SYS_writev,            0, 0, 0 },
        { SYS_pread64,           0, 0, 0 },
        { SYS_pwrite64,          0, 0, 0 },
        { SYS_close,             0, 0, 0 },
        { SYS_recvmsg,           0, 0, 0 },
        { SYS_recvfrom,          0, 0, 0 },
        { SYS_sendmsg,           0, 0, 0 },
        { SYS_sendto,            0, 0, 0 },
        { SYS_waitid,            0, 0, 0 },
        { SYS_pidfd_send_signal, 0, 0, 0 },
        { SYS_clock_gettime,     0, 0, 0 },
        { SYS_rt_sigreturn,      0, 0, 0 },
        { SYS_restart_syscall,   0, 0, 0 },
        { SYS_exit_group,        0, 0, 0 },
        /* memory */
        { SYS_brk,               0, 0, 0 },
        { SYS_mmap,              0, 0, 0 },
        { SYS_mremap,            0, 0, 0 },
        { SYS_munmap,            0, 0, 0 },
        { SYS_madvise,           0, 0, 0 },
        { SYS_getrandom,         0, 0, 0 },
        /* the console */
        { SYS_ioctl,             0, 0, 0 },
        { SYS_fcntl,             0, 0, 0 },
        /* the manager, the journal, the service manager: sockets of this machine */
        { SYS_socket,            0, UINT32_MAX, AF_UNIX },
        { SYS_connect,           0, 0, 0 },
        /* /proc/PID/status, and the removal of groups */
        { SYS_openat,            2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
        { SYS_fstat,             0, 0, 0 },
#ifdef SYS_newfstatat
        { SYS_newfstatat,        0, 0, 0 },
#endif
        { SYS_lseek,             0, 0, 0 },
        { SYS_getdents64,        0, 0, 0 },
        { SYS_unlinkat,          2, UINT32_MAX, AT_REMOVEDIR },
        { SYS_capset,            0, 0, 0 },
};
// clang-format on

int supervisor_confine(void) {
        const char *deadly = getenv("BERTH_CONFINE");

        return seccomp_allow_only(allowed, ELEMENTSOF(allowed), deadly && streq(deadly, "kill"));
}
