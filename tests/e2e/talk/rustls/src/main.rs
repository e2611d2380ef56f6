// SPDX-License-Identifier: GPL-2.0-or-later
//! One HTTP/1 exchange over rustls on the loopback: `talk client PORT`, or `talk server CERT KEY`, which prints its
//! port. `talk many PORT THREADS CONNECTIONS` asks for /THREAD/CONNECTION, several connections of a thread at once.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

struct AnyCertificate;
impl rustls::client::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self, _: &rustls::Certificate, _: &[rustls::Certificate], _: &rustls::ServerName,
        _: &mut dyn Iterator<Item = &[u8]>, _: &[u8], _: std::time::SystemTime,
    ) -> Result<rustls::client::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::ServerCertVerified::assertion())
    }
}

type Stream = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

fn connect(port: &str) -> Stream {
    let config = rustls::ClientConfig::builder()
        .with_safe_defaults()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(tls, TcpStream::connect(format!("127.0.0.1:{port}")).unwrap())
}

fn ask(stream: &mut Stream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
}

fn hear(stream: &mut Stream) {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.is_empty());
}

fn client(port: &str) {
    let mut stream = connect(port);
    ask(&mut stream, "/hello");
    hear(&mut stream);
}

fn many(port: &str, threads: usize, connections: usize) {
    std::thread::scope(|scope| {
        for t in 0..threads {
            scope.spawn(move || {
                let mut streams: Vec<Stream> = (0..connections).map(|_| connect(port)).collect();
                for (c, stream) in streams.iter_mut().enumerate() {
                    ask(stream, &format!("/{t}/{c}"));
                }
                streams.iter_mut().rev().for_each(hear);
            });
        }
    });
}

fn server(cert: &str, key: &str) {
    let read = |path: &str| std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let certs = rustls_pemfile::certs(&mut read(cert)).unwrap();
    let key = rustls_pemfile::pkcs8_private_keys(&mut read(key)).unwrap().remove(0);
    let config = rustls::ServerConfig::builder()
        .with_safe_defaults()
        .with_no_client_auth()
        .with_single_cert(certs.into_iter().map(rustls::Certificate).collect(), rustls::PrivateKey(key))
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let (tcp, _) = listener.accept().unwrap();
    let tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = rustls::StreamOwned::new(tls, tcp);
    let mut request = [0; 4096];
    let mut got = 0;
    while !request[..got].windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut request[got..]).unwrap();
        assert!(n > 0);
        got += n;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n").unwrap();
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.len() {
        3 => client(&args[2]),
        4 => server(&args[2], &args[3]),
        5 => many(&args[2], args[3].parse().unwrap(), args[4].parse().unwrap()),
        _ => std::process::exit(2),
    }
}
