#define _GNU_SOURCE
#include "cshims.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* io_uring(7) as FUSE's transport needs it: commands of 128 bytes, one thread that submits and takes completions, no library.
 * The constants are those of <linux/io_uring.h>, of Linux 6.1 at the latest. */

struct cs_ring {
	int fd;
	uint32_t *sq_head, *sq_tail, *sq_array, *cq_head, *cq_tail;
	uint32_t sq_mask, cq_mask, unsubmitted;
	unsigned char *sqes;
	struct io_uring_cqe *cqes;
	void *map, *sqe_map;
	size_t map_length, sqe_length;
};
enum { SQE_SIZE = 128 };

void cs_ring_close(void *ring)
{
	struct cs_ring *r = ring;
	if (!r) return;
	if (r->map != MAP_FAILED) munmap(r->map, r->map_length);
	if (r->sqe_map != MAP_FAILED) munmap(r->sqe_map, r->sqe_length);
	if (r->fd >= 0) close(r->fd);
	free(r);
}

/* Disabled until cs_ring_enable, whose thread is then the only one that may use it. */
long cs_ring_open(unsigned entries, void **ring)
{
	struct cs_ring *r = calloc(1, sizeof *r);
	struct io_uring_params p;
	long error;
	if (!r) return -ENOMEM;
	r->map = r->sqe_map = MAP_FAILED;
	memset(&p, 0, sizeof p);
	p.flags = IORING_SETUP_SQE128 | IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	r->fd = (int)syscall(SYS_io_uring_setup, entries, &p);
	if (r->fd < 0) goto failed;
	if (!(p.features & IORING_FEAT_SINGLE_MMAP)) {
		errno = ENOSYS;
		goto failed;
	}
	size_t sq = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	size_t cq = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	r->map_length = sq > cq ? sq : cq;
	r->map = mmap(NULL, r->map_length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	if (r->map == MAP_FAILED) goto failed;
	r->sqe_length = (size_t)p.sq_entries * SQE_SIZE;
	r->sqe_map = mmap(NULL, r->sqe_length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (r->sqe_map == MAP_FAILED) goto failed;
	char *base = r->map;
	r->sq_head = (uint32_t *)(base + p.sq_off.head);
	r->sq_tail = (uint32_t *)(base + p.sq_off.tail);
	r->sq_array = (uint32_t *)(base + p.sq_off.array);
	r->sq_mask = *(uint32_t *)(base + p.sq_off.ring_mask);
	r->cq_head = (uint32_t *)(base + p.cq_off.head);
	r->cq_tail = (uint32_t *)(base + p.cq_off.tail);
	r->cq_mask = *(uint32_t *)(base + p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(base + p.cq_off.cqes);
	r->sqes = r->sqe_map;
	*ring = r;
	return 0;
failed:
	error = -(long)errno;
	cs_ring_close(r);
	return error;
}

long cs_ring_enable(void *ring)
{
	struct cs_ring *r = ring;
	long result = syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	return result < 0 ? -(long)errno : 0;
}

/* struct fuse_uring_cmd_req in the command area of an IORING_OP_URING_CMD (fs/fuse/dev_uring.c). */
struct fuse_uring_cmd_req { uint64_t flags, commit_id; uint16_t qid; uint8_t padding[6]; };

long cs_ring_fuse(void *ring, int device, uint32_t command, const void *vectors, uint64_t commit_id, uint16_t queue)
{
	struct cs_ring *r = ring;
	uint32_t tail = *r->sq_tail;
	if (tail - __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE) > r->sq_mask) return -EBUSY;
	struct io_uring_sqe *sqe = (struct io_uring_sqe *)(r->sqes + (size_t)(tail & r->sq_mask) * SQE_SIZE);
	struct fuse_uring_cmd_req req = { 0, commit_id, queue, { 0 } };
	memset(sqe, 0, SQE_SIZE);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = device;
	sqe->cmd_op = command;
	sqe->addr = (uint64_t)(uintptr_t)vectors;
	sqe->len = 2;
	memcpy((unsigned char *)sqe + 48, &req, sizeof req);
	r->sq_array[tail & r->sq_mask] = tail & r->sq_mask;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	r->unsubmitted++;
	return 0;
}

/* ---- leaving ---- */

/* A thread that dies must not leave a command with the kernel that waits for a request: FUSE would give it one, and end that with ECANCELED when the ring is closed.
 *
 * io_uring cancels the commands of a thread at its end, whatever ends it, and first runs what is queued for it, so that requests just given to it reach the memory
 * where the next process finds them. But only if it holds a request that refers to another io_uring ("tracked": io_uring_files_cancel, tctx_inflight, io_req_track_inflight);
 * else it leaves that to the last close of the ring, in a kernel thread that runs nothing for a dead one (IO_URING_F_TASK_DEAD). So each thread has such a request:
 * a poll of a ring in which nothing ever happens. */
enum { ANCHORED = 1 };

long cs_ring_anchor_open(void)
{
	struct io_uring_params p;
	memset(&p, 0, sizeof p);
	long fd = syscall(SYS_io_uring_setup, 1, &p);
	return fd < 0 ? -(long)errno : fd;
}
long cs_ring_anchor(void *ring, int anchor)
{
	struct cs_ring *r = ring;
	uint32_t tail = *r->sq_tail;
	if (tail - __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE) > r->sq_mask) return -EBUSY;
	struct io_uring_sqe *sqe = (struct io_uring_sqe *)(r->sqes + (size_t)(tail & r->sq_mask) * SQE_SIZE);
	memset(sqe, 0, SQE_SIZE);
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = anchor;
	sqe->poll32_events = POLLIN;
	sqe->user_data = ANCHORED;
	r->sq_array[tail & r->sq_mask] = tail & r->sq_mask;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	r->unsubmitted++;
	return 0;
}

long cs_ring_submit(void *ring)
{
	struct cs_ring *r = ring;
	long n = syscall(SYS_io_uring_enter, r->fd, r->unsubmitted, 0, 0, NULL, 0);
	if (n < 0) return -(long)errno;
	r->unsubmitted -= (uint32_t)n < r->unsubmitted ? (uint32_t)n : r->unsubmitted;
	return 0;
}

/* One io_uring_enter(2), which submits and waits. */
long cs_ring_wait(void *ring, int32_t *result)
{
	struct cs_ring *r = ring;
	for (;;) {
		uint32_t head = *r->cq_head;
		if (!r->unsubmitted && head != __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE)) {
			uint64_t what = r->cqes[head & r->cq_mask].user_data;
			*result = r->cqes[head & r->cq_mask].res;
			__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
			if (what == ANCHORED) continue;
			return 0;
		}
		long n = syscall(SYS_io_uring_enter, r->fd, r->unsubmitted, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		if (n < 0) return -(long)errno;
		r->unsubmitted -= (uint32_t)n < r->unsubmitted ? (uint32_t)n : r->unsubmitted;
	}
}

/* Room for any processor number that a kernel can have (NR_CPUS is 8192 at most). */
struct processors { unsigned long bits[8192 / (8 * sizeof(unsigned long))]; };
static struct processors all;
static size_t all_size;
static pthread_once_t all_once = PTHREAD_ONCE_INIT;
/* What the process was started with: this thread has it from its creator. */
static void keep_all(void)
{
	long n = syscall(SYS_sched_getaffinity, 0, sizeof all, &all);
	if (n > 0) all_size = (size_t)n;
}
long cs_thread_pin(int processor) { return cs_set_processor(0, processor); }
long cs_thread_unpin(void) { return cs_set_all_processors(0); }
long cs_set_processor(int thread, int processor)
{
	struct processors set = { { 0 } };
	const int bits = 8 * (int)sizeof(unsigned long);
	if (processor < 0 || processor >= 8192) return -EINVAL;
	int e = pthread_once(&all_once, keep_all);
	if (e) return -e;
	set.bits[processor / bits] |= 1ul << (processor % bits);
	long n = syscall(SYS_sched_setaffinity, thread, sizeof set, &set);
	return n < 0 ? -(long)errno : 0;
}
long cs_avoid_processor(int thread, int processor)
{
	const int bits = 8 * (int)sizeof(unsigned long);
	if (processor < 0 || processor >= 8192) return -EINVAL;
	int e = pthread_once(&all_once, keep_all);
	if (e) return -e;
	struct processors set = all;
	set.bits[processor / bits] &= ~(1ul << (processor % bits));
	long n = syscall(SYS_sched_setaffinity, thread, sizeof set, &set);
	return n < 0 ? -(long)errno : 0;
}
long cs_set_all_processors(int thread)
{
	if (!all_size) return -ENODATA;
	long n = syscall(SYS_sched_setaffinity, thread, all_size, &all);
	return n < 0 ? -(long)errno : 0;
}

long cs_thread_number(void) { return syscall(SYS_gettid); }
long cs_policy(int thread) { long n = syscall(SYS_sched_getscheduler, thread); return n < 0 ? -(long)errno : n; }
/* Raw calls: musl's sched_setscheduler(3) answers ENOSYS. Without SCHED_RESET_ON_FORK; a thread keeps its nice value (__setscheduler_params). */
long cs_set_policy(int thread, int policy)
{
	struct sched_param none = { 0 };
	long n = syscall(SYS_sched_setscheduler, thread, policy, &none);
	return n < 0 ? -(long)errno : 0;
}

long cs_thread_urgent(int nice, uint64_t slice)
{
	/* struct sched_attr of <linux/sched/types.h>, first version; libc 2.36 has neither the struct nor the call. */
	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; } a = {
		48, SCHED_OTHER, 0, nice, 0, slice, 0, 0 };
	long n = syscall(SYS_sched_setattr, 0, &a, 0);
	return n < 0 ? -(long)errno : 0;
}

long cs_statfs_of_device(unsigned major, unsigned minor)
{
#ifdef SYS_ustat
	/* ustat(2): new_decode_dev. struct ustat is 32 bytes. */
	char answer[64];
	long n = syscall(SYS_ustat, (minor & 0xffu) | (major & 0xfffu) << 8 | (minor & ~0xffu) << 12, answer);
	return n < 0 ? -(long)errno : 0;
#else
	(void)major;
	(void)minor;
	return -ENOSYS;
#endif
}
