//! The built-in talks: TOML files beside this one, each a whole `tcprove.toml`.

use std::path::Path;

use super::{File, parse_with};

/// The name of each built-in talk, its TOML text and a description.
pub const BUILTIN: &[(&str, &str, &str)] = &[
    (
        "tutorial",
        include_str!("tutorial.toml"),
        "the tutorial's server: any text, one fixed reply, then a close",
    ),
    (
        "echo",
        include_str!("echo.toml"),
        "every byte is sent back (RFC 862)",
    ),
    (
        "line",
        include_str!("line.toml"),
        "every line is sent back (the reference server's line protocol)",
    ),
    (
        "frame",
        include_str!("frame.toml"),
        "every frame of 32-bit length and body is sent back (the reference server's frame protocol)",
    ),
    (
        "redis",
        include_str!("redis.toml"),
        "Redis and compatible servers",
    ),
    (
        "memcached",
        include_str!("memcached.toml"),
        "memcached's text protocol",
    ),
    ("http", include_str!("http.toml"), "HTTP/1.1 with nginx"),
    (
        "smtp",
        include_str!("smtp.toml"),
        "the begin of a mail session",
    ),
    (
        "beanstalkd",
        include_str!("beanstalkd.toml"),
        "the work queue beanstalkd",
    ),
];

/// The built-in talk of that name, as a whole file. The caller replaces its server if the user has given a
/// command or an address.
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
