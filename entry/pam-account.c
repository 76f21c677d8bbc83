// SPDX-License-Identifier: Apache-2.0
/*
 * Keeps a jailed tenant from logging in outside the jail through an FTP daemon, in PAM's account phase.
 *
 * FTP daemons differ from sshd, su, cron and atd, whose sessions are opened inside the jail or not at all:
 *
 *     pure-ftpd  can enter no jail, and goes on when PAM refuses the session: refused here
 *     vsftpd     opens no session without session_support=YES, and closes its PAM handle at once
 *     ProFTPD    asks its next authentication method when PAM refuses the session, and closes its PAM handle before
 *
 * The last two are admitted, and watched: if the handle is closed before a session was entered, the process ends, and so the
 * connection. Thus their configuration does not matter. The process serves one connection.
 */
#define _GNU_SOURCE
#include "pam.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <security/pam_ext.h>

enum daemon { NO_FTP_DAEMON, NEVER_ENTERS, MAY_ENTER };

static const char admitted[] = "bulkhead_admitted";

/* An admitted tenant, until its session is entered. */
struct admission {
	bool entered;
	uid_t uid;
	char user[KEY_MAX];
};

bool has_process_name(const char *const *names)
{
	char name[32] = "";
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	bool found = false;

	if (fd >= 0 && !read_text(fd, name, sizeof(name)))
		name[strcspn(name, "\n")] = '\0';
	for (; !found && *names; names++)
		found = !strcmp(name, *names);
	close_if_open(fd);
	return found;
}

/*
 * Only a process that is known to serve one connection is ever ended: any server may have a PAM service of these names, and
 * one that many users share must not end for one of them. It refuses the tenant.
 */
static enum daemon find_daemon(const char *service)
{
	static const char *const pure[] = { "pure-ftpd", "pure-ftpd-ldap", "pure-ftpd-mysql", "pure-ftpd-postg", NULL };
	static const char *const others[] = { "vsftpd", "proftpd", "in.proftpd", NULL };
	static const char *const services[] = { "ftp", "vsftpd", "proftpd", NULL };

	if (has_process_name(others))
		return MAY_ENTER;
	if (has_process_name(pure) || !strncmp(service, *pure, strlen(*pure)))
		return NEVER_ENTERS;
	for (const char *const *each = services; *each; each++)
		if (!strcmp(service, *each))
			return NEVER_ENTERS;
	return NO_FTP_DAEMON;
}

static void end_admission(pam_handle_t *pamh, void *data, int status)
{
	struct admission *admission = data;

	if (!admission->entered && ((unsigned)status & PAM_DATA_REPLACE) == 0) {
		pam_syslog(pamh, LOG_ERR, "%s has a jail, and the FTP daemon did not enter it: the connection is ended; run bulkhead pam status",
			   admission->user);
		(void)kill(getpid(), SIGKILL);
	}
	free(admission);
}

static int refuse(pam_handle_t *pamh, const struct tenant *t)
{
	pam_syslog(pamh, LOG_NOTICE, "no login for %s: %s", t->user, t->why.text);
	return PAM_PERM_DENIED;
}

static int admit(pam_handle_t *pamh, struct tenant *t)
{
	struct admission *admission = calloc(1, sizeof(*admission));

	if (admission) {
		admission->uid = t->number;
		(void)snprintf(admission->user, sizeof(admission->user), "%s", t->user);
		if (pam_set_data(pamh, admitted, admission, end_admission) == PAM_SUCCESS)
			return PAM_IGNORE;
		free(admission);
	}
	(void)fail(&t->why, "it has a jail, and memory is short");
	return refuse(pamh, t);
}

int admit_account(pam_handle_t *pamh, struct tenant *t)
{
	enum daemon daemon = find_daemon(t->service);
	int jailed;

	if (daemon == NO_FTP_DAEMON)
		return PAM_IGNORE;
	jailed = find_jail(t);
	if (!jailed)
		return PAM_IGNORE;
	if (jailed < 0)
		return refuse(pamh, t);
	if (daemon == MAY_ENTER)
		return admit(pamh, t);
	(void)fail(&t->why, "it has a jail, which this FTP daemon cannot enter; use sftp, ProFTPD or vsftpd");
	return refuse(pamh, t);
}

void keep_entered(pam_handle_t *pamh, const struct tenant *t)
{
	const void *found = NULL;
	struct admission *admission;

	if (pam_get_data(pamh, admitted, &found) != PAM_SUCCESS || !found)
		return;
	admission = (struct admission *)(uintptr_t)found;
	if (admission->uid == t->number)
		admission->entered = true;
}
