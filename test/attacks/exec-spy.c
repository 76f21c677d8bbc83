// SPDX-License-Identifier: Apache-2.0
// A library that writes down which programs load it, whatever they load it for: SPIED is the file.
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((constructor)) static void write_down(void)
{
	char program[256], line[300];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	int fd = open(SPIED, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	program[length < 0 ? 0 : length] = '\0';
	length = snprintf(line, sizeof(line), "%d %s\n", (int)getuid(), program);
	if (fd >= 0 && write(fd, line, (size_t)length) == length)
		(void)close(fd);
}

/* What the loader asks of a library in LD_AUDIT. */
unsigned int la_version(unsigned int version);

unsigned int la_version(unsigned int version)
{
	return version;
}
