/*
 * Reads and writes one file past the page cache, by turns: PERIOD milliseconds only reading, as long
 * only writing, and so on for SECONDS; with PERIOD 0 a child reads and a child writes all the time.
 * It tries to get the caps of reading and writing one after the other, each as if it were alone. It
 * must not move more than the total of its limit, and the eighth of one tick that is paid back.
 *
 *     io-alternate FILE SECONDS PERIOD BLOCK      prints the bytes that were read and written
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const off_t file_bytes = 64 << 20;

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static void work(const char *file, double until, double period, size_t block, int first,
                 uint64_t moved[2]) {
  int fd = open(file, O_RDWR | O_DIRECT | O_CLOEXEC);
  void *buffer = NULL;
  if (fd < 0 || posix_memalign(&buffer, 4096, block) != 0) {
    fprintf(stderr, "%s: %s\n", file, strerror(errno));
    exit(1);
  }
  memset(buffer, 1, block);
  double begin = now();
  off_t at = 0;
  for (double t = begin; t < until; t = now()) {
    int writes = period == 0 ? first : (int)((t - begin) / period) % 2 != first;
    ssize_t done = writes ? pwrite(fd, buffer, block, at) : pread(fd, buffer, block, at);
    if (done < 0) {
      perror(writes ? "pwrite" : "pread");
      exit(1);
    }
    moved[writes] += done;
    at = (at + block) % (file_bytes - block);
  }
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  double until = now() + atof(argv[2]), period = atof(argv[3]) / 1000;
  size_t block = atol(argv[4]);
  uint64_t(*moved)[2] =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int children = period == 0 ? 2 : 1;
  for (int child = 0; child < children; child++) {
    if (fork() == 0) {
      work(argv[1], until, period, block, child, moved[child]);
      _exit(0);
    }
  }
  int failed = 0, status;
  while (wait(&status) > 0) failed |= status != 0;
  printf("%llu %llu\n", (unsigned long long)(moved[0][0] + moved[1][0]),
         (unsigned long long)(moved[0][1] + moved[1][1]));
  return failed;
}
