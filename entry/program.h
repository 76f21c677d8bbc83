/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of entry/, unlike its library, print why they end. */
#ifndef BULKHEAD_PROGRAM_H
#define BULKHEAD_PROGRAM_H

#include "entry.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_FAILED 1
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127

__attribute__((noreturn, format(printf, 2, 3))) static void end(int status, const char *format, ...)
{
	struct failure f = { "" };
	va_list arguments;

	va_start(arguments, format);
	(void)vfail(&f, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "bulkhead: %s\n", f.text);
	exit(status);
}

/* After execve() of PROGRAM has failed with ERROR. */
__attribute__((noreturn)) static inline void end_unexecuted(const char *program, int error)
{
	end(error == ENOENT || error == ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE, "Cannot execute \"%s\": %s", program,
	    strerror(error));
}

#endif
