//! Learns a talk from the replies, for a server that speaks no built-in one.

use std::fmt::Write as _;

use super::adapt::{Held, confirm, confirm_at_once};
use super::expectation::{self, Sample};
use super::heard::Heard;
use super::prober::Prober;
use super::stimulus::{Stimulus, ask, stimulus, with_length};
use super::{Compared, DetectError, Ending, LATE_GREETING, Learned, Missed, Sketch, no_talk};
use crate::file::File;
use crate::text::toml_string;

/// Replies that are compared to find out what they have in common.
const SAMPLES: usize = 3;
/// The most bytes of a reply from which a talk is learned.
const REPLY_BYTES_MAX: usize = 8 * 1024;

/// A talk that was learned and confirmed, or what was missed when it was to be confirmed; `None` if the server said
/// nothing to learn from.
pub(super) type LearnedTalk = Result<(Held, Learned), Option<Missed>>;

/// Learns a talk from what the server answers.
///
/// # Errors
/// The server does not start or cannot be reached, or the user interrupted.
pub(super) fn learn(
    prober: &mut Prober<'_>,
    said: &[Heard],
    tried_lengths: bool,
) -> Result<LearnedTalk, DetectError> {
    let greeting = match said.first() {
        Some(heard) if heard.is_answered() && heard.is_closed() => return Ok(Err(None)),
        Some(heard) if heard.is_answered() => Some(greeting(prober, heard)?),
        _ => None,
    };
    let opened = match &greeting {
        None => no_talk()?,
        Some(greeting) => opened(greeting)?,
    };
    // A server that answers nonsense in text has no binary length.
    let in_text =
        |heard: &Heard| heard.is_answered() && !heard.got.iter().any(|byte| *byte < b'\t');
    let mut found = None;
    if !tried_lengths
        && !said
            .iter()
            .skip(usize::from(greeting.is_some()))
            .any(in_text)
    {
        found = with_length(prober, &opened)?;
    }
    if found.is_none() {
        found = stimulus(prober, &opened, said)?;
    }
    let Some(stimulus) = found else {
        return Ok(Err(None));
    };
    let mut teacher = Teacher {
        prober,
        opened,
        stimulus,
        greeting,
    };
    teacher.learn()
}

/// Learns a talk with a binary length before each message.
///
/// # Errors
/// As [`learn`].
pub(super) fn framed(prober: &mut Prober<'_>) -> Result<LearnedTalk, DetectError> {
    let opened = no_talk()?;
    let Some(stimulus) = with_length(prober, &opened)? else {
        return Ok(Err(None));
    };
    let mut teacher = Teacher {
        prober,
        opened,
        stimulus,
        greeting: None,
    };
    teacher.learn()
}

/// The greeting: its expectation and its frame.
struct Greeting {
    expect: String,
    ending: Ending,
}

fn greeting(prober: &mut Prober<'_>, first: &Heard) -> Result<Greeting, DetectError> {
    let talk = no_talk()?;
    let mut heard = vec![first.clone()];
    while heard.len() < SAMPLES {
        // Another life of the server may greet with other numbers.
        prober.fresh()?;
        heard.push(prober.hear(&talk, "", b"", LATE_GREETING)?);
    }
    let samples: Vec<Sample> = heard.iter().map(sample).collect();
    Ok(Greeting {
        expect: expectation::of(&samples).0,
        ending: ending(&heard),
    })
}

/// A talk that only consists of the greeting, to send something after it.
fn opened(greeting: &Greeting) -> Result<File, DetectError> {
    let text = format!(
        "[talk]\nframe = \"none\"\n{}\n[[talk.turn]]\nsend = \"{{tok}}\"\nexpect = \"{{tok}}\"\n",
        opening(greeting)
    );
    parsed(&text).map(|(_, file)| file)
}

fn opening(greeting: &Greeting) -> String {
    format!(
        "\n# At the begin of each connection the server speaks first.\n[[talk.open]]\nexpect = {}\n{}",
        greeting.expect,
        frame_line(&greeting.ending)
    )
}

fn frame_line(ending: &Ending) -> String {
    format!("frame = {}\n", frame(ending))
}

fn frame(ending: &Ending) -> String {
    match ending {
        Ending::Lf => r#"{ until = "\n" }"#.to_owned(),
        Ending::Crlf => r#"{ until = "\r\n" }"#.to_owned(),
        Ending::Lines(lines) => format!("{{ lines = {lines} }}"),
        Ending::Framed(toml) => (*toml).to_owned(),
        Ending::Close => "\"eof\"".to_owned(),
        Ending::Unmarked => "\"none\"".to_owned(),
    }
}

pub(super) fn parsed(text: &str) -> Result<(Sketch, File), DetectError> {
    let failed = |error: String| DetectError::Failed(format!("a learned talk is wrong: {error}"));
    let sketch = Sketch::parse(text).map_err(|error| failed(error.to_string()))?;
    let file = sketch
        .file("custom")
        .map_err(|error| failed(error.to_string()))?;
    Ok((sketch, file))
}

fn sample(heard: &Heard) -> Sample {
    Sample {
        token: heard.token.clone(),
        payload: String::new(),
        reply: heard.got.clone(),
    }
}

