// SPDX-License-Identifier: GPL-2.0-or-later

// One HTTP/1 exchange by Go's crypto/tls, as talk.h has it for the libraries of C: `talk client PORT`, or
// `talk server CERT KEY`, which prints its port and serves one connection.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
)

const (
	request  = "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	response = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func client(port string) {
	c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true})
	must(err)
	_, err = io.WriteString(c, request)
	must(err)
	_, err = io.Copy(os.Stdout, c)
	must(err)
	must(c.Close())
}

func server(cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	must(err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	must(err)
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	c, err := l.Accept()
	must(err)
	_, err = c.Read(make([]byte, 4096))
	must(err)
	_, err = io.WriteString(c, response)
	must(err)
	must(c.Close())
}

func main() {
	if os.Args[1] == "client" {
		client(os.Args[2])
	} else {
		server(os.Args[2], os.Args[3])
	}
}
