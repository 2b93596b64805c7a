/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk as block devices vda, vdb, ... (virtio 1.1, section 5.2).
 *
 *	waiting		requests that have been submitted, in order, and have no room or memory yet
 *	transfers	those that the device has: header, table of buffers and status in one piece of memory within a page
 *
 * Guarded by disabled interrupts. Pages that guests grant are given to the device by their machine address: a grant mapping for devices
 * only, without a page-table entry and so without a flush, taken in batches before requests start and given back when they end. What the
 * hypervisor does not map so goes through pages of ours, by its copies; a grant that cannot be copied either is the guest's
 * error. A device that breaks the rules of the queue gets nothing more, and what it has comes back as -EIO.
 */
#include <abi/errno.h>
#include <abi/xen.h>

#include "../../include/block.h"
#include "../../include/cmdline.h"
#include "../../include/gnttab.h"
#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/ops.h"
#include "../../include/partition.h"
#include "../disks/disk.h"
#include "virtio.h"

enum { FEATURE_SIZE_MAX = 1, FEATURE_SEG_MAX = 2, FEATURE_RO = 5, FEATURE_BLK_SIZE = 6, FEATURE_FLUSH = 9, FEATURE_TOPOLOGY = 10,
       FEATURE_DISCARD = 13 };
enum { CONFIG_CAPACITY = 0, CONFIG_SIZE_MAX = 8, CONFIG_SEG_MAX = 12, CONFIG_BLK_SIZE = 20, CONFIG_PHYSICAL_EXPONENT = 24,
       CONFIG_MAX_DISCARD = 36 };
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_DISCARD = 11 };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPPORTED = 2, STATUS_NONE = 0xff };

#define MAX_PIECES 128u
#define GRANT_BATCH 128u	/* as many as a request's pieces, at least */
#define NO_HANDLE ~0u

struct transfer_piece {
	void *bounce;
	u32 handle;
	u64 address;
};

struct transfer {
	struct list node;		/* in `transfers`, or among those that start or end together */
	struct block_request *request;
	bool granted, bounced;
	int err;
	u64 discarded;			/* sectors of a discard that are done or under way */
	struct {
		u32 type, reserved;
		u64 sector;
	} header;
	struct {
		u64 sector;
		u32 sectors, flags;
	} range;			/* of a discard */
	u8 status;
	struct transfer_piece *pieces;	/* behind the table */
	struct vring_desc table[];
};

struct virtio_blk {
	struct virtio_device device;
	struct virtio_queue queue;
	struct block_device block;
	struct list waiting, transfers;
	u64 max_discard;
	bool copy_grants;		/* always, as the command line says */
	struct gnttab_map_grant_ref maps[GRANT_BATCH];	/* of requests that are about to start */
	struct gnttab_unmap_grant_ref unmaps[GRANT_BATCH];	/* of requests that are about to end */
	u32 nr_maps, nr_unmaps;
};

static struct virtio_blk *of(struct block_device *d)
{
	return d->data;
}

/* --- guests' pages --- */

/* Adds the granted pieces of a transfer to the next map, which has room for them. */
static void want_mapped(struct virtio_blk *b, struct transfer *t)
{
	const struct block_request *r = t->request;
	u32 flags = GNTMAP_device_map | (r->op == BLOCK_WRITE ? GNTMAP_readonly : 0);

	for (u32 i = 0; i < r->nr_pieces; i++) {
		if (!r->pieces[i].page)
			b->maps[b->nr_maps++] = (struct gnttab_map_grant_ref){ .flags = flags, .ref = r->pieces[i].ref,
									       .dom = r->pieces[i].granter };
	}
}

/* What became of them: elements of the map from *at on. False: at least one is refused; those that are mapped have a handle. */
static bool take_mapped(struct virtio_blk *b, struct transfer *t, u32 *at)
{
	const struct block_request *r = t->request;
	bool all = true;

	for (u32 i = 0; i < r->nr_pieces; i++) {
		const struct gnttab_map_grant_ref *map = &b->maps[*at];

		if (r->pieces[i].page)
			continue;
		++*at;
		all = all && !map->status;
		t->pieces[i].handle = map->status ? NO_HANDLE : map->handle;
		t->pieces[i].address = map->dev_bus_addr + r->pieces[i].offset;
		b->device.mapped += !map->status;
	}
	return all;
}

static void run_unmaps(struct virtio_blk *b)
{
	if (b->nr_unmaps)
		gnttab_unmap_batch(b->unmaps, b->nr_unmaps);
	b->nr_unmaps = 0;
}

