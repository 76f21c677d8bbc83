/*
 * What a tenant with a compiler would try inside its jail. Prints a line each, and does no harm where it works:
 *
 *     blocked      mount a file system: EPERM
 *     NOT BLOCKED  list processes of others: 17
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, int worked, const char *detail) {
  printf("%s %s: %s\n", worked ? "NOT BLOCKED" : "blocked    ", what, detail);
  fflush(stdout);
}

/* A call that must fail. */
static void must_fail(const char *what, long answer) {
  int error = errno;
  say(what, answer >= 0, answer >= 0 ? "it worked" : strerrorname_np(error));
}

/* One that must fail with this very error, since the kernel has others to give where nothing holds it. */
static void must_be(const char *what, long answer, int wanted) {
  int error = errno;
  say(what, answer >= 0 || error != wanted, answer >= 0 ? "it worked" : strerrorname_np(error));
}

static void writable(const char *path) {
  char what[300];
  snprintf(what, sizeof what, "write to %s", path);
  say(what, access(path, W_OK) == 0, strerrorname_np(errno));
}

static void namespaces_and_mounts(void) {
  must_be("mount a file system", mount("x", "/tmp", "tmpfs", 0, NULL), EPERM);
  must_be("fsopen", syscall(SYS_fsopen, "tmpfs", 0), EPERM);
  must_be("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/tmp", 1), EPERM);
  must_be("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, NULL, 0), EPERM);
  must_be("umount /proc", umount2("/proc", MNT_DETACH), EPERM);
  must_be("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"), EPERM);
  must_be("chroot", chroot("/tmp"), EPERM);
  must_be("unshare a user namespace", unshare(CLONE_NEWUSER), EPERM);
  must_be("unshare a mount namespace", unshare(CLONE_NEWNS), EPERM);
  must_be("unshare a time namespace", unshare(0x80), EPERM);
  must_be("clone a user namespace",
          syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL), EPERM);
  unsigned long arguments[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  must_be("clone3 a user namespace", syscall(SYS_clone3, arguments, sizeof arguments), ENOSYS);
  int own = open("/proc/self/ns/mnt", O_RDONLY);
  must_be("setns", setns(own, 0), EPERM);
}

static void privileges(void) {
  must_fail("setuid(0)", setuid(0));
  must_fail("become another uid", setresuid(1, 1, 1));
  say("no_new_privs is not set", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1, "1");
  int bounding = 0;
  for (int each = 0; each <= 40; each++) bounding += prctl(PR_CAPBSET_READ, each, 0, 0, 0) == 1;
  say("the bounding set has capabilities", bounding > 0, bounding ? "it has" : "none");
  const char *mounts[] = {"/", "/usr", "/tmp", "/var/tmp", "/dev", "/dev/shm", "/etc", "/proc"};
  for (unsigned each = 0; each < sizeof mounts / sizeof *mounts; each++) {
    struct statvfs about;
    char what[100];
    snprintf(what, sizeof what, "setuid programs work in %s", mounts[each]);
    say(what, statvfs(mounts[each], &about) != 0 || !(about.f_flag & ST_NOSUID), "nosuid");
  }
}

static void devices(void) {
  must_fail("make a block device", mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)));
  must_fail("make a device of memory", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)));
  const char *paths[] = {"/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/kvm", "/dev/loop0", "/dev/vda",
                         "/dev/net/tun", "/sys/kernel", "/sys/fs/cgroup", "/proc/kcore", "/boot/vmlinuz"};
  for (unsigned each = 0; each < sizeof paths / sizeof *paths; each++)
    must_fail(paths[each], open(paths[each], O_RDONLY));
}

