// SPDX-License-Identifier: Apache-2.0
/*
 * pam_bulkhead: places the process that opens a session (of sshd, su, cron, atd, login) in the cgroups of its tenant, and
 * puts it into the tenant's jail, before any program of the tenant starts.
 *
 *     session [success=2 perm_denied=die default=ignore] /…/pam_bulkhead.so place systemd [instance=NAME]
 *     session [success=ok perm_denied=die default=ignore] /…/pam_bulkhead.so place [instance=NAME]
 *     session optional pam_systemd.so
 *     session [success=1 ignore=1 module_unknown=ignore default=die] /…/pam_bulkhead.so jail [instance=NAME]
 *     account [perm_denied=die default=ignore] /…/pam_bulkhead.so account [instance=NAME]
 *
 * `place` answers PAM_SUCCESS for a session that it has placed. With `systemd`, pam_systemd is to follow where it does not:
 * it places a tenant that is a slice. A stopped tenant gets no session. Whatever else happens, the login goes on: PAM_IGNORE.
 * A session is placed once, so that the second of the two lines does nothing after the first.
 *
 * `jail` opens a jailed tenant's session inside the jail or not at all: see pam-jail.c. `account` keeps such a tenant from
 * logging in through an FTP daemon that opens no session inside: see pam-account.c.
 *
 * Nothing comes from the environment, no file is used that others than root can change, and no link is followed but the
 * one that leads from a tenant to the latest of its pins. entry/exec.c enters in the same way.
 */
#define _GNU_SOURCE
#include "pam.h"
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <security/pam_ext.h>
#include <security/pam_modutil.h>

#define EXPORTED __attribute__((visibility("default")))

struct request {
	bool place, jail, account, systemd;
	const char *instance;
};

static bool read_word(struct request *request, const char *word)
{
	static const char instance[] = "instance=";

	if (!strcmp(word, "place"))
		request->place = true;
	else if (!strcmp(word, "jail"))
		request->jail = true;
	else if (!strcmp(word, "account"))
		request->account = true;
	else if (!strcmp(word, "systemd"))
		request->systemd = true;
	else if (!strncmp(word, instance, strlen(instance)))
		request->instance = word + strlen(instance);
	else
		return false;
	return true;
}

static bool read_request(pam_handle_t *pamh, struct request *request, int argc, const char **argv)
{
	const char *wrong = NULL;

	for (int each = 0; each < argc; each++)
		if (!read_word(request, argv[each]))
			wrong = argv[each];
	if (wrong)
		pam_syslog(pamh, LOG_ERR, "the line has a word that is unknown: %s; run bulkhead pam enable", wrong);
	else if (request->place + request->jail + request->account != 1 || !is_instance(request->instance))
		pam_syslog(pamh, LOG_ERR, "the line has none of place, jail and account, or no instance; run bulkhead pam enable");
	else
		return true;
	return false;
}

/* false for root, whom nothing here concerns. */
static bool find_tenant(pam_handle_t *pamh, struct tenant *t)
{
	const struct passwd *account;
	const void *service = NULL;

	if (pam_get_user(pamh, &t->user, NULL) != PAM_SUCCESS || !t->user || !strcmp(t->user, "root"))
		return false;
	account = pam_modutil_getpwnam(pamh, t->user);
	if (account && account->pw_uid == 0)
		return false;
	if (account) {
		t->number = account->pw_uid;
		(void)snprintf(t->uid, sizeof(t->uid), "%u", account->pw_uid);
	}
	t->service = pam_get_item(pamh, PAM_SERVICE, &service) == PAM_SUCCESS && service ? service : "";
	return true;
}

/* sshd keeps a connection whose session was refused, and a client that asks for no command keeps it for ever. */
static void end_connection(void)
{
	static const char *const names[] = { "sshd", "sshd-session", NULL };

	if (has_process_name(names))
		(void)kill(getpid(), SIGKILL);
}

static int refuse_stopped(pam_handle_t *pamh, int flags, const struct tenant *t)
{
	pam_syslog(pamh, LOG_NOTICE, "no session for %s, who is stopped; bulkhead start %s lets it run again", t->user, t->user);
	if (((unsigned)flags & PAM_SILENT) == 0)
		pam_error(pamh, "No session can be opened for this account: it is stopped");
	end_connection();
	/* sudo goes on after PAM_SESSION_ERR. */
	return PAM_PERM_DENIED;
}

