#define _GNU_SOURCE
#include "cshims.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the guardian of a mount does (unionfsd-mount/Guardian.swift). Nothing here allocates. */

/* ---- a child with this process's open files ---- */

/* fork(2), but parent and child have one table of descriptors: what the child has opened is still open when it is dead. Only from a process with one thread,
 * and for a child that knows: glibc's handlers do not run. malloc's locks are free then, and nothing here asks glibc for the main thread's number. */
long cs_fork_sharing_files(void)
{
	long n = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	return n < 0 ? -(long)errno : n;
}

/* Blocks the signals that end the process, and SIGCHLD; `wait` gives the next of them. */
static void watched(sigset_t *s)
{
	sigemptyset(s);
	sigaddset(s, SIGCHLD);
	sigaddset(s, SIGTERM);
	sigaddset(s, SIGINT);
	sigaddset(s, SIGHUP);
}
long cs_signals_hold(void)
{
	sigset_t s;
	watched(&s);
	return -(long)pthread_sigmask(SIG_BLOCK, &s, NULL);
}
long cs_signals_release(void)
{
	sigset_t s;
	watched(&s);
	return -(long)pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}
long cs_signals_wait(int milliseconds)
{
	sigset_t s;
	struct timespec t = { milliseconds / 1000, (milliseconds % 1000) * 1000000L };
	watched(&s);
	int n = milliseconds < 0 ? sigwaitinfo(&s, NULL) : sigtimedwait(&s, NULL, &t);
	return n < 0 ? -(long)errno : n;
}
long cs_prefer_to_kill(int score)
{
	/* proc_pid_oom_score_adj(5). Written with no stream: callable where nothing may be allocated. */
	char text[16];
	int n = 0, fd, sign = score < 0;
	unsigned v = (unsigned)(sign ? -score : score), divisor = 1000;
	if (sign) text[n++] = '-';
	int begun = 0;
	for (; divisor; divisor /= 10) {
		unsigned d = v / divisor % 10;
		if (d || begun || divisor == 1) {
			text[n++] = (char)('0' + d);
			begun = 1;
		}
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0) return -(long)errno;
	long r = write(fd, text, (size_t)n);
	long e = errno;
	close(fd);
	return r < 0 ? -e : 0;
}
