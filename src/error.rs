//! Our own errors: usage, and input that cannot be read. What a remote service answers is evidence, never an error.
//!
//! Messages are lowercase fragments that fit after "failed to", followed by the next step as help.

use std::fmt;

/// A place in an input, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// File name as the user gave it, or `standard input`.
    pub file: String,
    /// Line and column, both counted from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// What is wrong, as a lowercase fragment.
    pub message: String,
    /// What would be right, or the next step.
    pub help: Option<String>,
}

/// Anything that ends a run with exit status 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The words on the command line do not fit.
    Usage {
        /// What does not fit.
        message: String,
        /// The next step.
        help: Option<String>,
    },
    /// Inputs that cannot be used, all of them at once.
    Input(Vec<InputError>),
}

impl InputError {
    /// An error without a place.
    pub fn new(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), place: None, message: message.into(), help: None }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.place = Some((line, column));
        self
    }

    /// Adds what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Error {
    /// A usage error with the next step.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: Some(help.into()) }
    }
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        Self::Input(vec![error])
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { message, help } => {
                write!(f, "error: {message}")?;
                match help {
                    Some(help) => write!(f, "\n  help: {help}"),
                    None => Ok(()),
                }
            }
            Self::Input(errors) => {
                for (index, error) in errors.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    write!(f, "{separator}error: {error}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for InputError {}
impl std::error::Error for Error {}

/// The candidate that `word` was probably meant to be.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
