//! The built-in talks: TOML files beside this one, each a whole `tcprove.toml`.

use std::path::Path;

use super::{File, parse_with};

/// The names of all built-in talks, separated by commas.
pub(crate) fn names() -> String {
    let names: Vec<&str> = BUILTIN.iter().map(|(name, ..)| *name).collect();
    names.join(", ")
}

/// ": did you mean `redis`?" about a talk that does not exist, if one is similar.
pub(crate) fn suggestion(name: &str) -> String {
    crate::text::suggestion(name, BUILTIN.iter().map(|(known, ..)| *known))
}

/// The name of each built-in talk, its TOML text and a description.
///
/// A detection tries them in this order, see `crate::detect`: of two talks that a server may both hold, the one that
/// says more about it comes first.
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
    (
        "http",
        include_str!("http.toml"),
        "HTTP/1.1 that answers `GET /` with 200",
    ),
    (
        "websocket",
        include_str!("websocket.toml"),
        "WebSocket: every message is sent back",
    ),
    (
        "http-any",
        include_str!("http-any.toml"),
        "HTTP/1.x that may answer with any status",
    ),
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
    (
        "resp3",
        include_str!("resp3.toml"),
        "Redis and compatible servers with RESP3",
    ),
    (
        "nats",
        include_str!("nats.toml"),
        "the messaging server NATS",
    ),
    (
        "imap",
        include_str!("imap.toml"),
        "the begin of an IMAP session",
    ),
    (
        "pop3",
        include_str!("pop3.toml"),
        "the begin of a POP3 session",
    ),
    (
        "ftp",
        include_str!("ftp.toml"),
        "the control connection of FTP",
    ),
    (
        "ssh",
        include_str!("ssh.toml"),
        "the begin of an SSH connection",
    ),
    (
        "irc",
        include_str!("irc.toml"),
        "IRC: a client that registers",
    ),
    (
        "postgres",
        include_str!("postgres.toml"),
        "PostgreSQL without a password",
    ),
    (
        "mysql",
        include_str!("mysql.toml"),
        "MySQL and MariaDB without a password",
    ),
    (
        "mqtt",
        include_str!("mqtt.toml"),
        "MQTT 3.1.1: a client that receives what it publishes",
    ),
    (
        "amqp",
        include_str!("amqp.toml"),
        "AMQP 0-9-1 with RabbitMQ",
    ),
    ("ldap", include_str!("ldap.toml"), "LDAP version 3"),
    ("dns", include_str!("dns.toml"), "DNS over TCP"),
    (
        "gearman",
        include_str!("gearman.toml"),
        "the job server Gearman",
    ),
    (
        "memcached-binary",
        include_str!("memcached-binary.toml"),
        "memcached's binary protocol",
    ),
    (
        "netstring",
        include_str!("netstring.toml"),
        "netstrings: every text is sent back",
    ),
    (
        "jsonrpc-lsp",
        include_str!("jsonrpc-lsp.toml"),
        "language servers: JSON-RPC with a header",
    ),
    ("modbus", include_str!("modbus.toml"), "Modbus over TCP"),
    (
        "json-lines",
        include_str!("json-lines.toml"),
        "a JSON object in each line (JSON-RPC 2.0)",
    ),
    (
        "finger",
        include_str!("finger.toml"),
        "a line is answered with text and a close (finger, whois, gopher)",
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
