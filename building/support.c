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

/* What Numba's library has for a.reshape: overwrites the strides of a C-contiguous array in its new shape; returns 0 for
   any other array. */
int numba_attempt_nocopy_reshape(long n_dim, const long *shape, const long *strides, long new_n_dim,
                                 const long *new_shape, long *new_strides, long item_size, int is_fortran) {
    long n_bytes = item_size;
    for (long k = n_dim - 1; k >= 0; k--) {
        if (is_fortran || (shape[k] != 1 && strides[k] != n_bytes)) {
            return 0;
        }
        n_bytes *= shape[k];
    }
    n_bytes = item_size;
    for (long k = new_n_dim - 1; k >= 0; k--) {
        new_strides[k] = n_bytes;
        n_bytes *= new_shape[k];
    }
    return 1;
}
