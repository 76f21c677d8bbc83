/*
 * Opens a session as sshd, su and cron do: as root, with a configuration directory of PAM of its own, and then becomes the
 * user in a child. What modules write to the system's log is printed.
 *
 *     session [-a] [-n] [-p] [-t] CONFDIR SERVICE USER COMMAND...
 *
 * -a: goes on although no session could be opened. -n: runs the command without a session, as vsftpd does. -p: only if the
 * account phase admits the user. -t: with a second thread.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>
#include <security/pam_appl.h>

void syslog(int priority, const char *format, ...)
{
	va_list list;

	(void)priority;
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list list;

	(void)priority;
	(void)flag;
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

static int converse(int count, const struct pam_message **messages, struct pam_response **answers, void *data)
{
	(void)data;
	for (int i = 0; i < count; i++)
		fprintf(stderr, "to the user: %s\n", messages[i]->msg);
	*answers = calloc((size_t)count, sizeof(**answers));
	return *answers ? PAM_SUCCESS : PAM_CONV_ERR;
}

static void *wait_for_ever(void *data)
{
	for (;;)
		pause();
	return data;
}

static int run(const char *user, char **command)
{
	struct passwd *account = getpwnam(user);
	int status = -1;
	pid_t child = account ? fork() : -1;

	if (child == 0) {
		if (initgroups(user, account->pw_gid) || setgid(account->pw_gid) || setuid(account->pw_uid))
			_exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 124;
}

int main(int argc, char **argv)
{
	const struct pam_conv conversation = { converse, NULL };
	pam_handle_t *pamh = NULL;
	pthread_t thread;
	int option, anyway = 0, asks = 0, without = 0, opened, status = 1, closed = 0;

	while ((option = getopt(argc, argv, "+anpt")) > 0) {
		anyway |= option == 'a';
		without |= option == 'n';
		asks |= option == 'p';
		if (option == 't' && pthread_create(&thread, NULL, wait_for_ever, NULL))
			return 2;
	}
	argv += optind;
	if (argc - optind < 4 || pam_start_confdir(argv[1], argv[2], &conversation, argv[0], &pamh) != PAM_SUCCESS)
		return 2;
	if (asks && pam_acct_mgmt(pamh, 0) != PAM_SUCCESS) {
		fprintf(stderr, "admitted: no\n");
		pam_end(pamh, PAM_PERM_DENIED);
		return 1;
	}
	if (without) {
		pam_end(pamh, PAM_SUCCESS);
		return run(argv[2], argv + 3);
	}
	opened = pam_open_session(pamh, 0);
	fprintf(stderr, "opened: %s\n", opened == PAM_SUCCESS ? "yes" : "no");
	if (opened == PAM_SUCCESS || anyway)
		status = run(argv[2], argv + 3);
	if (opened == PAM_SUCCESS)
		closed = pam_close_session(pamh, 0);
	fprintf(stderr, "closed: %d\n", closed);
	pam_end(pamh, opened);
	return status;
}
