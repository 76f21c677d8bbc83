/* Processes that become a tenant's, for the placement benchmark.

     rate PER-SECOND COUNT UID PATH MATCHES   each forks, changes its uid, and waits until PATH stands
                                              MATCHES times in its /proc/self/cgroup; prints how long
                                              that took in microseconds, or -1 after two seconds
     crowd COUNT UID PATH MATCHES             one such process makes COUNT more, which share its memory;
                                              prints "ready", and all end with standard input */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* Looking costs CPU that the placer needs too: it is done after 50 microseconds and a tenth of the
   time so far, which is how exact the answer is. */
enum { most_us = 2000000, step_us = 50, stack_bytes = 4096 };

static int matches(const char *path) {
  char text[8192];
  char line[512];
  int count = 0;
  const int fd = open("/proc/self/cgroup", O_RDONLY);
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  text[length > 0 ? length : 0] = 0;
  snprintf(line, sizeof line, ":%s\n", path);
  for (const char *at = text; (at = strstr(at, line)) != NULL; at++) count++;
  return count;
}

/* The clock starts before the call: the kernel reports the change within it. */
static float become(uid_t uid, const char *path, int wanted) {
  const double begin = now_us();
  if (setresuid(uid, uid, uid) != 0) return -1;
  while (matches(path) < wanted) {
    const double so_far = now_us() - begin;
    if (so_far > most_us) return -1;
    usleep((useconds_t)(step_us + so_far / 10));
  }
  return (float)(now_us() - begin);
}

static int rate(double per_second, int count, uid_t uid, const char *path, int wanted) {
  float *took = mmap(NULL, sizeof(float) * (size_t)count, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const double begin = now_us();
  if (took == MAP_FAILED) return 1;
  for (int index = 0; index < count; index++) {
    const double wait = begin + index * 1e6 / per_second - now_us();
    if (wait > 0) usleep((useconds_t)wait);
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    const pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid != 0) continue;
    took[index] = become(uid, path, wanted);
    _exit(0);
  }
  while (wait(NULL) > 0) {}
  for (int index = 0; index < count; index++) printf("%.0f\n", took[index]);
  return 0;
}

static int stay(void *nothing) {
  (void)nothing;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) pause();
  return 0;
}

static int crowd(int count, uid_t uid, const char *path, int wanted) {
  char *stacks = mmap(NULL, (size_t)count * stack_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  char byte;
  if (stacks == MAP_FAILED || become(uid, path, wanted) < 0) return 1;
  for (int index = 1; index <= count; index++)
    if (clone(stay, stacks + (size_t)index * stack_bytes, CLONE_VM, NULL) < 0) return 1;
  puts("ready");
  fflush(stdout);
  return read(0, &byte, 1) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc == 7 && strcmp(argv[1], "rate") == 0)
    return rate(atof(argv[2]), atoi(argv[3]), (uid_t)atol(argv[4]), argv[5], atoi(argv[6]));
  if (argc == 6 && strcmp(argv[1], "crowd") == 0)
    return crowd(atoi(argv[2]), (uid_t)atol(argv[3]), argv[4], atoi(argv[5]));
  return 2;
}
