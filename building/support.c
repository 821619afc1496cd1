/* Whether this processor, and its operating system, have all instructions of the level of this library. */
#include <string.h>

int fastmlp_is_supported(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const int v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    const int v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
        && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    const int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl");
    return strcmp(LEVEL, "x86-64-v4") == 0 ? v4 : strcmp(LEVEL, "x86-64-v3") == 0 ? v3 : v2;
#else
    return 1;
#endif
}
