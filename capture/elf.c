/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ELF files through libelf, with what libelf leaves to its callers: string tables that end,
 * addresses that lie in segments, sections that lie in the file. Section contents are read, never
 * mapped, so a file truncated meanwhile is an error and not a SIGBUS.
 */
#include "capture/elf.h"

#include <ctype.h>
#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define R_RELATIVE R_X86_64_RELATIVE
#define R_ABSOLUTE R_X86_64_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#define R_RELATIVE R_AARCH64_RELATIVE
#define R_ABSOLUTE R_AARCH64_ABS64
#else
#error "tlslens knows x86-64 and arm64"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_ORDER_HERE ELFDATA2LSB
#else
#define BYTE_ORDER_HERE ELFDATA2MSB
#endif

#define SEGMENTS_MAX 64
#define VERSION_MAX_BYTES 128

enum symbol_rank {
	RANK_NONE = 0,
	RANK_LOCAL,
	RANK_GLOBAL,
	RANK_EXPORTED,
};

struct elf_file {
	int fd; /* borrowed */
	Elf *elf;
	GElf_Phdr load[SEGMENTS_MAX]; /* PT_LOAD only */
	size_t load_count;
	bool has_interpreter;
	uint64_t unwind_header;
	struct elf_file *symbols; /* owned or NULL: of a separate file */
	int symbols_fd;		  /* owned when there is one */
};

static bool is_ours(Elf *elf)
{
	GElf_Ehdr eh;

	return elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == ELFCLASS64 &&
	       gelf_getehdr(elf, &eh) && eh.e_ident[EI_DATA] == BYTE_ORDER_HERE &&
	       eh.e_machine == MACHINE && (eh.e_type == ET_EXEC || eh.e_type == ET_DYN);
}

static void read_segments(struct elf_file *e)
{
	size_t count = 0;

	if (elf_getphdrnum(e->elf, &count) != 0)
		return;
	for (size_t i = 0; i < count && e->load_count < SEGMENTS_MAX; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(e->elf, (int)i, &ph))
			continue;
		if (ph.p_type == PT_INTERP)
			e->has_interpreter = true;
		if (ph.p_type == PT_GNU_EH_FRAME)
			e->unwind_header = ph.p_vaddr;
		if (ph.p_type == PT_LOAD)
			e->load[e->load_count++] = ph;
	}
}

int elf_open(struct elf_file **out, int fd)
{
	struct elf_file *e;
	unsigned char magic[SELFMAG];
	ssize_t n = pread(fd, magic, sizeof(magic), 0);

	if (n < 0)
		return -errno;
	if (n != SELFMAG || memcmp(magic, ELFMAG, SELFMAG) != 0 ||
	    elf_version(EV_CURRENT) == EV_NONE)
		return -ENOEXEC;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->fd = fd;
	e->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!e->elf || !is_ours(e->elf)) {
		elf_close(e);
		return -ENOEXEC;
	}
	read_segments(e);
	*out = e;
	return 0;
}

void elf_close(struct elf_file *e)
{
	if (!e)
		return;
	if (e->symbols) {
		elf_close(e->symbols);
		close(e->symbols_fd);
	}
	elf_end(e->elf);
	free(e);
}

static Elf_Data *section_data(Elf_Scn *scn, const GElf_Shdr *sh)
{
	if (sh->sh_type == SHT_NOBITS || sh->sh_size > ELF_SECTION_MAX_BYTES ||
	    (sh->sh_flags & SHF_COMPRESSED))
		return NULL;
	return elf_getdata(scn, NULL);
}

/* The strings that a symbol table or dynamic section refers to, if every one of them ends. */
static Elf_Data *linked_strings(struct elf_file *e, const GElf_Shdr *sh)
{
	Elf_Scn *scn = elf_getscn(e->elf, sh->sh_link);
	Elf_Data *data;
	GElf_Shdr str;

	if (!scn || !gelf_getshdr(scn, &str) || str.sh_type != SHT_STRTAB)
		return NULL;
	data = section_data(scn, &str);
	if (!data || !data->d_buf || data->d_size == 0 ||
	    ((const char *)data->d_buf)[data->d_size - 1] != '\0')
		return NULL;
	return data;
}

static const char *string_at(const Elf_Data *strings, uint64_t at)
{
	return strings && at < strings->d_size ? (const char *)strings->d_buf + at : NULL;
}

static bool is_function(struct elf_file *e, const GElf_Sym *sym)
{
	int type = GELF_ST_TYPE(sym->st_info);

	/*
	 * An ifunc's address is that of its resolver, and an undefined symbol's that of a PLT
	 * entry.
	 */
	return sym->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_NOTYPE) &&
	       elf_is_code(e, sym->st_value);
}

