//! A loop written by hand down to Kafka's protocol: what one core can do when nothing stands in between.
//!
//! No consumer group, no rebalancing. It is exact after a crash: each second the states that changed go to a changelog,
//! then, in the same partition, the offset from which to go on; what goes out is written before them. Started again, it
//! reads the changelog and goes on there. Messages with the same key are in the same partition of input, changelog and
//! output.

mod protocol;
mod reader;
mod rows;
mod sums;
mod writer;

use protocol::PARTITIONS;
use reader::Reader;
use rows::each_row;
use rustc_hash::FxHashMap;
use std::env::var;
use std::time::{Duration, Instant};
use sums::State;
use writer::{Sender, Writer};

const FETCH_BYTES: i32 = 8 << 20;
const CHECKPOINT: Duration = Duration::from_secs(1);
/// Key of the offset from which to go on; no asset has it.
const POSITION: &[u8] = b"\0position";

#[derive(Default)]
struct States {
    all: Vec<State>,
    by_key: FxHashMap<Vec<u8>, usize>,
}

impl States {
    fn index(&mut self, key: &[u8], partition: usize) -> usize {
        match self.by_key.get(key) {
            Some(index) => *index,
            None => self.put(State::new(key, partition)),
        }
    }

    fn put(&mut self, state: State) -> usize {
        if let Some(index) = self.by_key.get(&state.key) {
            self.all[*index] = state;
            return *index;
        }
        self.by_key.insert(state.key.clone(), self.all.len());
        self.all.push(state);
        self.all.len() - 1
    }
}

/// States and offsets in the changelog.
///
/// A state may include messages from its partition's offset on (it was written, the offset was not): its own offset
/// says which, and they are not added again.
fn recovered(broker: &str, changelog: &str) -> (States, [i64; PARTITIONS]) {
    let (mut states, mut positions) = (States::default(), [0; PARTITIONS]);
    let mut reader = Reader::new(broker, changelog, [0; PARTITIONS], FETCH_BYTES);
    while !reader.at_end() {
        reader.ask();
        reader.take_only(|partition, _, key, value| {
            if key == POSITION {
                positions[partition] = i64::from_le_bytes(value.try_into().expect("an offset"));
            } else {
                states.put(State::read(key, partition, value));
            }
        });
    }
    eprintln!("recovered {} states, positions {positions:?}", states.all.len());
    (states, positions)
}

fn main() {
    let setting = |name: &str| var(format!("BENCH_{name}")).unwrap_or_else(|_| panic!("BENCH_{name} is not set"));
    let broker = setting("BROKER");
    let last: u64 = setting("ROWS_PER_ASSET").parse().expect("a number");
    let changelog_topic = format!("{}-changelog", setting("RUN"));

    let (mut states, positions) = recovered(&broker, &changelog_topic);
    let mut reader = Reader::new(&broker, &setting("INPUT"), positions, FETCH_BYTES);
    let mut sender = Sender::new(&broker);
    let (mut output, mut changelog) = (Writer::new(&setting("OUTPUT")), Writer::new(&changelog_topic));
    let mut changed: Vec<usize> = vec![];
    let mut due = Instant::now() + CHECKPOINT;
    reader.ask();
    loop {
        reader.take(|partition, offset, key, value| {
            let index = states.index(key, partition);
            let state = &mut states.all[index];
            if offset <= state.offset {
                return;
            }
            state.offset = offset;
            let mut closed = false;
            let mut emit = |record: &[u8]| output.add(partition, key, record);
            each_row(value, |row| closed |= state.add(&row, &mut emit));
            if closed || state.rows() == last {
                emit(&state.lifetime(key));
            }
            if !state.changed {
                state.changed = true;
                changed.push(index);
            }
        });
        sender.send(&mut output);
        if !changed.is_empty() && Instant::now() > due {
            sender.flush(); // a state must not say that a record went out that a crash then loses
            for index in changed.drain(..) {
                let state = &mut states.all[index];
                state.changed = false;
                changelog.add(state.partition, &state.key, &state.bytes());
            }
            for (partition, offset) in reader.offsets.iter().enumerate() {
                changelog.add(partition, POSITION, &offset.to_le_bytes());
            }
            sender.send(&mut changelog);
            sender.flush();
            due = Instant::now() + CHECKPOINT;
        }
    }
}
