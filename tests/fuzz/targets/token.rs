//! Any token is judged; nothing of it that is secret is said.
#![no_main]

use eks_doctor::facts::arn::Partition;
use eks_doctor::facts::token::{PREFIX, Server, examine, interpret_sts_answer, judge_statement};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (url, answer) = text.split_once('\0').unwrap_or((text, ""));
    let server = Server { partition: Partition::Aws, region: "eu-west-1".to_owned() };
    let now = Timestamp::UNIX_EPOCH;
    for token in [url.to_owned(), format!("{PREFIX}{url}"), format!("{PREFIX}{}", base64url(url.as_bytes()))] {
        let examined = examine(&token, &server, now);
        judge_statement(&examined.statement, &server, now);
        if let Ok(request) = examined.outcome {
            let _ = interpret_sts_answer(&request, 200, answer);
        }
    }
});

/// Unpadded base64 in the URL-safe alphabet.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |bits: u32, shift: u32| char::from(ALPHABET[(bits >> shift) as usize & 63]);
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        [18, 12, 6, 0].into_iter().take(group.len() + 1).map(move |shift| digit(bits, shift)).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