/* What is mapped of a transfer is so until the next run_unmaps(). */
static void unmap_granted(struct virtio_blk *b, struct transfer *t)
{
	const struct block_request *r = t->request;

	for (u32 i = 0; i < r->nr_pieces; i++) {
		struct transfer_piece *p = &t->pieces[i];

		if (p->handle == NO_HANDLE)
			continue;
		if (b->nr_unmaps == GRANT_BATCH)
			run_unmaps(b);
		b->unmaps[b->nr_unmaps++] = (struct gnttab_unmap_grant_ref){ .dev_bus_addr = p->address - r->pieces[i].offset,
									     .handle = p->handle };
		p->handle = NO_HANDLE;
	}
}

static bool copy_piece(const struct block_piece *p, void *bounce, bool from_guest)
{
	struct gnttab_copy_ptr theirs = { .u.ref = p->ref, .domid = p->granter, .offset = p->offset };
	struct gnttab_copy_ptr own = { .u.gmfn = pfn_to_mfn(virt_to_pfn(bounce)), .domid = DOMID_SELF, .offset = p->offset };
	struct gnttab_copy op = { .source = from_guest ? theirs : own, .dest = from_guest ? own : theirs, .len = p->length,
				  .flags = from_guest ? GNTCOPY_source_gref : GNTCOPY_dest_gref };

	return !gnttab_copy(&op, 1);
}

/* A read's grants are tried when it ends; a write's now. */
static int bounce_granted(struct virtio_blk *b, struct transfer *t)
{
	const struct block_request *r = t->request;

	t->bounced = true;
	for (u32 i = 0; i < r->nr_pieces; i++) {
		struct transfer_piece *p = &t->pieces[i];

		if (r->pieces[i].page)
			continue;
		b->device.bounced++;
		p->bounce = kmalloc(PAGE_SIZE);
		if (!p->bounce)
			return -EIO;
		if (r->op == BLOCK_WRITE && !copy_piece(&r->pieces[i], p->bounce, true))
			return -EFAULT;
		p->address = dma_address(p->bounce) + r->pieces[i].offset;
	}
	return 0;
}

static int finish_bounced(struct transfer *t, int err)
{
	const struct block_request *r = t->request;

	for (u32 i = 0; i < r->nr_pieces; i++) {
		void *bounce = t->pieces[i].bounce;

		if (!err && bounce && r->op == BLOCK_READ && !copy_piece(&r->pieces[i], bounce, false))
			err = -EFAULT;
		kfree(bounce);
	}
	return err;
}

/* Our own pages; granted ones have no address yet. */
static void reach_own(struct transfer *t)
{
	const struct block_request *r = t->request;

	for (u32 i = 0; i < r->nr_pieces; i++) {
		t->pieces[i].handle = NO_HANDLE;
		if (r->pieces[i].page)
			t->pieces[i].address = dma_address(r->pieces[i].page) + r->pieces[i].offset;
		else
			t->granted = true;
	}
}

/* --- to the device --- */

static u32 buffers_of(const struct block_request *r)
{
	return 2 + (r->op == BLOCK_DISCARD ? 1 : r->op == BLOCK_FLUSH ? 0 : r->nr_pieces);
}

/* Powers of two do not cross pages, and this is less than one. */
static struct transfer *transfer_new(struct block_request *r)
{
	u32 buffers = buffers_of(r);
	struct transfer *t = kmalloc(sizeof(*t) + buffers * sizeof(*t->table) + r->nr_pieces * sizeof(*t->pieces));

	if (!t)
		return NULL;
	t->request = r;
	t->pieces = (void *)&t->table[buffers];
	return t;
}

static void fill_table(struct transfer *t)
{
	const struct block_request *r = t->request;
	struct vring_desc *d = t->table;

	*d++ = (struct vring_desc){ .addr = dma_address(&t->header), .len = sizeof(t->header) };
	if (r->op == BLOCK_DISCARD)
		*d++ = (struct vring_desc){ .addr = dma_address(&t->range), .len = sizeof(t->range) };
	for (u32 i = 0; (r->op == BLOCK_READ || r->op == BLOCK_WRITE) && i < r->nr_pieces; i++)
		*d++ = (struct vring_desc){ .addr = t->pieces[i].address, .len = r->pieces[i].length,
					    .flags = r->op == BLOCK_READ ? VRING_DESC_WRITE : 0 };
	*d = (struct vring_desc){ .addr = dma_address(&t->status), .len = 1, .flags = VRING_DESC_WRITE };
}

