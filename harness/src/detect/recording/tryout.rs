//! Sends the requests of a recorded session again, with other words.

use std::time::Duration;

use super::frames::{Frames, Pair};
use super::template::{Fill, Template, repeated};
use super::{MESSAGE_BYTES_MAX, exchange};
use crate::detect::expectation::Sample;
use crate::detect::prober::Prober;
use crate::detect::{DetectError, FIRST_WORD, LIKELY, no_talk};
use crate::session::ConnectionEnd;
use crate::talk::Frame;

/// Time in which a request without a recorded reply is seen to have none.
const NO_REPLY: Duration = Duration::from_millis(500);
/// Replies that are compared to find out what they have in common.
const SAMPLES: usize = 3;

/// A recorded exchange, and which word of it may be replaced.
#[derive(Clone, Debug)]
pub(super) struct Line {
    recorded: Pair,
    /// The bytes before the length.
    pub(super) head: Vec<u8>,
    pub(super) template: Template,
    /// Whether the reply repeats the word that was replaced.
    pub(super) has_token: bool,
    /// How a payload follows the token, if the reply repeats that too.
    pub(super) payload: Option<Fill>,
    word: Vec<u8>,
}

/// What came back for one line.
#[derive(Clone, Debug)]
pub(super) struct Came {
    sent: Vec<u8>,
    sample: Sample,
    end: ConnectionEnd,
}

/// What the server said to the lines of a session.
struct Replies {
    greeting: Vec<u8>,
    came: Vec<Came>,
}

/// A line, and several replies to it.
#[derive(Clone, Debug)]
pub(super) struct Lesson {
    pub(super) line: Line,
    pub(super) samples: Vec<Sample>,
    /// Replies with a payload.
    pub(super) with_payload: Vec<Sample>,
    /// The server closes the connection after it.
    pub(super) closes: bool,
    /// A request and its reply.
    pub(super) example: Pair,
}

/// What was learned from one session.
#[derive(Debug, Default)]
pub(super) struct Learned {
    pub(super) greetings: Vec<Sample>,
    pub(super) lessons: Vec<Lesson>,
    /// What the server does not do as in the recording.
    pub(super) left_out: Vec<String>,
}

/// Tries recorded sessions on the server.
pub(super) struct Tryout<'a, 'b> {
    pub(super) prober: &'a mut Prober<'b>,
    pub(super) frames: &'a Frames,
    pub(super) greets: bool,
}

impl Line {
    pub(super) fn new(frames: &Frames, recorded: &Pair) -> Self {
        let frame = &frames.request.frame;
        let head = match frame {
            Frame::Len(len) => {
                let header = len.header(&recorded.0).ok().flatten();
                recorded.0[..header.map_or(0, |header| header.field.start)].to_vec()
            }
            _ => Vec::new(),
        };
        let body = frame.body(&recorded.0);
        Self {
            recorded: recorded.clone(),
            head,
            template: Template::literal(&body, *frame == Frame::Http1),
            has_token: false,
            payload: None,
            word: Vec::new(),
        }
    }

    /// The request and the reply of the recording, as a phrase.
    pub(super) fn shown(&self) -> String {
        exchange(&self.recorded.0, &self.recorded.1)
    }

    fn with_word(&self, word: &[u8], fill: Fill) -> Self {
        let mut line = self.clone();
        line.template = self.template.replacing(word);
        line.word = word.to_vec();
        line.has_token = true;
        line.payload = fill.has_payload().then_some(fill);
        line
    }

    /// Whether this reply is what the recording makes expect when the word is replaced by this text: equal in its first
    /// line, but for numbers.
    fn fits(&self, body: &[u8], reply: &[u8], text: &[u8]) -> bool {
        if body.is_empty() || reply.is_empty() {
            return body.is_empty() == reply.is_empty();
        }
        let wanted = replaced(body, &self.word, text);
        let repeats = text.is_empty() || memchr::memmem::find(reply, text).is_some();
        repeats && first_line(&wanted) == first_line(reply)
    }
}

impl Tryout<'_, '_> {
    /// Learns from one session: what of it the server does again, and with which words.
    pub(super) fn learn(&mut self, session: &[Pair]) -> Result<Learned, DetectError> {
        let mut learned = Learned::default();
        let short = |pair: &&Pair| pair.0.len().max(pair.1.len()) <= MESSAGE_BYTES_MAX;
        let pairs: Vec<&Pair> = session.iter().take_while(short).collect();
        if pairs.len() < session.len() {
            let (request, reply) = &session[pairs.len()];
            learned.left_out.push(format!(
                "{}, and what follows it: longer than {MESSAGE_BYTES_MAX} bytes",
                exchange(request, reply)
            ));
        }
        let mut lines: Vec<Line> = pairs
            .iter()
            .map(|pair| Line::new(self.frames, pair))
            .collect();
        let held = self.held(&lines)?;
        if let Some(missed) = lines.get(held.0) {
            let what = format!("{}: {}", missed.shown(), held.1);
            let rest = lines.len() - held.0 - 1;
            let more = if rest > 0 {
                format!(", and {rest} after it")
            } else {
                String::new()
            };
            learned.left_out.push(what + &more);
            lines.truncate(held.0);
        }
        for index in 0..lines.len() {
            if let Some(line) = self.with_words(&lines, index)? {
                lines[index] = line;
            }
        }
        self.sample(lines, &mut learned)?;
        Ok(learned)
    }

