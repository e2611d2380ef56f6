/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tlslens is compared with: programs that do nothing, which is what any tool pays at least, and a sniffer
 * of the usual make: an entry and a return probe, a hash map between them, records of one size through a
 * perf buffer that wakes its reader for each.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "bench/baseline.h"
#include "bpf/kernel_types.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64);
	__type(value, __u64);
} buffers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sniffed);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} events SEC(".maps");

SEC("uprobe")
int empty(struct pt_regs *regs)
{
	return 0;
}

SEC("uprobe")
int sniff_entry(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid(), buf = REGS_ARG2(regs);

	bpf_map_update_elem(&buffers, &id, &buf, BPF_ANY);
	return 0;
}

SEC("uretprobe")
int sniff_return(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 *buf = bpf_map_lookup_elem(&buffers, &id);
	__s32 n = REGS_RET(regs);
	__u32 zero = 0;
	struct sniffed *s = bpf_map_lookup_elem(&scratch, &zero);

	if (!buf || !s)
		return 0;
	bpf_map_delete_elem(&buffers, &id);
	if (n <= 0)
		return 0;
	s->id = id;
	s->ts_ns = bpf_ktime_get_ns();
	s->n = n;
	s->got = n < SNIFF_MAX_BYTES ? n : SNIFF_MAX_BYTES - 1;
	bpf_get_current_comm(s->comm, sizeof(s->comm));
	if (bpf_probe_read_user(s->buf, s->got & (SNIFF_MAX_BYTES - 1), (const void *)*buf))
		return 0;
	bpf_perf_event_output(regs, &events, BPF_F_CURRENT_CPU, s, sizeof(*s));
	return 0;
}
