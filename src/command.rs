//! What the commands do: reads what they are given, runs the pipeline, writes the report, and says the exit status.
//!
//! Nothing but the report goes to standard output; errors and progress go to standard error.

#![expect(clippy::disallowed_methods, reason = "the edge of the program: its own files, streams and terminal")]

use std::{
    env, fs,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

mod gather;
mod progress;

use gather::{evidence_of_files, look_around, save};

use crate::{
    cli::{
        CheckArgs, Cli, CollectArgs, Command, DemoArgs, ExplainArgs, Output, PermissionFormat, PermissionsArgs,
        ReportArgs, RulesCommand,
    },
    diagnose::diagnose,
    error::{Error, InputError, did_you_mean},
    evidence::Evidence,
    observation,
    render::{self, Look},
    report::{Report, Verdict},
    rule::{Library, Rule, Stage},
    scenario, symptom,
};

/// Exit status for usage errors and unreadable input.
const UNUSABLE: u8 = 2;

/// Runs one command and returns the exit status: 0 healthy, 1 blocked, 2 usage or unreadable input, 3 inconclusive.
pub fn run(cli: Cli) -> u8 {
    let look = look(cli.no_color);
    let result = match cli.command {
        Command::Check(args) => check(&args, look),
        Command::Collect(args) => collect_to_file(&args),
        Command::Explain(args) => explain(&args, look),
        Command::Permissions(args) => permissions(&args, look),
        Command::Rules(command) => rules(command, look),
        Command::Demo(args) => demo(&args, look),
    };
    result.unwrap_or_else(|error| {
        // If standard error is closed there is nobody left to tell.
        let _ = writeln!(io::stderr().lock(), "{}", look.visible(&error.to_string()));
        UNUSABLE
    })
}

/// What standard output can show.
fn look(no_color: bool) -> Look {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_terminal = io::stdout().is_terminal();
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    let unicode = locale.is_some_and(|locale| locale.to_lowercase().replace('-', "").contains("utf8"));
    let columns = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|_| is_terminal);
    Look {
        width: terminal.or(columns).unwrap_or(80).clamp(40, 110),
        colour: is_terminal && !is_dumb && !no_color && !is_set("NO_COLOR"),
        unicode,
        verbose: false,
    }
}

/// Writes to standard output; that the reader went away is no failure.
fn write_out(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(InputError::new("standard output", format!("cannot be written: {error}")).into())
        }
        _ => Ok(()),
    }
}

/// What the operating system says, as a lowercase fragment without its number.
fn system_words(error: &io::Error) -> String {
    let words = error.to_string().to_lowercase();
    words.split_once(" (os error").map_or(words.as_str(), |(words, _)| words).to_owned()
}

/// An error text, of whatever bytes: what is no UTF-8 is replaced.
fn read_lossy_stdin() -> Result<String, Error> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| InputError::new("standard input", system_words(&error)))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read(path: &Path) -> Result<(String, String), InputError> {
    /// In bytes; the evidence of the largest clusters has some ten millions.
    const LARGEST_FILE: u64 = 256 << 20;

    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = if is_stdin {
        io::stdin().lock().take(LARGEST_FILE).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(LARGEST_FILE).read_to_end(&mut bytes))
    };
    let length = read.map_err(|error| {
        InputError::new(&name, system_words(&error)).help("give the path of a file that you may read")
    })?;
    if length as u64 == LARGEST_FILE {
        return Err(InputError::new(&name, "the file is larger than 256 MiB").help("give a file that eks-doctor wrote"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count();
        InputError::new(&name, "the text is not UTF-8").at(line, 1).help("evidence and rules are UTF-8 text files")
    })?;
    Ok((name, text))
}

fn library(dir: Option<&PathBuf>) -> Result<Library, Error> {
    let files = match dir {
        Some(dir) => rule_files(dir)?,
        None => Vec::new(),
    };
    Library::load(&files).map_err(Error::Input)
}