    /// Whether the server answers this line as recorded on a connection of its own.
    pub(super) fn works_alone(&mut self, line: &Line) -> Result<bool, DetectError> {
        let lines = [line.clone()];
        let token = self.prober.token();
        let replies = self.run(&lines, &token, false)?;
        Ok(self.all_fit(&lines, &replies, 0, &token))
    }

    /// How many lines the server answers as recorded, and what came instead of the next reply.
    fn held(&mut self, lines: &[Line]) -> Result<(usize, String), DetectError> {
        let replies = self.run(lines, "", false)?;
        for (index, line) in lines.iter().enumerate() {
            let Some(came) = replies.came.get(index) else {
                return Ok((index, "the connection had ended before it".to_owned()));
            };
            if !self.fits(line, came, "") {
                let what = match (came.sample.reply.is_empty(), came.end) {
                    (true, ConnectionEnd::StillOpen) => "now nothing came".to_owned(),
                    (true, _) => "now the server closed the connection".to_owned(),
                    _ => format!("now came {}", super::quoted(&came.sample.reply)),
                };
                return Ok((index, what));
            }
        }
        Ok((lines.len(), String::new()))
    }

    /// The line with a word of it replaced that the reply repeats, and with a payload if it repeats that too.
    fn with_words(&mut self, lines: &[Line], index: usize) -> Result<Option<Line>, DetectError> {
        let line = &lines[index];
        let body = self
            .frames
            .request
            .frame
            .body(&line.recorded.0)
            .into_owned();
        for word in repeated(&body, &line.recorded.1) {
            let candidate = line.with_word(&word, Fill::Token);
            if !self.repeats(lines, index, &candidate)? {
                continue;
            }
            for fill in [Fill::Spaced, Fill::Joined] {
                let longer = line.with_word(&word, fill);
                if self.repeats(lines, index, &longer)? {
                    return Ok(Some(longer));
                }
            }
            return Ok(Some(candidate));
        }
        Ok(None)
    }

    /// Whether the reply repeats the new words of this line, and the lines before it are still answered.
    fn repeats(&mut self, lines: &[Line], index: usize, line: &Line) -> Result<bool, DetectError> {
        let mut lines = lines[..=index].to_vec();
        lines[index] = line.clone();
        let token = self.prober.token();
        let payload = line.payload.is_some();
        let replies = self.run(&lines, &token, payload)?;
        Ok(self.all_fit(&lines, &replies, index, &token))
    }

    fn all_fit(&self, lines: &[Line], replies: &Replies, index: usize, token: &str) -> bool {
        let came = replies.came.get(index);
        came.is_some_and(|came| self.fits(&lines[index], came, token))
    }

    fn fits(&self, line: &Line, came: &Came, token: &str) -> bool {
        let text = match (line.has_token, line.payload) {
            (false, _) => String::new(),
            (true, Some(fill)) if !came.sample.payload.is_empty() => {
                fill.text(token, &came.sample.payload)
            }
            (true, _) => token.to_owned(),
        };
        let body = self.frames.reply.frame.body(&line.recorded.1);
        line.fits(&body, &came.sample.reply, text.as_bytes())
    }

    /// Several replies to all lines, on a fresh server each.
    fn sample(&mut self, lines: Vec<Line>, learned: &mut Learned) -> Result<(), DetectError> {
        let (mut plain_rounds, mut longer_rounds) = (Vec::new(), Vec::new());
        while plain_rounds.len() < SAMPLES && !lines.is_empty() {
            let token = self.prober.token();
            let mut plain = self.run(&lines, &token, false)?;
            if plain_rounds.len() == 1 {
                // What counts up in the server differs the second time, if it serves a second client.
                let token = self.prober.token();
                let again = self.run_again(&lines, &token, false)?;
                if again.came.len() == lines.len() {
                    plain = again;
                }
            }
            let greeting = plain.greeting;
            learned.greetings.push(Sample {
                token: String::new(),
                payload: String::new(),
                reply: greeting,
            });
            let longer = if lines.iter().any(|line| line.payload.is_some()) {
                let token = self.prober.token();
                self.run(&lines, &token, true)?.came
            } else {
                Vec::new()
            };
            plain_rounds.push(plain.came);
            longer_rounds.push(longer);
        }
        for (index, mut line) in lines.into_iter().enumerate() {
            let plain = column(&plain_rounds, index);
            let longer = column(&longer_rounds, index);
            let Some(first) = plain.first().filter(|_| plain.len() == SAMPLES) else {
                let what = format!("{}: not answered each time", line.shown());
                learned.left_out.push(what);
                break;
            };
            if longer.len() < SAMPLES {
                line.payload = None;
            }
            let samples = |came: &[Came]| came.iter().map(|came| came.sample.clone()).collect();
            learned.lessons.push(Lesson {
                closes: plain
                    .iter()
                    .all(|came| came.end != ConnectionEnd::StillOpen),
                example: (first.sent.clone(), first.sample.reply.clone()),
                samples: samples(&plain),
                with_payload: line.payload.map_or(Vec::new(), |_| samples(&longer)),
                line,
            });
        }
        Ok(())
    }

