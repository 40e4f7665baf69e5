/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/alloc.c. */
#include "test.h"

#include "basic/alloc.h"

typedef struct Item {
        int number;
        char *text;
} Item;

TEST(reserve_zeroes_and_keeps) {
        _cleanup_free_ uint32_t *array = NULL;
        size_t allocated = 0;

        ASSERT_OK(array_reserve(&array, &allocated, 3, sizeof(*array)));
        ASSERT_TRUE(allocated >= 3);
        for (size_t i = 0; i < allocated; i++)
                ASSERT_EQ(array[i], 0);
        array[0] = 7;
        array[2] = 9;
        size_t before = allocated;
        ASSERT_OK(array_reserve(&array, &allocated, 1, sizeof(*array)));
        ASSERT_EQ(allocated, before);
        ASSERT_OK(array_reserve(&array, &allocated, 1000, sizeof(*array)));
        ASSERT_TRUE(allocated >= 1000);
        ASSERT_EQ(array[0], 7);
        ASSERT_EQ(array[2], 9);
        for (size_t i = before; i < allocated; i++)
                ASSERT_EQ(array[i], 0);
}

TEST(reserve_nothing) {
        _cleanup_free_ char *array = NULL;
        size_t allocated = 0;

        ASSERT_OK(array_reserve(&array, &allocated, 0, 1));
        ASSERT_NULL(array);
}

TEST(reserve_overflow_leaves_the_array_alone) {
        _cleanup_free_ uint64_t *array = NULL;
        size_t allocated = 0;

        ASSERT_OK(array_reserve(&array, &allocated, 2, sizeof(*array)));
        array[1] = 5;
        size_t before = allocated;
        ASSERT_ERROR(array_reserve(&array, &allocated, SIZE_MAX, sizeof(*array)), ENOMEM);
        ASSERT_ERROR(array_reserve(&array, &allocated, SIZE_MAX / 4, sizeof(*array)), ENOMEM);
        ASSERT_ERROR(array_reserve(&array, &allocated, SIZE_MAX / sizeof(*array) / 2 + 2,
                                   sizeof(*array)),
                     ENOMEM);
        ASSERT_EQ(allocated, before);
        ASSERT_EQ(array[1], 5);
}

TEST(append) {
        _cleanup_free_ Item *items = NULL;
        size_t n = 0;

        for (int i = 0; i < 1000; i++) {
                Item *item = ARRAY_APPEND(items, n);

                ASSERT_NOT_NULL(item);
                ASSERT_EQ(item->number, 0);
                ASSERT_NULL(item->text);
                ASSERT_TRUE(item == &items[i]);
                item->number = i;
                item->text = (char *) item;
        }
        ASSERT_EQ(n, 1000);
        for (int i = 0; i < 1000; i++)
                ASSERT_EQ(items[i].number, i);
}

/* An array of exactly three elements has no room for a fourth, whatever a rule about powers of two may say. */
TEST(append_to_an_array_made_to_measure) {
        _cleanup_free_ uint64_t *array = new0(uint64_t, 3);
        size_t n = 3;

        ASSERT_NOT_NULL(array);
        array[2] = 42;
        uint64_t *last = ARRAY_APPEND(array, n);
        ASSERT_NOT_NULL(last);
        *last = 43;
        ASSERT_EQ(n, 4);
        ASSERT_EQ(array[2], 42);
        ASSERT_EQ(array[3], 43);
}

TEST(append_overflow) {
        char *array = NULL;
        size_t n = SIZE_MAX;

        ASSERT_NULL(array_append(&array, &n, 1));
        ASSERT_EQ(n, SIZE_MAX);
        n = SIZE_MAX / 8;
        ASSERT_NULL(array_append(&array, &n, 64));
        ASSERT_NULL(array);
}

TEST_MAIN