/// The rule files below a folder: path relative to it and text.
fn rule_files(dir: &Path) -> Result<Vec<(String, String)>, Error> {
    let unreadable = |path: &Path, error: &io::Error| {
        let error = InputError::new(path.display().to_string(), system_words(error));
        Error::from(error.help("--rules takes a folder with files <stage>/<cause>.yaml"))
    };
    let mut files = Vec::new();
    for stage in fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
        let folder = stage.map_err(|error| unreadable(dir, &error))?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let path = file.map_err(|error| unreadable(&folder, &error))?.path();
            if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                let (_, text) = read(&path)?;
                let below = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                files.push((below, text));
            }
        }
    }
    files.sort();
    if files.is_empty() {
        let error = InputError::new(dir.display().to_string(), "the folder holds no rules");
        return Err(error.help("a rule is a file <stage>/<cause>.yaml, for example mapping/our-own.yaml").into());
    }
    Ok(files)
}

fn status(report: &Report) -> u8 {
    match report.verdict {
        Verdict::Healthy => 0,
        Verdict::Blocked => 1,
        Verdict::Inconclusive => 3,
    }
}

fn print(report: &Report, args: &ReportArgs, look: Look) -> Result<u8, Error> {
    let look = Look { verbose: args.verbose, ..look };
    write_out(|out| match args.output {
        Output::Terminal => render::terminal(report, look, out),
        Output::Json => render::json(report, out),
    })?;
    Ok(status(report))
}

fn check(args: &CheckArgs, look: Look) -> Result<u8, Error> {
    let library = wanted(library(args.report.rules.as_ref())?, args)?;
    let evidence = match args.evidence.is_empty() {
        true => look_around(&args.look, args.report.verbose)?,
        false => evidence_of_files(args)?,
    };
    if let Some(path) = &args.save_evidence {
        save(&evidence, path)?;
    }
    print(&report(&evidence, &library), &args.report, look)
}

/// The diagnosis, with the rights that would have shown more.
fn report(evidence: &Evidence, library: &Library) -> Report {
    let mut report = diagnose(evidence, library);
    observation::name_rights(&mut report, evidence);
    report
}

/// The rules that `--only` and `--skip` leave.
fn wanted(library: Library, args: &CheckArgs) -> Result<Library, Error> {
    for name in args.only.iter().chain(&args.skip) {
        let is_stage = Stage::named(name).is_some();
        if !is_stage && library.get(name).is_none() {
            let known = library.rules().iter().map(|rule| rule.id.as_str()).chain(Stage::ALL.map(Stage::as_str));
            let help = match did_you_mean(name, known) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "give a stage such as mapping, or an id such as mapping/none".to_owned(),
            };
            return Err(Error::usage(format!("there is no stage and no cause `{name}`"), help));
        }
    }
    let is_named =
        |rule: &Rule, names: &[String]| names.iter().any(|name| *name == rule.id || name == rule.stage.as_str());
    let rules = library
        .rules()
        .iter()
        .filter(|rule| (args.only.is_empty() || is_named(rule, &args.only)) && !is_named(rule, &args.skip));
    Ok(Library::from_rules(rules.cloned().collect()))
}

fn collect_to_file(args: &CollectArgs) -> Result<u8, Error> {
    let evidence = look_around(&args.look, false)?;
    if args.output == Path::new("-") {
        write_out(|out| {
            serde_json::to_writer_pretty(&mut *out, &evidence)?;
            writeln!(out)
        })?;
    } else {
        save(&evidence, &args.output)?;
    }
    Ok(0)
}

fn permissions(args: &PermissionsArgs, look: Look) -> Result<u8, Error> {
    use render::permissions::{Scope, cluster_role, iam, table, terraform};
    let (cluster, region, account) = (args.cluster.clone(), args.region.clone(), args.account.clone());
    let scope = Scope { cluster, region, account };
    write_out(|out| match args.format {
        PermissionFormat::Table => table(look, out),
        PermissionFormat::Iam => iam(&scope, out),
        PermissionFormat::Terraform => terraform(&scope, out),
        PermissionFormat::Clusterrole => cluster_role(out),
    })?;
    Ok(0)
}

