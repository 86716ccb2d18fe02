//! The server for the built page, for this machine only: `xtask/server.mjs`, which the browser's tests and the benchmark use too.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::program;
use crate::paths::Paths;
use crate::setup;

/// A server that runs beside this program and ends with it.
pub struct Server {
    child: Child,
    /// The server ends when this is closed, so that nothing is left behind however this program is ended.
    alive: Option<ChildStdin>,
    /// Kept open: the server may write to it.
    _said: BufReader<ChildStdout>,
}

/// Begins to serve a folder on this port, or on the next one that is free, and says where.
pub fn start(paths: &Paths, folder: &Path, port: u16) -> Result<Server> {
    setup::node()?;
    let mut command = program("node");
    command.arg(paths.root.join("xtask/server.mjs")).arg(folder).args(["--port", &port.to_string()]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("The server could not be started")?;
    let alive = child.stdin.take();
    let mut said = BufReader::new(child.stdout.take().context("The server has no output")?);
    let mut line = String::new();
    said.read_line(&mut line)?;
    let mut server = Server { child, alive, _said: said };
    if line.is_empty() {
        return server.ended();
    }
    println!("\n    {}\n", line.trim());
    Ok(server)
}

impl Server {
    /// Serves until the server fails or this program is ended, as by Ctrl-C.
    pub fn wait(mut self) -> Result<()> {
        self.ended()
    }

    fn ended<T>(&mut self) -> Result<T> {
        let status = self.child.wait()?;
        bail!("The server ended ({status}): its own message is above.")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn the_server_serves_and_ends_with_its_owner() {
        let paths = Paths::find().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "<p>").unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().min(65_000);
        drop(taken);
        let server = start(&paths, folder.path(), port).unwrap();
        // Somebody else may have taken the port meanwhile; then the server has one of the next.
        let mut text = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
            stream.read_to_string(&mut text).unwrap();
        }
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("<p>"), "{text}");
        drop(server);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
