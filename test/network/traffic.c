/*
 * Traffic of tests. A server answers by the first byte of a connection: 'D' takes all and answers with one byte at the end,
 * 'G' sends until it is closed.
 *
 *     traffic serve PORT                    on all addresses, by TCP and UDP; prints "ready"
 *     traffic put HOST PORT BYTES           prints milliseconds; mput: by MPTCP
 *     traffic get HOST PORT BYTES           the same
 *     traffic datagrams HOST PORT SIZE N    prints how many were sent
 *     traffic connects HOST PORT N          prints how many there were, and how many were refused
 *     traffic ask HOST PORT N               asks for a byte N times, one after the other; prints the median in milliseconds
 *     traffic probe HOST PORT               connects a socket for datagrams, and sends one
 *     traffic hoard rate|time HOST PORT N   sends datagrams by many sockets, each to leave far too late; prints "sent", and waits
 *     traffic bind udp|tcp HOST PORT        prints "bound", or the error
 *     traffic listen PORT                   without bind where PORT is 0; prints the port, and waits
 *     traffic session UID PORT BYTES        accepts a connection as root, becomes the user and sends; prints "ready" before
 *     traffic first PORT                    prints "ready", and the first byte of the first datagram
 *     traffic say HOST PORT TEXT            sends it as a datagram, and prints "sent", or the error
 *     traffic routed HOST PORT VIA          the same by IPv6 with a routing header, connected, by way of VIA
 *     traffic on DEVICE WHAT...             the same by sockets that are bound to a device
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVED 512
#define HOARDERS 100
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SO_TXTIME
#define SO_TXTIME 61
#define SCM_TXTIME SO_TXTIME
#endif

static char block[65536];
static int protocol;
static const char *device;

static void die(const char *what)
{
  printf("%s: %s\n", what, strerror(errno));
  exit(1);
}

static long long now_ms(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static socklen_t address_of(const char *host, const char *port, struct sockaddr_storage *address)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

  memset(address, 0, sizeof(*address));
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(atoi(port));
    return sizeof(*v4);
  }
  if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
    exit(2);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(atoi(port));
  return sizeof(*v6);
}

static int on_device(int fd)
{
  if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device)))
    die("SO_BINDTODEVICE");
  return fd;
}

static int connected(const char *host, const char *port)
{
  struct sockaddr_storage address;
  socklen_t length = address_of(host, port, &address);
  int fd = socket(address.ss_family, SOCK_STREAM, protocol);

  if (fd < 0)
    die("socket");
  on_device(fd);
  if (connect(fd, (struct sockaddr *)&address, length)) {
    close(fd);
    return -1;
  }
  return fd;
}

static int bound(int type, const char *port)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
  int fd = socket(AF_INET6, type, type == SOCK_STREAM ? protocol : 0), no = 0, yes = 1;

  /* Not every kernel has MPTCP. */
  if (fd < 0)
    fd = socket(AF_INET6, type, 0);
  on_device(fd);
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
    die("bind");
  return fd;
}

static void serve(const char *port)
{
  struct pollfd polled[SERVED] = { { .events = POLLIN }, { .events = POLLIN } };
  char kinds[SERVED] = {};
  int count = 2, at;

  polled[0].fd = bound(SOCK_STREAM, port);
  polled[1].fd = bound(SOCK_DGRAM, port);
  if (listen(polled[0].fd, 1024))
    die("listen");
  puts("ready");
  fflush(stdout);
  for (;;) {
    poll(polled, count, -1);
    if (polled[1].revents)
      while (recv(polled[1].fd, block, sizeof(block), MSG_DONTWAIT) >= 0)
        ;
    if (polled[0].revents && count < SERVED) {
      polled[count].fd = accept(polled[0].fd, 0, 0);
      polled[count].events = POLLIN;
      polled[count].revents = 0;
      kinds[count] = 0;
      if (polled[count].fd >= 0)
        count++;
    }
    for (at = 2; at < count; at++) {
      ssize_t done = 1;

      if (!polled[at].revents)
        continue;
      if (kinds[at] == 'G')
        done = send(polled[at].fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL);
      else if (!kinds[at])
        done = recv(polled[at].fd, &kinds[at], 1, MSG_DONTWAIT);
      else
        done = recv(polled[at].fd, block, sizeof(block), MSG_DONTWAIT);
      if (kinds[at] == 'G')
        polled[at].events = POLLOUT;
      if (kinds[at] == 'A' && done > 0)
        done = send(polled[at].fd, "a", 1, MSG_NOSIGNAL);
      if (done > 0 || (done < 0 && errno == EAGAIN))
        continue;
      if (!done && kinds[at] == 'D')
        send(polled[at].fd, "d", 1, MSG_NOSIGNAL);
      close(polled[at].fd);
      count--;
      polled[at] = polled[count];
      kinds[at] = kinds[count];
      at--;
    }
  }
}