/// The rule that an id names; the end of an id is enough where it is the only one.
fn named<'a>(library: &'a Library, id: &str) -> Result<&'a Rule, Error> {
    if let Some(rule) = library.get(id) {
        return Ok(rule);
    }
    let mut ending = library.rules().iter().filter(|rule| rule.id.ends_with(&format!("/{id}")));
    if let (Some(rule), None) = (ending.next(), ending.next()) {
        return Ok(rule);
    }
    let ids = library.rules().iter().map(|rule| rule.id.as_str());
    let help = match did_you_mean(id, ids) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "`eks-doctor rules list` names all causes".to_owned(),
    };
    Err(Error::usage(format!("there is no cause `{id}`"), help))
}

fn explain(args: &ExplainArgs, look: Look) -> Result<u8, Error> {
    let library = library(args.rules.as_ref())?;
    let text = match (&args.error, args.id.as_deref()) {
        (Some(text), _) => Some(text.clone()),
        (None, Some("-")) => Some(read_lossy_stdin()?),
        (None, _) => None,
    };
    match (text, &args.id) {
        (Some(text), _) => {
            let found = symptom::recognise(&text);
            write_out(|out| match args.output {
                Output::Terminal => render::recognition(&found, &library, look, out),
                Output::Json => render::recognition_json(&found, out),
            })?;
        }
        (None, id) => {
            let rule = named(&library, id.as_deref().unwrap_or_default())?;
            write_out(|out| render::explain(rule, look, out))?;
        }
    }
    Ok(0)
}

fn rules(command: RulesCommand, look: Look) -> Result<u8, Error> {
    match command {
        RulesCommand::List { output, rules } => {
            let library = library(rules.as_ref())?;
            write_out(|out| match output {
                Output::Terminal => render::rule_list(library.rules(), look, out),
                Output::Json => render::rule_list_json(library.rules(), out),
            })?;
        }
        RulesCommand::Show { id, rules } => {
            let library = library(rules.as_ref())?;
            let text = named(&library, &id)?.text.clone();
            write_out(|out| out.write_all(text.as_bytes()))?;
        }
        RulesCommand::Lint { dir } => {
            let files = dir.map_or_else(|| Ok(Library::embedded_files()), |dir| rule_files(&dir))?;
            Library::load(&files).map_err(Error::Input)?;
            write_out(|out| writeln!(out, "{} files are well-formed", files.len()))?;
        }
        RulesCommand::Pages { dir, rules } => {
            let library = library(rules.as_ref())?;
            write_pages(&library, &dir).map_err(|error| {
                let error = InputError::new(dir.display().to_string(), format!("the pages cannot be written: {error}"));
                error.help("name a folder that you may write to")
            })?;
            write_out(|out| writeln!(out, "{} pages and index.md are in {}", library.rules().len(), dir.display()))?;
        }
    }
    Ok(0)
}

fn write_pages(library: &Library, dir: &Path) -> io::Result<()> {
    for rule in library.rules() {
        let path = dir.join(format!("{}.md", rule.id));
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        render::rule_page(rule, &mut io::BufWriter::new(fs::File::create(path)?))?;
    }
    let mut index = io::BufWriter::new(fs::File::create(dir.join("index.md"))?);
    writeln!(index, "# Causes")?;
    render::rule_index(library.rules(), ".md", &mut index)
}

fn demo(args: &DemoArgs, look: Look) -> Result<u8, Error> {
    let library = library(args.report.rules.as_ref())?;
    match &args.name {
        Some(name) => print(&report(&scenario::evidence(name)?, &library), &args.report, look),
        None => {
            let scenarios: Vec<(String, String)> = scenario::names()
                .map(|name| {
                    let title = library.get(name).map(|rule| rule.title.source().to_owned());
                    (name.to_owned(), title.unwrap_or_else(|| "works as it should".to_owned()))
                })
                .collect();
            write_out(|out| render::scenario_list(&scenarios, look, out))?;
            Ok(0)
        }
    }
}
