/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of system calls by purpose, and the default filter. */
#include "spec/seccomp-groups.h"

#include <linux/capability.h>

#include "basic/str.h"

/* clang-format off */
static const SyscallGroup groups[] = {
        /* what libc and the dynamic linker cannot do without */
        { "@default",
          "execve exit exit_group restart_syscall rt_sigreturn sigreturn pause "
          "brk mmap mmap2 mprotect munmap "
          "futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue get_robust_list set_robust_list membarrier rseq "
          "arch_prctl get_thread_area set_thread_area set_tid_address set_tls cacheflush uretprobe map_shadow_stack mseal "
          "riscv_flush_icache riscv_hwprobe "
          "clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 gettimeofday nanosleep time "
          "getpid getppid gettid getpgid getpgrp getsid "
          "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32 "
          "getresuid getresuid32 getresgid getresgid32 "
          "getrandom getrlimit ugetrlimit prlimit64 sched_getaffinity sched_yield" },
        { "@aio",
          "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64 "
          "io_uring_setup io_uring_enter io_uring_register" },
        { "@basic-io",
          "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek close close_range dup dup2 dup3" },
        { "@chown",
          "chown chown32 fchown fchown32 fchownat lchown lchown32" },
        { "@clock",
          "adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday" },
        { "@cpu-emulation",
          "modify_ldt subpage_prot switch_endian vm86 vm86old" },
        { "@debug",
          "lookup_dcookie perf_event_open pidfd_getfd ptrace rtas s390_runtime_instr sys_debug_setcontext" },
        { "@file-system",
          "open openat openat2 creat access faccessat faccessat2 "
          "stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat oldstat oldlstat oldfstat statx "
          "statfs statfs64 fstatfs fstatfs64 statmount listmount file_getattr file_setattr "
          "chdir fchdir getcwd getdents getdents64 mkdir mkdirat rmdir mknod mknodat "
          "link linkat symlink symlinkat readlink readlinkat rename renameat renameat2 unlink unlinkat "
          "chmod fchmod fchmodat fchmodat2 truncate truncate64 ftruncate ftruncate64 fallocate fcntl fcntl64 "
          "utime utimes futimesat utimensat utimensat_time64 "
          "getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat "
          "removexattr lremovexattr fremovexattr removexattrat "
          "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch" },
        { "@io-event",
          "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 eventfd eventfd2 "
          "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2" },
        { "@ipc",
          "ipc pipe pipe2 memfd_create process_madvise process_vm_readv process_vm_writev "
          "mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
          "msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget" },
        { "@keyring",
          "add_key keyctl request_key" },
        { "@memlock",
          "mlock mlock2 mlockall munlock munlockall" },
        { "@module",
          "delete_module finit_module init_module" },
        { "@mount",
          "chroot pivot_root mount umount umount2 fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount mount_setattr" },
        { "@network-io",
          "socket socketpair socketcall bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt "
          "send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64" },
        { "@obsolete",
          "_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx prof profil putpmsg "
          "query_module security sgetmask ssetmask stime stty sysfs tuxcall ulimit uselib ustat vserver" },
        { "@pkey",
          "pkey_alloc pkey_free pkey_mprotect" },
        { "@privileged",
          "@chown @clock @module @raw-io @reboot @swap _sysctl acct bpf capset chroot fanotify_init fanotify_mark nfsservctl "
          "open_by_handle_at pivot_root quotactl quotactl_fd setdomainname sethostname setfsuid setfsuid32 setgroups setgroups32 "
          "setresuid setresuid32 setreuid setreuid32 setuid setuid32 vhangup" },
        { "@process",
          "fork vfork clone clone3 execveat wait4 waitid waitpid kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo "
          "pidfd_open pidfd_send_signal prctl capget setns unshare getrusage times swapcontext" },
        { "@raw-io",
          "ioperm iopl pciconfig_iobase pciconfig_read pciconfig_write s390_pci_mmio_read s390_pci_mmio_write" },
        { "@reboot",
          "kexec_file_load kexec_load reboot" },
        { "@resources",
          "nice setpriority ioprio_set setrlimit sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
          "mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node" },
        { "@sandbox",
          "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self" },
        { "@setuid",
          "setuid setuid32 setreuid setreuid32 setresuid setresuid32 setgid setgid32 setregid setregid32 setresgid setresgid32 "
          "setgroups setgroups32" },
        { "@signal",
          "rt_sigaction rt_sigpending rt_sigprocmask rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
          "sigaction sigaltstack signal sigpending sigprocmask sigsuspend signalfd signalfd4" },
        { "@swap",
          "swapoff swapon" },
        { "@sync",
          "fsync fdatasync msync sync syncfs sync_file_range sync_file_range2" },
        { "@system-service",
          "@aio @basic-io @chown @default @file-system @io-event @ipc @keyring @memlock @network-io @process @resources @setuid "
          "@signal @sync @timer @service-rest capset kcmp userfaultfd" },
        { "@timer",
          "alarm getitimer setitimer times timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
          "timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64" },

        /* not systemd's: what programs use that fits nowhere else */
        { "@service-rest",
          "ioctl flock umask uname olduname oldolduname sysinfo personality setpgid setsid readdir "
          "madvise mremap mincore remap_file_pages fadvise64 fadvise64_64 arm_fadvise64_64 readahead cachestat "
          "copy_file_range sendfile sendfile64 splice tee vmsplice name_to_handle_at "
          "getcpu get_mempolicy getpriority ioprio_get sched_getattr sched_getparam sched_getscheduler "
          "sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 "
          "setfsuid setfsuid32 setfsgid setfsgid32" },
};

