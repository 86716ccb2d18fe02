//! Progress: one line when a step starts, with the reason for it, and one with the time it took.

use std::time::{Duration, Instant};

use anyhow::{Error, Result};

/// Runs one step of a task and says what it does and how long it took.
pub fn step<T>(what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {what}");
    let start = Instant::now();
    let result = run();
    let outcome = if result.is_ok() { "done in" } else { "failed after" };
    eprintln!("    {outcome} {}", seconds(start.elapsed()));
    result
}

/// Says something about the step at hand.
pub fn note(text: &str) {
    eprintln!("    {text}");
}

/// An error as sentences, from what failed down to why. A trace of calls would only bury them.
pub fn explain(error: &Error) -> String {
    error.chain().map(|cause| format!("Error: {cause}")).collect::<Vec<_>>().join("\n")
}

/// A time for people: "0.4 s", "12 s", "3 min 5 s".
fn seconds(time: Duration) -> String {
    let whole = time.as_secs_f64().round() as u64;
    match whole {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{whole} s"),
        _ => format!("{} min {} s", whole / 60, whole % 60),
    }
}

/// A number of bytes for people: "22.3 MB".
pub fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_readable() {
        assert_eq!(seconds(Duration::from_millis(440)), "0.4 s");
        assert_eq!(seconds(Duration::from_millis(9_600)), "10 s");
        assert_eq!(seconds(Duration::from_millis(59_700)), "1 min 0 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 5 s");
    }

    #[test]
    fn errors_are_explained_from_the_outside_in() {
        let error = Error::msg("Port 80 is in use.").context("The page was not served.");
        assert_eq!(explain(&error), "Error: The page was not served.\nError: Port 80 is in use.");
    }

    #[test]
    fn sizes_are_decimal_megabytes() {
        assert_eq!(megabytes(22_345_678), "22.35 MB");
    }
}
