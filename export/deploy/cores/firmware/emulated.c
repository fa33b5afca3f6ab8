/* Under qemu: runs the model on every input in input.bin, writes output.bin, and in figures.bin what
 * it took. Files are opened and read on the host by semihosting (Arm's, and RISC-V's like it). */
#include "model.h"
#include "run.h"
#include "stack.h"

#define OPEN 0x01
#define WRITE 0x05
#define READ 0x06
#define EXIT 0x18
#define LOOPS 100000u /* of two instructions, to learn how many a tick of the clock has */

extern uint32_t bss_end[];
int8_t given[GIVEN_BYTES] ALIGNED, made[MADE_BYTES] ALIGNED;

void fault(void);

#if defined(__arm__)
static intptr_t host(intptr_t operation, intptr_t argument)
{
    register intptr_t r0 __asm("r0") = operation;
    register intptr_t r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

#define SYSTICK ((volatile uint32_t *)0xE000E010u)

static inline __attribute__((always_inline)) uint8_t *stack_now(void)
{
    uint8_t *found;
    __asm volatile("mov %0, sp" : "=r"(found));
    return found;
}

static void clock_start(void)
{
    SYSTICK[1] = 0xFFFFFFu;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5u;
}

static uint32_t clock(uint32_t since)
{
    return (since - SYSTICK[2]) & 0xFFFFFFu; /* it counts down */
}

static void loop(uint32_t count)
{
    __asm volatile(".syntax unified\n1: subs %0, #1\n\tbne 1b" : "+l"(count) : : "cc");
}
#else
static intptr_t host(intptr_t operation, intptr_t argument)
{
    register intptr_t a0 __asm("a0") = operation;
    register intptr_t a1 __asm("a1") = argument;
    __asm volatile(".balign 16\n\t"
                   ".option push\n\t"
                   ".option norvc\n\t"
                   "slli x0, x0, 0x1f\n\t"
                   "ebreak\n\t"
                   "srai x0, x0, 7\n\t"
                   ".option pop"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
    return a0;
}

static inline __attribute__((always_inline)) uint8_t *stack_now(void)
{
    uint8_t *found;
    __asm volatile("mv %0, sp" : "=r"(found));
    return found;
}

static void clock_start(void)
{
}

static uint32_t clock(uint32_t since)
{
    uint32_t now;
    __asm volatile("csrr %0, minstret" : "=r"(now));
    return now - since;
}

static void loop(uint32_t count)
{
    __asm volatile("1: addi %0, %0, -1\n\tbnez %0, 1b" : "+r"(count));
}
#endif

static uint32_t now(void)
{
#if defined(__arm__)
    return SYSTICK[2];
#else
    return clock(0);
#endif
}

static intptr_t open(const char *name, intptr_t length, intptr_t mode)
{
    intptr_t block[3] = {(intptr_t)name, mode, length};
    return host(OPEN, (intptr_t)block);
}

/* Returns how many bytes were not read or written. */
static intptr_t transfer(intptr_t operation, intptr_t file, void *at, intptr_t count)
{
    intptr_t block[3] = {file, (intptr_t)at, count};
    return host(operation, (intptr_t)block);
}

static void leave(int failed)
{
    (void)host(EXIT, failed ? 0x20023 : 0x20026); /* run-time error, application exit */
}

void fault(void)
{
    leave(1);
    for (;;) {
    }
}

int main(void)
{
    uint32_t figures[4] = {0, 0, 0, 0}, since;
    uint8_t *const top = stack_now(), *const end = (uint8_t *)bss_end;
    uint8_t *const from = top - end > STACK_BYTES ? top - STACK_BYTES : end;
    const intptr_t in = open("input.bin", 9, 1), out = open("output.bin", 10, 5);
    const intptr_t told = open("figures.bin", 11, 5);
    clock_start();
    since = now();
    loop(LOOPS);
    figures[0] = clock(since);
    while (transfer(READ, in, given, GIVEN_BYTES) == 0) {
        uint32_t used;
        paint(from, top);
        since = now();
        RUN(given, made);
        figures[1] += clock(since);
        used = (uint32_t)(top - lowest(from, top));
        figures[2] = used > figures[2] ? used : figures[2];
        figures[3]++;
        if (transfer(WRITE, out, made, MADE_BYTES) != 0) {
            leave(1);
        }
    }
    leave(transfer(WRITE, told, figures, sizeof figures) != 0);
    return 0;
}
