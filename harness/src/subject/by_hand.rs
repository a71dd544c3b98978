//! How a reader starts the server by hand, without tcprove.

use std::path::Path;

use crate::process::{Launch, StartValues};

/// The port in these commands.
pub(crate) const BY_HAND_PORT: u16 = 9000;
/// The folder that replaces `{tmp}`.
const TMP: &str = "/tmp/tcprove-by-hand";

/// A shell command that starts the server, with everything around it. Parameters and ports are filled in. It is a single command,
/// so that it can follow `exec`, `strace` or `&`.
pub(crate) fn command(launch: &Launch) -> String {
    let uses_tmp = !launch.files.is_empty() || launch.texts().any(|text| text.contains("{tmp}"));
    let script = if launch.has_surroundings() {
        launch.script(&BY_HAND_PORT.to_string(), TMP)
    } else {
        let values = StartValues {
            port: BY_HAND_PORT,
            further: &std::collections::BTreeMap::new(),
            tmp: Path::new(TMP),
        };
        let words = launch.cmd.iter().map(|word| launch.expand(word, values));
        let command = shell_words::join(words);
        if !uses_tmp {
            return command;
        }
        format!("exec {command}")
    };
    let folder = if uses_tmp {
        format!("mkdir -p {TMP}; ")
    } else {
        String::new()
    };
    format!("sh -c {}", shell_words::quote(&(folder + &script)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_shown() {
        let mut launch = Launch::new("x", ["server", "{port}"]);
        assert_eq!(command(&launch), "server 9000");
        launch.cmd.push("{tmp}/a".into());
        let plain =
            "sh -c 'mkdir -p /tmp/tcprove-by-hand; exec server 9000 /tmp/tcprove-by-hand/a'";
        assert_eq!(command(&launch), plain);
        launch
            .beside
            .push(vec!["backend".into(), "{port:b}".into()]);
        assert_eq!(
            command(&launch),
            "sh -c 'mkdir -p /tmp/tcprove-by-hand; port_b=$((9000+1)); backend \"$port_b\" & exec server 9000 /tmp/tcprove-by-hand/a'"
        );
    }
}
