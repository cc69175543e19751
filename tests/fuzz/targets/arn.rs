//! Any text is an ARN or is refused, and what is canonical stays as it is.
#![no_main]

use eks_doctor::facts::arn::{Arn, PrincipalArn, RawArn, arn_like, strip_path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (arn, pattern) = text.split_once('\0').unwrap_or((text, text));
    if let Ok((canonical, _)) = RawArn::new(arn).canonicalize() {
        let again = RawArn::new(canonical.as_str()).canonicalize();
        assert_eq!(again.map(|(again, _)| again), Ok(canonical));
    }
    if let Ok(stripped) = strip_path(arn) {
        assert_eq!(strip_path(&stripped).as_deref(), Ok(stripped.as_str()));
    }
    if let Ok(sections) = Arn::parse(arn) {
        let _ = (sections.kind(), sections.name(), sections.path(), sections.session(), sections.permission_set());
    }
    let _ = PrincipalArn::new(arn).canonicalize();
    arn_like(arn, pattern);
});
