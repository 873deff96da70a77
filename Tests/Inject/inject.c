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
	{ SYS_write, "write", REPLY }, { SYS_writev, "writev", REPLY }, { SYS_io_uring_enter, "io_uring_enter", REPLY },
	N(read), N(close), N(futex), N(mmap), N(munmap), N(mprotect), N(madvise), N(fcntl), N(setfsuid), N(setfsgid), N(umask), N(unshare),
	N(rt_sigprocmask), N(rt_sigaction), N(rt_sigreturn), N(restart_syscall), N(clock_gettime), N(clock_nanosleep), N(ppoll), N(brk), N(exit), N(exit_group),
	N(sched_setaffinity), N(sched_setscheduler), N(sched_setattr), N(getrusage), N(io_uring_register), N(io_uring_setup), N(prlimit64), N(sigaltstack),
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
static void lose_thread(pid_t tid)
{
	struct user_regs_struct r;
	if (ptrace(PTRACE_GETREGS, tid, 0, &r) == 0) { r.orig_rax = SYS_exit; ptrace(PTRACE_SETREGS, tid, 0, &r); }
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
static void lose_thread(pid_t tid)
{
	int nr = SYS_exit;
	struct iovec v = { &nr, sizeof nr };
	ptrace(PTRACE_SETREGSET, tid, 0x404, &v);
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

/* Who is watched: threads of the process, its guardian, and those of the process that comes after it. */
enum role { FIRST, GUARDIAN, NEXT };
struct watched { pid_t tid, process; enum role role; };
#define MAX_THREADS 128
static struct watched threads[MAX_THREADS];
static int thread_count;
static const char *counted_name;
static pid_t failing; /* the thread whose call is being skipped */

static struct watched *find(pid_t tid)
{
	for (int i = 0; i < thread_count; i++)
		if (threads[i].tid == tid) return &threads[i];
	return NULL;
}

static struct watched *add(pid_t tid, pid_t process, enum role role)
{
	struct watched *w = find(tid);
	if (!w) w = find(0);
	if (!w && thread_count < MAX_THREADS) w = &threads[thread_count++];
	if (w) *w = (struct watched){ tid, process, role };
	return w;
}

/* The guardian is only followed to its children: its own calls are none of ours. */
static void go_on(pid_t tid, enum role role, int signal) { ptrace(role == GUARDIAN ? PTRACE_CONT : PTRACE_SYSCALL, tid, 0, signal); }

static int seize_all(int pid, enum role role)
{
	char path[40];
	int first = thread_count;
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *d = opendir(path);
	if (!d) return -errno;
	for (struct dirent *e; (e = readdir(d));) {
		pid_t tid = atoi(e->d_name);
		if (tid <= 0) continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK) < 0) { int error = errno; closedir(d); return -error; }
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		add(tid, pid, role);
	}
	closedir(d);
	for (int i = first; i < thread_count; i++) {
		int status;
		if (waitpid(threads[i].tid, &status, __WALL) == threads[i].tid && WIFSTOPPED(status)) go_on(threads[i].tid, role, 0);
	}
	return 0;
}

