#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What --body shows of bodies: codings undone, also chained, text by what is declared and nothing guessed, octets as
# they are, limits kept; and only the media types asked for.
source "$(dirname "$0")/lib.sh"

start_nginx 'location /as/ {
		types { } default_type "";
		add_header Content-Type $arg_type;
		add_header Content-Encoding $arg_coding;
		rewrite ^/as/(.*) /$1 break;
	}' || exit 1
mkdir -p "$work/plain"
python3 - "$work/plain" "$work/www" <<'PYTHON'
import gzip, sys, zlib
plain, www = sys.argv[1:]
text = "".join(f'{{"line": {n}, "word": "\u00e4\u20ac\U0001f600 \\"{n * n}\\""}}\n' for n in range(200)).encode()
files = {
    "text": text, "gzip": gzip.compress(text), "deflate": zlib.compress(text), "bare": zlib.compress(text)[2:-4],
    "bomb": gzip.compress(bytes(64 << 20)), "bombs": gzip.compress(gzip.compress(bytes(64 << 20))),
    "cut": gzip.compress(text)[:300], "damaged": gzip.compress(text)[:40] + b"damaged" * 40,
    "latin": "na\u00efve caf\u00e9\n".encode("latin-1"), "utf16": "\u00e4\u20ac\U0001f600\n".encode("utf-16-le"),
    "sjis": "\u65e5\u672c\u8a9e\n".encode("shift_jis"), "ascii": b"plain ascii\n",
    "octets": bytes(range(256)), "members": gzip.compress(text[:100]) + gzip.compress(text[100:]),
}
for name, data in files.items():
    open(f"{www}/{name}", "wb").write(data)
open(plain + "/text", "wb").write(text)
PYTHON
node -e 'const fs = require("fs"), zlib = require("zlib"), [plain, www] = process.argv.slice(1);
	const br = zlib.brotliCompressSync(fs.readFileSync(plain + "/text"));
	fs.writeFileSync(www + "/br", br); fs.writeFileSync(www + "/br-gzip", zlib.gzipSync(br));' "$work/plain" "$work/www"
zstd -q "$work/plain/text" -o "$work/www/zstd"

as() { get "/as/$1?type=$2&coding=${3:-}" -o /dev/null; }
requests() {
	local name
	for name in gzip deflate br zstd; do as $name application/json $name; done
	as bare application/json deflate
	as members application/json gzip
	as br-gzip application/json br,gzip
	as bomb text/plain gzip
	as bombs text/plain gzip,gzip
	as cut application/json gzip
	as damaged application/json gzip
	as gzip application/json compress
	as latin 'text/plain;charset=iso-8859-1'
	as utf16 'text/plain;charset=utf-16le'
	as sjis 'text/html;charset=Shift_JIS'
	as latin text/plain
	as text text/plain
	as ascii text/plain
	as octets image/png
	as octets 'text/plain;charset=utf-8'
	get /upload -o /dev/null -d 'a=1&b=two%20words&c=%C3%A4'
	get /upload -o /dev/null -F 'one=first' -F 'file=@-;filename=f.txt' <<<"of a file"
}
start_tracing --no-plain -p "$worker" --body 64K --no-redact -o json:"$work/json" -o raw:"$work/raw" || exit 1
requests
stop_tracing
check "tracing went well" equal status "$status" 0
check "each body as it is to be" python3 - "$work/json" "$work/plain/text" "$work/www" <<'PYTHON'
import base64, json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
text = open(sys.argv[2], encoding="utf-8", newline="").read()
served = lambda name: open(f"{sys.argv[3]}/{name}", "rb").read()
wrong = []

def body(x, side="response"):
    raw = x.get(f"tlslens.{side}.body.base64")
    return (x.get(f"http.{side}.body.content"), raw and base64.b64decode(raw), x.get(f"tlslens.{side}.body.coding"),
            "limit" in x["tlslens.truncated"])

def expect(what, got, want):
    if got != want:
        wrong.append(f"{what}: {str(got)[:120]!r}, not {str(want)[:120]!r}")

rest = iter(lines)
def following(name):
    x = next(rest)
    expect("order", x["url.path"].rsplit("/", 1)[1], name)
    return x

for name in "gzip", "deflate", "br", "zstd", "bare", "members", "br-gzip":
    x = following(name)
    expect(name, body(x), (text, None, None, False))
    expect(name + ": size on the wire", x["http.response.body.size"], len(served(name)))
for name in "bomb", "bombs":
    content, raw, coding, limit = body(following(name))
    expect(name, (len(content or ""), set(content or ""), raw, coding, limit), (65536, {"\0"}, None, None, True))
content, raw, coding, limit = body(following("cut"))
expect("cut", (bool(content), text.startswith(content or "?"), raw, limit), (True, True, None, True))
expect("damaged", body(following("damaged")), (None, served("damaged"), "gzip", False))
expect("unknown coding", body(following("gzip")), (None, served("gzip"), "compress", False))
expect("latin", body(following("latin"))[0], "na\u00efve caf\u00e9\n")
expect("utf16", body(following("utf16"))[0], "\u00e4\u20ac\U0001f600\n")
expect("sjis", body(following("sjis"))[0], "\u65e5\u672c\u8a9e\n")
expect("no charset: nothing is guessed", body(following("latin"))[:2], (None, served("latin")))
expect("neither is UTF-8", body(following("text"))[:2], (None, served("text")))
expect("ascii", body(following("ascii"))[0], "plain ascii\n")
expect("image", body(following("octets"))[:2], (None, bytes(range(256))))
expect("declared but not so", body(following("octets"))[:2], (None, bytes(range(256))))
expect("form", body(following("upload"), "request")[0], "a=1&b=two%20words&c=%C3%A4")
content = body(following("upload"), "request")[0] or ""
expect("multipart as it is", (content.startswith("--"), content.count("Content-Disposition: form-data"),
       "\r\n\r\nfirst\r\n" in content, "\r\n\r\nof a file\n\r\n" in content), (True, 2, True, True))
expect("lines", len(lines), 22)
print("\n".join(wrong))
sys.exit(bool(wrong))
PYTHON
replay() { "$program" replay "$work/raw" -o json:"$work/$1" "${@:2}" 2>>"$work/err"; }
with_body() { json "$work/$1" 'sorted({x["http.response.header.content-type"][0].split(";")[0] for x in t
	if "http.response.body.content" in x or "tlslens.response.body.base64" in x})'; }
replay again --body 64K --no-redact
check "a replay says the same" cmp "$work/json" "$work/again"
replay types --body 64K --body-types 'image/*,*html'
check "--body-types: those and no others" equal types "$(with_body types)" "['image/png', 'text/html']"
replay short --body 101
check "--body: no more than asked for, of what comes out" equal longest "$(json "$work/short" \
	'max(len(x.get("http.response.body.content", "").encode()) for x in t) in range(98, 102)')" True
replay none --body 0
check "none unless asked for" equal types "$(with_body none)" "[]"
finish
