# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make deps      install what building and running need (Debian 12; sudo where one is not root)
#   make           build build/tlslens
#   make check     the tests that need no root
#   make test      all tests; installs what they need besides
#   make demo      trace a private nginx and a curl
#   make install   PREFIX=/usr/local, DESTDIR=
#   make install-extcap   the same, and into the list of interfaces of Wireshark
#   make fuzz      every fuzz target for FUZZ_SECONDS
#   make bench     what it costs, measured; some minutes; root
#
# BUILD=DIR builds somewhere else, so that builds do not meet. CI=true makes warnings errors. V=1 shows commands.

BUILD ?= build
# One name for one folder: the dependencies that the compilers write down begin with it.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

DEPS = gcc libc6-dev make pkg-config clang bpftool libbpf-dev libelf-dev zlib1g-dev libdeflate-dev \
	liblzma-dev libbrotli-dev libzstd-dev libjansson-dev \
	uthash-dev node-llhttp libnghttp2-dev libpcap-dev libzydis-dev \
	libprotobuf-c-dev protobuf-c-compiler libprotobuf-dev
DEPS_DEMO = nginx curl openssl
DEPS_BENCH = $(DEPS_DEMO) wrk nghttp2-client tshark bpftrace python3 util-linux
DEPS_TEST = $(DEPS_DEMO) libcmocka-dev libunicorn-dev libgnutls30 libssl-dev \
	$(if $(shell command -v npm),,npm) protobuf-compiler python3-protobuf gdb bind9-dnsutils unbound knot-dnsutils \
	stubby clang-format mandoc git python3 python3-jsonschema libclang-rt-dev apache2-bin wrk tshark \
	nghttp2-proxy haproxy python3-h2 python3-aiohttp python3-httpx python3-grpcio g++ libgrpc++-dev libprotobuf-dev \
	protobuf-compiler-grpc python3-websockets node-ws iproute2 \
	nghttp2-client nghttp2-server wget gnutls-bin libgnutls28-dev android-libboringssl-dev \
	libestr0 libfastjson4 liblognorm5 libivykis0 libjson-c5 libnet1 libpcre3 libwrap0 python3-yaml zstd \
	liburing-dev qemu-system-x86 busybox-static cpio \
	libwolfssl-dev libmbedtls-dev libnss3-dev golang-go caddy nodejs xz-utils \
	procps util-linux runc chromium rustc cargo librust-rustls-dev \
	librust-rustls-pemfile-dev
# Used from a folder: installed, they would take the place of the machine's own, and of each other.
UNPACK_TEST = rsyslog syslog-ng-core

CC = gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
ARCH := $(shell uname -m)

LIBS = libbpf libelf zlib liblzma libdeflate libbrotlidec libzstd libnghttp2 jansson libprotobuf-c
CPPFLAGS = -I. -I$(BUILD) -I/usr/share/include/llhttp -D_GNU_SOURCE
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla $(if $(CI),-Werror)
override CFLAGS += -std=gnu11 $(WARN)
LDLIBS = $(shell pkg-config --libs $(LIBS)) -lpcap -lZydis
TEST_LDLIBS = -lcmocka -lunicorn -lbrotlienc
SAN = -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -w

