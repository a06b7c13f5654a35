//! The same sums as those of bench/programs/fold.py, of an asset's lifetime and of its open minute.

use crate::rows::Row;

/// Energy [J], charge [As], and how far the SoC went [%]: of all rows, of charging and of discharging ones.
#[derive(Clone, Copy)]
struct Sums {
    energy_out: f64,
    energy_in: f64,
    charge_out: f64,
    charge_in: f64,
    travel: [f64; 3],
    last_soc: [f64; 3], // NaN: none yet
    rows: u64,
}

const NUMBERS: usize = 11;

impl Sums {
    const EMPTY: Sums = Sums {
        energy_out: 0.0,
        energy_in: 0.0,
        charge_out: 0.0,
        charge_in: 0.0,
        travel: [0.0; 3],
        last_soc: [f64::NAN; 3],
        rows: 0,
    };

    /// Adds a row, which counts for one second.
    #[inline]
    fn add(&mut self, row: &Row) {
        if row.current > 0.0 {
            self.energy_in += row.current * row.voltage;
            self.charge_in += row.current;
            self.travel(1, row.soc);
        } else if row.current < 0.0 {
            self.energy_out -= row.current * row.voltage;
            self.charge_out -= row.current;
            self.travel(2, row.soc);
        }
        self.travel(0, row.soc);
        self.rows += 1;
    }

    #[inline]
    fn travel(&mut self, which: usize, soc: f64) {
        let change = (soc - self.last_soc[which]).abs();
        self.travel[which] += if change.is_nan() { 0.0 } else { change };
        self.last_soc[which] = soc;
    }

    fn numbers(&self) -> [f64; NUMBERS] {
        let ([a, b, c], [d, e, f]) = (self.travel, self.last_soc);
        [self.energy_out, self.energy_in, self.charge_out, self.charge_in, a, b, c, d, e, f, self.rows as f64]
    }

    fn of(numbers: [f64; NUMBERS]) -> Sums {
        let [energy_out, energy_in, charge_out, charge_in, a, b, c, d, e, f, rows] = numbers;
        let (travel, last_soc) = ([a, b, c], [d, e, f]);
        Sums { energy_out, energy_in, charge_out, charge_in, travel, last_soc, rows: rows as u64 }
    }
}

/// What an asset has in memory, and in the changelog.
pub struct State {
    pub key: Vec<u8>,
    pub partition: usize,
    pub offset: i64,   // of the newest message that the sums include
    pub changed: bool, // since the last checkpoint
    life: Sums,
    window: Sums,
    minute: Vec<u8>, // start of the open window
    stamp: Vec<u8>,  // of the newest row
}

const MINUTE_BYTES: usize = "2006-01-02T15:04".len();

impl State {
    pub fn new(key: &[u8], partition: usize) -> State {
        State {
            key: key.to_vec(),
            partition,
            offset: -1,
            changed: false,
            life: Sums::EMPTY,
            window: Sums::EMPTY,
            minute: vec![],
            stamp: vec![],
        }
    }

    /// Adds a row. An asset's own next minute closes its window, which goes out then; returns whether it did.
    #[inline]
    pub fn add(&mut self, row: &Row, emit: &mut impl FnMut(&[u8])) -> bool {
        let minute = &row.timestamp[..MINUTE_BYTES];
        let passed = minute != self.minute;
        let closed = passed && !self.minute.is_empty();
        if passed {
            if closed {
                emit(&self.record(&self.window, row.asset_id, Some(&self.minute)));
            }
            self.minute.clear();
            self.minute.extend_from_slice(minute);
            self.window = Sums::EMPTY;
        }
        self.life.add(row);
        self.window.add(row);
        self.stamp.clear();
        self.stamp.extend_from_slice(row.timestamp);
        closed
    }

    pub fn rows(&self) -> u64 {
        self.life.rows
    }

    /// The lifetime as it goes out.
    pub fn lifetime(&self, asset_id: &[u8]) -> Vec<u8> {
        self.record(&self.life, asset_id, None)
    }

    fn record(&self, sums: &Sums, asset_id: &[u8], window: Option<&[u8]>) -> Vec<u8> {
        let mut text = Vec::with_capacity(384);
        let mut format = ryu::Buffer::new();
        text.extend_from_slice(b"{\"asset_id\":\"");
        text.extend_from_slice(asset_id);
        text.extend_from_slice(b"\",\"window\":");
        match window {
            None => text.extend_from_slice(b"null"),
            Some(minute) => {
                text.push(b'"');
                text.extend_from_slice(minute);
                text.push(b'"');
            }
        }
        text.extend_from_slice(format!(",\"rows\":{}", sums.rows).as_bytes());
        for (name, value) in [
            ("charge_in_as", sums.charge_in),
            ("charge_out_as", sums.charge_out),
            ("energy_in_j", sums.energy_in),
            ("energy_out_j", sums.energy_out),
            ("travel_percent", sums.travel[0]),
            ("travel_in_percent", sums.travel[1]),
            ("travel_out_percent", sums.travel[2]),
        ] {
            text.extend_from_slice(b",\"");
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b"\":");
            text.extend_from_slice(format.format_finite(value).as_bytes());
        }
        text.extend_from_slice(b",\"timestamp\":\"");
        text.extend_from_slice(&self.stamp);
        text.extend_from_slice(b"\"}");
        text
    }

    /// The state in binary: offset, numbers, minute, stamp.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.offset.to_le_bytes().to_vec();
        for number in self.life.numbers().into_iter().chain(self.window.numbers()) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.minute);
        bytes.extend_from_slice(&self.stamp);
        bytes
    }

    /// The state that was written so.
    pub fn read(key: &[u8], partition: usize, bytes: &[u8]) -> State {
        let mut words = bytes.chunks_exact(8).map(|word| <[u8; 8]>::try_from(word).expect("8 bytes"));
        let mut state = State::new(key, partition);
        state.offset = i64::from_le_bytes(words.next().expect("an offset"));
        let mut sums = || Sums::of(std::array::from_fn(|_| f64::from_le_bytes(words.next().expect("a number"))));
        (state.life, state.window) = (sums(), sums());
        let (minute, stamp) = bytes[8 * (1 + 2 * NUMBERS)..].split_at(MINUTE_BYTES);
        (state.minute, state.stamp) = (minute.to_vec(), stamp.to_vec());
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let mut state = State::new(b"a", 2);
        state.offset = 7;
        for (second, current) in [("59", 1.5), ("00", -2.5)] {
            let stamp = format!("2022-04-13T00:0{}:{second}Z", (second == "00") as u8);
            let row = Row { asset_id: b"a", timestamp: stamp.as_bytes(), current, voltage: 2.0, soc: 50.0 };
            state.add(&row, &mut |_| {});
        }
        let again = State::read(b"a", 2, &state.bytes());
        assert_eq!((again.bytes(), again.rows()), (state.bytes(), 2));
        assert_eq!(again.lifetime(b"a"), state.lifetime(b"a"));
    }
}