#define RUST_HASH "17h"
#define RUST_HASH_DIGITS 16

/* "_ZN4core3fmt17h0123456789abcdefE", and what LLVM may add to that: .llvm.1234 */
static bool is_named(const struct elf_symbol *s, const char *name)
{
	size_t n = strlen(s->name);
	const char *end;

	if (!s->rust)
		return strcmp(s->name, name) == 0;
	if (strncmp(name, s->name, n) != 0 || strncmp(name + n, RUST_HASH, strlen(RUST_HASH)) != 0)
		return false;
	name += n + strlen(RUST_HASH);
	end = name + strspn(name, "0123456789abcdef");
	return end - name == RUST_HASH_DIGITS && end[0] == 'E' && (!end[1] || end[1] == '.');
}

static void take_symbol(const GElf_Sym *sym, const char *name, const char *where,
			struct elf_symbol *syms, size_t count)
{
	int rank = strcmp(where, ".dynsym") == 0	     ? RANK_EXPORTED
		   : GELF_ST_BIND(sym->st_info) == STB_LOCAL ? RANK_LOCAL
							     : RANK_GLOBAL;

	for (size_t i = 0; i < count; i++) {
		if (syms[i].rank < rank && is_named(&syms[i], name)) {
			syms[i].rank = rank;
			syms[i].addr = sym->st_value;
			syms[i].size = sym->st_size;
			syms[i].where = where;
		}
	}
}

/*
 * Walks one symbol table of `in`, for functions of e; with count 0 it only tells whether there is any.
 */
static bool walk_symbols(struct elf_file *e, struct elf_file *in, Elf_Scn *scn, const GElf_Shdr *sh,
			 struct elf_symbol *syms, size_t count)
{
	Elf_Data *data = section_data(scn, sh), *strings = linked_strings(in, sh);
	size_t n = data && data->d_type == ELF_T_SYM ? data->d_size / sizeof(Elf64_Sym) : 0;
	const char *where = sh->sh_type == SHT_DYNSYM ? ".dynsym"
			    : in == e		      ? ".symtab"
						      : "debug symbols";
	GElf_Sym sym;

	for (size_t i = 0; i < n; i++) {
		const char *name;

		if (!gelf_getsym(data, (int)i, &sym) || !is_function(e, &sym))
			continue;
		if (count == 0)
			return true;
		name = string_at(strings, sym.st_name);
		if (name)
			take_symbol(&sym, name, where, syms, count);
	}
	return false;
}

void elf_find_symbols(struct elf_file *e, struct elf_symbol *syms, size_t count)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	for (size_t i = 0; i < count; i++) {
		syms[i].addr = syms[i].size = 0;
		syms[i].rank = RANK_NONE;
		syms[i].where = NULL;
	}
	for (struct elf_file *in = e; in && count; in = in->symbols)
		while ((scn = elf_nextscn(in->elf, scn)))
			if (gelf_getshdr(scn, &sh) &&
			    (sh.sh_type == SHT_DYNSYM || sh.sh_type == SHT_SYMTAB))
				walk_symbols(e, in, scn, &sh, syms, count);
}

int elf_add_symbols(struct elf_file *e, int fd)
{
	int err = e->symbols ? -EEXIST : elf_open(&e->symbols, fd);

	if (err)
		close(fd);
	else
		e->symbols_fd = fd;
	return err;
}

bool elf_has_symbols(struct elf_file *e)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(e->elf, scn)))
		if (gelf_getshdr(scn, &sh) &&
		    (sh.sh_type == SHT_DYNSYM || sh.sh_type == SHT_SYMTAB) &&
		    walk_symbols(e, e, scn, &sh, NULL, 0))
			return true;
	return false;
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

bool elf_imports(struct elf_file *e, const char *const *names)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Sym sym;

	while ((scn = elf_nextscn(e->elf, scn))) {
		Elf_Data *data, *strings;
		size_t n;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNSYM)
			continue;
		data = section_data(scn, &sh);
		strings = linked_strings(e, &sh);
		n = data && data->d_type == ELF_T_SYM ? data->d_size / sizeof(Elf64_Sym) : 0;
		for (size_t i = 0; i < n && gelf_getsym(data, (int)i, &sym); i++) {
			const char *name = string_at(strings, sym.st_name);

			if (sym.st_shndx == SHN_UNDEF && name && is_one_of(name, names))
				return true;
		}
	}
	return false;
}

bool elf_has_interpreter(struct elf_file *e)
{
	return e->has_interpreter;
}