    /// Sends these lines one after the other on a new connection. Ends early if a reply is missing.
    fn run(&mut self, lines: &[Line], token: &str, longer: bool) -> Result<Replies, DetectError> {
        self.prober.fresh()?;
        self.run_again(lines, token, longer)
    }

    /// As [`Tryout::run`], on the server that runs.
    fn run_again(
        &mut self,
        lines: &[Line],
        token: &str,
        longer: bool,
    ) -> Result<Replies, DetectError> {
        let mut replies = Replies {
            greeting: Vec::new(),
            came: Vec::new(),
        };
        let client = self.prober.client(&no_talk()?);
        let Ok(mut connection) = self.prober.open(&client, LIKELY)? else {
            return Ok(replies);
        };
        if self.greets {
            replies.greeting = self.prober.rest(&mut connection, LIKELY)?.0;
        }
        for line in lines {
            let payload = match line.payload {
                Some(_) if longer => format!(
                    "pay{}",
                    self.prober
                        .token()
                        .replace(|c: char| c.is_ascii_digit(), "")
                ),
                _ => String::new(),
            };
            let Some(sent) = self.rendered(line, token, &payload, connection.port()) else {
                break;
            };
            let first = match line.recorded.1.is_empty() {
                true => NO_REPLY,
                false => LIKELY.min(FIRST_WORD * 3),
            };
            let reply = self.frames.reply.clone();
            let is_whole =
                |got: &[u8]| !reply.frame.is_delimited() || reply.messages(got).is_some();
            let (got, end) = self.prober.say(&mut connection, &sent, first, &is_whole)?;
            let delimited = reply.frame.is_delimited() && !got.is_empty();
            let body = reply.only_body(&got).filter(|_| delimited).unwrap_or(got);
            let is_missing = body.is_empty() && !line.recorded.1.is_empty();
            replies.came.push(Came {
                sent,
                sample: Sample {
                    token: if line.has_token {
                        token.to_owned()
                    } else {
                        String::new()
                    },
                    payload,
                    reply: body,
                },
                end,
            });
            if is_missing || end != ConnectionEnd::StillOpen {
                break;
            }
        }
        Ok(replies)
    }

    /// The bytes of a request, with these words.
    fn rendered(&self, line: &Line, token: &str, payload: &str, port: u16) -> Option<Vec<u8>> {
        let longer = line.payload.filter(|_| !payload.is_empty());
        let word = match line.has_token {
            true => longer.unwrap_or(Fill::Token).text(token, payload),
            false => String::new(),
        };
        let body = line.template.render(word.as_bytes(), port);
        let head = Some(line.head.as_slice()).filter(|head| !head.is_empty());
        let mut sent = Vec::new();
        let frame = &self.frames.request.frame;
        frame.enclose(head, &body, [0; 4], &mut sent).ok()?;
        Some(sent)
    }
}

/// What came for this line in each round that got so far.
fn column(rounds: &[Vec<Came>], line: usize) -> Vec<Came> {
    let came = rounds.iter().filter_map(|round| round.get(line));
    came.cloned().collect()
}

fn replaced(bytes: &[u8], word: &[u8], text: &[u8]) -> Vec<u8> {
    if word.is_empty() {
        return bytes.to_vec();
    }
    let (mut out, mut at) = (Vec::new(), 0);
    for found in memchr::memmem::find_iter(bytes, word) {
        out.extend_from_slice(&bytes[at..found]);
        out.extend_from_slice(text);
        at = found + word.len();
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

/// The first line, with one digit for each number.
fn first_line(bytes: &[u8]) -> Vec<u8> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let mut shape: Vec<u8> = line
        .iter()
        .map(|byte| if byte.is_ascii_digit() { b'0' } else { *byte })
        .collect();
    shape.dedup_by(|one, before| *one == b'0' && *before == b'0');
    shape
}
