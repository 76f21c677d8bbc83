// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a tenant's application behind a listening socket of systemd, which is descriptor 3.
 *
 * All of this is the tenant's by now: its uid, its cgroup, its jail. The application is a child, and listens at a socket in
 * the tenant's home, at the path in PORT or as descriptor 3, or at a TCP port in a network of its own. Each connection is passed on to it. So one process sees every
 * request, whatever the application is written in: it waits until the application listens, and knows since when it is idle.
 *
 * An application that ends takes this process with it, and systemd starts both with the next request.
 */
#define _GNU_SOURCE
#include "serve.h"
#include "program.h"
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LISTENING 3
#define CONNECTIONS_MAX 1000
#define DESCRIPTORS (2 * CONNECTIONS_MAX + 64)
#define BUFFER_SIZE 16384
#define BACKLOG 1024
/* An application that loads much takes long to listen. Tests wait less. */
#ifndef READY_MILLISECONDS
#define READY_MILLISECONDS 60000
#endif
#define RETRY_MILLISECONDS 10
/* Nothing else is in the network of an application, so its port is free. */
#define TCP_PORT 8080
#define TCP_PORT_TEXT "8080"
/* On the loopback device this is plenty, unless the backlog is full. */
#define TCP_MILLISECONDS 5
/* Less than TimeoutStopSec= of the unit. */
#define STOP_MILLISECONDS 10000
/* What it has answered before it ended still reaches the visitor. */
#define FLUSH_MILLISECONDS 1000
#define LOG_BYTES_MAX (1 << 20)
#define LOG_BYTES_KEPT (1 << 19)
#define LOG_CHECK_MILLISECONDS 5000
#define IDLE_CHECK_MILLISECONDS 1000
/* The most often that refused visitors are told of. */
#define TELL_MILLISECONDS 60000

/* One direction of a connection. */
struct half {
	char data[BUFFER_SIZE];
	size_t start, length;
	bool ended, told;
};

struct connection {
	int visitor, inside; /* INSIDE is -1 until the application listens */
	long since;
	struct half up, down;
};

struct server {
	const struct service *service;
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sockaddr_un address;
	int signals, log, listening; /* LISTENING: what the application gets, or -1 */
	pid_t application;	     /* 0: it has ended */
	int status;
	long started, active, ended, stopping, checked, told; /* milliseconds, or 0 */
	bool answers, failed;
	struct connection *connections[CONNECTIONS_MAX];
	size_t count;
	struct pollfd polled[2 * CONNECTIONS_MAX + 2];
};

static long now(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* --- The log ------------------------------------------------------------------------------------------- */

/* Both to the journal and to the log of the tenant. */
__attribute__((format(printf, 2, 3))) static void tell(const struct server *s, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "bulkhead: %s\n", text);
	if (s->log >= 0)
		(void)dprintf(s->log, "bulkhead: %s\n", text);
}

static int open_own(const struct server *s, const char *suffix, int flags)
{
	char path[sizeof(s->directory) + 64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s%s", s->directory, s->service->name, suffix);
	fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd >= 0 && !is_file(fd, NULL)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* The application has the file open, so it stays the same one: its end moves to another, and it begins anew. */
static void bound_log(struct server *s)
{
	static char kept[LOG_BYTES_KEPT];
	unsigned long long size;
	ssize_t got;
	int other;

	if (s->log < 0 || !is_file(s->log, &size) || size <= LOG_BYTES_MAX)
		return;
	got = pread(s->log, kept, sizeof(kept), (off_t)(size - sizeof(kept)));
	other = open_own(s, ".log.1", O_WRONLY | O_TRUNC);
	if (other >= 0 && got > 0)
		(void)!write(other, kept, (size_t)got);
	if (other >= 0)
		(void)close(other);
	(void)!ftruncate(s->log, 0);
}

/* --- The application ----------------------------------------------------------------------------------- */

/* Whoever gets into it reaches the application. */
static void protect_directory(const struct server *s)
{
	int fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx found;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_UID, &found))
		end(STATUS_FAILED, "Cannot open the directory \"%s\": %s", s->directory, strerror(errno));
	if (found.stx_uid != geteuid())
		end(STATUS_FAILED, "Cannot use the directory \"%s\": it belongs to uid %u; remove it", s->directory, found.stx_uid);
	if (fchmod(fd, 0700))
		end(STATUS_FAILED, "Cannot protect the directory \"%s\": %s", s->directory, strerror(errno));
	(void)close(fd);
}

