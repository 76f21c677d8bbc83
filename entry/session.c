// SPDX-License-Identifier: Apache-2.0
/*
 * Places the process that opens a session for a tenant, before any program of the tenant starts.
 *
 * A login waits for nothing but the kernel's move, or for systemd, and that for a second. Whatever fails,
 * the session goes on, and the agent moves it. With strict placement in the kernel a session that is not placed cannot
 * start, so systemd gets two minutes, as pam_systemd gives it, and the reason is kept for "bulkhead placement status":
 * /run/INSTANCE/unplaced/N, where N is the process id modulo 256.
 */
#define _GNU_SOURCE
#include "entry.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE 1
#define PATIENCE_STRICT 120
#define RECORDS 256

/* Whether the kernel may refuse who is not placed: the programs of strict placement are loaded. */
static bool is_strict(const char *instance)
{
	char path[PATH_SIZE];
	DIR *pins;
	bool found = false;

	(void)snprintf(path, sizeof(path), "/sys/fs/bpf/%s", instance);
	pins = opendir(path);
	if (!pins)
		return false;
	for (struct dirent *each; !found && (each = readdir(pins)) != NULL;)
		found = !strncmp(each->d_name, "placement-", strlen("placement-"));
	(void)closedir(pins);
	return found;
}

/* pam_systemd does nothing for a session that begins within another one. src/pam/core/profiles.ts has the same list. */
static bool begins_within_another(const char *service)
{
	static const char *const services[] = { "su", "su-l", "sudo-i", "runuser-l" };

	for (size_t each = 0; each < sizeof(services) / sizeof(*services); each++)
		if (!strcmp(service, services[each]))
			return true;
	return false;
}

/* What cannot be kept is only less to read. */
static void keep_reason(const char *instance, const struct failure *why)
{
	const char *const above[] = { instance, NULL };
	int runtime = open_run(above, O_PATH | O_DIRECTORY, S_IFDIR), directory = -1, fd = -1;
	char name[16];

	if (runtime >= 0) {
		(void)mkdirat(runtime, "unplaced", 0700);
		directory = open_owned(runtime, "unplaced", O_PATH | O_DIRECTORY, S_IFDIR);
	}
	(void)snprintf(name, sizeof(name), "%d", (int)(getpid() % RECORDS));
	if (directory >= 0)
		fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)dprintf(fd, "%d %s\n", (int)getpid(), why->text);
	close_if_open(fd);
	close_if_open(directory);
	close_if_open(runtime);
}

static enum session give_up(const char *instance, const struct failure *why)
{
	if (is_strict(instance))
		keep_reason(instance, why);
	return SESSION_UNPLACED;
}

enum session place_session(const struct destination *session, const char *service, bool to_follow, struct failure *f)
{
	struct destination to = *session;
	struct place place;
	int found;

	to.is_session = true;
	found = find_place(&to, &place, f);
	/* No other account depends on whether this can be told. */
	if (is_stopped(to.instance, to.uid, found == 0))
		return SESSION_STOPPED;
	/*
	 * The user's own systemd has to stay in the cgroup that systemd has made for it. Dovecot's auth processes serve many users,
	 * and with session=yes open sessions of one after another.
	 */
	if (!strcmp(service, "systemd-user") || !strcmp(service, "dovecot"))
		return SESSION_LEFT;
	if (found > 0) {
		(void)give_up(to.instance, f);
		return SESSION_LEFT;
	}
	if (found < 0)
		return give_up(to.instance, f);
	if (place.is_slice && to_follow && !begins_within_another(service))
		return SESSION_LEFT;
	to.patience = place.is_slice && is_strict(to.instance) ? PATIENCE_STRICT : PATIENCE;
	if (reset_oom_score(f) || join_place(&to, &place, f))
		return give_up(to.instance, f);
	/* Whoever has stopped the tenant meanwhile ends what is in the cgroup, and this was not. */
	return is_stopped(to.instance, to.uid, true) ? SESSION_STOPPED : SESSION_PLACED;
}
