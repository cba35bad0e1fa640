// SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only
//
// Forwards the RTP of settled streams, and tells the relay of each packet.
//
// Hooked where packets come in (TC ingress). A packet of a stream in `flows` leaves with other addresses, and with other
// numbers if the stream is shifted; a record of it goes into `passed`, from which the relay brings its own state up to
// date. Every other packet goes on to its socket as if this program weren't there: whatever it does not expect is the
// relay's to judge.
//
// Structures are in step with src/wire.rs.

#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline))

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static u64 (*now)(void) = (void *)BPF_FUNC_ktime_get_ns;
static long (*load_bytes)(const void *skb, u32 at, void *to, u32 length) = (void *)BPF_FUNC_skb_load_bytes;
static long (*pull)(struct __sk_buff *skb, u32 length) = (void *)BPF_FUNC_skb_pull_data;
static long (*csum_diff)(void *from, u32 from_size, void *to, u32 to_size, u32 seed) = (void *)BPF_FUNC_csum_diff;
static long (*l4_replace)(struct __sk_buff *skb, u32 at, u64 from, u64 to, u64 flags) = (void *)BPF_FUNC_l4_csum_replace;
static long (*change_proto)(struct __sk_buff *skb, u16 proto, u64 flags) = (void *)BPF_FUNC_skb_change_proto;
static long (*store_bytes)(struct __sk_buff *skb, u32 at, const void *from, u32 length, u64 flags) = (void *)BPF_FUNC_skb_store_bytes;
static long (*redirect_neigh)(u32 ifindex, void *next_hop, int size, u64 flags) = (void *)BPF_FUNC_redirect_neigh;
static void *(*reserve)(void *ring, u64 size, u64 flags) = (void *)BPF_FUNC_ringbuf_reserve;
static void (*submit)(void *record, u64 flags) = (void *)BPF_FUNC_ringbuf_submit;

// On to the next program, and to the socket in the end: TCX_NEXT, and "unspecified" for clsact.
#define UP (-1)
// Gone: TCX_DROP.
#define DROP 2

#define ETHERNET 14
#define UDP 17
#define UDP_HEADER 8
#define RTP_HEADER 12
#define IPV4 __builtin_bswap16(0x0800)
#define IPV6 __builtin_bswap16(0x86dd)
#define IPV4_HEADER 20
#define IPV6_HEADER 40

// Most flows: two for each of 32,768 streams.
#define MOST_FLOWS 65536
// Largest packet, and largest of those that take little room: 30 ms of G.711.
#define LARGE 1472
#define SMALL 256

// Largest that goes from IPv4 to IPv6, whose header takes more of a frame.
#define WIDENED (LARGE - (IPV6_HEADER - IPV4_HEADER))

// A flow's share of the ring, in each slice of time: what floods goes up to its socket, where it has a share too. 128
// packets in an eighth of a second are twenty times what a phone sends; without copies it may be a picture.
#define SLICE 27 // 2^27 ns
#define SHARE 128
#define SHARE_UNCOPIED 4096

#define COPIED 1u
#define SHIFTED 2u
// It leaves in the other address family.
#define CROSSED 4u

// A stream's direction by its addresses; IPv4 as ::ffff:a.b.c.d. Ports in network order.
struct key {
    u8 local[16];
    u8 source[16];
    u16 local_port;
    u16 source_port;
};

struct flow {
    u8 from[16];
    u8 to[16];
    u16 from_port;
    u16 to_port;
    u32 number;     // of the flow, and of its place in `counts`
    u32 generation; // tells it from an earlier flow of that number
    u32 interface;  // where it leaves; 0: to a socket of this machine
    u32 came;       // where it comes in
    u32 flags;
    u32 ssrc;       // network order: the one that may pass
    u32 new_ssrc;   // network order; this and the next two if shifted
    u32 timestamp;  // to add
    u16 sequence;   // to add
    u8 tos;
    u8 rest;
    u32 up[4];      // payload types that go up to the socket, a bit each
};

struct count {
    u64 packets;
    u64 octets;
    u64 untold; // no record of these: the ring was full
    u64 last;   // ns, CLOCK_MONOTONIC
    u64 slice;  // number of the slice of time, and how many passed in it
    u64 share;
};

struct head {
    u64 at; // ns, CLOCK_MONOTONIC
    u32 number;
    u32 generation;
    u16 length; // of the RTP packet
    u16 copied; // bytes of it that follow
    u32 rest;
};

struct header_record {
    struct head head;
    u8 packet[16];
};

struct small_record {
    struct head head;
    u8 packet[SMALL];
};

struct large_record {
    struct head head;
    u8 packet[LARGE];
};

