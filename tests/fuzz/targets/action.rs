//! Any words are an action or are refused with a column; an action in words is read back as itself.
#![no_main]

use eks_doctor::facts::action::{as_requested, display, parse, parse_forbidden};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(parsed) => {
            let action = parsed.in_namespace("default");
            let again = parse(&display(&action)).map(|again| again.in_namespace("default"));
            assert_eq!(again.as_ref(), Ok(&action), "{:?}", display(&action));
            as_requested(&action);
        }
        Err(error) => assert!(error.column >= 1 && error.column <= text.chars().count() + 1),
    }
    parse_forbidden(text);
});
