// SPDX-License-Identifier: Apache-2.0
/*
 * Sends a program a signal when it is about to make the STEPth of its system calls.
 *
 *     signal-at STEP SIGNAL PROGRAM ARGS…
 *
 * A program that was stopped is continued. Returns as soon as the program and everything that it started have ended, with
 * its status, 128 and the signal that ended it, or 99 if it became another program before that step.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_SUCH_STEP 99
#define SYSTEM_CALL (SIGTRAP | 0x80)

static void need(int condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	exit(98);
}

static pid_t start(char **program)
{
	pid_t child = fork();

	need(child >= 0, "fork");
	if (child == 0) {
		need(!ptrace(PTRACE_TRACEME, 0, 0, 0), "PTRACE_TRACEME");
		(void)raise(SIGSTOP);
		(void)execv(program[0], program);
		_exit(97);
	}
	return child;
}

/* Lets it run to the step: 0, or -1 if it ended or became another program before. */
static int reach(pid_t child, long step, int *status)
{
	int programs = 0, is_entry = 1, signal = 0;

	need(waitpid(child, status, 0) == child && WIFSTOPPED(*status), "waitpid");
	need(!ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC), "PTRACE_SETOPTIONS");
	for (;;) {
		need(!ptrace(PTRACE_SYSCALL, child, 0, signal), "PTRACE_SYSCALL");
		need(waitpid(child, status, 0) == child, "waitpid");
		if (!WIFSTOPPED(*status))
			return -1;
		signal = 0;
		if (*status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			if (programs++)
				return -1;
			is_entry = 0;
		} else if (WSTOPSIG(*status) != SYSTEM_CALL) {
			signal = WSTOPSIG(*status);
		} else {
			if (programs && is_entry && step-- == 0)
				return 0;
			is_entry = !is_entry;
		}
	}
}

int main(int argc, char **argv)
{
	int reached, status = 0, signal, other;
	pid_t child;

	if (argc < 4)
		return 98;
	signal = atoi(argv[2]);
	/* What it leaves behind becomes a child of this process. */
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER");
	child = start(argv + 3);
	reached = !reach(child, atol(argv[1]), &status);
	if (reached)
		need(!kill(child, signal), "kill");
	if (WIFSTOPPED(status))
		need(!ptrace(PTRACE_DETACH, child, 0, 0) || (errno == ESRCH && signal == SIGKILL), "PTRACE_DETACH");
	if (reached && signal == SIGSTOP) {
		need(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "it does not stop");
		need(!kill(child, SIGCONT), "kill");
	}
	while (waitpid(child, &status, 0) < 0)
		need(errno == EINTR, "waitpid");
	while (wait(&other) > 0 || errno == EINTR)
		;
	if (!reached)
		return NO_SUCH_STEP;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
