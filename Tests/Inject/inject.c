#define _GNU_SOURCE
#include "inject.h"
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* MUTATES: changes something on a disk. ASKS: may be refused, changes nothing. REPLY: the answer to the kernel. NEUTRAL: neither. */
enum class { UNKNOWN, MUTATES, ASKS, REPLY, NEUTRAL };
static const struct { int nr; const char *name; enum class class; } table[] = {
#define M(n) { SYS_##n, #n, MUTATES }
#define A(n) { SYS_##n, #n, ASKS }
#define N(n) { SYS_##n, #n, NEUTRAL }
	M(linkat), M(renameat2), M(unlinkat), M(mkdirat), M(mknodat), M(symlinkat), M(fchownat), M(fchmod), M(utimensat),
	M(setxattr), M(removexattr), M(fallocate), M(copy_file_range), M(pwrite64), M(ftruncate), M(fsync), M(fdatasync), M(syncfs),
	M(sync_file_range), { 452, "fchmodat2", MUTATES }, { 463, "setxattrat", MUTATES }, { 466, "removexattrat", MUTATES },
	A(statx), A(newfstatat), A(fstat), A(statfs), A(fstatfs), A(readlinkat), A(getdents64), A(lseek), A(pread64), A(openat2), A(getxattr),
	A(listxattr), A(name_to_handle_at), A(open_by_handle_at), A(faccessat), { 464, "getxattrat", ASKS }, { 465, "listxattrat", ASKS },
	{ SYS_write, "write", REPLY }, { SYS_writev, "writev", REPLY },
	N(read), N(close), N(futex), N(mmap), N(munmap), N(mprotect), N(madvise), N(fcntl), N(setfsuid), N(setfsgid), N(umask), N(unshare),
	N(rt_sigprocmask), N(rt_sigaction), N(rt_sigreturn), N(restart_syscall), N(clock_gettime), N(clock_nanosleep), N(ppoll), N(brk), N(exit), N(exit_group),
	N(getpid), N(gettid), N(tgkill), N(prctl), N(sched_yield), N(clone3), N(clone), N(set_robust_list), N(rseq), N(sched_getaffinity), N(getrandom),
#ifdef SYS_poll
	N(poll),
#endif
#ifdef SYS_open
	A(open), M(chmod),
#endif
};

static const char *name_of(int nr)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].nr == nr) return table[i].name;
	return nr == SYS_openat ? "openat" : nr == SYS_ioctl ? "ioctl" : "?";
}

static enum class class_of(const struct __ptrace_syscall_info *s)
{
	int nr = (int)s->entry.nr;
	if (nr == SYS_openat) return s->entry.args[2] & (O_CREAT | 020000000 /* __O_TMPFILE */ | O_TRUNC) ? MUTATES : ASKS;
	if (nr == SYS_ioctl)
		switch ((uint32_t)s->entry.args[1]) {
		case 0x40049409: case 0x40086602: case 0x401c5820: return MUTATES; /* FICLONE, FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR */
		case 0x80086601: case 0x801c581f: return ASKS;
		default: return NEUTRAL;
		}
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].nr == nr) return table[i].class;
	return UNKNOWN;
}

/* ---- the call that fails ---- */

#if defined(__x86_64__)
static void skip_call(pid_t tid)
{
	struct user_regs_struct r;
	if (ptrace(PTRACE_GETREGS, tid, 0, &r) == 0) { r.orig_rax = (unsigned long long)-1; ptrace(PTRACE_SETREGS, tid, 0, &r); }
}
static void set_result(pid_t tid, int error)
{
	struct user_regs_struct r;
	if (ptrace(PTRACE_GETREGS, tid, 0, &r) == 0) { r.rax = (unsigned long long)-(long long)error; ptrace(PTRACE_SETREGS, tid, 0, &r); }
}
#elif defined(__aarch64__)
static void skip_call(pid_t tid)
{
	int nr = -1;
	struct iovec v = { &nr, sizeof nr };
	ptrace(PTRACE_SETREGSET, tid, 0x404 /* NT_ARM_SYSTEM_CALL */, &v);
}
static void set_result(pid_t tid, int error)
{
	struct user_regs_struct r;
	struct iovec v = { &r, sizeof r };
	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &v) == 0) { r.regs[0] = (uint64_t)-(int64_t)error; ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &v); }
}
#else
#error "no way known to make a system call fail on this processor"
#endif

/* ---- the watch ---- */

#define MAX_THREADS 64
static pid_t threads[MAX_THREADS];
static int thread_count;
static pid_t failing; /* the thread whose call is being skipped */