static void make_address(struct server *s, const char *home)
{
	int length = snprintf(s->directory, sizeof(s->directory), "%s/.bulkhead", home);
	char path[sizeof(s->directory) + 64];

	if (length >= 0 && (size_t)length < sizeof(s->directory))
		length = snprintf(path, sizeof(path), "%s/%s.sock", s->directory, s->service->name);
	if (length < 0 || (size_t)length >= sizeof(s->address.sun_path))
		end(STATUS_FAILED, "Cannot start the application \"%s\": the path of its socket in \"%.200s\" is too long",
		    s->service->name, home);
	s->address.sun_family = AF_UNIX;
	memcpy(s->address.sun_path, path, (size_t)length + 1);
	if (mkdir(s->directory, 0700) && errno != EEXIST)
		end(STATUS_FAILED, "Cannot make the directory \"%s\": %s", s->directory, strerror(errno));
	protect_directory(s);
	(void)unlink(s->address.sun_path);
}

static void listen_inside(struct server *s)
{
	s->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listening < 0 || bind(s->listening, (struct sockaddr *)&s->address, sizeof(s->address)) ||
	    listen(s->listening, BACKLOG))
		end(STATUS_FAILED, "Cannot listen at \"%s\" for the application: %s", s->address.sun_path, strerror(errno));
}

static const char *port_of(const struct server *s)
{
	return s->service->takes_tcp ? TCP_PORT_TEXT : s->address.sun_path;
}

/* In the child. */
__attribute__((noreturn)) static void become_application(struct server *s, char **command, char **variables, pid_t parent)
{
	struct variables all;
	char number[16];
	sigset_t none;
	int first = LISTENING;
	/* Never the journal, which other tenants have, too. */
	int output = s->log >= 0 ? s->log : open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(STATUS_FAILED);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(STATUS_FAILED);
	start_variables(&all, variables, s->service->environment);
	if (s->listening >= 0) {
		if (dup2(s->listening, first++) < 0)
			_exit(STATUS_FAILED);
		(void)snprintf(number, sizeof(number), "%d", (int)getpid());
		put_variable(&all, "LISTEN_PID", number);
		put_variable(&all, "LISTEN_FDS", "1");
	} else {
		put_variable(&all, "PORT", port_of(s));
	}
	if (close_from((unsigned int)first))
		_exit(STATUS_FAILED);
	environ = all.list;
	(void)execvp(command[0], command);
	end_unexecuted(command[0], errno);
}

static void start_application(struct server *s, char **command, char **variables)
{
	struct rlimit descriptors, raised;
	pid_t parent = getpid();

	if (s->service->takes_descriptor)
		listen_inside(s);
	s->started = s->active = now();
	s->application = fork();
	if (s->application < 0)
		end(STATUS_FAILED, "Cannot start \"%s\": %s", command[0], strerror(errno));
	if (s->application == 0)
		become_application(s, command, variables, parent);
	(void)setpgid(s->application, s->application);
	/* If it does not accept any more, nobody is to wait for it. */
	if (s->listening >= 0)
		(void)close(s->listening);
	if (getrlimit(RLIMIT_NOFILE, &descriptors) || descriptors.rlim_cur >= DESCRIPTORS)
		return;
	raised = descriptors;
	raised.rlim_cur = descriptors.rlim_max < DESCRIPTORS ? descriptors.rlim_max : DESCRIPTORS;
	(void)setrlimit(RLIMIT_NOFILE, &raised);
}

static void ask_to_end(struct server *s)
{
	if (s->stopping || !s->application)
		return;
	s->stopping = now();
	(void)kill(-s->application, SIGTERM);
	(void)kill(s->application, SIGTERM);
}

