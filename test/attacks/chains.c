/* Fork-and-exit chains: each process forks its successor and ends, so that no process lives long
   enough to be moved, and every child is born where its parent was.

     chains UID CHAINS MS [continue] [switch] [flood] [while FILE] [witness PATH COUNT [tell FILE]]

   continue: every process sets timers that send it SIGCONT, to outrun a SIGSTOP
   switch: between two forks the process changes its effective uid and back, for many events
   flood: changes of uid alone, no forks; prints how many there were
   while: only as long as there is that file, and if MS is 0 for no less, and then the last processes sleep without an
     end; that is for machines that are thrown away
   witness: every process looks where it is before it forks: in or below PATH, in COUNT hierarchies, or outside;
     prints for how many microseconds after its change of uid a chain was outside at most, also those
     that live on. Only they can say so: others see a process that is being forked at the top, before
     it runs.
   tell: instead writes a byte to FILE for each chain as soon as it is inside

   After MS the last process of each chain sleeps, where it must be found inside its cgroup. Must not
   achieve: a process of UID outside its cgroup for good, or one that is outside and not reported.
   A tenant runs it as itself, root becomes UID. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <grp.h>

enum { lifetime_s = 3600, processes_max = 4000, settle_ms = 2000 };

static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static long long now_ms(void) { return now_us() / 1000; }

static struct {
  const char *path;
  int count;
  long long begin_us;         /* of this chain */
  _Atomic long long *last_us; /* shared by all */
  int is_told;                /* whether there is a file to tell */
  int tells;                  /* this file until this chain is inside and has told it, or -1 */
} witness = {.tells = -1};

/* Whether it is to print how long a chain was outside. */
static int measures(void) { return witness.path != NULL && !witness.is_told; }

static int is_outside(void) {
  char text[8192], line[512];
  const int file = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  const ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  if (length <= 0) _exit(1);
  text[length] = 0;
  const int width = snprintf(line, sizeof line, ":%s", witness.path);
  int inside = 0;
  for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
    if (at[width] == '\n' || at[width] == '/') inside++;
  return inside < witness.count;
}

/* Whoever is forked later has told it, too. */
static void tell(void) {
  if (witness.tells < 0) return;
  if (write(witness.tells, "i", 1) != 1) _exit(1);
  witness.tells = -1;
}

static void look(void) {
  if (witness.path == NULL) return;
  if (!is_outside()) return tell();
  const long long now = now_us() - witness.begin_us;
  long long last = atomic_load(witness.last_us);
  while (last < now && !atomic_compare_exchange_weak(witness.last_us, &last, now)) {
  }
}

static void ignore(int signal) { (void)signal; }

/* A timer is not inherited by fork: every generation sets its own. A SIGSTOP drops a SIGCONT that
   waits, and with it the timer, so that there are several for later. */
static void continue_myself(void) {
  for (long us = 500; us <= 64000; us *= 2) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT};
    const struct itimerspec when = {{0, 0}, {0, us * 1000}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) timer_settime(timer, 0, &when, NULL);
  }
}

enum { continues = 1, switches = 2, floods = 4 };

static long change(uid_t uid, int times) {
  for (int i = 0; i < times; i++)
    if (setresuid(-1, uid + 1, -1) != 0 || setresuid(-1, uid, -1) != 0) _exit(1);
  return times * 2L;
}

/* The time at which all ends, if not 0, and the file that there is until then. */
static struct {
  long long until_ms;
  const char *file;
} end;

static int goes_on(void) {
  if (end.until_ms != 0 && now_ms() >= end.until_ms) return 0;
  return end.file == NULL || access(end.file, F_OK) == 0;
}

static void become(uid_t uid, uid_t saved) {
  const struct rlimit limit = {processes_max, processes_max};
  if (geteuid() == uid) return;
  if (setrlimit(RLIMIT_NPROC, &limit) != 0 || setgroups(0, NULL) != 0) _exit(1);
  if (setresuid(uid, uid, saved) != 0) _exit(1);
}

static void limit_life(void) {
  if (end.until_ms != 0) alarm(lifetime_s);
}

static void chain(uid_t uid, int how) {
  long changes = 0;
  become(uid, how & (switches | floods) ? uid + 1 : uid);
  witness.begin_us = now_us();
  signal(SIGCONT, ignore);
  limit_life();
  while (goes_on()) {
    look();
    if (how & continues) continue_myself();
    if (how & switches) change(uid, 4);
    if (how & floods) changes += change(uid, 100);
    else if (fork() > 0) _exit(0);
  }
  if (how & floods) {
    printf("%ld\n", changes);
    fflush(stdout);
  }
  limit_life();
  const long long settled_ms = now_ms() + settle_ms;
  while (measures() && now_ms() < settled_ms) {
    look();
    usleep(1000);
  }
  for (;;) pause();
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const uid_t uid = (uid_t)atol(argv[1]);
  const int chains = atoi(argv[2]);
  int how = 0;
  const long ms = atol(argv[3]);
  end.until_ms = ms == 0 ? 0 : now_ms() + ms;
  for (int i = 4; i < argc; i++) {
    if (strcmp(argv[i], "continue") == 0) how |= continues;
    if (strcmp(argv[i], "switch") == 0) how |= switches;
    if (strcmp(argv[i], "flood") == 0) how |= floods;
    if (strcmp(argv[i], "while") == 0 && i + 1 < argc) end.file = argv[i + 1];
    if (strcmp(argv[i], "witness") == 0 && i + 2 < argc) {
      witness.path = argv[i + 1];
      witness.count = atoi(argv[i + 2]);
    }
    if (strcmp(argv[i], "tell") == 0 && i + 1 < argc) {
      witness.is_told = 1;
      witness.tells = open(argv[i + 1], O_WRONLY | O_APPEND | O_CLOEXEC);
    }
  }
  witness.last_us = mmap(NULL, sizeof *witness.last_us, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (witness.last_us == MAP_FAILED) return 1;
  signal(SIGCHLD, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int i = 0; i < chains; i++)
    if (fork() == 0) chain(uid, how);
  while (goes_on()) usleep(10000);
  usleep(100000);
  if (measures()) {
    usleep(settle_ms * 1000);
    printf("%lld\n", atomic_load(witness.last_us));
  }
  return 0;
}
