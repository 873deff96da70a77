#define _GNU_SOURCE
#include "cshims.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* pthreads' locks, each answering what pthread_…(3) says: 0 or an error. */

/* An error that only a broken program or broken memory can give. Going on would mean to go on without the lock; the next worker goes on instead (docs/takeover.md). */
void cs_lock_fault(const char *what, int error)
{
	if (!error) return;
	char line[160];
	int length = snprintf(line, sizeof line, "unionfsd: %s: %s: this process ends\n", what, strerror(error));
	if (length > 0 && write(2, line, (size_t)length) < 0) abort();
	abort();
}

static struct timespec deadline(int milliseconds)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += milliseconds / 1000;
	t.tv_nsec += milliseconds % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) { t.tv_nsec -= 1000000000L; t.tv_sec++; }
	return t;
}

size_t cs_mutex_size(void) { return sizeof(pthread_mutex_t); }
/* One that says EDEADLK to its holder, where the plain one would wait for ever. */
int cs_mutex_init(void *m)
{
	pthread_mutexattr_t a;
	int e = pthread_mutexattr_init(&a);
	if (e) return e;
	e = pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	if (!e) e = pthread_mutex_init(m, &a);
	int f = pthread_mutexattr_destroy(&a);
	return e ? e : f;
}
int cs_mutex_destroy(void *m) { return pthread_mutex_destroy(m); }
int cs_mutex_lock(void *m, int milliseconds)
{
	int e = pthread_mutex_trylock(m);
	if (e != EBUSY) return e;
	if (milliseconds < 0) return pthread_mutex_lock(m);
	struct timespec t = deadline(milliseconds);
	e = pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &t);
	if (e != ETIMEDOUT) return e;
	/* A process that was stopped finds its time over, and so does the holder. */
	t = deadline(1000);
	return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &t);
}
int cs_mutex_unlock(void *m) { return pthread_mutex_unlock(m); }

size_t cs_rwlock_size(void) { return sizeof(pthread_rwlock_t); }
/* Readers do not overtake a writer that waits. Nobody takes one twice, which this kind would not forgive. */
int cs_rwlock_init(void *l)
{
	pthread_rwlockattr_t a;
	int e = pthread_rwlockattr_init(&a);
	if (e) return e;
	e = pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	if (!e) e = pthread_rwlock_init(l, &a);
	int f = pthread_rwlockattr_destroy(&a);
	return e ? e : f;
}
int cs_rwlock_destroy(void *l) { return pthread_rwlock_destroy(l); }
int cs_rwlock_try(void *l, int exclusive) { return exclusive ? pthread_rwlock_trywrlock(l) : pthread_rwlock_tryrdlock(l); }
int cs_rwlock_lock(void *l, int exclusive, int milliseconds)
{
	if (milliseconds < 0) return exclusive ? pthread_rwlock_wrlock(l) : pthread_rwlock_rdlock(l);
	struct timespec t = deadline(milliseconds);
	return exclusive ? pthread_rwlock_clockwrlock(l, CLOCK_MONOTONIC, &t) : pthread_rwlock_clockrdlock(l, CLOCK_MONOTONIC, &t);
}
int cs_rwlock_unlock(void *l) { return pthread_rwlock_unlock(l); }

size_t cs_cond_size(void) { return sizeof(pthread_cond_t); }
int cs_cond_init(void *c) { return pthread_cond_init(c, NULL); }
int cs_cond_destroy(void *c) { return pthread_cond_destroy(c); }
int cs_cond_wait(void *c, void *m, int milliseconds)
{
	if (milliseconds < 0) return pthread_cond_wait(c, m);
	struct timespec t = deadline(milliseconds);
	int e = pthread_cond_clockwait(c, m, CLOCK_MONOTONIC, &t);
	return e == ETIMEDOUT ? 0 : e;
}
int cs_cond_broadcast(void *c) { return pthread_cond_broadcast(c); }

/* ---- threads ---- */

