/*
 * Traffic whose cost and speed are measured. All counts and times are the kernel's.
 *
 *     load [join FILE] [priority N] [uid N] WHAT...   joins a cgroup; has its sockets in a class, as root; becomes a user
 *
 *     serve PORT                       prints "ready"; by the first byte of a connection: 'D' takes all, 'G' sends for ever, 'A'
 *                                      answers each byte with one, 'C' answers once with what this server has used
 *     datagrams HOST PORT BYTES MS     prints how many there were, and their CPU time
 *     crowd HOST PORT BYTES MS UID COUNT    the same, from sockets of COUNT users in turn, the first of whom is UID; as root
 *     connects udp|tcp HOST PORT MS    the same; each TCP connection is reset at once, and refused ones do not count
 *     stream put|get HOST PORT FLOWS WARM MS    after so many milliseconds, measures for so many: prints nanoseconds, CPU time on
 *                                      both sides, the sender's segments, those that it sent again, and the payload of each connection
 *     ask HOST PORT N                  asks N times, and prints how long each took
 *
 * Times are in nanoseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLOWS 512
#define EVENTS 64
#define MILLISECOND 1000000ULL

typedef unsigned long long u64;

static char block[16384];
static int priority = -1;

static void die(const char *what)
{
  perror(what);
  exit(1);
}

static u64 now(void)
{
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 * MILLISECOND + time.tv_nsec;
}

static u64 cpu(void)
{
  struct timespec time;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1000 * MILLISECOND + time.tv_nsec;
}

static void address_of(const char *host, const char *port, struct sockaddr_in *address)
{
  *address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
  if (inet_pton(AF_INET, host, &address->sin_addr) != 1)
    exit(2);
}

static int opened(int type)
{
  int fd = socket(AF_INET, type, 0);

  if (fd < 0)
    die("socket");
  return fd;
}

/* Only root can have its packets in a class; a socket keeps it. */
static int classed(int type)
{
  int fd = opened(type);

  if (priority >= 0 && setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)))
    die("SO_PRIORITY");
  return fd;
}

static int connected(int fd, const char *host, const char *port, char kind)
{
  struct sockaddr_in address;

  address_of(host, port, &address);
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
    die("connect");
  if (send(fd, &kind, 1, MSG_NOSIGNAL) != 1)
    die("send");
  return fd;
}

static void become(unsigned uid)
{
  if (setgroups(0, 0) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
    die("become");
}

static void join(const char *file)
{
  int fd = open(file, O_WRONLY);

  if (fd < 0 || write(fd, "0", 1) != 1)
    die(file);
  close(fd);
}

/* The server's CPU time, and of its network the segments that were sent, and sent again. */
struct server {
  u64 cpu, segments, again;
};

/* Source: proc_pid_net(5): the second line that begins with "Tcp:" has the values. */
static void read_server(struct server *server)
{
  FILE *file = fopen("/proc/self/net/snmp", "r");
  char line[1024];
  int lines = 0;

  *server = (struct server){ .cpu = cpu() };
  while (file && fgets(line, sizeof(line), file))
    if (!strncmp(line, "Tcp:", 4) && ++lines == 2)
      sscanf(line, "Tcp: %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %llu %llu", &server->segments, &server->again);
  if (file)
    fclose(file);
}

static void watch(int poll, int fd, unsigned kinds, int action)
{
  struct epoll_event event = { .events = kinds, .data.fd = fd };

  epoll_ctl(poll, action, fd, &event);
}

/* Returns whether the connection goes on. */
static int serve_one(int poll, int fd, char *kind)
{
  ssize_t done;
  struct server server;

  if (!*kind) {
    done = recv(fd, kind, 1, 0);
    if (done == 1 && *kind == 'G')
      watch(poll, fd, EPOLLOUT, EPOLL_CTL_MOD);
    if (done == 1 && *kind == 'C') {
      read_server(&server);
      return send(fd, &server, sizeof(server), MSG_NOSIGNAL) == sizeof(server);
    }
  } else if (*kind == 'G') {
    done = send(fd, block, sizeof(block), MSG_NOSIGNAL);
  } else {
    done = recv(fd, block, sizeof(block), 0);
    if (*kind == 'A' && done > 0)
      done = send(fd, "a", 1, MSG_NOSIGNAL);
  }
  return done > 0 || (done < 0 && errno == EAGAIN);
}

static void serve(const char *port)
{
  static char kinds[4 * FLOWS];
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
  struct epoll_event events[EVENTS];
  int poll = epoll_create1(0), listener = opened(SOCK_STREAM | SOCK_NONBLOCK), yes = 1, at, ready;

  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4096))
    die("listen");
  watch(poll, listener, EPOLLIN, EPOLL_CTL_ADD);
  puts("ready");
  fflush(stdout);
  for (;;) {
    ready = epoll_wait(poll, events, EVENTS, -1);
    for (at = 0; at < ready; at++) {
      int fd = events[at].data.fd, taken;

      if (fd != listener) {
        if (!serve_one(poll, fd, &kinds[fd]))
          close(fd);
        continue;
      }
      while ((taken = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
        if (taken >= (int)sizeof(kinds)) {
          close(taken);
          continue;
        }
        kinds[taken] = 0;
        watch(poll, taken, EPOLLIN, EPOLL_CTL_ADD);
      }
    }
  }
}