static void put(const char *host, const char *port, long long bytes)
{
  int fd = connected(host, port);
  long long begun = now_ms();
  char answer;

  if (fd < 0)
    die("connect");
  block[0] = 'D';
  while (bytes > 0) {
    ssize_t sent = send(fd, block, bytes < (long long)sizeof(block) ? bytes : (long long)sizeof(block), MSG_NOSIGNAL);

    if (sent < 0)
      die("send");
    bytes -= sent;
  }
  shutdown(fd, SHUT_WR);
  if (recv(fd, &answer, 1, 0) != 1)
    die("recv");
  printf("%lld\n", now_ms() - begun);
}

static void get(const char *host, const char *port, long long bytes)
{
  int fd = connected(host, port);
  long long begun = now_ms();

  if (fd < 0)
    die("connect");
  if (send(fd, "G", 1, MSG_NOSIGNAL) != 1)
    die("send");
  while (bytes > 0) {
    ssize_t received = recv(fd, block, sizeof(block), 0);

    if (received <= 0)
      die("recv");
    bytes -= received;
  }
  printf("%lld\n", now_ms() - begun);
}

static void datagrams(const char *host, const char *port, size_t size, long count)
{
  struct sockaddr_storage address;
  socklen_t length = address_of(host, port, &address);
  int fd = socket(address.ss_family, SOCK_DGRAM, 0);
  long sent = 0;
  int yes = 1;

  setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes));
  while (count--)
    sent += sendto(fd, block, size, 0, (struct sockaddr *)&address, length) == (ssize_t)size;
  printf("%ld\n", sent);
}

static void connects(const char *host, const char *port, long count)
{
  long through = 0, refused = 0;

  while (count--) {
    int fd = connected(host, port);

    if (fd >= 0)
      through++;
    else if (errno == EPERM)
      refused++;
    else
      die("connect");
    close(fd);
  }
  printf("%ld %ld\n", through, refused);
}

static int compare(const void *a, const void *b)
{
  long long first = *(const long long *)a, second = *(const long long *)b;

  return (first > second) - (first < second);
}

static void ask(const char *host, const char *port, long count)
{
  long long *took = calloc(count, sizeof(*took));
  int fd = connected(host, port);
  char answer;
  long at;

  if (fd < 0)
    die("connect");
  if (!took || send(fd, "A", 1, MSG_NOSIGNAL) != 1)
    die("send");
  for (at = 0; at < count; at++) {
    long long begun = now_ms();

    if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || recv(fd, &answer, 1, 0) != 1)
      die("ask");
    took[at] = now_ms() - begun;
  }
  qsort(took, count, sizeof(*took), compare);
  printf("%lld\n", took[count / 2]);
}

static void probe(const char *host, const char *port)
{
  struct sockaddr_storage address;
  socklen_t length = address_of(host, port, &address);
  int fd = socket(address.ss_family, SOCK_DGRAM, 0);

  if (connect(fd, (struct sockaddr *)&address, length))
    die("connect");
  printf("connected, %s\n", send(fd, "x", 1, 0) == 1 ? "sent" : strerror(errno));
}

/* One packet a second, or each in five seconds: the socket's own wish. */
static void hoard(int by_time, const char *host, const char *port, long count)
{
  struct { clockid_t clock; unsigned flags; } times = { CLOCK_MONOTONIC, 0 };
  unsigned slow = 1;
  struct sockaddr_storage address;
  socklen_t length = address_of(host, port, &address);
  long at;
  int number;

  for (number = 0; number < HOARDERS; number++) {
    int fd = socket(address.ss_family, SOCK_DGRAM, 0);

    if (by_time)
      setsockopt(fd, SOL_SOCKET, SO_TXTIME, &times, sizeof(times));
    else
      setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &slow, sizeof(slow));
    for (at = 0; at < count; at++) {
      char control[CMSG_SPACE(sizeof(unsigned long long))] = {};
      struct iovec text = { "x", 1 };
      struct msghdr message = { .msg_name = &address, .msg_namelen = length, .msg_iov = &text, .msg_iovlen = 1 };
      unsigned long long when = now_ms() * 1000000ULL + 5000000000ULL;

      if (by_time) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(when)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_TXTIME };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &when, sizeof(when));
      }
      sendmsg(fd, &message, MSG_DONTWAIT);
    }
  }
  puts("sent");
  fflush(stdout);
  pause();
}

static void try_to_bind(int type, const char *host, const char *port)
{
  struct sockaddr_storage address;
  socklen_t length = address_of(host, port, &address);
  int fd = socket(address.ss_family, type, 0);

  if (bind(fd, (struct sockaddr *)&address, length))
    die("bind");
  puts("bound");
}

