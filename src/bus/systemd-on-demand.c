/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libsystemd, opened when the first of its functions is called: `berth run` becomes the supervisor without, and need not load it.
 *
 * For `berth` alone; berthd is linked with it as usual. Here are functions of the same names, so that nobody else has to know: each jumps
 * through a slot, and goes to systemd_first_call as long as the slot is empty. They are in assembly because of those with "..." in
 * their prototype: C cannot pass such arguments on. Other machines than x86-64 are linked as usual (meson.build).
 *
 * Calls: dlopen, dlsym; mprotect, so that the slots are as safe as the linker's own table. */
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/log.h"

#define LIBRARY "libsystemd.so.0"

/* What is missing here is an undefined reference when berth is linked. All of it is in version 252. */
// clang-format off
#define FUNCTIONS(F)                                                                             \
        F(sd_bus_attach_event) F(sd_bus_call) F(sd_bus_call_async) F(sd_bus_call_method)         \
        F(sd_bus_call_method_async) F(sd_bus_close_unref) F(sd_bus_error_free)                   \
        F(sd_bus_error_has_name) F(sd_bus_error_set) F(sd_bus_error_set_errno)                   \
        F(sd_bus_error_setf) F(sd_bus_get_property_string) F(sd_bus_get_property_trivial)        \
        F(sd_bus_get_unique_name) F(sd_bus_is_bus_client) F(sd_bus_match_signal)                 \
        F(sd_bus_match_signal_async) F(sd_bus_message_append) F(sd_bus_message_append_array)     \
        F(sd_bus_message_append_strv) F(sd_bus_message_close_container)                          \
        F(sd_bus_message_enter_container) F(sd_bus_message_exit_container)                       \
        F(sd_bus_message_get_bus) F(sd_bus_message_get_error) F(sd_bus_message_get_path)                                    \
        F(sd_bus_message_is_method_error) F(sd_bus_message_is_signal) F(sd_bus_message_new_method_call)                      \
        F(sd_bus_message_open_container) F(sd_bus_message_read) F(sd_bus_message_read_array) F(sd_bus_message_read_basic)     \
        F(sd_bus_message_skip) F(sd_bus_set_allow_interactive_authorization)                     \
        F(sd_bus_message_peek_type) F(sd_bus_message_rewind)                                     \
        F(sd_bus_message_unref) F(sd_bus_negotiate_fds) F(sd_bus_new) F(sd_bus_open_system) F(sd_bus_open_system_machine) F(sd_bus_open_system_remote) F(sd_bus_path_decode)      \
        F(sd_bus_path_encode) F(sd_bus_process) F(sd_bus_ref) F(sd_bus_set_bus_client)           \
        F(sd_bus_set_fd) F(sd_bus_set_method_call_timeout) F(sd_bus_get_method_call_timeout) F(sd_bus_slot_unref) F(sd_bus_start)  \
        F(sd_bus_unref) F(sd_bus_wait) F(sd_event_add_inotify_fd) F(sd_event_add_io)             \
        F(sd_event_add_time_relative) F(sd_event_exit) F(sd_event_loop) F(sd_event_new)          \
        F(sd_event_ref) F(sd_event_source_disable_unref) F(sd_event_source_set_enabled)          \
        F(sd_event_source_set_time_relative) F(sd_event_unref) F(sd_journal_add_disjunction)     \
        F(sd_journal_add_match) F(sd_journal_close) F(sd_journal_get_data)                       \
        F(sd_journal_get_realtime_usec) F(sd_journal_next) F(sd_journal_open)                    \
        F(sd_journal_previous) F(sd_journal_seek_tail) F(sd_journal_wait)

