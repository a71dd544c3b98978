//! The stimulus of a check as a command for the reader's shell, including the start of the server.
//!
//! The command uses this talk's own bytes: it performs the opening, and wraps payloads as the talk does. Where that is more
//! than a short command can do (TLS, a login, values from replies, lengths), there is none.

use std::path::{Component, PathBuf};

use super::Battery;
use crate::check::{Check, way};
use crate::session::Voice;
use crate::talk::Opening;

/// What starts a connection in the texts of checks. If the talk has an opening, it follows.
const CONNECT: &str = "socket.create_connection(('{host}',{port}))";
/// The same, without the opening.
const BARE: &str = "{bare}";
/// CPU usage of all processes of the server.
const TOP: &str =
    "top -b -n 2 -d 3 -p $(echo $p $(pgrep -P $p) | tr ' ' ,) | awk 'n==2;/PID/{n++}'";
/// Clients that leave by RST and by FIN in mid-request, twice as many as there are places, and then one that asks.
const LEAVERS: &str = "python3 -c \"import socket,struct,time; r={request}; c=lambda: socket.create_connection(('{host}',{port})); [(lambda s: (s.sendall(r[:len(r)//2]), time.sleep(.01), i%2 and s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()))(c()) for i in range(2*{places})]; time.sleep(1); s=c(); s.settimeout(5); s.sendall(r); print(s.recv(4096))\"";
/// Payload size of checks that send much at once, unless the server promises less.
const SIZE: usize = 32_000;

/// The command for this check; empty if there is none. `about` is the label of the turn that its requests are of, if that is
/// not the plain one.
pub(super) fn command(check: &Check, battery: &Battery, about: Option<&str>) -> String {
    filled(check.by_hand, battery, about).unwrap_or_default()
}

/// The command for a failure of any check that shows that the server has lost the places of clients that left.
pub(super) fn lost_places(battery: &Battery, places: usize) -> String {
    let text = LEAVERS.replace("{places}", &places.to_string());
    filled(&text, battery, None).unwrap_or_default()
}

fn filled(text: &str, battery: &Battery, about: Option<&str>) -> Option<String> {
    let is_plain = battery.subject.origin.transport().describe().is_none();
    if text.is_empty() || !is_plain {
        return None;
    }
    let script = Script::new(battery, about)?;
    let text = script.connects(text)?;
    let text = script.payloads(&text)?;
    let text = script.numbers(&text)?;
    let (host, port) = battery.by_hand_address();
    let text = text
        .replace("{top}", TOP)
        .replace("{host}", &host)
        .replace("{port}", &port);
    started(&text, battery)
}

/// With the start of the server, in its folder, unless it runs already.
fn started(text: &str, battery: &Battery) -> Option<String> {
    let Some(command) = &battery.command_by_hand else {
        return (!text.contains("{cmd}") && !text.contains("$p")).then(|| text.to_owned());
    };
    let folder = battery.subject.launch().map(|launch| launch.cwd.clone());
    let is_here = |folder: &PathBuf| {
        let mut parts = folder.components();
        parts.all(|part| part == Component::CurDir)
    };
    let folder = folder.filter(|folder| !is_here(folder));
    let enter = folder.map_or(String::new(), |folder| {
        format!("cd '{}'; ", folder.display())
    });
    Some(if text.contains("{cmd}") {
        format!("{enter}{}", text.replace("{cmd}", command))
    } else {
        format!("{enter}{command} & p=$!; sleep 1; {text}; kill $p")
    })
}

/// What the placeholders of a text stand for.
struct Script<'a> {
    battery: &'a Battery,
    voice: Voice,
    /// Index of the turn whose request is sent.
    turn: usize,
}

impl<'a> Script<'a> {
    /// `None` if the requests are of a step of the opening.
    fn new(battery: &'a Battery, about: Option<&str>) -> Option<Self> {
        let subject = &battery.subject;
        let mut turns = subject.talk.turns.iter();
        let turn = match about {
            None => 0,
            Some(label) => turns.position(|turn| turn.label == label)?,
        };
        Some(Self {
            battery,
            voice: Voice::new(subject.talk.clone(), subject.values(), subject.seed),
            turn,
        })
    }