struct start { cs_thread_body body; void *context; };
static void *thread_main(void *p)
{
	struct start s = *(struct start *)p;
	free(p);
	s.body(s.context);
	return NULL;
}
long cs_thread_start(cs_thread_body body, void *context, size_t stack, uint64_t *handle)
{
	struct start *s = malloc(sizeof *s);
	if (!s) return -ENOMEM;
	s->body = body;
	s->context = context;
	pthread_attr_t a;
	sigset_t all, old;
	pthread_t t;
	int e = pthread_attr_init(&a);
	if (e) {
		free(s);
		return -e;
	}
	if (stack) e = pthread_attr_setstacksize(&a, stack);
	sigfillset(&all);
	if (!e) e = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!e) {
		e = pthread_create(&t, &a, thread_main, s);
		/* Only a wrong `how` is refused. */
		cs_lock_fault("the signals of a thread", pthread_sigmask(SIG_SETMASK, &old, NULL));
	}
	cs_lock_fault("the attributes of a thread", pthread_attr_destroy(&a));
	if (e) {
		free(s);
		return -e;
	}
	*handle = (uint64_t)t;
	return 0;
}
long cs_thread_join(uint64_t handle) { return -(long)pthread_join((pthread_t)handle, NULL); }
long cs_thread_detach(uint64_t handle) { return -(long)pthread_detach((pthread_t)handle); }
int cs_thread_exists(uint32_t thread) { return syscall(SYS_tgkill, getpid(), (pid_t)thread, 0) == 0 || errno != ESRCH; }

/* ---- what a thread holds and waits for, where others see it: behind a slot, in memory that they share ---- */

static __thread struct cs_lock_notes own_notes;
struct cs_lock_notes *cs_lock_notes(void)
{
	struct cs_inflight *slot = cs_inflight();
	return slot ? &slot->locks : &own_notes;
}
void cs_lock_noted(struct cs_lock_notes *n, uint32_t key)
{
	uint32_t count = n->count;
	if (count < CS_LOCKS_HELD) n->held[count] = key;
	cs_store_ordered(&n->count, count + 1);
}
void cs_lock_forgotten(struct cs_lock_notes *n, uint32_t key)
{
	uint32_t count = n->count, top = count < CS_LOCKS_HELD ? count : CS_LOCKS_HELD;
	if (!count) return;
	for (uint32_t i = top; i > 0; i--) {
		if (n->held[i - 1] != key) continue;
		for (uint32_t j = i; j < top; j++) n->held[j - 1] = n->held[j];
		break;
	}
	cs_store_ordered(&n->count, count - 1);
}
int cs_lock_holds(const struct cs_lock_notes *n, uint32_t mask, uint32_t key)
{
	uint32_t top = n->count < CS_LOCKS_HELD ? n->count : CS_LOCKS_HELD;
	for (uint32_t i = 0; i < top; i++)
		if ((n->held[i] & mask) == key) return 1;
	return 0;
}

/* ---- the order of locks, in debug builds ---- */

/* What this thread holds, in the order in which it was taken. */
static _Thread_local struct { unsigned count; uint64_t keys[32]; } rank_held;
static uint64_t rank_wrong;

uint64_t cs_rank_breach(uint64_t key)
{
	for (unsigned i = 0; i < rank_held.count; i++)
		if (rank_held.keys[i] >= key) return rank_held.keys[i];
	return 0;
}
void cs_rank_push(uint64_t key)
{
	uint64_t held = cs_rank_breach(key);
	if (held) {
		__atomic_add_fetch(&rank_wrong, 1, __ATOMIC_RELAXED);
		fprintf(stderr, "lock order: %llx is taken while %llx is held\n", (unsigned long long)key, (unsigned long long)held);
	}
	if (rank_held.count < 32) rank_held.keys[rank_held.count++] = key;
}
void cs_rank_pop(uint64_t key)
{
	for (unsigned i = rank_held.count; i > 0; i--) {
		if (rank_held.keys[i - 1] != key) continue;
		for (unsigned j = i; j < rank_held.count; j++) rank_held.keys[j - 1] = rank_held.keys[j];
		rank_held.count--;
		return;
	}
}
uint64_t cs_rank_violations(void) { return __atomic_load_n(&rank_wrong, __ATOMIC_RELAXED); }
