#pragma once
#include <math.h>

/**
 * Included before every file. glibc 2.29 gave these functions a second version that only differs in how errors are
 * reported; binding to the first lets one binary run on 2.28, the oldest that Node runs on.
 */
#if defined(__linux__) && defined(__GLIBC__)
#if defined(__x86_64__)
#define LIMBECK_FIRST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define LIMBECK_FIRST_GLIBC "GLIBC_2.17"
#endif
__asm__(".symver exp, exp@" LIMBECK_FIRST_GLIBC);
__asm__(".symver log, log@" LIMBECK_FIRST_GLIBC);
__asm__(".symver pow, pow@" LIMBECK_FIRST_GLIBC);
#endif
