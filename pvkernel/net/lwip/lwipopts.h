/* SPDX-License-Identifier: MIT */
/*
 * How lwIP is built, the same for both images.
 *
 * One lock, the core lock, guards all of the stack. Whoever brings a packet takes it and runs the stack itself, so does a caller
 * of sockets; the stack's own thread does timers only. So a packet costs no message between threads.
 *
 * Control blocks come from pools of fixed size, which is what holds a flood of connections in bounds; data come from the heap.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define LWIP_HOOK_FILENAME "arch/segments.h"

#define NO_SYS 0
#define LWIP_TCPIP_CORE_LOCKING 1
#define LWIP_TCPIP_CORE_LOCKING_INPUT 1
#define LOCK_TCPIP_CORE() stack_lock()
#define UNLOCK_TCPIP_CORE() stack_unlock()
#define SYS_LIGHTWEIGHT_PROT 1
#define TCPIP_MBOX_SIZE 64
#define TCPIP_THREAD_NAME "lwip"
#define DEFAULT_TCP_RECVMBOX_SIZE 128
#define DEFAULT_UDP_RECVMBOX_SIZE 64
#define DEFAULT_RAW_RECVMBOX_SIZE 64
#define DEFAULT_ACCEPTMBOX_SIZE 32

/* --- memory; received data lie in packets of the devices, not in the pool --- */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1
#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1
#define MEMP_NUM_PBUF 512
#define MEMP_NUM_RAW_PCB 8
#define MEMP_NUM_UDP_PCB 32
#define MEMP_NUM_TCP_PCB 64
#define MEMP_NUM_TCP_PCB_LISTEN 16
#define MEMP_NUM_TCP_SEG 1024
#define MEMP_NUM_ARP_QUEUE 64
#define MEMP_NUM_FRAG_PBUF 64
#define MEMP_NUM_NETBUF 128
#define MEMP_NUM_NETCONN 64
#define MEMP_NUM_REASSDATA 16
#define MEMP_NUM_NETDB 4
#define MEMP_NUM_SYS_TIMEOUT 24
#define MEMP_NUM_TCPIP_MSG_API 32
#define MEMP_NUM_TCPIP_MSG_INPKT 8
#define MEMP_NUM_ND6_QUEUE 32
#define PBUF_POOL_SIZE 16
#define PBUF_POOL_BUFSIZE 1600

/* --- protocols --- */
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ARP 1
#define ARP_TABLE_SIZE 32
#define ARP_QUEUEING 1
#define LWIP_ICMP 1
#define LWIP_ICMP6 1
#define LWIP_RAW 1
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_DNS 1
#define LWIP_DNS_SECURE (LWIP_DNS_SECURE_RAND_XID | LWIP_DNS_SECURE_RAND_SRC_PORT | LWIP_DNS_SECURE_NO_MULTIPLE_OUTSTANDING)
#define LWIP_DHCP 1
#define DHCP_DOES_ARP_CHECK 0
#define LWIP_IGMP 0
#define LWIP_IPV6_MLD 1
#define MEMP_NUM_MLD6_GROUP 8
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 1
#define LWIP_ND6_TCP_REACHABILITY_HINTS 1
#define IP_REASSEMBLY 1
#define IP_FRAG 1
#define IPV6_FRAG_COPYHEADER 1	/* pointers of 8 bytes do not fit into the header of a fragment */
#define IP_REASS_MAX_PBUFS 64
#define LWIP_BROADCAST_PING 0

/* --- TCP: windows for 64 KiB packets, several of them under way --- */
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_WND (512 * 1024)
#define TCP_SND_BUF (512 * 1024)
#define TCP_SND_QUEUELEN 1000
#define TCP_SNDLOWAT (64 * 1024 - 4 * TCP_MSS - 2)
#define TCP_OVERSIZE TCP_MSS
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define TCP_OOSEQ_MAX_PBUFS 512
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_KEEPALIVE 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 16
#define SO_REUSE 1
/* RFC 6928's ten segments. */
#define LWIP_TCP_CALC_INITIAL_CWND(mss) ((tcpwnd_size_t)(10u * (mss)))
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p) segments_grow(pcb)
#define LWIP_HOOK_TCP_ISN tcp_initial_number

/* --- interfaces: whether a sum is checked or made depends on the device, for received packets on each of them --- */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
unsigned short checksum_of(const void *data, unsigned long length);
#define LWIP_CHKSUM checksum_of
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_HAVE_LOOPIF 1
#define LWIP_LOOPBACK_MAX_PBUFS 64
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_API 1

/* --- interfaces for programs --- */
#define LWIP_NETCONN 1
#define LWIP_SOCKET 1
#define LWIP_COMPAT_SOCKETS 0
#define LWIP_SO_RCVTIMEO 1
#define LWIP_SO_SNDTIMEO 1
#define LWIP_SO_RCVBUF 1
#define LWIP_TCPIP_TIMEOUT 1

#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define LWIP_STATS_DISPLAY 0
#define MEM_STATS 0
#define SYS_STATS 0
#define LWIP_DEBUG 0

#endif