static void datagrams(const char *host, const char *port, size_t bytes, u64 duration)
{
  struct sockaddr_in address;
  int fd = classed(SOCK_DGRAM);
  u64 count = 0, end, before;

  address_of(host, port, &address);
  before = cpu();
  for (end = now() + duration; now() < end;) {
    int some = 64;

    while (some--)
      count += sendto(fd, block, bytes, 0, (struct sockaddr *)&address, sizeof(address)) == (ssize_t)bytes;
  }
  printf("%llu %llu\n", count, cpu() - before);
}

/* A socket is the user's whose rights its process had for files when it was made. */
static void crowd(const char *host, const char *port, size_t bytes, u64 duration, unsigned owner, int count)
{
  struct rlimit files = { .rlim_cur = count + 64, .rlim_max = count + 64 };
  struct sockaddr_in address;
  int *fds = calloc(count, sizeof(*fds)), at;
  u64 sent = 0, end, before;

  if (!fds || setrlimit(RLIMIT_NOFILE, &files))
    die("crowd");
  address_of(host, port, &address);
  for (at = 0; at < count; at++) {
    setfsuid(owner + at);
    fds[at] = opened(SOCK_DGRAM);
  }
  setfsuid(0);
  before = cpu();
  for (end = now() + duration; now() < end;)
    for (at = 0; at < count; at++)
      sent += sendto(fds[at], block, bytes, 0, (struct sockaddr *)&address, sizeof(address)) == (ssize_t)bytes;
  printf("%llu %llu\n", sent, cpu() - before);
}

