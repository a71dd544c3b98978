//! A launch as a shell command, for readers and reproducers that have no tcprove.

use std::fmt::Write as _;

use super::{Launch, Listening};
use crate::text::template::{Template, TemplatePiece, further_port};

/// Listens for a command in inetd style: the port, and the command as further arguments. Ends when one of its processes
/// crashes, as tcprove's acceptor does.
const INETD: &str = "\
import os, signal, socket, subprocess, sys
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS)
def reap(*_):
    try:
        while (status := os.waitpid(-1, os.WNOHANG))[0]:
            if os.WIFSIGNALED(status[1]) and os.WTERMSIG(status[1]) in CRASHES:
                os.kill(os.getpid(), os.WTERMSIG(status[1]))
    except ChildProcessError:
        pass
signal.signal(signal.SIGCHLD, reap)
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=1024)
while True:
    client = server.accept()[0]
    subprocess.Popen(sys.argv[3:], stdin=client, stdout=client)
    client.close()";

/// Listens and passes the socket on: the host, the port, the name of the socket, and the command as further arguments.
const ACTIVATE: &str = "\
import os, socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=1024)
os.dup2(server.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_FDNAMES=sys.argv[3], LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[4], sys.argv[4:])";

impl Launch {
    /// Whether more than its command is needed to start the server.
    pub(crate) fn has_surroundings(&self) -> bool {
        !self.files.is_empty()
            || !self.prepare.is_empty()
            || !self.beside.is_empty()
            || self.user.is_some()
            || self.listening != Listening::Server
            || !self.further_ports().is_empty()
    }

    /// A script for sh that writes the files, prepares the folder, starts the helpers and becomes the server. `port` and
    /// `tmp` replace `{port}` and `{tmp}`; further ports are the numbers after `port`. The folder must exist.
    pub(crate) fn script(&self, port: &str, tmp: &str) -> String {
        let script = Script {
            launch: self,
            port,
            tmp,
        };
        script.text()
    }
}

/// A script that is written.
struct Script<'a> {
    launch: &'a Launch,
    port: &'a str,
    tmp: &'a str,
}

impl Script<'_> {
    fn text(&self) -> String {
        let launch = self.launch;
        let mut text = String::new();
        for (place, name) in launch.further_ports().iter().enumerate() {
            let _ = write!(text, "port_{name}=$(({}+{})); ", self.port, place + 1);
        }
        for (path, file) in &launch.files {
            let at = format!("{}/{}", self.tmp, path.display());
            if path.components().count() > 1
                && let Some((folder, _)) = at.rsplit_once('/')
            {
                let _ = write!(text, "mkdir -p {}; ", quoted(folder));
            }
            let (at, content) = (quoted(&at), self.word(&file.text));
            let _ = write!(
                text,
                "printf %s {content} > {at}; chmod {:o} {at}; ",
                file.mode
            );
        }
        if let Some(user) = &launch.user {
            let _ = write!(text, "chown -R {} {}; ", quoted(user), quoted(self.tmp));
        }
        for words in &launch.prepare {
            let _ = write!(text, "{}; ", self.command(words));
        }
        for words in &launch.beside {
            let _ = write!(text, "{} & ", self.command(words));
        }
        text + "exec " + &self.server()
    }

    fn server(&self) -> String {
        let launch = self.launch;
        let command = self.command(&launch.cmd);
        let listens = |program: &str, more: &str| {
            let host = quoted(&launch.host.to_string());
            format!(
                "python3 -c {} {host} {}{more} {command}",
                quoted(program),
                self.port
            )
        };
        match &launch.listening {
            Listening::Server => command,
            Listening::PerConnection => listens(INETD, ""),
            Listening::Inherited { name } => listens(ACTIVATE, &format!(" {}", quoted(name))),
        }
    }

    fn command(&self, words: &[String]) -> String {
        let words: Vec<String> = words.iter().map(|word| self.word(word)).collect();
        let command = words.join(" ");
        match &self.launch.user {
            Some(user) => format!("runuser -u {} -- {command}", quoted(user)),
            None => command,
        }
    }

    /// A word for the shell, with its placeholders filled in.
    fn word(&self, word: &str) -> String {
        let Ok(template) = Template::parse(word) else {
            return quoted(word);
        };
        let (mut text, mut literal) = (String::new(), String::new());
        for piece in template.pieces() {
            let slot = match piece {
                TemplatePiece::Text(piece) => {
                    literal.push_str(piece);
                    continue;
                }
                TemplatePiece::Slot(slot) => slot,
            };
            let name = slot.name.as_str();
            match (name, further_port(name), self.launch.params.get(name)) {
                ("port", ..) => literal.push_str(self.port),
                ("tmp", ..) => literal.push_str(self.tmp),
                (_, Some(further), _) => {
                    if !literal.is_empty() {
                        text.push_str(&quoted(&std::mem::take(&mut literal)));
                    }
                    let _ = write!(text, "\"$port_{further}\"");
                }
                (_, _, Some(value)) => literal.push_str(value),
                _ => literal.push_str(&slot.to_string()),
            }
        }
        if !literal.is_empty() || text.is_empty() {
            text.push_str(&quoted(&literal));
        }
        text
    }
}

/// A word for the shell that stands for this text.
fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=+@%".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::process::LaunchFile;

    fn sh(script: &str) -> String {
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_script_does_what_a_start_does() {
        let folder = tempfile::tempdir().unwrap();
        let tmp = folder.path().to_str().unwrap();
        let mut launch = Launch::new(
            "x",
            ["printf", "%s|", "it's {size}", "{port:b}", "", "{{x} $HOME"],
        );
        launch.params.insert("size".into(), "64".into());
        let text = "port {port}\nto '{port:b}' in {tmp}\n";
        let file = LaunchFile {
            text: text.into(),
            mode: 0o750,
        };
        launch.files.insert("conf.d/a b.conf".into(), file);
        let note = |text: &str| ["sh", "-c", text, "{tmp}"].map(str::to_owned).to_vec();
        launch.prepare.push(note("cat $0/conf.d/*"));
        assert!(launch.has_surroundings());
        let printed = sh(&launch.script("9000", tmp));
        let expected = format!("port 9000\nto '9001' in {tmp}\nit's 64|9001||{{x}} $HOME|");
        assert_eq!(printed, expected);
    }

    #[test]
    fn a_plain_command_has_no_surroundings() {
        let launch = Launch::new("x", ["server", "--port={port}", "{tmp}"]);
        assert!(!launch.has_surroundings());
        assert_eq!(launch.script("80", "/t"), "exec server --port=80 /t");
    }

    /// Placeholders may stay, for a program that fills them in.
    #[test]
    fn placeholders_may_stay() {
        let mut launch = Launch::new("x", ["server", "{port}"]);
        launch.listening = Listening::Inherited { name: "web".into() };
        let script = launch.script("{port}", "{tmp}");
        assert!(
            script.ends_with("127.0.0.1 {port} web server '{port}'"),
            "{script}"
        );
    }
}
