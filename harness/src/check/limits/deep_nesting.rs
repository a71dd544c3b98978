//! Values in values, thousands of levels deep.

use std::time::Duration;

use super::http;
use crate::check::way::PAYLOAD;
use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight};
use crate::session::PeerError;
use crate::talk::{Frame, Nesting};

/// Sends deeply nested values.
pub(super) const ENTRY: Check = Check {
    id: "deep-nesting",
    group: super::GROUP,
    battery: 1,
    requirement: "a parser that calls itself for each level lets one client exhaust the stack, which ends the whole process (CWE-674; RFC 8259 section 9 allows a limit on the depth)",
    stimulus: "requests that are nested 10,000, 100,000 and 1,000,000 levels deep, as far as promise.max_message allows: arrays of RESP, arrays and objects of JSON, complete and cut off in the middle; another client is served after each",
    needs: &[Need::Nesting],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket; [(s:=socket.create_connection(('{host}',{port})), s.settimeout(3), s.sendall(m), print(s.recv(99)), s.close()) for m in (b'['*100000+b']'*100000+b'\\n', b'*1\\r\\n'*100000+b'\\$1\\r\\nx\\r\\n')]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Numbers of levels.
const DEPTHS: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Time limit for the server to read a request, and for the first bytes of its answer.
const ANSWER: Duration = Duration::from_millis(1000);
/// An answer is over after this time without bytes.
const QUIET: Duration = Duration::from_millis(20);
/// Maximum number of bytes of an answer that are read: it may repeat the request.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// A level of a value, and what is in the innermost.
struct Shape {
    name: &'static str,
    begin: &'static str,
    inner: &'static str,
    end: &'static str,
}

const RESP: [Shape; 1] = [Shape {
    name: "arrays of RESP",
    begin: "*1\r\n",
    inner: "$1\r\nx\r\n",
    end: "",
}];

const JSON: [Shape; 3] = [
    Shape {
        name: "arrays of JSON",
        begin: "[",
        inner: "",
        end: "]",
    },
    Shape {
        name: "objects of JSON",
        begin: "{\"a\":",
        inner: "1",
        end: "}",
    },
    Shape {
        name: "arrays of JSON, cut off in the middle,",
        begin: "[",
        inner: "",
        end: "",
    },
];

impl Shape {
    /// A value with this number of levels.
    fn nested(&self, depth: usize) -> Vec<u8> {
        let begin = self.begin.repeat(depth);
        [&begin, self.inner, &self.end.repeat(depth)]
            .concat()
            .into()
    }

    /// Numbers of levels of values with at most this number of bytes, the largest number included.
    fn depths(&self, bytes_max: usize) -> Vec<usize> {
        let room = bytes_max.saturating_sub(self.inner.len());
        let deepest = room / (self.begin.len() + self.end.len());
        let mut depths = DEPTHS.map(|depth| depth.min(deepest)).to_vec();
        depths.dedup();
        depths
    }
}

async fn run(cx: &Cx) -> Checked {
    let (exchange, shapes) = match cx.talk().nesting() {
        Some(Nesting::Json(exchange)) => (exchange, &JSON[..]),
        Some(Nesting::Resp) | None => (cx.talk().plain(), &RESP[..]),
    };
    let frame = &cx.talk().request;
    for shape in shapes {
        let example = cx.voice().render(exchange, PAYLOAD)?.request;
        let around = message(frame, &example, b"").len();
        let most = cx.promise().max_message.unwrap_or(usize::MAX);
        for depth in shape.depths(most.saturating_sub(around)) {
            let request = message(frame, &example, &shape.nested(depth));
            let what = format!("{} nested {depth} levels deep", shape.name);
            let mut client = cx.open_for(exchange).await?;
            client.set_limit(ANSWER);
            match client.send(&request).await {
                Ok(()) => {}
                // The server may refuse before it has read everything.
                Err(PeerError::Reset { .. } | PeerError::NotTaken { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            client.hear(ANSWER, QUIET, ANSWER_BYTES_MAX).await;
            cx.proved(format!(
                "{} bytes of {what} were sent",
                client.sent().min(request.len() as u64)
            ));
            client.close();
            cx.is_alive().await.at(|| format!("after {what}"))?;
        }
    }
    Ok(())
}

/// A request like `example` with this value in place of its own.
fn message(frame: &Frame, example: &[u8], value: &[u8]) -> Vec<u8> {
    match frame {
        Frame::Resp => value.to_vec(),
        Frame::Http1 => {
            http::rewritten(example, &format!("Content-Length: {}", value.len()), value)
        }
        _ if frame.adds_to_body() => frame.wrap(value),
        _ => {
            let content = frame.content(example);
            let content = content.trim_ascii();
            let at = memchr::memmem::find(example, content).unwrap_or(0);
            [&example[..at], value, &example[at + content.len()..]].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_place_of_those_in_the_talk() {
        let lines = Frame::until(b"\r\n");
        assert_eq!(message(&lines, b"{\"a\":1}\r\n", b"[]"), b"[]\r\n");
        let http = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(
            message(&Frame::Http1, http, b"[[]]"),
            b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n[[]]"
        );
        assert_eq!(JSON[1].nested(2), b"{\"a\":{\"a\":1}}");
        assert_eq!(RESP[0].nested(2), b"*1\r\n*1\r\n$1\r\nx\r\n");
    }

    #[test]
    fn the_limit_of_messages_is_kept() {
        assert_eq!(JSON[0].depths(usize::MAX), DEPTHS);
        assert_eq!(JSON[0].depths(65_000), [10_000, 32_500]);
        assert_eq!(JSON[1].depths(1_000), [166]);
    }
}