MODULES = core identity capture flow parsers select writer
LLHTTP_FLAGS = -DLLHTTP_STRICT_MODE=1 -w
LLHTTP = llhttp/llhttp.o llhttp/api.o llhttp/http.o
DESCRIPTOR = google/protobuf/descriptor
LIB = $(patsubst %.c,%.o,$(foreach m,$(MODULES),$(wildcard $(m)/*.c))) $(LLHTTP) $(DESCRIPTOR).pb-c.o
CLI = $(patsubst %.c,%.o,$(wildcard cli/*.c))
UNIT_TESTS = $(patsubst %.c,%,$(wildcard tests/unit/test_*.c))
UNIT_COMMON = $(patsubst %.c,%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
FUZZ_TARGETS = $(patsubst %.c,%,$(wildcard tests/fuzz/fuzz_*.c))
KERNEL_TESTS = $(patsubst %.c,%,$(wildcard tests/kernel/test_*.c))
KERNEL_COMMON = $(patsubst %.c,%.o,$(filter-out tests/kernel/test_%,$(wildcard tests/kernel/*.c)))

# $(call run,WORD,TARGET) starts a recipe line: the command itself under V=1, else a word and what is made.
run = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2:$(BUILD)/%=%);)

.PHONY: all deps deps-demo deps-test deps-bench unit seeds kernel-tests check test test-vm demo fuzz bench
.PHONY: bench-programs install install-extcap clean
.SECONDARY:
.DELETE_ON_ERROR:
all: $(BUILD)/tlslens

$(BUILD)/tlslens: $(addprefix $(BUILD)/,$(CLI)) $(BUILD)/lib.a
	$(call run,LD,$@) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/lib.a: $(addprefix $(BUILD)/,$(LIB))
	@rm -f $@
	$(call run,AR,$@) $(AR) rcsT $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call run,CC,$@) $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# llhttp comes as C sources in Debian's node-llhttp; it is built, not copied into the tree.
# Strict mode: what it accepts has one reading; everything else goes to parsers/http1_lenient.c.
$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c Makefile
	@mkdir -p $(@D)
	$(call run,CC,$@) $(CC) $(CPPFLAGS) $(LLHTTP_FLAGS) -O2 -g -c -o $@ $<

# What a file of Protobuf descriptors is made of is described in one itself.
$(BUILD)/$(DESCRIPTOR).pb-c.c: /usr/include/$(DESCRIPTOR).proto
	@mkdir -p $(@D)
	$(call run,GEN,$@) protoc-c -I/usr/include --c_out=$(BUILD) $<

TYPES = parsers/protobuf_types.o
$(addprefix $(BUILD)/,$(TYPES) san/$(TYPES) fuzz/$(TYPES)): | $(BUILD)/$(DESCRIPTOR).pb-c.c

$(BUILD)/$(DESCRIPTOR).pb-c.o: $(BUILD)/$(DESCRIPTOR).pb-c.c
	$(call run,CC,$@) $(CC) $(CPPFLAGS) -w -O2 -g -c -o $@ $<

# The kernel side: each file by itself, linked into one object, turned into one skeleton.
BPF_SRCS = $(wildcard bpf/*.bpf.c bpf/uprobes/*.bpf.c bpf/kprobes/*.bpf.c)
BPF_OBJS = $(BPF_SRCS:%.bpf.c=$(BUILD)/%.bpf.o)
BPF_ARCH = $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(ARCH)))
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter -I. \
	-D__TARGET_ARCH_$(BPF_ARCH) -idirafter /usr/include/$(ARCH)-linux-gnu $(if $(CI),-Werror)
SKEL = $(BUILD)/bpf/tlslens.skel.h

$(BUILD)/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(call run,CLANG,$@) $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bpf/tlslens.bpf.o: $(BPF_OBJS)
	@mkdir -p $(@D)
	$(call run,BPF,$@) $(BPFTOOL) gen object $@ $^

$(SKEL): $(BUILD)/bpf/tlslens.bpf.o
	$(call run,BPF,$@) $(BPFTOOL) gen skeleton $< name tlslens > $@.tmp && mv $@.tmp $@

# Every attribute that a parser may give, for filters to know their names.
ATTR_LIST = $(BUILD)/core/attr_list.h
$(ATTR_LIST): core/attr_names.h
	@mkdir -p $(@D)
	$(call run,GEN,$@) sed -nE '/_PREFIX /d; s/^#define (A_[A-Z0-9_]+) .*/\1,/p' $< > $@

$(addprefix $(BUILD)/,select/fields.o san/select/fields.o fuzz/select/fields.o): | $(ATTR_LIST)

# Must stand before the first compilation; later the dependency files name it where it is included.
$(patsubst %,$(BUILD)/%,$(filter capture/%,$(LIB))): | $(SKEL)
$(patsubst %,$(BUILD)/san/%,$(filter capture/%,$(LIB))): | $(SKEL)
$(patsubst %,$(BUILD)/fuzz/%,$(filter capture/%,$(LIB))): | $(SKEL)

# Unit tests: every module once more with the sanitizers, as an archive.
$(BUILD)/san/%.o: %.c
	@mkdir -p $(@D)
	$(call run,CC,$@) $(CC) $(CPPFLAGS) $(CFLAGS) $(SAN) -MMD -MP -c -o $@ $<

$(BUILD)/san/llhttp/%.o: /usr/share/llhttp/%.c Makefile
	@mkdir -p $(@D)
	$(call run,CC,$@) $(CC) $(CPPFLAGS) $(LLHTTP_FLAGS) -g $(SAN) -c -o $@ $<

$(BUILD)/san/$(DESCRIPTOR).pb-c.o: $(BUILD)/$(DESCRIPTOR).pb-c.c
	@mkdir -p $(@D)
	$(call run,CC,$@) $(CC) $(CPPFLAGS) -w -g $(SAN) -c -o $@ $<

$(BUILD)/san/lib.a: $(addprefix $(BUILD)/san/,$(LIB) $(filter-out cli/main.o,$(CLI)))
	@rm -f $@
	$(call run,AR,$@) $(AR) rcsT $@ $^

$(BUILD)/san/unit.a: $(addprefix $(BUILD)/san/,$(UNIT_COMMON))
	@rm -f $@
	$(call run,AR,$@) $(AR) rcsT $@ $^

$(BUILD)/san/tests/unit/test_%: $(BUILD)/san/tests/unit/test_%.o $(BUILD)/san/unit.a $(BUILD)/san/lib.a
	$(call run,LD,$@) $(CC) $(CFLAGS) $(SAN) -Wl,--as-needed -o $@ $^ $(LDLIBS) $(TEST_LDLIBS)

# Types of messages for the tests, as a user would make them.
PROTOS = $(wildcard tests/fixtures/protobuf/*.proto)
$(BUILD)/tests/types.pb: $(PROTOS)
	@mkdir -p $(@D)
	$(call run,GEN,$@) protoc-c -Itests/fixtures/protobuf --include_imports --descriptor_set_out=$@ $^

unit: $(addprefix $(BUILD)/san/,$(UNIT_TESTS)) $(BUILD)/tests/types.pb

# Fuzz targets: by libFuzzer under `make fuzz`, and over the fixtures and their mutations in `make check`.
$(BUILD)/san/tests/fuzz/fuzz_%: $(BUILD)/san/tests/fuzz/fuzz_%.o \
		$(BUILD)/san/tests/fuzz/seeds.o $(BUILD)/san/lib.a
	$(call run,LD,$@) $(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LDLIBS)

seeds: $(addprefix $(BUILD)/san/,$(FUZZ_TARGETS))

$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call run,CLANG,$@) $(CLANG) $(CPPFLAGS) -std=gnu11 -O1 -g $(FUZZ) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/llhttp/%.o: /usr/share/llhttp/%.c Makefile
	@mkdir -p $(@D)
	$(call run,CLANG,$@) $(CLANG) $(CPPFLAGS) $(LLHTTP_FLAGS) -O1 -g $(FUZZ) -c -o $@ $<

$(BUILD)/fuzz/$(DESCRIPTOR).pb-c.o: $(BUILD)/$(DESCRIPTOR).pb-c.c
	@mkdir -p $(@D)
	$(call run,CLANG,$@) $(CLANG) $(CPPFLAGS) -O1 -g $(FUZZ) -c -o $@ $<

$(BUILD)/fuzz/lib.a: $(addprefix $(BUILD)/fuzz/,$(LIB))
	@rm -f $@
	$(call run,AR,$@) $(AR) rcsT $@ $^

$(BUILD)/fuzz/tests/fuzz/fuzz_%: $(BUILD)/fuzz/tests/fuzz/fuzz_%.o $(BUILD)/fuzz/lib.a
	$(call run,LD,$@) $(CLANG) -g -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

fuzz: $(addprefix $(BUILD)/fuzz/,$(FUZZ_TARGETS))
	BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz.sh $^

$(BUILD)/tests/kernel/test_plain: LDLIBS += -luring

# Programs of the tests that need root; the shell scripts beside them need no building.
$(BUILD)/tests/kernel/test_%: $(BUILD)/tests/kernel/test_%.o \
		$(addprefix $(BUILD)/,$(KERNEL_COMMON)) $(BUILD)/lib.a
	$(call run,LD,$@) $(CC) $(CFLAGS) -o $@ $^ $(LDLIBS) -lpthread

# Programs of the benchmark, in bench/.
$(BUILD)/bench/baseline.skel.h: $(BUILD)/bench/baseline.bpf.o
	$(call run,BPF,$@) $(BPFTOOL) gen skeleton $< name baseline > $@.tmp && mv $@.tmp $@

$(BUILD)/bench/baseline.o: | $(BUILD)/bench/baseline.skel.h

$(BUILD)/bench/writes: $(BUILD)/tests/kernel/fake_tls.o

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/lib.a
	$(call run,LD,$@) $(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

bench-programs: $(patsubst %.c,$(BUILD)/%,$(filter-out %.bpf.c,$(wildcard bench/*.c)))

kernel-tests: $(addprefix $(BUILD)/,$(KERNEL_TESTS))

deps:
	@tests/install-packages.sh $(DEPS)

deps-demo:
	@tests/install-packages.sh $(DEPS) $(DEPS_DEMO)

deps-bench:
	@tests/install-packages.sh $(DEPS) $(DEPS_BENCH)

deps-test:
	@tests/install-packages.sh $(DEPS) $(DEPS_TEST)
	@tests/unpack-packages.sh $(BUILD)/tests/packages $(UNPACK_TEST)

check: all unit seeds
	BUILD=$(BUILD) tests/run.sh lint unit replay seeds

test: deps-test
	$(MAKE) all unit seeds kernel-tests bench-programs
	BUILD=$(BUILD) tests/run.sh lint unit replay seeds kernel e2e vm

test-vm: deps-test
	$(MAKE) all kernel-tests
	BUILD=$(BUILD) tests/run.sh vm

bench: deps-bench
	$(MAKE) all bench-programs
	BUILD=$(BUILD) bench/bench.py

demo: deps-demo
	$(MAKE) all
	BUILD=$(BUILD) tests/demo.sh

install: all
	install -D -m 755 $(BUILD)/tlslens $(DESTDIR)$(PREFIX)/sbin/tlslens
	install -D -m 644 docs/tlslens.8 $(DESTDIR)$(PREFIX)/share/man/man8/tlslens.8

# Into Wireshark's list of interfaces: for everybody as root, else for oneself.
EXTCAP_ALL = /usr/lib/$(shell gcc -print-multiarch)/wireshark/extcap
EXTCAP_DIR ?= $(if $(filter 0,$(shell id -u)),$(EXTCAP_ALL),$(HOME)/.config/wireshark/extcap)
install-extcap: install
	mkdir -p $(DESTDIR)$(EXTCAP_DIR)
	ln -sf $(PREFIX)/sbin/tlslens $(DESTDIR)$(EXTCAP_DIR)/tlslens

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
