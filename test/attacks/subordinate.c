/* Leaving by the uids that an account has beside its own (/etc/subuid).

     subordinate namespace UID GID FIRST COUNT each of COUNT processes makes a user namespace, has newuidmap
                                             map FIRST and those after it, and becomes one of these
     subordinate setuid UID                  run from a setuid file that a subordinate uid owns: takes the
                                             owner's uid as its real one, outside any namespace
     subordinate groups UID GID FIRST        takes 4,000 groups by newgidmap, and ends its first thread

   Each then sleeps. Must not achieve: a process that stays outside the cgroup of UID, whatever uid it
   shows, nor one that is not counted as outside while it is. */
#define _GNU_SOURCE
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { lifetime_s = 60, groups = 4000 };

static void stay(void) {
  alarm(lifetime_s);
  for (;;) pause();
}

static void become(uid_t uid, gid_t gid) {
  if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
    perror("become");
    _exit(1);
  }
  /* As after the exec of a login: newuidmap looks at whose /proc/PID is. */
  prctl(PR_SET_DUMPABLE, 1);
}

/* Runs newuidmap or newgidmap for the caller, which waits in a namespace of its own meanwhile. */
static void map(const char *program, uid_t own, unsigned long first) {
  int ready[2], go[2];
  char byte = 0, pid[16], inside[16], outside[16];
  if (pipe(ready) != 0 || pipe(go) != 0) _exit(1);
  snprintf(pid, sizeof pid, "%d", getpid());
  snprintf(inside, sizeof inside, "%u", own);
  snprintf(outside, sizeof outside, "%lu", first);
  const pid_t helper = fork();
  if (helper == 0) {
    if (read(ready[0], &byte, 1) != 1) _exit(1);
    execlp(program, program, pid, "0", inside, "1", "1", outside, "60000", NULL);
    _exit(1);
  }
  if (unshare(CLONE_NEWUSER) != 0) {
    perror("unshare");
    _exit(1);
  }
  if (write(ready[1], &byte, 1) != 1) _exit(1);
  int status;
  if (waitpid(helper, &status, 0) != helper || status != 0) {
    fprintf(stderr, "%s failed\n", program);
    _exit(1);
  }
}

static void leave(uid_t uid, gid_t gid, unsigned long first, int index) {
  become(uid, gid);
  map("newuidmap", uid, first);
  const uid_t other = 1 + (uid_t)index;
  if (setresuid(other, other, other) != 0) {
    perror("setresuid");
    _exit(1);
  }
  if (fork() == 0 && fork() != 0) _exit(0);
  stay();
}

static void *second(void *unused) {
  stay();
  return unused;
}

static void headless(uid_t uid, gid_t gid, unsigned long first) {
  static gid_t many[groups];
  become(uid, gid);
  map("newgidmap", gid, first);
  for (int i = 0; i < groups; i++) many[i] = (gid_t)(1 + i);
  if (setgroups(groups, many) != 0) {
    perror("setgroups");
    _exit(1);
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, second, NULL) != 0) _exit(1);
  pthread_exit(NULL);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const uid_t uid = (uid_t)atol(argv[2]);
  if (strcmp(argv[1], "setuid") == 0) {
    const uid_t other = geteuid();
    if (other == uid || setresuid(other, other, other) != 0) return 1;
    if (fork() == 0 && fork() != 0) _exit(0);
    stay();
  }
  if (argc < 5) return 2;
  const gid_t gid = (gid_t)atol(argv[3]);
  const unsigned long first = strtoul(argv[4], NULL, 10);
  if (strcmp(argv[1], "groups") == 0) headless(uid, gid, first);
  const int count = argc > 5 ? atoi(argv[5]) : 1;
  signal(SIGCHLD, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int i = 0; i < count; i++)
    if (fork() == 0) {
      signal(SIGCHLD, SIG_DFL);
      leave(uid, gid, first, i);
    }
  stay();
}
