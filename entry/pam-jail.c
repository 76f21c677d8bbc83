// SPDX-License-Identifier: Apache-2.0
/*
 * Opens a session inside the jail of its tenant, or not at all.
 *
 * The tenant is looked up by uid in the state file /run/INSTANCE/jail/tenants/UID or, before the first apply since boot, in
 * the list /var/lib/INSTANCE/jailed. For root, and for accounts in neither, whatever is missing or broken makes no
 * difference; no lock is taken and nothing is waited for.
 *
 * The session's own process loses, too, what cannot be undone, so that nothing it starts can have it: the capability bounding
 * set, new privileges by setuid programs, the system calls of the filter, and, where the state file says so, by Landlock what
 * is outside the jail. The process keeps the capabilities that it holds itself: sshd, su and cron need them to become the
 * tenant. Descriptors of directories, and those that only stand for a file (O_PATH), which the caller left open, lead out of
 * the jail: no program that the session starts gets them.
 */
#define _GNU_SOURCE
#include "pam.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>
#include <security/pam_ext.h>

/* Reads the state file of the tenant's jail, if there is one: 1, 0, or -1. */
static int read_state(int host, struct tenant *t)
{
	const char *const names[] = { "run", t->instance, "jail", "tenants", t->uid, NULL };

	if (!t->uid[0])
		return 0;
	if (!read_below(host, names, t->state, sizeof(t->state)))
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

/* In the jail. What can fail for a reason comes before what cannot be undone. */
static int confine_session(const struct confinement *with, struct failure *why)
{
	if (replace_standard(why) || drop_bounding_set(0, why))
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(why, "new privileges cannot be ruled out: %s", strerror(errno));
	return confine(with, why);
}

/* Back where it fails: whoever goes on all the same must not be left halfway, nor without a log. */
static int enter_or_stay(struct tenant *t, const struct jail *jail)
{
	struct confinement with = { .landlock = -1 };
	int mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int ipc = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	int failed;

	if (mounts < 0 || ipc < 0)
		failed = fail(&t->why, "/proc cannot be read: %s", strerror(errno));
	else
		failed = keep_descriptors_inside(&t->why) || enter_vault(t->instance, &t->why);
	if (!failed) {
		failed = enter_jail(t->instance, t->uid, jail, &with, &t->why) || confine_session(&with, &t->why);
		if (failed)
			(void)(setns(mounts, CLONE_NEWNS) || setns(ipc, CLONE_NEWIPC));
	}
	close_if_open(with.landlock);
	close_if_open(mounts);
	close_if_open(ipc);
	return failed ? -1 : 0;
}

/* Whether there is a jail to enter. */
static int check_state(struct tenant *t, struct jail *jail)
{
	if (parse_jail(t->state, jail, &t->why))
		return -1;
	if (jail->state == JAIL_FAILED)
		return fail(&t->why, "%s", jail->why ? jail->why : "it could not be built");
	return jail->state == JAIL_READY ? 0 : fail(&t->why, "it is not built yet");
}

static int refuse(pam_handle_t *pamh, int flags, const struct tenant *t)
{
	pam_syslog(pamh, LOG_ERR, "no session for %s, whose jail cannot be entered: %s; run bulkhead apply", t->user, t->why.text);
	if (((unsigned)flags & PAM_SILENT) == 0)
		pam_error(pamh, "No session can be opened for this account; the log of the server says why");
	/* sudo goes on after PAM_SESSION_ERR. */
	return PAM_PERM_DENIED;
}

/* What a tenant might bring about itself, to be taken for somebody without a jail. */
static bool is_exhausted(int error)
{
	return error == ENOMEM || error == EMFILE || error == ENFILE || error == EIO || error == EBADF;
}

/* Whether there is anything where the state would be: enough to refuse a session, whoever has made it. */
static bool has_state(int host, const struct tenant *t)
{
	char path[PATH_SIZE];
	int found;

	(void)snprintf(path, sizeof(path), "run/%s/jail/tenants/%s", t->instance, t->uid);
	found = openat(host, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	close_if_open(found);
	return found >= 0 || is_exhausted(errno);
}

static bool has_jails(int host, const struct tenant *t)
{
	int fd = open_jailed(host, t->instance);
	bool found = fd >= 0 || (errno != ENOENT && errno != ENOTDIR);

	close_if_open(fd);
	return found;
}

/*
 * Whether nobody could say which account it is, as where a directory service does not answer. It may be a second name of
 * a tenant, of which the list has the first. A name that no account has, as of users that a service has by itself, is none.
 */
bool is_lookup_broken(const struct tenant *t)
{
	struct passwd account, *found = NULL;
	char text[4096];
	int error = getpwnam_r(t->user, &account, text, sizeof(text), &found);

	/* Some services say by these that there is none. Source: getpwnam_r(3). */
	return error && error != ENOENT && error != ESRCH;
}

/* What the tenant's state file is, and why it cannot be read. */
struct lookup {
	int found, error;
};

static int look_up_jail(int host, struct tenant *t, struct lookup *state)
{
	int listed;

	state->found = read_state(host, t);
	state->error = errno;
	listed = state->found == 1 || (state->found < 0 && has_state(host, t)) ? 1 : is_jailed(host, t->instance, t->user, t->uid);
	if (!t->uid[0] && listed != 1 && (listed < 0 || has_jails(host, t)) && is_lookup_broken(t))
		return fail(&t->why, "whether there is one cannot be known while its account cannot be looked up");
	if (listed < 0 && is_exhausted(errno))
		return fail(&t->why, "whether there is one cannot be read: %s", strerror(errno));
	return listed == 1;
}

int find_jail(struct tenant *t)
{
	struct lookup state;
	int host = open_host(), answer = look_up_jail(host, t, &state);

	close_if_open(host);
	return answer;
}

static int open_inside(pam_handle_t *pamh, int flags, struct tenant *t, int host)
{
	struct lookup state;
	struct jail jail;
	int jailed = look_up_jail(host, t, &state);

	if (jailed < 0)
		return refuse(pamh, flags, t);
	if (!jailed)
		return PAM_IGNORE;
	if (state.found < 1) {
		if (state.found < 0)
			(void)fail(&t->why, "its state cannot be read: %s", reason_of(state.error));
		(void)fail(&t->why, "it is not there any more, or not yet");
		return refuse(pamh, flags, t);
	}
	/* The manager of a user's units needs the host's cgroups and bus, and starts whatever it is told to. */
	if (!strcmp(t->service, "systemd-user")) {
		pam_syslog(pamh, LOG_NOTICE, "no user manager for %s, who has a jail", t->user);
		return PAM_PERM_DENIED;
	}
	if (check_state(t, &jail) || enter_or_stay(t, &jail))
		return refuse(pamh, flags, t);
	return PAM_SUCCESS;
}

int open_jail(pam_handle_t *pamh, int flags, struct tenant *t)
{
	int host = open_host(), answer = open_inside(pamh, flags, t, host);

	close_if_open(host);
	return answer;
}