/// How the replies end.
fn ending(heard: &[Heard]) -> Ending {
    let lines = |heard: &Heard| heard.got.iter().filter(|byte| **byte == b'\n').count();
    let all = |holds: &dyn Fn(&Heard) -> bool| heard.iter().all(holds);
    let count = heard.first().map_or(0, lines);
    let ends_in_line = all(&|heard| heard.got.ends_with(b"\n") && lines(heard) == count);
    match count {
        1 if ends_in_line && all(&|heard| heard.got.ends_with(b"\r\n")) => Ending::Crlf,
        1 if ends_in_line => Ending::Lf,
        _ if all(&Heard::is_closed) => Ending::Close,
        count if ends_in_line => Ending::Lines(count),
        _ => Ending::Unmarked,
    }
}

/// Learns the rest once it is known which requests the server answers.
struct Teacher<'a, 'b> {
    prober: &'a mut Prober<'b>,
    opened: File,
    stimulus: Stimulus,
    greeting: Option<Greeting>,
}

/// The replies to one kind of request.
struct Lesson {
    heard: Vec<Heard>,
    expect: String,
    compared: Compared,
}

impl Teacher<'_, '_> {
    fn learn(&mut self) -> Result<LearnedTalk, DetectError> {
        let Some(plain) = self.lesson(false)? else {
            return Ok(Err(None));
        };
        let learned = Learned {
            request: self.stimulus.ending.clone(),
            reply: self.ending(&plain.heard),
            compared: plain.compared,
        };
        let closes = plain.heard.iter().all(Heard::is_closed);
        let payload = self.lesson(true)?;
        let payload = payload.filter(|lesson| self.ending(&lesson.heard) == learned.reply);
        let mut missed = None;
        for payload in payload.iter().map(Some).chain([None]) {
            let text = self.text(&plain, payload, &learned, closes);
            let (sketch, file) = parsed(&text)?;
            let confirmed = if self.prober.settles() {
                confirm(self.prober, &file)?
            } else {
                confirm_at_once(self.prober, &file)?
            };
            match confirmed {
                Ok(()) => {
                    let example = plain.heard.first();
                    let example = example.map(|heard| (heard.sent.clone(), heard.got.clone()));
                    let held = Held {
                        sketch,
                        file,
                        example: example.unwrap_or_default(),
                        changes: Vec::new(),
                    };
                    return Ok(Ok((held, learned)));
                }
                Err(why) => missed = Some(why),
            }
        }
        Ok(Err(missed))
    }

    /// Several replies to requests with or without a payload. `None` if one of them has no reply, or a long one.
    fn lesson(&mut self, payload: bool) -> Result<Option<Lesson>, DetectError> {
        let (mut heard, mut samples) = (Vec::new(), Vec::new());
        while heard.len() < SAMPLES {
            let (one, payload) = ask(self.prober, &self.opened, &self.stimulus, payload)?;
            if !(1..=REPLY_BYTES_MAX).contains(&one.got.len()) {
                return Ok(None);
            }
            let Some(reply) = self.body(&one.got) else {
                return Ok(None);
            };
            samples.push(Sample {
                payload,
                reply,
                ..sample(&one)
            });
            heard.push(one);
        }
        let (expect, compared) = expectation::of(&samples);
        Ok(Some(Lesson {
            heard,
            expect,
            compared,
        }))
    }

    /// What of a reply is compared. `None` if it is not one message in the form of the request.
    fn body(&self, reply: &[u8]) -> Option<Vec<u8>> {
        match &self.stimulus.length {
            Some(length) => length.only_body(reply),
            None => Some(reply.to_vec()),
        }
    }

    /// How these replies end.
    fn ending(&self, heard: &[Heard]) -> Ending {
        match &self.stimulus.ending {
            framed @ Ending::Framed(_) => framed.clone(),
            _ => ending(heard),
        }
    }

    fn text(
        &self,
        plain: &Lesson,
        payload: Option<&Lesson>,
        learned: &Learned,
        closes: bool,
    ) -> String {
        let (request, reply) = (frame(&learned.request), frame(&learned.reply));
        let mut text = "[talk]\n# How a message ends.\n".to_owned();
        if request == reply {
            let _ = writeln!(text, "frame = {request}");
        } else {
            let _ = writeln!(text, "frame = {{ request = {request}, reply = {reply} }}");
        }
        if closes && learned.reply != Ending::Close {
            text.push_str("close = \"server-after-reply\" # one request for each connection\n");
        }
        if let Some(greeting) = &self.greeting {
            text.push_str(&opening(greeting));
        }
        let comment = "The plain exchange. {tok} is a different word in every request, so that replies can be told apart.";
        text.push_str(&self.turn(comment, false, plain));
        if let Some(payload) = payload {
            let comment = "{payload} stands for text whose size and bytes checks and loads vary.";
            text.push_str(&self.turn(comment, true, payload));
        }
        text
    }

    fn turn(&self, comment: &str, payload: bool, lesson: &Lesson) -> String {
        let send = toml_string(&self.stimulus.template(payload));
        format!(
            "\n# {comment}\n[[talk.turn]]\nsend = {send}\nexpect = {}\n",
            lesson.expect
        )
    }
}
