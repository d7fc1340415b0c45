//! Running other programs, in the open: every command line is printed before it runs.

use crate::house::Result;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let word = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(word).collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|error| format!("`{}` did not start: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", shown(command))) }
}

/// Runs a command, passing its standard output on line by line and to `read`.
pub fn run_reading(command: &mut Command, mut read: impl FnMut(&str)) -> Result<()> {
    println!("$ {}", shown(command));
    let started = command.stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| format!("`{}` did not start: {error}", shown(command)))?;
    if let Some(output) = child.stdout.take() {
        let mut lines = BufReader::new(output);
        let mut line = Vec::new();
        // By bytes: a test may print anything, and a line that is no UTF-8 must not end the reading.
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            print!("{text}");
            let _ = std::io::stdout().flush();
            read(text.trim_end());
            line.clear();
        }
    }
    let status = child.wait().map_err(|error| format!("`{}` was lost: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", shown(command))) }
}

/// Standard output of a command that succeeded, else nothing.
pub fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
