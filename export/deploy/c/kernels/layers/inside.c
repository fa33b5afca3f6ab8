/* Which places of a window of `size`, `apart` from each other, lie in 0 ... end - 1: the first, and
 * how many. */
static inline void model_inside(int start, int size, int apart, int end, int *inside)
{
    int from = 0, to = size;
    while (from < size && start + from * apart < 0) {
        from++;
    }
    while (to > from && start + (to - 1) * apart >= end) {
        to--;
    }
    inside[0] = from;
    inside[1] = to - from;
}
