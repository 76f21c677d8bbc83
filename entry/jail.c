// SPDX-License-Identifier: Apache-2.0
/*
 * Enters a jail: the vault, in which the namespaces of all jails are pinned, and from there the jail. No link is followed
 * but the one from a jail's name to the latest of its pins.
 */
#define _GNU_SOURCE
#include "entry.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Since a pin is replaced before the one before it is removed, the second look finds it. */
#define LOOKS 3

static int open_namespace(int at, const char *name, int type)
{
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return -1;
	if (!fstatfs(fd, &fs) && fs.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == type)
		return fd;
	(void)close(fd);
	errno = ENOENT;
	return -1;
}

int enter_vault(const char *instance, struct failure *f)
{
	const char *const names[] = { "run", instance, "jail", NULL };
	int host = open_host();
	int jail = host < 0 ? -1 : open_below(host, names, O_PATH | O_DIRECTORY, S_IFDIR);
	int vault = jail < 0 ? -1 : open_namespace(jail, "vault", CLONE_NEWNS);
	int failed = 0;

	if (vault < 0 && errno == ENOENT)
		failed = fail(f, "it is not there any more");
	else if (vault < 0)
		failed = fail(f, "its vault cannot be opened: %s", reason_of(errno));
	else if (setns(vault, CLONE_NEWNS))
		failed = fail(f, "the vault cannot be entered: %s", strerror(errno));
	close_if_open(host);
	close_if_open(jail);
	close_if_open(vault);
	return failed;
}

/* The latest of the mount namespaces: KEY, which begins with the uid, is a link to UID-GGENERATION beside it. */
static int open_latest(int directory, const char *key)
{
	char name[KEY_MAX + 32];
	size_t length = strspn(key, "0123456789");
	int fd = -1;

	for (int look = 0; fd < 0 && look < LOOKS; look++) {
		ssize_t got = readlinkat(directory, key, name, sizeof(name) - 1);

		if (got < 0)
			return -1;
		name[got] = '\0';
		if (strncmp(name, key, length) || strncmp(name + length, "-G", 2) || strchr(name, '/')) {
			errno = ELOOP;
			return -1;
		}
		fd = open_namespace(directory, name, CLONE_NEWNS);
	}
	return fd;
}

/* In the vault. */
static int open_namespaces(const char *instance, const char *key, int *mounts, int *ipc, struct failure *f)
{
	const char *const ns[] = { "run", instance, "jail", "in", "ns", NULL };
	const char *const ipcs[] = { "run", instance, "jail", "in", "ipc", NULL };
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int of_mounts = root < 0 ? -1 : open_below(root, ns, O_PATH | O_DIRECTORY, S_IFDIR);
	int of_ipc = root < 0 ? -1 : open_below(root, ipcs, O_PATH | O_DIRECTORY, S_IFDIR);

	*mounts = of_mounts < 0 ? -1 : open_latest(of_mounts, key);
	*ipc = *mounts < 0 || of_ipc < 0 ? -1 : open_namespace(of_ipc, key, CLONE_NEWIPC);
	if (*ipc < 0)
		(void)fail(f, "its namespaces are not in the vault: %s", reason_of(errno));
	close_if_open(root);
	close_if_open(of_mounts);
	close_if_open(of_ipc);
	return *ipc < 0 ? -1 : 0;
}

static int read_filter(struct confinement *with, struct failure *f)
{
	const char *const names[] = { "run", "bulkhead", "seccomp", NULL };
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root < 0 ? -1 : open_below(root, names, O_RDONLY, S_IFREG);
	ssize_t got = fd < 0 ? -1 : read(fd, with->filter, sizeof(with->filter));
	int error = errno;

	close_if_open(root);
	close_if_open(fd);
	if (got < 1 || (size_t)got == sizeof(with->filter) || (size_t)got % sizeof(with->filter[0]))
		return fail(f, "its seccomp filter cannot be read: %s", got < 0 ? reason_of(error) : "it is damaged");
	with->length = (unsigned short)((size_t)got / sizeof(with->filter[0]));
	return 0;
}

int enter_jail(const char *instance, const char *key, const struct jail *jail, struct confinement *with, struct failure *f)
{
	int mounts = -1, ipc = -1, failed;

	with->landlock = -1;
	with->length = 0;
	failed = open_namespaces(instance, key, &mounts, &ipc, f);
	if (!failed && (setns(ipc, CLONE_NEWIPC) || setns(mounts, CLONE_NEWNS)))
		failed = fail(f, "its namespaces cannot be entered: %s", strerror(errno));
	close_if_open(mounts);
	close_if_open(ipc);
	if (failed || (jail->filter && read_filter(with, f)))
		return -1;
	if (!jail->landlock)
		return 0;
	with->landlock = landlock_open();
	return with->landlock < 0 ? fail(f, "Landlock cannot be applied: %s", strerror(errno)) : 0;
}

int confine(const struct confinement *with, struct failure *f)
{
	struct sock_fprog program = { .len = with->length, .filter = (struct sock_filter *)(uintptr_t)with->filter };

	if (with->landlock >= 0 && landlock_enforce(with->landlock))
		return fail(f, "Landlock cannot be applied: %s", strerror(errno));
	if (!with->length || !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program))
		return 0;
	/* Before Linux 4.17 there is no such flag. */
	if (errno == EINVAL && !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return 0;
	return fail(f, "its seccomp filter cannot be loaded: %s", strerror(errno));
}

/* Whether files outside can be reached below a descriptor, or by opening it again. */
static bool leads_out(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct statx st;

	/* What the kernel knows is enough: a tenant's FUSE file system need not answer. */
	return flags >= 0 && ((flags & O_PATH) || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) ||
			      S_ISDIR(st.stx_mode));
}

/* Above the three of every program; those which a service itself has open may be in use. */
int keep_descriptors_inside(struct failure *f)
{
	DIR *open_files = opendir("/proc/self/fd");
	struct dirent *each;
	int error = 0;

	if (!open_files)
		return fail(f, "its open files cannot be listed: %s", strerror(errno));
	while (errno = 0, (each = readdir(open_files)) != NULL) {
		unsigned long long fd;

		if (parse_number(each->d_name, '\0', INT_MAX, &fd) && fd > STDERR_FILENO && leads_out((int)fd) &&
		    fcntl((int)fd, F_SETFD, FD_CLOEXEC))
			break;
	}
	error = errno;
	(void)closedir(open_files);
	return error ? fail(f, "its open files cannot be listed: %s", strerror(error)) : 0;
}

/* In the jail. Input and output of a program is never a directory; /dev/null takes its place. */
int replace_standard(struct failure *f)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		int null, same;

		if (!leads_out(fd))
			continue;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		same = null < 0 ? -1 : dup2(null, fd);
		if (same < 0)
			(void)fail(f, "its input and output cannot be replaced: %s", strerror(errno));
		if (null > STDERR_FILENO)
			(void)close(null);
		if (same < 0)
			return -1;
	}
	return 0;
}