static int open_placed(pam_handle_t *pamh, int flags, struct tenant *t, bool systemd)
{
	const struct destination session = { .instance = t->instance, .tenant = t->user, .uid = t->number };

	if (!t->uid[0]) {
		if (is_lookup_broken(t))
			pam_syslog(pamh, LOG_ERR, "%s is not placed: the account cannot be looked up", t->user);
		return PAM_IGNORE;
	}
	switch (place_session(&session, t->service, systemd, &t->why)) {
	case SESSION_PLACED:
		return PAM_SUCCESS;
	case SESSION_LEFT:
		return PAM_IGNORE;
	case SESSION_UNPLACED:
		pam_syslog(pamh, LOG_ERR, "%s is not placed: %s", t->user, t->why.text);
		return PAM_IGNORE;
	case SESSION_STOPPED:
		break;
	}
	return refuse_stopped(pamh, flags, t);
}

/* What was answered, and for whom: a service may run a line twice, and there are two that place. */
struct answer {
	uid_t uid;
	int value;
};

static const char placed[] = "bulkhead_placed", entered[] = "bulkhead_jail_entered";

static void forget(pam_handle_t *pamh, void *data, int status)
{
	(void)pamh;
	(void)status;
	free(data);
}

static bool keep_answer(pam_handle_t *pamh, const char *name, const struct tenant *t, int value)
{
	struct answer *answer = malloc(sizeof(*answer));

	if (!answer)
		return false;
	*answer = (struct answer){ t->number, value };
	if (pam_set_data(pamh, name, answer, forget) == PAM_SUCCESS)
		return true;
	free(answer);
	return false;
}

static const struct answer *find_answer(pam_handle_t *pamh, const char *name)
{
	const void *found = NULL;

	return pam_get_data(pamh, name, &found) == PAM_SUCCESS ? found : NULL;
}

static int place_once(pam_handle_t *pamh, int flags, struct tenant *t, bool systemd)
{
	const struct answer *before = find_answer(pamh, placed);
	int value;

	if (before && before->uid == t->number)
		return before->value;
	value = open_placed(pamh, flags, t, systemd);
	/* What is not kept is only done again. */
	(void)keep_answer(pamh, placed, t, value);
	return value;
}

/* A process that is in a jail stays there. */
static int enter_once(pam_handle_t *pamh, int flags, struct tenant *t)
{
	const struct answer *before = find_answer(pamh, entered);
	int value;

	if (before && before->uid == t->number)
		return PAM_IGNORE;
	if (before) {
		pam_syslog(pamh, LOG_ERR, "no session for %s: this process is in the jail of uid %u", t->user, before->uid);
		return PAM_PERM_DENIED;
	}
	value = open_jail(pamh, flags, t);
	if (value == PAM_SUCCESS)
		keep_entered(pamh, t);
	return value != PAM_SUCCESS || keep_answer(pamh, entered, t, value) ? value : PAM_PERM_DENIED;
}

/* Reads the line and finds the tenant: PAM_SUCCESS, or what the module answers without one. */
static int begin(pam_handle_t *pamh, struct request *request, struct tenant *t, int argc, const char **argv)
{
	/* As if there were no such module: what follows a line for jails then refuses who has one. */
	if (!read_request(pamh, request, argc, argv))
		return PAM_MODULE_UNKNOWN;
	t->instance = request->instance;
	return find_tenant(pamh, t) ? PAM_SUCCESS : PAM_IGNORE;
}

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct request request = { .instance = "bulkhead" };
	struct tenant t = { .instance = NULL };
	int begun = begin(pamh, &request, &t, argc, argv);

	if (begun != PAM_SUCCESS || request.account)
		return begun == PAM_SUCCESS ? PAM_IGNORE : begun;
	/* Its auth processes serve many users, and run nothing of theirs. */
	if (request.jail && !strcmp(t.service, "dovecot"))
		return PAM_IGNORE;
	return request.place ? place_once(pamh, flags, &t, request.systemd) : enter_once(pamh, flags, &t);
}

EXPORTED int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct request request = { .instance = "bulkhead" };
	struct tenant t = { .instance = NULL };
	int begun = begin(pamh, &request, &t, argc, argv);

	(void)flags;
	if (begun != PAM_SUCCESS || !request.account)
		return begun == PAM_SUCCESS ? PAM_IGNORE : begun;
	return admit_account(pamh, &t);
}

/* Always successful: a jump would make a failure of PAM_IGNORE here. */
EXPORTED int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	(void)argc;
	(void)argv;
	if (find_answer(pamh, placed))
		(void)pam_set_data(pamh, placed, NULL, NULL);
	return PAM_SUCCESS;
}
