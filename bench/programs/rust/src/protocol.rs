//! As much of Kafka's protocol as the loop needs: numbers, requests and answers over a connection.
//!
//! There is one broker, which leads all partitions. Any error ends the process: started again, it recovers.

use std::io::{Read, Write};
use std::net::TcpStream;

pub const PARTITIONS: usize = 4;

/// Compression of a record batch.
pub const LZ4: u8 = 3;

pub fn be16(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(bytes[at..at + 2].try_into().expect("2 bytes"))
}

pub fn be32(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

pub fn be64(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

pub fn varint(bytes: &[u8], at: &mut usize) -> i64 {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= ((byte & 127) as u64) << shift;
        if byte < 128 {
            return (value >> 1) as i64 ^ -((value & 1) as i64);
        }
        shift += 7;
    }
}

pub fn put_varint(bytes: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left > 127 {
        bytes.push(left as u8 | 128);
        left >>= 7;
    }
    bytes.push(left as u8);
}

pub fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as i16).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

pub struct Connection(TcpStream);

impl Connection {
    pub fn new(broker: &str) -> Connection {
        let socket = TcpStream::connect(broker).expect("a broker");
        socket.set_nodelay(true).expect("a socket");
        Connection(socket)
    }

    pub fn send(&mut self, api: i16, version: i16, body: &[u8]) {
        let mut request = vec![0; 4];
        request.extend_from_slice(&api.to_be_bytes());
        request.extend_from_slice(&version.to_be_bytes());
        request.extend_from_slice(&0i32.to_be_bytes()); // answers come in order: no need to tell them apart
        put_text(&mut request, "loop");
        let length = (request.len() - 4 + body.len()) as i32;
        request[..4].copy_from_slice(&length.to_be_bytes());
        request.extend_from_slice(body);
        self.0.write_all(&request).expect("the broker listens");
    }

    /// The next answer, without its length.
    pub fn receive(&mut self, answer: &mut Vec<u8>) {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("the broker answers");
        answer.resize(i32::from_be_bytes(length) as usize, 0);
        self.0.read_exact(answer).expect("the broker answers");
    }
}
