#define _GNU_SOURCE
#include "cshims.h"
#include <errno.h>
#include <string.h>

/* What must not be half done when the process is killed: in memory that outlives it (docs/takeover.md).
 *
 * A journal holds the old content of every record that is changed while a lock is held, and is emptied before the lock is given back. Who comes
 * after a process that died in between puts the old content back. A killed process stops between two instructions and what it has stored stays, so
 * that all that is needed is the order of the stores: a barrier for the compiler.
 *
 * An entry: offset of the record, its content, padded, and behind it its length, to be walked backwards. */

struct cs_journal {
	uint32_t used;		/* bytes of entries */
	uint32_t full;		/* an entry did not fit: nothing can be put back */
	uint64_t last;		/* offset of the last record + 1, which need not be saved again */
	unsigned char data[];
};
#define BARRIER() __asm__ __volatile__("" ::: "memory")

void cs_journal_save(void *journal, uint32_t capacity, const void *base, const void *record, uint32_t length)
{
	struct cs_journal *j = journal;
	uint64_t offset = (uint64_t)((const char *)record - (const char *)base);
	uint32_t padded = (length + 7) & ~7u, used = j->used;
	if (used && j->last == offset + 1) return;
	if (used + padded + 16 > capacity - sizeof *j) {
		j->full = 1;
		return;
	}
	unsigned char *at = j->data + used;
	uint64_t tail = length;
	memcpy(at, &offset, 8);
	memcpy(at + 8, record, length);
	memcpy(at + 8 + padded, &tail, 8);
	j->last = offset + 1;
	BARRIER();
	*(volatile uint32_t *)&j->used = used + padded + 16;
	BARRIER();
}

void cs_journal_commit(void *journal)
{
	struct cs_journal *j = journal;
	BARRIER();
	if (*(volatile uint32_t *)&j->full) *(volatile uint32_t *)&j->full = 0;
	if (j->used) *(volatile uint32_t *)&j->used = 0;
	BARRIER();
}

/* -EUCLEAN where something did not fit, or is no entry. Done again from the start by whoever comes after one that was killed here. */
long cs_journal_undo(void *journal, uint32_t capacity, void *base, uint64_t size)
{
	struct cs_journal *j = journal;
	uint32_t used = j->used;
	if (j->full || used > capacity - sizeof *j) return -EUCLEAN;
	while (used) {
		uint64_t length, offset;
		if (used < 16) return -EUCLEAN;
		memcpy(&length, j->data + used - 8, 8);
		if (length > used - 16) return -EUCLEAN;
		uint32_t padded = ((uint32_t)length + 7) & ~7u;
		if (padded > used - 16) return -EUCLEAN;
		memcpy(&offset, j->data + used - 16 - padded, 8);
		if (offset > size || length > size - offset) return -EUCLEAN;
		memcpy((char *)base + offset, j->data + used - 8 - padded, length);
		used -= padded + 16;
	}
	cs_journal_commit(j);
	return 0;
}

/* ---- what this thread is in the middle of ---- */
static __thread struct cs_inflight *inflight;
void cs_inflight_set(struct cs_inflight *slot)
{
	inflight = slot;
	if (slot) slot->locks.thread = (uint32_t)cs_thread_number();
}
struct cs_inflight *cs_inflight(void) { return inflight; }

void cs_store_ordered(uint32_t *word, uint32_t value)
{
	BARRIER();
	*(volatile uint32_t *)word = value;
	BARRIER();
}
