//! Accuracy on real cases. Each file in `fixtures/field/<stage>/<cause>/` is a case from a public thread whose cause was
//! established there, as evidence from the view of somebody who was in it. `cargo test --test field -- --nocapture`
//! prints how often that cause is named first and among the first three, and every false proof.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and reads its cases"
)]

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use eks_doctor::{
    diagnose::diagnose,
    input,
    report::{Certainty, Finding, Report},
    rule::Library,
    scenario::CaseFile,
};

const FIELD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/field");

/// The least shares, in hundredths, that the reports have to reach.
const LEAST_FIRST: usize = 95;
const LEAST_AMONG_THREE: usize = 100;

/// One case from one point of view.
struct View {
    /// The file below `fixtures/field`.
    file: String,
    /// Whose view it is: the case's name.
    of: String,
    /// The established cause: the folder of the file.
    cause: String,
    /// Causes that were established besides, which may be proved too.
    besides: Vec<String>,
    report: Report,
}

impl View {
    /// The place of the established cause among the findings, from 0. A finding that is a special form of the cause
    /// names it.
    fn place(&self) -> Option<usize> {
        self.report.findings.iter().position(|finding| names(finding, &self.cause))
    }

    /// Causes reported as proved although they were not the trouble.
    fn false_proofs(&self) -> impl Iterator<Item = &str> {
        let proved = self.report.findings.iter().filter(|finding| finding.verdict == Certainty::Confirmed);
        let wrong = proved.filter(|finding| {
            !names(finding, &self.cause) && !self.besides.iter().any(|besides| names(finding, besides))
        });
        wrong.map(|finding| finding.id.as_str())
    }

    fn stage(&self) -> &str {
        self.cause.split('/').next().unwrap_or_default()
    }
}

fn names(finding: &Finding, cause: &str) -> bool {
    finding.id == cause || finding.refines.iter().any(|general| general == cause)
}

#[derive(Default)]
struct Tally {
    views: usize,
    first: usize,
    among_three: usize,
    false_proofs: usize,
}

impl Tally {
    fn count(&mut self, view: &View) {
        self.views += 1;
        self.first += usize::from(view.place() == Some(0));
        self.among_three += usize::from(view.place().is_some_and(|place| place < 3));
        self.false_proofs += view.false_proofs().count();
    }

    /// The share of `part` in hundredths.
    fn share(&self, part: usize) -> usize {
        part * 100 / self.views.max(1)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { views, first, among_three, false_proofs } = self;
        let (first, among_three) = (self.share(*first), self.share(*among_three));
        write!(f, "{views:5} views   first {first:3} %   top three {among_three:3} %   false proofs {false_proofs}")
    }
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn views() -> Vec<View> {
    let library = Library::load(&[]).expect("the embedded rules are well-formed");
    let mut views = Vec::new();
    for path in files(Path::new(FIELD)) {
        let file = path.strip_prefix(FIELD).expect("it lies below").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("the case can be read");
        let cases: CaseFile = input::parse(&file, &text).unwrap_or_else(|error| panic!("{error}"));
        assert!(cases.source.as_ref().is_some_and(|source| source.starts_with("https://")), "{file} has no source");
        let (cause, _) = file.rsplit_once('/').expect("the folder is the cause");
        assert!(library.get(cause).is_some(), "{file}: there is no cause {cause}");
        for case in &cases.cases {
            let evidence = cases.evidence(&file, case).unwrap_or_else(|error| panic!("{error}"));
            views.push(View {
                file: file.clone(),
                of: case.name.clone(),
                cause: cause.to_owned(),
                besides: case.expect.confirmed.clone(),
                report: diagnose(&evidence, &library),
            });
        }
    }
    views
}

#[test]
fn the_established_cause_is_named_first() {
    let views = views();
    let mut all = Tally::default();
    let mut by_stage: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut by_view: BTreeMap<&str, Tally> = BTreeMap::new();
    for view in &views {
        all.count(view);
        by_stage.entry(view.stage()).or_default().count(view);
        by_view.entry(&view.of).or_default().count(view);
        if view.place() != Some(0) || view.false_proofs().next().is_some() {
            println!("{} ({}), place {:?}", view.file, view.of, view.place().map(|place| place + 1));
            for finding in view.report.findings.iter().take(4) {
                println!("    {} {:?} {:.2}", finding.id, finding.verdict, finding.confidence);
            }
        }
    }
    println!("{:28}{all}", "all");
    for (name, tally) in by_stage.iter().chain(&by_view) {
        println!("{name:28}{tally}");
    }
    assert_eq!(all.false_proofs, 0, "a cause was proved that was not the trouble");
    assert!(all.share(all.first) >= LEAST_FIRST, "the cause is first too rarely");
    assert!(all.share(all.among_three) >= LEAST_AMONG_THREE, "the cause is too often not among the first three");
}
