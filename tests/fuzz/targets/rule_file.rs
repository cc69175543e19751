//! Whatever is given as a rule is refused with its mistakes named, or loaded; it never panics.

#![no_main]

use eks_doctor::rule::Library;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Library::load(&[("mapping/fuzz.yaml".to_owned(), text.to_owned())]);
});
