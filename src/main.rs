//! The command line: parse, run, exit status.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match eks_doctor::cli::Cli::try_parse() {
        Ok(cli) => ExitCode::from(eks_doctor::run(cli)),
        // clap prints help and version to standard output with status 0, errors to standard error with 2.
        Err(error) => {
            let status = u8::try_from(error.exit_code()).unwrap_or(2);
            match error.print() {
                Ok(()) => ExitCode::from(status),
                Err(broken) if broken.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(status),
                Err(_) => ExitCode::from(2),
            }
        }
    }
}