    /// Fills in connections and the plain request.
    fn connects(&self, text: &str) -> Option<String> {
        let mut text = text.to_owned();
        if text.contains(CONNECT) {
            text = text.replace(CONNECT, &self.opened()?);
        }
        if text.contains("{opening}") {
            text = text.replace("{opening}", &self.opening()?);
        }
        if text.contains("{request}") {
            let exchange = self.voice.talk().turns.get(self.turn)?;
            let request = self.voice.plain(exchange).ok()?.request;
            text = text.replace("{request}", &python(&request));
        }
        Some(text.replace(BARE, CONNECT))
    }

    /// A connection on which everything that precedes the turn has been said. `m` is what the client says, `w` whether
    /// it waits for a reply.
    fn opened(&self) -> Option<String> {
        let mut steps = Vec::new();
        let talk = self.voice.talk();
        for step in way::with_turns(talk, &talk.way_to(self.turn)) {
            let Opening::Exchange(exchange) = step else {
                return None;
            };
            let turn = self.voice.render(&exchange, way::PAYLOAD).ok()?;
            let waits = u8::from(exchange.expect.has_reply());
            steps.push(format!("({},{waits})", python(&turn.request)));
        }
        if steps.is_empty() {
            return Some(CONNECT.to_owned());
        }
        Some(format!(
            "(lambda s: ([(m and s.sendall(m), w and s.recv(65536)) for m,w in [{}]], s)[1])({CONNECT})",
            steps.join(",")
        ))
    }

    /// The requests of the opening as a list.
    fn opening(&self) -> Option<String> {
        let mut requests = Vec::new();
        for step in &self.voice.talk().open {
            let Opening::Exchange(exchange) = step else {
                return None;
            };
            let request = self.voice.render(exchange, b"").ok()?.request;
            if !request.is_empty() {
                requests.push(python(&request));
            }
        }
        Some(format!("[{}]", requests.join(",")))
    }

    /// Fills in `{payload(EXPRESSION)}`: a request with this payload.
    fn payloads(&self, text: &str) -> Option<String> {
        const BEGIN: &str = "{payload(";
        const END: &str = ")}";
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (expression, after) = after.split_once(END)?;
            let (head, tail) = self.around_payload()?;
            filled += &format!("{before}({}+{expression}+{})", python(&head), python(&tail));
            rest = after;
        }
        Some(filled + rest)
    }

    /// What the request has before and after its payload, if that does not depend on the payload.
    fn around_payload(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let exchange = self.voice.payload_exchange()?;
        let turn = self.voice.render(exchange, b"").ok()?;
        let around = |payload: &[u8]| {
            let request = self
                .voice
                .render_like(&turn, exchange, payload)
                .ok()?
                .request;
            let at = memchr::memmem::find(&request, payload)?;
            let tail = request[at + payload.len()..].to_vec();
            Some((request[..at].to_vec(), tail))
        };
        let short = around(b"<payload>")?;
        (around(b"<a much longer payload>")? == short).then_some(short)
    }

    /// Fills in numbers: the promised limits, and sizes below them.
    fn numbers(&self, text: &str) -> Option<String> {
        let promise = &self.battery.subject.promise;
        let mut text = text.to_owned();
        if text.contains("{overhead}") {
            let (head, tail) = self.around_payload()?;
            text = text.replace("{overhead}", &(head.len() + tail.len()).to_string());
        }
        if text.contains("{limit}") {
            text = text.replace("{limit}", &promise.max_message?.to_string());
        }
        if text.contains("{huge}") {
            let talk = self.voice.talk();
            // Those that the check announces, as far as the field holds them.
            let claims = [
                1 << 31,
                u64::from(u32::MAX),
                i64::MAX as u64,
                u64::from(u16::MAX),
            ];
            let all = claims
                .iter()
                .filter_map(|claim| talk.request.announcing(*claim));
            let headers: Vec<String> = all.take(3).map(|header| python(&header)).collect();
            if headers.is_empty() {
                return None;
            }
            text = text.replace("{huge}", &format!("({},)", headers.join(",")));
        }
        let clients = promise.max_connections;
        let clients = clients.map_or("int(input('limit: '))".to_owned(), |most| most.to_string());
        let size = promise
            .max_message
            .map_or(SIZE, |most| (most / 8 * 7).min(SIZE));
        Some(
            text.replace("{connections}", &clients)
                .replace("{size}", &size.to_string()),
        )
    }
}

/// Bytes as a Python expression that needs no quoting in a shell.
fn python(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("bytes.fromhex('{hex}')")
}
