# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make deps     install what building and running need (Debian 12)
#   make          build build/tlslens
#   make check    tests that need no root
#   make test     all tests; installs what they need
#   make demo     trace a private nginx and a curl
#
# BUILD=DIR builds somewhere else; SAN=1 builds with ASan and UBSan.

BUILD ?= build
CC = gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PREFIX ?= /usr/local

LIBS = libbpf libelf zlib libnghttp2
CPPFLAGS = -I. -I$(BUILD) -I/usr/share/include/llhttp -D_GNU_SOURCE
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla $(if $(CI),-Werror)
override CFLAGS += -std=gnu11 $(WARN)
LDLIBS = $(shell pkg-config --libs $(LIBS)) -lpcap -lZydis
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

MODULES = core identity capture flow parsers select writer
SRCS = $(foreach m,$(MODULES),$(wildcard $(m)/*.c))
OBJS = $(SRCS:%.c=$(BUILD)/%.o) $(BUILD)/llhttp/llhttp.o $(BUILD)/llhttp/api.o $(BUILD)/llhttp/http.o
CLI_OBJS = $(patsubst %.c,$(BUILD)/%.o,$(wildcard cli/*.c))
BPF_SRCS = $(wildcard bpf/uprobes/*.bpf.c bpf/kprobes/*.bpf.c)
BPF_OBJS = $(BPF_SRCS:%.bpf.c=$(BUILD)/%.bpf.o)
SKEL = $(BUILD)/bpf/tlslens.skel.h

.PHONY: all clean
all: $(BUILD)/tlslens

$(BUILD)/tlslens: $(CLI_OBJS) $(OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# llhttp comes as C sources in Debian's node-llhttp; it is built, not copied into the tree.
$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(CC) -I/usr/share/include/llhttp -O2 -g -w -c -o $@ $<

# BPF: each file by itself, linked into one object, turned into one skeleton.
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter -I. \
	-D__TARGET_ARCH_x86 -idirafter /usr/include/$(shell uname -m)-linux-gnu
$(BUILD)/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bpf/tlslens.bpf.o: $(BPF_OBJS)
	@mkdir -p $(@D)
	$(BPFTOOL) gen object $@ $^

$(SKEL): $(BUILD)/bpf/tlslens.bpf.o
	$(BPFTOOL) gen skeleton $< name tlslens > $@.tmp && mv $@.tmp $@

$(BUILD)/capture/%.o: $(SKEL)

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