/* What a booted system, a package manager and a container inside the container need. Left out although systemd-nspawn has some of
 * them, since they reach kernel code far from any namespace: keyrings, io_uring, userfaultfd, kcmp, file handles (opening),
 * quotas, fanotify, swap, kexec, performance counters, BPF. They are refused with EPERM. */
const char syscalls_allowed[] =
        "@default @basic-io @chown @file-system @io-event @ipc @memlock @mount @network-io @pkey @process @resources @sandbox "
        "@setuid @signal @sync @timer @service-rest capset sethostname setdomainname process_mrelease "
        "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64 "
        "lsm_get_self_attr lsm_set_self_attr lsm_list_modules";

const SyscallCondition syscall_conditions[] = {
        { CAP_SYS_PTRACE,     "ptrace pidfd_getfd" },
        { CAP_SYS_BOOT,       "reboot" },
        { CAP_SYS_TTY_CONFIG, "vhangup" },
        { CAP_SYS_PACCT,      "acct" },
        { CAP_SYSLOG,         "syslog" },
        { CAP_SYS_TIME,       "@clock" },
        { CAP_SYS_MODULE,     "@module" },
        { CAP_SYS_RAWIO,      "@raw-io" },
        { CAP_BPF,            "bpf" },
        { CAP_PERFMON,        "perf_event_open" },
};
const size_t n_syscall_conditions = ELEMENTSOF(syscall_conditions);

const RecentSyscall syscalls_recent[] = {
        { 448, "process_mrelease" },
        { 449, "futex_waitv" },
        { 450, "set_mempolicy_home_node" },
        { 451, "cachestat" },
        { 452, "fchmodat2" },
        { 453, "map_shadow_stack" },
        { 454, "futex_wake" },
        { 455, "futex_wait" },
        { 456, "futex_requeue" },
        { 457, "statmount" },
        { 458, "listmount" },
        { 459, "lsm_get_self_attr" },
        { 460, "lsm_set_self_attr" },
        { 461, "lsm_list_modules" },
        { 462, "mseal" },
        { 463, "setxattrat" },
        { 464, "getxattrat" },
        { 465, "listxattrat" },
        { 466, "removexattrat" },
        { 467, "open_tree_attr" },
        { 468, "file_getattr" },
        { 469, "file_setattr" },
};
const size_t n_syscalls_recent = ELEMENTSOF(syscalls_recent);
/* clang-format on */

const SyscallGroup *syscall_group_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(groups); i++)
                if (streq(groups[i].name, name))
                        return groups + i;
        return NULL;
}
