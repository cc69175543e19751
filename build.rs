//! Embeds the rules and the scenarios: a rule exists because its file exists, there is no list to keep in step. They are
//! embedded as JSON, which is read ten times as fast as YAML; rules also as they are written, to be shown.

#![expect(clippy::disallowed_methods, reason = "a build script reads files and talks to cargo")]

use std::{env, fmt::Write, fs, io, path::Path};

fn main() -> io::Result<()> {
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    for folder in ["rules", "fixtures"] {
        println!("cargo:rerun-if-changed={folder}");
        let mut files = Vec::new();
        if Path::new(folder).exists() {
            gather(Path::new(folder), &mut files)?;
        }
        files.sort();
        let mut table = String::from("&[\n");
        for file in &files {
            let name = file.strip_prefix(&format!("{folder}/")).unwrap_or(file);
            let text = fs::read_to_string(file)?;
            let shown = if folder == "rules" { format!("{text:?}, ") } else { String::new() };
            writeln!(table, "    ({name:?}, {shown}{:?}),", to_json(file, &text)?).map_err(io::Error::other)?;
        }
        table.push_str("]\n");
        fs::write(Path::new(&out).join(format!("{folder}.rs")), table)?;
    }
    Ok(())
}

/// A file as JSON; its keys keep their order. What is wrong with a file is said by the program's own tests.
fn to_json(file: &str, text: &str) -> io::Result<String> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    let value: serde_json::Value = serde_yaml::from_str_with_options(text, options)
        .map_err(|error| io::Error::other(format!("{file}: {error}")))?;
    Ok(value.to_string())
}

/// Folders of fixtures that only tests read.
const NOT_EMBEDDED: [&str; 2] = ["fixtures/conformance", "fixtures/field"];

/// All YAML files below a folder, but for those that only tests read.
fn gather(folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if NOT_EMBEDDED.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        if path.is_dir() {
            println!("cargo:rerun-if-changed={}", path.display());
            gather(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}
