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
	sigaddset(s, SIGUSR1);
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

/* ---- another program in its place ---- */

long cs_keep_over_exec(int fd)
{
	return fcntl(fd, F_SETFD, 0) < 0 ? -(long)errno : 0;
}
/* All that are open, but for those below 3, which are kept as they are. */
long cs_keep_all_over_exec(void)
{
	/* struct linux_dirent64: ino, off, reclen at 16, type at 18, name at 19. */
	char buffer[4096];
	int directory = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) return -(long)errno;
	long n;
	while ((n = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < n;) {
			const char *name = buffer + at + 19;
			int fd = 0;
			for (; *name >= '0' && *name <= '9'; name++) fd = fd * 10 + (*name - '0');
			if (!*name && fd > 2 && fd != directory) fcntl(fd, F_SETFD, 0);
			unsigned short length;
			__builtin_memcpy(&length, buffer + at + 16, sizeof length);
			at += length;
		}
	long error = n < 0 ? -(long)errno : 0;
	close(directory);
	return error;
}
extern char **environ;
long cs_exec_descriptor(int program, char *const argv[])
{
	syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
	return -(long)errno;
}
/* The file whose path stands in a file: its descriptor, or -errno. */
long cs_open_named(int directory, const char *name)
{
	char path[4096];
	int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0) return -(long)errno;
	ssize_t n = read(file, path, sizeof path - 1);
	long error = n < 0 ? -(long)errno : 0;
	close(file);
	if (error) return error;
	if (!n || (size_t)n == sizeof path - 1) return n ? -ENAMETOOLONG : -ENOENT;
	path[n] = 0;
	int program = open(path, O_RDONLY | O_CLOEXEC);
	return program < 0 ? -(long)errno : program;
}
void cs_die_after(unsigned seconds) { alarm(seconds); }
