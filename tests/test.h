/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The unit-test harness: TEST(name) { … } registers itself; TEST_MAIN runs all (or those named as arguments) and prints
 * "N passed, N failed, N skipped". Exit status: 0, 1 if any failed, 77 if all were skipped. A failing ASSERT_* prints the
 * expression and its values and ends that test; the others still run. */
#pragma once

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "basic/error.h"
#include "basic/macros.h"

typedef struct Test {
        const char *name;
        void (*run)(void);
        struct Test *next;
} Test;

static Test *test_list, **test_tail = &test_list;
static jmp_buf test_escape;

#define TEST(test_name)                                                            \
        static void test_##test_name(void);                                        \
        __attribute__((constructor)) static void test_register_##test_name(void) { \
                static Test t = { .name = #test_name, .run = test_##test_name };   \
                *test_tail = &t;                                                   \
                test_tail = &t.next;                                               \
        }                                                                          \
        static void test_##test_name(void)

enum {
        TEST_FAILED = 1,
        TEST_SKIPPED = 2
};
#define TEST_FAIL(...)                                          \
        do {                                                    \
                fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
                fprintf(stderr, __VA_ARGS__);                   \
                fputc('\n', stderr);                            \
                longjmp(test_escape, TEST_FAILED);              \
        } while (0)
#define TEST_SKIP(reason)                                   \
        do {                                                \
                fprintf(stderr, "skipped: %s\n", (reason)); \
                longjmp(test_escape, TEST_SKIPPED);         \
        } while (0)

#define ASSERT_TRUE(expr)                                  \
        do {                                               \
                if (!(expr))                               \
                        TEST_FAIL("'%s' is false", #expr); \
        } while (0)
#define ASSERT_FALSE(expr)                                \
        do {                                              \
                if (expr)                                 \
                        TEST_FAIL("'%s' is true", #expr); \
        } while (0)
/* expr >= 0 */
#define ASSERT_OK(expr)                                                                        \
        do {                                                                                   \
                long long _r = (expr);                                                         \
                if (_r < 0)                                                                    \
                        TEST_FAIL("'%s' failed: %lld (%s)", #expr, _r, errno_words((int) _r)); \
        } while (0)
#define ASSERT_ERROR(expr, errno_code)                                                          \
        do {                                                                                    \
                long long _r = (expr);                                                          \
                if (_r != -(errno_code))                                                        \
                        TEST_FAIL("'%s' gave %lld, expected %d (%s)", #expr, _r, -(errno_code), \
                                  #errno_code);                                                 \
        } while (0)
#define ASSERT_EQ(a, b)                                                          \
        do {                                                                     \
                long long _a = (long long) (a), _b = (long long) (b);            \
                if (_a != _b)                                                    \
                        TEST_FAIL("'%s' is %lld, '%s' is %lld", #a, _a, #b, _b); \
        } while (0)
#define ASSERT_NE(a, b)                                                       \
        do {                                                                  \
                long long _a = (long long) (a), _b = (long long) (b);         \
                if (_a == _b)                                                 \
                        TEST_FAIL("'%s' and '%s' are both %lld", #a, #b, _a); \
        } while (0)
#define ASSERT_STREQ(a, b)                                                                         \
        do {                                                                                       \
                const char *_a = (a), *_b = (b);                                                   \
                if (!_a || !_b ? _a != _b : strcmp(_a, _b) != 0)                                   \
                        TEST_FAIL("'%s' is\n  \"%s\"\nexpected\n  \"%s\"", #a, _a ? _a : "(null)", \
                                  _b ? _b : "(null)");                                             \
        } while (0)
#define ASSERT_CONTAINS(haystack, needle)                                                \
        do {                                                                             \
                const char *_h = (haystack), *_n = (needle);                             \
                if (!_h || !strstr(_h, _n))                                              \
                        TEST_FAIL("'%s' is\n  \"%s\"\nwhich lacks\n  \"%s\"", #haystack, \
                                  _h ? _h : "(null)", _n);                               \
        } while (0)
#define ASSERT_NULL(p)                                     \
        do {                                               \
                if ((p) != NULL)                           \
                        TEST_FAIL("'%s' is not NULL", #p); \
        } while (0)
#define ASSERT_NOT_NULL(p)                             \
        do {                                           \
                if ((p) == NULL)                       \
                        TEST_FAIL("'%s' is NULL", #p); \
        } while (0)

/* A function of its own: no variable of the loop lives across the jump. */
__attribute__((noinline)) static int test_run_one(const Test *t) {
        int result = setjmp(test_escape);
        if (result == 0)
                t->run();
        return result;
}

static inline int test_run_all(int argc, char **argv) {
        unsigned count[3] = { 0 };
        for (Test *t = test_list; t; t = t->next) {
                bool wanted = argc < 2;
                for (int i = 1; i < argc; i++)
                        wanted = wanted || strcmp(argv[i], t->name) == 0;
                if (!wanted)
                        continue;
                int result = test_run_one(t);
                count[result]++;
                printf("%s %s\n",
                       result == 0              ? "ok"
                       : result == TEST_SKIPPED ? "skip"
                                                : "FAIL",
                       t->name);
                fflush(stdout);
        }
        printf("%u passed, %u failed, %u skipped\n", count[0], count[TEST_FAILED],
               count[TEST_SKIPPED]);
        return count[TEST_FAILED] ? 1 : count[0] == 0 ? 77 : 0;
}

#define TEST_MAIN                                \
        int main(int argc, char **argv) {        \
                return test_run_all(argc, argv); \
        }
