//! Writes to topics: record batches and the Produce requests (version 3) that carry them.

use crate::protocol::{be16, be32, put_text, put_varint, Connection, LZ4, PARTITIONS};
use lz4_flex::frame::FrameEncoder;
use std::collections::VecDeque;
use std::io::Write;

const TIMEOUT_MS: i32 = 30_000;
/// Answers that may be under way; more would fill the broker's send buffer.
const IN_FLIGHT: usize = 4;

#[derive(Default)]
struct Records {
    content: Vec<u8>,
    count: i32,
}

/// Writes to the partitions of a topic, in order.
pub struct Writer {
    topic: String,
    open: [Records; PARTITIONS],
}

impl Writer {
    pub fn new(topic: &str) -> Writer {
        Writer { topic: topic.to_string(), open: Default::default() }
    }

    pub fn add(&mut self, partition: usize, key: &[u8], value: &[u8]) {
        let Records { content, count } = &mut self.open[partition];
        let mut record = Vec::with_capacity(key.len() + value.len() + 16);
        record.extend_from_slice(&[0, 0]); // attributes, time since the batch's
        put_varint(&mut record, *count as i64);
        put_varint(&mut record, key.len() as i64);
        record.extend_from_slice(key);
        put_varint(&mut record, value.len() as i64);
        record.extend_from_slice(value);
        record.push(0); // headers
        put_varint(content, record.len() as i64);
        content.extend_from_slice(&record);
        *count += 1;
    }

    /// Body of the request that writes what was added; None if nothing was.
    fn request(&mut self) -> Option<Vec<u8>> {
        let batches: Vec<(usize, Vec<u8>)> = self
            .open
            .iter_mut()
            .enumerate()
            .filter(|(_, records)| records.count > 0)
            .map(|(partition, records)| (partition, batch(std::mem::take(records))))
            .collect();
        if batches.is_empty() {
            return None;
        }
        let mut body = vec![];
        body.extend_from_slice(&(-1i16).to_be_bytes()); // no transaction
        body.extend_from_slice(&(-1i16).to_be_bytes()); // acknowledged by all replicas
        body.extend_from_slice(&TIMEOUT_MS.to_be_bytes());
        body.extend_from_slice(&1i32.to_be_bytes());
        put_text(&mut body, &self.topic);
        body.extend_from_slice(&(batches.len() as i32).to_be_bytes());
        for (partition, batch) in batches {
            body.extend_from_slice(&(partition as i32).to_be_bytes());
            body.extend_from_slice(&(batch.len() as i32).to_be_bytes());
            body.extend_from_slice(&batch);
        }
        Some(body)
    }
}

/// A record batch, compressed with lz4.
fn batch(records: Records) -> Vec<u8> {
    let now_ms = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis() as i64;
    let mut encoder = FrameEncoder::new(vec![]);
    encoder.write_all(&records.content).expect("memory");
    let packed = encoder.finish().expect("memory");
    let mut checked = vec![0, LZ4];
    checked.extend_from_slice(&(records.count - 1).to_be_bytes());
    for number in [now_ms, now_ms, -1] {
        checked.extend_from_slice(&number.to_be_bytes()); // first and last time; no idempotent producer
    }
    checked.extend_from_slice(&(-1i16).to_be_bytes());
    checked.extend_from_slice(&(-1i32).to_be_bytes());
    checked.extend_from_slice(&records.count.to_be_bytes());
    checked.extend_from_slice(&packed);
    let mut batch = 0i64.to_be_bytes().to_vec();
    batch.extend_from_slice(&(checked.len() as i32 + 9).to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes()); // leader's epoch
    batch.push(2);
    batch.extend_from_slice(&crc32c::crc32c(&checked).to_be_bytes());
    batch.extend_from_slice(&checked);
    batch
}

/// The connection that writes.
pub struct Sender {
    connection: Connection,
    in_flight: VecDeque<usize>, // partitions of each request
    answer: Vec<u8>,
}

impl Sender {
    pub fn new(broker: &str) -> Sender {
        Sender { connection: Connection::new(broker), in_flight: VecDeque::new(), answer: vec![] }
    }

    /// Sends what was added to a writer, without waiting for the broker.
    pub fn send(&mut self, writer: &mut Writer) {
        let partitions = writer.open.iter().filter(|records| records.count > 0).count();
        if let Some(body) = writer.request() {
            self.connection.send(0, 3, &body);
            self.in_flight.push_back(partitions);
            while self.in_flight.len() > IN_FLIGHT {
                self.acknowledged();
            }
        }
    }

    /// Waits until the broker has taken all that was sent.
    pub fn flush(&mut self) {
        while !self.in_flight.is_empty() {
            self.acknowledged();
        }
    }

    fn acknowledged(&mut self) {
        self.connection.receive(&mut self.answer);
        let answer = &self.answer;
        let partitions = self.in_flight.pop_front().expect("a request");
        let mut at = 4 + 4; // correlation, number of topics: one
        at += 2 + be16(answer, at) as usize + 4;
        for _ in 0..partitions {
            assert_eq!(be16(answer, at + 4), 0, "error of a write to partition {}", be32(answer, at));
            at += 22; // partition, error, offset, time
        }
    }
}