static const GElf_Phdr *segment_of(const struct elf_file *e, uint64_t addr)
{
	for (size_t i = 0; i < e->load_count; i++) {
		const GElf_Phdr *ph = &e->load[i];

		if (addr >= ph->p_vaddr && addr - ph->p_vaddr < ph->p_filesz)
			return ph;
	}
	return NULL;
}

uint64_t elf_unwind_header(const struct elf_file *e)
{
	return e->unwind_header;
}

bool elf_segment(const struct elf_file *e, size_t i, struct elf_span *span)
{
	const GElf_Phdr *ph;
	struct stat st;

	if (i >= e->load_count)
		return false;
	ph = &e->load[i];
	*span = (struct elf_span){.addr = ph->p_vaddr,
				  .size = ph->p_filesz,
				  .code = ph->p_flags & PF_X,
				  .writable = ph->p_flags & PF_W};
	if (fstat(e->fd, &st) < 0 || ph->p_offset > (uint64_t)st.st_size)
		span->size = 0;
	else if (span->size > (uint64_t)st.st_size - ph->p_offset)
		span->size = (uint64_t)st.st_size - ph->p_offset;
	if (span->size > UINT64_MAX - span->addr)
		span->size = UINT64_MAX - span->addr;
	return true;
}

int elf_offset(struct elf_file *e, uint64_t addr, uint64_t *offset)
{
	const GElf_Phdr *ph = segment_of(e, addr);

	if (!ph || __builtin_add_overflow(ph->p_offset, addr - ph->p_vaddr, offset))
		return -ENOENT;
	return *offset <= INT64_MAX ? 0 : -ENOENT;
}

bool elf_is_code(struct elf_file *e, uint64_t addr)
{
	const GElf_Phdr *ph = segment_of(e, addr);

	return ph && (ph->p_flags & PF_X);
}

bool elf_is_code_offset(struct elf_file *e, uint64_t offset)
{
	for (size_t i = 0; i < e->load_count; i++) {
		const GElf_Phdr *ph = &e->load[i];

		if ((ph->p_flags & PF_X) && offset >= ph->p_offset &&
		    offset - ph->p_offset < ph->p_filesz)
			return true;
	}
	return false;
}

int elf_read(struct elf_file *e, uint64_t addr, void *p, size_t n)
{
	const GElf_Phdr *ph = segment_of(e, addr);
	uint64_t offset;
	ssize_t got;

	if (!ph || elf_offset(e, addr, &offset) < 0)
		return -ENOENT;
	if (n > ph->p_filesz - (addr - ph->p_vaddr))
		n = ph->p_filesz - (addr - ph->p_vaddr);
	got = pread(e->fd, p, n, (off_t)offset);
	return got < 0 ? -errno : (int)got;
}

/* Applies the relocation of one .rela section that targets addr. -ENOENT: none does. */
static int relocated(struct elf_file *e, Elf_Scn *scn, const GElf_Shdr *sh, uint64_t addr,
		     uint64_t *value)
{
	Elf_Data *data = section_data(scn, sh), *symbols = NULL;
	size_t n = data && data->d_type == ELF_T_RELA ? data->d_size / sizeof(Elf64_Rela) : 0;
	Elf_Scn *symscn = elf_getscn(e->elf, sh->sh_link);
	GElf_Shdr symsh;
	GElf_Rela rela;
	GElf_Sym sym;

	for (size_t i = 0; i < n; i++) {
		if (!gelf_getrela(data, (int)i, &rela) || rela.r_offset != addr)
			continue;
		*value = (uint64_t)rela.r_addend;
		if (GELF_R_TYPE(rela.r_info) == R_RELATIVE)
			return 0;
		if (GELF_R_TYPE(rela.r_info) != R_ABSOLUTE)
			return -ENOTSUP;
		if (symscn && gelf_getshdr(symscn, &symsh))
			symbols = section_data(symscn, &symsh);
		if (!symbols || symbols->d_type != ELF_T_SYM ||
		    !gelf_getsym(symbols, (int)GELF_R_SYM(rela.r_info), &sym) ||
		    sym.st_shndx == SHN_UNDEF)
			return -ENOTSUP;
		*value += sym.st_value;
		return 0;
	}
	return -ENOENT;
}

int elf_pointer(struct elf_file *e, uint64_t addr, uint64_t *value)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	int rc;

	while ((scn = elf_nextscn(e->elf, scn))) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_RELA)
			continue;
		rc = relocated(e, scn, &sh, addr, value);
		if (rc != -ENOENT)
			return rc;
	}
	/* Position-dependent executables and DT_RELR keep the value in place. */
	rc = elf_read(e, addr, value, sizeof(*value));
	return rc < 0 ? rc : rc == sizeof(*value) ? 0 : -ENOENT;
}

