/* How deep the stack goes: painted below the caller's frame, looked at afterwards. */
#ifndef STACK_H_
#define STACK_H_

#include <stdint.h>

#define PAINT 0xA5u

static inline __attribute__((always_inline)) void paint(uint8_t *from, uint8_t *to)
{
    for (volatile uint8_t *at = from; at < to; at++) {
        *at = PAINT;
    }
}

/* The lowest byte that is no longer as it was painted. */
static inline __attribute__((always_inline)) uint8_t *lowest(uint8_t *from, uint8_t *to)
{
    volatile uint8_t *at = from;
    while (at < to && *at == PAINT) {
        at++;
    }
    return (uint8_t *)at;
}

#endif
