#pragma once
/* Runs a command while a process is watched, and strikes that process at its n-th system call of a kind: kills it, ends the one thread, or has the call fail.
   For tests: strace(1) of the older distributions does not know setxattrat(2) and fchmodat2(2), and counts from its own start. */

enum inject_what {
	INJECT_COUNT,      /* nothing: only count */
	INJECT_KILL,       /* SIGKILL on entry: the call is not carried out */
	INJECT_KILL_AFTER, /* SIGKILL when the call was carried out */
	INJECT_LOSE,       /* the calling thread ends instead, with all that it holds; the process lives on */
	INJECT_ERROR       /* the call is not carried out and answers -error */
};

struct inject {
	int pid;
	enum inject_what what;
	int at;
	int error;
	/* The parent of the process, whose next child is struck too, at its `again`-th call of any kind but those that touch nothing outside it; 0: none. */
	int guardian;
	int again;
};

/* What counts: for INJECT_ERROR every call that a filesystem may refuse, else those that change something on a disk, and
   the reply's write(2) or io_uring_enter(2). Prints "calls=N hit=NAME again=NAME exit=STATUS"; exit is the command's status, 128 + signal where one ended it.
   `only`: calls of this name count, and no others; NULL: all of the kind.
   `unknown=NAME` for each system call that the tables do not know. 0; -errno where the process cannot be watched. */
int inject_run(const struct inject *plan, const char *only, char *const command[]);

/* EXT4_IOC_SHUTDOWN: nothing that is not on the disk by now ever will be. 0 or -errno. */
int inject_ext4_shutdown(const char *path);
