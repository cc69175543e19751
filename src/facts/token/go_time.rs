//! The value of `X-Amz-Date` as Go's `time.Parse` reads it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::go_text;

const LAYOUT: &str = "20060102T150405Z";

/// A time as it stands in `X-Amz-Date`. The error is Go's.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    let mut reader = Reader { text, rest: text };
    let year = reader.number(4, "2006", "", 0..=9999)?;
    let month = reader.number(2, "01", "month", 1..=12)?;
    // Days are checked last, when year and month are known.
    let day = reader.number(2, "02", "", 0..=99)?;
    reader.literal("T")?;
    let hour = reader.hour()?;
    let minute = reader.number(2, "04", "minute", 0..=59)?;
    let second = reader.number(2, "05", "second", 0..=59)?;
    let nanosecond = reader.fraction();
    reader.literal("Z")?;
    if !reader.rest.is_empty() {
        return Err(reader.because(&format!("extra text: {}", quote(reader.rest))));
    }
    let date = Date::new(year, month as i8, day as i8).map_err(|_| reader.because("day out of range"))?;
    let time = date.at(hour as i8, minute as i8, second as i8, nanosecond);
    // The last hours of the year 9999 are beyond a time stamp, and far enough in the future as it is.
    Ok(TimeZone::UTC.to_timestamp(time).unwrap_or(Timestamp::MAX))
}

/// A time as Go prints it: `2026-11-21 09:44:58 +0000 UTC`.
pub(super) fn print(time: Timestamp) -> String {
    let nanosecond = time.subsec_nanosecond();
    let fraction = if nanosecond == 0 { String::new() } else { format!(".{nanosecond:09}") };
    format!("{}{} +0000 UTC", time.strftime("%Y-%m-%d %H:%M:%S"), fraction.trim_end_matches('0'))
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn number(
        &mut self,
        digits: usize,
        element: &str,
        name: &str,
        range: std::ops::RangeInclusive<i16>,
    ) -> Result<i16, String> {
        let number = self.rest.get(..digits).filter(|number| number.bytes().all(|digit| digit.is_ascii_digit()));
        let Some(value) = number.and_then(|number| number.parse().ok()) else { return Err(self.cannot_parse(element)) };
        self.rest = self.rest.get(digits..).unwrap_or_default();
        if range.contains(&value) { Ok(value) } else { Err(self.because(&format!("{name} out of range"))) }
    }

    /// Hours may have one digit.
    fn hour(&mut self) -> Result<i16, String> {
        let digits = if self.rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) { 2 } else { 1 };
        self.number(digits, "15", "hour", 0..=23)
    }

    fn literal(&mut self, literal: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(literal).ok_or_else(|| self.cannot_parse(literal))?;
        Ok(())
    }

    /// Go reads a fraction of a second even where the layout has none.
    fn fraction(&mut self) -> i32 {
        let Some(fraction) = self.rest.strip_prefix(['.', ',']) else { return 0 };
        let digits = fraction.len() - fraction.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let (digits, rest) = fraction.split_at(digits);
        if digits.is_empty() {
            return 0;
        }
        self.rest = rest;
        let padded: String = digits.chars().chain("000000000".chars()).take(9).collect();
        padded.parse().unwrap_or_default()
    }

    fn cannot_parse(&self, element: &str) -> String {
        let (text, rest) = (quote(self.text), quote(self.rest));
        format!("parsing time {text} as \"{LAYOUT}\": cannot parse {rest} as \"{element}\"")
    }

    fn because(&self, why: &str) -> String {
        format!("parsing time {}: {why}", quote(self.text))
    }
}

/// Package `time` has a `quote` of its own.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='\u{7f}' => quoted.push(character),
            _ => quoted.extend(go_text::bytes_of(character).iter().map(|byte| format!("\\x{byte:02x}"))),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_printed_as_in_go() {
        let time = parse("20261121T094458Z").unwrap();
        assert_eq!(time.to_string(), "2026-11-21T09:44:58Z");
        assert_eq!(print(time), "2026-11-21 09:44:58 +0000 UTC");
        assert_eq!(print(parse("20261121T094458.250Z").unwrap()), "2026-11-21 09:44:58.25 +0000 UTC");
        assert_eq!(parse("99991231T235959Z").unwrap(), Timestamp::MAX);
        for (text, message) in [
            ("2026-11-21", r#"parsing time "2026-11-21" as "20060102T150405Z": cannot parse "-11-21" as "01""#),
            ("20261321T094458Z", r#"parsing time "20261321T094458Z": month out of range"#),
            ("20260230T094458Z", r#"parsing time "20260230T094458Z": day out of range"#),
            ("20261121T094458Zx", r#"parsing time "20261121T094458Zx": extra text: "x""#),
            ("\u{e9}\"", r#"parsing time "\xc3\xa9\"" as "20060102T150405Z": cannot parse "\xc3\xa9\"" as "2006""#),
            ("20261121T094458", r#"parsing time "20261121T094458" as "20060102T150405Z": cannot parse "" as "Z""#),
        ] {
            assert_eq!(parse(text).unwrap_err(), message);
        }
    }
}
