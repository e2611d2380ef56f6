/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of Protocol Buffers with and without a type, in gRPC frames, and descriptors. The first octet
 * says which: an even one takes the rest for a message, an odd one for descriptors.
 */
#include <stdlib.h>

#include "parsers/protobuf_types.h"
#include "select/rpc_body.h"

#define LIMIT_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool what)
{
	if (!what)
		abort();
}

/* A message with a field of each kind, the message itself among them, and a map. */
static const struct pb_type *some_type(void)
{
	static struct pb_member members[PB_KINDS + 2];
	static struct pb_member entry[] = {{1, PB_STRING, false, -1, {"key", 3}, NULL, NULL},
					   {2, PB_INT32, false, -1, {"value", 5}, NULL, NULL}};
	static struct pb_type map = {{"Map", 3}, true, entry, 2, 0};
	static struct pb_type type = {{"Kinds", 5}, false, members, 0, 1};

	if (type.count)
		return &type;
	for (uint32_t kind = PB_DOUBLE; kind < PB_KINDS; kind++)
		members[type.count++] = (struct pb_member){
			.number = kind,
			.kind = (enum pb_kind)kind,
			.repeated = kind % 3 == 0,
			.oneof = kind % 4 ? -1 : 0,
			.name = STR("field"),
			.message = kind == PB_MESSAGE ? &type : NULL,
		};
	members[type.count++] = (struct pb_member){.number = PB_KINDS,
						   .kind = PB_MESSAGE,
						   .repeated = true,
						   .oneof = -1,
						   .name = STR("map"),
						   .message = &map};
	return &type;
}

static void decode(struct str s, const struct pb_type *type)
{
	struct rpc_body body = {
		.framed = s, .encoding = STR("gzip"), .type = type, .limit = LIMIT_BYTES};
	uint32_t fields = PB_FIELDS_MAX;
	struct buf out = {.limit = 1 << 20};

	pb_json(&out, type, s, &fields);
	must(fields <= PB_FIELDS_MAX);
	must(!buf_ok(&out) ||
	     (out.n >= 2 && strchr("[{", out.p[0]) && strchr("]}", out.p[out.n - 1])));
	buf_clear(&out);
	rpc_body_json(&out, &body);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct pb_types *types;
	struct str rest = {n ? (const char *)p + 1 : "", n ? n - 1 : 0};

	if (n && p[0] & 1) {
		if (pb_types_load(&types, p + 1, n - 1) == 0) {
			decode(rest, pb_type_find(types, STR("google.protobuf.FileDescriptorSet")));
			pb_method_find(types, STR("/a.B/c"));
			pb_types_free(types);
		}
		return 0;
	}
	decode(rest, NULL);
	decode(rest, some_type());
	return 0;
}
