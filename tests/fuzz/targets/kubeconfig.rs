//! Whatever a kubeconfig holds, facts follow from it; it never panics.

#![no_main]

use eks_doctor::{
    evidence::{Evidence, Kubeconfig, Observed},
    facts::Facts,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(document) = eks_doctor::input::parse("kubeconfig.yaml", text) {
        let kubeconfig = Observed::Found(Kubeconfig { files: Vec::new(), document });
        Facts::derive(&Evidence { kubeconfig, ..Evidence::default() });
    }
});
