/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What messages are made of, from a file of descriptors as `protoc --descriptor_set_out` writes it
 * (google/protobuf/descriptor.proto): names, kinds of fields, enums, and which types a method takes.
 */
#ifndef TLSLENS_PARSERS_PROTOBUF_TYPES_H
#define TLSLENS_PARSERS_PROTOBUF_TYPES_H

#include "core/slice.h"
#include "parsers/protobuf.h"

#define PB_DESCRIPTOR_BYTES_MAX ((size_t)64 << 20)

/* The values are those of FieldDescriptorProto.Type. */
enum pb_kind {
	PB_DOUBLE = 1,
	PB_FLOAT,
	PB_INT64,
	PB_UINT64,
	PB_INT32,
	PB_FIXED64,
	PB_FIXED32,
	PB_BOOL,
	PB_STRING,
	PB_OF_GROUP,
	PB_MESSAGE,
	PB_BYTES,
	PB_UINT32,
	PB_ENUM,
	PB_SFIXED32,
	PB_SFIXED64,
	PB_SINT32,
	PB_SINT64,
	PB_KINDS,
};

struct pb_type;
struct pb_enum;

/* A field of a message type. Everything lives as long as the types do. */
struct pb_member {
	uint32_t number;
	enum pb_kind kind;
	bool repeated;
	int32_t oneof;	 /* -1: in none */
	struct str name; /* as in the .proto file; of an extension "[pkg.name]" */
	const struct pb_type
		*message;	      /* of PB_MESSAGE and PB_OF_GROUP; NULL: its file is missing */
	const struct pb_enum *values; /* of PB_ENUM */
};

struct pb_type {
	struct str name;	   /* "pkg.Message" */
	bool map_entry;		   /* of a map field: 1 is the key, 2 the value */
	struct pb_member *members; /* by number */
	uint32_t count;
	uint32_t oneofs;
};

struct pb_method {
	const struct pb_type *input, *output; /* NULL: not in the file */
};

struct pb_types;

/* Owned by the caller of it. -EBADMSG when these are no descriptors, -ENOMEM. The bytes are not kept. */
int pb_types_load(struct pb_types **types, const uint8_t *p, size_t n);
void pb_types_free(struct pb_types *types);

/* By "pkg.Service/Method", with a slash before it or not. Both NULL when it is not known. */
struct pb_method pb_method_find(const struct pb_types *types, struct str path);
/* By "pkg.Message". */
const struct pb_type *pb_type_find(const struct pb_types *types, struct str name);
const struct pb_member *pb_member_find(const struct pb_type *t, uint32_t number);
/* {NULL, 0}: the number has no name. */
struct str pb_enum_name(const struct pb_enum *e, int32_t number);

/* How a kind stands on the wire when it is not packed. */
enum pb_wire pb_kind_wire(enum pb_kind kind);

#endif