static void other_processes(void) {
  int others = 0;
  DIR *processes = opendir("/proc");
  for (struct dirent *each; processes && (each = readdir(processes));) {
    struct stat about;
    char path[300];
    if (each->d_name[0] < '1' || each->d_name[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%s", each->d_name);
    if (stat(path, &about) == 0 && about.st_uid != getuid()) others++;
  }
  say("list processes of others", others > 0, others ? "there are some" : "none");
  must_fail("environment of process 1", open("/proc/1/environ", O_RDONLY));
  must_fail("command line of process 1", open("/proc/1/cmdline", O_RDONLY));
  must_fail("root of process 1", open("/proc/1/root", O_RDONLY | O_DIRECTORY));
  must_fail("signal process 1", kill(1, 0));
  must_fail("trace process 1", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
  must_fail("sysctl", open("/proc/sys/kernel/core_pattern", O_WRONLY));
  must_fail("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
}

static void kernel_surface(void) {
  char space[256] = {0};
  must_be("io_uring", syscall(SYS_io_uring_setup, 1, space), ENOSYS);
  must_be("userfaultfd", syscall(SYS_userfaultfd, 0), ENOSYS);
  must_be("keyrings", syscall(SYS_add_key, "user", "a", "b", 1, -3), ENOSYS);
  must_be("keyctl", syscall(SYS_keyctl, 0, -3, 0, 0, 0), ENOSYS);
  must_be("bpf", syscall(SYS_bpf, 0, space, sizeof space), EPERM);
  must_be("perf_event_open", syscall(SYS_perf_event_open, space, 0, -1, -1, 0), EPERM);
  must_be("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, space, 0), EPERM);
  must_be("init_module", syscall(SYS_init_module, space, 4, ""), EPERM);
  must_be("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0), EPERM);
  must_be("the kernel's log", syscall(SYS_syslog, 3, space, sizeof space), EPERM);
  must_be("fanotify", syscall(SYS_fanotify_init, 0, 0), EPERM);
  must_be("quotactl", syscall(SYS_quotactl, 0, NULL, 0, NULL), EPERM);
  int families[] = {AF_PACKET, AF_ALG, AF_VSOCK, AF_KEY, AF_TIPC, AF_RDS, AF_BLUETOOTH, AF_XDP};
  for (unsigned each = 0; each < sizeof families / sizeof *families; each++) {
    char what[40];
    snprintf(what, sizeof what, "socket of family %d", families[each]);
    must_be(what, socket(families[each], SOCK_RAW, 0), EAFNOSUPPORT);
  }
  for (unsigned each = 0; each < sizeof families / sizeof *families; each++) {
    char what[40];
    int pair[2];
    snprintf(what, sizeof what, "pair of sockets of family %d", families[each]);
    must_be(what, socketpair(families[each], SOCK_STREAM, 0, pair), EAFNOSUPPORT);
  }
  struct {
    const char *name;
    int type, protocol, wanted;
  } protocols[] = {{"SCTP", SOCK_STREAM, 132, EPROTONOSUPPORT},
                   {"SCTP of packets", SOCK_SEQPACKET, 132, ESOCKTNOSUPPORT},
                   {"MPTCP", SOCK_STREAM, 262, EPROTONOSUPPORT},
                   {"SMC", SOCK_STREAM, 256, EPROTONOSUPPORT},
                   {"L2TP", SOCK_DGRAM, 115, EPROTONOSUPPORT},
                   {"UDP-Lite", SOCK_DGRAM | SOCK_CLOEXEC, 136, EPROTONOSUPPORT},
                   {"DCCP", 6, 33, ESOCKTNOSUPPORT},
                   {"raw", SOCK_RAW | SOCK_NONBLOCK, 132, EPERM}};
  for (unsigned each = 0; each < 2 * sizeof protocols / sizeof *protocols; each++) {
    int at = each / 2, family = each % 2 ? AF_INET6 : AF_INET;
    char what[60];
    snprintf(what, sizeof what, "%s socket of family %d", protocols[at].name, family);
    must_be(what, socket(family, protocols[at].type, protocols[at].protocol), protocols[at].wanted);
  }
  struct sock_filter all = {0x06, 0, 0, 0xffffffff};
  struct sock_fprog program = {1, &all};
  int own = socket(AF_INET, SOCK_DGRAM, 0);
  must_be("a program on a socket", setsockopt(own, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), EPERM);
  must_be("a program that divides among sockets",
          setsockopt(own, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program), EPERM);
  unsigned long context = 0;
  must_be("asynchronous I/O of the old kind", syscall(SYS_io_setup, 1, &context), ENOSYS);
  must_be("netlink of netfilter", socket(AF_NETLINK, SOCK_RAW, 12), EAFNOSUPPORT);
  must_be("TIOCSTI", ioctl(0, 0x5412, "x"), EPERM);
  must_be("TIOCSTI with other bits above", syscall(SYS_ioctl, 0, 0x100005412UL, "x"), EPERM);
  must_be("TIOCLINUX", ioctl(0, 0x541c, "x"), EPERM);
#ifdef __x86_64__
  long answer;
  /* getpid of 32-bit programs */
  __asm__ volatile("int $0x80" : "=a"(answer) : "a"(20L) : "memory");
  say("calls of 32-bit programs", answer != -ENOSYS, answer > 0 ? "it worked" : "ENOSYS");
  must_be("calls of x32", syscall(0x40000000 + 39), ENOSYS);
#endif
}

/* What the host has for all. Nothing is kept. */
static void pools(void) {
  enum { ENOUGH = 256, MOST = 1100 };
  static int held[MOST];
  struct rlimit files;
  int others = 0, count = 0;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  DIR *terminals = opendir("/dev/pts");
  for (struct dirent *each; terminals && (each = readdir(terminals));)
    if (each->d_name[0] >= '0' && each->d_name[0] <= '9') others++;
  say("terminals of others in /dev/pts", others > 0, others ? "there are some" : "none");
  while (count < MOST && (held[count] = open("/dev/ptmx", O_RDWR | O_NOCTTY)) >= 0) count++;
  say("take terminals of the whole host", count > ENOUGH, count ? "as many as it may" : strerrorname_np(errno));
  while (count > 0) close(held[--count]);
}

static void files(void) {
  const char *roots[] = {"/", "/usr", "/etc", "/home", "/var", "/run", "/dev", "/.bulkhead", "/etc/passwd",
                         "/.bulkhead/passwd", "/run/bulkhead/seccomp", "/etc/ld.so.cache"};
  for (unsigned each = 0; each < sizeof roots / sizeof *roots; each++) writable(roots[each]);
  must_fail("hard link to a file of root", link("/etc/hostname", "/tmp/link"));
  must_fail("hard link to a program", link("/usr/bin/su", "/tmp/link"));
  must_fail("rename /tmp", rename("/tmp", "/elsewhere"));
  must_fail("remove the mount point of /tmp", rmdir("/tmp"));
  must_fail("a link in /", symlink("/tmp", "/link"));
  must_fail("another home", mkdir("/home/other", 0755));
  struct sockaddr_un systemd = {AF_UNIX, "/run/systemd/notify"};
  int datagrams = socket(AF_UNIX, SOCK_DGRAM, 0);
  must_fail("systemd's socket for services", connect(datagrams, (struct sockaddr *)&systemd, sizeof systemd));
  must_fail("/etc/shadow", open("/etc/shadow", O_RDONLY));
  for (int up = 0; up < 64 && chdir("..") == 0; up++) continue;
  struct stat root, top;
  say("a way up from the working directory", stat("/", &root) || stat(".", &top) || root.st_ino != top.st_ino, "/");
  for (int fd = 3; fd < 4096; fd++) {
    char path[40], target[256] = "";
    if (fcntl(fd, F_GETFD) < 0) continue;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) < 0) target[0] = 0;
    /* What is no file leads nowhere; the guard of the tests leaves a pipe open. */
    if (target[0] == '/') say("a descriptor that was left open", 1, target);
  }
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  files();
  pools();
  namespaces_and_mounts();
  privileges();
  devices();
  other_processes();
  kernel_surface();
  return 0;
}
