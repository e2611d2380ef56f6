/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of bpf/state.h, which includes it, that is about sockets and the calls on them. */
#ifndef TLSLENS_BPF_STATE_SOCK_H
#define TLSLENS_BPF_STATE_SOCK_H

enum sock_kind {
	SOCK_NEW = 0,	/* nothing moved on it yet that would say */
	SOCK_PLAIN = 1, /* a stream that does not begin with a TLS record */
	SOCK_UDP = 2,
	SOCK_TLS = 3,	 /* of its bytes only the hellos are of use */
	SOCK_NOBODY = 4, /* the kernel's own, or of a family that nobody parses */
};

enum sock_judgement {
	JUDGED_NOT = 0,
	JUDGED_WANTED = 1, /* its ends fit: bpf/ends.h */
	JUDGED_UNWANTED = 2,
};

/* Why a socket is in the table of refusals. */
enum refusal {
	REFUSED_PLAIN = 1, /* its own bytes are, not those of TLS that goes over it */
	REFUSED_ALL = 2,
};

/* Key: address of the struct sock. */
struct sock_state {
	struct positions at; /* of its bytes; of those of TLS as long as the hellos may come */
	__u64 sock;	     /* unique in a run */
	__u64 ino; /* of the sockfs inode: tells reuses of an address apart where no close is seen */
	__u64 start_ns;
	__u64 refusals_seen; /* the table of refusals was looked at when there were that many */
	__u32 tgid;	     /* who was told; it lives, or did when the socket was last used */
	__u16 rport;	     /* of a datagram socket, as announced */
	__u8 kind;	     /* enum sock_kind */
	__u8 announced;
	__u8 opened;	    /* as in struct ev_sock.accepted */
	__u8 begun[2];	    /* by enum dir: bytes moved */
	__u8 from_start[2]; /* and they are counted from the socket's first one */
	__u8 hello_over[2];
	__u8 tcp;     /* its end will be seen, so that until then the address is this socket's */
	__u8 refused; /* nobody wants its own bytes: they are of TLS, or of no protocol known */
	__u8 judged;  /* enum sock_judgement: of all that goes over it, TLS or not */
	__u8 pad[6];
};

#define VECTOR_UNKNOWN 0xffffffffu

/* Key: pid_tgid. A sendmmsg or recvmmsg, which moves one message of a vector after the other. */
struct vector_call {
	__u64 sp, vector; /* with fd, number and length: tells calls apart */
	__u32 fd, syscall;
	__u32 length;
	__u32 next; /* message, or VECTOR_UNKNOWN */
};

/* Where bytes of a process are: bpf/segments.h. */
enum segments_end {
	SEGMENTS_GO_ON = 0,
	SEGMENTS_OVER = 1,	 /* there are no more */
	SEGMENTS_UNREADABLE = 2, /* these bytes, or where the next ones are */
};

struct segments {
	__u64 base, len; /* what is left of the current one */
	__u64 iov;	 /* struct iovec of the next one */
	__u32 left;	 /* how many there are from that on */
	__u8 in_kernel;	 /* the array of struct iovec is; the bytes never are */
	__u8 end;	 /* enum segments_end */
	__u16 pad;
};

/* Key: pid_tgid. A function of a socket between its entry and its return, as kprobes see it. */
struct kernel_call {
	__u64 sk, msg;
	struct segments at;
	__u32 flags;
	__u8 dir, nocopy;
	__u16 pad;
};

/* Key: pid_tgid. Whom the datagram came from that the thread is about to get. */
struct sender {
	__u64 sk;
	struct ev_peer peer;
};

#endif