static int seize_all(int pid)
{
	char path[40];
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *d = opendir(path);
	if (!d) return -errno;
	for (struct dirent *e; (e = readdir(d)) && thread_count < MAX_THREADS;) {
		pid_t tid = atoi(e->d_name);
		if (tid <= 0) continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) < 0) { int error = errno; closedir(d); return -error; }
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		threads[thread_count++] = tid;
	}
	closedir(d);
	for (int i = 0; i < thread_count; i++) {
		int status;
		if (waitpid(threads[i], &status, __WALL) == threads[i] && WIFSTOPPED(status)) ptrace(PTRACE_SYSCALL, threads[i], 0, 0);
	}
	return 0;
}

static void release_all(int killed)
{
	if (killed) {
		/* The first thread is reported when the others have been. */
		int status;
		for (pid_t who; (who = waitpid(-1, &status, __WALL)) > 0;)
			if (WIFSTOPPED(status)) ptrace(PTRACE_CONT, who, 0, 0);
		return;
	}
	for (int i = 0; i < thread_count; i++) {
		int status;
		if (threads[i] <= 0 || ptrace(PTRACE_INTERRUPT, threads[i], 0, 0) < 0) continue;
		if (waitpid(threads[i], &status, __WALL) == threads[i] && WIFSTOPPED(status)) {
			if (failing == threads[i]) set_result(threads[i], EIO);
			ptrace(PTRACE_DETACH, threads[i], 0, 0);
		}
	}
}

static pid_t begin_command(char *const command[], int *go)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
	pid_t child = fork();
	if (child < 0) return -errno;
	if (child == 0) {
		char c;
		close(ends[1]);
		if (read(ends[0], &c, 1) != 1) _exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	close(ends[0]);
	*go = ends[1];
	return child;
}

int inject_run(int pid, enum inject_what what, int at, int error, char *const command[])
{
	int go = -1, calls = 0, result = -1;
	const char *hit = "-";
	pid_t child = begin_command(command, &go);
	if (child < 0) return child;
	int r = seize_all(pid);
	if (r < 0) { kill(child, SIGKILL); return r; }
	if (write(go, "", 1) != 1) return -EIO;
	alarm(60);

	while (result < 0) {
		int status;
		pid_t who = waitpid(-1, &status, __WALL);
		if (who < 0) break;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (who == child) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			for (int i = 0; i < thread_count; i++)
				if (threads[i] == who) threads[i] = 0;
			continue;
		}
		if (!WIFSTOPPED(status) || who == child) continue;
		int signal = WSTOPSIG(status);
		if (status >> 16) { /* a new thread, or our own interrupt */
			unsigned long new_thread = 0;
			if (status >> 16 == PTRACE_EVENT_CLONE && ptrace(PTRACE_GETEVENTMSG, who, 0, &new_thread) == 0 && thread_count < MAX_THREADS)
				threads[thread_count++] = (pid_t)new_thread;
			ptrace(PTRACE_SYSCALL, who, 0, 0);
			continue;
		}
		if (signal != (SIGTRAP | 0x80)) { /* a signal of its own */
			ptrace(PTRACE_SYSCALL, who, 0, signal);
			continue;
		}
		struct __ptrace_syscall_info s;
		memset(&s, 0, sizeof s);
		if (ptrace(PTRACE_GET_SYSCALL_INFO, who, sizeof s, &s) <= 0) { ptrace(PTRACE_SYSCALL, who, 0, 0); continue; }
		if (s.op == PTRACE_SYSCALL_INFO_EXIT && failing == who) {
			set_result(who, error);
			failing = 0;
		} else if (s.op == PTRACE_SYSCALL_INFO_ENTRY) {
			enum class class = class_of(&s);
			if (class == UNKNOWN && (int)s.entry.nr >= 0) printf("unknown=%d ", (int)s.entry.nr);
			int counts = class == MUTATES || (what == INJECT_ERROR ? class == ASKS : class == REPLY);
			if (getenv("INJECT_TRACE") && class != NEUTRAL) fprintf(stderr, "%d %s\n", counts ? calls + 1 : 0, name_of((int)s.entry.nr));
			if (counts && ++calls == at && what != INJECT_COUNT) {
				hit = name_of((int)s.entry.nr);
				if (what == INJECT_KILL) {
					/* A pending SIGKILL makes the kernel skip the call (ptrace_report_syscall_entry). */
					kill(pid, SIGKILL);
				} else {
					skip_call(who);
					failing = who;
				}
			}
		}
		ptrace(PTRACE_SYSCALL, who, 0, 0);
	}
	alarm(0);
	release_all(what == INJECT_KILL && *hit != '-');
	printf("calls=%d hit=%s exit=%d\n", calls, hit, result);
	fflush(stdout);
	return 0;
}

int inject_ext4_shutdown(const char *path)
{
	uint32_t how = 2; /* EXT4_GOING_FLAGS_NOLOGFLUSH */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return -errno;
	int r = ioctl(fd, _IOR('X', 125, uint32_t), &how) < 0 ? -errno : 0;
	close(fd);
	return r;
}