static void wait_at(const char *port)
{
  int fd = atoi(port) ? bound(SOCK_STREAM, port) : socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_storage address;
  socklen_t length = sizeof(address);

  if (listen(fd, 64) || getsockname(fd, (struct sockaddr *)&address, &length))
    die("listen");
  printf("%d\n", ntohs(((struct sockaddr_in *)&address)->sin_port));
  fflush(stdout);
  for (;;)
    close(accept(fd, 0, 0));
}

static void be_session(const char *uid, const char *port, long long bytes)
{
  int listener = bound(SOCK_STREAM, port), fd;
  char ignored;

  if (listen(listener, 1))
    die("listen");
  puts("ready");
  fflush(stdout);
  fd = accept(listener, 0, 0);
  if (setgroups(0, 0) || setgid(atoi(uid)) || setuid(atoi(uid)))
    die("become");
  while (bytes > 0) {
    ssize_t sent = send(fd, block, bytes < (long long)sizeof(block) ? bytes : (long long)sizeof(block), MSG_NOSIGNAL);

    if (sent < 0)
      die("send");
    bytes -= sent;
  }
  /* Until the other end has all. */
  shutdown(fd, SHUT_WR);
  while (recv(fd, &ignored, 1, 0) > 0)
    ;
}

static void print_first(const char *port)
{
  int fd = bound(SOCK_DGRAM, port);
  char byte = 0;

  puts("ready");
  fflush(stdout);
  if (recv(fd, &byte, 1, 0) != 1)
    die("recv");
  printf("%c\n", byte);
  fflush(stdout);
  pause();
}

static void say(const char *host, const char *port, const char *text)
{
  struct sockaddr_storage address;
  socklen_t length = address_of(host, port, &address);
  int fd = on_device(socket(address.ss_family, SOCK_DGRAM, 0));

  puts(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, length) > 0 ? "sent" : strerror(errno));
}

/* Source: RFC 8754: segments in reverse order; the next one is the first. */
static void say_routed(const char *host, const char *port, const char *via)
{
  struct { unsigned char next, length, type, left, last, flags; unsigned short tag; struct in6_addr segments[2]; } header = {
    .length = 4, .type = 4, .left = 1, .last = 1,
  };
  struct sockaddr_storage address;
  socklen_t length = address_of(host, port, &address);
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);

  inet_pton(AF_INET6, host, &header.segments[0]);
  inet_pton(AF_INET6, via, &header.segments[1]);
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &header, sizeof(header)))
    die("IPV6_RTHDR");
  if (connect(fd, (struct sockaddr *)&address, length))
    die("connect");
  puts(send(fd, "x", 1, 0) == 1 ? "sent" : strerror(errno));
}

int main(int count, char **words)
{
  const char *what;

  if (count > 3 && !strcmp(words[1], "on")) {
    device = words[2];
    count -= 2;
    words += 2;
  }
  what = count > 1 ? words[1] : "";

  if (!strcmp(what, "serve") || !strcmp(what, "mput"))
    protocol = IPPROTO_MPTCP;
  if (count == 3 && !strcmp(what, "serve"))
    serve(words[2]);
  else if (count == 5 && (!strcmp(what, "put") || !strcmp(what, "mput")))
    put(words[2], words[3], atoll(words[4]));
  else if (count == 5 && !strcmp(what, "get"))
    get(words[2], words[3], atoll(words[4]));
  else if (count == 6 && !strcmp(what, "datagrams"))
    datagrams(words[2], words[3], atol(words[4]), atol(words[5]));
  else if (count == 5 && !strcmp(what, "connects"))
    connects(words[2], words[3], atol(words[4]));
  else if (count == 5 && !strcmp(what, "ask"))
    ask(words[2], words[3], atol(words[4]));
  else if (count == 4 && !strcmp(what, "probe"))
    probe(words[2], words[3]);
  else if (count == 6 && !strcmp(what, "hoard"))
    hoard(!strcmp(words[2], "time"), words[3], words[4], atol(words[5]));
  else if (count == 5 && !strcmp(what, "bind"))
    try_to_bind(strcmp(words[2], "udp") ? SOCK_STREAM : SOCK_DGRAM, words[3], words[4]);
  else if (count == 3 && !strcmp(what, "listen"))
    wait_at(words[2]);
  else if (count == 5 && !strcmp(what, "session"))
    be_session(words[2], words[3], atoll(words[4]));
  else if (count == 3 && !strcmp(what, "first"))
    print_first(words[2]);
  else if (count == 5 && !strcmp(what, "say"))
    say(words[2], words[3], words[4]);
  else if (count == 5 && !strcmp(what, "routed"))
    say_routed(words[2], words[3], words[4]);
  else
    return 2;
  return 0;
}
