// SPDX-License-Identifier: GPL-2.0-or-later

// Conversations of many goroutines over crypto/tls, in one process that is both ends of each: clients post bodies
// and read the answers, from stacks that grow and are moved. A body comes back in pieces that as many goroutines
// write at once. `goroutines CERT KEY CLIENTS REQUESTS [wait]` prints what each client received; where NOTES names a
// file, each line of it is a request's path, ports of client and server, SHA-256 of its body and of the answer's as
// it happened to be ordered. With `wait`, each request waits for a line of standard input.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

const (
	bodyMaxBytes  = 70000
	pieceMaxBytes = 20000
	headBytes     = 8 // of a piece: where it belongs, how long it is
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// So many frames below, f is called: the stack has grown by then, and may have moved.
func deep(n int, f func()) byte {
	var room [512]byte
	room[n%len(room)] = byte(n)
	if n == 0 {
		runtime.Gosched()
		f()
		return room[0]
	}
	return deep(n-1, f) + room[n%len(room)]
}

// Reads and writes of a connection from stacks of changing depth.
type grown struct {
	net.Conn
	calls uint32
}

func (g *grown) depth() int { return int(atomic.AddUint32(&g.calls, 7) % 90) }

func (g *grown) Read(p []byte) (n int, err error) {
	deep(g.depth(), func() { n, err = g.Conn.Read(p) })
	return
}

func (g *grown) Write(p []byte) (n int, err error) {
	deep(g.depth(), func() { n, err = g.Conn.Write(p) })
	return
}

// What is below TLS: stacks grow within its calls as well, with its frames on them.
type below struct{ grown }

func bodyOf(client, request int) []byte {
	r := rand.New(rand.NewSource(int64(client*1000 + request)))
	b := make([]byte, r.Intn(bodyMaxBytes))
	r.Read(b)
	return b
}

// A chunk of HTTP/1, by one call.
func piece(body []byte, at int) []byte {
	part := body[at:min(at+pieceMaxBytes, len(body))]
	head := binary.BigEndian.AppendUint32(nil, uint32(at))
	head = binary.BigEndian.AppendUint32(head, uint32(len(part)))
	return []byte(fmt.Sprintf("%x\r\n%s%s\r\n", headBytes+len(part), head, part))
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func answer(c net.Conn, body []byte) {
	var all sync.WaitGroup
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	must(err)
	for at := 0; at < len(body); at += pieceMaxBytes {
		all.Add(1)
		go func(at int) {
			defer all.Done()
			_, err := c.Write(piece(body, at))
			must(err)
		}(at)
	}
	all.Wait()
	_, err = io.WriteString(c, "0\r\n\r\n")
	must(err)
}

// The body that such an answer brings back.
func ordered(got []byte, n int) []byte {
	body := make([]byte, n)
	for len(got) >= headBytes {
		at, size := binary.BigEndian.Uint32(got), binary.BigEndian.Uint32(got[4:])
		copy(body[at:], got[headBytes:headBytes+size])
		got = got[headBytes+size:]
	}
	return body
}

func serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(q.Body)
		must(err)
		answer(c, body)
	}
}

// The request is written by one goroutine while this one reads the answer.
func talk(c net.Conn, ports string, client, request int, out, notes io.Writer) {
	body := bodyOf(client, request)
	q, err := http.NewRequest("POST", fmt.Sprintf("https://localhost/%d/%d", client, request),
		bytes.NewReader(body))
	must(err)
	var sent bytes.Buffer
	must(q.Write(&sent))
	written := make(chan error)
	go func() {
		for sent.Len() > 0 {
			if _, err := c.Write(sent.Next(9000)); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	answer, err := http.ReadResponse(bufio.NewReader(c), q)
	must(err)
	got, err := io.ReadAll(answer.Body)
	must(err)
	must(<-written)
	fmt.Fprintf(out, "%s %x\n", q.URL.Path, sha256.Sum256(ordered(got, len(body))))
	fmt.Fprintf(notes, "%s %s %x %x\n", q.URL.Path, ports, sha256.Sum256(body), sha256.Sum256(got))
}

func portOf(a net.Addr) int { return a.(*net.TCPAddr).Port }

func client(addr string, k, requests int, step <-chan bool, out, notes io.Writer) {
	raw, err := net.Dial("tcp", addr)
	must(err)
	own := &tls.Config{InsecureSkipVerify: true}
	if k%2 == 1 {
		own.MaxVersion = tls.VersionTLS12
	}
	c := &grown{Conn: tls.Client(&below{grown{Conn: raw}}, own)}
	ports := fmt.Sprintf("%d %d", portOf(raw.LocalAddr()), portOf(raw.RemoteAddr()))
	for i := 0; i < requests; i++ {
		if step != nil {
			<-step
		}
		talk(c, ports, k, i, out, notes)
	}
	must(c.Close())
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	must(err)
	return n
}

func listen(cert, key string) string {
	pair, err := tls.LoadX509KeyPair(cert, key)
	must(err)
	own := &tls.Config{Certificates: []tls.Certificate{pair}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		for {
			c, err := l.Accept()
			must(err)
			go serve(&grown{Conn: tls.Server(&below{grown{Conn: c}}, own)})
		}
	}()
	return l.Addr().String()
}

func lines(in io.Reader) <-chan bool {
	step := make(chan bool)
	go func() {
		for s := bufio.NewScanner(in); s.Scan(); {
			step <- true
		}
		close(step)
	}()
	return step
}

func main() {
	addr := listen(os.Args[1], os.Args[2])
	clients, requests := number(os.Args[3]), number(os.Args[4])
	var step <-chan bool
	if len(os.Args) > 5 {
		step = lines(os.Stdin)
	}
	outs, notes := make([]bytes.Buffer, clients), make([]bytes.Buffer, clients)
	var all sync.WaitGroup
	for k := 0; k < clients; k++ {
		all.Add(1)
		go func(k int) {
			defer all.Done()
			out := io.Writer(&outs[k])
			if step != nil {
				out = os.Stdout
			}
			client(addr, k, requests, step, out, &notes[k])
		}(k)
	}
	all.Wait()
	for k := range outs {
		os.Stdout.Write(outs[k].Bytes())
	}
	if name := os.Getenv("NOTES"); name != "" {
		must(os.WriteFile(name, bytes.Join(byBytes(notes), nil), 0o600))
	}
}

func byBytes(b []bytes.Buffer) (all [][]byte) {
	for k := range b {
		all = append(all, b[k].Bytes())
	}
	return
}