// Sizes and kinds as BTF tells them to the loader.
struct {
    int (*type)[BPF_MAP_TYPE_HASH];
    int (*max_entries)[MOST_FLOWS];
    struct key *key;
    struct flow *value;
    int (*map_flags)[BPF_F_NO_PREALLOC];
} flows SEC(".maps");

struct {
    int (*type)[BPF_MAP_TYPE_ARRAY];
    int (*max_entries)[MOST_FLOWS];
    u32 *key;
    struct count *value;
} counts SEC(".maps");

struct {
    int (*type)[BPF_MAP_TYPE_RINGBUF];
    int (*max_entries)[8 * 1024 * 1024];
} passed SEC(".maps");

struct packet {
    u32 udp;    // offset of the UDP header
    u32 length; // of the RTP packet
    u32 v6;
};

INLINE u16 fold(u64 sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~(u16)sum;
}

INLINE void mapped(u8 *to, const u8 *ipv4) {
    u32 *word = (u32 *)to;
    word[0] = 0;
    word[1] = 0;
    word[2] = __builtin_bswap32(0xffff);
    word[3] = *(const u32 *)ipv4;
}

INLINE void copy16(u8 *to, const u8 *from) {
    u32 *out = (u32 *)to;
    const u32 *in = (const u32 *)from;
    out[0] = in[0];
    out[1] = in[1];
    out[2] = in[2];
    out[3] = in[3];
}

// Tells the relay. Nothing waits for a ring that is full: the packet is counted as untold, and goes on.
INLINE void tell(struct __sk_buff *skb, const struct flow *flow, struct count *count, const struct packet *packet, u64 when) {
    u32 length = packet->length;
    u32 at = packet->udp + UDP_HEADER;
    struct head head = {
        .at = when, .number = flow->number, .generation = flow->generation, .length = length, .copied = length,
    };
    count->last = head.at;
    if (!(flow->flags & COPIED)) {
        struct header_record *record = reserve(&passed, sizeof(*record), 0);
        if (!record)
            goto untold;
        head.copied = RTP_HEADER;
        record->head = head;
        // The caller has seen that there are as many.
        load_bytes(skb, at, record->packet, RTP_HEADER);
        submit(record, BPF_RB_NO_WAKEUP);
        return;
    }
    if (length <= SMALL) {
        struct small_record *record = reserve(&passed, sizeof(*record), 0);
        if (!record)
            goto untold;
        record->head = head;
        if (length >= RTP_HEADER && length <= SMALL)
            load_bytes(skb, at, record->packet, length);
        submit(record, BPF_RB_NO_WAKEUP);
        return;
    }
    struct large_record *record = reserve(&passed, sizeof(*record), 0);
    if (!record)
        goto untold;
    record->head = head;
    if (length >= RTP_HEADER && length <= LARGE)
        load_bytes(skb, at, record->packet, length);
    submit(record, BPF_RB_NO_WAKEUP);
    return;
untold:
    __sync_fetch_and_add(&count->untold, 1);
}

// Finds UDP with at least an RTP header in it. The kernel has checked nothing yet at this point.
INLINE int parse(struct __sk_buff *skb, struct key *key, struct packet *packet) {
    u8 *data = (u8 *)(long)skb->data;
    u8 *end = (u8 *)(long)skb->data_end;
    if (data + ETHERNET + IPV4_HEADER > end)
        return 0;
    u16 kind = *(u16 *)(data + 12);
    u32 whole;
    u8 *udp;
    if (kind == IPV4) {
        u8 *ip = data + ETHERNET;
        // No options, no fragment.
        if (ip[0] != 0x45 || ip[9] != UDP || (*(u16 *)(ip + 6) & __builtin_bswap16(0x3fff)))
            return 0;
        whole = __builtin_bswap16(*(u16 *)(ip + 2));
        if (whole < IPV4_HEADER + UDP_HEADER + RTP_HEADER)
            return 0;
        whole -= IPV4_HEADER;
        mapped(key->source, ip + 12);
        mapped(key->local, ip + 16);
        packet->udp = ETHERNET + IPV4_HEADER;
        packet->v6 = 0;
        udp = ip + IPV4_HEADER;
    } else if (kind == IPV6) {
        u8 *ip = data + ETHERNET;
        if (ip + IPV6_HEADER > end || (ip[0] >> 4) != 6 || ip[6] != UDP)
            return 0;
        whole = __builtin_bswap16(*(u16 *)(ip + 4));
        copy16(key->source, ip + 8);
        copy16(key->local, ip + 24);
        // What is written like an IPv4 address is none here (the kernel drops it, RFC 4291 2.5.5.2), but would be in `flows`.
        const u32 *source = (const u32 *)key->source;
        if (!source[0] && !source[1] && source[2] == __builtin_bswap32(0xffff))
            return 0;
        packet->udp = ETHERNET + IPV6_HEADER;
        packet->v6 = 1;
        udp = ip + IPV6_HEADER;
    } else {
        return 0;
    }
    if (udp + UDP_HEADER + RTP_HEADER > end)
        return 0;
    // Over IPv6 no packet goes without a checksum (RFC 8200 8.1).
    if (packet->v6 && !*(u16 *)(udp + 6))
        return 0;
    u32 length = __builtin_bswap16(*(u16 *)(udp + 4));
    if (length != whole || length < UDP_HEADER + RTP_HEADER || length > UDP_HEADER + LARGE)
        return 0;
    if (packet->udp + length > skb->len)
        return 0;
    key->source_port = *(u16 *)udp;
    key->local_port = *(u16 *)(udp + 2);
    packet->length = length - UDP_HEADER;
    return 1;
}