static void note_end(struct server *s, int status)
{
	long seconds = (now() - s->started) / 1000;

	s->application = 0;
	s->ended = now();
	s->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (s->stopping)
		return;
	if (WIFSIGNALED(status))
		tell(s, "The application \"%s\" was ended by signal %d (%s) after %ld s", s->service->name, WTERMSIG(status),
		     strsignal(WTERMSIG(status)), seconds);
	else
		tell(s, "The application \"%s\" ended with status %d after %ld s", s->service->name, WEXITSTATUS(status), seconds);
}

static void reap(struct server *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->application)
			note_end(s, status);
}

static void take_signals(struct server *s)
{
	struct signalfd_siginfo signal;

	while (read(s->signals, &signal, sizeof(signal)) == sizeof(signal))
		if (signal.ssi_signo != SIGCHLD)
			ask_to_end(s);
	reap(s);
}

/* Processes that it left behind are children of this one. Each that is killed may leave others. */
static void kill_rest(void)
{
	char path[64], text[4096];
	long until = now() + FLUSH_MILLISECONDS;
	unsigned long long pid;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	while (now() < until && waitpid(-1, NULL, WNOHANG) >= 0) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		char *rest = text;

		if (fd >= 0)
			(void)close(fd);
		if (got < 0)
			return;
		text[got] = '\0';
		for (char *word; (word = strtok_r(rest, " \n", &rest)) != NULL;)
			if (parse_number(word, '\0', INT_MAX, &pid))
				(void)kill((pid_t)pid, SIGKILL);
		(void)poll(NULL, 0, 5);
	}
}

/* --- Connections --------------------------------------------------------------------------------------- */

static void drop(struct server *s, size_t at)
{
	struct connection *c = s->connections[at];

	(void)close(c->visitor);
	if (c->inside >= 0)
		(void)close(c->inside);
	free(c);
	s->connections[at] = s->connections[--s->count];
	s->active = now();
}

static void tell_refused(struct server *s, const char *why)
{
	if (s->told && now() - s->told < TELL_MILLISECONDS)
		return;
	s->told = now();
	tell(s, "A visitor of the application \"%s\" was refused: %s", s->service->name, why);
}

/* The application sees this process at the other end of each connection, and so the uid of its own account. */
static bool is_welcome(const struct server *s, int visitor)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (!s->service->is_private)
		return true;
	return !getsockopt(visitor, SOL_SOCKET, SO_PEERCRED, &who, &size) && who.uid == geteuid();
}

static void accept_visitors(struct server *s)
{
	while (s->count < CONNECTIONS_MAX) {
		int visitor = accept4(LISTENING, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *c;

		if (visitor < 0)
			return;
		if (!is_welcome(s, visitor)) {
			tell_refused(s, "it belongs to another account");
			(void)close(visitor);
			continue;
		}
		c = malloc(sizeof(*c));
		if (!c) {
			tell_refused(s, "there is no memory");
			(void)close(visitor);
			return;
		}
		c->visitor = visitor;
		c->inside = -1;
		c->since = now();
		c->up.start = c->up.length = c->down.start = c->down.length = 0;
		c->up.ended = c->up.told = c->down.ended = c->down.told = false;
		s->connections[s->count++] = c;
	}
}

/* 0, or why a connection that is in progress failed; EAGAIN if nobody has answered yet, as while the backlog is full. */
static int await_connection(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };
	int reason = EAGAIN;
	socklen_t size = sizeof(reason);

	if (poll(&polled, 1, TCP_MILLISECONDS) > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size))
		reason = errno;
	return reason;
}

/* A connected socket, or -1 and errno. */
static int connect_to(const void *address, socklen_t size)
{
	int family = ((const struct sockaddr *)address)->sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), reason;

	if (fd < 0)
		return -1;
	reason = connect(fd, address, size) ? errno : 0;
	if (reason == EINPROGRESS)
		reason = await_connection(fd);
	if (!reason)
		return fd;
	(void)close(fd);
	errno = reason;
	return -1;
}

