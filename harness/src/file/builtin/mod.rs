//! The built-in talks: TOML files beside this one, each a whole `tcprove.toml`.

use std::path::Path;

use super::{File, parse_with};

/// Name, source and one line about each built-in talk.
pub const BUILTIN: &[(&str, &str, &str)] = &[
    (
        "tutorial",
        include_str!("tutorial.toml"),
        "the tutorial's server: any text, one fixed reply, close",
    ),
    (
        "echo",
        include_str!("echo.toml"),
        "sends every byte back (RFC 862)",
    ),
    (
        "line",
        include_str!("line.toml"),
        "lines, sent back (the reference server's line protocol)",
    ),
    (
        "frame",
        include_str!("frame.toml"),
        "32-bit length and body, sent back (the reference server's frame protocol)",
    ),
    ("redis", include_str!("redis.toml"), "Redis and its kin"),
    (
        "memcached",
        include_str!("memcached.toml"),
        "memcached's text protocol",
    ),
    ("http", include_str!("http.toml"), "HTTP/1.1, as nginx"),
    (
        "smtp",
        include_str!("smtp.toml"),
        "a mail server's first words",
    ),
    (
        "beanstalkd",
        include_str!("beanstalkd.toml"),
        "the work queue beanstalkd",
    ),
];

/// The built-in talk of that name, as a whole file: its `server.cmd` is to be replaced where the
/// user has given a command or an address.
pub fn builtin(name: &str) -> Option<File> {
    let source = source(name)?;
    let no_files = |_: &Path| Err(std::io::Error::other("a built-in talk reads no files"));
    let mut file = parse_with(source, &format!("{name}.toml"), Path::new("."), &no_files).ok()?;
    file.talk.name = name.to_owned();
    Some(file)
}

/// The TOML text of the built-in talk of that name.
pub fn source(name: &str) -> Option<&'static str> {
    let (_, source, _) = BUILTIN.iter().find(|(known, _, _)| *known == name)?;
    Some(source)
}
