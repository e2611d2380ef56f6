/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The output names of attributes: OpenTelemetry semantic conventions where they have one, `tlslens.`
 * where they do not. No name is a dotted prefix of another.
 */
#ifndef TLSLENS_CORE_ATTR_NAMES_H
#define TLSLENS_CORE_ATTR_NAMES_H

#define A_HTTP_METHOD "http.request.method"
#define A_HTTP_STATUS "http.response.status_code"
#define A_HTTP_REQUEST_BODY_SIZE "http.request.body.size"
#define A_HTTP_RESPONSE_BODY_SIZE "http.response.body.size"
#define A_HTTP_REQUEST_BODY_CONTENT "http.request.body.content"
#define A_HTTP_RESPONSE_BODY_CONTENT "http.response.body.content"
#define A_HTTP_REQUEST_HEADER_PREFIX "http.request.header."
#define A_HTTP_RESPONSE_HEADER_PREFIX "http.response.header."
#define A_URL_FULL "url.full"
#define A_URL_SCHEME "url.scheme"
#define A_URL_PATH "url.path"
#define A_URL_QUERY "url.query"
#define A_ERROR_TYPE "error.type"

#define A_RPC_SYSTEM "rpc.system.name"
#define A_RPC_METHOD "rpc.method"
#define A_RPC_STATUS "rpc.response.status_code"
#define A_RPC_MESSAGE_TYPE "rpc.message.type" /* SENT or RECEIVED */
#define A_RPC_MESSAGE_ID "rpc.message.id"     /* 1, 2, ... in its direction of the call */
#define A_RPC_MESSAGE_COMPRESSED "rpc.message.compressed_size"
#define A_RPC_MESSAGE_UNCOMPRESSED "rpc.message.uncompressed_size"

#define A_PROCESS_EXIT_CODE "process.exit.code"
#define A_PROCESS_EXIT_SIGNAL "tlslens.process.exit_signal" /* its name, when one ended it */

#define A_DNS_QUESTION_NAME "dns.question.name"
#define A_DNS_QUESTION_TYPE "dns.question.type"
#define A_DNS_RESPONSE_CODE "dns.response_code"
#define A_DNS_ID "dns.id"
#define A_DNS_ANSWERS "dns.answers"
#define A_DNS_RESOLVED_IP "dns.resolved_ip"

/* what the messages came by: "udp", "tcp", "dot" (DNS over TLS), "doh" (over HTTPS) */
#define A_DNS_TRANSPORT "tlslens.dns.transport"
/* the records behind the answers, as "example.com. 60 NS ns.example.com." */
#define A_DNS_AUTHORITY "tlslens.dns.authority"
#define A_DNS_ADDITIONAL "tlslens.dns.additional"
/* of the response's head: "aa", "tc" (truncated), "rd", "ra", "ad", "cd" */
#define A_DNS_FLAGS "tlslens.dns.flags"
/* the OPT records, e.g. "version 0, udp 1232, do, client-subnet 192.0.2.0/24/0" */
#define A_DNS_REQUEST_EDNS "tlslens.dns.request.edns"
#define A_DNS_RESPONSE_EDNS "tlslens.dns.response.edns"
/* how often the query was sent again before its answer */
#define A_DNS_RETRANSMISSIONS "tlslens.dns.retransmissions"

/* every header, order and duplicates kept (ATTR_HEADERS); trailers are marked in the elements */
#define A_REQUEST_HEADERS "tlslens.request.headers"
#define A_RESPONSE_HEADERS "tlslens.response.headers"
/* kept body bytes as on the wire, before select/ decodes them (ATTR_BYTES) */
#define A_REQUEST_BODY_BASE64 "tlslens.request.body.base64"
#define A_RESPONSE_BODY_BASE64 "tlslens.response.body.base64"
/* the codings that are still on those bytes, when they could not be undone */
#define A_REQUEST_BODY_CODING "tlslens.request.body.coding"
#define A_RESPONSE_BODY_CODING "tlslens.response.body.coding"
/* of a body that comes while its exchange goes on: where these bytes stand in it, how many they are */
#define A_CHUNK_OFFSET "tlslens.chunk.offset"
#define A_CHUNK_SIZE "tlslens.chunk.size"
/* interim 1xx status codes seen before the final one, e.g. ["100"] */
#define A_INTERIM "tlslens.interim_status_codes"
/* what made the bytes ambiguous, e.g. ["content-length+transfer-encoding"] */
#define A_AMBIGUITY "tlslens.ambiguity"
#define A_GRPC_MESSAGE "tlslens.grpc.message"
#define A_GRPC_TIMEOUT_NS "tlslens.grpc.timeout_ns"
#define A_GRPC_REQUEST_ENCODING "tlslens.grpc.request.encoding"
#define A_GRPC_RESPONSE_ENCODING "tlslens.grpc.response.encoding"
/* the messages of the kept body as JSON (ATTR_JSON), see select/protobuf_json.h */
#define A_GRPC_REQUEST_CONTENT "tlslens.grpc.request.content"
#define A_GRPC_RESPONSE_CONTENT "tlslens.grpc.response.content"
#define A_GRPC_REQUEST_MESSAGES "tlslens.grpc.request.messages"
#define A_GRPC_RESPONSE_MESSAGES "tlslens.grpc.response.messages"
#define A_WS_OPCODE "tlslens.websocket.opcode"
#define A_WS_CLOSE_CODE "tlslens.websocket.close_code"
#define A_WS_SIZE "tlslens.websocket.size"
#define A_WS_CLOSE_REASON "tlslens.websocket.close_reason"
#define A_WS_COMPRESSED_SIZE "tlslens.websocket.compressed_size"
#define A_WS_CONTENT "tlslens.websocket.content"	       /* of text */
#define A_WS_CONTENT_BASE64 "tlslens.websocket.content_base64" /* of anything else (ATTR_BYTES) */

#endif
