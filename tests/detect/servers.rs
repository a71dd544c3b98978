//! Servers that nobody here wrote, without a hint. Those that are not installed are skipped.
//!
//! `TCPROVE_SLOW=1 cargo test -p tcprove --test main -- detect::servers --nocapture` prints the table.

use std::sync::Mutex;
use std::time::Instant;

use super::{init_with, said};
use crate::support::skip::{is_slow, may_lack};
use crate::support::{Bench, at_once, is_in_path};

/// The program, a shell line that starts it with {port} and {tmp}, and the talk that has to be found.
const SERVERS: &[(&str, &str, &str)] = &[
    (
        "redis-server",
        "exec redis-server --port {port} --save '' --dir {tmp}",
        "redis",
    ),
    (
        "memcached",
        "exec memcached -l 127.0.0.1 -p {port} -U 0 -u nobody",
        "memcached",
    ),
    (
        "memcached",
        "exec memcached -l 127.0.0.1 -p {port} -U 0 -u nobody -B binary",
        "memcached-binary",
    ),
    (
        "beanstalkd",
        "exec beanstalkd -l 127.0.0.1 -p {port}",
        "beanstalkd",
    ),
    (
        "python3",
        "exec python3 -m http.server --bind 127.0.0.1 --directory {tmp} {port}",
        "http",
    ),
    (
        "nginx",
        "printf 'daemon off; pid {tmp}/pid; error_log stderr; events {} http { access_log off; server { listen 127.0.0.1:{port}; location / { return 200 hi; } } }' > {tmp}/n.conf; exec nginx -p {tmp} -c {tmp}/n.conf -e stderr",
        "http",
    ),
    (
        "lighttpd",
        "printf 'server.document-root = \"{tmp}\"\\nserver.bind = \"127.0.0.1\"\\nserver.port = {port}\\n' > {tmp}/l.conf; exec lighttpd -D -f {tmp}/l.conf",
        "http-any",
    ),
    (
        "socat",
        "exec socat TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork EXEC:cat",
        "echo",
    ),
    (
        "ncat",
        "exec ncat -l -k 127.0.0.1 {port} -e /bin/cat",
        "echo",
    ),
    (
        "nats-server",
        "exec nats-server --addr 127.0.0.1 --port {port}",
        "nats",
    ),
    ("mosquitto", "exec mosquitto -p {port}", "mqtt"),
    (
        "vsftpd",
        "printf 'listen=YES\\nlisten_ipv6=NO\\nlisten_port={port}\\nbackground=NO\\nanonymous_enable=YES\\nsecure_chroot_dir={tmp}\\n' > {tmp}/v.conf; exec vsftpd {tmp}/v.conf",
        "ftp",
    ),
    (
        "dropbear",
        "dropbearkey -t ed25519 -f {tmp}/key > /dev/null; exec dropbear -F -E -r {tmp}/key -p 127.0.0.1:{port}",
        "ssh",
    ),
    (
        "ngircd",
        "printf '[Global]\\nName = irc.example.net\\nListen = 127.0.0.1\\nPorts = {port}\\n[Options]\\nDNS = no\\nIdent = no\\nPAM = no\\n' > {tmp}/i.conf; exec ngircd -n -f {tmp}/i.conf",
        "irc",
    ),
    (
        "gearmand",
        "exec gearmand -L 127.0.0.1 -p {port} -l stderr",
        "gearman",
    ),
    (
        "slapd",
        "printf 'include /etc/ldap/schema/core.schema\\npidfile {tmp}/pid\\ndatabase ldif\\nsuffix \"dc=x\"\\ndirectory {tmp}\\n' > {tmp}/s.conf; exec slapd -d 0 -f {tmp}/s.conf -h ldap://127.0.0.1:{port}",
        "ldap",
    ),
    (
        "dnsmasq",
        "exec dnsmasq -k -C /dev/null -u root --listen-address=127.0.0.1 --bind-interfaces -p {port} --address=/#/127.0.0.1",
        "dns",
    ),
    (
        "dovecot",
        "printf 'base_dir = {tmp}/run\\nlog_path = /dev/stderr\\nprotocols = imap\\nlisten = 127.0.0.1\\nssl = no\\npassdb {\\n driver = static\\n args = password=x\\n}\\nservice imap-login {\\n inet_listener imap {\\n port = {port}\\n }\\n}\\n' > {tmp}/d.conf; exec dovecot -F -c {tmp}/d.conf",
        "imap",
    ),
];

#[test]
fn are_recognised() {
    if !is_slow("a minute of detections") {
        return;
    }
    let wrong = Mutex::new(Vec::new());
    at_once(SERVERS, |(program, line, talk)| {
        if !is_in_path(program) {
            return may_lack(program);
        }
        let begun = Instant::now();
        let bench = Bench::new();
        let command = ["sh", "-c", line].map(str::to_owned).to_vec();
        let ended = init_with(&bench, command);
        let found = match ended.code {
            Some(0) => said(&ended, "talk")
                .split('`')
                .nth(1)
                .unwrap_or("learned")
                .to_owned(),
            code => format!(
                "code {code:?}: {}",
                ended.stderr.lines().next().unwrap_or_default()
            ),
        };
        println!(
            "{program:<14} {found:<18} {:>5.1} s",
            begun.elapsed().as_secs_f64()
        );
        if found != *talk {
            let mut wrong = wrong.lock().unwrap();
            return wrong.push(format!("{program} is {talk}: {}", ended.all()));
        }
        let file = tcprove::file::load(&bench.path("tcprove.toml"));
        file.unwrap_or_else(|error| panic!("{program}: {error}"));
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
