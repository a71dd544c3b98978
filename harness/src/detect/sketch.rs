//! The text of a conversation file while tcprove writes it: a built-in talk or a learned one, with the user's server.

use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::file::{self, File, FileError};
use crate::process::{Launch, Ready, ReadyStream};

/// A conversation file that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    document: DocumentMut,
}

/// The lists of exchanges that tcprove shortens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// `[[talk.turn]]`
    Turn,
    /// `[[talk.bad]]`
    Bad,
}

impl List {
    /// The key below `[talk]`.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Bad => "bad",
        }
    }
}

impl Sketch {
    /// Starts from this text.
    ///
    /// # Errors
    /// It is not TOML.
    pub(crate) fn parse(text: &str) -> Result<Self, toml_edit::TomlError> {
        let document = text.parse::<DocumentMut>()?;
        Ok(Self { document })
    }

    /// Starts from the text of a built-in talk.
    pub(crate) fn of_builtin(name: &str) -> Option<Self> {
        Self::parse(file::builtin::source(name)?).ok()
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        self.document.to_string()
    }

    /// What the text says. It names no other files.
    ///
    /// # Errors
    /// It is no conversation file.
    pub(crate) fn file(&self, talk: &str) -> Result<File, FileError> {
        let mut file = file::parse(&self.text(), "tcprove.toml", Path::new("."))?;
        file.talk.name = talk.to_owned();
        Ok(file)
    }

    /// Describes the server that `launch` starts. Of another program than the one in the file, tcprove only knows that
    /// it speaks this protocol, so only the promises of the protocol stay.
    pub(crate) fn set_server(&mut self, launch: &Launch) {
        if !self.starts_program_of(launch) {
            self.keep_protocol_promises();
            self.document.remove("server");
        }
        let mut first = self.document.get("server").is_none();
        let server = self
            .document
            .entry("server")
            .or_insert_with(|| Item::Table(Table::new()));
        let Some(server) = server.as_table_mut() else {
            return;
        };
        if std::mem::take(&mut first) {
            server.set_position(Some(-1));
            server["name"] = value(default_name(launch));
        }
        server["cmd"] = value(launch.cmd.iter().collect::<Array>());
        if !launch.env.is_empty() {
            let env = launch.env.iter();
            let env: toml_edit::InlineTable = env
                .map(|(name, text)| (name.as_str(), text.as_str()))
                .collect();
            server["env"] = value(env);
        }
        if launch.ready_timeout > Launch::new("", [""]).ready_timeout {
            server["ready_timeout"] = value(format!("{}s", launch.ready_timeout.as_secs()));
        }
        if matches!(launch.ready, Ready::Exchange) {
            server["ready"] = value("exchange");
        }
        if let Ready::Line(stream, pattern) = &launch.ready {
            let mut ready = toml_edit::InlineTable::new();
            let stream = match stream {
                ReadyStream::Stdout => "stdout",
                ReadyStream::Stderr => "stderr",
                ReadyStream::Either => "output",
            };
            ready.insert(stream, pattern.as_str().into());
            server["ready"] = value(ready);
        }
    }

    /// Describes no server: the file is used with an address.
    pub(crate) fn remove_server(&mut self) {
        self.keep_protocol_promises();
        self.document.remove("server");
    }

    fn starts_program_of(&self, launch: &Launch) -> bool {
        let cmd = self
            .document
            .get("server")
            .and_then(|server| server.get("cmd"));
        let word = cmd.and_then(|cmd| cmd.get(0)).and_then(Item::as_str);
        word.is_some_and(|word| file::is_same_program(&Launch::new("", [word]), launch))
    }

    /// Only pipelining belongs to the protocol, see `Promise::of_protocol_only`.
    fn keep_protocol_promises(&mut self) {
        let Some(promise) = self
            .document
            .get_mut("promise")
            .and_then(Item::as_table_mut)
        else {
            return;
        };
        promise.retain(|key, _| key == "pipelining");
        if promise.is_empty() {
            self.document.remove("promise");
        }
    }

