// SPDX-License-Identifier: Apache-2.0
/*
 * Lets a launcher that is compiled with glibc 2.34 or newer start with glibc 2.28, too.
 *
 * All else that entry/ needs of libc is older. What starts main() got a new version in 2.34, which runs the constructors of
 * the program as well; entry/ has none. So the linker, by --wrap, brings that call here, and it goes to the oldest version,
 * which every glibc has. Source: csu/libc-start.c of glibc.
 *
 * Only for programs, and not with another libc.
 */
#include <features.h>

#ifdef __GLIBC__

#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#else
#error "The oldest version of __libc_start_main() is not known for this processor"
#endif

typedef int main_function(int, char **, char **);
typedef void hook(void);

__asm__(".symver start_by_oldest, __libc_start_main@" OLDEST);
int start_by_oldest(main_function *, int, char **, hook *, hook *, hook *, void *);

int start_by_wrapper(main_function *, int, char **, hook *, hook *, hook *, void *) __asm__("__wrap___libc_start_main");

int start_by_wrapper(main_function *main, int argc, char **argv, hook *start, hook *end, hook *loader, void *stack)
{
	return start_by_oldest(main, argc, argv, start, end, loader, stack);
}

#endif