#define NAME(name) #name,
#define SLOT(name) "systemd_slot_" #name ": .quad 0\n"
#define ENTRY(name)                                                                              \
        ".globl " #name "\n.hidden " #name "\n.type " #name ", @function\n" #name ":\n"          \
        "       endbr64\n"                                                                       \
        "       leaq systemd_slot_" #name "(%rip), %r11\n"                                       \
        "       cmpq $0, (%r11)\n"                                                               \
        "       je systemd_first_call\n"                                                         \
        "       jmp *(%r11)\n"                                                                   \
        ".size " #name ", . - " #name "\n"

asm(".pushsection .data.systemd_slots, \"aw\", @progbits\n"
    ".balign 4096\n"
    ".globl systemd_slots\n.hidden systemd_slots\n"
    "systemd_slots:\n"
    FUNCTIONS(SLOT)
    ".balign 4096\n"
    ".popsection\n"
    ".pushsection .text\n"
    FUNCTIONS(ENTRY)
    /* all registers that carry arguments (%al: how many are in vector registers), and the slot's address, survive */
    "systemd_first_call:\n"
    "       pushq %rbp\n"
    "       movq %rsp, %rbp\n"
    "       subq $192, %rsp\n"
    "       movq %rdi, (%rsp)\n"
    "       movq %rsi, 8(%rsp)\n"
    "       movq %rdx, 16(%rsp)\n"
    "       movq %rcx, 24(%rsp)\n"
    "       movq %r8, 32(%rsp)\n"
    "       movq %r9, 40(%rsp)\n"
    "       movq %rax, 48(%rsp)\n"
    "       movq %r11, 56(%rsp)\n"
    "       movaps %xmm0, 64(%rsp)\n"
    "       movaps %xmm1, 80(%rsp)\n"
    "       movaps %xmm2, 96(%rsp)\n"
    "       movaps %xmm3, 112(%rsp)\n"
    "       movaps %xmm4, 128(%rsp)\n"
    "       movaps %xmm5, 144(%rsp)\n"
    "       movaps %xmm6, 160(%rsp)\n"
    "       movaps %xmm7, 176(%rsp)\n"
    "       call systemd_open\n"
    "       movq (%rsp), %rdi\n"
    "       movq 8(%rsp), %rsi\n"
    "       movq 16(%rsp), %rdx\n"
    "       movq 24(%rsp), %rcx\n"
    "       movq 32(%rsp), %r8\n"
    "       movq 40(%rsp), %r9\n"
    "       movq 48(%rsp), %rax\n"
    "       movq 56(%rsp), %r11\n"
    "       movaps 64(%rsp), %xmm0\n"
    "       movaps 80(%rsp), %xmm1\n"
    "       movaps 96(%rsp), %xmm2\n"
    "       movaps 112(%rsp), %xmm3\n"
    "       movaps 128(%rsp), %xmm4\n"
    "       movaps 144(%rsp), %xmm5\n"
    "       movaps 160(%rsp), %xmm6\n"
    "       movaps 176(%rsp), %xmm7\n"
    "       leave\n"
    "       jmp *(%r11)\n"
    ".popsection\n");
// clang-format on

static const char *const names[] = { FUNCTIONS(NAME) };
extern void *systemd_slots[];
void systemd_open(void);

static _noreturn_ void give_up(const char *missing) {
        _cleanup_error_ Error e = ERROR_NULL;

        if (missing)
                (void) error_set(&e, -EOPNOTSUPP, ERROR_UNSUPPORTED, "%s has no function '%s'",
                                 LIBRARY, missing);
        else
                (void) error_set(&e, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "%s, which talks to systemd, cannot be opened", LIBRARY);
        error_hint(&e, "install libsystemd0, version 252 or newer");
        log_error_object(LOG_ERR, &e);
        _exit(EXIT_FAILURE); /* nobody waits for an answer where a library is taken for granted */
}

void systemd_open(void) {
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

        if (!library)
                give_up(NULL);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                systemd_slots[i] = dlsym(library, names[i]);
                if (!systemd_slots[i])
                        give_up(names[i]);
        }
        (void) mprotect(systemd_slots, sizeof(names), PROT_READ); /* safer, not needed */
}
