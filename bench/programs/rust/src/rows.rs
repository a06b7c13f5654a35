//! Rows in a message, found by a scan: strings are borrowed, nothing is allocated.
//!
//! It reads what the fleet's producers write: flat objects of strings without escapes and of decimal numbers.

#[derive(Clone, Copy, Default)]
pub struct Row<'a> {
    pub asset_id: &'a [u8],
    pub timestamp: &'a [u8],
    pub current: f64,
    pub voltage: f64,
    pub soc: f64,
}

/// Calls `each` for every row of a message that holds one or an array of them.
pub fn each_row<'a>(message: &'a [u8], mut each: impl FnMut(Row<'a>)) {
    let mut at = 0;
    while let Some(brace) = memchr::memchr(b'{', &message[at..]) {
        let (row, end) = row(message, at + brace + 1);
        each(row);
        at = end;
    }
}

/// The row whose first field begins at `at`, and where it ends.
fn row(text: &[u8], mut at: usize) -> (Row<'_>, usize) {
    let mut row = Row::default();
    loop {
        while text[at] != b'"' {
            if text[at] == b'}' {
                return (row, at + 1);
            }
            at += 1;
        }
        let (name, end) = string(text, at);
        at = end;
        while matches!(text[at], b':' | b' ') {
            at += 1;
        }
        if text[at] == b'"' {
            let (value, end) = string(text, at);
            at = end;
            match name {
                b"asset_id" => row.asset_id = value,
                b"timestamp" => row.timestamp = value,
                _ => {}
            }
        } else {
            let (value, end) = number(text, at);
            at = end;
            match name {
                b"current" => row.current = value,
                b"voltage" => row.voltage = value,
                b"soc" => row.soc = value,
                _ => {}
            }
        }
    }
}

/// The string whose opening quote is at `at`, and where it ends.
fn string(text: &[u8], at: usize) -> (&[u8], usize) {
    let length = memchr::memchr(b'"', &text[at + 1..]).expect("a string ends");
    (&text[at + 1..at + 1 + length], at + length + 2)
}

/// The number at `at`, and where it ends.
///
/// With at most 15 digits it is an integer divided by a power of ten: both are exact in binary, so the quotient is the
/// nearest double, as a parser of all numbers would give it.
fn number(text: &[u8], start: usize) -> (f64, usize) {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let negative = text[start] == b'-';
    let mut at = start + negative as usize;
    let (mut digits, mut decimals, mut mantissa, mut point, mut simple) = (0, 0, 0u64, false, true);
    while at < text.len() {
        match text[at] {
            digit @ b'0'..=b'9' => {
                mantissa = mantissa.wrapping_mul(10).wrapping_add((digit - b'0') as u64);
                digits += 1;
                decimals += point as usize;
            }
            b'.' => point = true,
            b'e' | b'E' | b'+' | b'-' => simple = false,
            _ => break,
        }
        at += 1;
    }
    if !simple || digits > 15 {
        let text = std::str::from_utf8(&text[start..at]).expect("digits");
        return (text.parse().expect("a number"), at);
    }
    let value = mantissa as f64 / POWERS[decimals];
    (if negative { -value } else { value }, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_in_objects_and_arrays() {
        let one = br#"{"asset_id":"a","timestamp":"2022-04-13T00:00:02Z","current":-12.5,"voltage":900,"soc":1e1}"#;
        let mut message = vec![b'['];
        message.extend_from_slice(one);
        message.push(b',');
        message.extend_from_slice(one);
        message.push(b']');
        for (content, count) in [(one.to_vec(), 1), (message, 2), (b"[]".to_vec(), 0)] {
            let mut found = 0;
            each_row(&content, |row| {
                assert_eq!((row.asset_id, row.timestamp), (&b"a"[..], &b"2022-04-13T00:00:02Z"[..]));
                assert_eq!((row.current, row.voltage, row.soc), (-12.5, 900.0, 10.0));
                found += 1;
            });
            assert_eq!(found, count);
        }
    }

    #[test]
    fn numbers_are_what_the_standard_parser_makes_of_them() {
        for text in
            ["0", "-0.1", "149.9", "0.30000000000000004", "123456789012345", "1e-7", "-1.5E+3", "99999999999999999999"]
        {
            let content = format!("{text}}}");
            let (value, end) = number(content.as_bytes(), 0);
            assert_eq!((value.to_bits(), end), (text.parse::<f64>().unwrap().to_bits(), text.len()));
        }
    }
}
