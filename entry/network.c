// SPDX-License-Identifier: Apache-2.0
/* A network namespace for a program that insists on a TCP port: nobody else reaches the port there, or has taken it. */
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
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

/*
 * Each start makes a namespace, since one that is kept could have a port taken by what an earlier start left behind. None
 * piles up: nothing holds a namespace but its processes and what they opened, and entry/serve.c ends what its program leaves
 * behind. The kernel frees it after the last of them; making one takes a few milliseconds.
 *
 * The kernel counts namespaces by effective uid, and a program can keep namespaces of earlier starts. So the tenant uses up
 * its own number (user.max_net_namespaces), not root's, which services of the host need.
 */
static int unshare_as(uid_t uid)
{
	int bits = prctl(PR_GET_SECUREBITS), result = -1, reason;

	if (bits < 0 || prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP))
		return -1;
	if (!seteuid(uid))
		result = unshare(CLONE_NEWNET);
	reason = errno;
	if (seteuid(0) || prctl(PR_SET_SECUREBITS, bits))
		return -1;
	errno = reason;
	return result;
}

int own_network(uid_t uid, struct failure *f)
{
	if (unshare_as(uid))
		return fail(f, "a network namespace cannot be made: %s", strerror(errno));
	if (raise_loopback())
		return fail(f, "the loopback device of a network namespace cannot be used: %s", strerror(errno));
	return 0;
}