static void connects(int type, const char *host, const char *port, u64 duration)
{
  struct linger at_once = { .l_onoff = 1 };
  struct sockaddr_in address;
  u64 count = 0, end, before = cpu();
  int fd = opened(SOCK_DGRAM);

  address_of(host, port, &address);
  end = now() + duration;
  while (now() < end) {
    if (type == SOCK_STREAM) {
      fd = opened(SOCK_STREAM);
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
      count++;
    else if (errno != EPERM)
      die("connect");
    if (type == SOCK_STREAM)
      close(fd);
  }
  printf("%llu %llu\n", count, cpu() - before);
}

/* Of all connections, at one moment. */
struct reading {
  u64 time, cpu, segments, again;
  u64 payload[FLOWS];
};

static void read_all(struct reading *reading, const int *fds, int flows, int puts)
{
  int at;

  *reading = (struct reading){ .time = now(), .cpu = cpu() };
  for (at = 0; at < flows; at++) {
    struct tcp_info info = {};
    socklen_t size = sizeof(info);

    getsockopt(fds[at], IPPROTO_TCP, TCP_INFO, &info, &size);
    reading->payload[at] = puts ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
    reading->segments += info.tcpi_segs_out;
    reading->again += info.tcpi_total_retrans;
  }
}

static struct server ask_server(const char *host, const char *port)
{
  int fd = connected(opened(SOCK_STREAM), host, port, 'C');
  struct server server = {};

  if (recv(fd, &server, sizeof(server), MSG_WAITALL) != sizeof(server))
    die("recv");
  close(fd);
  return server;
}

static void stream_until(u64 end, int poll, int puts)
{
  struct epoll_event events[EVENTS];
  int at, ready;

  while (now() < end) {
    ready = epoll_wait(poll, events, EVENTS, (end - now()) / MILLISECOND + 1);
    for (at = 0; at < ready; at++) {
      int fd = events[at].data.fd;
      ssize_t done = puts ? send(fd, block, sizeof(block), MSG_NOSIGNAL) : recv(fd, block, sizeof(block), 0);

      if (!done || (done < 0 && errno != EAGAIN))
        die("stream");
    }
  }
}

static void stream(int puts, const char *host, const char *port, int flows, u64 warm, u64 duration)
{
  static struct reading first, last;
  static int fds[FLOWS];
  int poll = epoll_create1(0), at;
  struct server before, after;

  for (at = 0; at < flows && at < FLOWS; at++) {
    fds[at] = connected(classed(SOCK_STREAM), host, port, puts ? 'D' : 'G');
    fcntl(fds[at], F_SETFL, O_NONBLOCK);
    watch(poll, fds[at], puts ? EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
  }
  stream_until(now() + warm, poll, puts);
  before = ask_server(host, port);
  read_all(&first, fds, flows, puts);
  stream_until(now() + duration, poll, puts);
  read_all(&last, fds, flows, puts);
  after = ask_server(host, port);
  printf("%llu %llu ", last.time - first.time, last.cpu - first.cpu + after.cpu - before.cpu);
  if (puts)
    printf("%llu %llu", last.segments - first.segments, last.again - first.again);
  else
    printf("%llu %llu", after.segments - before.segments + after.again - before.again, after.again - before.again);
  for (at = 0; at < flows; at++)
    printf(" %llu", last.payload[at] - first.payload[at]);
  printf("\n");
}

static void ask(const char *host, const char *port, long count)
{
  int fd = connected(classed(SOCK_STREAM), host, port, 'A');
  char answer;
  int yes = 1;

  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  while (count--) {
    u64 begun = now();

    if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || recv(fd, &answer, 1, 0) != 1)
      die("ask");
    printf("%llu ", now() - begun);
  }
  printf("\n");
}

int main(int count, char **words)
{
  unsigned uid = 0;
  const char *what;

  for (; count > 3; count -= 2, words += 2) {
    if (!strcmp(words[1], "join"))
      join(words[2]);
    else if (!strcmp(words[1], "priority"))
      priority = strtol(words[2], 0, 0);
    else if (!strcmp(words[1], "uid"))
      uid = strtoul(words[2], 0, 10);
    else
      break;
  }
  if (uid)
    become(uid);
  what = count > 1 ? words[1] : "";
  if (count == 3 && !strcmp(what, "serve"))
    serve(words[2]);
  else if (count == 6 && !strcmp(what, "datagrams"))
    datagrams(words[2], words[3], atol(words[4]), atoll(words[5]) * MILLISECOND);
  else if (count == 8 && !strcmp(what, "crowd"))
    crowd(words[2], words[3], atol(words[4]), atoll(words[5]) * MILLISECOND, strtoul(words[6], 0, 10), atoi(words[7]));
  else if (count == 6 && !strcmp(what, "connects"))
    connects(strcmp(words[2], "udp") ? SOCK_STREAM : SOCK_DGRAM, words[3], words[4], atoll(words[5]) * MILLISECOND);
  else if (count == 8 && !strcmp(what, "stream"))
    stream(!strcmp(words[2], "put"), words[3], words[4], atoi(words[5]), atoll(words[6]) * MILLISECOND, atoll(words[7]) * MILLISECOND);
  else if (count == 5 && !strcmp(what, "ask"))
    ask(words[2], words[3], atol(words[4]));
  else
    return 2;
  return 0;
}