/* Programs that listen at "localhost" may do so for IPv6 alone. */
static int connect_port(void)
{
	const struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(TCP_PORT),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(TCP_PORT),
					  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = connect_to(&four, sizeof(four)), now_on = 1;

	if (fd < 0 && errno == ECONNREFUSED)
		fd = connect_to(&six, sizeof(six));
	/* The end of a request is not to wait until its beginning was acknowledged. */
	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &now_on, sizeof(now_on));
	return fd;
}

/* False if it does not listen yet, or its backlog is full; errno tells which. */
static bool connect_inside(struct server *s, struct connection *c)
{
	int fd = s->service->takes_tcp ? connect_port() : connect_to(&s->address, sizeof(s->address));

	if (fd < 0) {
		/* It listens, and is busy. A TCP connection may only be late. */
		s->answers = s->answers || (errno == EAGAIN && !s->service->takes_tcp);
		return false;
	}
	c->inside = fd;
	s->answers = true;
	return true;
}

static long ready_milliseconds(const struct server *s)
{
	return s->service->ready_seconds ? s->service->ready_seconds * 1000L : READY_MILLISECONDS;
}

static void connect_waiting(struct server *s)
{
	const char *refused = NULL;

	for (size_t each = 0; each < s->count;) {
		struct connection *c = s->connections[each];

		if (c->inside >= 0 || (!refused && connect_inside(s, c))) {
			each++;
			continue;
		}
		if (!refused)
			refused = errno == EAGAIN ? "the application is busy" : strerror(errno);
		if (now() - c->since < ready_milliseconds(s)) {
			each++;
			continue;
		}
		if (!s->answers) {
			tell(s, "The application \"%s\" does not listen at $PORT, %s, after %ld s", s->service->name,
			     port_of(s), ready_milliseconds(s) / 1000);
			s->failed = true;
			ask_to_end(s);
			return;
		}
		/* It serves others, who are not to lose their requests. */
		tell_refused(s, refused);
		drop(s, each);
	}
}

/* False if the connection is over. */
static bool pass(int from, int to, struct half *half, bool is_readable)
{
	if (is_readable && half->length == 0 && !half->ended) {
		ssize_t got = read(from, half->data, sizeof(half->data));

		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		half->ended = got == 0;
		half->start = 0;
		half->length = got > 0 ? (size_t)got : 0;
	}
	while (half->length > 0) {
		ssize_t put = send(to, half->data + half->start, half->length, MSG_NOSIGNAL);

		if (put < 0)
			return errno == EAGAIN || errno == EINTR;
		half->start += (size_t)put;
		half->length -= (size_t)put;
	}
	if (half->ended && !half->told) {
		half->told = true;
		(void)shutdown(to, SHUT_WR);
	}
	return true;
}

static struct pollfd wanted(int fd, const struct half *in, const struct half *out)
{
	short events = 0;

	if (in->length == 0 && !in->ended)
		events |= POLLIN;
	if (out->length > 0)
		events |= POLLOUT;
	/* Without events poll() would still report a hang-up, again and again. */
	return (struct pollfd){ .fd = events ? fd : -1, .events = events };
}

/* False if the connection is over. */
static bool pass_both(struct connection *c, const struct pollfd *visitor, const struct pollfd *inside)
{
	const short any = POLLIN | POLLHUP | POLLERR;

	/* An application may refuse the rest of a request, and answer all the same. */
	if (!pass(c->visitor, c->inside, &c->up, visitor->revents & any)) {
		c->up.length = 0;
		c->up.ended = c->up.told = true;
	}
	if (!pass(c->inside, c->visitor, &c->down, inside->revents & any))
		return false;
	/* Nobody is left to answer. */
	if (c->up.told && (visitor->revents & POLLHUP))
		return false;
	return !c->up.told || !c->down.told;
}

static nfds_t prepare(struct server *s)
{
	nfds_t made = 0;
	bool accepts = s->application && !s->stopping && s->count < CONNECTIONS_MAX;

	s->polled[made++] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	s->polled[made++] = (struct pollfd){ .fd = accepts ? LISTENING : -1, .events = POLLIN };
	for (size_t each = 0; each < s->count; each++) {
		struct connection *c = s->connections[each];
		struct pollfd none = { .fd = -1 };
		/* Without events poll() reports only whether the visitor has left. */
		struct pollfd waiting = { .fd = c->visitor };

		s->polled[made++] = c->inside < 0 ? waiting : wanted(c->visitor, &c->up, &c->down);
		s->polled[made++] = c->inside < 0 ? none : wanted(c->inside, &c->down, &c->up);
	}
	return made;
}

