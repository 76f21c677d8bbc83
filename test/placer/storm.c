/* Tenants that fork as soon as they can: each way in which a child may be born outside its cgroup.

     storm UID TENANTS PARENTS CHILDREN   parents change their uid and fork at once; every other child
                                          is forked twice with the middle process ending, and every
                                          third parent ends too
     comet UID MS                         a process forks its successor and ends, over and over
     headless UID                         the first thread ends, another one changes the uid
     bomb UID MS                          every process forks as fast as it can

   Ends once all has been forked; what is alive then waits to be killed, for an hour. Some of the last children
   may be born a moment after that. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of all that a uid runs; the ended ones count until somebody asks for them. */
enum { lifetime_s = 3600, most_processes = 2000, most_of_bomb = 300 };

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void become(uid_t uid, rlim_t most) {
  const struct rlimit limit = {most, most};
  if (setrlimit(RLIMIT_NPROC, &limit) != 0 || setresuid(uid, uid, uid) != 0) _exit(1);
}

static void stay(void) {
  alarm(lifetime_s);
  for (;;) pause();
}

static void parent(int index, uid_t uid, int children) {
  become(uid, most_processes);
  for (int child = 0; child < children; child++) {
    if (fork() != 0) continue;
    if (child % 2 == 1 && fork() != 0) _exit(0);
    stay();
  }
  if (index % 3 == 2) _exit(0);
}

static int storm(uid_t uid, int tenants, int parents, int children) {
  int ready[2];
  char byte = 0;
  if (pipe(ready) != 0) return 1;
  for (int index = 0; index < parents; index++) {
    const pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid != 0) continue;
    parent(index, uid + (uid_t)(index % tenants), children);
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    stay();
  }
  close(ready[1]);
  for (int left = parents - parents / 3; left > 0; left--)
    if (read(ready[0], &byte, 1) != 1) return 1;
  return 0;
}

static void comet(uid_t uid, long long until) {
  become(uid, most_processes);
  alarm(lifetime_s);
  while (now_ms() < until) {
    const pid_t pid = fork();
    if (pid > 0) _exit(0);
  }
  stay();
}

static void bomb(uid_t uid, long long until) {
  become(uid, most_of_bomb);
  alarm(lifetime_s);
  while (now_ms() < until) (void)!fork();
  stay();
}

static void *second(void *uid) {
  usleep(100000);
  become(*(uid_t *)uid, most_processes);
  stay();
  return NULL;
}

static int headless(uid_t uid) {
  static uid_t kept;
  pthread_t thread;
  kept = uid;
  if (pthread_create(&thread, NULL, second, &kept) != 0) return 1;
  pthread_exit(NULL);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const uid_t uid = (uid_t)atol(argv[2]);
  if (strcmp(argv[1], "headless") == 0) return headless(uid);
  if (argc < 4) return 2;
  const long ms = atol(argv[3]);
  const long long until = now_ms() + ms;
  signal(SIGCHLD, SIG_IGN);
  if (strcmp(argv[1], "storm") == 0) {
    if (argc < 6 || storm(uid, atoi(argv[3]), atoi(argv[4]), atoi(argv[5])) != 0) return 1;
  } else {
    if (fork() == 0) (strcmp(argv[1], "bomb") == 0 ? bomb : comet)(uid, until);
    usleep((useconds_t)ms * 1000);
  }
  return 0;
}
