/* Forks one child after the other, each fork taking long: there is much to copy, and a processor to share
   with somebody who has precedence.

     slow-fork FORKS UID [SAVED]

   A child that is being forked while its uid is stopped and continued must not stay stopped: the
   parent would wait for it for ever. SAVED is another uid by which signals reach the processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { mappings = 30000, page = 4096 };

/* With a handler SIGCONT waits for a process that is busy, and a second one is dropped. */
static void ignore(int signal) { (void)signal; }

static void share_processor(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) exit(1);
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) __asm__ volatile("");
  }
  const struct sched_param none = {0};
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) exit(1);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const int forks = atoi(argv[1]);
  const uid_t uid = (uid_t)atol(argv[2]);
  const uid_t saved = argc > 3 ? (uid_t)atol(argv[3]) : uid;
  /* Within a session everybody may continue everybody. */
  setsid();
  /* Only the forks are to be slow. */
  for (int i = 0; i < mappings; i++) {
    /* Neighbours of different protection are never merged. */
    char *at = mmap(NULL, page, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return 1;
    if (i % 2) *at = 1;
  }
  share_processor();
  if (setgroups(0, NULL) != 0 || setresuid(uid, uid, saved) != 0) return 1;
  signal(SIGCONT, ignore);
  for (int i = 0; i < forks; i++) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    if (child < 0) return 1;
    while (waitpid(child, NULL, 0) != child)
      if (errno != EINTR) return 1;
  }
  return 0;
}
