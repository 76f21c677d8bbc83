// SPDX-License-Identifier: Apache-2.0
/* A network namespace for a program that insists on a TCP port: nobody else reaches the port there, or has taken it. */
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A new one has the loopback device alone, which is down. */
static int raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	if (fd < 0)
		return -1;
	result = ioctl(fd, SIOCGIFFLAGS, &request);
	request.ifr_flags |= IFF_UP;
	if (!result)
		result = ioctl(fd, SIOCSIFFLAGS, &request);
	(void)close(fd);
	return result;
}

int own_network(struct failure *f)
{
	if (unshare(CLONE_NEWNET))
		return fail(f, "a network namespace cannot be made: %s", strerror(errno));
	if (raise_loopback())
		return fail(f, "the loopback device of a network namespace cannot be used: %s", strerror(errno));
	return 0;
}