// Gives a packet the header of the other family. Addresses as IPv4 and as ::ffff:a.b.c.d have the same sum, so that the
// checksum of what is inside is right already.
INLINE int cross(struct __sk_buff *skb, const struct flow *flow, u32 length, const u32 v6) {
    u32 header[10];
    u16 proto = v6 ? IPV4 : IPV6;
    if (change_proto(skb, proto, 0))
        return 1;
    length += UDP_HEADER;
    if (v6) {
        header[0] = __builtin_bswap32(0x45000000 | ((u32)flow->tos << 16) | (IPV4_HEADER + length));
        // Not to be taken apart, and so without a number (RFC 6864 4.1).
        header[1] = __builtin_bswap32(0x00004000);
        header[2] = __builtin_bswap32((64 << 24) | (UDP << 16));
        header[3] = *(const u32 *)(flow->from + 12);
        header[4] = *(const u32 *)(flow->to + 12);
        header[2] |= (u32)fold(csum_diff(0, 0, header, IPV4_HEADER, 0)) << 16;
        if (store_bytes(skb, ETHERNET, header, IPV4_HEADER, 0))
            return 1;
    } else {
        header[0] = __builtin_bswap32(0x60000000 | ((u32)flow->tos << 20));
        header[1] = __builtin_bswap32((length << 16) | (UDP << 8) | 64);
        copy16((u8 *)(header + 2), flow->from);
        copy16((u8 *)(header + 6), flow->to);
        if (store_bytes(skb, ETHERNET, header, IPV6_HEADER, 0))
            return 1;
    }
    return store_bytes(skb, ETHERNET - 2, &proto, sizeof(proto), 0) != 0;
}

