/* The first thread ends and leaves a second one running: the process looks like one that has ended. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *stay(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

int main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, stay, NULL) != 0)
		return 1;
	puts("entered");
	fflush(stdout);
	syscall(SYS_exit, 0);
	return 1;
}