/* There is room. A discard longer than the device takes goes on when this part of it is done. */
static void give(struct virtio_blk *b, struct transfer *t)
{
	static const u32 type[] = { [BLOCK_READ] = TYPE_IN, [BLOCK_WRITE] = TYPE_OUT, [BLOCK_FLUSH] = TYPE_FLUSH,
				    [BLOCK_DISCARD] = TYPE_DISCARD };
	const struct block_request *r = t->request;

	t->header.type = type[r->op];
	t->header.sector = r->op == BLOCK_READ || r->op == BLOCK_WRITE ? r->sector : 0;
	if (r->op == BLOCK_DISCARD) {
		t->range.sector = r->sector + t->discarded;
		t->range.sectors = MIN(r->sectors - t->discarded, b->max_discard);
		t->discarded += t->range.sectors;
	}
	t->status = STATUS_NONE;
	fill_table(t);
	vq_add(&b->queue.ring, t->table, dma_address(t->table), buffers_of(r), t);
}

/* Nothing of it is mapped any more. */
static void end(struct transfer *t)
{
	struct block_request *r = t->request;
	int err = t->bounced ? finish_bounced(t, t->err) : t->err;

	kfree(t);
	r->done(r, err);
}

/* The descriptors that a request takes of the ring. */
static u32 ring_needs(const struct virtio_blk *b, const struct block_request *r)
{
	return b->queue.ring.indirect ? 1 : buffers_of(r);
}

/*
 * Moves waiting requests, in order, to `chosen`, as many as the ring and one map of grants take. Without memory they wait for a
 * transfer that ends, if any is under way. A broken device takes none.
 */
static void choose(struct virtio_blk *b, struct list *chosen)
{
	u32 room = vq_room(&b->queue.ring, 1);

	b->nr_maps = 0;
	while (!list_empty(&b->waiting)) {
		struct block_request *r = list_entry(b->waiting.next, struct block_request, node);
		bool idle = list_empty(&b->transfers) && list_empty(chosen);
		struct transfer *t = NULL;

		if (!b->queue.ring.broken) {
			if (ring_needs(b, r) > room || b->nr_maps + r->nr_pieces > GRANT_BATCH)
				return;
			t = transfer_new(r);
			if (!t && !idle)
				return;
		}
		list_remove(&r->node);
		if (!t) {
			r->done(r, -EIO);
			continue;
		}
		room -= ring_needs(b, r);
		reach_own(t);
		if (t->granted && !b->copy_grants)
			want_mapped(b, t);
		list_insert_before(chosen, &t->node);
	}
}

/* Each chosen transfer to the device, or, when its grants cannot be reached, to its end. */
static void start_chosen(struct virtio_blk *b, struct list *chosen)
{
	u32 at = 0;

	while (!list_empty(chosen)) {
		struct transfer *t = list_entry(chosen->next, struct transfer, node);

		list_remove(&t->node);
		if (t->granted && (b->copy_grants || !take_mapped(b, t, &at))) {
			unmap_granted(b, t);
			t->err = bounce_granted(b, t);
		}
		if (t->err) {
			run_unmaps(b);
			end(t);
			continue;
		}
		list_insert_before(&b->transfers, &t->node);
		give(b, t);
	}
	run_unmaps(b);
}

static void start_waiting(struct virtio_blk *b)
{
	struct list chosen = LIST_INIT(chosen);

	for (;;) {
		choose(b, &chosen);
		if (list_empty(&chosen))
			break;
		if (b->nr_maps)
			gnttab_map_batch(b->maps, b->nr_maps);
		start_chosen(b, &chosen);
	}
	virtio_kick(&b->queue);
}

static void blk_submit(struct block_device *d, struct block_request *r)
{
	bool irq = irq_save();

	list_insert_before(&of(d)->waiting, &r->node);
	irq_restore(irq);
}

static void blk_kick(struct block_device *d)
{
	bool irq = irq_save();

	start_waiting(of(d));
	irq_restore(irq);
}

/* --- from the device --- */

static int error_of(u8 status)
{
	return status == STATUS_OK ? 0 : status == STATUS_UNSUPPORTED ? -EOPNOTSUPP : -EIO;
}

static void came_back(struct virtio_blk *b, struct transfer *t, struct list *ended)
{
	t->err = error_of(READ_ONCE(t->status));
	if (!t->err && t->request->op == BLOCK_DISCARD && t->discarded < t->request->sectors) {
		give(b, t);
		return;
	}
	list_remove(&t->node);
	unmap_granted(b, t);
	list_insert_before(ended, &t->node);
}

/* The memory of what a broken device has stays its own: it may still write there. */
static void give_up(struct virtio_blk *b)
{
	virtio_fail(&b->device);
	while (!list_empty(&b->transfers)) {
		struct transfer *t = list_entry(b->transfers.next, struct transfer, node);

		list_remove(&t->node);
		t->request->done(t->request, -EIO);
	}
}

