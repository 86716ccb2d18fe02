//! Other programs: run with no input, their failures turned into sentences.

use std::env;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How a program that was given a limited time came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It succeeded.
    Well,
    /// It failed, or could not be started.
    Badly,
    /// Its time was over, and it was ended.
    Late,
}

/// A program to be run. It reads nothing, so that nothing waits for an answer that will not come.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    command
}

/// Runs a program whose output goes to the screen.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}` could not be started", line(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status}): its own message is above.", line(command));
    }
    Ok(())
}

/// Runs a program and returns what it wrote, without the white space around it.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::piped()).output();
    let output = output.with_context(|| format!("`{}` could not be started", line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program succeeds, with its output thrown away. A program that does not exist does not succeed.
pub fn succeeds(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a program for at most `limit` and ends it where it takes longer.
pub fn run_for(command: &mut Command, limit: Duration) -> Result<Ended> {
    let start = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ended::Badly),
        Err(error) => return Err(error).with_context(|| format!("`{}` could not be started", line(command))),
    };
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { Ended::Well } else { Ended::Badly });
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill()?;
    child.wait()?;
    Ok(Ended::Late)
}

/// The first folder of the search path that has such a program.
pub fn find(name: &str) -> Option<PathBuf> {
    find_in(name, &env::var_os("PATH")?)
}

fn find_in(name: &str, search_path: &OsStr) -> Option<PathBuf> {
    env::split_paths(search_path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// A command as it would be typed.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn failures_name_the_command() {
        let error = run(program("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.starts_with("`sh -c exit 3` failed"), "{error}");
        let error = run(&mut program("no-such-program-here")).unwrap_err().to_string();
        assert!(error.contains("`no-such-program-here` could not be started"), "{error}");
    }

    #[test]
    fn output_is_trimmed_and_errors_are_quoted() {
        assert_eq!(output(program("echo").arg("one")).unwrap(), "one");
        let error = output(program("sh").args(["-c", "echo broken >&2; exit 1"])).unwrap_err().to_string();
        assert!(error.ends_with("broken"), "{error}");
    }

    #[test]
    fn a_program_reads_nothing() {
        assert_eq!(output(&mut program("cat")).unwrap(), "");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let start = Instant::now();
        let ended = run_for(program("sleep").arg("30"), Duration::from_millis(200)).unwrap();
        assert_eq!(ended, Ended::Late);
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(run_for(&mut program("true"), Duration::from_secs(10)).unwrap(), Ended::Well);
        assert_eq!(run_for(&mut program("false"), Duration::from_secs(10)).unwrap(), Ended::Badly);
        assert_eq!(
            run_for(&mut program("no-such-program-here"), Duration::from_secs(1)).unwrap(),
            Ended::Badly
        );
    }

    #[test]
    fn programs_are_found_on_the_search_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("not-executable"), "").unwrap();
        let search_path = env::join_paths([folder.path(), Path::new("/bin"), Path::new("/usr/bin")]).unwrap();
        assert!(find_in("sh", &search_path).is_some());
        assert_eq!(find_in("not-executable", &search_path), None);
    }
}
