/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records about sockets; a part of bpf/event.h, which includes it. */
#ifndef TLSLENS_BPF_EVENT_SOCK_H
#define TLSLENS_BPF_EVENT_SOCK_H

/*
 * EV_DATA_PEER, of a datagram on a socket that is connected to nobody: the other end of this one. It stands in
 * ev_data.buf before the payload; `got` and `want` do not count it.
 */
struct ev_peer {
	__u16 family; /* AF_INET, AF_INET6 */
	__u16 port;   /* host order */
	__u32 pad;
	__u8 addr[16]; /* network order, IPv4 in the first four octets */
};

/* Where the payload begins; `got` octets of it are there. */
static inline const __u8 *ev_payload(const struct ev_data *d)
{
	return d->buf + (d->hdr.flags & EV_DATA_PEER ? sizeof(struct ev_peer) : 0);
}

/* ev_hdr.flags of EV_SOCK */
enum ev_sock_flag {
	/* A call on it began with the header of a TLS record. Without that it is no context's: a callback, or a log,
	 * may be all that used it. */
	EV_SOCK_TLS = 1 << 0,
};

/*
 * A socket at first sight, and again when TLS begins on it: conn is 0. Or the proof that it is a context's, made when the call that used it
 * returned: then family is 0, everything but conn, gen and sock was told before. A recording may have both in
 * one. Addresses in network order, IPv4 in the first four octets; ports in host order.
 */
struct ev_sock {
	struct ev_hdr hdr;
	__u64 conn, gen; /* the context it belongs to; 0: a socket for itself */
	__u64 sock;	/* unique in a run while the socket lives: never the reused address alone */
	__u32 netns;	/* inode number */
	__s32 fd;	/* -1 when not known */
	__u16 family;	/* AF_INET, AF_INET6, AF_UNIX */
	__u16 type;	/* SOCK_STREAM, SOCK_DGRAM */
	__u16 protocol; /* IPPROTO_TCP ... */
	__u16 lport, rport;
	__u8 accepted; /* 1: accepted, 2: connected, 0: not known */
	__u8 pad;
	__u32 pad2;
	__u8 laddr[16], raddr[16];
};

struct ev_sock_close {
	struct ev_hdr hdr;
	__u64 sock;
};

/*
 * Ciphertext on its way from a context to wherever the program sends it (a memory BIO). It begins a record of
 * application data (RFC 8446 section 5.1): no other context of any connection makes the same bytes.
 */
struct ev_cipher {
	struct ev_hdr hdr;
	__u64 conn, gen;
	__u8 bytes[EV_CIPHER_BYTES];
};

/* ev_hdr.flags of EV_SOCK_IO */
enum ev_sock_io_flag {
	/* Bytes [off, off + got) of this direction of a stream socket that speaks TLS, within the first
	 * EV_HELLO_BYTES of it since it was opened: the hellos are in there. */
	EV_SOCK_IO_HELLO = 1 << 0,
};

/*
 * Without EV_SOCK_IO_HELLO: one send on a socket, below or beside TLS, that begins with a record of application
 * data.
 */
struct ev_sock_io {
	struct ev_hdr hdr;
	__u64 sock, off; /* off: 0 without EV_SOCK_IO_HELLO, positions are not counted */
	__u32 want, got;
	__u8 dir;
	__u8 pad[7];
	__u8 buf[];
};

#endif
