/*
 * Tenants that do a little: COUNT processes with uids from FIRST on, each of which wakes up once in
 * PERIOD milliseconds, computes for a moment, and tries to fork where it is told to.
 *
 *   agent-load FIRST COUNT PERIOD idle|fork
 *
 * Ends with its standard input.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static void live(uid_t uid, long period, int forks) {
  volatile unsigned sum = 0;
  struct timespec pause = {period / 1000, period % 1000 * 1000000};
  if (setgid(uid) != 0 || setuid(uid) != 0) _exit(1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    nanosleep(&pause, NULL);
    for (unsigned step = 0; step < 20000; step++) sum += step;
    if (!forks) continue;
    pid_t child = fork();
    if (child == 0) _exit(0);
    if (child > 0) waitpid(child, NULL, 0);
  }
}

int main(int argc, char **argv) {
  char byte;
  if (argc != 5) return 2;
  uid_t first = (uid_t)atol(argv[1]);
  int count = atoi(argv[2]);
  for (int index = 0; index < count; index++) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) live(first + (uid_t)index, atol(argv[3]), strcmp(argv[4], "fork") == 0);
    /* Not all at the same instant. */
    usleep(500);
  }
  puts("ready");
  fflush(stdout);
  while (read(0, &byte, 1) > 0) {
  }
  kill(0, SIGKILL);
  return 0;
}
