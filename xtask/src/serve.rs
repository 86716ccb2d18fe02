//! A server for the built page, for this machine only.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Component, Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use tiny_http::{Header, Method, Request, Response, Server};

/// How many ports are tried after the one that was asked for.
const TRIES: u16 = 20;

/// The page loads its parts side by side.
const THREADS: usize = 4;

/// Sent with every answer: the page may use threads and precise clocks, and always gets what was built last.
const HEADERS: [(&str, &str); 5] = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
];

/// Serves a folder until the program is ended.
pub fn serve(folder: &Path, port: u16) -> Result<()> {
    let listener = listen(port)?;
    let address = listener.local_addr()?;
    let server = Server::from_listener(listener, None)
        .map_err(|error| anyhow!("The server did not start: {error}"))?;
    println!("\n    The page is at http://{address}/ (end with Ctrl-C)\n");
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for request in server.incoming_requests() {
                    // A browser may close a connection at any time; the next request is answered all the same.
                    let _ = answer(folder, request);
                }
            });
        }
    });
    Ok(())
}

/// Takes this port, or the next one that is free.
fn listen(port: u16) -> Result<TcpListener> {
    for candidate in port..=port.saturating_add(TRIES) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("Port {candidate} cannot be used: name another one with --port")
                });
            }
        }
    }
    bail!("The ports from {port} on are all in use: name another one with --port.")
}

fn answer(folder: &Path, request: Request) -> std::io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(with_headers(
            Response::from_string("Only GET and HEAD are answered.\n").with_status_code(405),
        ));
    }
    match resolve(folder, request.url()).and_then(|path| Some((File::open(&path).ok()?, path))) {
        Some((file, path)) => {
            let response = with_headers(Response::from_file(file));
            request.respond(response.with_header(header("Content-Type", content_type(&path))))
        }
        None => request
            .respond(with_headers(Response::from_string("There is no such file.\n").with_status_code(404))),
    }
}

fn with_headers<R: std::io::Read>(response: Response<R>) -> Response<R> {
    HEADERS.iter().fold(response, |response, (name, value)| response.with_header(header(name, value)))
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("the names and values of this file are plain ASCII")
}

/// The file that an address means, where it lies in the folder.
fn resolve(folder: &Path, address: &str) -> Option<PathBuf> {
    let path = address.split(['?', '#']).next()?;
    let path = decode(path.strip_prefix('/')?)?;
    if !Path::new(&path).components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let file = folder.join(path);
    let file = if file.is_dir() { file.join("index.html") } else { file };
    file.is_file().then_some(file)
}

/// Resolves the "%20" of an address.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?].map(|digit| (digit as char).to_digit(16));
                let [Some(high), Some(low)] = digits else { return None };
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'))
}

/// What a browser must be told about a file: with another type it refuses WebAssembly and modules.
fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|end| end.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "txt" | "md" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("page")).unwrap();
        for (name, text) in [("secret.txt", "no"), ("page/index.html", "<p>"), ("page/a b.js", "1")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn addresses_mean_files_of_the_folder() {
        let folder = folder();
        let page = folder.path().join("page");
        assert_eq!(resolve(&page, "/"), Some(page.join("index.html")));
        assert_eq!(resolve(&page, "/index.html?x=1"), Some(page.join("index.html")));
        assert_eq!(resolve(&page, "/a%20b.js"), Some(page.join("a b.js")));
        assert_eq!(resolve(&page, "/missing.js"), None);
    }

    #[test]
    fn addresses_never_leave_the_folder() {
        let folder = folder();
        let page = folder.path().join("page");
        for address in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/%2E%2E%2Fsecret.txt",
            "//etc/passwd",
            "/%2fetc/passwd",
            "/%zz",
            "/%",
        ] {
            assert_eq!(resolve(&page, address), None, "{address}");
        }
    }

    #[test]
    fn a_port_in_use_gives_way_to_the_next() {
        let taken = listen(38_411).unwrap();
        let port = taken.local_addr().unwrap().port();
        let next = listen(port).unwrap();
        assert!(next.local_addr().unwrap().port() > port);
        assert!(next.local_addr().unwrap().ip().is_loopback());
    }

    #[test]
    fn files_are_served_with_their_type_and_the_isolation_headers() {
        use std::io::{Read, Write};
        let folder = folder();
        fs::write(folder.path().join("page/engine.wasm"), b"\0asm").unwrap();
        let listener = listen(38_511).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::from_listener(listener, None).unwrap();
        let page = folder.path().join("page");
        let ask = |line: &str| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            write!(stream, "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
            answer(&page, server.recv().unwrap()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        let found = ask("GET /engine.wasm");
        assert!(found.starts_with("HTTP/1.1 200"), "{found}");
        assert!(found.contains("Content-Type: application/wasm\r\n"), "{found}");
        assert!(found.contains("Cross-Origin-Opener-Policy: same-origin\r\n"), "{found}");
        assert!(found.contains("Cross-Origin-Embedder-Policy: require-corp\r\n"), "{found}");
        assert!(found.ends_with("\0asm"), "{found}");
        let missing = ask("GET /nothing");
        assert!(
            missing.starts_with("HTTP/1.1 404") && missing.contains("Cross-Origin-Opener-Policy"),
            "{missing}"
        );
        assert!(ask("POST /engine.wasm").starts_with("HTTP/1.1 405"));
    }
}