// What is at fixed places in one family. Without CAP_PERFMON the verifier takes no offset that depends on the packet.
INLINE int pass(struct __sk_buff *skb, const struct key *key, struct flow *flow, const struct packet *packet, const u32 v6) {
    const u32 udp_at = v6 ? ETHERNET + IPV6_HEADER : ETHERNET + IPV4_HEADER;
    u8 *data = (u8 *)(long)skb->data;
    u8 *end = (u8 *)(long)skb->data_end;
    u8 *udp = data + udp_at;
    if (udp + UDP_HEADER + RTP_HEADER > end)
        return UP;
    u8 *rtp = udp + UDP_HEADER;
    // A plain header, of which the relay can tell all from twelve bytes.
    if (rtp[0] != 0x80)
        return UP;
    u32 type = rtp[1] & 0x7f;
    if (flow->up[(type >> 5) & 3] & (1u << (type & 31)))
        return UP;
    if (*(u32 *)(rtp + 8) != flow->ssrc)
        return UP;
    struct count *count = lookup(&counts, &flow->number);
    if (!count)
        return UP;
    u32 crossed = flow->flags & CROSSED;
    // A datagram without a checksum can't become one over IPv6, and one that fills a frame does not fit any more.
    if (!v6 && crossed && (!*(u16 *)(udp + 6) || packet->length > WIDENED))
        return UP;

    u64 at = now();
    if (count->slice != at >> SLICE) {
        count->slice = at >> SLICE;
        count->share = 0;
    }
    if (__sync_fetch_and_add(&count->share, 1) >= (flow->flags & COPIED ? SHARE : SHARE_UNCOPIED))
        return UP;

    tell(skb, flow, count, packet, at);
    __sync_fetch_and_add(&count->packets, 1);
    __sync_fetch_and_add(&count->octets, packet->length);

    // Everything that the checksum covers, before and after: addresses; ports and numbers.
    u32 addresses[16];
    u32 numbers[8];
    data = (u8 *)(long)skb->data;
    end = (u8 *)(long)skb->data_end;
    udp = data + udp_at;
    if (udp + UDP_HEADER + RTP_HEADER > end)
        return UP;
    rtp = udp + UDP_HEADER;
    copy16((u8 *)addresses, key->source);
    copy16((u8 *)(addresses + 4), key->local);
    copy16((u8 *)(addresses + 8), flow->from);
    copy16((u8 *)(addresses + 12), flow->to);
    numbers[0] = *(u32 *)udp;
    numbers[1] = *(u32 *)rtp;
    numbers[2] = *(u32 *)(rtp + 4);
    numbers[3] = *(u32 *)(rtp + 8);
    *(u16 *)udp = flow->from_port;
    *(u16 *)(udp + 2) = flow->to_port;
    if (flow->flags & SHIFTED) {
        u16 sequence = __builtin_bswap16(*(u16 *)(rtp + 2)) + flow->sequence;
        u32 timestamp = __builtin_bswap32(*(u32 *)(rtp + 4)) + flow->timestamp;
        *(u16 *)(rtp + 2) = __builtin_bswap16(sequence);
        *(u32 *)(rtp + 4) = __builtin_bswap32(timestamp);
        *(u32 *)(rtp + 8) = flow->new_ssrc;
    }
    numbers[4] = *(u32 *)udp;
    numbers[5] = *(u32 *)rtp;
    numbers[6] = *(u32 *)(rtp + 4);
    numbers[7] = *(u32 *)(rtp + 8);
    u8 *ip = data + ETHERNET;
    if (crossed) {
        // Written when the room for it is there.
    } else if (v6) {
        if (ip + IPV6_HEADER > end)
            return UP;
        // Traffic class between version and flow label, which begins anew.
        *(u32 *)ip = __builtin_bswap32(0x60000000 | ((u32)flow->tos << 20));
        ip[7] = 64;
        copy16(ip + 8, flow->from);
        copy16(ip + 24, flow->to);
    } else {
        ip[1] = flow->tos;
        ip[8] = 64;
        *(u32 *)(ip + 12) = *(u32 *)(flow->from + 12);
        *(u32 *)(ip + 16) = *(u32 *)(flow->to + 12);
        *(u16 *)(ip + 10) = 0;
        u32 header[5];
        header[0] = *(u32 *)ip;
        header[1] = *(u32 *)(ip + 4);
        header[2] = *(u32 *)(ip + 8);
        header[3] = *(u32 *)(ip + 12);
        header[4] = *(u32 *)(ip + 16);
        *(u16 *)(ip + 10) = fold(csum_diff(0, 0, header, sizeof(header), 0));
    }
    u32 interface = flow->interface;
    // The kernel knows by itself whether the sum is still to be made, and leaves alone one that isn't there.
    long moved = csum_diff(addresses, 32, addresses + 8, 32, 0);
    long changed = csum_diff(numbers, 16, numbers + 4, 16, 0);
    l4_replace(skb, udp_at + 6, 0, moved, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
    l4_replace(skb, udp_at + 6, 0, changed, BPF_F_MARK_MANGLED_0);
    if (crossed && cross(skb, flow, packet->length, v6))
        return DROP;
    if (!interface)
        return UP;
    return redirect_neigh(interface, 0, 0, 0);
}

SEC("classifier")
int forward(struct __sk_buff *skb) {
    struct key key = {};
    struct packet packet = {};

    // For this host, not by broadcast or multicast.
    if (skb->pkt_type != 0)
        return UP;
    // Several datagrams in one, of which one header would be looked at and changed: the socket takes them apart.
    if (skb->gso_size)
        return UP;
    // Of a VLAN, whose tag is kept beside the packet: at the VLAN's own interface it comes by again, without one.
    if (skb->vlan_present)
        return UP;
    if (!parse(skb, &key, &packet)) {
        // Perhaps the headers aren't in one piece.
        if (skb->len < ETHERNET + IPV4_HEADER + UDP_HEADER + RTP_HEADER ||
            (u8 *)(long)skb->data + ETHERNET + IPV6_HEADER + UDP_HEADER + RTP_HEADER <= (u8 *)(long)skb->data_end)
            return UP;
        u32 wanted = ETHERNET + IPV6_HEADER + UDP_HEADER + RTP_HEADER;
        if (pull(skb, skb->len < wanted ? skb->len : wanted) || !parse(skb, &key, &packet))
            return UP;
    }
    struct flow *flow = lookup(&flows, &key);
    if (!flow)
        return UP;
    // By another way than the one that leads back to its source: whoever is there may have borrowed the address.
    if (skb->ifindex != flow->came)
        return UP;

    // Kept apart, or the compiler makes one of the two.
    if (packet.v6) {
        __asm__ volatile("" ::: "memory");
        return pass(skb, &key, flow, &packet, 1);
    }
    return pass(skb, &key, flow, &packet, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
