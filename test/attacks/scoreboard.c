/* A process that has the name of php-fpm, and shares memory with nobody that looks like its scoreboard: as much as is read
   of one process at most, with what it serves at the very end.

     scoreboard SLOTS

   SLOTS: how often its process id is in the last board before that. Prints "ready". */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { boards = 4, board_bytes = 4 << 20, slot_bytes = 1040, lifetime_s = 3600 };
enum { stage = 16, uri = 80, method = 720, script = 744, serving = 4 };

/* Of its own, with a gap before it, so that the kernel does not join two of them. */
static char *board(void) {
  char *const space =
      mmap(NULL, board_bytes + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *const made = space == MAP_FAILED
                         ? MAP_FAILED
                         : mmap(space + 4096, board_bytes, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (made == MAP_FAILED) exit(1);
  return made;
}

static void write_slot(char *at, uint32_t of_stage) {
  const uint32_t pid = (uint32_t)getpid();
  memcpy(at, &pid, sizeof pid);
  memcpy(at + stage, &of_stage, sizeof of_stage);
  strcpy(at + uri, "/a.php");
  strcpy(at + method, "GET");
  strcpy(at + script, "/srv/a.php");
}

int main(int argc, char **argv) {
  const int slots = argc > 1 ? atoi(argv[1]) : 0;
  char *last = NULL;
  alarm(lifetime_s);
  if (prctl(PR_SET_NAME, "php-fpm8.4") != 0) return 1;
  for (int i = 0; i < boards; i++) {
    char *const made = board();
    /* The one that is looked at last, since boards are in the order of their addresses. */
    if (last == NULL || made > last) last = made;
  }
  for (int i = 0; i < slots; i++) write_slot(last + (size_t)i * slot_bytes, 1);
  write_slot(last + board_bytes - slot_bytes, serving);
  printf("ready\n");
  fflush(stdout);
  for (;;) pause();
}