static Elf_Scn *section_named(struct elf_file *e, const char *name, GElf_Shdr *sh)
{
	Elf_Scn *scn = NULL;
	size_t strings;

	if (elf_getshdrstrndx(e->elf, &strings) != 0)
		return NULL;
	while ((scn = elf_nextscn(e->elf, scn))) {
		const char *s;

		if (!gelf_getshdr(scn, sh))
			continue;
		s = elf_strptr(e->elf, strings, sh->sh_name);
		if (s && strcmp(s, name) == 0)
			return scn;
	}
	return NULL;
}

bool elf_has_section(struct elf_file *e, const char *name)
{
	GElf_Shdr sh;

	return section_named(e, name, &sh) != NULL;
}

const void *elf_section(struct elf_file *e, const char *name, size_t *n)
{
	GElf_Shdr sh;
	Elf_Scn *scn = section_named(e, name, &sh);
	Elf_Data *data = scn ? section_data(scn, &sh) : NULL;

	if (!data || !data->d_buf)
		return NULL;
	*n = data->d_size;
	return data->d_buf;
}

uint64_t elf_section_address(struct elf_file *e, const char *name)
{
	GElf_Shdr sh;

	return section_named(e, name, &sh) ? sh.sh_addr : 0;
}

bool elf_has_sections(struct elf_file *e)
{
	size_t n;

	return elf_getshdrnum(e->elf, &n) == 0 && n > 0;
}

static char *hex(const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *out = malloc(2 * n + 1);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

char *elf_build_id(struct elf_file *e)
{
	GElf_Shdr sh;
	Elf_Scn *scn = section_named(e, ".note.gnu.build-id", &sh);
	Elf_Data *data = scn && sh.sh_type == SHT_NOTE ? section_data(scn, &sh) : NULL;
	size_t at = 0, name, desc, next;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, at, &note, &name, &desc)) > 0) {
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    note.n_descsz > 0 && note.n_descsz <= 64 &&
		    memcmp((char *)data->d_buf + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0)
			return hex((const uint8_t *)data->d_buf + desc, note.n_descsz);
		at = next;
	}
	return NULL;
}

/* How long "MAJOR.MINOR.PATCH" and what is stuck to it (1.1.1w, 3.2.0-beta1) is; 0 when it is none. */
static size_t version_length(const char *p, size_t n)
{
	size_t at = 0;

	for (int part = 0; part < 3; part++) {
		if (at >= n || !isdigit((unsigned char)p[at]))
			return 0;
		while (at < n && isdigit((unsigned char)p[at]))
			at++;
		if (part < 2 && (at >= n || p[at++] != '.'))
			return 0;
	}
	while (at < n && isgraph((unsigned char)p[at]))
		at++;
	return at;
}

char *elf_find_version(struct elf_file *e, const char *prefix)
{
	GElf_Shdr sh;
	Elf_Scn *scn = section_named(e, ".rodata", &sh);
	Elf_Data *data = scn ? section_data(scn, &sh) : NULL;
	size_t len = strlen(prefix);
	const char *p, *end;

	if (!data || !data->d_buf)
		return NULL;
	p = data->d_buf;
	end = p + data->d_size;
	while ((p = memmem(p, (size_t)(end - p), prefix, len))) {
		size_t left = (size_t)(end - p) - len;
		size_t n = version_length(p + len,
					  left < VERSION_MAX_BYTES ? left : VERSION_MAX_BYTES);

		if (n)
			return strndup(p, len + n);
		p += len;
	}
	return NULL;
}

int elf_each_dynamic(struct elf_file *e, int64_t tag, int (*fn)(void *arg, const char *s),
		     void *arg)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(e->elf, scn))) {
		Elf_Data *data, *strings;
		GElf_Dyn dyn;
		size_t n;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNAMIC)
			continue;
		data = section_data(scn, &sh);
		strings = linked_strings(e, &sh);
		n = data && data->d_type == ELF_T_DYN ? data->d_size / sizeof(Elf64_Dyn) : 0;
		for (size_t i = 0; i < n && gelf_getdyn(data, (int)i, &dyn); i++) {
			const char *s =
				dyn.d_tag == tag ? string_at(strings, dyn.d_un.d_val) : NULL;
			int rc = s ? fn(arg, s) : 0;

			if (rc)
				return rc;
			if (dyn.d_tag == DT_NULL)
				break;
		}
	}
	return 0;
}
