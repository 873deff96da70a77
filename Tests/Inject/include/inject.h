#pragma once
/* Runs a command while a process is watched, and kills that process before its n-th system call of a kind, or has the call fail.
   For tests: strace(1) of the older distributions does not know setxattrat(2) and fchmodat2(2), and counts from its own start. */

enum inject_what {
	INJECT_COUNT, /* nothing: only count */
	INJECT_KILL,  /* SIGKILL on entry: the call is not carried out */
	INJECT_ERROR  /* the call is not carried out and answers -error */
};

/* what counts: for INJECT_ERROR every call that a filesystem may refuse, else those that change something on a disk, and
   the reply's write(2). Prints "calls=N hit=NAME exit=STATUS"; exit is the command's status, 128 + signal where one ended it.
   `unknown=NAME` for each system call that the tables do not know. 0; -errno where the process cannot be watched. */
int inject_run(int pid, enum inject_what what, int at, int error, char *const command[]);

/* EXT4_IOC_SHUTDOWN: nothing that is not on the disk by now ever will be. 0 or -errno. */
int inject_ext4_shutdown(const char *path);
