//! Whatever is given as evidence is refused with a clear error or diagnosed; it never panics.

#![no_main]

use std::sync::LazyLock;

use eks_doctor::{diagnose::diagnose, evidence::Evidence, rule::Library};
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<Library> = LazyLock::new(|| Library::load(&[]).expect("the embedded rules are well-formed"));

fuzz_target!(|text: &str| {
    for name in ["fuzz.json", "fuzz.yaml"] {
        if let Ok(evidence) = Evidence::from_text(name, text) {
            diagnose(&evidence, &RULES);
        }
    }
});