static void blk_came(void *arg)
{
	struct virtio_blk *b = arg;
	struct list ended = LIST_INIT(ended);
	struct transfer *t;
	u32 written;

	do {
		vq_disable_interrupt(&b->queue.ring);
		while ((t = vq_get(&b->queue.ring, &written)))
			came_back(b, t, &ended);
	} while (!vq_enable_interrupt(&b->queue.ring, 1));
	run_unmaps(b);
	while (!list_empty(&ended)) {
		t = list_entry(ended.next, struct transfer, node);
		list_remove(&t->node);
		end(t);
	}
	if (b->queue.ring.broken)
		give_up(b);
	start_waiting(b);
}

/* --- finding it --- */

static const struct block_ops blk_ops = { .submit = blk_submit, .kick = blk_kick };

static bool has(const struct virtio_blk *b, u32 feature)
{
	return b->device.features & VIRTIO_F(feature);
}

static bool sane_sector(u32 size)
{
	return size >= SECTOR_SIZE && size <= PAGE_SIZE && !(size & (size - 1));
}

static bool read_config(struct virtio_blk *b)
{
	struct virtio_device *v = &b->device;
	struct block_device *d = &b->block;
	u32 exponent = has(b, FEATURE_TOPOLOGY) ? virtio_config(v, CONFIG_PHYSICAL_EXPONENT, 1) : 0;
	u32 most = has(b, FEATURE_SEG_MAX) ? virtio_config(v, CONFIG_SEG_MAX, 4) : 1;

	*d = (struct block_device){ .sectors = virtio_config64(v, CONFIG_CAPACITY), .sector_size = SECTOR_SIZE, .ops = &blk_ops,
				    .data = b };
	if (has(b, FEATURE_BLK_SIZE))
		d->sector_size = virtio_config(v, CONFIG_BLK_SIZE, 4);
	d->physical_size = d->sector_size << MIN(exponent, 8u);
	d->readonly = has(b, FEATURE_RO);
	d->can_flush = has(b, FEATURE_FLUSH);
	b->max_discard = has(b, FEATURE_DISCARD) ? virtio_config(v, CONFIG_MAX_DISCARD, 4) : 0;
	d->can_discard = b->max_discard && !d->readonly;
	d->max_pieces = MAX(MIN(most, MAX_PIECES), 1u);
	return sane_sector(d->sector_size) && d->sectors < ~0ul >> SECTOR_SHIFT &&
	       (!has(b, FEATURE_SIZE_MAX) || virtio_config(v, CONFIG_SIZE_MAX, 4) >= PAGE_SIZE);
}

/* A chain that is no indirect table has to fit into the ring. */
static bool start(struct virtio_blk *b)
{
	u64 wanted = VIRTIO_F(FEATURE_SIZE_MAX) | VIRTIO_F(FEATURE_SEG_MAX) | VIRTIO_F(FEATURE_RO) | VIRTIO_F(FEATURE_BLK_SIZE) |
		     VIRTIO_F(FEATURE_FLUSH) | VIRTIO_F(FEATURE_TOPOLOGY) | VIRTIO_F(FEATURE_DISCARD);

	if (!virtio_agree(&b->device, wanted))
		return false;
	if (!read_config(b)) {
		printf("virtio-blk: sectors of %u bytes or its limits are not supported\n", b->block.sector_size);
		return false;
	}
	b->queue.came = blk_came;
	b->queue.arg = b;
	if (!virtio_start_queues(&b->device, &b->queue, 1))
		return false;
	if (!b->queue.ring.indirect)
		b->block.max_pieces = MIN(b->block.max_pieces, b->queue.ring.size - 2u);
	virtio_ready(&b->device);
	return true;
}

void virtio_blk_probe(struct pci_device *pci)
{
	static char letter = 'a';
	struct virtio_blk *b = letter > 'z' ? NULL : kmalloc(sizeof(*b));
	char word[16];

	if (!b) {
		printf("virtio-blk: no memory or name for one more\n");
		return;
	}
	b->copy_grants = cmdline_get(boot.cmdline, "grants", word, sizeof(word)) && !strcmp(word, "copy");
	list_init(&b->waiting);
	list_init(&b->transfers);
	if (!virtio_open(&b->device, pci) || !start(b)) {
		virtio_fail(&b->device);
		return;
	}
	pci->driver = "virtio-blk";
	snprintf(b->block.name, sizeof(b->block.name), "vd%c", letter++);
	block_register(&b->block);
	vq_enable_interrupt(&b->queue.ring, 1);
	printf("%s: %lu sectors%s, %s\n", b->block.name, b->block.sectors, b->block.readonly ? ", read-only" : "", pci->interrupts);
	partitions_scan(&b->block);
}