/* Whoever lives goes on unwatched; of a process that was killed all threads are waited for, in whatever order they come: the first is reported when the others have been. */
static void release_all(void)
{
	int left = 0;
	for (int i = 0; i < thread_count; i++) {
		if (threads[i].tid <= 0) continue;
		if (ptrace(PTRACE_INTERRUPT, threads[i].tid, 0, 0) < 0 && errno == ESRCH && kill(threads[i].tid, 0) < 0) threads[i].tid = 0;
		else left++;
	}
	for (int tries = 0; left > 0 && tries < 1000;) {
		int status;
		pid_t who = waitpid(-1, &status, __WALL | WNOHANG);
		if (who < 0) return;
		if (who == 0) {
			tries++;
			usleep(2000);
			continue;
		}
		struct watched *w = find(who);
		if (WIFSTOPPED(status)) {
			if (failing == who) set_result(who, EIO);
			/* Its own signals go with it. */
			int signal = WSTOPSIG(status);
			ptrace(PTRACE_DETACH, who, 0, status >> 16 || signal == (SIGTRAP | 0x80) ? 0 : signal);
		}
		if (w) {
			w->tid = 0;
			left--;
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

/* ---- what is counted, and struck ---- */

struct tally { int calls, again_calls; const char *hit, *again; pid_t dying; };

static void strike(const struct inject *plan, struct tally *t, const struct watched *w, const char *name)
{
	t->hit = name;
	switch (plan->what) {
	case INJECT_KILL: kill(w->process, SIGKILL); break; /* A pending SIGKILL makes the kernel skip the call (ptrace_report_syscall_entry). */
	case INJECT_KILL_AFTER: t->dying = w->tid; break;
	case INJECT_LOSE: lose_thread(w->tid); break;
	case INJECT_ERROR: skip_call(w->tid); failing = w->tid; break;
	case INJECT_COUNT: break;
	}
}

static void entered(const struct inject *plan, struct tally *t, const struct watched *w, const struct __ptrace_syscall_info *s)
{
	enum class class = class_of(s);
	const char *name = name_of((int)s->entry.nr);
	if (w->role == NEXT) {
		/* What only reads the clock or waits leaves nothing that the next look could find otherwise. */
		int nr = (int)s->entry.nr;
		if (nr == SYS_clock_gettime || nr == SYS_futex || nr == SYS_rt_sigprocmask || nr == SYS_sched_yield || nr == SYS_getpid || nr == SYS_gettid) return;
		if (plan->again && ++t->again_calls == plan->again) {
			t->again = name;
			kill(w->process, SIGKILL);
		}
		return;
	}
	if (w->role != FIRST) return;
	if (class == UNKNOWN && (int)s->entry.nr >= 0) printf("unknown=%d ", (int)s->entry.nr);
	int counts = counted_name ? strcmp(counted_name, name) == 0 : class == MUTATES || (plan->what == INJECT_ERROR ? class == ASKS : class == REPLY);
	if (getenv("INJECT_TRACE") && class != NEUTRAL) fprintf(stderr, "%d %s\n", counts ? t->calls + 1 : 0, name);
	if (counts && ++t->calls == plan->at && plan->what != INJECT_COUNT) strike(plan, t, w, name);
}

static void stopped(const struct inject *plan, struct tally *t, struct watched *w, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	pid_t tid = w->tid;
	if (event) { /* a new thread or process, or our own interrupt */
		unsigned long new = 0;
		if ((event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK) && ptrace(PTRACE_GETEVENTMSG, tid, 0, &new) == 0)
			add((pid_t)new, event == PTRACE_EVENT_FORK ? (pid_t)new : w->process, event == PTRACE_EVENT_FORK && w->role == GUARDIAN ? NEXT : w->role);
		go_on(tid, w->role, 0);
		return;
	}
	if (signal != (SIGTRAP | 0x80)) { /* a signal of its own */
		go_on(tid, w->role, signal);
		return;
	}
	struct __ptrace_syscall_info s;
	memset(&s, 0, sizeof s);
	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof s, &s) > 0) {
		if (s.op == PTRACE_SYSCALL_INFO_EXIT) {
			if (failing == tid) {
				set_result(tid, plan->error);
				failing = 0;
			}
			if (t->dying == tid) {
				t->dying = 0;
				kill(w->process, SIGKILL);
			}
		} else if (s.op == PTRACE_SYSCALL_INFO_ENTRY) entered(plan, t, w, &s);
	}
	go_on(tid, w->role, 0);
}

int inject_run(const struct inject *plan, const char *only, char *const command[])
{
	counted_name = only;
	int go = -1, result = -1;
	struct tally t = { .hit = "-", .again = "-" };
	pid_t child = begin_command(command, &go);
	if (child < 0) return child;
	int r = seize_all(plan->pid, FIRST);
	if (r == 0 && plan->guardian) r = seize_all(plan->guardian, GUARDIAN);
	if (r < 0) { kill(child, SIGKILL); return r; }
	if (write(go, "", 1) != 1) return -EIO;
	alarm(60);

	while (result < 0) {
		int status;
		pid_t who = waitpid(-1, &status, __WALL);
		if (who < 0) break;
		struct watched *w = find(who);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (who == child) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			if (w) w->tid = 0;
			continue;
		}
		if (!WIFSTOPPED(status) || who == child) continue;
		/* A child can be reported before the fork that made it: it is told apart when its parent says so. */
		if (!w) w = add(who, who, NEXT);
		if (w) stopped(plan, &t, w, status);
		else ptrace(PTRACE_DETACH, who, 0, 0);
	}
	alarm(0);
	release_all();
	printf("calls=%d hit=%s again=%s exit=%d\n", t.calls, t.hit, t.again, result);
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