    /// States that the server closes a connection after one reply.
    pub(crate) fn close_after_reply(&mut self) {
        if let Some(talk) = self.document.get_mut("talk").and_then(Item::as_table_mut) {
            talk["close"] = value("server-after-reply");
        }
    }

    #[cfg(test)]
    /// The number of exchanges in a list.
    pub(crate) fn len(&self, list: List) -> usize {
        let talk = self.document.get("talk");
        let exchanges = talk.and_then(|talk| talk.get(list.key()));
        exchanges
            .and_then(Item::as_array_of_tables)
            .map_or(0, toml_edit::ArrayOfTables::len)
    }

    /// Removes an exchange with the comment before it.
    pub(crate) fn remove(&mut self, list: List, index: usize) {
        let Some(talk) = self.document.get_mut("talk").and_then(Item::as_table_mut) else {
            return;
        };
        let exchanges = talk
            .get_mut(list.key())
            .and_then(Item::as_array_of_tables_mut);
        let Some(exchanges) = exchanges.filter(|exchanges| index < exchanges.len()) else {
            return;
        };
        exchanges.remove(index);
        if exchanges.is_empty() {
            talk.remove(list.key());
        }
    }
}

/// The name of a server in its file: that of its program, or of the script that an interpreter runs.
pub(crate) fn default_name(launch: &Launch) -> String {
    let script = launch
        .cmd
        .get(1..)
        .unwrap_or_default()
        .iter()
        .find_map(|word| {
            let name = word.rsplit('/').next()?;
            let (stem, extension) = name.rsplit_once('.')?;
            let is_script =
                ["py", "js", "mjs", "ts", "rb", "pl", "php", "lua"].contains(&extension);
            (is_script && !stem.is_empty()).then(|| stem.to_owned())
        });
    let program = launch.program();
    match script {
        Some(script) => script,
        None if program.is_empty() => "server".to_owned(),
        None => program.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_keeps_the_promises_of_the_protocol() {
        let mut sketch = Sketch::of_builtin("http").unwrap();
        let mut launch = Launch::new("", ["python3", "/srv/shop.py", "{port}"]);
        launch.env.insert("LEVEL".into(), "a \"b\"".into());
        sketch.set_server(&launch);
        let file = sketch.file("http").unwrap();
        assert_eq!(file.name, "shop");
        assert_eq!(file.promise.pipelining, Some(true));
        assert_eq!(file.promise.drains_on_stop, None);
        let server = file.server.unwrap();
        assert_eq!((server.cmd, server.stop), (launch.cmd, libc::SIGTERM));
        assert_eq!(server.env["LEVEL"], "a \"b\"");
        let text = sketch.text();
        assert!(text.find("[server]") < text.find("[promise]"), "{text}");
    }

    #[test]
    fn the_same_program_keeps_what_the_file_says() {
        let mut sketch = Sketch::of_builtin("line").unwrap();
        sketch.set_server(&Launch::new("", ["./build/tcprove", "serve", "{port}"]));
        let file = sketch.file("line").unwrap();
        assert_eq!(file.promise.drains_on_stop, Some(true));
        assert_eq!(
            (file.server.unwrap().cmd.len(), file.name.as_str()),
            (3, "line")
        );
    }

    #[test]
    fn exchanges_are_removed_with_their_comments() {
        let mut sketch = Sketch::of_builtin("redis").unwrap();
        assert_eq!((sketch.len(List::Turn), sketch.len(List::Bad)), (3, 3));
        sketch.remove(List::Turn, 1);
        assert!(!sketch.text().contains("stands for text whose size"));
        (0..3).for_each(|_| sketch.remove(List::Bad, 0));
        sketch.remove(List::Bad, 0);
        let talk = sketch.file("redis").unwrap().talk;
        assert_eq!((talk.turns.len(), talk.bad.len()), (2, 0));
    }

    #[test]
    fn one_request_for_each_connection() {
        let mut sketch = Sketch::of_builtin("http").unwrap();
        sketch.close_after_reply();
        assert!(!sketch.file("http").unwrap().talk.carries_many_turns());
    }
}
