/* The floor under entering a jail: enter two namespaces, give up everything, load the filter, run.
 *
 *   jail-enter VAULT MOUNT IPC UID FILTER COMMAND [ARGUMENT]... */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void must(int answer, const char *what) {
  if (answer >= 0) return;
  perror(what);
  exit(126);
}

static void enter(const char *path, int kind) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  must(fd, path);
  must(setns(fd, kind), path);
}

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  static struct sock_filter program[4096];
  enter(argv[1], CLONE_NEWNS);
  int ipc = open(argv[3], O_RDONLY | O_CLOEXEC);
  must(ipc, argv[3]);
  enter(argv[2], CLONE_NEWNS);
  must(setns(ipc, CLONE_NEWIPC), argv[3]);
  int fd = open(argv[5], O_RDONLY | O_CLOEXEC);
  must(fd, argv[5]);
  int bytes = (int)read(fd, program, sizeof program);
  must(bytes, argv[5]);
  for (int each = 0; each <= 40; each++) prctl(PR_CAPBSET_DROP, each, 0, 0, 0);
  uid_t uid = (uid_t)atol(argv[4]);
  must(setgroups(0, NULL), "setgroups");
  must(setresgid(uid, uid, uid), "setresgid");
  must(setresuid(uid, uid, uid), "setresuid");
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  struct sock_fprog filter = {(unsigned short)(bytes / 8), program};
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), "seccomp");
  execvp(argv[6], argv + 6);
  perror(argv[6]);
  return 127;
}
