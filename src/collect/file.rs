//! Reads the files that settings name. A path may lead to a pipe that nobody writes to or to a device that never ends:
//! no file is read for ever, and none beyond a size that no such file has.

#![expect(clippy::disallowed_methods, reason = "this is where files are read")]

use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The size in bytes up to which a file is read.
const LARGEST: u64 = 16 << 20;

/// How long a pipe's writer is waited for, as in `--kubeconfig <(command)`.
const PATIENCE: Duration = Duration::from_secs(3);

/// The bytes of a file, or of a pipe up to its end.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let metadata = path.metadata()?;
    if metadata.is_file() || metadata.is_dir() {
        return read_bounded(path);
    }
    let (sender, receiver) = mpsc::channel();
    let path = PathBuf::from(path);
    // A thread that waits for a writer cannot be stopped; the end of the process ends it.
    thread::Builder::new().spawn(move || sender.send(read_bounded(&path)))?;
    let silent = |_| Err(Error::new(ErrorKind::TimedOut, "nothing writes to it"));
    receiver.recv_timeout(PATIENCE).unwrap_or_else(silent)
}

/// The text of a file.
pub(super) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|_| Error::new(ErrorKind::InvalidData, "not UTF-8"))
}

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new(ErrorKind::FileTooLarge, "larger than 16 MiB"));
    }
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_for_ever() {
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read(Path::new("/dev/null")).unwrap(), b"");
        assert_eq!(read(Path::new("/nowhere")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read(Path::new("/")).unwrap_err().kind(), ErrorKind::IsADirectory);
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(read(&pipe).unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
