//! Reads a topic: Fetch requests (version 4) and the messages in their answers.

use crate::protocol::{be16, be32, be64, put_text, varint, Connection, LZ4, PARTITIONS};
use lz4_flex::frame::FrameDecoder;
use std::io::Read;
use std::time::Duration;

const BATCH_HEADER: usize = 61;
const MAX_WAIT_MS: i32 = 500;
/// Error of a partition that has just been created.
const NOT_LED_YET: i16 = 6;

struct Batch {
    partition: usize,
    begin: usize,
    end: usize,
}

/// Reads the partitions of a topic from given offsets on.
pub struct Reader {
    connection: Connection,
    topic: String,
    bytes: i32,
    pub offsets: [i64; PARTITIONS], // of the next message of each partition
    ends: [i64; PARTITIONS],
    answer: Vec<u8>,
    plain: Vec<u8>,
}

impl Reader {
    pub fn new(broker: &str, topic: &str, offsets: [i64; PARTITIONS], bytes: i32) -> Reader {
        let connection = Connection::new(broker);
        let topic = topic.to_string();
        Reader { connection, topic, bytes, offsets, ends: [i64::MAX; PARTITIONS], answer: vec![], plain: vec![] }
    }

    /// Whether all is read that was there at the last answer.
    pub fn at_end(&self) -> bool {
        self.offsets == self.ends
    }

    /// Asks for what comes next.
    pub fn ask(&mut self) {
        let mut body = vec![];
        for number in [-1, MAX_WAIT_MS, 1, self.bytes] {
            body.extend_from_slice(&number.to_be_bytes());
        }
        body.push(0); // also what is not committed: there are no transactions
        body.extend_from_slice(&1i32.to_be_bytes());
        put_text(&mut body, &self.topic);
        body.extend_from_slice(&(PARTITIONS as i32).to_be_bytes());
        for (partition, offset) in self.offsets.iter().enumerate() {
            body.extend_from_slice(&(partition as i32).to_be_bytes());
            body.extend_from_slice(&offset.to_be_bytes());
            body.extend_from_slice(&(self.bytes / PARTITIONS as i32).to_be_bytes());
        }
        self.connection.send(1, 4, &body);
    }

    /// Takes the answer and asks for the next one, which the broker makes while this one is worked on: `each` gets
    /// partition, offset, key and value of every message.
    pub fn take(&mut self, each: impl FnMut(usize, i64, &[u8], &[u8])) {
        let begin = self.offsets;
        let batches = self.receive();
        self.ask();
        self.messages(&batches, begin, each);
    }

    /// Takes the answer without asking for the next one.
    pub fn take_only(&mut self, each: impl FnMut(usize, i64, &[u8], &[u8])) {
        let begin = self.offsets;
        let batches = self.receive();
        self.messages(&batches, begin, each);
    }

    /// Where the batches of the answer are; the offsets are those behind them then.
    fn receive(&mut self) -> Vec<Batch> {
        self.connection.receive(&mut self.answer);
        let answer = &self.answer;
        let mut batches = vec![];
        let mut at = 4 + 4 + 4; // correlation, throttle, number of topics: one
        at += 2 + be16(answer, at) as usize;
        let partitions = be32(answer, at);
        at += 4;
        for _ in 0..partitions {
            let partition = be32(answer, at) as usize;
            match be16(answer, at + 4) {
                0 => self.ends[partition] = be64(answer, at + 6),
                NOT_LED_YET => std::thread::sleep(Duration::from_millis(50)), // asked for again
                error => panic!("error {error} of partition {partition} of {}", self.topic),
            }
            at += 22;
            at += 4 + 16 * be32(answer, at).max(0) as usize; // aborted transactions
            let end = at + 4 + be32(answer, at).max(0) as usize;
            at += 4;
            while at + BATCH_HEADER <= end {
                let next = at + 12 + be32(answer, at + 8) as usize;
                if next > end {
                    break; // a batch that is cut off comes again
                }
                batches.push(Batch { partition, begin: at, end: next });
                self.offsets[partition] = be64(answer, at) + be32(answer, at + 23) as i64 + 1;
                at = next;
            }
            at = end;
        }
        batches
    }

    fn messages(
        &mut self,
        batches: &[Batch],
        begin: [i64; PARTITIONS],
        mut each: impl FnMut(usize, i64, &[u8], &[u8]),
    ) {
        for batch in batches {
            let content = &self.answer[batch.begin..batch.end];
            assert_eq!(crc32c::crc32c(&content[21..]), be32(content, 17) as u32, "checksum of a batch");
            let records = match content[22] & 7 {
                0 => &content[BATCH_HEADER..],
                LZ4 => {
                    self.plain.clear();
                    FrameDecoder::new(&content[BATCH_HEADER..]).read_to_end(&mut self.plain).expect("lz4");
                    &self.plain
                }
                codec => panic!("compression {codec} is neither none nor lz4"),
            };
            let base = be64(content, 0);
            let mut at = 0;
            for _ in 0..be32(content, 57) {
                let length = varint(records, &mut at) as usize;
                let next = at + length;
                at += 1;
                varint(records, &mut at);
                let offset = base + varint(records, &mut at);
                let key = varint(records, &mut at).max(0) as usize;
                let key = &records[at..at + key];
                at += key.len();
                let value = varint(records, &mut at).max(0) as usize;
                if offset >= begin[batch.partition] {
                    each(batch.partition, offset, key, &records[at..at + value]);
                }
                at = next;
            }
        }
    }
}
