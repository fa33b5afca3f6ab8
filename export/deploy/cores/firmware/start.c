/* What runs before main on Cortex-M and RISC-V: memory is laid out, then main is called. */
#include <stdint.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

int main(void);
void reset(void);
void fault(void);

__attribute__((used, noreturn)) static void start(void)
{
    uint32_t *from = data_load;
    for (uint32_t *to = data_start; to < data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end; to++) {
        *to = 0;
    }
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: the unit for floats and vectors */
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
    (void)main();
    for (;;) {
    }
}

__attribute__((weak, noreturn)) void fault(void)
{
    for (;;) {
    }
}

#if defined(__arm__)
__attribute__((noreturn)) void reset(void)
{
    start();
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, reset, fault, fault, fault, fault, fault};
#else
__attribute__((section(".vectors"), naked, used)) void reset(void)
{
    __asm volatile("la sp, stack_top\n\t"
                   "la t0, fault\n\t"
                   "csrw mtvec, t0\n\t"
                   "j start");
}
#endif