static int patience(const struct server *s)
{
	for (size_t each = 0; each < s->count; each++)
		if (s->connections[each]->inside < 0 && s->application)
			return RETRY_MILLISECONDS;
	if (s->stopping || s->ended)
		return RETRY_MILLISECONDS * 10;
	return s->service->idle_seconds && s->count == 0 ? IDLE_CHECK_MILLISECONDS : LOG_CHECK_MILLISECONDS;
}

/* In the order from the last, which takes the place of one that is dropped. */
static void serve_connections(struct server *s)
{
	for (size_t each = s->count; each-- > 0;) {
		struct connection *c = s->connections[each];

		if (c->inside < 0 ? !s->application || (s->polled[2 * each + 2].revents & (POLLHUP | POLLERR))
				  : !pass_both(c, &s->polled[2 * each + 2], &s->polled[2 * each + 3]))
			drop(s, each);
	}
}

static bool is_over(struct server *s)
{
	long at = now();

	if (s->ended)
		return s->count == 0 || at - s->ended > FLUSH_MILLISECONDS;
	if (s->stopping && at - s->stopping > (s->service->end_seconds ? s->service->end_seconds * 1000L : STOP_MILLISECONDS)) {
		(void)kill(-s->application, SIGKILL);
		(void)kill(s->application, SIGKILL);
	}
	if (s->service->idle_seconds && s->count == 0 && at - s->active >= (long)s->service->idle_seconds * 1000)
		ask_to_end(s);
	return false;
}

static void run_until_end(struct server *s)
{
	while (!is_over(s)) {
		if (poll(s->polled, prepare(s), patience(s)) < 0) {
			if (errno == EINTR)
				continue;
			end(STATUS_FAILED, "Cannot wait for requests: %s", strerror(errno));
		}
		if (s->polled[0].revents)
			take_signals(s);
		serve_connections(s);
		if (s->polled[1].revents && s->application && !s->stopping)
			accept_visitors(s);
		if (s->application)
			connect_waiting(s);
		if (now() - s->checked > LOG_CHECK_MILLISECONDS) {
			s->checked = now();
			bound_log(s);
		}
	}
}

static void need_socket(const struct service *service)
{
	int listens = 0;
	socklen_t size = sizeof(listens);

	if (getsockopt(LISTENING, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || !listens)
		end(STATUS_FAILED, "Cannot start the application \"%s\": descriptor 3 is not a socket that listens", service->name);
	if (close_from(LISTENING + 1) || fcntl(LISTENING, F_SETFD, FD_CLOEXEC) || fcntl(LISTENING, F_SETFL, O_NONBLOCK))
		end(STATUS_FAILED, "Cannot use the socket of the application \"%s\": %s", service->name, strerror(errno));
}

void serve(const struct service *service, char **command, const struct environment *e)
{
	static struct server s;
	const char *home = value_in(e, "HOME");
	sigset_t taken;

	s.service = service;
	s.listening = s.log = -1;
	need_socket(service);
	make_address(&s, home ? home : "/");
	s.log = open_own(&s, ".log", O_RDWR | O_APPEND);
	(void)sigemptyset(&taken);
	(void)sigaddset(&taken, SIGTERM);
	(void)sigaddset(&taken, SIGINT);
	(void)sigaddset(&taken, SIGHUP);
	(void)sigaddset(&taken, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &taken, NULL);
	s.signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1))
		end(STATUS_FAILED, "Cannot start the application \"%s\": %s", service->name, strerror(errno));
	(void)prctl(PR_SET_NAME, "bulkhead-app", 0, 0, 0);
	start_application(&s, command, e->variables);
	run_until_end(&s);
	kill_rest();
	(void)unlink(s.address.sun_path);
	exit(s.failed ? STATUS_FAILED : s.stopping ? 0 : s.status);
}
