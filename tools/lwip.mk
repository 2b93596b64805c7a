# SPDX-License-Identifier: MIT
# lwIP is the network stack of both images: Debian's source package, fetched into build/ when first needed, compiled with the
# port in pvkernel/net/lwip. What of the kernel uses its headers (pvkernel/net/stack and apps) is compiled like it, with a C
# library's headers in reach, of which only declarations are used.

LWIP := $(THIRD_PARTY)/lwip

LWIP_SRC := $(patsubst %,core/%,altcp altcp_alloc altcp_tcp def dns inet_chksum init ip mem memp netif pbuf raw stats sys tcp tcp_in tcp_out timeouts udp) \
	$(patsubst %,core/ipv4/%,autoip dhcp etharp icmp igmp ip4 ip4_addr ip4_frag) \
	$(patsubst %,core/ipv6/%,dhcp6 ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag mld6 nd6) \
	$(patsubst %,api/%,api_lib api_msg err if_api netbuf netdb netifapi sockets tcpip) netif/ethernet apps/lwiperf/lwiperf
LWIP_OBJ := $(LWIP_SRC:%=$(THIRD_PARTY)/guest/lwip/%.o)
# The port's headers are found through lwIP's, for which the compiler notes no dependency.
LWIP_PORT := $(LWIP)/corrected $(wildcard pvkernel/net/lwip/*.h pvkernel/net/lwip/*/*.h)
LWIP_INCLUDE := -isystem $(LWIP)/src/include -Ipvkernel/net/lwip

PVK_OBJ += $(LWIP_OBJ)
CTL_OBJ += $(LWIP_OBJ)

$(LWIP)/src/include/lwip/init.h: | $(ZSTD)/lib/zstd.h
	tools/fetch-source lwip $(abspath $(LWIP))
	@touch $@

# lwiperf counts bytes in 32 bits, which are full after seconds.
LWIP_PERF := $(LWIP)/src/apps/lwiperf/lwiperf.c $(LWIP)/src/include/lwip/apps/lwiperf.h

# What a datagram is, the header of the fragment at offset 0 says (RFC 8200, 4.5), not of the one that comes first: filters judge by it.
LWIP_FRAG := $(LWIP)/src/core/ipv6/ip6_frag.c
LWIP_NEXT := ipr->nexth = frag_hdr->_nexth;

$(LWIP)/corrected: $(LWIP)/src/include/lwip/init.h
	$(Q)sed -i 's/u32_t bytes_transferred/uint64_t bytes_transferred/' $(LWIP_PERF)
	$(Q)for f in $(LWIP_PERF); do grep -q 'uint64_t bytes_transferred' $$f || exit 1; done
	$(Q)sed -i 's/^  if (start == 0) {/& $(LWIP_NEXT)/' $(LWIP_FRAG)
	$(Q)grep -q '^  if (start == 0) { $(LWIP_NEXT)' $(LWIP_FRAG)
	@touch $@

# Where lwIP would fragment what is longer than the MTU, the stack has a word first: see pvkernel/net/stack/interface.c.
$(THIRD_PARTY)/guest/lwip/core/ipv4/ip4.o: LWIP_RENAME := -Dip4_frag=stack_ip4_frag
$(THIRD_PARTY)/guest/lwip/core/ipv6/ip6.o: LWIP_RENAME := -Dip6_frag=stack_ip6_frag

$(LWIP_OBJ): $(THIRD_PARTY)/guest/lwip/%.o: $(LWIP_PORT) tools/lwip.mk
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(filter-out -nostdinc $(WARN) -MMD -MP,$(GUEST_CFLAGS)) -std=c11 -w $(LWIP_INCLUDE) $(LWIP_RENAME) -c -o $@ $(LWIP)/src/$*.c

STACK_OBJ := $(patsubst %,$(B)/guest/%.o,$(wildcard pvkernel/net/stack/*.c pvkernel/net/apps/*.c))
$(STACK_OBJ): GUEST_CFLAGS := $(filter-out -nostdinc,$(GUEST_CFLAGS)) $(LWIP_INCLUDE) -iquote pvkernel/include
$(STACK_OBJ): GUEST_INCLUDE := pvkernel/net/lwip
$(STACK_OBJ): $(LWIP_PORT)
