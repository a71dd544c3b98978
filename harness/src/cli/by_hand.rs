//! How a reader starts the server by hand, without tcprove.

use std::collections::BTreeMap;
use std::path::Path;

use crate::check::run::BY_HAND_PORT;
use crate::process::{Launch, Listening, StartValues};

/// The folder that replaces `{tmp}`.
const TMP: &str = "/tmp/tcprove-by-hand";

/// A shell command that starts the server: with its files written, its folder prepared and its helpers started.
/// Parameters and ports are filled in.
pub(super) fn command(launch: &Launch) -> String {
    let further = launch.further_ports().into_iter();
    let further: BTreeMap<String, u16> = further.zip(BY_HAND_PORT + 1..).collect();
    let values = StartValues {
        port: BY_HAND_PORT,
        further: &further,
        tmp: Path::new(TMP),
    };
    let shell = |words: &[String]| {
        let words = words.iter().map(|word| launch.expand(word, values));
        let command = shell_words::join(words);
        match &launch.user {
            Some(user) => format!("runuser -u {} -- {command}", shell_words::quote(user)),
            None => command,
        }
    };
    let mut steps = Vec::new();
    let uses_tmp = launch.texts().any(|text| text.contains("{tmp}"));
    if uses_tmp || !launch.files.is_empty() {
        steps.push(format!("mkdir -p {TMP}"));
    }
    for (path, file) in &launch.files {
        let text = launch.expand(&file.text, values);
        let path = Path::new(TMP).join(path);
        if let Some(folder) = path.parent().filter(|folder| *folder != Path::new(TMP)) {
            let folder = folder.display().to_string();
            steps.push(format!("mkdir -p {}", shell_words::quote(&folder)));
        }
        let path = path.display().to_string();
        let (text, path) = (shell_words::quote(&text), shell_words::quote(&path));
        steps.push(format!("printf %s {text} > {path}"));
        steps.push(format!("chmod {:o} {path}", file.mode));
    }
    if let Some(user) = launch.user.as_ref().filter(|_| !steps.is_empty()) {
        steps.push(format!("chown -R {} {TMP}", shell_words::quote(user)));
    }
    steps.extend(launch.prepare.iter().map(|words| shell(words)));
    let mut text: String = steps.iter().map(|step| format!("{step}; ")).collect();
    text.extend(
        launch
            .beside
            .iter()
            .map(|words| format!("{} & ", shell(words))),
    );
    text + &listener(launch) + &shell(&launch.cmd)
}

/// What listens for a server that does not listen by itself.
fn listener(launch: &Launch) -> String {
    let address = format!("{}:{BY_HAND_PORT}", launch.host);
    match &launch.listening {
        Listening::Server => String::new(),
        Listening::PerConnection => {
            format!("systemd-socket-activate --accept --inetd -l {address} ")
        }
        Listening::Inherited { name } => format!(
            "systemd-socket-activate -l {address} --fdname={} ",
            shell_words::quote(name)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::LaunchFile;

    #[test]
    fn everything_around_the_server_is_started_too() {
        let mut launch = Launch::new("x", ["proxy", "-f", "{tmp}/a.conf", "{port}"]);
        assert_eq!(
            command(&launch),
            "mkdir -p /tmp/tcprove-by-hand; proxy -f /tmp/tcprove-by-hand/a.conf 9000"
        );
        let file = LaunchFile {
            text: "to {port:backend}".into(),
            mode: 0o600,
        };
        launch.files.insert("a.conf".into(), file);
        launch
            .beside
            .push(vec!["backend".into(), "{port:backend}".into()]);
        launch.prepare.push(vec!["make".into(), "key".into()]);
        assert_eq!(
            command(&launch),
            "mkdir -p /tmp/tcprove-by-hand; printf %s 'to 9001' > /tmp/tcprove-by-hand/a.conf; \
             chmod 600 /tmp/tcprove-by-hand/a.conf; make key; backend 9001 & \
             proxy -f /tmp/tcprove-by-hand/a.conf 9000"
        );
        let mut launch = Launch::new("x", ["cat"]);
        launch.user = Some("nobody".into());
        launch.listening = Listening::PerConnection;
        assert_eq!(
            command(&launch),
            "systemd-socket-activate --accept --inetd -l 127.0.0.1:9000 runuser -u nobody -- cat"
        );
    }
}
